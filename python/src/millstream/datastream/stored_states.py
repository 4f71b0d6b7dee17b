"""States of windows: a window's own, its trigger's, and those of a key that all its windows share.

The general window operator keeps what belongs to a key in one value of the engine. The states here are views of dictionaries in it, name by
name: the operator points a :class:`Store` at the dictionary of the window at hand, and the state objects, one per name and subtask, read there.
"""

from __future__ import annotations

import dis
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any

from millstream import _native
from millstream.datastream.functions import AllWindowFunction, KeyedStateStore, ProcessAllWindowFunction, ProcessWindowFunction, WindowFunction
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
from millstream.exceptions import InvalidStateError

#: What states are kept in: their names and contents.
Values = dict[str, Any]


class Store(KeyedStateStore):
    """Gives states by their descriptors. Their contents are in ``values``, which is another dictionary for each key and window."""

    def __init__(self, what: str, now: Callable[[], int]) -> None:
        self.values: Values | None = None
        self._what = what
        #: The job's processing time, by which states with a time-to-live age.
        self._now = now
        self._states: dict[str, Any] = {}

    def get_state(self, state_descriptor: ValueStateDescriptor) -> ValueState[Any]:
        return self._checked(state_descriptor, ValueStateDescriptor)  # type: ignore[no-any-return]

    def get_list_state(self, state_descriptor: ListStateDescriptor) -> ListState[Any]:
        return self._checked(state_descriptor, ListStateDescriptor)  # type: ignore[no-any-return]

    def get_map_state(self, state_descriptor: MapStateDescriptor) -> MapState[Any, Any]:
        return self._checked(state_descriptor, MapStateDescriptor)  # type: ignore[no-any-return]

    def get_reducing_state(self, state_descriptor: ReducingStateDescriptor) -> ReducingState[Any]:
        return self._checked(state_descriptor, ReducingStateDescriptor)  # type: ignore[no-any-return]

    def get_aggregating_state(self, state_descriptor: AggregatingStateDescriptor) -> AggregatingState[Any, Any]:
        return self._checked(state_descriptor, AggregatingStateDescriptor)  # type: ignore[no-any-return]

    def state_of(self, descriptor: StateDescriptor) -> Any:
        """The state of a descriptor of any kind."""
        state = self._states.get(getattr(descriptor, "name", None))  # type: ignore[arg-type]
        if state is not None and state._descriptor is descriptor:
            return state
        return self._checked(descriptor, StateDescriptor)  # type: ignore[type-abstract]

    def current(self) -> Values:
        """The contents now. Raises ``InvalidStateError`` outside a call that belongs to a key."""
        values = self.values
        if values is None:
            raise InvalidStateError(f"{self._what} can only be used while an element or a timer is processed: there is no key here")
        return values

    def merge(self, descriptor: StateDescriptor, merged: Iterable[Values]) -> None:
        """Takes the state's contents out of other dictionaries and adds them to the current ones."""
        state = self.state_of(descriptor)
        combine: Callable[[Any, Any], Any] | None = getattr(state, "_combine", None)
        if combine is None:
            kind = type(descriptor).__name__.removesuffix("Descriptor")
            raise InvalidStateError(f"state {descriptor.name!r} is a {kind}, which cannot be merged: use a list, reducing or aggregating state")
        values, name = self.current(), descriptor.name
        for other in merged:
            if name in other and other is not values:
                found = other.pop(name)
                values[name] = combine(values[name], found) if name in values else found

    def _checked(self, descriptor: StateDescriptor, expected: type[StateDescriptor]) -> Any:
        if not isinstance(descriptor, expected):
            raise TypeError(f"a {expected.__name__} is needed, not {descriptor!r}")
        state = self._states.get(descriptor.name)
        if state is None:
            return self._made(descriptor)
        made = state._descriptor
        if made is not descriptor and (made._declaration() != descriptor._declaration() or made.get_ttl_config() != descriptor.get_ttl_config()):
            raise InvalidStateError(f"state {descriptor.name!r} is asked for as {_told(descriptor)}, but was made as {_told(made)}")
        return state

    def _made(self, descriptor: StateDescriptor) -> Any:
        state: Any = _stored(self, descriptor)
        config = descriptor.get_ttl_config()
        if config is not None:
            from millstream.datastream.state_ttl import access_descriptor, expiring_state

            state = expiring_state(descriptor, config, state, _stored(self, access_descriptor(descriptor)))
            state._expiry.now = self._now
        self._states[descriptor.name] = state
        return state


def _told(descriptor: StateDescriptor) -> str:
    config = descriptor.get_ttl_config()
    return f"{told(descriptor._declaration())}{'' if config is None else f' with {config!r}'}"


class ForbiddenStore(Store):
    """States that there are none of: raises ``InvalidStateError`` for each."""

    def _checked(self, descriptor: StateDescriptor, expected: type[StateDescriptor]) -> Any:
        raise InvalidStateError(self._what)


class _Stored:
    """What all stored states share."""

    def __init__(self, store: Store, descriptor: Any) -> None:
        self._store = store
        self._descriptor = descriptor
        self._name: str = descriptor.name

    def clear(self) -> None:
        self._store.current().pop(self._name, None)

    def _bind(self, context: _native.Context, index: int) -> None:
        raise NotImplementedError("a stored state needs no subtask")


class StoredValueState(_Stored, ValueState[Any]):
    """One value in a store."""

    def value(self) -> Any:
        return self._store.current().get(self._name)

    def update(self, value: Any) -> None:
        if value is None:
            self.clear()
        else:
            self._store.current()[self._name] = value


class StoredListState(_Stored, ListState[Any]):
    """A list in a store."""

    def get(self) -> Iterator[Any]:
        return iter(list(self._store.current().get(self._name, ())))

    def add(self, value: Any) -> None:
        self._store.current().setdefault(self._name, []).append(value)

    def add_all(self, values: Iterable[Any]) -> None:
        self._store.current().setdefault(self._name, []).extend(list(values))

    def update(self, values: Iterable[Any]) -> None:
        self._store.current()[self._name] = list(values)

    def _combine(self, mine: list[Any], other: list[Any]) -> list[Any]:
        return mine + other


class StoredReducingState(_Stored, ReducingState[Any]):
    """A reduced value in a store."""

    def __init__(self, store: Store, descriptor: ReducingStateDescriptor) -> None:
        super().__init__(store, descriptor)
        function: Any = descriptor.reduce_function
        self._combine: Callable[[Any, Any], Any] = getattr(function() if isinstance(function, type) else function, "reduce", None) or function

    def get(self) -> Any:
        return self._store.current().get(self._name)

    def add(self, value: Any) -> None:
        values, name = self._store.current(), self._name
        values[name] = self._combine(values[name], value) if name in values else value


class StoredAggregatingState(_Stored, AggregatingState[Any, Any]):
    """An accumulator in a store."""

    def get(self) -> Any:
        values = self._store.current()
        return self._descriptor.agg_function.get_result(values[self._name]) if self._name in values else None

    def add(self, value: Any) -> None:
        values, name, function = self._store.current(), self._name, self._descriptor.agg_function
        accumulator = values[name] if name in values else function.create_accumulator()
        values[name] = function.add(value, accumulator)

    def _combine(self, mine: Any, other: Any) -> Any:
        return self._descriptor.agg_function.merge(mine, other)


class StoredMapState(_Stored, MapState[Any, Any]):
    """A map in a store. Keys are anything that Python's dictionaries take."""

    def get(self, key: Any) -> Any:
        return self._map().get(key)

    def put(self, key: Any, value: Any) -> None:
        self._store.current().setdefault(self._name, {})[key] = value

    def put_all(self, dict_value: Mapping[Any, Any]) -> None:
        self._store.current().setdefault(self._name, {}).update(dict_value)

    def remove(self, key: Any) -> None:
        self._map().pop(key, None)

    def contains(self, key: Any) -> bool:
        return key in self._map()

    def items(self) -> Iterator[tuple[Any, Any]]:
        return iter(list(self._map().items()))

    def keys(self) -> Iterator[Any]:
        return iter(list(self._map()))

    def values(self) -> Iterator[Any]:
        return iter(list(self._map().values()))

    def is_empty(self) -> bool:
        return not self._map()

    def __getitem__(self, key: Any) -> Any:
        return self._map()[key]

    def __delitem__(self, key: Any) -> None:
        del self._map()[key]

    def __len__(self) -> int:
        return len(self._map())

    def _map(self) -> dict[Any, Any]:
        return self._store.current().get(self._name, {})  # type: ignore[no-any-return]


def _stored(store: Store, descriptor: StateDescriptor) -> State:
    if isinstance(descriptor, ValueStateDescriptor):
        return StoredValueState(store, descriptor)
    if isinstance(descriptor, ListStateDescriptor):
        return StoredListState(store, descriptor)
    if isinstance(descriptor, MapStateDescriptor):
        return StoredMapState(store, descriptor)
    if isinstance(descriptor, ReducingStateDescriptor):
        return StoredReducingState(store, descriptor)
    if isinstance(descriptor, AggregatingStateDescriptor):
        return StoredAggregatingState(store, descriptor)
    raise TypeError(f"a StateDescriptor is needed, not {descriptor!r}")


#: What a function that asks for states says somewhere.
_NAMES = frozenset({"window_state", "global_state", "get_state", "get_list_state", "get_map_state", "get_reducing_state", "get_aggregating_state"})
#: Functions that are looked into; more would mean a program that calls half of Python.
_FUNCTION_LIMIT = 500


def asks_for_states(function: Any) -> bool:
    """Whether a window function uses states: it has a ``clear``, or its methods, or functions of its module that they name, speak of states."""
    if function is None:
        return False
    owner = type(function)
    if getattr(owner, "clear", None) not in (None, ProcessWindowFunction.clear, ProcessAllWindowFunction.clear):
        return True
    return not _NAMES.isdisjoint(_names_of(function))


def looks_at_window(function: Any) -> bool:
    """Whether a window function's results may depend on the window itself: it speaks of one, or its ``apply`` reads that parameter."""
    if isinstance(function, (WindowFunction, AllWindowFunction)):
        apply = getattr(type(function).apply, "__func__", type(function).apply)
        if not isinstance(apply, FunctionType):
            return True
        code, place = apply.__code__, 2 if isinstance(function, WindowFunction) else 1
        if code.co_argcount <= place:
            return True
        name = code.co_varnames[place]
        return name in code.co_cellvars or any(entry.argval == name and entry.opname.startswith("LOAD") for entry in dis.get_instructions(code))
    return function is not None and "window" in _names_of(function)


def _names_of(function: Any) -> set[str]:
    """The names and texts in a function object's methods, and in functions of its module that they name."""
    todo: list[Any] = []
    for base in type(function).__mro__:
        if base is not object and not base.__module__.startswith(("millstream.", "typing", "abc")):
            todo += vars(base).values()
    todo += getattr(function, "__dict__", {}).values()
    seen: set[int] = set()
    names: set[str] = set()
    while todo and len(seen) < _FUNCTION_LIMIT:
        found = todo.pop()
        found = getattr(found, "__func__", found)
        if not isinstance(found, FunctionType) or id(found) in seen:
            continue
        seen.add(id(found))
        own = set(_names_in(found.__code__))
        names |= own
        module = found.__globals__
        todo += [module[name] for name in own if name in module and getattr(module[name], "__module__", None) == found.__module__]
    return names


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)
        elif isinstance(constant, str):
            # getattr(context, "window_state")
            yield constant
