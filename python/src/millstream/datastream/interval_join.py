"""Joins of two keyed streams by time: a value meets those of its key on the other stream whose timestamps lie within bounds around its own.

Flink's Java API in snake case; PyFlink has no interval join.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Generic, NoReturn, TypeVar

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.time import Duration, Time, milliseconds_of
from millstream.common.typeinfo import TypeInformation, Types, type_of
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

        A value that is behind the watermark when it comes is late and meets nobody. A value is kept until the watermark says that nobody can come who
        would meet it. A value without a timestamp fails the job with ``EventTimeError``. Raises ``TypeError`` unless the function is a
        :class:`ProcessJoinFunction`.
        """
        if not isinstance(process_join_function, ProcessJoinFunction):
            raise TypeError(f"an interval join takes a ProcessJoinFunction, not {process_join_function!r}")
        lower, upper = self._lower + self._lower_exclusive, self._upper - self._upper_exclusive
        if lower > upper:
            raise ValueError(f"between: no timestamp lies between the bounds {self._lower} ms and {self._upper} ms, which are exclusive")
        function = _IntervalJoinFunction(process_join_function, lower, upper, self._left_late, self._right_late)
        return self._streams._add("Interval Join", function, _methods, type_of(output_type, "output_type of process"), process_join_function)


def _tag(tag: Any, stream: DataStream) -> OutputTag:
    if not isinstance(tag, OutputTag):
        raise TypeError(f"an OutputTag is needed, not {tag!r}")
    if tag.type_info.schema() != stream.get_type().schema():
        raise PlanError(f"late values are {stream.get_type()!r}, but the tag {tag.tag_id!r} has {tag.type_info!r}")
    return tag


def _methods(instance: Any, native: _native.Context, opened: Opened) -> tuple[Any, ...]:
    return instance.process_element1, instance.process_element2, instance.on_timer


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

    def __init__(
        self, function: ProcessJoinFunction[Any, Any, Any], lower: int, upper: int, left_late: OutputTag | None, right_late: OutputTag | None
    ) -> None:
        self._function = function
        self._lower = lower
        self._upper = upper
        self._left_late = left_late
        self._right_late = right_late
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
        process, context = self._function.process_element, self._context
        first, last = timestamp + self._lower, timestamp + self._upper
        for other, bucket in self._right.items():
            if first <= other <= last:
                for right in bucket:
                    context.left, context.right = timestamp, other
                    ctx.emit(process(value, right, context), max(timestamp, other))
        return None

    def process_element2(self, value: Any, ctx: Any) -> Any:
        timestamp = self._begin(value, ctx, self._right, -self._lower)
        if timestamp is None:
            return None if self._right_late is None else ((self._right_late, value),)
        process, context = self._function.process_element, self._context
        first, last = timestamp - self._upper, timestamp - self._lower
        for other, bucket in self._left.items():
            if first <= other <= last:
                for left in bucket:
                    context.left, context.right = other, timestamp
                    ctx.emit(process(left, value, context), max(timestamp, other))
        return None

    def on_timer(self, timestamp: int, ctx: Any) -> None:
        # One timer may stand for both sides; a side that has nothing there loses nothing.
        self._left.remove(timestamp - max(self._upper, 0))
        self._right.remove(timestamp + min(self._lower, 0))

    def _begin(self, value: Any, ctx: Any, buffer: MapState[int, list[Any]], reach: int) -> int | None:
        """Keeps a value until the watermark has passed its timestamp by ``reach``; gives the timestamp, or None for a late value."""
        timestamp: int | None = ctx.timestamp()
        if timestamp is None:
            _refuse(value)
        if timestamp < ctx.current_watermark():
            return None
        bucket = buffer.get(timestamp)
        if bucket is None:
            bucket = []
        bucket.append(value)
        buffer.put(timestamp, bucket)
        ctx.register_event_time_timer(min(timestamp + max(reach, 0), _TIMER_MAX))
        return timestamp


def _refuse(value: Any) -> NoReturn:
    raise EventTimeError(f"an interval join needs timestamps, and {value!r} has none; use assign_timestamps_and_watermarks before it")


guard(globals())
