"""Jobs that failed and that nobody asked: what they failed with is printed when nobody can ask any more, at the latest at the interpreter's exit."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import sys
import weakref
from typing import TYPE_CHECKING

from millstream._tracebacks import LINE_LIMIT, explain
from millstream.exceptions import MillstreamError

if TYPE_CHECKING:
    from millstream import _native

__all__ = ["Unasked"]

#: At exit, more failures than this are only counted.
SHOWN_LIMIT = 3

_TERMINAL = ("FAILED", "CANCELED", "FINISHED")


class Unasked:
    """A job that nobody has asked how it ended. ``owner`` is what programs ask through."""

    def __init__(self, owner: object, job: _native.Job, name: str) -> None:
        _look_after()
        self._job: _native.Job | None = job
        self._name = name
        self._process = os.getpid()
        self._number = next(_numbers)
        _held[self._number] = self
        self._finalizer = weakref.finalize(owner, _let_go, self._number)
        self._finalizer.atexit = False

    def asked(self) -> None:
        """Somebody knows: nothing is printed."""
        # What the job failed with may refer to its owner, which would then never be gone.
        self._job = None
        _held.pop(self._number, None)
        self._finalizer.detach()

    def has_ended(self) -> bool:
        """Whether there is nothing more to wait for."""
        try:
            return self._job is None or self._job.status() in _TERMINAL
        except MillstreamError:
            return True

    def tell(self) -> bool:
        """Prints what the job failed with; false if there is nothing to print."""
        failure = self.failure()
        if failure is None:
            return False
        _write([f"millstream: job {self._name!r} failed, and nobody asked for its result:", *explain(failure, LINE_LIMIT - 1)])
        return True

    def failure(self) -> BaseException | None:
        """What the job failed with, once; ``None`` if it did not."""
        job, self._job = self._job, None
        # A forked child has its parent's objects, and no engine.
        if job is None or self._process != os.getpid():
            return None
        try:
            return job.failure()
        except MillstreamError:
            return None


_numbers = itertools.count()
#: Jobs with an owner, by when they were started.
_held: dict[int, Unasked] = {}
#: Jobs that ran when their owner went.
_followed: list[Unasked] = []


def _write(lines: list[str]) -> None:
    """There may be no standard error any more, or none that takes it: then nobody wants to know."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write("\n".join(lines) + "\n")


# An owner may go at any moment, in the middle of all this: nothing here iterates over what that changes.


def _let_go(number: int) -> None:
    job = _held.pop(number, None)
    if job is None:
        return
    if job.has_ended():
        job.tell()
    else:
        _followed.append(job)


def _look_after() -> None:
    """Tells of followed jobs that have ended."""
    for job in tuple(_followed):
        if job.has_ended() and job in _followed:
            _followed.remove(job)
            job.tell()


@atexit.register
def _tell_all() -> None:
    jobs, _followed[:] = tuple(_followed), []
    held = []
    while _held:
        held.append(_held.popitem()[1])
    told = untold = 0
    for job in (*jobs, *reversed(held)):
        if told < SHOWN_LIMIT:
            told += job.tell()
        else:
            untold += job.failure() is not None
    if untold:
        _write([f"millstream: {untold} more job{'s' if untold > 1 else ''} failed, and nobody asked"])
