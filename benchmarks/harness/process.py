"""Runs one program and tells what it cost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# A program that has not ended by then hangs.
TIMEOUT_SECONDS = 900.0
# How often a sampled program's memory is read.
SAMPLE_SECONDS = 0.1
# How much of a failed program's last words are shown.
TAIL_CHARACTERS = 2000


class ProgramFailed(Exception):
    """A program ended with an error, or never."""


@dataclass
class Run:
    """One run of a program."""

    wall_seconds: float
    cpu_seconds: float
    """User and system time, of the children that it waited for too."""
    peak_bytes: int
    """The largest resident size of the process, or, when sampled, of it and its descendants together."""
    result: dict[str, Any] = field(default_factory=dict)
    """The last line of its output that is a JSON object."""
    samples: list[tuple[float, int]] = field(default_factory=list)
    """Seconds since the start, and resident bytes of the process and its descendants."""


def _environment() -> dict[str, str]:
    """The caller's, in which every engine finds its modules compiled, as installed packages are."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def run_program(command: list[str], *, sampled: bool = False, timeout_seconds: float = TIMEOUT_SECONDS, environment: dict[str, str] | None = None) -> Run:
    """Runs a command to its end. Raises `ProgramFailed` with the end of its output if it fails or takes too long.

    A sampled run has its memory read ten times a second, with all descendants: the way to see a peer that starts a process of its own.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, start_new_session=True, env={**_environment(), **(environment or {})}
        )
        samples: list[tuple[float, int]] = []

        def look() -> None:
            samples.append((time.perf_counter() - started, resident_bytes_of_tree(process.pid)))

        try:
            status, usage, ended = _wait(process.pid, started + timeout_seconds, look if sampled else None)
        finally:
            _end_group(process.pid)
        process.returncode = os.waitstatus_to_exitcode(status)
        text = _read(output)
        if process.returncode != 0:
            raise ProgramFailed(f"{' '.join(command)} ended with {process.returncode}:\n{(text + _read(errors))[-TAIL_CHARACTERS:]}")
        # Linux counts what the forking process had into its child's peak: this one must be small, and run.py is.
        peak = max([usage.ru_maxrss * 1024] + [size for _, size in samples])
        return Run(ended - started, usage.ru_utime + usage.ru_stime, peak, _last_object(text), samples)


def resident_bytes_of_tree(root: int) -> int:
    """The resident bytes of a process and its descendants."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    # The command's name may hold blanks and brackets: the fields begin behind the last one.
                    parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
            except OSError:
                continue
    total = 0
    for process in parents:
        ancestor = process
        while ancestor not in (root, 0) and ancestor in parents:
            ancestor = parents[ancestor]
        if ancestor == root:
            total += _resident_bytes(process)
    return total


def _resident_bytes(process: int) -> int:
    try:
        with open(f"/proc/{process}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _wait(pid: int, deadline: float, look: Callable[[], None] | None) -> tuple[int, Any, float]:
    """Waits for a process, looking at it now and then. A process that is not looked at is waited for without polling, up to a timer."""
    if look is None:
        previous = signal.signal(signal.SIGALRM, lambda *_: _end_group(pid))
        signal.setitimer(signal.ITIMER_REAL, max(0.001, deadline - time.perf_counter()))
        try:
            _, status, usage = os.wait4(pid, 0)
            return status, usage, time.perf_counter()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, previous)
    while True:
        found, status, usage = os.wait4(pid, os.WNOHANG)
        if found:
            return status, usage, time.perf_counter()
        if time.perf_counter() > deadline:
            _end_group(pid)
        look()
        time.sleep(SAMPLE_SECONDS)


def _end_group(pid: int) -> None:
    """Ends what the program left behind: it leads a process group of its own."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _read(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode(errors="replace"))


def _last_object(text: str) -> dict[str, Any]:
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, dict):
                return found
    return {}


def program(folder: Path, engine: str) -> str:
    """The path of a scenario's program for an engine."""
    return str(folder / (f"with_{engine}.py" if engine != "plain" else "plain.py"))
