"""States and timers as the engine keeps them, in plain Python: what a twin's process function sees.

Keys have slots, numbered in the order in which they first came; a state is a dictionary by slot. The classes of states have the names and
constructors of those in ``millstream._native``, because :mod:`millstream.datastream.state` makes them in the same way.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from millstream import _native
from millstream.datastream.runtime_context import KeyedContext
from millstream.datastream.time_domain import TimeDomain
from millstream.exceptions import EventTimeError, InvalidStateError, KeyValueError
from millstream.testing.clock import ManualClock

MIN_TIME = -(2**63)
MAX_TIME = 2**63 - 1


# ---- Values and keys ---------------------------------------------------------------------------------------------------------------------------

Convert = Callable[[Any], Any]


def converter(schema: str) -> Convert | None:
    """What a value goes through where its type is declared; ``None`` for Python objects, which stay what they are."""
    if schema == "OBJECT":
        return None
    check = _native.check_value
    exact = {"BIGINT": int, "STRING": str, "BOOLEAN": bool, "DOUBLE": float}.get(schema)

    def convert(value: Any) -> Any:
        kind = type(value)
        # The common values, which conversion would give back as they are.
        if kind is exact and (
            (kind is int and MIN_TIME <= value <= MAX_TIME) or kind is float or kind is bool or (kind is str and value.isascii())
        ):
            return value
        return check(value, schema)

    return convert


class Keys:
    """The keys of one operator, and their slots."""

    def __init__(self, schema: str) -> None:
        self._is_object = schema == "OBJECT"
        self._slots: dict[Any, int] = {}
        self._known: dict[tuple[type, Any], int] = {}
        self._type: type | None = None
        self.keys: list[Any] = []

    def slot(self, key: Any) -> int:
        """The slot of a key. Raises ``KeyValueError`` for what can be no key."""
        try:
            found = self._known.get((type(key), key))
        except TypeError:
            return self._slot(key, _hashable(key))
        if found is None:
            found = self._known[type(key), key] = self._slot(key, _hashable(key))
        return found

    def find(self, key: Any) -> int | None:
        """The slot of a key that has come."""
        return self._slots.get(_hashable(key))

    def _slot(self, key: Any, name: Any) -> int:
        if self._is_object:
            _native.stable_hash(key)
            if self._type is None:
                self._type = type(key)
            elif type(key) is not self._type and not (isinstance(key, self._type) or issubclass(self._type, type(key))):
                raise KeyValueError(
                    f"the key {key!r} is of type {type(key).__name__}, but keys before it were of type {self._type.__name__}; "
                    "one key_by has one type of key"
                )
        found = self._slots.get(name)
        if found is None:
            found = self._slots[name] = len(self.keys)
            self.keys.append(key)
        return found


def _hashable(key: Any) -> Any:
    """A key as something that Python's dictionaries take: equal exactly where the engine's keys are."""
    if isinstance(key, (list, tuple)) or hasattr(key, "_values"):
        return tuple(_hashable(part) for part in key)
    if isinstance(key, dict):
        return frozenset((_hashable(name), _hashable(value)) for name, value in key.items())
    if isinstance(key, float) and key != key:
        return "NaN", float
    return key


# ---- Timers ------------------------------------------------------------------------------------------------------------------------------------


class Timers:
    """The timers of one time domain: a set of (slot, time), taken out by time and, for equal times, in the order of registration."""

    #: As many timers go to a function in one crossing of the engine.
    chunk_count_max = 4_096

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, int]] = []
        self._numbers: dict[tuple[int, int], int] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._numbers)

    def register(self, slot: int, time: int) -> None:
        """Once, however often it is asked for."""
        if (slot, time) not in self._numbers:
            self._numbers[slot, time] = self._next
            heapq.heappush(self._heap, (time, self._next, slot))
            self._next += 1

    def delete(self, slot: int, time: int) -> None:
        """Does nothing if there is none."""
        self._numbers.pop((slot, time), None)

    def next(self) -> int | None:
        """The time of the earliest one."""
        self._drop_deleted()
        return self._heap[0][0] if self._heap else None

    def take_due(self, up_to: int) -> list[tuple[int, int]]:
        """(slot, time) of the next ones, at most one per slot: what a key's timer does decides what its next one is."""
        found: dict[int, int] = {}
        while len(found) < self.chunk_count_max:
            self._drop_deleted()
            if not self._heap or self._heap[0][0] > up_to or self._heap[0][2] in found:
                break
            time, _, slot = heapq.heappop(self._heap)
            del self._numbers[slot, time]
            found[slot] = time
        return list(found.items())

    def of(self, slot: int | None) -> list[int]:
        """The times of a slot's timers, or of all."""
        return sorted(time for owner, time in self._numbers if slot is None or owner == slot)

    def clear(self) -> None:
        """Forgets all."""
        self._heap.clear()
        self._numbers.clear()

    def _drop_deleted(self) -> None:
        while self._heap and self._numbers.get((self._heap[0][2], self._heap[0][0])) != self._heap[0][1]:
            heapq.heappop(self._heap)


# ---- The context -------------------------------------------------------------------------------------------------------------------------------


class HarnessContext(KeyedContext):
    """The context of a process function in a twin, with the engine's methods."""

    __slots__ = ()

    # In the dictionary that the engine's contexts have.
    clock: ManualClock
    tables: list[dict[int, Any]]
    keys: Keys | None
    event_timers: Timers
    processing_timers: Timers
    watermark: int
    slot: int | None
    key: Any
    time: int | None
    domain: TimeDomain
    is_running: bool
    send: Callable[[Any, int | None], None]
    #: Adds an operator state: name, kind and the schema of its elements.
    declare: Callable[[str, str, str], int]
    is_restored: bool

    @property
    def states(self) -> Any:
        """Where states are made."""
        return STATES

    def timestamp(self) -> int | None:
        self._running()
        return self.time

    def get_current_key(self) -> Any:
        self._running()
        return self.key

    def timer_service(self) -> Any:
        return self

    def current_watermark(self) -> int:
        self._running()
        return self.watermark

    def current_processing_time(self) -> int:
        self._running()
        return self.clock.now()

    def register_event_time_timer(self, timestamp: int) -> None:
        self.event_timers.register(self.current_slot(), _timer_time(timestamp))

    def register_processing_time_timer(self, timestamp: int) -> None:
        self.processing_timers.register(self.current_slot(), _timer_time(timestamp))

    def delete_event_time_timer(self, timestamp: int) -> None:
        self.event_timers.delete(self.current_slot(), _timer_time(timestamp))

    def delete_processing_time_timer(self, timestamp: int) -> None:
        self.processing_timers.delete(self.current_slot(), _timer_time(timestamp))

    def time_domain(self) -> TimeDomain:  # type: ignore[override]
        self._running()
        return self.domain

    def domain_number(self) -> int:
        """As the engine numbers them."""
        return self.domain.value

    def declare_operator_state(self, name: str, kind: str, value_schema: str, key_schema: str | None, /) -> int:
        return self.declare(name, kind, value_schema)

    def emit(self, values: Any, timestamp: int | None, /) -> None:
        self._running()
        self.send(values, self.time if timestamp is None else timestamp)

    def apply_to_keys(self, function: Callable[[Any, Any], Any], index: int, state: Any, /) -> None:
        self._running()
        if self.keys is None:
            raise InvalidStateError("apply_to_keyed_state needs a keyed stream: put key_by before connect")
        before = self.slot
        try:
            for slot in sorted(self.tables[index]):
                self.slot = slot
                function(self.keys.keys[slot], state)
        finally:
            self.slot = before

    def current_slot(self) -> int:
        """The slot of the key at hand. Raises ``InvalidStateError`` where there is none."""
        if not self.is_running:
            raise InvalidStateError("state and timers can only be used inside process_element, process and on_timer")
        if self.slot is None:
            raise InvalidStateError("state and timers need a keyed stream: put key_by before process")
        return self.slot

    def _running(self) -> None:
        if not self.is_running:
            raise InvalidStateError("the context can only be used inside process_element, process and on_timer")


def context_class(wanted: type[Any] | None) -> type[HarnessContext]:
    """A twin of a class of contexts: what the class adds stays on top of the harness's methods."""
    if wanted is None or issubclass(HarnessContext, wanted):
        return HarnessContext
    return type(f"Harness{wanted.__name__}", (wanted, HarnessContext), {"__slots__": ()})


def _timer_time(timestamp: Any) -> int:
    if isinstance(timestamp, float) and timestamp.is_integer():
        timestamp = int(timestamp)
    if not hasattr(timestamp, "__index__"):
        raise TypeError(f"a timer's timestamp is an int of milliseconds, not {timestamp!r} ({type(timestamp).__name__})")
    found: int = timestamp.__index__()
    if not MIN_TIME <= found <= MAX_TIME:
        raise EventTimeError("a timer's timestamp is an int of milliseconds within 64 bits")
    return found


# ---- States ------------------------------------------------------------------------------------------------------------------------------------


#: Operator state is kept where no key's is.
OPERATOR_SLOT = -1
OPERATOR_KINDS = ("BROADCAST", "OPERATOR_LIST", "UNION_LIST")


class _State:
    def __init__(self, context: HarnessContext, index: int, is_operator_state: bool = False) -> None:
        self._slot = _operator_slot if is_operator_state else context.current_slot
        self._table = context.tables[index]

    def clear(self) -> None:
        self._table.pop(self._slot(), None)


def _operator_slot() -> int:
    return OPERATOR_SLOT


class ValueState(_State):
    """One value per key."""

    def __init__(self, context: HarnessContext, index: int, value_schema: str = "OBJECT", default: Any = None) -> None:
        super().__init__(context, index)
        self._convert = converter(value_schema)
        self._default = default

    def value(self) -> Any:
        return self._table.get(self._slot(), self._default)

    def update(self, value: Any) -> None:
        slot = self._slot()
        if value is None:
            self._table.pop(slot, None)
        else:
            self._table[slot] = value if self._convert is None else self._convert(value)


class ListState(_State):
    """A list per key."""

    def __init__(self, context: HarnessContext, index: int, value_schema: str = "OBJECT", is_operator_state: bool = False) -> None:
        super().__init__(context, index, is_operator_state)
        self._convert = converter(value_schema)

    def get(self) -> Iterator[Any]:
        return iter(list(self._table.get(self._slot(), ())))

    def add(self, value: Any) -> None:
        self._table.setdefault(self._slot(), []).append(value if self._convert is None else self._convert(value))

    def add_all(self, values: Iterable[Any]) -> None:
        self._table.setdefault(self._slot(), []).extend(self._converted(values))

    def update(self, values: Iterable[Any]) -> None:
        found = self._converted(values)
        if found:
            self._table[self._slot()] = found
        else:
            self.clear()

    def _converted(self, values: Iterable[Any]) -> list[Any]:
        return list(values) if self._convert is None else [self._convert(value) for value in values]


class MapState(_State):
    """A map per key, with entries in the order in which their keys were first put."""

    def __init__(
        self, context: HarnessContext, index: int, key_schema: str = "OBJECT", value_schema: str = "OBJECT", is_operator_state: bool = False
    ) -> None:
        super().__init__(context, index, is_operator_state)
        self._convert_key = converter(key_schema)
        self._convert_value = converter(value_schema)

    def get(self, key: Any) -> Any:
        entry = self._entries().get(self._name(key)[0])
        return None if entry is None else entry[1]

    def put(self, key: Any, value: Any) -> None:
        name, found = self._name(key)
        stored = value if self._convert_value is None else self._convert_value(value)
        entries = self._table.setdefault(self._slot(), {})
        entries[name] = (entries[name][0] if name in entries else found, stored)

    def put_all(self, entries: Mapping[Any, Any]) -> None:
        for key, value in entries.items():
            self.put(key, value)

    def remove(self, key: Any) -> None:
        slot, entries = self._slot(), self._entries()
        entries.pop(self._name(key)[0], None)
        if not entries:
            self._table.pop(slot, None)

    def contains(self, key: Any) -> bool:
        return self._name(key)[0] in self._entries()

    def items(self) -> Iterator[tuple[Any, Any]]:
        return iter(list(self._entries().values()))

    def keys(self) -> Iterator[Any]:
        return iter([key for key, _ in self._entries().values()])

    def values(self) -> Iterator[Any]:
        return iter([value for _, value in self._entries().values()])

    def is_empty(self) -> bool:
        return not self._entries()

    def __len__(self) -> int:
        return len(self._entries())

    def _entries(self) -> dict[Any, tuple[Any, Any]]:
        return self._table.get(self._slot(), {})  # type: ignore[no-any-return]

    def _name(self, key: Any) -> tuple[Any, Any]:
        found = key if self._convert_key is None else self._convert_key(key)
        # As for the engine, True is no 1: its keys have a type.
        return (type(found), _hashable(found)), found


class ReducingState(_State):
    """One value per key, into which others are reduced."""

    def __init__(self, context: HarnessContext, index: int, reduce: Callable[[Any, Any], Any], value_schema: str = "OBJECT") -> None:
        super().__init__(context, index)
        self._reduce = reduce
        self._convert = converter(value_schema)

    def get(self) -> Any:
        return self._table.get(self._slot())

    def add(self, value: Any) -> None:
        slot = self._slot()
        found = self._reduce(self._table[slot], value) if slot in self._table else value
        self._table[slot] = found if self._convert is None else self._convert(found)


class AggregatingState(_State):
    """An accumulator per key."""

    def __init__(
        self, context: HarnessContext, index: int, callables: tuple[Callable[..., Any], ...], accumulator_schema: str = "OBJECT"
    ) -> None:
        super().__init__(context, index)
        self._create, self._add, self._get_result = callables
        self._convert = converter(accumulator_schema)

    def get(self) -> Any:
        slot = self._slot()
        return self._get_result(self._table[slot]) if slot in self._table else None

    def add(self, value: Any) -> None:
        slot = self._slot()
        found = self._add(value, self._table[slot] if slot in self._table else self._create())
        self._table[slot] = found if self._convert is None else self._convert(found)


class _States:
    """The classes by the engine's names."""

    ValueState = ValueState
    ListState = ListState
    MapState = MapState
    ReducingState = ReducingState
    AggregatingState = AggregatingState


STATES = _States()


def plain_content(kind: str, content: Any) -> Any:
    """What is in a state's table, for a test to compare: maps as dictionaries."""
    if kind in ("MAP", "BROADCAST"):
        return dict(content.values())
    return list(content) if kind in ("LIST", "OPERATOR_LIST", "UNION_LIST") else content


def table_of(kind: str, content: Any) -> dict[int, Any]:
    """The table of an operator state of which ``plain_content`` gave the content; empty for nothing."""
    if not content:
        return {}
    if kind == "BROADCAST":
        return {OPERATOR_SLOT: {(type(key), _hashable(key)): (key, value) for key, value in content.items()}}
    return {OPERATOR_SLOT: list(content)}
