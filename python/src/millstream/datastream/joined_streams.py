"""Joins and groups of two streams in windows.

PyFlink has neither; these are those of Flink's Java API, with its names in Python's spelling. As in Flink, both are one keyed and windowed
stream: the union of the two, each element with a tag that tells where it came from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from millstream._tracebacks import guard
from millstream.common.time import Duration, Time
from millstream.common.typeinfo import TypeInformation, type_of
from millstream.datastream.checkpointed_function import refuse_checkpointed
from millstream.datastream.field_access import part_of
from millstream.datastream.function_adapter import checked_function
from millstream.datastream.functions import (
    CoGroupFunction,
    FlatJoinFunction,
    Function,
    JoinFunction,
    KeySelector,
    MapFunction,
    RuntimeContext,
    WindowFunction,
)
from millstream.datastream.windowed_stream import WindowedStream
from millstream.exceptions import PlanError

if TYPE_CHECKING:
    from millstream.datastream.data_stream import DataStream
    from millstream.datastream.evictors import Evictor
    from millstream.datastream.triggers import Trigger
    from millstream.datastream.window import WindowAssigner

__all__ = ["CoGroupedStreams", "JoinedStreams", "TaggedUnion"]

Selector = Callable[[Any], Any] | KeySelector[Any, Any] | str | int


class TaggedUnion(NamedTuple):
    """An element of one of the two streams, as triggers and evictors of a join see it.

    >>> TaggedUnion(0, "key", "left").get_one(), TaggedUnion(0, "key", "left").get_two()
    ('left', None)
    """

    tag: int
    key: Any
    value: Any

    def is_one(self) -> bool:
        """Whether it is of the first stream."""
        return self.tag == 0

    def is_two(self) -> bool:
        """Whether it is of the second stream."""
        return self.tag == 1

    def get_one(self) -> Any:
        """The first stream's element; ``None`` for one of the second."""
        return self.value if self.tag == 0 else None

    def get_two(self) -> Any:
        """The second stream's element; ``None`` for one of the first."""
        return self.value if self.tag == 1 else None


class _TwoStreams:
    """Two streams, of which the pairs with one key are looked at together."""

    def __init__(self, first: DataStream, second: DataStream) -> None:
        from millstream.datastream.data_stream import DataStream

        if not isinstance(second, DataStream):
            raise TypeError(f"a DataStream is needed, not {second!r}")
        if first.get_execution_environment() is not second.get_execution_environment():
            raise PlanError("the two streams belong to different environments")
        self._first = first._values()
        self._second = second._values()

    def _where(self, key_selector: Any, key_type: Any, joined: type[WithWindow]) -> Where:
        return Where(self._first, self._second, _selector(key_selector, "where"), type_of(key_type, "key_type of where"), joined)


class CoGroupedStreams(_TwoStreams):
    """Two streams whose elements with one key and window come together, as lists.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> from millstream.datastream.window import GlobalWindows
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> orders = env.from_collection([(1, "tea"), (2, "milk")])
    >>> payments = env.from_collection([(1, 5), (1, 7)])
    >>> both = orders.co_group(payments).where(0).equal_to(0).window(GlobalWindows.create_with_end_of_stream_trigger())
    >>> sorted(both.apply(lambda order, paid: [(order[0][1], [amount for _, amount in paid])]).execute_and_collect())
    [('milk', []), ('tea', [5, 7])]
    """

    def where(self, key_selector: Selector, key_type: TypeInformation | None = None) -> Where:
        """The first stream's key: a function, a KeySelector, or a field's name or position."""
        return self._where(key_selector, key_type, CoGroupedWithWindow)


class JoinedStreams(_TwoStreams):
    """Two streams whose elements with one key and window come together, in pairs.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> from millstream.datastream.window import GlobalWindows
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> orders = env.from_collection([(1, "tea"), (2, "milk")])
    >>> payments = env.from_collection([(1, 5), (1, 7)])
    >>> both = orders.join(payments).where(0).equal_to(0).window(GlobalWindows.create_with_end_of_stream_trigger())
    >>> sorted(both.apply(lambda order, payment: (order[1], payment[1])).execute_and_collect())
    [('tea', 5), ('tea', 7)]
    """

    def where(self, key_selector: Selector, key_type: TypeInformation | None = None) -> Where:
        """The first stream's key: a function, a KeySelector, or a field's name or position."""
        return self._where(key_selector, key_type, JoinedWithWindow)


class Where:
    """Two streams, of which the first one's key is known."""

    def __init__(self, first: DataStream, second: DataStream, selector: Any, key_type: TypeInformation, joined: type[WithWindow]) -> None:
        self._first, self._second, self._selector, self._key_type, self._joined = first, second, selector, key_type, joined

    def equal_to(self, key_selector: Selector, key_type: TypeInformation | None = None) -> EqualTo:
        """The second stream's key, of the same type as the first one's. Raises ``PlanError`` if both types are given and differ."""
        second_type = type_of(key_type, "key_type of equal_to")
        if key_type is not None and second_type.schema() != self._key_type.schema():
            raise PlanError(f"the keys of the two streams have different types: {self._key_type!r} and {second_type!r}")
        selector = _selector(key_selector, "equal_to")
        tagged = [
            stream.map(_Tag(number, select)).name(f"Tag {number + 1}")
            for number, (stream, select) in enumerate([(self._first, self._selector), (self._second, selector)])
        ]
        return EqualTo(tagged[0].union(tagged[1]), self._key_type, self._joined)


class EqualTo:
    """Two streams whose keys are known."""

    def __init__(self, union: DataStream, key_type: TypeInformation, joined: type[WithWindow]) -> None:
        self._union, self._key_type, self._joined = union, key_type, joined

    def window(self, assigner: WindowAssigner[Any, Any]) -> WithWindow:
        """Which elements come together: those of one window."""
        return self._joined(WindowedStream(self._union.key_by(_key_of, self._key_type), assigner))


class WithWindow:
    """Two streams in windows."""

    _what: str

    def __init__(self, windowed: WindowedStream) -> None:
        self._windowed = windowed

    def trigger(self, trigger: Trigger[Any, Any]) -> Self:
        """Takes another trigger than the assigner's default one. It sees :class:`TaggedUnion` elements."""
        self._windowed.trigger(trigger)
        return self

    def evictor(self, evictor: Evictor[Any, Any]) -> Self:
        """Takes elements out of windows when they fire. It sees :class:`TaggedUnion` elements."""
        self._windowed.evictor(evictor)
        return self

    def allowed_lateness(self, time_ms: int | Time | Duration | timedelta) -> Self:
        """How long after its end a window still takes late elements of either stream, which make it fire again."""
        self._windowed.allowed_lateness(time_ms)
        return self

    def apply(self, function: Any, output_type: TypeInformation | list[Any] | str | None = None) -> DataStream:
        """Makes results of each window's elements of both streams."""
        return self._windowed.apply(self._group(function), output_type).name(self._what)

    def _group(self, function: Any) -> WindowFunction[Any, Any, Any, Any]:
        raise NotImplementedError


class CoGroupedWithWindow(WithWindow):
    """Two streams in windows; ``apply`` takes a :class:`CoGroupFunction`, or a function of two lists that gives an iterable or ``None``."""

    _what = "CoGroup"

    def _group(self, function: Any) -> WindowFunction[Any, Any, Any, Any]:
        refuse_checkpointed(function, "co_group")
        checked_function(function, CoGroupFunction, "co_group", "apply")
        return _Group(function, "co_group", None)


class JoinedWithWindow(WithWindow):
    """Two streams in windows; ``apply`` takes a :class:`JoinFunction`, a :class:`FlatJoinFunction`, or a function of two elements."""

    _what = "Join"

    def _group(self, function: Any) -> WindowFunction[Any, Any, Any, Any]:
        refuse_checkpointed(function, "join")
        if isinstance(function, FlatJoinFunction):
            return _Group(function, "join", _flat_join)
        checked_function(function, JoinFunction, "join", "apply")
        return _Group(function, "join", _join)


class _Around(Function):
    """A function object around the user's: begins and ends with it."""

    def __init__(self, function: Any) -> None:
        self._function = function

    def open(self, runtime_context: RuntimeContext) -> None:
        if isinstance(self._function, Function):
            self._function.open(runtime_context)

    def close(self) -> None:
        if isinstance(self._function, Function):
            self._function.close()


class _Tag(_Around, MapFunction[Any, TaggedUnion]):
    """Gives an element its tag and key."""

    def __init__(self, tag: int, selector: Any) -> None:
        super().__init__(selector)
        self._tag = tag

    def map(self, value: Any) -> TaggedUnion:
        select = self._function
        return TaggedUnion(self._tag, select.get_key(value) if isinstance(select, KeySelector) else select(value), value)


class _Group(_Around, WindowFunction[Any, Any, Any, Any]):
    """Divides a window's elements by their tags for the user's function."""

    def __init__(self, function: Any, method: str, pairs: Callable[..., Iterator[Any]] | None) -> None:
        super().__init__(function)
        self._method = method
        self._pairs = pairs

    def apply(self, key: Any, window: Any, inputs: Iterable[TaggedUnion]) -> Any:
        call = getattr(self._function, self._method) if isinstance(self._function, Function) else self._function
        first: list[Any] = []
        second: list[Any] = []
        for tag, _, value in inputs:
            (second if tag else first).append(value)
        return call(first, second) if self._pairs is None else self._pairs(call, first, second)


def _join(call: Callable[[Any, Any], Any], first: list[Any], second: list[Any]) -> Iterator[Any]:
    return (call(one, two) for one in first for two in second)


def _flat_join(call: Callable[[Any, Any], Any], first: list[Any], second: list[Any]) -> Iterator[Any]:
    return (result for one in first for two in second for result in call(one, two) or ())


def _selector(selector: Any, what: str) -> Any:
    if isinstance(selector, (str, int)) and not isinstance(selector, bool):
        return lambda value: part_of(value, selector)
    checked_function(selector, KeySelector, "get_key", what)
    return selector


def _key_of(tagged: TaggedUnion) -> Any:
    return tagged[1]


guard(globals(), hot=("TaggedUnion",))
