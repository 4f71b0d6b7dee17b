"""A clock that only a test moves."""

from __future__ import annotations

from millstream._tracebacks import guard

__all__ = ["ManualClock"]


class ManualClock:
    """Processing time in milliseconds, which stands still until a test moves it. It never goes back.

    A harness has one; give several harnesses the same to move their time together.

    >>> clock = ManualClock(1_000)
    >>> clock.advance(500)
    >>> clock.now()
    1500
    """

    def __init__(self, start: int = 0) -> None:
        self._now = _milliseconds(start)

    def now(self) -> int:
        """The time now, in milliseconds since 1970-01-01 UTC."""
        return self._now

    def advance(self, milliseconds: int) -> None:
        """Moves the clock on. Raises ``ValueError`` for a negative number."""
        self.set(self._now + _milliseconds(milliseconds))

    def set(self, time: int) -> None:
        """Moves the clock to a time. Raises ``ValueError`` if that is in the past."""
        if _milliseconds(time) < self._now:
            raise ValueError(f"the clock stands at {self._now} and cannot go back to {time}")
        self._now = time

    def __repr__(self) -> str:
        return f"ManualClock({self._now})"


def _milliseconds(value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"time is an int of milliseconds, not {value!r}")
    return value


guard(globals())
