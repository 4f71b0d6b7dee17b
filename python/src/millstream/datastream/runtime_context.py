"""The runtime context that a function sees in ``open``, and how its states come to life.

The engine must know a function's states when the job starts, but a function only makes them in ``open``. So the first subtask's copy is made and
opened while the job is being built, in the thread that calls ``execute``; the states it asks for are declared, and bound to the engine when that
subtask starts. The other subtasks' copies are opened in their own time and get the states by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.accumulators import Accumulator, DoubleCounter, Histogram, IntCounter, LongCounter
from millstream.datastream.distributed_cache import DistributedCache
from millstream.datastream.functions import RuntimeContext
from millstream.datastream.state import (
    AggregatingState,
    AggregatingStateDescriptor,
    ListState,
    ListStateDescriptor,
    MapState,
    MapStateDescriptor,
    ReducingState,
    ReducingStateDescriptor,
    State,
    StateDescriptor,
    ValueState,
    ValueStateDescriptor,
    told,
)
from millstream.datastream.time_domain import TimeDomain
from millstream.datastream.transformation import JobScope
from millstream.exceptions import InvalidStateError, nearest, with_article
from millstream.metrics import MetricGroup

if TYPE_CHECKING:
    # Loaded with the first state that has a time-to-live.
    from millstream.datastream.state_ttl import BackgroundCleanup, ExpiringState, StateTtlConfig

#: The state of the time of a key's timer for what expires (see `state_ttl`).
_PLANNED = "time-to-live/planned"

A = TypeVar("A", bound=Accumulator[Any, Any])
#: A state as ``_native.Environment.process`` takes it.
Declaration = tuple[str, Any, str, str | None]


class SubtaskContext(RuntimeContext):
    """The context of a function without states: they need a key."""

    def __init__(self, scope: JobScope, task_name: str, index: int, parallelism: int, max_parallelism: int) -> None:
        self._scope = scope
        self._task_name = task_name
        self._index = index
        self._parallelism = parallelism
        self._max_parallelism = max_parallelism
        self._accumulators: dict[str, Accumulator[Any, Any]] = {}
        self._metrics = MetricGroup(scope.metrics, (task_name,), index, scope.metrics.new_owner())

    def get_task_name(self) -> str:
        return self._task_name

    def get_number_of_parallel_subtasks(self) -> int:
        return self._parallelism

    def get_max_number_of_parallel_subtasks(self) -> int:
        return self._max_parallelism

    def get_index_of_this_subtask(self) -> int:
        return self._index

    def get_attempt_number(self) -> int:
        return 0

    def get_task_name_with_subtasks(self) -> str:
        return f"{self._task_name} ({self._index + 1}/{self._parallelism})"

    def get_job_parameter(self, key: str, default_value: str | None = None) -> str | None:
        return self._scope.job_parameters.get(key, default_value)

    def get_distributed_cache(self) -> DistributedCache:
        return DistributedCache(self._scope.cached_files)

    def get_metrics_group(self) -> MetricGroup:
        return self._metrics

    def add_accumulator(self, name: str, accumulator: Accumulator[Any, Any]) -> None:
        if not isinstance(accumulator, Accumulator):
            raise TypeError(f"an Accumulator is needed, not {accumulator!r}")
        if name in self._accumulators:
            raise InvalidStateError(f"{self._task_name}: there is an accumulator {name!r} already")
        self._scope.accumulators.add(name, self._task_name, self._index, accumulator)
        self._accumulators[name] = accumulator

    def get_accumulator(self, name: str) -> Accumulator[Any, Any] | None:
        return self._accumulators.get(name)

    def get_int_counter(self, name: str) -> IntCounter:
        return self._accumulator(name, IntCounter)

    def get_long_counter(self, name: str) -> LongCounter:
        return self._accumulator(name, LongCounter)

    def get_double_counter(self, name: str) -> DoubleCounter:
        return self._accumulator(name, DoubleCounter)

    def get_histogram(self, name: str) -> Histogram:
        return self._accumulator(name, Histogram)

    def _accumulator(self, name: str, kind: type[A]) -> A:
        found = self.get_accumulator(name)
        if found is None:
            made = kind()
            self.add_accumulator(name, made)
            return made
        if not isinstance(found, kind):
            raise InvalidStateError(f"{self._task_name}: accumulator {name!r} is {with_article(type(found))}, not {with_article(kind)}")
        return found

    def get_state(self, state_descriptor: ValueStateDescriptor) -> ValueState[Any]:
        state = self._state(state_descriptor, ValueStateDescriptor)
        assert isinstance(state, ValueState)
        return state

    def get_list_state(self, state_descriptor: ListStateDescriptor) -> ListState[Any]:
        state = self._state(state_descriptor, ListStateDescriptor)
        assert isinstance(state, ListState)
        return state

    def get_map_state(self, state_descriptor: MapStateDescriptor) -> MapState[Any, Any]:
        state = self._state(state_descriptor, MapStateDescriptor)
        assert isinstance(state, MapState)
        return state

    def get_reducing_state(self, state_descriptor: ReducingStateDescriptor) -> ReducingState[Any]:
        state = self._state(state_descriptor, ReducingStateDescriptor)
        assert isinstance(state, ReducingState)
        return state

    def get_aggregating_state(self, state_descriptor: AggregatingStateDescriptor) -> AggregatingState[Any, Any]:
        state = self._state(state_descriptor, AggregatingStateDescriptor)
        assert isinstance(state, AggregatingState)
        return state

    def _state(self, descriptor: StateDescriptor, expected: type[StateDescriptor]) -> State:
        _check_descriptor(descriptor, expected)
        raise InvalidStateError(f"{self._task_name}: state {descriptor.name!r} needs a key; call key_by before the function")


class KeyedSubtaskContext(SubtaskContext):
    """The context of a function on a keyed stream."""

    def __init__(self, declared: DeclaredStates, scope: JobScope, task_name: str, index: int, parallelism: int, max_parallelism: int) -> None:
        super().__init__(scope, task_name, index, parallelism, max_parallelism)
        self._declared = declared
        self._states: dict[str, State] = {}
        self._expiring: dict[str, ExpiringState] = {}
        self._ttl_configs: dict[str, StateTtlConfig] = {}
        self._cleanup: BackgroundCleanup | None = None
        self._native: _native.Context | None = None

    def found(self, descriptor: StateDescriptor) -> tuple[int, State] | None:
        """The number and the state of a descriptor; None if the function has not made it. Raises ``InvalidStateError`` if it was made otherwise."""
        state = self._states.get(descriptor.name)
        if state is None:
            return None
        self._declared.check_same(descriptor, self._task_name)
        expiring: Any = self._expiring.get(descriptor.name)
        return self._declared.index(descriptor.name), state if expiring is None else expiring

    def bind(self, native: _native.Context) -> None:
        """Connects the states asked for so far, and those asked for later, to the engine."""
        self._native = native
        for name, state in self._states.items():
            state._bind(native, self._declared.index(name))
        for expiring in self._expiring.values():
            self._start(expiring)
        if isinstance(native, CleanedContext):
            native.runtime = self

    def cleanup(self) -> BackgroundCleanup | None:
        """What removes expired values of this subtask; ``None`` if nothing expires in the background."""
        if self._cleanup is None and _PLANNED in self._states:
            from millstream.datastream import state_ttl

            assert self._native is not None
            planned, asked = self._plain_state(state_ttl.PLANNED), self._plain_state(state_ttl.ASKED)
            assert isinstance(planned, ValueState)
            assert isinstance(asked, MapState)
            timers = super(CleanedContext, self._native) if isinstance(self._native, CleanedContext) else self._native
            clock = state_ttl.clock_of(self._native)
            self._cleanup = state_ttl.BackgroundCleanup(self._expiring.values(), planned, asked, timers, clock)
        return self._cleanup

    def _state(self, descriptor: StateDescriptor, expected: type[StateDescriptor]) -> State:
        _check_descriptor(descriptor, expected)
        config = descriptor.get_ttl_config()
        known = self._expiring.get(descriptor.name)
        if known is None and (config is None or descriptor.name in self._states):
            if config is not None:
                raise InvalidStateError(f"{self._task_name}: state {descriptor.name!r} is asked for with a time-to-live, but was made without one")
            return self._plain_state(descriptor)
        from millstream.datastream import state_ttl

        plain = self._plain_state(descriptor)
        if known is None:
            assert config is not None
            known = self._expiring[descriptor.name] = state_ttl.expiring_state(
                descriptor, config, plain, self._plain_state(state_ttl.access_descriptor(descriptor))
            )
            if known._expiry.in_background:
                self._plain_state(state_ttl.PLANNED)
                self._plain_state(state_ttl.ASKED)
            self._ttl_configs[descriptor.name] = config
            if self._native is not None:
                self._start(known)
        elif config != self._ttl_configs[descriptor.name]:
            made = self._ttl_configs[descriptor.name]
            raise InvalidStateError(f"{self._task_name}: state {descriptor.name!r} is asked for with {config!r}, but was made with {made!r}")
        return known  # type: ignore[return-value]

    def _start(self, expiring: ExpiringState) -> None:
        """Gives an expiring state the job's clock, and has it cleaned up."""
        from millstream.datastream import state_ttl

        assert self._native is not None
        expiring._expiry.now = state_ttl.clock_of(self._native)
        if expiring._expiry.in_background and isinstance(self._native, CleanedContext):
            expiring._expiry.written = self._written

    def _written(self, time: int) -> None:
        cleanup = self.cleanup()
        if cleanup is not None:
            cleanup.plan(time)

    def _plain_state(self, descriptor: StateDescriptor) -> State:
        found = self._states.get(descriptor.name)
        if found is not None:
            self._declared.check_same(descriptor, self._task_name)
            return found
        index = self._declared.add(descriptor, self._task_name)
        state = descriptor._make()
        if self._native is not None:
            state._bind(self._native, index)
        self._states[descriptor.name] = state
        return state


class KeyedContext(_native.Context):
    """The context of a process function, with Python's own enumeration of time domains."""

    __slots__ = ("checkpointed",)
    #: The subtask's copy of a function with operator state.
    checkpointed: Any

    def time_domain(self) -> TimeDomain:  # type: ignore[override]
        """Whether the timer that fires went by event time or by processing time."""
        return TimeDomain(super().time_domain())

    def _snapshot(self, checkpoint_id: int, timestamp: int) -> None:
        """Before a checkpoint: the function puts its operator state together."""
        checkpointed = getattr(self, "checkpointed", None)
        if checkpointed is not None:
            from millstream.datastream.operator_state import SnapshotContext

            checkpointed.snapshot_state(SnapshotContext(checkpoint_id, timestamp))


class CleanedContext(KeyedContext):
    """The same for functions whose states expire: their processing-time timers are kept apart from those that clean up."""

    __slots__ = ("runtime",)
    runtime: KeyedSubtaskContext

    def register_processing_time_timer(self, timestamp: int) -> None:
        """Calls ``on_timer`` when the clock passes the timestamp."""
        cleanup = self.runtime.cleanup()
        if cleanup is None:
            super().register_processing_time_timer(timestamp)
        else:
            cleanup.ask(timestamp)

    def delete_processing_time_timer(self, timestamp: int) -> None:
        """Does nothing if there is no such timer."""
        cleanup = self.runtime.cleanup()
        if cleanup is None:
            super().delete_processing_time_timer(timestamp)
        else:
            cleanup.forget(timestamp)


def cleaned_timers(on_timer: Callable[..., Any] | None) -> Callable[[int, Any], Any]:
    """A function's ``on_timer``, called for its own timers only; those that clean up do so first."""

    def fire(timestamp: int, context: CleanedContext) -> Any:
        if context.time_domain() is TimeDomain.PROCESSING_TIME:
            cleanup = context.runtime.cleanup()
            if cleanup is not None and not cleanup.fire(timestamp):
                return None
        return None if on_timer is None else on_timer(timestamp, context)

    if on_timer is not None:
        # Where an error says that the function is.
        fire.__wrapped__ = on_timer  # type: ignore[attr-defined]
    return fire


class DeclaredStates:
    """The keyed states of one operator, in the order in which its function asked for them. Once sealed, none is added.

    The engine counts them from ``first`` on: operator states come before them.
    """

    def __init__(self, first: int = 0) -> None:
        self._declarations: dict[str, Declaration] = {}
        self._first = first
        self._sealed = False

    def expire(self) -> bool:
        """Whether there are states that expire in the background."""
        return _PLANNED in self._declarations

    def so_far(self) -> list[Declaration]:
        """Those that were declared until now."""
        return list(self._declarations.values())

    def seal(self) -> list[Declaration]:
        """All of them, for the engine."""
        self._sealed = True
        return list(self._declarations.values())

    def index(self, name: str) -> int:
        """A state's number at the border."""
        return self._first + list(self._declarations).index(name)

    def add(self, descriptor: StateDescriptor, task_name: str) -> int:
        """Declares a state, or finds it. Raises ``InvalidStateError`` if it comes too late or is declared otherwise."""
        if descriptor.name not in self._declarations:
            if self._sealed:
                raise InvalidStateError(
                    f"{task_name}: state {descriptor.name!r} is asked for after the job has started{nearest(descriptor.name, self._declarations)}; "
                    "make all states in open, in every subtask the same"
                )
            self._declarations[descriptor.name] = descriptor._declaration()
        else:
            self.check_same(descriptor, task_name)
        return self.index(descriptor.name)

    def check_same(self, descriptor: StateDescriptor, task_name: str) -> None:
        """Raises ``InvalidStateError`` if a state of this name is of another kind or type."""
        if self._declarations[descriptor.name] != descriptor._declaration():
            raise InvalidStateError(
                f"{task_name}: state {descriptor.name!r} is asked for as {told(descriptor._declaration())}, "
                f"but was made as {told(self._declarations[descriptor.name])}"
            )


def _check_descriptor(descriptor: Any, expected: type[StateDescriptor]) -> None:
    if not isinstance(descriptor, expected):
        raise TypeError(f"a {expected.__name__} is needed, not {descriptor!r}")


guard(globals())
