"""REGARD_STRICT=1: a test that does not run is a failure.

A skip (or an expected failure) says that nothing is broken while nothing was looked at, so CI does not take it. Four
things may be missing on a good machine, and only they excuse a skip; its reason names one: GPU, TeX, LibreOffice,
../shared.
"""

import os
from collections.abc import Generator
from typing import TypeVar

import pytest

EXCUSES = ("GPU", "TeX", "LibreOffice", "../shared")

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def judge(report: Report) -> Report:
    """The report, turned into a failure where it is a skip without an excuse and the run is strict."""
    told = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    reason = getattr(report, "wasxfail", None) or str(told)
    if os.environ.get("REGARD_STRICT") == "1" and report.skipped and not any(word in reason for word in EXCUSES):
        report.outcome = "failed"
        report.longrepr = f"skipped, and REGARD_STRICT=1 takes no skip but for {', '.join(EXCUSES)}: {reason}"
        vars(report).pop("wasxfail", None)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return judge((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return judge((yield))
