"""Windows: how elements get into them, when they fire, and what is left out then."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, Generic, Literal, NamedTuple, TypeVar

from millstream._tracebacks import guard
from millstream.common.time import Duration, Time, milliseconds_of
from millstream.common.typeinfo import Types
from millstream.datastream.evictors import CountEvictor, DeltaEvictor, Evictor, TimeEvictor, TimestampedValue
from millstream.datastream.state import ValueStateDescriptor
from millstream.datastream.triggers import (
    ContinuousEventTimeTrigger,
    ContinuousProcessingTimeTrigger,
    CountTrigger,
    DeltaFunction,
    DeltaTrigger,
    EndOfStreamTrigger,
    EventTimeTrigger,
    Min,
    NeverTrigger,
    ProcessingTimeTrigger,
    PurgingTrigger,
    Trigger,
    TriggerResult,
)
from millstream.exceptions import EventTimeError

if TYPE_CHECKING:
    from millstream.datastream.functions import Function, RuntimeContext

__all__ = [
    "ContinuousEventTimeTrigger",
    "ContinuousProcessingTimeTrigger",
    "CountEvictor",
    "CountSlidingWindowAssigner",
    "CountTrigger",
    "CountTumblingWindowAssigner",
    "CountWindow",
    "CountWindowSerializer",
    "DeltaEvictor",
    "DeltaFunction",
    "DeltaTrigger",
    "DynamicEventTimeSessionWindows",
    "DynamicProcessingTimeSessionWindows",
    "EndOfStreamTrigger",
    "EventTimeSessionWindows",
    "EventTimeTrigger",
    "Evictor",
    "GlobalWindow",
    "GlobalWindowSerializer",
    "GlobalWindows",
    "MergingWindowAssigner",
    "Min",
    "NeverTrigger",
    "ProcessingTimeSessionWindows",
    "ProcessingTimeTrigger",
    "PurgingTrigger",
    "SessionWindowTimeGapExtractor",
    "SlidingEventTimeWindows",
    "SlidingProcessingTimeWindows",
    "TimeEvictor",
    "TimeWindow",
    "TimeWindowSerializer",
    "TimestampedValue",
    "Trigger",
    "TriggerResult",
    "TumblingEventTimeWindows",
    "TumblingProcessingTimeWindows",
    "Window",
    "WindowAssigner",
]

Length = Time | Duration | timedelta | int
_MAX_TIMESTAMP = 2**63 - 1

T = TypeVar("T")
W = TypeVar("W")
W2 = TypeVar("W2")


class Window(ABC):
    """A set of elements that are looked at together.

    >>> isinstance(TimeWindow(0, 5_000), Window)
    True
    """

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
    def merge_windows(windows: Iterable[TimeWindow], callback: MergingWindowAssigner.MergeCallback[TimeWindow]) -> None:
        """Finds windows that overlap or touch, and calls ``callback.merge(parts, merged)`` for each group of more than one; equal ones count once."""
        merged: list[tuple[TimeWindow, list[TimeWindow]]] = []
        for window in sorted(set(windows), key=lambda window: (window.start, window.end)):
            if merged and merged[-1][0].intersects(window):
                cover, parts = merged[-1]
                merged[-1] = (cover.cover(window), [*parts, window])
            else:
                merged.append((window, [window]))
        for cover, parts in merged:
            if len(parts) > 1:
                callback.merge(parts, cover)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TimeWindow) and self.start == other.start and self.end == other.end

    def __lt__(self, other: TimeWindow) -> bool:
        return (self.start, self.end) < (other.start, other.end)

    def __le__(self, other: TimeWindow) -> bool:
        return (self.start, self.end) <= (other.start, other.end)

    def __hash__(self) -> int:
        return hash((self.start, self.end))

    def __repr__(self) -> str:
        return f"TimeWindow(start={self.start}, end={self.end})"


class CountWindow(Window):
    """So many elements of a key; ``id`` counts the windows of a key, from 0.

    >>> CountWindow(3).id
    3
    """

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
    """All elements.

    >>> GlobalWindow().max_timestamp()
    9223372036854775807
    """

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


class WindowAssigner(ABC, Generic[T, W]):
    """Tells which windows an element belongs to.

    The engine itself knows the assigners of this module with their default triggers; others, and other triggers, run in Python.

    >>> class ByLength(WindowAssigner):
    ...     def assign_windows(self, element, timestamp, context):
    ...         return [CountWindow(len(element))]
    ...     def get_default_trigger(self, env):
    ...         return CountTrigger.of(2)
    ...     def is_event_time(self):
    ...         return False
    """

    class WindowAssignerContext(ABC):
        """What an assigner may ask. Only valid during the call."""

        @abstractmethod
        def get_current_processing_time(self) -> int:
            """The clock's time in milliseconds."""

        @abstractmethod
        def get_runtime_context(self) -> RuntimeContext:
            """States of the element's key, the subtask, metrics."""

    @abstractmethod
    def assign_windows(self, element: T, timestamp: int, context: WindowAssigner.WindowAssignerContext) -> Collection[W]:
        """The windows of an element; windows are compared by ``==`` and ``hash``. ``timestamp`` is ``None`` if it has none."""

    @abstractmethod
    def get_default_trigger(self, env: Any) -> Trigger[T, W]:
        """The trigger that is taken unless another is set."""

    def get_window_serializer(self) -> Any:
        """PyFlink needs it; Millstream does not call it."""
        return None

    @abstractmethod
    def is_event_time(self) -> bool:
        """Whether windows go by the elements' timestamps."""

    def _shape(self) -> WindowShape | None:
        """The same for the engine; None for an assigner that it does not know."""
        return None

    def __repr__(self) -> str:
        shape = self._shape()
        if shape is None:
            return f"{type(self).__name__}()"
        unit = "" if shape.is_count else " ms"
        parts = [f"{shape.size}{unit}"]
        if shape.slide:
            parts.append(f"every {shape.slide}{unit}")
        if shape.offset:
            parts.append(f"offset {shape.offset}{unit}")
        return f"{type(self).__name__}({', '.join(parts)})"


class MergingWindowAssigner(WindowAssigner[T, W]):
    """An assigner whose windows may become one, as sessions do.

    >>> isinstance(EventTimeSessionWindows.with_gap(Time.seconds(1)), MergingWindowAssigner)
    True
    """

    class MergeCallback(ABC, Generic[W2]):
        """Where an assigner tells what is to be merged."""

        @abstractmethod
        def merge(self, to_be_merged: Iterable[W2], merge_result: W2) -> None:
            """Makes one window of several."""

    @abstractmethod
    def merge_windows(self, windows: Iterable[W], callback: MergingWindowAssigner.MergeCallback[W]) -> None:
        """Calls ``callback.merge`` for each group of windows that are to become one. ``windows`` are those of a key, and a new one."""


class TimeWindowSerializer:
    """A :class:`TimeWindow` as 16 bytes: start and end, the high byte first.

    >>> from io import BytesIO
    >>> stream = BytesIO()
    >>> TimeWindowSerializer().serialize(TimeWindow(0, 5_000), stream)
    >>> TimeWindowSerializer().deserialize(BytesIO(stream.getvalue()))
    TimeWindow(start=0, end=5000)
    """

    def serialize(self, element: TimeWindow, stream: BinaryIO) -> None:
        """Writes a window."""
        stream.write(struct.pack(">qq", element.start, element.end))

    def deserialize(self, stream: BinaryIO) -> TimeWindow:
        """Reads a window."""
        return TimeWindow(*struct.unpack(">qq", stream.read(16)))


class CountWindowSerializer:
    r"""A :class:`CountWindow` as 8 bytes: its id, the high byte first.

    >>> from io import BytesIO
    >>> stream = BytesIO()
    >>> CountWindowSerializer().serialize(CountWindow(3), stream)
    >>> stream.getvalue()
    b'\x00\x00\x00\x00\x00\x00\x00\x03'
    """

    def serialize(self, element: CountWindow, stream: BinaryIO) -> None:
        """Writes a window."""
        stream.write(struct.pack(">q", element.id))

    def deserialize(self, stream: BinaryIO) -> CountWindow:
        """Reads a window."""
        return CountWindow(struct.unpack(">q", stream.read(8))[0])


class GlobalWindowSerializer:
    r"""The :class:`GlobalWindow` as 8 bytes, all zero.

    >>> from io import BytesIO
    >>> stream = BytesIO()
    >>> GlobalWindowSerializer().serialize(GlobalWindow(), stream)
    >>> stream.getvalue()
    b'\x00\x00\x00\x00\x00\x00\x00\x00'
    """

    def serialize(self, element: GlobalWindow, stream: BinaryIO) -> None:
        """Writes the window."""
        stream.write(bytes(8))

    def deserialize(self, stream: BinaryIO) -> GlobalWindow:
        """Reads the window."""
        stream.read(8)
        return GlobalWindow()


class _TimeWindows(WindowAssigner[Any, TimeWindow]):
    """Windows by time: the elements' timestamps or the clock."""

    _event_time: bool

    def is_event_time(self) -> bool:
        return self._event_time

    def get_default_trigger(self, env: Any = None) -> Trigger[Any, TimeWindow]:
        """Fires at the end of each window."""
        return EventTimeTrigger() if self._event_time else ProcessingTimeTrigger()

    def get_window_serializer(self) -> TimeWindowSerializer:
        """The form of its windows as bytes."""
        return TimeWindowSerializer()

    def _time(self, timestamp: int | None, context: WindowAssigner.WindowAssignerContext) -> int:
        if not self._event_time:
            return context.get_current_processing_time()
        if timestamp is None or timestamp <= -(2**63):
            raise EventTimeError(f"{self!r} needs elements with timestamps; did you forget assign_timestamps_and_watermarks?")
        return timestamp


class _TumblingWindows(_TimeWindows):
    #: The windows given last: most elements are in them too.
    _last: list[TimeWindow] | None = None

    def __init__(self, size: Length, offset: Length = 0) -> None:
        self._size = _positive(size, "size", self)
        self._offset = milliseconds_of(offset, "offset")
        if abs(self._offset) >= self._size:
            raise ValueError(f"{type(self).__name__}: abs(offset) < size must hold, but offset is {self._offset} ms and size {self._size} ms")

    def assign_windows(self, element: Any, timestamp: int, context: WindowAssigner.WindowAssignerContext) -> list[TimeWindow]:
        """The one window that the time falls into."""
        time = self._time(timestamp, context)
        last = self._last
        if last is not None and last[0].start <= time < last[0].end:
            # Nobody changes them: an element's windows are only read.
            return last
        start = time - (time - self._offset) % self._size
        self._last = [TimeWindow(start, start + self._size)]
        return self._last

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
    """Windows of one size, one after the other, by the clock.

    >>> TumblingProcessingTimeWindows.of(Time.seconds(10))
    TumblingProcessingTimeWindows(10000 ms)
    """

    _event_time = False

    @staticmethod
    def of(size: Length, offset: Length = 0) -> TumblingProcessingTimeWindows:
        """Windows of ``size``; they start at multiples of it since 1970-01-01 UTC, plus ``offset``."""
        return TumblingProcessingTimeWindows(size, offset)


class _SlidingWindows(_TimeWindows):
    def __init__(self, size: Length, slide: Length, offset: Length = 0) -> None:
        self._size = _positive(size, "size", self)
        self._slide = _positive(slide, "slide", self)
        self._offset = milliseconds_of(offset, "offset")
        if abs(self._offset) >= self._slide:
            raise ValueError(f"{type(self).__name__}: abs(offset) < slide must hold, but offset is {self._offset} ms and slide {self._slide} ms")

    def assign_windows(self, element: Any, timestamp: int, context: WindowAssigner.WindowAssignerContext) -> list[TimeWindow]:
        """The windows that the time falls into, the latest first; none between windows that are shorter than their slide."""
        time, size = self._time(timestamp, context), self._size
        last_start = time - (time - self._offset) % self._slide
        return [TimeWindow(start, start + size) for start in range(last_start, time - size, -self._slide)]

    def _shape(self) -> WindowShape:
        return WindowShape("SLIDING", self._size, self._slide, self._offset, self._event_time)


class SlidingEventTimeWindows(_SlidingWindows):
    """Windows of one size that start at regular times and may overlap, by the elements' timestamps.

    >>> SlidingEventTimeWindows.of(Time.minutes(10), Time.minutes(5)).assign_windows("a", 60_000, None)
    [TimeWindow(start=0, end=600000), TimeWindow(start=-300000, end=300000)]
    """

    _event_time = True

    @staticmethod
    def of(size: Length, slide: Length, offset: Length = 0) -> SlidingEventTimeWindows:
        """Windows of ``size``, one every ``slide``. Raises ``ValueError`` unless both are positive and ``abs(offset) < slide``."""
        return SlidingEventTimeWindows(size, slide, offset)


class SlidingProcessingTimeWindows(_SlidingWindows):
    """Windows of one size that start at regular times and may overlap, by the clock.

    >>> SlidingProcessingTimeWindows.of(Time.minutes(10), Time.minutes(5))
    SlidingProcessingTimeWindows(600000 ms, every 300000 ms)
    """

    _event_time = False

    @staticmethod
    def of(size: Length, slide: Length, offset: Length = 0) -> SlidingProcessingTimeWindows:
        """Windows of ``size``, one every ``slide``."""
        return SlidingProcessingTimeWindows(size, slide, offset)


class SessionWindowTimeGapExtractor(ABC):
    """Tells the gap of a session from its element. A plain function will do too.

    >>> class Gap(SessionWindowTimeGapExtractor):
    ...     def extract(self, element):
    ...         return element["gap"]
    >>> EventTimeSessionWindows.with_dynamic_gap(Gap())
    DynamicEventTimeSessionWindows()
    """

    @abstractmethod
    def extract(self, element: Any) -> int:
        """The gap in milliseconds, more than 0."""


class _MergingTimeWindows(_TimeWindows, MergingWindowAssigner[Any, TimeWindow]):
    #: The operator merges these itself, without asking.
    _merges_time_windows = True

    def merge_windows(self, windows: Iterable[TimeWindow], callback: MergingWindowAssigner.MergeCallback[TimeWindow]) -> None:
        """Merges windows that overlap or touch."""
        TimeWindow.merge_windows(windows, callback)


class _SessionWindows(_MergingTimeWindows):
    def __init__(self, session_gap: Length) -> None:
        self._session_gap = _positive(session_gap, "gap", self)

    def assign_windows(self, element: Any, timestamp: int, context: WindowAssigner.WindowAssignerContext) -> list[TimeWindow]:
        """The session that begins with the element; it is merged with those that it touches."""
        time = self._time(timestamp, context)
        return [TimeWindow(time, time + self._session_gap)]

    def _shape(self) -> WindowShape | None:
        return WindowShape("SESSION", self._session_gap, is_event_time=self._event_time)


class _DynamicSessionWindows(_MergingTimeWindows):
    def __init__(self, session_window_time_gap_extractor: SessionWindowTimeGapExtractor | Callable[[Any], int]) -> None:
        extractor = session_window_time_gap_extractor
        if not isinstance(extractor, SessionWindowTimeGapExtractor) and not callable(getattr(extractor, "extract", extractor)):
            raise TypeError(f"{type(self).__name__} takes a SessionWindowTimeGapExtractor or a function of an element, not {extractor!r}")
        self._extractor = extractor

    def assign_windows(self, element: Any, timestamp: int, context: WindowAssigner.WindowAssignerContext) -> list[TimeWindow]:
        """The session that begins with the element. Raises ``ValueError`` for a gap that is not positive."""
        time = self._time(timestamp, context)
        extractor: Any = self._extractor
        gap = extractor.extract(element) if hasattr(extractor, "extract") else extractor(element)
        if isinstance(gap, bool) or not isinstance(gap, int):
            raise TypeError(f"{type(self).__name__}: a gap is a number of milliseconds, not {gap!r}")
        if gap <= 0:
            raise ValueError(f"{type(self).__name__}: the gap must be positive, but is {gap} ms")
        return [TimeWindow(time, time + gap)]


class DynamicEventTimeSessionWindows(_DynamicSessionWindows):
    """Sessions by the elements' timestamps, with a gap for each element.

    >>> DynamicEventTimeSessionWindows.with_dynamic_gap(lambda element: element["gap"])
    DynamicEventTimeSessionWindows()
    """

    _event_time = True

    @staticmethod
    def with_dynamic_gap(extractor: SessionWindowTimeGapExtractor | Callable[[Any], int]) -> DynamicEventTimeSessionWindows:
        """Sessions whose gap ``extractor`` tells."""
        return DynamicEventTimeSessionWindows(extractor)


class DynamicProcessingTimeSessionWindows(_DynamicSessionWindows):
    """Sessions by the clock, with a gap for each element.

    >>> DynamicProcessingTimeSessionWindows.with_dynamic_gap(lambda element: 1_000)
    DynamicProcessingTimeSessionWindows()
    """

    _event_time = False

    @staticmethod
    def with_dynamic_gap(extractor: SessionWindowTimeGapExtractor | Callable[[Any], int]) -> DynamicProcessingTimeSessionWindows:
        """Sessions whose gap ``extractor`` tells."""
        return DynamicProcessingTimeSessionWindows(extractor)


class EventTimeSessionWindows(_SessionWindows):
    """Windows that last as long as elements come less than a gap apart, by their timestamps. Sessions that touch become one.

    >>> EventTimeSessionWindows.with_gap(Time.minutes(30))
    EventTimeSessionWindows(1800000 ms)
    """

    _event_time = True

    @staticmethod
    def with_gap(size: Length) -> EventTimeSessionWindows:
        """Sessions with this gap. Raises ``ValueError`` unless it is positive."""
        return EventTimeSessionWindows(size)

    @staticmethod
    def with_dynamic_gap(extractor: SessionWindowTimeGapExtractor | Callable[[Any], int]) -> DynamicEventTimeSessionWindows:
        """Sessions with a gap for each element, which ``extractor`` tells."""
        return DynamicEventTimeSessionWindows(extractor)


class ProcessingTimeSessionWindows(_SessionWindows):
    """Windows that last as long as elements come less than a gap apart, by the clock.

    >>> ProcessingTimeSessionWindows.with_gap(Time.minutes(30))
    ProcessingTimeSessionWindows(1800000 ms)
    """

    _event_time = False

    @staticmethod
    def with_gap(size: Length) -> ProcessingTimeSessionWindows:
        """Sessions with this gap."""
        return ProcessingTimeSessionWindows(size)

    @staticmethod
    def with_dynamic_gap(extractor: SessionWindowTimeGapExtractor | Callable[[Any], int]) -> DynamicProcessingTimeSessionWindows:
        """Sessions with a gap for each element, which ``extractor`` tells."""
        return DynamicProcessingTimeSessionWindows(extractor)


class GlobalWindows(WindowAssigner[Any, GlobalWindow]):
    """All elements of a key in one window, which never ends: it fires when a trigger says so.

    >>> GlobalWindows.create()
    GlobalWindows()
    """

    def __init__(self, default_trigger: Trigger[Any, Any] | None = None) -> None:
        self._default_trigger = default_trigger

    @staticmethod
    def create() -> GlobalWindows:
        """The window; unless another trigger is set, it never fires."""
        return GlobalWindows()

    @staticmethod
    def create_with_end_of_stream_trigger() -> GlobalWindows:
        """The window; unless another trigger is set, it fires when the input ends. PyFlink has it not; it is that of Flink's Java API."""
        return GlobalWindows(EndOfStreamTrigger())

    def assign_windows(self, element: Any, timestamp: int, context: WindowAssigner.WindowAssignerContext) -> list[GlobalWindow]:
        """The one window."""
        return _GLOBAL_WINDOW

    def get_default_trigger(self, env: Any = None) -> Trigger[Any, GlobalWindow]:
        """Never fires."""
        return self._default_trigger or NeverTrigger()

    def get_window_serializer(self) -> GlobalWindowSerializer:
        """The form of its window as bytes."""
        return GlobalWindowSerializer()

    def is_event_time(self) -> bool:
        return False


_GLOBAL_WINDOW = [GlobalWindow()]


class _CountWindows(WindowAssigner[Any, CountWindow]):
    _window_size: int

    def is_event_time(self) -> bool:
        return False

    def get_default_trigger(self, env: Any = None) -> Trigger[Any, CountWindow]:
        """Fires when a window is full."""
        return CountTrigger(self._window_size)

    def get_window_serializer(self) -> CountWindowSerializer:
        """The form of its windows as bytes."""
        return CountWindowSerializer()

    def _count(self, context: WindowAssigner.WindowAssignerContext, descriptor: ValueStateDescriptor) -> int:
        """How many elements of the key came before."""
        state = context.get_runtime_context().get_state(descriptor)
        count: int = state.value() or 0
        state.update(count + 1)
        return count


class CountTumblingWindowAssigner(_CountWindows):
    """Windows of so many elements of a key.

    >>> CountTumblingWindowAssigner.of(10)
    CountTumblingWindowAssigner(10)
    """

    def __init__(self, window_size: int) -> None:
        self._window_size = _positive_count(window_size, "window_size")
        self._count_descriptor = ValueStateDescriptor("tumble-count-assigner", Types.LONG())

    @staticmethod
    def of(window_size: int) -> CountTumblingWindowAssigner:
        """Windows of ``window_size`` elements. Raises ``ValueError`` unless it is positive."""
        return CountTumblingWindowAssigner(window_size)

    def assign_windows(self, element: Any, timestamp: int, context: WindowAssigner.WindowAssignerContext) -> list[CountWindow]:
        """The window that is being filled."""
        return [CountWindow(self._count(context, self._count_descriptor) // self._window_size)]

    def _shape(self) -> WindowShape:
        return WindowShape("COUNT_WINDOW", self._window_size, is_event_time=False)


class CountSlidingWindowAssigner(_CountWindows):
    """The last so many elements of a key, looked at every so many elements.

    >>> CountSlidingWindowAssigner.of(10, 5)
    CountSlidingWindowAssigner(10, every 5)
    """

    def __init__(self, window_size: int, window_slide: int) -> None:
        self._window_size = _positive_count(window_size, "window_size")
        self._window_slide = _positive_count(window_slide, "window_slide")
        self._count_descriptor = ValueStateDescriptor("slide-count-assigner", Types.LONG())

    @staticmethod
    def of(window_size: int, window_slide: int) -> CountSlidingWindowAssigner:
        """Windows of the last ``window_size`` elements, one every ``window_slide`` elements."""
        return CountSlidingWindowAssigner(window_size, window_slide)

    def assign_windows(self, element: Any, timestamp: int, context: WindowAssigner.WindowAssignerContext) -> list[CountWindow]:
        """The windows that are being filled, the latest first."""
        count = self._count(context, self._count_descriptor)
        last = count // self._window_slide
        first = max(0, (count - self._window_size) // self._window_slide + 1)
        return [CountWindow(number) for number in range(last, first - 1, -1)]

    def _shape(self) -> WindowShape:
        return WindowShape("SLIDING_COUNT", self._window_size, self._window_slide, is_event_time=False)


def make_time_window(start: int | None, end: int | None) -> Window:
    """What a window function sees as its window."""
    return CountWindow(0) if start is None or end is None else TimeWindow(start, end)


def _positive(length: Length, what: str, assigner: WindowAssigner[Any, Any] | Function) -> int:
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


guard(globals(), hot=("TimeWindow", "CountWindow", "GlobalWindow", "GlobalWindows"))
