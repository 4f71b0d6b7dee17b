"""Lengths of time and points in time."""

from __future__ import annotations

import datetime

from millstream._native import register_instant_class
from millstream._tracebacks import guard

__all__ = ["Duration", "Instant", "Time"]

_NANOS_PER_MILLI = 1_000_000
_NANOS_PER_SECOND = 1_000_000_000


class Duration:
    """A length of time, exact to the nanosecond.

    >>> Duration.of_seconds(90) == Duration.of_millis(90_000)
    True
    >>> Duration.of_minutes(2).to_millis()
    120000
    """

    __slots__ = ("_nanos",)

    def __init__(self, nanos: int) -> None:
        if isinstance(nanos, bool) or not isinstance(nanos, int):
            raise TypeError(f"a Duration takes whole numbers, not {nanos!r}")
        self._nanos = nanos

    @staticmethod
    def of_days(days: int) -> Duration:
        """So many times 24 hours."""
        return Duration(_whole(days) * 86_400 * _NANOS_PER_SECOND)

    @staticmethod
    def of_hours(hours: int) -> Duration:
        """So many hours."""
        return Duration(_whole(hours) * 3_600 * _NANOS_PER_SECOND)

    @staticmethod
    def of_minutes(minutes: int) -> Duration:
        """So many minutes."""
        return Duration(_whole(minutes) * 60 * _NANOS_PER_SECOND)

    @staticmethod
    def of_seconds(seconds: int) -> Duration:
        """So many seconds."""
        return Duration(_whole(seconds) * _NANOS_PER_SECOND)

    @staticmethod
    def of_millis(millis: int) -> Duration:
        """So many milliseconds."""
        return Duration(_whole(millis) * _NANOS_PER_MILLI)

    @staticmethod
    def of_nanos(nanos: int) -> Duration:
        """So many nanoseconds."""
        return Duration(_whole(nanos))

    def to_millis(self) -> int:
        """Whole milliseconds, rounded towards the past."""
        return self._nanos // _NANOS_PER_MILLI

    def to_nanos(self) -> int:
        """Nanoseconds."""
        return self._nanos

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Duration) and self._nanos == other._nanos

    def __hash__(self) -> int:
        return hash(("Duration", self._nanos))

    def __repr__(self) -> str:
        return f"Duration({_length_text(self._nanos)})"


class Instant:
    """A point in time: seconds since 1970-01-01 00:00:00 UTC, and nanoseconds (0 to 999,999,999) after that second.

    >>> Instant.of_epoch_milli(1_500)
    Instant<1, 500000000>
    """

    __slots__ = ("nanos", "seconds")

    def __init__(self, seconds: int, nanos: int) -> None:
        self.seconds = seconds
        self.nanos = nanos

    @staticmethod
    def of_epoch_milli(epoch_milli: int) -> Instant:
        """The point so many milliseconds after (or, negative, before) the epoch."""
        seconds, millis = divmod(epoch_milli, 1_000)
        return Instant(seconds, millis * _NANOS_PER_MILLI)

    def to_epoch_milli(self) -> int:
        """Milliseconds since the epoch, rounded towards the past."""
        return self.seconds * 1_000 + self.nanos // _NANOS_PER_MILLI

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Instant) and self.seconds == other.seconds and self.nanos == other.nanos

    def __lt__(self, other: Instant) -> bool:
        return (self.seconds, self.nanos) < (other.seconds, other.nanos)

    def __hash__(self) -> int:
        return hash((self.seconds, self.nanos))

    def __repr__(self) -> str:
        return f"Instant<{self.seconds}, {self.nanos}>"


register_instant_class(Instant)


class Time:
    """A length of time in milliseconds, for windows.

    >>> Time.minutes(2).to_milliseconds()
    120000
    """

    __slots__ = ("_milliseconds",)

    def __init__(self, milliseconds: int) -> None:
        self._milliseconds = _whole(milliseconds)

    @staticmethod
    def milliseconds(milliseconds: int) -> Time:
        """So many milliseconds."""
        return Time(milliseconds)

    @staticmethod
    def seconds(seconds: int) -> Time:
        """So many seconds."""
        return Time(_whole(seconds) * 1_000)

    @staticmethod
    def minutes(minutes: int) -> Time:
        """So many minutes."""
        return Time(_whole(minutes) * 60_000)

    @staticmethod
    def hours(hours: int) -> Time:
        """So many hours."""
        return Time(_whole(hours) * 3_600_000)

    @staticmethod
    def days(days: int) -> Time:
        """So many times 24 hours."""
        return Time(_whole(days) * 86_400_000)

    def to_milliseconds(self) -> int:
        """Milliseconds."""
        return self._milliseconds

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Time) and self._milliseconds == other._milliseconds

    def __hash__(self) -> int:
        return hash(("Time", self._milliseconds))

    def __str__(self) -> str:
        return f"{self._milliseconds} ms"

    def __repr__(self) -> str:
        return f"Time({self._milliseconds} ms)"


def milliseconds_of(length: Time | Duration | datetime.timedelta | int, what: str) -> int:
    """A length of time as whole milliseconds, wherever the API takes one: ``Time``, ``Duration``, ``timedelta`` or a number.

    Raises ``TypeError`` for anything else, naming ``what`` was to be set.
    """
    if isinstance(length, Time):
        return length.to_milliseconds()
    if isinstance(length, Duration):
        return length.to_millis()
    if isinstance(length, datetime.timedelta):
        return length // datetime.timedelta(milliseconds=1)
    if isinstance(length, int) and not isinstance(length, bool):
        return length
    raise TypeError(f"{what} takes a Time, a Duration, a timedelta or milliseconds, not {length!r}")


_UNITS = {
    **dict.fromkeys(("ms", "milli", "millis", "millisecond", "milliseconds"), 1),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1_000),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60_000),
    **dict.fromkeys(("h", "hour", "hours"), 3_600_000),
    **dict.fromkeys(("d", "day", "days"), 86_400_000),
}


def milliseconds_in(text: str) -> int:
    """A setting's length of time, a number and a unit, in milliseconds. Raises ``ValueError`` for anything else.

    >>> milliseconds_in("5 min")
    300000
    """
    stripped = text.strip()
    digits = len(stripped) - len(stripped.lstrip("0123456789"))
    unit = stripped[digits:].strip().lower()
    if not digits or unit not in _UNITS:
        raise ValueError(f"{text!r} is no length of time such as '100 ms'")
    return int(stripped[:digits]) * _UNITS[unit]


def _whole(number: int) -> int:
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"a whole number is needed, not {number!r}")
    return number


def _length_text(nanos: int) -> str:
    for unit, length in (("d", 86_400 * _NANOS_PER_SECOND), ("h", 3_600 * _NANOS_PER_SECOND), ("min", 60 * _NANOS_PER_SECOND),
                         ("s", _NANOS_PER_SECOND), ("ms", _NANOS_PER_MILLI)):
        if nanos and nanos % length == 0:
            return f"{nanos // length} {unit}"
    return f"{nanos} ns"


guard(globals(), hot=("Instant",))
