"""The general window operator: any assigner, trigger and evictor, with states of windows and window functions.

The engine's own window operator knows the assigners that come with Millstream, each with its default trigger; it is the fast one, and
windowed streams take it where they can. This one follows Flink's ``WindowOperator`` step by step, on a keyed process function of the
engine: its key groups, its timers, and one state, a :class:`KeyWindows` per key.

Invariants:

- An engine's timer at a time is set if and only if ``event_timers`` (``processing_timers``) of the key has windows for that time.
- A window has a pane from its first element until its clean-up time. Of windows that merge, no two panes could be merged further.
- What a call changes is in the key's state when the call returns; nothing of a key is kept anywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, NamedTuple

from millstream import _native
from millstream.datastream.evictors import Evictor, TimestampedValue
from millstream.datastream.function_adapter import (
    Close,
    Open,
    SubtaskCopies,
    closer,
    declare_side_outputs,
    side_schemas,
    window_callable,
)
from millstream.datastream.functions import AggregateFunction, Function, ProcessAllWindowFunction, ProcessWindowFunction
from millstream.datastream.output_tag import OutputTag
from millstream.datastream.runtime_context import KeyedContext, SubtaskContext
from millstream.datastream.state import StateDescriptor, states_of
from millstream.datastream.stored_states import ForbiddenStore, Store, Values
from millstream.datastream.triggers import Trigger, TriggerResult
from millstream.datastream.window import MergingWindowAssigner, TimeWindow, WindowAssigner
from millstream.exceptions import EventTimeError, InvalidStateError

if TYPE_CHECKING:
    from millstream.datastream.transformation import JobBuilder, JobScope, Transformation
    from millstream.metrics import MetricGroup

_MAX_TIMESTAMP = 2**63 - 1
_CONTINUE = TriggerResult.CONTINUE
_NO_TIMERS: frozenset[int] = frozenset()


class WindowParts(NamedTuple):
    """What a windowed stream was told."""

    assigner: WindowAssigner[Any, Any]
    trigger: Trigger[Any, Any]
    evictor: Evictor[Any, Any] | None
    allowed_lateness: int
    late_output: OutputTag | None
    #: A reduce function, an AggregateFunction, or None: all elements are kept.
    accumulate: Any
    window_function: Any

    def each(self, do: Callable[[Any], Any]) -> WindowParts:
        """The same with ``do`` done to the objects of the user's."""
        kept = {"allowed_lateness", "late_output"}
        return self._replace(**{name: do(part) for name, part in self._asdict().items() if part is not None and name not in kept})


class Pane:
    """What is remembered of one window of a key."""

    __slots__ = ("contents", "event_timers", "is_empty", "processing_timers", "states", "trigger_values")

    def __init__(self) -> None:
        self.is_empty = True
        #: A list of elements (with an evictor, of TimestampedValue), a reduced value, or an accumulator.
        self.contents: Any = None
        self.trigger_values: Values = {}
        #: The window function's states.
        self.states: Values | None = None
        #: The window's timers. An empty set of its own would be most of a small pane's memory.
        self.event_timers: Set[int] = _NO_TIMERS
        self.processing_timers: Set[int] = _NO_TIMERS

    def is_unused(self) -> bool:
        """Whether nothing would be lost with it."""
        return self.is_empty and not (self.trigger_values or self.states or self.event_timers or self.processing_timers)


class KeyWindows:
    """All that is remembered of a key."""

    __slots__ = ("event_timers", "panes", "processing_timers", "values")

    def __init__(self) -> None:
        self.panes: dict[Any, Pane] = {}
        #: The windows that have a timer at a time, in the order of registration.
        self.event_timers: dict[int, list[Any]] = {}
        self.processing_timers: dict[int, list[Any]] = {}
        #: The states that all windows of the key share.
        self.values: Values = {}

    def is_unused(self) -> bool:
        """Whether nothing would be lost with it."""
        return not (self.panes or self.event_timers or self.processing_timers or self.values)


class WindowRuntimeContext(SubtaskContext):
    """What a window function learns in ``open``; states belong to the key and are shared by all its windows."""

    def __init__(self, store: Store, scope: JobScope, task_name: str, index: int, parallelism: int, max_parallelism: int) -> None:
        super().__init__(scope, task_name, index, parallelism, max_parallelism)
        self._store = store

    def _state(self, descriptor: StateDescriptor, expected: type[StateDescriptor]) -> Any:
        return self._store._checked(descriptor, expected)


class _TriggerContext(Trigger.OnMergeContext):
    """The trigger's context, also its evictor's: time, timers and states of the window at hand."""

    def __init__(self, native: _native.Context) -> None:
        self.get_current_processing_time = native.current_processing_time  # type: ignore[method-assign]
        self.get_current_watermark = native.current_watermark  # type: ignore[method-assign]
        self.native = native
        self.store = Store("a trigger's states", native.current_processing_time)
        self.get_partitioned_state = self.store.state_of  # type: ignore[method-assign, assignment]
        self.runtime: WindowRuntimeContext | None = None
        self.known = KeyWindows()
        self.window: Any = None
        self.pane = Pane()
        self.merged: list[Pane] = []

    def get_current_processing_time(self) -> int:  # pragma: no cover - the native one takes its place
        return self.native.current_processing_time()

    def get_current_watermark(self) -> int:  # pragma: no cover - the native one takes its place
        return self.native.current_watermark()

    def get_partitioned_state(self, state_descriptor: StateDescriptor) -> Any:  # pragma: no cover - the store's takes its place
        return self.store.state_of(state_descriptor)

    def get_metric_group(self) -> MetricGroup:
        assert self.runtime is not None
        return self.runtime.get_metrics_group()

    def register_event_time_timer(self, time: int) -> None:
        own = self.pane.event_timers
        if time not in own:
            self.pane.event_timers = _with(own, time)
            _add_timer(self.known.event_timers, time, self.window, self.native.register_event_time_timer)

    def register_processing_time_timer(self, time: int) -> None:
        own = self.pane.processing_timers
        if time not in own:
            self.pane.processing_timers = _with(own, time)
            _add_timer(self.known.processing_timers, time, self.window, self.native.register_processing_time_timer)

    def delete_event_time_timer(self, time: int) -> None:
        self.pane.event_timers = _without(self.pane.event_timers, time)
        _delete_timer(self.known.event_timers, time, self.window, self.native.delete_event_time_timer)

    def delete_processing_time_timer(self, time: int) -> None:
        self.pane.processing_timers = _without(self.pane.processing_timers, time)
        _delete_timer(self.known.processing_timers, time, self.window, self.native.delete_processing_time_timer)

    def merge_partitioned_state(self, state_descriptor: StateDescriptor) -> None:
        self.store.merge(state_descriptor, [pane.trigger_values for pane in self.merged])

    def take(self, window: Any, pane: Pane) -> None:
        """Is for this window from now on."""
        self.window = window
        self.pane = pane
        self.store.values = pane.trigger_values


def _with(times: Set[int], time: int) -> Set[int]:
    if not isinstance(times, set):
        return {time}
    times.add(time)
    return times


def _without(times: Set[int], time: int) -> Set[int]:
    if isinstance(times, set):
        times.discard(time)
    return times or _NO_TIMERS


def _add_timer(timers: dict[int, list[Any]], time: int, window: Any, register: Callable[[int], None]) -> None:
    windows = timers.get(time)
    if windows is None:
        # The engine refuses what is no time, before anything is remembered.
        register(time)
        timers[time] = [window]
    elif window not in windows:
        windows.append(window)


def _delete_timer(timers: dict[int, list[Any]], time: int, window: Any, delete: Callable[[int], None]) -> None:
    windows = timers.get(time)
    if windows is not None and window in windows:
        windows.remove(window)
        if not windows:
            del timers[time]
            delete(time)


class _AssignerContext(WindowAssigner.WindowAssignerContext):
    """What an assigner may ask."""

    def __init__(self, native: _native.Context) -> None:
        self.native = native
        self.runtime: WindowRuntimeContext | None = None

    def get_current_processing_time(self) -> int:
        return self.native.current_processing_time()

    def get_runtime_context(self) -> Any:
        return self.runtime


class GeneralWindowContext(ProcessAllWindowFunction.Context[Any]):
    """What a window function may ask."""

    def __init__(self, native: _native.Context, window_states: Store, global_states: Store) -> None:
        self._native = native
        self._window_states = window_states
        self._global_states = global_states
        self.current: Any = None

    def window(self) -> Any:
        return self.current

    def current_processing_time(self) -> int:
        return self._native.current_processing_time()

    def current_watermark(self) -> int:
        return self._native.current_watermark()

    def window_state(self) -> Store:
        return self._window_states

    def global_state(self) -> Store:
        return self._global_states


class _Merges(MergingWindowAssigner.MergeCallback[Any]):
    """Notes what an assigner wants to be merged."""

    def __init__(self) -> None:
        self.found: list[tuple[Any, list[Any]]] = []

    def merge(self, to_be_merged: Iterable[Any], merge_result: Any) -> None:
        self.found.append((merge_result, list(to_be_merged)))


class WindowOperator:
    """The windows of one subtask."""

    def __init__(self, native: _native.Context, parts: WindowParts) -> None:
        self._native = native
        self._emit = native.emit
        # The engine's own number: a TimeDomain costs a call of Python.
        self._domain_number: Callable[[], int] = getattr(native, "domain_number", None) or partial(_native.Context.time_domain, native)
        assigner, trigger, evictor = parts.assigner, parts.trigger, parts.evictor
        self._state = states_of(native).ValueState(native, 0)
        self._load = self._state.value
        self._save = self._state.update
        self._assigner = assigner
        self._assign = assigner.assign_windows
        self._trigger = trigger
        self._on_element = trigger.on_element
        self._evictor = evictor
        self._is_event_time = assigner.is_event_time()
        self._is_merging = isinstance(assigner, MergingWindowAssigner)
        self._merges_time_windows = self._is_merging and getattr(type(assigner), "_merges_time_windows", False)
        self._lateness = parts.allowed_lateness
        self._late_output = parts.late_output
        accumulate = parts.accumulate
        self._is_aggregating = isinstance(accumulate, AggregateFunction)
        self._aggregate: AggregateFunction[Any, Any, Any] | None = accumulate if self._is_aggregating else None
        self._reduce = None if accumulate is None or self._is_aggregating else getattr(accumulate, "reduce", accumulate)
        self._keeps_elements = accumulate is None or evictor is not None
        self._function = parts.window_function
        self._call = None if self._function is None else window_callable(self._function)
        clear = getattr(type(self._function), "clear", None)
        self._clear = self._function.clear if clear not in (None, ProcessWindowFunction.clear, ProcessAllWindowFunction.clear) else None
        now = native.current_processing_time
        self._window_states: Store = (
            ForbiddenStore("windows that merge have no states of their own; global_state() has states of the key", now)
            if self._is_merging
            else Store("a window's states", now)
        )
        self._global_states = Store("the states of a window function", now)
        self._trigger_context = _TriggerContext(native)
        self._assigner_context = _AssignerContext(native)
        self._window_context = GeneralWindowContext(native, self._window_states, self._global_states)
        self._late_count: Any = None
        # Most elements are in the same window as the one before them.
        self._last_window: Any = None
        self._last_cleanup_time = 0

    def open(self, runtime: WindowRuntimeContext) -> None:
        """Before the first element."""
        self._assigner_context.runtime = self._trigger_context.runtime = runtime
        self._late_count = runtime.get_metrics_group().counter("numLateRecordsDropped")

    # ---- Elements ----

    def process_element(self, value: Any, native: _native.Context) -> None:
        """Puts an element into its windows, and asks the trigger of each."""
        known = self._load()
        if known is None:
            known = KeyWindows()
        context = self._trigger_context
        context.known = known
        self._global_states.values = known.values
        timestamp: Any = native.timestamp()
        watermark = None
        if self._is_event_time:
            if timestamp is None:
                raise _missing_timestamp()
            watermark = native.current_watermark()
        is_skipped = True
        panes = known.panes
        for window in self._assign(value, timestamp, self._assigner_context):
            if self._is_merging:
                window = self._add_merging(known, window)
            if window is self._last_window:
                cleanup_time = self._last_cleanup_time
            else:
                cleanup_time = self._last_cleanup_time = self._cleanup_time(window)
                self._last_window = window
            if watermark is not None and cleanup_time <= watermark:
                if self._is_merging:
                    panes.pop(window, None)
                continue
            is_skipped = False
            pane = panes.get(window)
            if pane is None:
                pane = panes[window] = Pane()
            self._add(pane, value, timestamp)
            context.window = window
            context.pane = pane
            context.store.values = pane.trigger_values
            result = self._on_element(value, timestamp, window, context)
            if result is not _CONTINUE:
                self._act(result, window, pane)
            if watermark is None:
                if cleanup_time != _MAX_TIMESTAMP and cleanup_time not in pane.processing_timers:
                    context.register_processing_time_timer(cleanup_time)
            elif cleanup_time != _MAX_TIMESTAMP and cleanup_time not in pane.event_timers:
                context.register_event_time_timer(cleanup_time)
            if cleanup_time == _MAX_TIMESTAMP and pane.is_empty and not self._is_merging and pane.is_unused():
                # No clean-up time will come, and nothing would be lost.
                del panes[window]
        if is_skipped and watermark is not None and timestamp + self._lateness <= watermark:
            if self._late_output is None:
                self._late_count.inc()
            else:
                self._emit(((self._late_output, value),), timestamp)
        self._leave(known)

    def _add(self, pane: Pane, value: Any, timestamp: int | None) -> None:
        if self._keeps_elements:
            element = value if self._evictor is None else TimestampedValue(value, timestamp)
            if pane.is_empty:
                pane.contents = [element]
            else:
                pane.contents.append(element)
        elif self._aggregate is not None:
            pane.contents = self._aggregate.add(value, self._aggregate.create_accumulator() if pane.is_empty else pane.contents)
        elif pane.is_empty:
            pane.contents = value
        else:
            pane.contents = self._reduce(pane.contents, value)  # type: ignore[misc]
        pane.is_empty = False

    def _leave(self, known: KeyWindows) -> None:
        self._save(known if known.panes or not known.is_unused() else None)
        self._trigger_context.store.values = self._global_states.values = self._window_states.values = None

    # ---- Timers ----

    def on_timer(self, timestamp: int, native: _native.Context) -> None:
        """Asks the trigger of each window that has a timer now, and forgets windows whose time is over."""
        known = self._load()
        if known is None:
            return
        is_event = self._domain_number() == 0
        windows = (known.event_timers if is_event else known.processing_timers).pop(timestamp, None)
        if windows is None:
            return
        context = self._trigger_context
        context.known = known
        self._global_states.values = known.values
        for window in windows:
            pane = known.panes.get(window)
            if pane is None:
                if self._is_merging:
                    # The window has become part of another one, and its trigger left the timer behind.
                    continue
                pane = Pane()
            if is_event:
                pane.event_timers = _without(pane.event_timers, timestamp)
            else:
                pane.processing_timers = _without(pane.processing_timers, timestamp)
            context.take(window, pane)
            result = (self._trigger.on_event_time if is_event else self._trigger.on_processing_time)(timestamp, window, context)
            if result is not _CONTINUE:
                self._act(result, window, pane)
            if is_event is self._is_event_time and timestamp == self._cleanup_time(window):
                self._forget(known, window, pane)
            elif window not in known.panes and not pane.is_unused():
                known.panes[window] = pane
        self._leave(known)

    def _cleanup_time(self, window: Any) -> int:
        end: int = window.max_timestamp()
        if not self._is_event_time:
            return end
        time = end + self._lateness
        return time if time < _MAX_TIMESTAMP else _MAX_TIMESTAMP

    def _forget(self, known: KeyWindows, window: Any, pane: Pane) -> None:
        pane.is_empty, pane.contents = True, None
        self._trigger.clear(window, self._trigger_context)
        if self._clear is not None:
            self._enter_function(window, pane)
            self._clear(self._window_context)
        known.panes.pop(window, None)

    # ---- Results ----

    def _act(self, result: Any, window: Any, pane: Pane) -> None:
        if not isinstance(result, TriggerResult):
            raise TypeError(f"{type(self._trigger).__name__} gave {result!r}; a TriggerResult was expected")
        is_fire, is_purge = result.value
        if is_fire and not pane.is_empty:
            self._fire(window, pane, is_purge)
        if is_purge:
            pane.is_empty, pane.contents = True, None

    def _fire(self, window: Any, pane: Pane, is_purge: bool) -> None:
        if self._evictor is not None:
            elements = pane.contents
            self._evictor.evict_before(elements, len(elements), window, self._trigger_context)  # type: ignore[arg-type]
            try:
                left = [element.value for element in elements]
            except AttributeError:
                raise _strange_elements(self._evictor, elements) from None
            self._give(window, pane, self._accumulated(left))
            self._evictor.evict_after(elements, len(elements), window, self._trigger_context)  # type: ignore[arg-type]
            pane.is_empty = not elements
        elif self._keeps_elements:
            # The function may keep or change its list.
            self._give(window, pane, pane.contents if is_purge else pane.contents.copy())
        elif self._aggregate is not None:
            self._give(window, pane, [self._aggregate.get_result(pane.contents)])
        else:
            self._give(window, pane, [pane.contents])

    def _accumulated(self, values: list[Any]) -> list[Any]:
        """What is left by an evictor, reduced or aggregated at last."""
        aggregate = self._aggregate
        if aggregate is not None:
            accumulator = aggregate.create_accumulator()
            for value in values:
                accumulator = aggregate.add(value, accumulator)
            return [aggregate.get_result(accumulator)]
        return values if self._reduce is None or not values else [reduce(self._reduce, values)]

    def _give(self, window: Any, pane: Pane, contents: list[Any]) -> None:
        if not self._keeps_elements and contents[0] is None:
            return
        if self._call is not None:
            self._enter_function(window, pane)
            if self._reduce is None or contents:
                self._emit(self._call(self._native.get_current_key(), self._window_context, contents), window.max_timestamp())
        else:
            self._emit(contents, window.max_timestamp())

    def _enter_function(self, window: Any, pane: Pane) -> None:
        if pane.states is None and not self._is_merging:
            pane.states = {}
        self._window_states.values = pane.states
        self._window_context.current = window

    # ---- Windows that merge ----

    def _add_merging(self, known: KeyWindows, window: Any) -> Any:
        """Adds a window to those of the key, which may make some of them one. Gives the one that the element is in now."""
        panes = known.panes
        if self._merges_time_windows:
            start, end = window.start, window.end
            touching = [other for other in panes if other.start <= end and other.end >= start]
            if not touching:
                return window
            if len(touching) == 1 and touching[0].start <= start and touching[0].end >= end:
                return touching[0]
            touching.sort()
            whole = TimeWindow(min(start, touching[0].start), max(end, max(other.end for other in touching)))
            self._merge(known, whole, touching)
            return whole
        merges = _Merges()
        self._assigner.merge_windows([*panes, window], merges)  # type: ignore[attr-defined]
        result = window
        for whole, parts in merges.found:
            if window in parts:
                result = whole
            # Those that are there; the element's own window is new, unless there is one like it.
            existing = [other for other in panes if other in parts]
            if existing and existing != [whole]:
                self._merge(known, whole, existing)
        return result

    def _merge(self, known: KeyWindows, whole: Any, parts: list[Any]) -> None:
        if self._is_event_time:
            now = self._native.current_watermark()
            is_over = self._cleanup_time(whole) <= now
        else:
            now = self._native.current_processing_time()
            is_over = whole.max_timestamp() <= now
        if is_over:
            clock = "watermark" if self._is_event_time else "processing time"
            raise InvalidStateError(f"the end of a window cannot become earlier than the current {clock} {now} by merging: {parts} became {whole}")
        context = self._trigger_context
        merged = [known.panes.pop(part) for part in parts]
        pane = merged[parts.index(whole)] if whole in parts else Pane()
        context.merged = merged
        context.take(whole, pane)
        self._trigger.on_merge(whole, context)
        for part, old in zip(parts, merged, strict=True):
            context.take(part, old)
            self._trigger.clear(part, context)
            cleanup_time = self._cleanup_time(part)
            if self._is_event_time:
                context.delete_event_time_timer(cleanup_time)
            else:
                context.delete_processing_time_timer(cleanup_time)
        context.merged = []
        filled = [old.contents for old in merged if not old.is_empty]
        pane.is_empty = not filled
        pane.contents = reduce(self._merged_contents, filled) if filled else None
        known.panes[whole] = pane

    def _merged_contents(self, first: Any, second: Any) -> Any:
        if self._keeps_elements:
            return first + second
        return self._aggregate.merge(first, second) if self._aggregate is not None else self._reduce(first, second)  # type: ignore[misc]


def _strange_elements(evictor: Any, elements: list[Any]) -> TypeError:
    strange = next(element for element in elements if not isinstance(element, TimestampedValue))
    return TypeError(f"{type(evictor).__name__} left {strange!r} among the window's elements; a TimestampedValue was expected")


def _missing_timestamp() -> EventTimeError:
    return EventTimeError(
        "a record has no timestamp, and the window is in event time; assign_timestamps_and_watermarks before the window gives it one"
    )


def general_window(
    builder: JobBuilder, transformation: Transformation, stream: _native.Input, parts: WindowParts, schema: str, key_schema: str
) -> int:
    """Adds the operator to the engine's environment; gives its node."""
    scope, task_name = builder.scope, transformation.name
    copies = parts.each(SubtaskCopies)

    def make(native: _native.Context) -> tuple[Any, Open, Close]:
        own = copies.each(SubtaskCopies.next)
        operator = WindowOperator(native, own)
        functions = [function for function in (own.accumulate, own.window_function) if isinstance(function, Function)]

        def open(index: int, parallelism: int, max_parallelism: int) -> None:
            runtime = WindowRuntimeContext(operator._global_states, scope, task_name, index, parallelism, max_parallelism)
            operator.open(runtime)
            for function in functions:
                function.open(runtime)

        closers = [found for found in (closer(function) for function in functions) if found is not None]

        def close() -> None:
            for found in closers:
                found()

        return (operator.process_element, operator.on_timer), open, close if closers else None

    process = _native.process(
        make,
        schema,
        transformation.type_info.schema(),
        task_name,
        key_schema=key_schema,
        side_outputs=side_schemas(transformation),
        describe=next((part for part in (parts.window_function, parts.accumulate, parts.trigger) if part is not None), None),
        context=KeyedContext,
    )
    return declare_side_outputs(builder, transformation, builder.native.process(stream, process, [("windows", "VALUE", "OBJECT", None)]))
