"""The runtime context that a function sees in ``open``, and how its states come to life.

The engine must know a function's states when the job starts, but a function only makes them in ``open``. So the first subtask's copy is made and
opened while the job is being built, in the thread that calls ``execute``; the states it asks for are declared, and bound to the engine when that
subtask starts. The other subtasks' copies are opened in their own time and get the states by name.
"""

from __future__ import annotations

from typing import Any, TypeVar

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
)
from millstream.datastream.transformation import JobScope
from millstream.exceptions import InvalidStateError, nearest
from millstream.metrics import MetricGroup

A = TypeVar("A", bound=Accumulator[Any, Any])


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
            raise InvalidStateError(f"{self._task_name}: accumulator {name!r} is a {type(found).__name__}, not a {kind.__name__}")
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
        self._native: _native.Context | None = None

    def bind(self, native: _native.Context) -> None:
        """Connects the states asked for so far, and those asked for later, to the engine."""
        self._native = native
        for name, state in self._states.items():
            state._bind(native, self._declared.index(name))

    def _state(self, descriptor: StateDescriptor, expected: type[StateDescriptor]) -> State:
        _check_descriptor(descriptor, expected)
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


class DeclaredStates:
    """The states of one operator, in the order in which its function asked for them. Once sealed, none is added."""

    def __init__(self) -> None:
        self._declarations: dict[str, tuple[str, _native.StateKind, str, str | None]] = {}
        self._sealed = False

    def seal(self) -> list[tuple[str, _native.StateKind, str, str | None]]:
        """All of them, for the engine."""
        self._sealed = True
        return list(self._declarations.values())

    def index(self, name: str) -> int:
        """A state's number at the border."""
        return list(self._declarations).index(name)

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
                f"{task_name}: state {descriptor.name!r} is asked for as {descriptor._declaration()[1:]}, "
                f"but was made as {self._declarations[descriptor.name][1:]}"
            )


def _check_descriptor(descriptor: Any, expected: type[StateDescriptor]) -> None:
    if not isinstance(descriptor, expected):
        raise TypeError(f"a {expected.__name__} is needed, not {descriptor!r}")


guard(globals())
