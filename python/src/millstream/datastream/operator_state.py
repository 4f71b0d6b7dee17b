"""Operator state: what a subtask remembers without a key. Broadcast state is the same in all subtasks, because each sees all broadcast values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Generic, NoReturn, TypeVar

from millstream import _native
from millstream._tracebacks import guard
from millstream.datastream.state import MapStateDescriptor, State, _value_schema, states_of
from millstream.exceptions import InvalidStateError

__all__ = ["BroadcastState", "OperatorStateStore", "ReadOnlyBroadcastState"]

K = TypeVar("K")
V = TypeVar("V")


class OperatorStateStore(ABC):
    """Where operator state is."""

    @abstractmethod
    def get_broadcast_state(self, state_descriptor: MapStateDescriptor) -> BroadcastState[Any, Any]:
        """The broadcast state of a descriptor."""


class ReadOnlyBroadcastState(State, Generic[K, V]):
    """Broadcast state as functions see it that may not change it. Entries come in the order in which their keys were first put.

    ``state[key]``, ``in``, ``len`` and iteration work too. What :meth:`get` gives must not be changed in place.
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
    """A map that each subtask has, and that ``process_broadcast_element`` must change in all of them alike: by the broadcast value alone."""

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


def _read_only(name: str) -> InvalidStateError:
    return InvalidStateError(f"broadcast state {name!r} can only be changed in process_broadcast_element, where all subtasks see the same values")


guard(globals(), hot=("BroadcastState", "ReadOnlyBroadcastState"))
