"""What was measured where: the machine and the commit beside the figures, as a table and as JSON under `out/`."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import torch

from regard.core.errors import RegardError
from regard.core.files import write_whole
from regard.training.loop import Stopped
from regard.views import terminal
from regard.views.picture import Table

ROOT = Path(__file__).parents[2]
OUT = ROOT / "out" / "benchmarks"


def circumstances() -> dict[str, Any]:
    """Date, commit, processor, cores, torch: what a figure means nothing without."""
    return {
        "date": date.today().isoformat(),
        "commit": _git("rev-parse", "--short", "HEAD") + ("+changes" if _git("status", "--porcelain") else ""),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def ended(main: Callable[[], int]) -> int:
    """The exit code of a measurement; what it refuses (no data, no such model) is one line, and so is a signal."""
    try:
        return main()
    except RegardError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except Stopped as stopped:
        print(f"Stopped; the same command goes on from {stopped.path}.", file=sys.stderr)
        return 128 + stopped.number


def told(title: str, head: tuple[str, ...], rows: list[tuple[str | int | float, ...]], *, reading: str = "") -> None:
    """Print a table."""
    print(terminal.render(Table(title=title, head=head, rows=tuple(rows), reading=reading)), flush=True)


def written(name: str, facts: dict[str, Any]) -> Path:
    """Write the figures as `out/benchmarks/NAME.json`, and say so."""
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / f"{name}.json"
    write_whole(path, (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode())
    print(f"figures: {path.relative_to(ROOT)}", flush=True)
    return path


def _git(*arguments: str) -> str:
    found = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return found.stdout.strip()


def _processor() -> str:
    """The processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
