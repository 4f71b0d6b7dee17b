"""Joins of two keyed streams by time: a value meets those of its key on the other stream whose timestamps lie within bounds around its own.

Flink's Java API in snake case; PyFlink has no interval join. Outer joins are those of Flink's SQL: a value that met nobody comes out alone, once the
watermark says that nobody can come any more.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.time import Duration, Time, milliseconds_of
from millstream.common.typeinfo import TypeInformation, Types, type_of
from millstream.datastream.checkpointed_function import refuse_checkpointed
from millstream.datastream.co_functions import KeyedCoProcessFunction, ProcessJoinFunction
from millstream.datastream.connected_streams import ConnectedStreams, Opened
from millstream.datastream.data_stream import DataStream
from millstream.datastream.keyed_stream import KeyedStream
from millstream.datastream.output_tag import OutputTag
from millstream.datastream.state import MapState, MapStateDescriptor
from millstream.exceptions import EventTimeError, PlanError, UnsupportedError

__all__ = ["IntervalJoin", "IntervalJoined"]

IN1 = TypeVar("IN1")
IN2 = TypeVar("IN2")

Length = Time | Duration | timedelta | int
_TIMER_MAX = (1 << 63) - 1


class IntervalJoin(Generic[IN1, IN2]):
    """Two keyed streams that are about to be joined. :meth:`KeyedStream.interval_join` makes it.

    >>> from millstream.common import Types, WatermarkStrategy
    >>> from millstream.common.watermark_strategy import TimestampAssigner
    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> from millstream.datastream.functions import ProcessJoinFunction
    >>> class Time(TimestampAssigner):
    ...     def extract_timestamp(self, value, record_timestamp):
    ...         return value[1]
    >>> class Pair(ProcessJoinFunction):
    ...     def process_element(self, left, right, ctx):
    ...         yield left[0], left[1], right[1], ctx.get_timestamp()
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Time())
    >>> clicks = env.from_collection([("a", 1000), ("a", 5000)]).assign_timestamps_and_watermarks(strategy)
    >>> views = env.from_collection([("a", 900), ("a", 3000), ("b", 1000)]).assign_timestamps_and_watermarks(strategy)
    >>> joined = clicks.key_by(lambda c: c[0]).interval_join(views.key_by(lambda v: v[0])).between(-2000, 0).process(Pair())
    >>> sorted(joined.execute_and_collect())
    [('a', 1000, 900, 1000), ('a', 5000, 3000, 5000)]
    """

    def __init__(self, stream_one: KeyedStream, stream_two: KeyedStream) -> None:
        if not isinstance(stream_two, KeyedStream):
            raise TypeError(f"interval_join takes another keyed stream, not {stream_two!r}")
        self._streams = ConnectedStreams(stream_one, stream_two)
        self._is_event_time = True

    def in_event_time(self) -> IntervalJoin[IN1, IN2]:
        """Timestamps decide; the default."""
        self._is_event_time = True
        return self

    def in_processing_time(self) -> IntervalJoin[IN1, IN2]:
        """As in Flink, there is no such join: :meth:`between` then raises ``UnsupportedError``."""
        self._is_event_time = False
        return self

    def between(self, lower_bound: Length, upper_bound: Length) -> IntervalJoined[IN1, IN2]:
        """A left value meets right ones with ``left + lower_bound <= right <= left + upper_bound``, by their timestamps.

        Bounds are ``Time``, ``Duration``, ``timedelta`` or milliseconds, and may be negative. Raises ``ValueError`` if the lower is above the upper.
        """
        if not self._is_event_time:
            raise UnsupportedError("interval joins go by event time")
        return IntervalJoined(self._streams, milliseconds_of(lower_bound, "between"), milliseconds_of(upper_bound, "between"))


class IntervalJoined(Generic[IN1, IN2]):
    """An interval join with its bounds."""

    def __init__(self, streams: ConnectedStreams, lower_bound: int, upper_bound: int) -> None:
        if lower_bound > upper_bound:
            raise ValueError(f"between: the lower bound {lower_bound} ms is above the upper bound {upper_bound} ms")
        self._streams = streams
        self._lower = lower_bound
        self._upper = upper_bound
        self._lower_exclusive = False
        self._upper_exclusive = False
        self._left_late: OutputTag | None = None
        self._right_late: OutputTag | None = None
        self._is_left_outer = False
        self._is_right_outer = False
        self._condition: Callable[[IN1, IN2], Any] | None = None

    def left_outer(self) -> IntervalJoined[IN1, IN2]:
        """A left value that meets nobody comes out as well: the function is called with ``None`` instead of the right value.

        That happens as soon as the watermark has reached the value's timestamp plus the upper bound, or when the input ends.
        ``ctx.get_right_timestamp()`` is ``None`` then. The results have that time, or the value's own timestamp where it is later, so that they are
        not late behind the join. With :meth:`right_outer` it is a full outer join. As in Flink's SQL, late values of either side take part in an
        outer join where that is still possible: they meet who is still kept, and are kept if somebody can still come; only with a side output for
        late values do they go there. A late value that nobody can meet any more comes out at once, with its own timestamp.

        >>> from millstream.common import Types, WatermarkStrategy
        >>> from millstream.common.watermark_strategy import TimestampAssigner
        >>> from millstream.datastream import StreamExecutionEnvironment
        >>> from millstream.datastream.functions import ProcessJoinFunction
        >>> class Time(TimestampAssigner):
        ...     def extract_timestamp(self, value, record_timestamp):
        ...         return value[1]
        >>> class Paid(ProcessJoinFunction):
        ...     def process_element(self, order, payment, ctx):
        ...         yield order[0], payment is not None
        >>> env = StreamExecutionEnvironment.get_execution_environment()
        >>> strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Time())
        >>> orders = env.from_collection([("a", 1000), ("b", 5000)]).assign_timestamps_and_watermarks(strategy)
        >>> payments = env.from_collection([("a", 2500)]).assign_timestamps_and_watermarks(strategy)
        >>> joined = orders.key_by(lambda o: o[0]).interval_join(payments.key_by(lambda p: p[0])).between(0, 2000).left_outer().process(Paid())
        >>> sorted(joined.execute_and_collect())
        [('a', True), ('b', False)]
        """
        self._is_left_outer = True
        return self

    def right_outer(self) -> IntervalJoined[IN1, IN2]:
        """A right value that meets nobody comes out as well, with ``None`` instead of the left value; otherwise as :meth:`left_outer`."""
        self._is_right_outer = True
        return self

    def full_outer(self) -> IntervalJoined[IN1, IN2]:
        """Both :meth:`left_outer` and :meth:`right_outer`."""
        return self.left_outer().right_outer()

    def condition(self, condition: Callable[[IN1, IN2], Any]) -> IntervalJoined[IN1, IN2]:
        """Pairs for which ``condition(left, right)`` is false are none: the function does not see them; for an outer join the two have not met."""
        if not callable(condition):
            raise TypeError(f"condition takes a function of a left and a right value, not {condition!r}")
        self._condition = condition
        return self

    def lower_bound_exclusive(self) -> IntervalJoined[IN1, IN2]:
        """``left + lower_bound`` itself is too early."""
        self._lower_exclusive = True
        return self

    def upper_bound_exclusive(self) -> IntervalJoined[IN1, IN2]:
        """``left + upper_bound`` itself is too late."""
        self._upper_exclusive = True
        return self

    def side_output_left_late_data(self, output_tag: OutputTag) -> IntervalJoined[IN1, IN2]:
        """Sends late values of the left stream to a side output of the join, instead of dropping them."""
        self._left_late = _tag(output_tag, self._streams.stream1)
        return self

    def side_output_right_late_data(self, output_tag: OutputTag) -> IntervalJoined[IN1, IN2]:
        """Sends late values of the right stream to a side output of the join, instead of dropping them."""
        self._right_late = _tag(output_tag, self._streams.stream2)
        return self

    def process(
        self, process_join_function: ProcessJoinFunction[IN1, IN2, Any], output_type: TypeInformation | list[Any] | str | None = None
    ) -> DataStream:
        """Results of each pair, with the later one of the two timestamps.

        A value that is behind the watermark when it comes is late and meets nobody (but see :meth:`left_outer`). A value is kept until the watermark
        says that nobody can come who would meet it. A value without a timestamp fails the job with ``EventTimeError``. Raises ``TypeError`` unless
        the function is a :class:`ProcessJoinFunction`.
        """
        refuse_checkpointed(process_join_function, "interval_join")
        if not isinstance(process_join_function, ProcessJoinFunction):
            raise TypeError(f"an interval join takes a ProcessJoinFunction, not {process_join_function!r}")
        lower, upper = self._lower + self._lower_exclusive, self._upper - self._upper_exclusive
        if lower > upper:
            raise ValueError(f"between: no timestamp lies between the bounds {self._lower} ms and {self._upper} ms, which are exclusive")
        bounds = _Bounds(lower, upper, self._left_late, self._right_late, self._condition)
        function: _IntervalJoinFunction
        if self._is_left_outer or self._is_right_outer:
            function = _OuterIntervalJoinFunction(process_join_function, bounds, self._is_left_outer, self._is_right_outer)
        else:
            function = _IntervalJoinFunction(process_join_function, bounds)
        return self._streams._add("Interval Join", function, _methods, type_of(output_type, "output_type of process"), process_join_function)


def _tag(tag: Any, stream: DataStream) -> OutputTag:
    if not isinstance(tag, OutputTag):
        raise TypeError(f"an OutputTag is needed, not {tag!r}")
    if tag.type_info.schema() != stream.get_type().schema():
        raise PlanError(f"late values are {stream.get_type()!r}, but the tag {tag.tag_id!r} has {tag.type_info!r}")
    return tag


def _methods(instance: Any, native: _native.Context, opened: Opened) -> tuple[Any, ...]:
    return instance.process_element1, instance.process_element2, instance.on_timer


class _Bounds(NamedTuple):
    """Who meets whom, and what becomes of late values."""

    #: The milliseconds, inclusive, by which a right value may be later than a left one that it meets.
    lower: int
    upper: int
    left_late: OutputTag | None = None
    right_late: OutputTag | None = None
    condition: Callable[[Any, Any], Any] | None = None


class _JoinContext(ProcessJoinFunction.Context):
    """The two timestamps of the pair in hand."""

    __slots__ = ("left", "right")

    left: int
    right: int

    def get_left_timestamp(self) -> int:
        return self.left

    def get_right_timestamp(self) -> int:
        return self.right

    def get_timestamp(self) -> int:
        return max(self.left, self.right)


class _IntervalJoinFunction(KeyedCoProcessFunction[Any, Any, Any, Any]):
    """What Flink's IntervalJoinOperator does: each side's values by timestamp, and timers that remove what nobody can meet any more."""

    _context: _JoinContext

    def __init__(self, function: ProcessJoinFunction[Any, Any, Any], bounds: _Bounds) -> None:
        self._function = function
        self._lower, self._upper, self._left_late, self._right_late, self._condition = bounds
        self._context = _JoinContext()

    def open(self, runtime_context: Any) -> None:
        self._left: MapState[int, list[Any]] = runtime_context.get_map_state(MapStateDescriptor("LEFT_BUFFER", Types.LONG()))
        self._right: MapState[int, list[Any]] = runtime_context.get_map_state(MapStateDescriptor("RIGHT_BUFFER", Types.LONG()))
        self._function.open(runtime_context)

    def close(self) -> None:
        self._function.close()

    def process_element1(self, value: Any, ctx: Any) -> Any:
        timestamp = self._begin(value, ctx, self._left, self._upper)
        if timestamp is None:
            return None if self._left_late is None else ((self._left_late, value),)
        process, context, condition = self._function.process_element, self._context, self._condition
        first, last = timestamp + self._lower, timestamp + self._upper
        for other, bucket in self._right.items():
            if first <= other <= last:
                for right in bucket:
                    if condition is None or condition(value, right):
                        context.left, context.right = timestamp, other
                        ctx.emit(process(value, right, context), max(timestamp, other))
        return None

    def process_element2(self, value: Any, ctx: Any) -> Any:
        timestamp = self._begin(value, ctx, self._right, -self._lower)
        if timestamp is None:
            return None if self._right_late is None else ((self._right_late, value),)
        process, context, condition = self._function.process_element, self._context, self._condition
        first, last = timestamp - self._upper, timestamp - self._lower
        for other, bucket in self._left.items():
            if first <= other <= last:
                for left in bucket:
                    if condition is None or condition(left, value):
                        context.left, context.right = other, timestamp
                        ctx.emit(process(left, value, context), max(timestamp, other))
        return None

    def on_timer(self, timestamp: int, ctx: Any) -> None:
        # One timer may stand for both sides; a side that has nothing there loses nothing.
        self._left.remove(timestamp - max(self._upper, 0))
        self._right.remove(timestamp + min(self._lower, 0))

    def _begin(self, value: Any, ctx: Any, buffer: MapState[int, list[Any]], reach: int) -> int | None:
        """Keeps a value until the watermark has passed its timestamp by ``reach``; gives the timestamp, or None for a late value."""
        timestamp = _timestamp_of(value, ctx)
        if timestamp < ctx.current_watermark():
            return None
        bucket = buffer.get(timestamp)
        if bucket is None:
            bucket = []
        bucket.append(value)
        buffer.put(timestamp, bucket)
        ctx.register_event_time_timer(min(timestamp + max(reach, 0), _TIMER_MAX))
        return timestamp


class _OuterContext(_JoinContext):
    """The timestamps of a pair, or of a value that met nobody."""

    __slots__ = ("of_results",)

    left: int | None  # type: ignore[assignment]
    right: int | None  # type: ignore[assignment]
    of_results: int

    def get_timestamp(self) -> int:
        return self.of_results


#: A value that is kept, and whether it has met somebody.
_Entry = list[Any]


class _OuterIntervalJoinFunction(_IntervalJoinFunction):
    """What the TimeIntervalJoin of Flink's SQL does, without its slack: who met nobody leaves as soon as nobody can come any more.

    A value is kept while the watermark is before the last timestamp that a partner of its may have; a timer at that time makes it leave.
    Timestamps near the end of 64 bits leave with the last timer there is.
    """

    _context: _OuterContext

    def __init__(self, function: ProcessJoinFunction[Any, Any, Any], bounds: _Bounds, is_left_outer: bool, is_right_outer: bool) -> None:
        super().__init__(function, bounds)
        self._is_left_outer = is_left_outer
        self._is_right_outer = is_right_outer
        self._context = _OuterContext()

    def process_element1(self, value: Any, ctx: Any) -> Any:
        timestamp, watermark = _timestamp_of(value, ctx), ctx.current_watermark()
        if self._left_late is not None and timestamp < watermark:
            return ((self._left_late, value),)
        process, context, condition = self._function.process_element, self._context, self._condition
        first, last = timestamp + self._lower, timestamp + self._upper
        context.left, has_met = timestamp, False
        for other, bucket in self._right.items():
            if first <= other <= last:
                is_changed = False
                for entry in bucket:
                    if condition is None or condition(value, entry[0]):
                        has_met = True
                        if not entry[1]:
                            entry[1] = is_changed = True
                        context.right, context.of_results = other, max(timestamp, other)
                        ctx.emit(process(value, entry[0], context), context.of_results)
                if is_changed:
                    self._right.put(other, bucket)
        if last > watermark:
            _keep(self._left, timestamp, [value, has_met], last, ctx)
        elif self._is_left_outer and not has_met:
            self._emit_left(value, timestamp, timestamp, ctx)
        return None

    def process_element2(self, value: Any, ctx: Any) -> Any:
        timestamp, watermark = _timestamp_of(value, ctx), ctx.current_watermark()
        if self._right_late is not None and timestamp < watermark:
            return ((self._right_late, value),)
        process, context, condition = self._function.process_element, self._context, self._condition
        first, last = timestamp - self._upper, timestamp - self._lower
        context.right, has_met = timestamp, False
        for other, bucket in self._left.items():
            if first <= other <= last:
                is_changed = False
                for entry in bucket:
                    if condition is None or condition(entry[0], value):
                        has_met = True
                        if not entry[1]:
                            entry[1] = is_changed = True
                        context.left, context.of_results = other, max(timestamp, other)
                        ctx.emit(process(entry[0], value, context), context.of_results)
                if is_changed:
                    self._left.put(other, bucket)
        if last > watermark:
            _keep(self._right, timestamp, [value, has_met], last, ctx)
        elif self._is_right_outer and not has_met:
            self._emit_right(value, timestamp, timestamp, ctx)
        return None

    def on_timer(self, timestamp: int, ctx: Any) -> None:
        # One timer may stand for values of both sides.
        for value, time in _leaving(self._left, timestamp - self._upper, timestamp, self._is_left_outer):
            self._emit_left(value, time, max(time, timestamp), ctx)
        for value, time in _leaving(self._right, timestamp + self._lower, timestamp, self._is_right_outer):
            self._emit_right(value, time, max(time, timestamp), ctx)

    def _emit_left(self, value: Any, timestamp: int, of_results: int, ctx: Any) -> None:
        context = self._context
        context.left, context.right, context.of_results = timestamp, None, of_results
        ctx.emit(self._function.process_element(value, None, context), of_results)

    def _emit_right(self, value: Any, timestamp: int, of_results: int, ctx: Any) -> None:
        context = self._context
        context.left, context.right, context.of_results = None, timestamp, of_results
        ctx.emit(self._function.process_element(None, value, context), of_results)


def _keep(buffer: MapState[int, list[_Entry]], timestamp: int, entry: _Entry, leaves_at: int, ctx: Any) -> None:
    bucket = buffer.get(timestamp)
    if bucket is None:
        bucket = []
    bucket.append(entry)
    buffer.put(timestamp, bucket)
    ctx.register_event_time_timer(min(leaves_at, _TIMER_MAX))


def _leaving(buffer: MapState[int, list[_Entry]], timestamp: int, timer: int, is_outer: bool) -> list[tuple[Any, int]]:
    """Removes the values of a timestamp, with the last timer all that are left; gives those that met nobody, with their timestamps."""
    times = sorted(buffer.keys()) if timer == _TIMER_MAX else (timestamp,)
    alone: list[tuple[Any, int]] = []
    for time in times:
        if is_outer:
            alone += [(value, time) for value, has_met in buffer.get(time) or () if not has_met]
        buffer.remove(time)
    return alone


def _timestamp_of(value: Any, ctx: Any) -> int:
    timestamp: int | None = ctx.timestamp()
    if timestamp is None:
        _refuse(value)
    return timestamp


def _refuse(value: Any) -> NoReturn:
    raise EventTimeError(f"an interval join needs timestamps, and {value!r} has none; use assign_timestamps_and_watermarks before it")


guard(globals())
