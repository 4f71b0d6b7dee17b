"""Processes that run `millstream run ...`, forked from one that has imported everything already: an interpreter's start costs more than a small job.

The process that forks makes no environment, has no engine, and has one thread.
"""

from __future__ import annotations

import atexit
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path


def prepare() -> None:
    """Imports what jobs need. In the process that forks, before the first job."""
    import millstream._cli
    import millstream.datastream
    import millstream.datastream.connectors.file_system
    import millstream.datastream.connectors.sqlite
    import millstream.pyflink.run  # noqa: F401


def fork_command(arguments: list[str], log: Path, first: Callable[[], object] = lambda: None) -> int:
    """The id of a new process that calls `first` and is the command then. What it prints is added to `log`."""
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process == 0:
        _become(arguments, log, first)
    return process


def _become(arguments: list[str], log: Path, first: Callable[[], object]) -> None:
    status = 70
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        first()
        from millstream._cli import main

        try:
            status = main(arguments)
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else 1
        except BaseException:
            traceback.print_exc()
            status = 1
        # What an interpreter does at its end, but for the parent's part.
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)
