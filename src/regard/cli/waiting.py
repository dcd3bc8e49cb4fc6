"""What is being done, on a terminal, where it takes its time."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer

PATIENCE = 2.0
"""Seconds in which nobody wants to be told anything."""


@contextmanager
def waiting() -> Iterator[Callable[[str], None]]:
    """Is told what is being done; after `PATIENCE` it shows it with a clock, until all is done."""
    if not sys.stderr.isatty():
        yield lambda what: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    shown = Progress(*columns, console=Console(stderr=True), transient=True)
    task = shown.add_task("")
    timer = Timer(PATIENCE, shown.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda what: shown.update(task, description=what)
    finally:
        timer.cancel()
        timer.join()
        shown.stop()
