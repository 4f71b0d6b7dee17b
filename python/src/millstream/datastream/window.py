"""Windows, and how elements get into them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

from millstream._tracebacks import guard
from millstream.common.time import Duration, Time, milliseconds_of
from millstream.exceptions import UnsupportedError

if TYPE_CHECKING:
    from millstream.datastream.functions import Function

__all__ = [
    "CountSlidingWindowAssigner",
    "CountTumblingWindowAssigner",
    "CountWindow",
    "EventTimeSessionWindows",
    "GlobalWindow",
    "ProcessingTimeSessionWindows",
    "SlidingEventTimeWindows",
    "SlidingProcessingTimeWindows",
    "TimeWindow",
    "TumblingEventTimeWindows",
    "TumblingProcessingTimeWindows",
    "Window",
    "WindowAssigner",
]

Length = Time | Duration | timedelta | int
_MAX_TIMESTAMP = 2**63 - 1


class Window(ABC):
    """A set of elements that are looked at together."""

    @abstractmethod
    def max_timestamp(self) -> int:
        """The largest timestamp that belongs to it, in milliseconds."""


class TimeWindow(Window):
    """The elements from ``start`` up to but not including ``end``, in milliseconds.

    >>> TimeWindow(0, 5000).max_timestamp()
    4999
    >>> TimeWindow(0, 5000).intersects(TimeWindow(5000, 9000))
    True
    """

    __slots__ = ("end", "start")

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end

    def max_timestamp(self) -> int:
        return self.end - 1

    def intersects(self, other: TimeWindow) -> bool:
        """Whether they overlap or touch, as sessions do that become one."""
        return self.start <= other.end and self.end >= other.start

    def cover(self, other: TimeWindow) -> TimeWindow:
        """The smallest window that holds both."""
        return TimeWindow(min(self.start, other.start), max(self.end, other.end))

    @staticmethod
    def get_window_start_with_offset(timestamp: int, offset: int, window_size: int) -> int:
        """The start of the window of this size that a timestamp falls into; windows start at multiples of the size, plus ``offset``.

        >>> TimeWindow.get_window_start_with_offset(-1, 0, 1000)
        -1000
        """
        return timestamp - (timestamp - offset) % window_size

    @staticmethod
    def merge_windows(windows: Iterable[TimeWindow], callback: Callable[[TimeWindow, list[TimeWindow]], None]) -> None:
        """Finds windows that overlap or touch, and calls ``callback(merged, parts)`` for each group of more than one."""
        merged: list[tuple[TimeWindow, list[TimeWindow]]] = []
        for window in sorted(windows, key=lambda window: (window.start, window.end)):
            if merged and merged[-1][0].intersects(window):
                cover, parts = merged[-1]
                merged[-1] = (cover.cover(window), [*parts, window])
            else:
                merged.append((window, [window]))
        for cover, parts in merged:
            if len(parts) > 1:
                callback(cover, parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TimeWindow) and self.start == other.start and self.end == other.end

    def __lt__(self, other: TimeWindow) -> bool:
        return (self.start, self.end) < (other.start, other.end)

    def __hash__(self) -> int:
        return hash((self.start, self.end))

    def __repr__(self) -> str:
        return f"TimeWindow(start={self.start}, end={self.end})"


class CountWindow(Window):
    """So many elements of a key. Windows of a job are not numbered yet: ``id`` is 0."""

    __slots__ = ("id",)

    def __init__(self, id: int) -> None:
        self.id = id

    def max_timestamp(self) -> int:
        return _MAX_TIMESTAMP

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CountWindow) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"CountWindow(id={self.id})"


class GlobalWindow(Window):
    """All elements."""

    __slots__ = ()

    @staticmethod
    def get() -> GlobalWindow:
        """The window."""
        return GlobalWindow()

    def max_timestamp(self) -> int:
        return _MAX_TIMESTAMP

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GlobalWindow)

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "GlobalWindow()"


class WindowShape(NamedTuple):
    """An assigner in the engine's words; milliseconds, or elements for the count windows."""

    kind: Literal["TUMBLING", "SLIDING", "SESSION", "COUNT_WINDOW", "SLIDING_COUNT"]
    size: int
    slide: int = 0
    offset: int = 0
    is_event_time: bool = True

    @property
    def is_count(self) -> bool:
        """Whether windows are so many elements, not so much time."""
        return self.kind in ("COUNT_WINDOW", "SLIDING_COUNT")


class WindowAssigner(ABC):
    """Tells which windows an element belongs to. The engine knows the assigners of this module; others cannot be written in Python yet."""

    @abstractmethod
    def is_event_time(self) -> bool:
        """Whether windows go by the elements' timestamps."""

    @abstractmethod
    def _shape(self) -> WindowShape:
        """The same for the engine."""

    def __repr__(self) -> str:
        shape = self._shape()
        unit = "" if shape.is_count else " ms"
        parts = [f"{shape.size}{unit}"]
        if shape.slide:
            parts.append(f"every {shape.slide}{unit}")
        if shape.offset:
            parts.append(f"offset {shape.offset}{unit}")
        return f"{type(self).__name__}({', '.join(parts)})"


class _TumblingWindows(WindowAssigner):
    _event_time: bool

    def __init__(self, size: Length, offset: Length = 0) -> None:
        self._size = _positive(size, "size", self)
        self._offset = milliseconds_of(offset, "offset")
        if abs(self._offset) >= self._size:
            raise ValueError(f"{type(self).__name__}: abs(offset) < size must hold, but offset is {self._offset} ms and size {self._size} ms")

    def is_event_time(self) -> bool:
        return self._event_time

    def _shape(self) -> WindowShape:
        return WindowShape("TUMBLING", self._size, offset=self._offset, is_event_time=self._event_time)


class TumblingEventTimeWindows(_TumblingWindows):
    """Windows of one size, one after the other, by the elements' timestamps.

    >>> TumblingEventTimeWindows.of(Time.seconds(10))
    TumblingEventTimeWindows(10000 ms)
    """

    _event_time = True

    @staticmethod
    def of(size: Length, offset: Length = 0) -> TumblingEventTimeWindows:
        """Windows of ``size``; they start at multiples of it since 1970-01-01 UTC, plus ``offset``.

        Raises ``ValueError`` unless ``0 < size`` and ``abs(offset) < size``.
        """
        return TumblingEventTimeWindows(size, offset)


class TumblingProcessingTimeWindows(_TumblingWindows):
    """Windows of one size, one after the other, by the clock."""

    _event_time = False

    @staticmethod
    def of(size: Length, offset: Length = 0) -> TumblingProcessingTimeWindows:
        """Windows of ``size``; they start at multiples of it since 1970-01-01 UTC, plus ``offset``."""
        return TumblingProcessingTimeWindows(size, offset)


class _SlidingWindows(WindowAssigner):
    _event_time: bool

    def __init__(self, size: Length, slide: Length, offset: Length = 0) -> None:
        self._size = _positive(size, "size", self)
        self._slide = _positive(slide, "slide", self)
        self._offset = milliseconds_of(offset, "offset")
        if abs(self._offset) >= self._slide:
            raise ValueError(f"{type(self).__name__}: abs(offset) < slide must hold, but offset is {self._offset} ms and slide {self._slide} ms")

    def is_event_time(self) -> bool:
        return self._event_time

    def _shape(self) -> WindowShape:
        return WindowShape("SLIDING", self._size, self._slide, self._offset, self._event_time)


class SlidingEventTimeWindows(_SlidingWindows):
    """Windows of one size that start at regular times and may overlap, by the elements' timestamps."""

    _event_time = True

    @staticmethod
    def of(size: Length, slide: Length, offset: Length = 0) -> SlidingEventTimeWindows:
        """Windows of ``size``, one every ``slide``. Raises ``ValueError`` unless both are positive and ``abs(offset) < slide``."""
        return SlidingEventTimeWindows(size, slide, offset)


class SlidingProcessingTimeWindows(_SlidingWindows):
    """Windows of one size that start at regular times and may overlap, by the clock."""

    _event_time = False

    @staticmethod
    def of(size: Length, slide: Length, offset: Length = 0) -> SlidingProcessingTimeWindows:
        """Windows of ``size``, one every ``slide``."""
        return SlidingProcessingTimeWindows(size, slide, offset)


class _SessionWindows(WindowAssigner):
    _event_time: bool

    def __init__(self, session_gap: Length) -> None:
        self._session_gap = _positive(session_gap, "gap", self)

    def is_event_time(self) -> bool:
        return self._event_time

    def _shape(self) -> WindowShape:
        return WindowShape("SESSION", self._session_gap, is_event_time=self._event_time)

    @staticmethod
    def with_dynamic_gap(extractor: object) -> WindowAssigner:
        """Not there yet: raises ``UnsupportedError``."""
        raise UnsupportedError("session windows with a gap per element are not there yet; use with_gap")


class EventTimeSessionWindows(_SessionWindows):
    """Windows that last as long as elements come less than a gap apart, by their timestamps. Sessions that touch become one."""

    _event_time = True

    @staticmethod
    def with_gap(size: Length) -> EventTimeSessionWindows:
        """Sessions with this gap. Raises ``ValueError`` unless it is positive."""
        return EventTimeSessionWindows(size)


class ProcessingTimeSessionWindows(_SessionWindows):
    """Windows that last as long as elements come less than a gap apart, by the clock."""

    _event_time = False

    @staticmethod
    def with_gap(size: Length) -> ProcessingTimeSessionWindows:
        """Sessions with this gap."""
        return ProcessingTimeSessionWindows(size)


class CountTumblingWindowAssigner(WindowAssigner):
    """Windows of so many elements of a key."""

    def __init__(self, window_size: int) -> None:
        self._window_size = _positive_count(window_size, "window_size")

    @staticmethod
    def of(window_size: int) -> CountTumblingWindowAssigner:
        """Windows of ``window_size`` elements. Raises ``ValueError`` unless it is positive."""
        return CountTumblingWindowAssigner(window_size)

    def is_event_time(self) -> bool:
        return False

    def _shape(self) -> WindowShape:
        return WindowShape("COUNT_WINDOW", self._window_size, is_event_time=False)


class CountSlidingWindowAssigner(WindowAssigner):
    """The last so many elements of a key, looked at every so many elements."""

    def __init__(self, window_size: int, window_slide: int) -> None:
        self._window_size = _positive_count(window_size, "window_size")
        self._window_slide = _positive_count(window_slide, "window_slide")

    @staticmethod
    def of(window_size: int, window_slide: int) -> CountSlidingWindowAssigner:
        """Windows of the last ``window_size`` elements, one every ``window_slide`` elements."""
        return CountSlidingWindowAssigner(window_size, window_slide)

    def is_event_time(self) -> bool:
        return False

    def _shape(self) -> WindowShape:
        return WindowShape("SLIDING_COUNT", self._window_size, self._window_slide, is_event_time=False)


def make_time_window(start: int | None, end: int | None) -> Window:
    """What a window function sees as its window."""
    return CountWindow(0) if start is None or end is None else TimeWindow(start, end)


def _positive(length: Length, what: str, assigner: WindowAssigner | Function) -> int:
    found = milliseconds_of(length, f"{type(assigner).__name__}'s {what}")
    if found <= 0:
        raise ValueError(f"{type(assigner).__name__}: the {what} must be positive, but is {found} ms")
    return found


def _positive_count(count: int, what: str) -> int:
    if isinstance(count, bool) or not isinstance(count, int):
        raise TypeError(f"{what} is a number of elements, not {count!r}")
    if count <= 0:
        raise ValueError(f"{what} must be positive, but is {count}")
    return count


guard(globals(), hot=("TimeWindow", "CountWindow", "GlobalWindow"))
