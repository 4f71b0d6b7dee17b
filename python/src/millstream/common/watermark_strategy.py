"""How a stream learns its event time."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from millstream._tracebacks import guard
from millstream.common.time import Duration, Time, milliseconds_of
from millstream.notices import without_jvm

if TYPE_CHECKING:
    from millstream.datastream.output_tag import OutputTag

__all__ = ["AssignerWithPeriodicWatermarksWrapper", "TimestampAssigner", "WatermarkGenerator", "WatermarkStrategy"]


class TimestampAssigner(ABC):
    """Tells each record's event time.

    >>> class Second(TimestampAssigner):
    ...     def extract_timestamp(self, value, record_timestamp):
    ...         return value[1]
    >>> Second().extract_timestamp(("ann", 1_000), -1)
    1000
    """

    @abstractmethod
    def extract_timestamp(self, value: Any, record_timestamp: int) -> int:
        """The event time of ``value`` in milliseconds since 1970-01-01 UTC.

        ``record_timestamp`` is the timestamp that the record already has, or the smallest 64-bit integer if it has none.
        """


class WatermarkGenerator(ABC):
    """Makes watermarks by rules of its own. Each subtask has one. Millstream's own: in PyFlink only Java can do this.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> class Behind(WatermarkGenerator):
    ...     latest = None
    ...     def on_event(self, timestamp):
    ...         self.latest = timestamp
    ...     def on_periodic_emit(self):
    ...         return None if self.latest is None else self.latest - 1_000
    >>> strategy = WatermarkStrategy.for_generator(Behind).with_timestamp_assigner(lambda value, timestamp: value)
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> list(env.from_collection([1_000, 5_000]).assign_timestamps_and_watermarks(strategy).execute_and_collect())
    [1000, 5000]
    """

    @abstractmethod
    def on_event(self, timestamp: int) -> None:
        """A record with this timestamp (milliseconds) has come."""

    @abstractmethod
    def on_periodic_emit(self) -> int | None:
        """The watermark now, in milliseconds, or ``None`` for none. One that is not later than the last is left out."""


class AssignerWithPeriodicWatermarksWrapper:
    """Keeps a Java object that assigns timestamps and watermarks, as older connectors take it. There is no JVM here: a strategy takes its place.

    Said once in the log.

    >>> wrapper = AssignerWithPeriodicWatermarksWrapper(None)
    """

    def __init__(self, j_assigner_with_periodic_watermarks: Any) -> None:
        without_jvm("AssignerWithPeriodicWatermarksWrapper")
        self._j_assigner_with_periodic_watermarks = j_assigner_with_periodic_watermarks


class WatermarkStrategy:
    """Where timestamps come from, and how watermarks follow them.

    A watermark with time ``t`` says: no record with a timestamp up to ``t`` comes any more. A strategy does not change: each ``with_`` method
    gives a new one.

    >>> strategy = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_seconds(5))
    >>> strategy.with_timestamp_column("event_time").with_idleness(Duration.of_minutes(1))
    <WatermarkStrategy bounded out-of-orderness 5000 ms, timestamps from 'event_time', idle after 60000 ms>
    """

    def __init__(self) -> None:
        # None: no watermarks at all.
        self._out_of_orderness: int | None = None
        self._timestamp_assigner: TimestampAssigner | Callable[[Any, int], int] | None = None
        self._timestamp_column: str | int | None = None
        self._generator: Callable[[], WatermarkGenerator] | None = None
        self._idle_timeout: int | None = None
        self._max_future_drift: int | None = None
        self._future_output_tag: OutputTag | None = None
        self._alignment: tuple[str, int, int] | None = None

    @staticmethod
    def for_monotonous_timestamps() -> WatermarkStrategy:
        """For timestamps that never descend: the watermark is the largest timestamp so far, minus 1 ms."""
        strategy = WatermarkStrategy()
        strategy._out_of_orderness = 0
        return strategy

    @staticmethod
    def for_bounded_out_of_orderness(max_out_of_orderness: Duration | Time | timedelta | int) -> WatermarkStrategy:
        """For records that come at most so much out of order: the watermark is the largest timestamp so far, minus the bound, minus 1 ms.

        Raises ``ValueError`` for a negative bound.
        """
        bound = milliseconds_of(max_out_of_orderness, "max_out_of_orderness")
        if bound < 0:
            raise ValueError(f"the bound on out-of-orderness must not be negative, but is {bound} ms")
        strategy = WatermarkStrategy()
        strategy._out_of_orderness = bound
        return strategy

    @staticmethod
    def no_watermarks() -> WatermarkStrategy:
        """For processing time: timestamps may be assigned, but time does not advance before the end of the input."""
        return WatermarkStrategy()

    @staticmethod
    def for_generator(make: Callable[[], WatermarkGenerator]) -> WatermarkStrategy:
        """Watermarks by a :class:`WatermarkGenerator`; ``make`` (often the class itself) is called once per subtask. Millstream's own."""
        if not callable(make):
            raise TypeError(f"a function or class that makes a WatermarkGenerator is needed, not {make!r}")
        strategy = WatermarkStrategy()
        strategy._generator = make
        return strategy

    def with_timestamp_assigner(self, timestamp_assigner: TimestampAssigner | Callable[[Any, int], int]) -> WatermarkStrategy:
        """Takes timestamps from a :class:`TimestampAssigner`, or from a function of the value and its old timestamp.

        Raises ``TypeError`` for anything else.
        """
        if not isinstance(timestamp_assigner, TimestampAssigner) and not callable(timestamp_assigner):
            raise TypeError(f"a TimestampAssigner or a function (value, old_timestamp) -> milliseconds is needed, not {timestamp_assigner!r}")
        strategy = copy.copy(self)
        strategy._timestamp_assigner = timestamp_assigner
        strategy._timestamp_column = None
        return strategy

    def with_timestamp_column(self, column: str | int) -> WatermarkStrategy:
        """Takes timestamps from a column, by name or position, without calling Python: BIGINT milliseconds, TIMESTAMP or TIMESTAMP_LTZ.

        This is Millstream's own; PyFlink has timestamp assigners only.
        """
        strategy = copy.copy(self)
        strategy._timestamp_column = column
        strategy._timestamp_assigner = None
        return strategy

    def with_idleness(self, idle_timeout: Duration | Time | timedelta | int) -> WatermarkStrategy:
        """An input without records for so long no longer holds the others' event time back.

        Raises ``ValueError`` unless the timeout is positive.
        """
        timeout = milliseconds_of(idle_timeout, "idle_timeout")
        if timeout <= 0:
            raise ValueError(f"the idle timeout must be positive, but is {timeout} ms")
        strategy = copy.copy(self)
        strategy._idle_timeout = timeout
        return strategy

    def with_max_future_drift(self, max_future_drift: Duration | Time | timedelta | int, output_tag: OutputTag | None = None) -> WatermarkStrategy:
        """Takes out records whose timestamp is ahead of the machine's clock by more than this: one such record would make all that follow late.

        They go to the side output of ``output_tag``, which must have the stream's type or none; without a tag they are dropped. Either way they
        are counted, as ``numFutureRecords``. A bound is off unless given; a minute is more than the clocks of a data centre differ. Millstream's own.

        Raises ``ValueError`` unless the bound is positive, and ``TypeError`` for what is no ``OutputTag``.

        >>> from millstream.common import Types
        >>> from millstream.datastream import OutputTag, StreamExecutionEnvironment
        >>> env = StreamExecutionEnvironment.get_execution_environment()
        >>> values = [(1_000, "good"), (9_999_999_999_999, "clock set wrong"), (2_000, "good")]
        >>> readings = env.from_collection(values, Types.TUPLE([Types.LONG(), Types.STRING()]))
        >>> ahead = OutputTag("ahead")
        >>> strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_column(0)
        >>> timed = readings.assign_timestamps_and_watermarks(strategy.with_max_future_drift(Duration.of_minutes(1), ahead))
        >>> list(timed.get_side_output(ahead).execute_and_collect())
        [(9999999999999, 'clock set wrong')]
        """
        from millstream.datastream.output_tag import OutputTag

        bound = milliseconds_of(max_future_drift, "max_future_drift")
        if bound <= 0:
            raise ValueError(f"the bound on future drift must be positive, but is {bound} ms")
        if output_tag is not None and not isinstance(output_tag, OutputTag):
            raise TypeError(f"an OutputTag is needed, not {output_tag!r}")
        strategy = copy.copy(self)
        strategy._max_future_drift = bound
        strategy._future_output_tag = output_tag
        return strategy

    def with_watermark_alignment(
        self,
        watermark_group: str,
        max_allowed_watermark_drift: Duration | Time | timedelta | int,
        update_interval: Duration | Time | timedelta | int | None = None,
    ) -> WatermarkStrategy:
        """Keeps the streams of a group within so much event time of each other: one that is further ahead waits, and its source with it.

        Windows and joins of several streams then need not keep what a faster one brought meanwhile. Streams that are idle (:meth:`with_idleness`) or
        have ended hold nobody back; one without a watermark yet holds back all others. The groups are those of a job. ``update_interval`` is only
        checked: whoever waits goes on as soon as the others have come up, and not at the next interval, which is 1 s in Flink unless it is given.

        Raises ``ValueError`` for a group without a name, a negative drift and an interval that is not positive.

        >>> strategy = WatermarkStrategy.for_monotonous_timestamps()
        >>> strategy.with_watermark_alignment("clicks", Duration.of_seconds(20))
        <WatermarkStrategy monotonous timestamps, at most 20000 ms ahead of the others of 'clicks'>
        """
        drift = milliseconds_of(max_allowed_watermark_drift, "max_allowed_watermark_drift")
        interval = 1_000 if update_interval is None else milliseconds_of(update_interval, "update_interval")
        if not isinstance(watermark_group, str) or not watermark_group:
            raise ValueError(f"a group of aligned streams needs a name, not {watermark_group!r}")
        if drift < 0:
            raise ValueError(f"max_allowed_watermark_drift must not be negative, but is {drift} ms")
        if interval <= 0:
            raise ValueError(f"update_interval must be positive, but is {interval} ms")
        strategy = copy.copy(self)
        strategy._alignment = (watermark_group, drift, interval)
        return strategy

    def __repr__(self) -> str:
        if self._generator is not None:
            parts = [f"watermarks by {getattr(self._generator, '__name__', 'a generator')}"]
        elif self._out_of_orderness is None:
            parts = ["no watermarks"]
        elif self._out_of_orderness == 0:
            parts = ["monotonous timestamps"]
        else:
            parts = [f"bounded out-of-orderness {self._out_of_orderness} ms"]
        if self._timestamp_column is not None:
            parts.append(f"timestamps from {self._timestamp_column!r}")
        elif self._timestamp_assigner is not None:
            name = getattr(self._timestamp_assigner, "__name__", type(self._timestamp_assigner).__name__)
            parts.append(f"timestamps by {name}")
        if self._idle_timeout is not None:
            parts.append(f"idle after {self._idle_timeout} ms")
        if self._alignment is not None:
            parts.append(f"at most {self._alignment[1]} ms ahead of the others of {self._alignment[0]!r}")
        if self._max_future_drift is not None:
            parts.append(f"at most {self._max_future_drift} ms ahead")
        return f"<WatermarkStrategy {', '.join(parts)}>"


guard(globals())
