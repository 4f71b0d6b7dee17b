"""When windows fire.

A trigger looks at each element and timer of a window, and says whether the window gives its results. The names are those of
:mod:`millstream.datastream.window`, which is where to import them from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from millstream._tracebacks import guard_factories
from millstream.common.time import Duration, Time, milliseconds_of
from millstream.common.typeinfo import TypeInformation, Types
from millstream.datastream.functions import ReduceFunction
from millstream.datastream.state import ReducingStateDescriptor, StateDescriptor, ValueStateDescriptor

if TYPE_CHECKING:
    from datetime import timedelta

    from millstream.metrics import MetricGroup

__all__ = [
    "ContinuousEventTimeTrigger",
    "ContinuousProcessingTimeTrigger",
    "CountTrigger",
    "DeltaFunction",
    "DeltaTrigger",
    "EndOfStreamTrigger",
    "EventTimeTrigger",
    "NeverTrigger",
    "ProcessingTimeTrigger",
    "PurgingTrigger",
    "Trigger",
    "TriggerResult",
]

T = TypeVar("T")
W = TypeVar("W")

_MAX_TIMESTAMP = 2**63 - 1


class TriggerResult(Enum):
    """What is done with a window: FIRE gives its results, PURGE forgets its elements. A window without elements gives none.

    >>> TriggerResult.FIRE_AND_PURGE.is_fire(), TriggerResult.FIRE_AND_PURGE.is_purge()
    (True, True)
    """

    CONTINUE = (False, False)
    FIRE_AND_PURGE = (True, True)
    FIRE = (True, False)
    PURGE = (False, True)

    def is_fire(self) -> bool:
        """Whether the window gives its results."""
        return self.value[0]

    def is_purge(self) -> bool:
        """Whether the window's elements are forgotten."""
        return self.value[1]


class Trigger(ABC, Generic[T, W]):
    """Says when a window fires. One object serves all windows of a subtask: what it remembers is in the states that it asks its context for.

    >>> class EveryLarge(Trigger):
    ...     def on_element(self, element, timestamp, window, ctx):
    ...         return TriggerResult.FIRE if element > 100 else TriggerResult.CONTINUE
    ...     def on_event_time(self, time, window, ctx):
    ...         return TriggerResult.CONTINUE
    ...     def on_processing_time(self, time, window, ctx):
    ...         return TriggerResult.CONTINUE
    ...     def on_merge(self, window, ctx):
    ...         pass
    ...     def clear(self, window, ctx):
    ...         pass
    """

    class TriggerContext(ABC):
        """Time, timers and states of the key and window that a trigger is called for. Only valid during the call."""

        @abstractmethod
        def get_current_processing_time(self) -> int:
            """The clock's time in milliseconds."""

        @abstractmethod
        def get_metric_group(self) -> MetricGroup:
            """Where to make counters and gauges."""

        @abstractmethod
        def get_current_watermark(self) -> int:
            """Event time has come so far, in milliseconds."""

        @abstractmethod
        def register_processing_time_timer(self, time: int) -> None:
            """Has ``on_processing_time`` called for this window when the clock passes ``time``."""

        @abstractmethod
        def register_event_time_timer(self, time: int) -> None:
            """Has ``on_event_time`` called for this window when the watermark reaches ``time``."""

        @abstractmethod
        def delete_processing_time_timer(self, time: int) -> None:
            """Forgets a timer; does nothing if there is none."""

        @abstractmethod
        def delete_event_time_timer(self, time: int) -> None:
            """Forgets a timer; does nothing if there is none."""

        @abstractmethod
        def get_partitioned_state(self, state_descriptor: StateDescriptor) -> Any:
            """A state of this key and window."""

    class OnMergeContext(TriggerContext):
        """What is known besides the window that others were merged into."""

        @abstractmethod
        def merge_partitioned_state(self, state_descriptor: StateDescriptor) -> None:
            """Brings the states of the merged windows into that of the new one. Raises ``InvalidStateError`` for states that cannot be merged."""

    @abstractmethod
    def on_element(self, element: T, timestamp: int, window: W, ctx: Trigger.TriggerContext) -> TriggerResult:
        """Called for each element that has come into the window. ``timestamp`` is ``None`` if it has none."""

    @abstractmethod
    def on_processing_time(self, time: int, window: W, ctx: Trigger.TriggerContext) -> TriggerResult:
        """Called when a processing-time timer of the window is due."""

    @abstractmethod
    def on_event_time(self, time: int, window: W, ctx: Trigger.TriggerContext) -> TriggerResult:
        """Called when an event-time timer of the window is due."""

    def can_merge(self) -> bool:
        """Whether it knows what to do when windows become one: needed for session windows."""
        return False

    @abstractmethod
    def on_merge(self, window: W, ctx: Trigger.OnMergeContext) -> None:
        """Called when windows have become one, ``window``."""

    @abstractmethod
    def clear(self, window: W, ctx: Trigger.TriggerContext) -> None:
        """Called when the window is gone: the trigger forgets its states and timers for it."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class EventTimeTrigger(Trigger[Any, Any]):
    """Fires when the watermark passes the window's end, and for each late element that is allowed. The default of event-time windows.

    >>> EventTimeTrigger.create()
    EventTimeTrigger()
    """

    def on_element(self, element: Any, timestamp: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        end = window.max_timestamp()
        if end <= ctx.get_current_watermark():
            return TriggerResult.FIRE
        ctx.register_event_time_timer(end)
        return TriggerResult.CONTINUE

    def on_event_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        return TriggerResult.FIRE if time == window.max_timestamp() else TriggerResult.CONTINUE

    def on_processing_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        return TriggerResult.CONTINUE

    def can_merge(self) -> bool:
        return True

    def on_merge(self, window: Any, ctx: Trigger.OnMergeContext) -> None:
        end = window.max_timestamp()
        if end > ctx.get_current_watermark():
            ctx.register_event_time_timer(end)

    def clear(self, window: Any, ctx: Trigger.TriggerContext) -> None:
        ctx.delete_event_time_timer(window.max_timestamp())

    @staticmethod
    def create() -> EventTimeTrigger:
        """The trigger."""
        return EventTimeTrigger()


class ProcessingTimeTrigger(Trigger[Any, Any]):
    """Fires when the clock passes the window's end. The default of processing-time windows.

    >>> ProcessingTimeTrigger.create()
    ProcessingTimeTrigger()
    """

    def on_element(self, element: Any, timestamp: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        ctx.register_processing_time_timer(window.max_timestamp())
        return TriggerResult.CONTINUE

    def on_event_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        return TriggerResult.CONTINUE

    def on_processing_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        return TriggerResult.FIRE

    def can_merge(self) -> bool:
        return True

    def on_merge(self, window: Any, ctx: Trigger.OnMergeContext) -> None:
        end = window.max_timestamp()
        if end > ctx.get_current_processing_time():
            ctx.register_processing_time_timer(end)

    def clear(self, window: Any, ctx: Trigger.TriggerContext) -> None:
        ctx.delete_processing_time_timer(window.max_timestamp())

    @staticmethod
    def create() -> ProcessingTimeTrigger:
        """The trigger."""
        return ProcessingTimeTrigger()


class Min(ReduceFunction[Any]):
    """The smaller one.

    >>> Min().reduce(3, 5)
    3
    """

    def reduce(self, value1: Any, value2: Any) -> Any:
        return min(value1, value2)


class _ContinuousTrigger(Trigger[Any, Any]):
    """What the two that fire at regular times share: the next time is a state, and a timer."""

    def __init__(self, interval: int) -> None:
        if isinstance(interval, bool) or not isinstance(interval, int):
            raise TypeError(f"{type(self).__name__}: the interval is a number of milliseconds, not {interval!r}")
        if interval <= 0:
            raise ValueError(f"{type(self).__name__}: the interval must be positive, but is {interval} ms")
        self.interval = interval
        self.state_desc = ReducingStateDescriptor("fire-time", Min(), Types.LONG())

    def can_merge(self) -> bool:
        return True

    def _next_fire_time(self, time: int, window: Any, state: Any) -> int:
        fire_time = int(min(time + self.interval, window.max_timestamp()))
        state.add(fire_time)
        return fire_time

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.interval} ms)"


class ContinuousEventTimeTrigger(_ContinuousTrigger):
    """Fires each time the watermark passes a multiple of the interval, and at the window's end.

    >>> from millstream.common import Time
    >>> ContinuousEventTimeTrigger.of(Time.seconds(5))
    ContinuousEventTimeTrigger(5000 ms)
    """

    @staticmethod
    def of(interval: Time | Duration | timedelta | int) -> ContinuousEventTimeTrigger:
        """Fires every ``interval``. Raises ``ValueError`` unless it is positive."""
        return ContinuousEventTimeTrigger(milliseconds_of(interval, "ContinuousEventTimeTrigger's interval"))

    def on_element(self, element: Any, timestamp: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        end = window.max_timestamp()
        if end <= ctx.get_current_watermark():
            return TriggerResult.FIRE
        ctx.register_event_time_timer(end)
        state = ctx.get_partitioned_state(self.state_desc)
        if state.get() is None:
            self.register_next_fire_timestamp(timestamp - timestamp % self.interval, window, ctx, state)
        return TriggerResult.CONTINUE

    def on_event_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        if time == window.max_timestamp():
            return TriggerResult.FIRE
        state = ctx.get_partitioned_state(self.state_desc)
        if state.get() != time:
            return TriggerResult.CONTINUE
        state.clear()
        self.register_next_fire_timestamp(time, window, ctx, state)
        return TriggerResult.FIRE

    def on_processing_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        return TriggerResult.CONTINUE

    def on_merge(self, window: Any, ctx: Trigger.OnMergeContext) -> None:
        ctx.merge_partitioned_state(self.state_desc)
        next_time = ctx.get_partitioned_state(self.state_desc).get()
        if next_time is not None:
            ctx.register_event_time_timer(next_time)

    def clear(self, window: Any, ctx: Trigger.TriggerContext) -> None:
        state = ctx.get_partitioned_state(self.state_desc)
        next_time = state.get()
        if next_time is not None:
            ctx.delete_event_time_timer(next_time)
            state.clear()

    def register_next_fire_timestamp(self, time: int, window: Any, ctx: Trigger.TriggerContext, fire_timestamp_state: Any) -> None:
        """Sets the timer one interval after ``time``, or at the window's end."""
        ctx.register_event_time_timer(self._next_fire_time(time, window, fire_timestamp_state))


class ContinuousProcessingTimeTrigger(_ContinuousTrigger):
    """Fires each time the clock passes a multiple of the interval.

    >>> from millstream.common import Time
    >>> ContinuousProcessingTimeTrigger.of(Time.seconds(5))
    ContinuousProcessingTimeTrigger(5000 ms)
    """

    @staticmethod
    def of(interval: Time | Duration | timedelta | int) -> ContinuousProcessingTimeTrigger:
        """Fires every ``interval``. Raises ``ValueError`` unless it is positive."""
        return ContinuousProcessingTimeTrigger(milliseconds_of(interval, "ContinuousProcessingTimeTrigger's interval"))

    def on_element(self, element: Any, timestamp: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        state = ctx.get_partitioned_state(self.state_desc)
        if state.get() is None:
            now = ctx.get_current_processing_time()
            self.register_next_fire_timestamp(now - now % self.interval, window, ctx, state)
        return TriggerResult.CONTINUE

    def on_event_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        return TriggerResult.CONTINUE

    def on_processing_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        state = ctx.get_partitioned_state(self.state_desc)
        if state.get() != time:
            return TriggerResult.CONTINUE
        state.clear()
        self.register_next_fire_timestamp(time, window, ctx, state)
        return TriggerResult.FIRE

    def on_merge(self, window: Any, ctx: Trigger.OnMergeContext) -> None:
        ctx.merge_partitioned_state(self.state_desc)
        next_time = ctx.get_partitioned_state(self.state_desc).get()
        if next_time is not None:
            ctx.register_processing_time_timer(next_time)

    def clear(self, window: Any, ctx: Trigger.TriggerContext) -> None:
        state = ctx.get_partitioned_state(self.state_desc)
        next_time = state.get()
        if next_time is not None:
            ctx.delete_processing_time_timer(next_time)
            state.clear()

    def register_next_fire_timestamp(self, time: int, window: Any, ctx: Trigger.TriggerContext, fire_timestamp_state: Any) -> None:
        """Sets the timer one interval after ``time``, or at the window's end."""
        ctx.register_processing_time_timer(self._next_fire_time(time, window, fire_timestamp_state))


class PurgingTrigger(Trigger[Any, Any]):
    """Another trigger, after whose firing the window's elements are forgotten.

    >>> PurgingTrigger.of(CountTrigger.of(3))
    PurgingTrigger(CountTrigger(3))
    """

    def __init__(self, nested_trigger: Trigger[Any, Any]) -> None:
        if not isinstance(nested_trigger, Trigger):
            raise TypeError(f"PurgingTrigger takes a Trigger, not {nested_trigger!r}")
        self.nested_trigger = nested_trigger

    @staticmethod
    def of(nested_trigger: Trigger[Any, Any]) -> PurgingTrigger:
        """The other trigger, purging."""
        return PurgingTrigger(nested_trigger)

    def on_element(self, element: Any, timestamp: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        return _purging(self.nested_trigger.on_element(element, timestamp, window, ctx))

    def on_event_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        return _purging(self.nested_trigger.on_event_time(time, window, ctx))

    def on_processing_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        return _purging(self.nested_trigger.on_processing_time(time, window, ctx))

    def can_merge(self) -> bool:
        return self.nested_trigger.can_merge()

    def on_merge(self, window: Any, ctx: Trigger.OnMergeContext) -> None:
        self.nested_trigger.on_merge(window, ctx)

    def clear(self, window: Any, ctx: Trigger.TriggerContext) -> None:
        self.nested_trigger.clear(window, ctx)

    def __repr__(self) -> str:
        return f"PurgingTrigger({self.nested_trigger!r})"


def _purging(result: TriggerResult) -> TriggerResult:
    return TriggerResult.FIRE_AND_PURGE if result is TriggerResult.FIRE else result


def _sum(value1: int, value2: int) -> int:
    return value1 + value2


class CountTrigger(Trigger[Any, Any]):
    """Fires at every so many elements of a window.

    >>> CountTrigger.of(100)
    CountTrigger(100)
    """

    def __init__(self, window_size: int) -> None:
        if isinstance(window_size, bool) or not isinstance(window_size, int):
            raise TypeError(f"CountTrigger takes a number of elements, not {window_size!r}")
        self._window_size = window_size
        self._count_state_descriptor = ReducingStateDescriptor("count", _sum, Types.LONG())

    @staticmethod
    def of(window_size: int) -> CountTrigger:
        """Fires at every ``window_size``-th element."""
        return CountTrigger(window_size)

    def on_element(self, element: Any, timestamp: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        state = ctx.get_partitioned_state(self._count_state_descriptor)
        state.add(1)
        if state.get() < self._window_size:
            return TriggerResult.CONTINUE
        state.clear()
        return TriggerResult.FIRE

    def on_event_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        return TriggerResult.CONTINUE

    def on_processing_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        return TriggerResult.CONTINUE

    def can_merge(self) -> bool:
        return True

    def on_merge(self, window: Any, ctx: Trigger.OnMergeContext) -> None:
        ctx.merge_partitioned_state(self._count_state_descriptor)

    def clear(self, window: Any, ctx: Trigger.TriggerContext) -> None:
        ctx.get_partitioned_state(self._count_state_descriptor).clear()

    def __repr__(self) -> str:
        return f"CountTrigger({self._window_size})"


class DeltaFunction(ABC, Generic[T]):
    """How far two elements are apart. A plain function of two elements will do too.

    >>> class Distance(DeltaFunction):
    ...     def get_delta(self, old_data_point, new_data_point):
    ...         return abs(new_data_point - old_data_point)
    >>> Distance().get_delta(3, 10)
    7
    """

    @abstractmethod
    def get_delta(self, old_data_point: T, new_data_point: T) -> float:
        """The distance."""


def delta_of(delta_function: Any, what: str) -> Callable[[Any, Any], float]:
    """The function of two elements. Raises ``TypeError`` if there is none."""
    if isinstance(delta_function, DeltaFunction):
        return delta_function.get_delta
    if callable(delta_function):
        return delta_function  # type: ignore[no-any-return]
    raise TypeError(f"{what} takes a DeltaFunction or a function of two elements, not {delta_function!r}")


def reaches(delta: Any, threshold: float, what: str, beyond: bool = False) -> bool:
    """Whether a distance is at least the threshold, or beyond it. Raises ``TypeError`` for one that is no number."""
    try:
        return bool(delta > threshold if beyond else delta >= threshold)
    except TypeError:
        raise TypeError(f"{what}: the delta function gave {delta!r}; a number was expected") from None


class DeltaTrigger(Trigger[Any, Any]):
    """Fires at an element that is further than a threshold from the one at which it fired last; the first one of a window does not fire.

    PyFlink has it not; it is that of Flink's Java API.

    >>> from millstream.common import Types
    >>> DeltaTrigger.of(5.0, lambda old, new: abs(new - old), Types.DOUBLE())
    DeltaTrigger(5.0)
    """

    def __init__(self, threshold: float, delta_function: Any, state_type: TypeInformation | None = None) -> None:
        delta_of(delta_function, "DeltaTrigger")
        self._threshold = threshold
        self._delta_function = delta_function
        self._state_descriptor = ValueStateDescriptor("last-element", state_type)

    @staticmethod
    def of(threshold: float, delta_function: Any, state_type: TypeInformation | None = None) -> DeltaTrigger:
        """Fires when ``delta_function(last, element) > threshold``. ``state_type`` is the elements' type."""
        return DeltaTrigger(threshold, delta_function, state_type)

    def on_element(self, element: Any, timestamp: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        state = ctx.get_partitioned_state(self._state_descriptor)
        last = state.value()
        if last is None:
            state.update(element)
            return TriggerResult.CONTINUE
        if reaches(delta_of(self._delta_function, "DeltaTrigger")(last, element), self._threshold, "DeltaTrigger", beyond=True):
            state.update(element)
            return TriggerResult.FIRE
        return TriggerResult.CONTINUE

    def on_event_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        return TriggerResult.CONTINUE

    def on_processing_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        return TriggerResult.CONTINUE

    def on_merge(self, window: Any, ctx: Trigger.OnMergeContext) -> None:
        raise NotImplementedError("a DeltaTrigger cannot be used with windows that merge")

    def clear(self, window: Any, ctx: Trigger.TriggerContext) -> None:
        ctx.get_partitioned_state(self._state_descriptor).clear()

    def __repr__(self) -> str:
        return f"DeltaTrigger({self._threshold})"


class NeverTrigger(Trigger[Any, Any]):
    """Never fires. The default of :class:`~millstream.datastream.window.GlobalWindows`.

    >>> from millstream.datastream.window import GlobalWindows
    >>> GlobalWindows.create().get_default_trigger(None)
    NeverTrigger()
    """

    def on_element(self, element: Any, timestamp: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        return TriggerResult.CONTINUE

    def on_event_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        return TriggerResult.CONTINUE

    def on_processing_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        return TriggerResult.CONTINUE

    def on_merge(self, window: Any, ctx: Trigger.OnMergeContext) -> None:
        pass

    def clear(self, window: Any, ctx: Trigger.TriggerContext) -> None:
        pass


class EndOfStreamTrigger(NeverTrigger):
    """Fires once, when the input ends: for bounded streams. PyFlink has it not; it is that of Flink's Java API.

    >>> from millstream.datastream.window import GlobalWindows
    >>> GlobalWindows.create_with_end_of_stream_trigger().get_default_trigger(None)
    EndOfStreamTrigger()
    """

    def on_element(self, element: Any, timestamp: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        ctx.register_event_time_timer(_MAX_TIMESTAMP)
        return TriggerResult.CONTINUE

    def on_event_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        return TriggerResult.FIRE_AND_PURGE if time == _MAX_TIMESTAMP else TriggerResult.CONTINUE


guard_factories(globals())
