"""Functions of two connected streams."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from millstream.datastream.functions import Function

if TYPE_CHECKING:
    from millstream.datastream.operator_state import BroadcastState, ReadOnlyBroadcastState
    from millstream.datastream.state import MapStateDescriptor, StateDescriptor
    from millstream.datastream.time_domain import TimeDomain
    from millstream.datastream.timerservice import TimerService

__all__ = [
    "BaseBroadcastProcessFunction",
    "BroadcastProcessFunction",
    "CoFlatMapFunction",
    "CoMapFunction",
    "CoProcessFunction",
    "KeyedBroadcastProcessFunction",
    "KeyedCoProcessFunction",
    "ProcessJoinFunction",
]

IN1 = TypeVar("IN1")
IN2 = TypeVar("IN2")
OUT = TypeVar("OUT")
KEY = TypeVar("KEY")


class CoMapFunction(Function, Generic[IN1, IN2, OUT]):
    """One value for each of either stream; ``None`` stands for no value.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> class Shown(CoMapFunction):
    ...     def map1(self, value):
    ...         return f"number {value}"
    ...     def map2(self, value):
    ...         return f"word {value}"
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> shown = env.from_collection([1]).connect(env.from_collection(["a"])).map(Shown())
    >>> sorted(shown.execute_and_collect())
    ['number 1', 'word a']
    """

    @abstractmethod
    def map1(self, value: IN1) -> OUT | None:
        """The value that takes the place of one of the first stream."""

    @abstractmethod
    def map2(self, value: IN2) -> OUT | None:
        """The value that takes the place of one of the second stream."""


class CoFlatMapFunction(Function, Generic[IN1, IN2, OUT]):
    """Any number of values for each of either stream.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> class Letters(CoFlatMapFunction):
    ...     def flat_map1(self, value):
    ...         yield from value
    ...     def flat_map2(self, value):
    ...         return None
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> letters = env.from_collection(["ab"]).connect(env.from_collection(["c"])).flat_map(Letters())
    >>> list(letters.execute_and_collect())
    ['a', 'b']
    """

    @abstractmethod
    def flat_map1(self, value: IN1) -> Iterable[OUT] | None:
        """Yields the values that take the place of one of the first stream, or gives them as an iterable; ``None`` for none."""

    @abstractmethod
    def flat_map2(self, value: IN2) -> Iterable[OUT] | None:
        """Yields the values that take the place of one of the second stream, or gives them as an iterable; ``None`` for none."""


class CoProcessFunction(Function, Generic[IN1, IN2, OUT]):
    """Any number of results and side outputs for each value of either stream, with its timestamp at hand.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> class Both(CoProcessFunction):
    ...     def process_element1(self, value, ctx):
    ...         yield "one", value
    ...     def process_element2(self, value, ctx):
    ...         yield "two", value
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> both = env.from_collection([1]).connect(env.from_collection([2])).process(Both())
    >>> sorted(both.execute_and_collect())
    [('one', 1), ('two', 2)]
    """

    class Context(ABC):
        """What is known besides the value. Only valid during the call."""

        @abstractmethod
        def timestamp(self) -> int | None:
            """The value's timestamp in milliseconds, or ``None`` if it has none."""

        @abstractmethod
        def timer_service(self) -> TimerService:
            """The time now; timers need keyed streams."""

    @abstractmethod
    def process_element1(self, value: IN1, ctx: CoProcessFunction.Context) -> Iterable[Any] | None:
        """Called with each value of the first stream. Yields results, and ``tag, value`` for side outputs."""

    @abstractmethod
    def process_element2(self, value: IN2, ctx: CoProcessFunction.Context) -> Iterable[Any] | None:
        """Called with each value of the second stream. Yields as :meth:`process_element1` does."""


class KeyedCoProcessFunction(Function, Generic[KEY, IN1, IN2, OUT]):
    """A process function over two keyed streams. Values of both with one key share its states and timers.

    >>> from millstream.common import Types
    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> from millstream.datastream.state import ListStateDescriptor
    >>> class Join(KeyedCoProcessFunction):
    ...     def open(self, runtime_context):
    ...         self.left = runtime_context.get_list_state(ListStateDescriptor("left"))
    ...         self.right = runtime_context.get_list_state(ListStateDescriptor("right"))
    ...     def process_element1(self, value, ctx):
    ...         self.left.add(value)
    ...         for other in self.right:
    ...             yield value[0], value[1], other[1]
    ...     def process_element2(self, value, ctx):
    ...         self.right.add(value)
    ...         for other in self.left:
    ...             yield value[0], other[1], value[1]
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> prices = env.from_collection([("a", 3), ("b", 4)])
    >>> names = env.from_collection([("a", "apple")])
    >>> joined = prices.connect(names).key_by(lambda price: price[0], lambda name: name[0]).process(Join())
    >>> list(joined.execute_and_collect())
    [('a', 3, 'apple')]
    """

    class Context(ABC):
        """What is known besides the value. Only valid during the call."""

        @abstractmethod
        def get_current_key(self) -> Any:
            """The value's key."""

        @abstractmethod
        def timestamp(self) -> int | None:
            """The value's timestamp in milliseconds, or ``None`` if it has none."""

        @abstractmethod
        def timer_service(self) -> TimerService:
            """The time now, and timers for the current key. The watermark is the lower one of the two streams."""

    class OnTimerContext(Context):
        """What is known besides the time of the timer."""

        @abstractmethod
        def time_domain(self) -> TimeDomain:
            """Whether the timer went by event time or by processing time."""

    @abstractmethod
    def process_element1(self, value: IN1, ctx: KeyedCoProcessFunction.Context) -> Iterable[Any] | None:
        """Called with each value of the first stream. Yields results, and ``tag, value`` for side outputs."""

    @abstractmethod
    def process_element2(self, value: IN2, ctx: KeyedCoProcessFunction.Context) -> Iterable[Any] | None:
        """Called with each value of the second stream. Yields as :meth:`process_element1` does."""

    def on_timer(self, timestamp: int, ctx: KeyedCoProcessFunction.OnTimerContext) -> Iterable[Any] | None:
        """Called when a timer is due, with the time that it was set for. Yields as :meth:`process_element1` does."""
        return None


class BaseBroadcastProcessFunction(Function):
    """What functions of a stream and a broadcast stream have in common: the contexts.

    >>> issubclass(BroadcastProcessFunction, BaseBroadcastProcessFunction)
    True
    """

    class BaseContext(ABC):
        """What is known besides the value. Only valid during the call."""

        @abstractmethod
        def timestamp(self) -> int | None:
            """The timestamp of the value (or timer) in milliseconds, or ``None`` if it has none."""

        @abstractmethod
        def current_processing_time(self) -> int:
            """The clock's time in milliseconds."""

        @abstractmethod
        def current_watermark(self) -> int:
            """Event time has come so far, in milliseconds, on both streams."""

    class Context(BaseContext):
        """For values of the broadcast stream: the broadcast state may be changed."""

        @abstractmethod
        def get_broadcast_state(self, state_descriptor: MapStateDescriptor) -> BroadcastState[Any, Any]:
            """The state of a descriptor. Raises ``InvalidStateError`` for one that was not given to ``broadcast``."""

    class ReadOnlyContext(BaseContext):
        """For values of the other stream: the broadcast state may be read."""

        @abstractmethod
        def get_broadcast_state(self, state_descriptor: MapStateDescriptor) -> ReadOnlyBroadcastState[Any, Any]:
            """The state of a descriptor. Raises ``InvalidStateError`` for one that was not given to ``broadcast``."""


class BroadcastProcessFunction(BaseBroadcastProcessFunction, Generic[IN1, IN2, OUT]):
    """Values of one stream meet what values of a broadcast stream have left in the broadcast state.

    Which of two values that arrive on different streams comes first is not determined: a value may meet the state before or after a change.

    >>> from millstream.common import Types
    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> from millstream.datastream.state import MapStateDescriptor
    >>> RULES = MapStateDescriptor("rules", Types.STRING(), Types.INT())
    >>> class Rules(BroadcastProcessFunction):
    ...     def process_element(self, value, ctx):
    ...         yield value, len(ctx.get_broadcast_state(RULES)) <= 2
    ...     def process_broadcast_element(self, value, ctx):
    ...         ctx.get_broadcast_state(RULES).put(*value)
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> rules = env.from_collection([("max", 10), ("min", 2)]).broadcast(RULES)
    >>> list(env.from_collection([7]).connect(rules).process(Rules()).execute_and_collect())
    [(7, True)]
    """

    class Context(BaseBroadcastProcessFunction.Context, ABC):
        """For values of the broadcast stream."""

    class ReadOnlyContext(BaseBroadcastProcessFunction.ReadOnlyContext, ABC):
        """For values of the other stream."""

    @abstractmethod
    def process_element(self, value: IN1, ctx: BroadcastProcessFunction.ReadOnlyContext) -> Iterable[Any] | None:
        """Called with each value of the stream that is not broadcast. Yields results, and ``tag, value`` for side outputs."""

    @abstractmethod
    def process_broadcast_element(self, value: IN2, ctx: BroadcastProcessFunction.Context) -> Iterable[Any] | None:
        """Called in each subtask with each value of the broadcast stream. Yields as :meth:`process_element` does."""


class KeyedBroadcastProcessFunction(BaseBroadcastProcessFunction, Generic[KEY, IN1, IN2, OUT]):
    """The same for a keyed stream: with states and timers for each key.

    >>> from millstream.common import Types
    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> from millstream.datastream.state import MapStateDescriptor
    >>> limits = MapStateDescriptor("limits", Types.STRING(), Types.LONG())
    >>> class Limit(KeyedBroadcastProcessFunction):
    ...     def process_element(self, value, ctx):
    ...         if ctx.get_broadcast_state(limits).contains(ctx.get_current_key()):
    ...             yield value
    ...     def process_broadcast_element(self, value, ctx):
    ...         ctx.get_broadcast_state(limits).put(*value)
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> rules = env.from_collection([("a", 1)]).broadcast(limits)
    >>> limited = env.from_collection(["a", "b"]).key_by(lambda word: word).connect(rules).process(Limit())
    >>> set(limited.execute_and_collect()) <= {"a"}
    True
    """

    class Context(BaseBroadcastProcessFunction.Context, ABC):
        """For values of the broadcast stream. They have no key."""

        @abstractmethod
        def apply_to_keyed_state(self, state_descriptor: StateDescriptor, function: Callable[[Any, Any], Any]) -> None:
            """Calls ``function(key, state)`` for each key of the subtask that has something in a keyed state, in the order in which keys first came.

            The state is one that the function made in ``open``; meanwhile it stands for that key, and may be changed. An object with a method
            ``process(key, state)`` does as well. PyFlink lacks this method of Flink's.
            """

    class ReadOnlyContext(BaseBroadcastProcessFunction.ReadOnlyContext, ABC):
        """For values of the keyed stream."""

        @abstractmethod
        def timer_service(self) -> TimerService:
            """The time now, and timers for the current key."""

        @abstractmethod
        def get_current_key(self) -> Any:
            """The value's key."""

    class OnTimerContext(ReadOnlyContext, ABC):
        """What is known besides the time of the timer."""

        @abstractmethod
        def time_domain(self) -> TimeDomain:
            """Whether the timer went by event time or by processing time."""

    @abstractmethod
    def process_element(self, value: IN1, ctx: KeyedBroadcastProcessFunction.ReadOnlyContext) -> Iterable[Any] | None:
        """Called with each value of the keyed stream. Yields results, and ``tag, value`` for side outputs."""

    @abstractmethod
    def process_broadcast_element(self, value: IN2, ctx: KeyedBroadcastProcessFunction.Context) -> Iterable[Any] | None:
        """Called in each subtask with each value of the broadcast stream. Yields as :meth:`process_element` does."""

    def on_timer(self, timestamp: int, ctx: KeyedBroadcastProcessFunction.OnTimerContext) -> Iterable[Any] | None:
        """Called when a timer is due, with the time that it was set for. Yields as :meth:`process_element` does."""
        return None


class ProcessJoinFunction(Function, Generic[IN1, IN2, OUT]):
    """Makes results of two values that an interval join has brought together. As in Flink's Java API; PyFlink has no interval join.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> from millstream.testing import TestStream
    >>> class Pair(ProcessJoinFunction):
    ...     def process_element(self, left, right, ctx):
    ...         yield left, right, ctx.get_timestamp()
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> left = env.from_source(TestStream().add("a", 10)).key_by(lambda word: 0)
    >>> right = env.from_source(TestStream().add("b", 12).add("c", 20)).key_by(lambda word: 0)
    >>> list(left.interval_join(right).between(-5, 5).process(Pair()).execute_and_collect())
    [('a', 'b', 12)]
    """

    class Context(ABC):
        """What is known besides the two values. Only valid during the call."""

        @abstractmethod
        def get_left_timestamp(self) -> int | None:
            """The timestamp of the left value in milliseconds; ``None`` where an outer join has no left value."""

        @abstractmethod
        def get_right_timestamp(self) -> int | None:
            """The timestamp of the right value in milliseconds; ``None`` where an outer join has no right value."""

        @abstractmethod
        def get_timestamp(self) -> int:
            """The timestamp of the results: the later one of the two; for a value that met nobody the time at which that was certain."""

    @abstractmethod
    def process_element(self, left: IN1, right: IN2, ctx: ProcessJoinFunction.Context) -> Iterable[Any] | None:
        """Yields results, and ``tag, value`` for side outputs. In an outer join the value that a side has not is ``None``."""
