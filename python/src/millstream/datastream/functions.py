"""What users write: functions that jobs call.

A plain callable will do wherever a function takes one value and gives one. A class is needed where a function has a beginning and an end, keeps state
or sets timers. Each subtask of an operator gets its own copy of such an object, made with ``copy.deepcopy`` when the job starts; ``open`` is called
before the first record and ``close`` after the last, also after a failure. What plain callables refer to is shared by all subtasks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from millstream.common.accumulators import Accumulator, DoubleCounter, Histogram, IntCounter, LongCounter
    from millstream.datastream.distributed_cache import DistributedCache
    from millstream.datastream.state import (
        AggregatingState,
        AggregatingStateDescriptor,
        ListState,
        ListStateDescriptor,
        MapState,
        MapStateDescriptor,
        ReducingState,
        ReducingStateDescriptor,
        ValueState,
        ValueStateDescriptor,
    )
    from millstream.datastream.time_domain import TimeDomain
    from millstream.datastream.timerservice import TimerService
    from millstream.metrics import MetricGroup

__all__ = [  # noqa: F822 - some come lazily
    "AggregateFunction",
    "AllWindowFunction",
    "AsyncFunction",
    "AsyncFunctionDescriptor",
    "AsyncRetryPredicate",
    "AsyncRetryStrategy",
    "BaseBroadcastProcessFunction",
    "BroadcastProcessFunction",
    "CoFlatMapFunction",
    "CoGroupFunction",
    "CoMapFunction",
    "CoProcessFunction",
    "FilterFunction",
    "FlatJoinFunction",
    "FlatMapFunction",
    "Function",
    "JoinFunction",
    "KeySelector",
    "KeyedBroadcastProcessFunction",
    "KeyedCoProcessFunction",
    "KeyedProcessFunction",
    "KeyedStateStore",
    "MapFunction",
    "Partitioner",
    "ProcessAllWindowFunction",
    "ProcessFunction",
    "ProcessJoinFunction",
    "ProcessWindowFunction",
    "ReduceFunction",
    "RuntimeContext",
    "SinkFunction",
    "SourceFunction",
    "TimerService",
    "WindowFunction",
]

IN = TypeVar("IN")
OUT = TypeVar("OUT")
KEY = TypeVar("KEY")
W = TypeVar("W")
W2 = TypeVar("W2")
ACC = TypeVar("ACC")


class KeyedStateStore(ABC):
    """Where a function gets its states. A state belongs to the current key; asking for a name twice gives the same state.

    >>> issubclass(RuntimeContext, KeyedStateStore)
    True
    """

    @abstractmethod
    def get_state(self, state_descriptor: ValueStateDescriptor) -> ValueState[Any]:
        """One value per key."""

    @abstractmethod
    def get_list_state(self, state_descriptor: ListStateDescriptor) -> ListState[Any]:
        """A list per key."""

    @abstractmethod
    def get_map_state(self, state_descriptor: MapStateDescriptor) -> MapState[Any, Any]:
        """A map per key."""

    @abstractmethod
    def get_reducing_state(self, state_descriptor: ReducingStateDescriptor) -> ReducingState[Any]:
        """One value per key, into which others are reduced."""

    @abstractmethod
    def get_aggregating_state(self, state_descriptor: AggregatingStateDescriptor) -> AggregatingState[Any, Any]:
        """An accumulator per key, to which values are added."""


class RuntimeContext(KeyedStateStore):
    """What a function learns in ``open``: which subtask it is, its parameters, its states and metrics."""

    @abstractmethod
    def get_task_name(self) -> str:
        """The operator's name."""

    @abstractmethod
    def get_number_of_parallel_subtasks(self) -> int:
        """The operator's parallelism."""

    @abstractmethod
    def get_max_number_of_parallel_subtasks(self) -> int:
        """The number of key groups."""

    @abstractmethod
    def get_index_of_this_subtask(self) -> int:
        """Which of the subtasks this is, from 0."""

    @abstractmethod
    def get_attempt_number(self) -> int:
        """How often the subtask was started before."""

    @abstractmethod
    def get_task_name_with_subtasks(self) -> str:
        """The name with the subtask's number, from 1, and the parallelism: ``Map (1/4)``."""

    @abstractmethod
    def get_job_parameter(self, key: str, default_value: str | None = None) -> str | None:
        """A parameter that was set with ``ExecutionConfig.set_global_job_parameters``."""

    @abstractmethod
    def get_distributed_cache(self) -> DistributedCache:
        """The files that were given names with ``env.register_cached_file``. Only Java has it in Flink."""

    @abstractmethod
    def get_metrics_group(self) -> MetricGroup:
        """Where to make counters, gauges, meters and distributions."""

    @abstractmethod
    def add_accumulator(self, name: str, accumulator: Accumulator[Any, Any]) -> None:
        """Gives an accumulator a name, under which the job's result has it, merged over the subtasks.

        Raises ``InvalidStateError`` for a name that the subtask has used, or that is of another class elsewhere. Only Java has it in Flink.

        >>> from millstream.common.accumulators import IntCounter
        >>> from millstream.datastream import StreamExecutionEnvironment
        >>> class CountShort(FilterFunction):
        ...     def open(self, runtime_context):
        ...         self.dropped = IntCounter()
        ...         runtime_context.add_accumulator("dropped", self.dropped)
        ...     def filter(self, value):
        ...         if len(value) > 1:
        ...             return True
        ...         self.dropped.add(1)
        ...         return False
        >>> env = StreamExecutionEnvironment.get_execution_environment()
        >>> sink = env.from_collection(["a", "to", "b", "be"]).filter(CountShort()).print()
        >>> env.execute().get_accumulator_result("dropped")
        to
        be
        2
        """

    @abstractmethod
    def get_accumulator(self, name: str) -> Accumulator[Any, Any] | None:
        """This subtask's accumulator of a name, or ``None``."""

    @abstractmethod
    def get_int_counter(self, name: str) -> IntCounter:
        """This subtask's counter of a name, made where there is none. Raises ``InvalidStateError`` if the name is of another class."""

    @abstractmethod
    def get_long_counter(self, name: str) -> LongCounter:
        """As :meth:`get_int_counter`."""

    @abstractmethod
    def get_double_counter(self, name: str) -> DoubleCounter:
        """As :meth:`get_int_counter`, for floating point numbers."""

    @abstractmethod
    def get_histogram(self, name: str) -> Histogram:
        """As :meth:`get_int_counter`, for how often each whole number comes."""


class Function(ABC):  # noqa: B024 - open and close may be left out
    """The base of all function classes.

    >>> class Connected(MapFunction):
    ...     def open(self, runtime_context):
    ...         self.subtask = runtime_context.get_index_of_this_subtask()
    ...     def map(self, value):
    ...         return value, self.subtask
    >>> isinstance(Connected(), Function)
    True
    """

    def open(self, runtime_context: RuntimeContext) -> None:  # noqa: B027
        """Called once in each subtask before the first record: the place to make states, files and connections."""

    def close(self) -> None:  # noqa: B027
        """Called once in each subtask after the last record, also after a failure."""


class MapFunction(Function, Generic[IN, OUT]):
    """One value for each.

    >>> class Double(MapFunction):
    ...     def map(self, value):
    ...         return value * 2
    """

    @abstractmethod
    def map(self, value: IN) -> OUT:
        """The value that takes the place of ``value``."""


class FlatMapFunction(Function, Generic[IN, OUT]):
    """Any number of values for each.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> class Words(FlatMapFunction):
    ...     def flat_map(self, value):
    ...         yield from value.split()
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> list(env.from_collection(["to be", ""]).flat_map(Words()).execute_and_collect())
    ['to', 'be']
    """

    @abstractmethod
    def flat_map(self, value: IN) -> Iterable[OUT] | None:
        """Yields the values that take the place of ``value``, or gives them as an iterable; ``None`` for none."""


class FilterFunction(Function, Generic[IN]):
    """Keeps some values.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> class Short(FilterFunction):
    ...     def filter(self, value):
    ...         return len(value) < 3
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> list(env.from_collection(["to", "question"]).filter(Short()).execute_and_collect())
    ['to']
    """

    @abstractmethod
    def filter(self, value: IN) -> bool:
        """Whether ``value`` stays."""


class KeySelector(Function, Generic[IN, KEY]):
    """Tells a value's key.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> class ByLength(KeySelector):
    ...     def get_key(self, value):
    ...         return len(value)
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> words = env.from_collection(["to", "be", "not"]).key_by(ByLength())
    >>> list(words.reduce(lambda a, b: a + b).execute_and_collect())
    ['to', 'tobe', 'not']
    """

    @abstractmethod
    def get_key(self, value: IN) -> KEY:
        """The key: never ``None``; for each value always the same."""


class Partitioner(Function, Generic[KEY]):
    """Tells where values with a key go.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> class Modulo(Partitioner):
    ...     def partition(self, key, num_partitions):
    ...         return key % num_partitions
    >>> env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(2)
    >>> numbers = env.from_collection([1, 2, 3]).partition_custom(Modulo(), lambda n: n)
    >>> sorted(numbers.map(lambda n: n).execute_and_collect())
    [1, 2, 3]
    """

    @abstractmethod
    def partition(self, key: KEY, num_partitions: int) -> int:
        """The number of the subtask, 0 to ``num_partitions - 1``."""


class ReduceFunction(Function, Generic[IN]):
    """Makes one value of two, of the same type. The order in which values come together is theirs in the stream.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> class Longest(ReduceFunction):
    ...     def reduce(self, value1, value2):
    ...         return max(value1, value2, key=len)
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> list(env.from_collection(["a", "to", "b"]).key_by(lambda word: 0).reduce(Longest()).execute_and_collect())
    ['a', 'to', 'to']
    """

    @abstractmethod
    def reduce(self, value1: IN, value2: IN) -> IN:
        """The value that stands for both; ``value1`` is the result so far."""


class AggregateFunction(Function, Generic[IN, ACC, OUT]):
    """Adds values to an accumulator and makes a result of it.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> class Average(AggregateFunction):
    ...     def create_accumulator(self):
    ...         return 0, 0
    ...     def add(self, value, accumulator):
    ...         return accumulator[0] + value, accumulator[1] + 1
    ...     def get_result(self, accumulator):
    ...         return accumulator[0] / accumulator[1]
    ...     def merge(self, acc_a, acc_b):
    ...         return acc_a[0] + acc_b[0], acc_a[1] + acc_b[1]
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> list(env.from_collection([1, 2, 6, 8]).key_by(lambda n: 0).count_window(2).aggregate(Average()).execute_and_collect())
    [1.5, 7.0]
    """

    @abstractmethod
    def create_accumulator(self) -> ACC:
        """An accumulator for no values."""

    @abstractmethod
    def add(self, value: IN, accumulator: ACC) -> ACC:
        """The accumulator with ``value`` added; may be the same object, changed."""

    @abstractmethod
    def get_result(self, accumulator: ACC) -> OUT:
        """The result so far."""

    @abstractmethod
    def merge(self, acc_a: ACC, acc_b: ACC) -> ACC:
        """One accumulator for the values of both; needed for session windows."""


class ProcessFunction(Function, Generic[IN, OUT]):
    """Any number of results and side outputs for each value, with its timestamp at hand.

    >>> from millstream.common import Types
    >>> from millstream.datastream import OutputTag, StreamExecutionEnvironment
    >>> odd = OutputTag("odd", Types.LONG())
    >>> class Split(ProcessFunction):
    ...     def process_element(self, value, ctx):
    ...         yield (odd, value) if value % 2 else value
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> even = env.from_collection([1, 2, 3], Types.LONG()).process(Split())
    >>> list(even.get_side_output(odd).execute_and_collect())
    [1, 3]
    """

    class Context(ABC):
        """What is known besides the value. Only valid during the call."""

        @abstractmethod
        def timestamp(self) -> int | None:
            """The value's timestamp in milliseconds, or ``None`` if it has none."""

        @abstractmethod
        def timer_service(self) -> TimerService:
            """The time now; timers need a keyed stream."""

    @abstractmethod
    def process_element(self, value: IN, ctx: ProcessFunction.Context) -> Iterable[Any] | None:
        """Yields results, and ``tag, value`` for side outputs."""


class KeyedProcessFunction(Function, Generic[KEY, IN, OUT]):
    """A process function with states and timers for each key.

    >>> from millstream.common import Types
    >>> from millstream.datastream.state import ValueStateDescriptor
    >>> class Count(KeyedProcessFunction):
    ...     def open(self, runtime_context):
    ...         self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))
    ...     def process_element(self, value, ctx):
    ...         count = (self.count.value() or 0) + 1
    ...         self.count.update(count)
    ...         yield ctx.get_current_key(), count
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
            """The time now, and timers for the current key."""

    class OnTimerContext(Context):
        """What is known besides the time of the timer."""

        @abstractmethod
        def time_domain(self) -> TimeDomain:
            """Whether the timer went by event time or by processing time."""

    @abstractmethod
    def process_element(self, value: IN, ctx: KeyedProcessFunction.Context) -> Iterable[Any] | None:
        """Yields results, and ``tag, value`` for side outputs."""

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterable[Any] | None:
        """Called when a timer is due, with the time that it was set for. Yields as :meth:`process_element` does."""
        return None


class WindowFunction(Function, Generic[IN, OUT, KEY, W]):
    """Makes results of a window's elements.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> class Largest(WindowFunction):
    ...     def apply(self, key, window, inputs):
    ...         yield key, max(inputs)
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> list(env.from_collection([1, 5, 2, 4]).key_by(lambda n: n % 2).count_window(2).apply(Largest()).execute_and_collect())
    [(1, 5), (0, 4)]
    """

    @abstractmethod
    def apply(self, key: KEY, window: W, inputs: Iterable[IN]) -> Iterable[OUT] | None:
        """Yields the window's results.

        ``inputs`` is a read-only sequence that may be gone through several times. It makes each element when it is asked for, so that a large
        window is never a list of objects, unless ``list(inputs)`` makes it one.
        """


class AllWindowFunction(Function, Generic[IN, OUT, W]):
    """Makes results of a window's elements, on a stream without keys.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> class Total(AllWindowFunction):
    ...     def apply(self, window, inputs):
    ...         yield sum(inputs)
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> list(env.from_collection([1, 2, 3, 4]).count_window_all(2).apply(Total()).execute_and_collect())
    [3, 7]
    """

    @abstractmethod
    def apply(self, window: W, inputs: Iterable[IN]) -> Iterable[OUT] | None:
        """Yields the window's results."""


class ProcessWindowFunction(Function, Generic[IN, OUT, KEY, W]):
    """Makes results of a window's elements, with the window, the time and states at hand.

    >>> from millstream.common import Types
    >>> from millstream.datastream.state import ValueStateDescriptor
    >>> class CountAndFiring(ProcessWindowFunction):
    ...     firings = ValueStateDescriptor("firings", Types.LONG())
    ...     def process(self, key, context, elements):
    ...         state = context.window_state().get_state(self.firings)
    ...         state.update((state.value() or 0) + 1)
    ...         yield key, context.window().start, len(elements), state.value()
    ...     def clear(self, context):
    ...         context.window_state().get_state(self.firings).clear()
    """

    class Context(ABC, Generic[W2]):
        """What is known besides the elements. Only valid during the call."""

        @abstractmethod
        def window(self) -> W2:
            """The window: its ``start`` and ``end`` in milliseconds."""

        @abstractmethod
        def current_processing_time(self) -> int:
            """The clock's time in milliseconds."""

        @abstractmethod
        def current_watermark(self) -> int:
            """Event time has come so far, in milliseconds."""

        @abstractmethod
        def window_state(self) -> KeyedStateStore:
            """States of this key and window; ``clear`` forgets them. Windows that merge have none: asking for one raises ``InvalidStateError``."""

        @abstractmethod
        def global_state(self) -> KeyedStateStore:
            """States of this key for all windows."""

    @abstractmethod
    def process(self, key: KEY, context: ProcessWindowFunction.Context[W], elements: Iterable[IN]) -> Iterable[OUT] | None:
        """Yields the window's results, and ``tag, value`` for side outputs.

        ``elements`` is a read-only sequence that may be gone through several times. It makes each element when it is asked for, so that a large
        window is never a list of objects, unless ``list(elements)`` makes it one.
        """

    def clear(self, context: ProcessWindowFunction.Context[W]) -> None:
        """Called when a window has expired: forgets its states."""


class ProcessAllWindowFunction(Function, Generic[IN, OUT, W]):
    """Makes results of a window's elements on a stream without keys, with the window, the time and states at hand.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> class Sorted(ProcessAllWindowFunction):
    ...     def process(self, context, elements):
    ...         yield sorted(elements)
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> list(env.from_collection([3, 1, 2]).count_window_all(3).process(Sorted()).execute_and_collect())
    [[1, 2, 3]]
    """

    class Context(ProcessWindowFunction.Context[W2]):
        """What is known besides the elements. Only valid during the call."""

    @abstractmethod
    def process(self, context: ProcessAllWindowFunction.Context[W], elements: Iterable[IN]) -> Iterable[OUT] | None:
        """Yields the window's results, and ``tag, value`` for side outputs."""

    def clear(self, context: ProcessAllWindowFunction.Context[W]) -> None:
        """Called when a window has expired: forgets its states."""


class CoGroupFunction(Function, Generic[IN, W, OUT]):
    """Makes results of the elements of two streams with one key and window. PyFlink has it not; it is that of Flink's Java API.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> from millstream.datastream.window import TumblingEventTimeWindows
    >>> from millstream.testing import TestStream
    >>> class Counts(CoGroupFunction):
    ...     def co_group(self, first, second):
    ...         yield len(list(first)), len(list(second))
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> one = env.from_source(TestStream().add("a", 1).add("a", 2))
    >>> other = env.from_source(TestStream().add("a", 3))
    >>> grouped = one.co_group(other).where(lambda word: word).equal_to(lambda word: word)
    >>> list(grouped.window(TumblingEventTimeWindows.of(10)).apply(Counts()).execute_and_collect())
    [(2, 1)]
    """

    @abstractmethod
    def co_group(self, first: Iterable[IN], second: Iterable[W]) -> Iterable[OUT] | None:
        """Yields results; ``first`` and ``second`` are lists, of which one may be empty."""


class JoinFunction(Function, Generic[IN, W, OUT]):
    """One result for each pair of elements of two streams. PyFlink has it not; it is that of Flink's Java API.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> from millstream.datastream.window import TumblingEventTimeWindows
    >>> from millstream.testing import TestStream
    >>> class Pair(JoinFunction):
    ...     def join(self, first, second):
    ...         return first, second
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> one = env.from_source(TestStream().add("ann", 1))
    >>> other = env.from_source(TestStream().add("anna", 3).add("bob", 4))
    >>> joined = one.join(other).where(lambda name: name[0]).equal_to(lambda name: name[0])
    >>> list(joined.window(TumblingEventTimeWindows.of(10)).apply(Pair()).execute_and_collect())
    [('ann', 'anna')]
    """

    @abstractmethod
    def join(self, first: IN, second: W) -> OUT:
        """The pair's result."""


class FlatJoinFunction(Function, Generic[IN, W, OUT]):
    """Any number of results for each pair of elements of two streams. PyFlink has it not; it is that of Flink's Java API.

    >>> class Longer(FlatJoinFunction):
    ...     def join(self, first, second):
    ...         if len(first) > len(second):
    ...             yield first
    >>> list(Longer().join("anna", "ann"))
    ['anna']
    """

    @abstractmethod
    def join(self, first: IN, second: W) -> Iterable[OUT] | None:
        """Yields the pair's results."""


class SinkFunction(Function, Generic[IN]):
    """Takes values one at a time. :class:`~millstream.datastream.connectors.python.PythonSink` takes them in batches, which is faster.

    A plain callable can be given instead.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> class Shout(SinkFunction):
    ...     def invoke(self, value):
    ...         print(value.upper())
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> sink = env.from_collection(["to", "be"]).add_sink(Shout())
    >>> result = env.execute()
    TO
    BE
    """

    def __init__(self, sink_func: Callable[[IN], Any] | None = None) -> None:
        self._sink_func = sink_func

    def invoke(self, value: IN) -> None:
        """Takes one value."""
        if self._sink_func is None:
            raise NotImplementedError(f"{type(self).__name__} has neither an invoke method nor a function")
        self._sink_func(value)


_ELSEWHERE = {
    "TimerService": "millstream.datastream.timerservice",
    **dict.fromkeys(
        ("AsyncFunction", "AsyncFunctionDescriptor", "AsyncRetryPredicate", "AsyncRetryStrategy"), "millstream.datastream.async_functions"
    ),
    **dict.fromkeys(
        (
            "BaseBroadcastProcessFunction",
            "BroadcastProcessFunction",
            "CoFlatMapFunction",
            "CoMapFunction",
            "CoProcessFunction",
            "KeyedBroadcastProcessFunction",
            "KeyedCoProcessFunction",
            "ProcessJoinFunction",
        ),
        "millstream.datastream.co_functions",
    ),
    **dict.fromkeys(
        (
            "FunctionWrapper",
            "JavaFunctionWrapper",
            "NullByteKeySelector",
            "PassThroughAllWindowFunction",
            "PassThroughWindowFunction",
            "ReduceFunctionWrapper",
            "SourceFunction",
        ),
        "millstream.datastream.function_wrappers",
    ),
    **dict.fromkeys(
        (
            "InternalIterableAllWindowFunction",
            "InternalIterableProcessAllWindowFunction",
            "InternalIterableProcessWindowFunction",
            "InternalIterableWindowFunction",
            "InternalProcessAllWindowContext",
            "InternalProcessWindowContext",
            "InternalSingleValueAllWindowFunction",
            "InternalSingleValueProcessAllWindowFunction",
            "InternalSingleValueProcessWindowFunction",
            "InternalSingleValueWindowFunction",
            "InternalWindowFunction",
        ),
        "millstream.datastream.internal_window_functions",
    ),
}


def __getattr__(name: str) -> Any:
    # These modules import this one.
    if name in _ELSEWHERE:
        import importlib

        return getattr(importlib.import_module(_ELSEWHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
