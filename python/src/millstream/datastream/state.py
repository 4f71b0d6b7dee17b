"""States of keyed functions: what they remember for each key.

A function makes its states in ``open`` from descriptors, and uses them while it processes a record or a timer: they then stand for the current key.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.typeinfo import OBJECT, TypeInformation, type_of
from millstream.exceptions import InvalidStateError

if TYPE_CHECKING:
    from millstream.datastream.functions import AggregateFunction, ReduceFunction
    from millstream.datastream.state_ttl import StateTtlConfig

__all__ = [  # noqa: F822 - operator state comes lazily
    "AggregatingState",
    "AggregatingStateDescriptor",
    "AppendingState",
    "BroadcastState",
    "ListState",
    "ListStateDescriptor",
    "MapState",
    "MapStateDescriptor",
    "MergingState",
    "OperatorStateStore",
    "ReadOnlyBroadcastState",
    "ReducingState",
    "ReducingStateDescriptor",
    "State",
    "StateDescriptor",
    "StateTtlConfig",
    "ValueState",
    "ValueStateDescriptor",
]

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")
IN = TypeVar("IN")
OUT = TypeVar("OUT")


# ---- Descriptors -----------------------------------------------------------------------------------------------------------------------------


class StateDescriptor(ABC):
    """A state's name, unique within its operator, and the type of what is in it.

    Without a type, values stay Python objects. Raises ``ValueError`` for an empty name.

    >>> from millstream.common import Types
    >>> ValueStateDescriptor("count", Types.LONG()).get_name()
    'count'
    """

    def __init__(self, name: str, type_info: TypeInformation | list[Any] | None) -> None:
        if not name or not isinstance(name, str):
            raise ValueError(f"a state needs a name, not {name!r}")
        self.name = name
        self.type_info = type_of(type_info, f"the type of state {name!r}")
        self._ttl_config: StateTtlConfig | None = None

    def get_name(self) -> str:
        """The state's name."""
        return self.name

    def enable_time_to_live(self, ttl_config: StateTtlConfig) -> None:
        """Makes what is in the state expire: a value as a whole, a list element by element, a map entry by entry."""
        from millstream.datastream.state_ttl import StateTtlConfig

        if not isinstance(ttl_config, StateTtlConfig):
            raise TypeError(f"a StateTtlConfig is needed, not {ttl_config!r}")
        self._ttl_config = ttl_config

    def get_ttl_config(self) -> StateTtlConfig | None:
        """What :meth:`enable_time_to_live` was given; ``None`` if nothing, or if it says that nothing expires. Millstream's own."""
        return self._ttl_config if self._ttl_config is not None and self._ttl_config.is_enabled() else None

    def _declaration(self) -> tuple[str, _native.StateKind, str, str | None]:
        """As ``_native.Environment.process`` takes it."""
        return self.name, self._kind(), _value_schema(self.type_info), None

    @abstractmethod
    def _kind(self) -> _native.StateKind:
        """The engine's name of the kind of state."""

    @abstractmethod
    def _make(self) -> State:
        """A state that is not bound to a subtask yet."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.type_info!r})"


class ValueStateDescriptor(StateDescriptor):
    """Describes a :class:`ValueState`.

    >>> from millstream.common import Types
    >>> ValueStateDescriptor("count", Types.LONG())
    ValueStateDescriptor('count', Long)
    """

    def __init__(self, name: str, value_type_info: TypeInformation | list[Any] | None = None) -> None:
        super().__init__(name, value_type_info)

    def _kind(self) -> _native.StateKind:
        return "VALUE"

    def _make(self) -> ValueState[Any]:
        return ValueState(self)


class ListStateDescriptor(StateDescriptor):
    """Describes a :class:`ListState` by the type of its elements.

    >>> from millstream.common import Types
    >>> ListStateDescriptor("words", Types.STRING())
    ListStateDescriptor('words', String)
    """

    def __init__(self, name: str, elem_type_info: TypeInformation | list[Any] | None = None) -> None:
        super().__init__(name, elem_type_info)

    def _kind(self) -> _native.StateKind:
        return "LIST"

    def _make(self) -> ListState[Any]:
        return ListState(self)


class MapStateDescriptor(StateDescriptor):
    """Describes a :class:`MapState` by the types of its keys and values.

    >>> from millstream.common import Types
    >>> MapStateDescriptor("counts", Types.STRING(), Types.LONG())
    MapStateDescriptor('counts', String, Long)
    """

    def __init__(
        self,
        name: str,
        key_type_info: TypeInformation | list[Any] | None = None,
        value_type_info: TypeInformation | list[Any] | None = None,
    ) -> None:
        super().__init__(name, value_type_info)
        self.key_type_info = type_of(key_type_info, f"the key type of state {name!r}")

    def _declaration(self) -> tuple[str, _native.StateKind, str, str | None]:
        return self.name, "MAP", _value_schema(self.type_info), _value_schema(self.key_type_info)

    def _kind(self) -> _native.StateKind:
        return "MAP"

    def _make(self) -> MapState[Any, Any]:
        return MapState(self)

    def __repr__(self) -> str:
        return f"MapStateDescriptor({self.name!r}, {self.key_type_info!r}, {self.type_info!r})"


class ReducingStateDescriptor(StateDescriptor):
    """Describes a :class:`ReducingState` by the function that makes one value of two.

    >>> from millstream.common import Types
    >>> ReducingStateDescriptor("sum", lambda a, b: a + b, Types.LONG())
    ReducingStateDescriptor('sum', Long)
    """

    def __init__(
        self, name: str, reduce_function: ReduceFunction[Any] | Callable[[Any, Any], Any], type_info: TypeInformation | list[Any] | None = None
    ) -> None:
        super().__init__(name, type_info)
        if not callable(reduce_function) and not callable(getattr(reduce_function, "reduce", None)):
            raise TypeError(f"state {name!r} needs a ReduceFunction or a function of two values, not {reduce_function!r}")
        self.reduce_function = reduce_function

    def get_reduce_function(self) -> ReduceFunction[Any] | Callable[[Any, Any], Any]:
        """The function."""
        return self.reduce_function

    def _kind(self) -> _native.StateKind:
        return "REDUCING"

    def _make(self) -> ReducingState[Any]:
        return ReducingState(self)


class AggregatingStateDescriptor(StateDescriptor):
    """Describes an :class:`AggregatingState` by its function and the type of its accumulator.

    >>> from millstream.common import Types
    >>> from millstream.datastream import AggregateFunction
    >>> class Count(AggregateFunction):
    ...     def create_accumulator(self):
    ...         return 0
    ...     def add(self, value, accumulator):
    ...         return accumulator + 1
    ...     def get_result(self, accumulator):
    ...         return accumulator
    ...     def merge(self, acc_a, acc_b):
    ...         return acc_a + acc_b
    >>> AggregatingStateDescriptor("count", Count(), Types.LONG())
    AggregatingStateDescriptor('count', Long)
    """

    def __init__(
        self, name: str, agg_function: AggregateFunction[Any, Any, Any], state_type_info: TypeInformation | list[Any] | None = None
    ) -> None:
        super().__init__(name, state_type_info)
        if not all(callable(getattr(agg_function, method, None)) for method in ("create_accumulator", "add", "get_result")):
            raise TypeError(f"state {name!r} needs an AggregateFunction, not {agg_function!r}")
        self.agg_function = agg_function

    def get_agg_function(self) -> AggregateFunction[Any, Any, Any]:
        """The function."""
        return self.agg_function

    def _kind(self) -> _native.StateKind:
        return "AGGREGATING"

    def _make(self) -> AggregatingState[Any, Any]:
        return AggregatingState(self)


# ---- States ----------------------------------------------------------------------------------------------------------------------------------


class State(ABC):
    """What a function remembers for the current key.

    >>> issubclass(ValueState, State)
    True
    """

    # A state is made before its subtask exists. When it is bound, the engine's own methods take the place of those below, as attributes of the
    # instance: a call of the user's is then one call of C.
    def __init__(self, descriptor: StateDescriptor) -> None:
        self._descriptor = descriptor

    def clear(self) -> None:
        """Forgets what is remembered for the current key."""
        self._unbound()

    @abstractmethod
    def _bind(self, context: _native.Context, index: int) -> None:
        """Connects the state to a subtask."""

    def _take(self, native: Any, *names: str) -> None:
        for name in names:
            self.__dict__[name] = getattr(native, name)

    def _unbound(self) -> NoReturn:
        raise InvalidStateError(
            f"state {self._descriptor.name!r} was used outside process_element and on_timer: it belongs to a key, and there is none here"
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> State:
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._descriptor.name!r}>"


class ValueState(State, Generic[T]):
    """One value.

    >>> from millstream.common import Types
    >>> from millstream.datastream import KeyedProcessFunction
    >>> from millstream.testing import KeyedProcessHarness
    >>> class Count(KeyedProcessFunction):
    ...     def open(self, runtime_context):
    ...         self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))
    ...     def process_element(self, value, ctx):
    ...         self.count.update((self.count.value() or 0) + 1)
    ...         yield value, self.count.value()
    >>> with KeyedProcessHarness(Count(), lambda word: word) as harness:
    ...     for word in ("to", "be", "to"):
    ...         harness.process_element(word)
    ...     print(harness.take_output())
    [('to', 1), ('be', 1), ('to', 2)]
    """

    def value(self) -> T | None:
        """The value, or ``None`` if there is none."""
        self._unbound()

    def update(self, value: T | None) -> None:
        """Sets the value; ``None`` forgets it."""
        self._unbound()

    def _bind(self, context: _native.Context, index: int) -> None:
        native = states_of(context).ValueState(context, index, _value_schema(self._descriptor.type_info))
        self._take(native, "value", "update", "clear")


class AppendingState(State, Generic[IN, OUT]):
    """A state to which values are added.

    >>> issubclass(ListState, AppendingState)
    True
    """

    def get(self) -> OUT | None:
        """What is remembered, or ``None``."""
        self._unbound()

    def add(self, value: IN) -> None:
        """Adds a value."""
        self._unbound()


class MergingState(AppendingState[IN, OUT]):
    """An appending state of which two can be made one.

    >>> issubclass(ReducingState, MergingState)
    True
    """


class ReducingState(MergingState[T, T]):
    """One value, into which the added ones are reduced.

    >>> from millstream.common import Types
    >>> from millstream.datastream import KeyedProcessFunction
    >>> from millstream.testing import KeyedProcessHarness
    >>> class Longest(KeyedProcessFunction):
    ...     def open(self, runtime_context):
    ...         longest = ReducingStateDescriptor("longest", lambda a, b: max(a, b, key=len), Types.STRING())
    ...         self.longest = runtime_context.get_reducing_state(longest)
    ...     def process_element(self, value, ctx):
    ...         self.longest.add(value)
    ...         yield self.longest.get()
    >>> with KeyedProcessHarness(Longest(), lambda word: 0) as harness:
    ...     for word in ("to", "not", "be"):
    ...         harness.process_element(word)
    ...     print(harness.take_output())
    ['to', 'not', 'not']
    """

    def _bind(self, context: _native.Context, index: int) -> None:
        descriptor = self._descriptor
        assert isinstance(descriptor, ReducingStateDescriptor)
        function = descriptor.reduce_function
        reduce: Callable[[Any, Any], Any] = getattr(function, "reduce", None) or function  # type: ignore[assignment]
        self._take(states_of(context).ReducingState(context, index, reduce, _value_schema(descriptor.type_info)), "get", "add", "clear")


class AggregatingState(MergingState[IN, OUT]):
    """An accumulator to which values are added; ``get`` gives the result so far.

    >>> from millstream.datastream import AggregateFunction, KeyedProcessFunction
    >>> from millstream.testing import KeyedProcessHarness
    >>> class Average(AggregateFunction):
    ...     def create_accumulator(self):
    ...         return 0, 0
    ...     def add(self, value, accumulator):
    ...         return accumulator[0] + value, accumulator[1] + 1
    ...     def get_result(self, accumulator):
    ...         return accumulator[0] / accumulator[1]
    ...     def merge(self, acc_a, acc_b):
    ...         return acc_a[0] + acc_b[0], acc_a[1] + acc_b[1]
    >>> class Averages(KeyedProcessFunction):
    ...     def open(self, runtime_context):
    ...         self.average = runtime_context.get_aggregating_state(AggregatingStateDescriptor("average", Average(), None))
    ...     def process_element(self, value, ctx):
    ...         self.average.add(value)
    ...         yield self.average.get()
    >>> with KeyedProcessHarness(Averages(), lambda n: 0) as harness:
    ...     for n in (1, 2, 6):
    ...         harness.process_element(n)
    ...     print(harness.take_output())
    [1.0, 1.5, 3.0]
    """

    def _bind(self, context: _native.Context, index: int) -> None:
        descriptor = self._descriptor
        assert isinstance(descriptor, AggregatingStateDescriptor)
        function = descriptor.agg_function
        callables = (function.create_accumulator, function.add, function.get_result)
        self._take(states_of(context).AggregatingState(context, index, callables, _value_schema(descriptor.type_info)), "get", "add", "clear")


class ListState(MergingState[T, Iterable[T]]):
    """A list.

    >>> from millstream.common import Types
    >>> from millstream.datastream import KeyedProcessFunction
    >>> from millstream.testing import KeyedProcessHarness
    >>> class Pairs(KeyedProcessFunction):
    ...     def open(self, runtime_context):
    ...         self.words = runtime_context.get_list_state(ListStateDescriptor("words", Types.STRING()))
    ...     def process_element(self, value, ctx):
    ...         self.words.add(value)
    ...         if len(list(self.words.get())) == 2:
    ...             yield list(self.words.get())
    ...             self.words.clear()
    >>> with KeyedProcessHarness(Pairs(), len) as harness:
    ...     for word in ("to", "not", "be"):
    ...         harness.process_element(word)
    ...     print(harness.take_output())
    [['to', 'be']]
    """

    def update(self, values: list[T]) -> None:
        """Takes these values instead of all before."""
        self._unbound()

    def add_all(self, values: list[T]) -> None:
        """Adds several values."""
        self._unbound()

    def __iter__(self) -> Iterator[T]:
        return iter(self.get() or ())

    def _bind(self, context: _native.Context, index: int) -> None:
        native = states_of(context).ListState(context, index, _value_schema(self._descriptor.type_info))
        self._take(native, "get", "add", "update", "add_all", "clear")


class MapState(State, Generic[K, V]):
    """A map. Entries come in the order in which their keys were first put. ``state[key]``, ``del``, ``in``, ``len`` and iteration work too.

    >>> from millstream.common import Types
    >>> from millstream.datastream import KeyedProcessFunction
    >>> from millstream.testing import KeyedProcessHarness
    >>> class Counts(KeyedProcessFunction):
    ...     def open(self, runtime_context):
    ...         self.counts = runtime_context.get_map_state(MapStateDescriptor("counts", Types.STRING(), Types.LONG()))
    ...     def process_element(self, value, ctx):
    ...         self.counts.put(value, (self.counts.get(value) or 0) + 1)
    ...         yield dict(self.counts.items())
    >>> with KeyedProcessHarness(Counts(), len) as harness:
    ...     for word in ("to", "be", "to"):
    ...         harness.process_element(word)
    ...     print(harness.take_output()[-1])
    {'to': 2, 'be': 1}
    """

    _engine: _native.MapState

    def get(self, key: K) -> V | None:
        """The value of a key, or ``None``."""
        self._unbound()

    def put(self, key: K, value: V) -> None:
        """Sets the value of a key."""
        self._unbound()

    def put_all(self, dict_value: Mapping[K, V]) -> None:
        """Sets several."""
        self._unbound()

    def remove(self, key: K) -> None:
        """Forgets a key."""
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

    def __getitem__(self, key: K) -> V | None:
        return self.get(key)

    def __setitem__(self, key: K, value: V) -> None:
        self.put(key, value)

    def __delitem__(self, key: K) -> None:
        self.remove(key)

    def __contains__(self, key: K) -> bool:
        return self.contains(key)

    def __iter__(self) -> Iterator[K]:
        return iter(self.keys())

    def __len__(self) -> int:
        native = self.__dict__.get("_engine")
        if native is None:
            self._unbound()
        return len(native)

    def _bind(self, context: _native.Context, index: int) -> None:
        descriptor = self._descriptor
        assert isinstance(descriptor, MapStateDescriptor)
        native = states_of(context).MapState(context, index, _value_schema(descriptor.key_type_info), _value_schema(descriptor.type_info))
        self.__dict__["_engine"] = native
        self._take(native, "get", "put", "put_all", "remove", "contains", "items", "keys", "values", "is_empty", "clear")


def states_of(context: _native.Context) -> Any:
    """Where the states of a context are made: in the engine, or in its twin of :mod:`millstream.testing`."""
    return getattr(context, "states", _native)


def told(declaration: tuple[str, _native.StateKind, str, str | None]) -> str:
    """What is declared, in words, for messages.

    >>> told(("s", "MAP", "OBJECT", "STRING"))
    'a map state from STRING to Python objects'
    """
    _, kind, value, key = declaration
    types = " to ".join("Python objects" if schema == OBJECT else schema for schema in (key, value) if schema is not None)
    name = kind.removeprefix("OPERATOR_").lower().replace("_", " ")
    return f"{'an' if name.startswith('a') else 'a'} {name} state {'of' if key is None else 'from'} {types}"


def _value_schema(type_info: TypeInformation) -> str:
    # A tuple is a shape of a stream, no type of a value: in a state it stays a Python object.
    declared = type_info._field_type()
    # PyFlink's workers give back the double that a FLOAT state was given, so that sums in it round as Python's.
    return "DOUBLE" if declared == "FLOAT" else declared


def __getattr__(name: str) -> Any:
    # These modules import this one.
    if name in ("BroadcastState", "OperatorStateStore", "ReadOnlyBroadcastState"):
        from millstream.datastream import operator_state

        return getattr(operator_state, name)
    if name == "StateTtlConfig":
        from millstream.datastream.state_ttl import StateTtlConfig

        return StateTtlConfig
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


guard(globals(), hot=("AggregatingState", "AppendingState", "ListState", "MapState", "MergingState", "ReducingState", "State", "ValueState"))
