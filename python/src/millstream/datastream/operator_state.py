"""Operator state: what a subtask remembers without a key. Broadcast state is the same in all subtasks, because each sees all broadcast values.

A function gets its states in ``initialize_state``, which adds them to the engine's operator state of the subtask. The first subtask's copy of a
function with keyed state is initialized while the job is built (see :mod:`millstream.datastream.runtime_context`): until the subtask starts, its
operator states keep in Python what is put into them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from millstream import _native
from millstream._tracebacks import guard
from millstream.datastream.checkpointed_function import CheckpointedFunction, FunctionInitializationContext, FunctionSnapshotContext
from millstream.datastream.state import ListState, ListStateDescriptor, MapStateDescriptor, State, StateDescriptor, _value_schema, states_of, told
from millstream.exceptions import InvalidStateError, UnsupportedError

if TYPE_CHECKING:
    from millstream.datastream.functions import KeyedStateStore

__all__ = ["BroadcastState", "OperatorStateStore", "ReadOnlyBroadcastState"]

#: A state as ``_native.Environment.process`` takes it.
Declaration = tuple[str, Any, str, str | None]
K = TypeVar("K")
V = TypeVar("V")


class OperatorStateStore(ABC):
    """Where operator state is. States are got in ``initialize_state``; asking for a name twice gives the same state.

    Raises ``InvalidStateError`` for a name that is a state of another kind or type, and for one that is asked for after ``open``.

    >>> from millstream.common import Types
    >>> from millstream.datastream import CheckpointedFunction, MapFunction, StreamExecutionEnvironment
    >>> from millstream.datastream.state import ListStateDescriptor
    >>> class Seen(MapFunction, CheckpointedFunction):
    ...     def initialize_state(self, context):
    ...         self.seen = context.get_operator_state_store().get_list_state(ListStateDescriptor("seen", Types.STRING()))
    ...     def snapshot_state(self, context):
    ...         pass
    ...     def map(self, value):
    ...         self.seen.add(value)
    ...         return len(list(self.seen.get()))
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> list(env.from_collection(["a", "b"]).map(Seen()).execute_and_collect())
    [1, 2]
    """

    @abstractmethod
    def get_broadcast_state(self, state_descriptor: MapStateDescriptor) -> BroadcastState[Any, Any]:
        """The broadcast state of a descriptor: a map that all subtasks must fill alike."""

    @abstractmethod
    def get_list_state(self, state_descriptor: ListStateDescriptor) -> ListState[Any]:
        """A list whose elements are dealt out anew to the subtasks when a job is restored with another parallelism. Only Java has it in Flink."""

    @abstractmethod
    def get_union_list_state(self, state_descriptor: ListStateDescriptor) -> ListState[Any]:
        """A list of which each subtask gets the elements of all when a job is restored. Only Java has it in Flink."""

    @abstractmethod
    def get_registered_state_names(self) -> set[str]:
        """The names of the list and union list states. Only Java has it in Flink."""

    @abstractmethod
    def get_registered_broadcast_state_names(self) -> set[str]:
        """The names of the broadcast states. Only Java has it in Flink."""


class ReadOnlyBroadcastState(State, Generic[K, V]):
    """Broadcast state as functions see it that may not change it. Entries come in the order in which their keys were first put.

    ``state[key]``, ``in``, ``len`` and iteration work too. What :meth:`get` gives must not be changed in place.

    >>> issubclass(BroadcastState, ReadOnlyBroadcastState)
    True
    """

    def get(self, key: K) -> V | None:
        """The value of a key, or ``None``."""
        self._unbound()

    def contains(self, key: K) -> bool:
        """Whether the key has a value."""
        self._unbound()

    def items(self) -> Iterator[tuple[K, V]]:
        """Keys and values."""
        self._unbound()

    def keys(self) -> Iterator[K]:
        """The keys."""
        self._unbound()

    def values(self) -> Iterator[V]:
        """The values."""
        self._unbound()

    def is_empty(self) -> bool:
        """Whether there is no entry."""
        self._unbound()

    def clear(self) -> None:
        """Raises ``InvalidStateError``: only ``process_broadcast_element`` may change the state."""
        raise _read_only(self._descriptor.name)

    def __getitem__(self, key: K) -> V | None:
        return self.get(key)

    def __contains__(self, key: K) -> bool:
        return self.contains(key)

    def __iter__(self) -> Iterator[K]:
        return iter(self.keys())

    def __len__(self) -> int:
        return sum(1 for _ in self.keys())

    def __getattr__(self, name: str) -> NoReturn:
        if name in ("put", "put_all", "remove"):
            raise _read_only(self._descriptor.name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _bind(self, context: _native.Context, index: int) -> None:
        self._take(self._native_state(context, index), "get", "contains", "items", "keys", "values", "is_empty")

    def _native_state(self, context: _native.Context, index: int) -> Any:
        descriptor = self._descriptor
        assert isinstance(descriptor, MapStateDescriptor)
        return states_of(context).MapState(context, index, _value_schema(descriptor.key_type_info), _value_schema(descriptor.type_info), True)


class BroadcastState(ReadOnlyBroadcastState[K, V]):
    """A map that each subtask has, and that ``process_broadcast_element`` must change in all of them alike: by the broadcast value alone.

    >>> from millstream.common import Types
    >>> from millstream.datastream import BroadcastProcessFunction, StreamExecutionEnvironment
    >>> from millstream.datastream.state import MapStateDescriptor
    >>> names = MapStateDescriptor("names", Types.LONG(), Types.STRING())
    >>> class Names(BroadcastProcessFunction):
    ...     def process_element(self, value, ctx):
    ...         pass
    ...     def process_broadcast_element(self, value, ctx):
    ...         state = ctx.get_broadcast_state(names)
    ...         state.put(value[0], value[1])
    ...         yield dict(state.items())
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> numbers = env.from_collection([1], Types.LONG())
    >>> named = numbers.connect(env.from_collection([(1, "one")]).broadcast(names)).process(Names())
    >>> list(named.execute_and_collect())
    [{1: 'one'}]
    """

    def put(self, key: K, value: V) -> None:
        """Sets the value of a key."""
        self._unbound()

    def put_all(self, dict_value: Mapping[K, V]) -> None:
        """Sets several."""
        self._unbound()

    def remove(self, key: K) -> None:
        """Forgets a key."""
        self._unbound()

    def clear(self) -> None:
        """Forgets all keys."""
        self._unbound()

    def __setitem__(self, key: K, value: V) -> None:
        self.put(key, value)

    def __delitem__(self, key: K) -> None:
        self.remove(key)

    def _bind(self, context: _native.Context, index: int) -> None:
        native = self._native_state(context, index)
        self._take(native, "get", "contains", "items", "keys", "values", "is_empty", "put", "put_all", "remove", "clear")


# ---- States of checkpointed functions --------------------------------------------------------------------------------------------------------


class _OperatorListState(ListState[Any]):
    """A list or union list. Before its subtask starts it keeps its elements itself."""

    def __init__(self, descriptor: StateDescriptor) -> None:
        super().__init__(descriptor)
        self._waiting: list[Any] = []

    def get(self) -> Iterator[Any]:
        return iter(list(self._waiting))

    def add(self, value: Any) -> None:
        self._waiting.append(value)

    def add_all(self, values: Iterable[Any]) -> None:
        self._waiting.extend(values)

    def update(self, values: Iterable[Any]) -> None:
        self._waiting = list(values)

    def clear(self) -> None:
        self._waiting = []

    def _bind(self, context: _native.Context, index: int) -> None:
        native = states_of(context).ListState(context, index, _value_schema(self._descriptor.type_info), True)
        self._take(native, "get", "add", "update", "add_all", "clear")
        if self._waiting:
            native.add_all(self._waiting)
            self._waiting = []


class _OperatorBroadcastState(BroadcastState[Any, Any]):
    """A broadcast state. Before its subtask starts it keeps its entries itself."""

    def __init__(self, descriptor: StateDescriptor) -> None:
        super().__init__(descriptor)
        waiting: dict[Any, Any] = {}
        self._waiting = waiting
        self.__dict__.update(
            get=waiting.get, put=waiting.__setitem__, put_all=waiting.update, contains=waiting.__contains__, clear=waiting.clear,
            remove=lambda key: waiting.pop(key, None), is_empty=lambda: not waiting,
            items=lambda: iter(list(waiting.items())), keys=lambda: iter(list(waiting)), values=lambda: iter(list(waiting.values())),
        )  # fmt: skip

    def _bind(self, context: _native.Context, index: int) -> None:
        super()._bind(context, index)
        if self._waiting:
            self.put_all(self._waiting)


class SubtaskOperatorStates(OperatorStateStore, FunctionInitializationContext):
    """The operator states of one subtask's copy of a function, and what ``initialize_state`` is told."""

    def __init__(self, task_name: str, keyed_states: KeyedStateStore, native: _native.Context | None, is_restored: bool = False) -> None:
        self._task_name = task_name
        self._keyed_states = keyed_states
        self._native = native
        self._is_restored = is_restored
        self._states: dict[str, tuple[Declaration, Any]] = {}

    def bind(self, native: _native.Context) -> None:
        """Adds the states asked for so far, and those asked for later, to the engine's."""
        self._native = native
        for declaration, state in self._states.values():
            state._bind(native, native.declare_operator_state(*declaration))

    def is_restored(self) -> bool:
        return self._is_restored

    def get_restored_checkpoint_id(self) -> int | None:
        return getattr(self._native, "restored_checkpoint_id", None)

    def get_operator_state_store(self) -> OperatorStateStore:
        return self

    def get_keyed_state_store(self) -> KeyedStateStore:
        return self._keyed_states

    def get_broadcast_state(self, state_descriptor: MapStateDescriptor) -> BroadcastState[Any, Any]:
        return self._state(state_descriptor, MapStateDescriptor, "BROADCAST", _OperatorBroadcastState)  # type: ignore[no-any-return]

    def get_list_state(self, state_descriptor: ListStateDescriptor) -> ListState[Any]:
        return self._state(state_descriptor, ListStateDescriptor, "OPERATOR_LIST", _OperatorListState)  # type: ignore[no-any-return]

    def get_union_list_state(self, state_descriptor: ListStateDescriptor) -> ListState[Any]:
        return self._state(state_descriptor, ListStateDescriptor, "UNION_LIST", _OperatorListState)  # type: ignore[no-any-return]

    def get_registered_state_names(self) -> set[str]:
        return {name for name, ((_, kind, _, _), _) in self._states.items() if kind != "BROADCAST"}

    def get_registered_broadcast_state_names(self) -> set[str]:
        return {name for name, ((_, kind, _, _), _) in self._states.items() if kind == "BROADCAST"}

    def _state(self, descriptor: Any, wanted: type[StateDescriptor], kind: _native.StateKind, state_class: type[State]) -> Any:
        if not isinstance(descriptor, wanted):
            raise TypeError(f"a {wanted.__name__} is needed, not {descriptor!r}")
        if descriptor.get_ttl_config() is not None:
            raise UnsupportedError(f"{self._task_name}: operator state {descriptor.name!r} has a time-to-live, which only keyed state can have")
        name, _, value_schema, key_schema = descriptor._declaration()
        declaration = (name, kind, value_schema, key_schema)
        made = self._states.get(name)
        if made is None:
            state = state_class(descriptor)
            if self._native is not None:
                state._bind(self._native, self._native.declare_operator_state(*declaration))
            made = self._states[name] = (declaration, state)
        elif made[0] != declaration:
            raise InvalidStateError(
                f"{self._task_name}: operator state {name!r} is asked for as {told(declaration)}, but was made as {told(made[0])}"
            )
        return made[1]


class SnapshotContext(FunctionSnapshotContext):
    """What ``snapshot_state`` is told."""

    def __init__(self, checkpoint_id: int, timestamp: int) -> None:
        self._checkpoint_id = checkpoint_id
        self._timestamp = timestamp

    def get_checkpoint_id(self) -> int:
        return self._checkpoint_id

    def get_checkpoint_timestamp(self) -> int:
        return self._timestamp


def initialize(
    function: CheckpointedFunction, task_name: str, keyed_states: KeyedStateStore, native: _native.Context | None, is_restored: bool = False
) -> SubtaskOperatorStates:
    """Calls a copy's ``initialize_state``. Without ``native`` the job is being built, and :meth:`SubtaskOperatorStates.bind` follows."""
    states = SubtaskOperatorStates(task_name, keyed_states, native, is_restored)
    function.initialize_state(states)
    return states


def _read_only(name: str) -> InvalidStateError:
    return InvalidStateError(f"broadcast state {name!r} can only be changed in process_broadcast_element, where all subtasks see the same values")


guard(globals(), hot=("BroadcastState", "ReadOnlyBroadcastState"))
