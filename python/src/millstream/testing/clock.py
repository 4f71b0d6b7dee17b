"""A clock that only a test moves."""

from __future__ import annotations

from time import monotonic, sleep
from typing import Protocol

from millstream import _native
from millstream._tracebacks import guard

__all__ = ["ManualClock"]


#: How long a clock waits for its jobs unless a call says otherwise, in seconds: a job that never rests shall fail a test, not block it.
DEFAULT_TIMEOUT = 60.0


class Supply(Protocol):
    """What gives a job values that a test has thought of, and knows whether the job has taken all of them."""

    def is_taken(self) -> bool:
        """Whether nothing is left, or the job has ended."""


class ManualClock:
    """Processing time in milliseconds, which stands still until a test moves it. It never goes back.

    A harness has one; give several harnesses the same to move their time together. ``StreamExecutionEnvironment.set_clock`` gives it to jobs: then
    :meth:`advance` returns when what was due has happened.

    >>> clock = ManualClock(1_000)
    >>> clock.advance(500)
    >>> clock.now()
    1500
    """

    def __init__(self, start: int = 0) -> None:
        #: Where the clock stands, or goes to.
        self._now = _milliseconds(start)
        self._native: _native.Clock | None = None
        self._supplies: list[Supply] = []

    def now(self) -> int:
        """The time now, in milliseconds since 1970-01-01 UTC."""
        return self._now if self._native is None else self._native.now()

    def advance(self, milliseconds: int, timeout: float = DEFAULT_TIMEOUT) -> None:
        """Moves the clock on, and waits as :meth:`settle` does. Raises ``ValueError`` for a negative number.

        On its way the clock stops at each time that something in its jobs is due at, a timer for time ``t`` at ``t``, and goes on when everything
        that follows from it is done.
        """
        self.set(self._now + _milliseconds(milliseconds), timeout)

    def set(self, time: int, timeout: float = DEFAULT_TIMEOUT) -> None:
        """Moves the clock to a time, as :meth:`advance` does. Raises ``ValueError`` if that is in the past."""
        if _milliseconds(time) < self._now:
            raise ValueError(f"the clock stands at {self._now} and cannot go back to {time}")
        if self._native is None:
            self._now = time
            return
        deadline = monotonic() + timeout
        # What the test gave before happens before.
        self.settle(timeout)
        self._native.advance(time - self._now)
        self._now = time
        self.settle(deadline - monotonic())

    def settle(self, timeout: float = DEFAULT_TIMEOUT) -> None:
        """Waits until the jobs that have the clock are at rest: nothing is left to do before the clock moves on or something comes from outside.

        That is, what a :class:`LiveTestStream` was given has passed through the whole job, and so has what came of it. A source that waits for
        values, and an asynchronous function that waits for an answer, are at rest. Raises ``TimeoutError`` after ``timeout`` seconds; a job whose
        source never waits and never ends does not rest.
        """
        if self._native is None:
            return
        deadline = monotonic() + timeout
        for supply in list(self._supplies):
            while not supply.is_taken():
                if monotonic() > deadline:
                    raise TimeoutError(f"a job has not taken what it was given after {timeout:g} s")
                sleep(0.0005)
        if not self._native.wait(max(0, int((deadline - monotonic()) * 1_000))):
            raise TimeoutError(f"the jobs are not at rest after {timeout:g} s; the clock has come to {self.now()} of {self._now}")

    def _of_jobs(self) -> _native.Clock:
        """The engine's side of it."""
        if self._native is None:
            self._native = _native.Clock(self._now)
        return self._native

    def _supplied_by(self, supply: Supply) -> None:
        self._supplies = [other for other in self._supplies if not other.is_taken()] + [supply]

    def __repr__(self) -> str:
        return f"ManualClock({self.now()})"


def _milliseconds(value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"time is an int of milliseconds, not {value!r}")
    return value


guard(globals())
