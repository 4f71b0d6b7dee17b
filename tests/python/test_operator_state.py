"""Operator state of Python functions: lists, union lists and broadcast states of a subtask, in the form of Flink's CheckpointedFunction."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from millstream.common import Types
from millstream.datastream import (
    AggregateFunction,
    AsyncDataStream,
    AsyncFunction,
    BroadcastProcessFunction,
    CheckpointedFunction,
    CoMapFunction,
    CoProcessFunction,
    FilterFunction,
    FlatMapFunction,
    KeyedBroadcastProcessFunction,
    KeyedCoProcessFunction,
    KeyedProcessFunction,
    KeySelector,
    MapFunction,
    ProcessFunction,
    ProcessWindowFunction,
    ReduceFunction,
    SinkFunction,
    StreamExecutionEnvironment,
)
from millstream.datastream.connectors.python import PythonSink, PythonSource
from millstream.datastream.functions import CoGroupFunction, JoinFunction, ProcessJoinFunction
from millstream.datastream.state import ListStateDescriptor, MapStateDescriptor, StateTtlConfig, ValueStateDescriptor
from millstream.datastream.window import CountTrigger, GlobalWindows, Time, TumblingEventTimeWindows
from millstream.exceptions import InvalidStateError, MillstreamError, UnsupportedError
from millstream.testing import KeyedProcessHarness, StreamHarness

SEEN = ListStateDescriptor("seen", Types.LONG())
OBJECTS = ListStateDescriptor("objects")
NAMES = MapStateDescriptor("names", Types.STRING(), Types.LONG())
TEN = list(range(10))


def values(stream: Any) -> list[Any]:
    return list(stream.execute_and_collect())


class Keeps(CheckpointedFunction):
    """Adds each value to a list, a union list and a broadcast state, and gives what is in them."""

    def initialize_state(self, context: Any) -> None:
        store = context.get_operator_state_store()
        self.calls = ["initialize_state"]
        self.restored = context.is_restored()
        self.seen = store.get_list_state(SEEN)
        self.objects = store.get_union_list_state(OBJECTS)
        self.names = store.get_broadcast_state(NAMES)
        assert store.get_list_state(ListStateDescriptor("seen", Types.LONG())) is self.seen
        assert store.get_registered_state_names() == {"seen", "objects"}
        assert store.get_registered_broadcast_state_names() == {"names"}
        assert context.get_restored_checkpoint_id() is None
        self.before = list(self.seen.get())
        self.objects.add("first")
        self.names.put("first", -1)

    def open(self, runtime_context: Any) -> None:
        self.calls.append("open")
        self.index = runtime_context.get_index_of_this_subtask()

    def snapshot_state(self, context: Any) -> None:
        self.seen.add(1_000 + context.get_checkpoint_id())

    def keep(self, value: int) -> tuple[Any, ...]:
        assert self.calls == ["initialize_state", "open"]
        self.seen.add(value)
        self.objects.add_all([str(value), None])
        self.names["last"] = value
        return value, self.index, list(self.seen), list(self.objects), dict(self.names.items())


class KeepingMap(Keeps, MapFunction):
    def map(self, value: int) -> Any:
        return self.keep(value)


class KeepingFlatMap(Keeps, FlatMapFunction):
    def flat_map(self, value: int) -> Any:
        yield self.keep(value)


class KeepingFilter(Keeps, FilterFunction):
    def filter(self, value: int) -> bool:
        return len(self.keep(value)[2]) % 2 == 0


class KeepingProcess(Keeps, ProcessFunction):
    def process_element(self, value: int, ctx: Any) -> Any:
        yield self.keep(value)


class KeepingKeyedProcess(Keeps, KeyedProcessFunction):
    def open(self, runtime_context: Any) -> None:
        super().open(runtime_context)
        # The same name as the operator state: the two are apart.
        self.keyed = runtime_context.get_state(ValueStateDescriptor("seen", Types.LONG()))

    def process_element(self, value: int, ctx: Any) -> Any:
        self.keyed.update((self.keyed.value() or 0) + 1)
        yield *self.keep(value), self.keyed.value()


class KeepingCoMap(Keeps, CoMapFunction):
    def map1(self, value: int) -> Any:
        return self.keep(value)

    def map2(self, value: int) -> Any:
        return self.keep(value)


class KeepingCoProcess(Keeps, CoProcessFunction):
    def process_element1(self, value: int, ctx: Any) -> Any:
        yield self.keep(value)

    process_element2 = process_element1


class KeepingKeyedCoProcess(Keeps, KeyedCoProcessFunction):
    def process_element1(self, value: int, ctx: Any) -> Any:
        yield self.keep(value)

    process_element2 = process_element1


class KeepingBroadcast(Keeps, BroadcastProcessFunction):
    def process_element(self, value: int, ctx: Any) -> Any:
        yield self.keep(value)

    def process_broadcast_element(self, value: int, ctx: Any) -> Any:
        yield self.keep(value)


class KeepingKeyedBroadcast(Keeps, KeyedBroadcastProcessFunction):
    def process_element(self, value: int, ctx: Any) -> Any:
        yield self.keep(value)

    def process_broadcast_element(self, value: int, ctx: Any) -> Any:
        yield self.keep(value)


RULES = MapStateDescriptor("rules", Types.STRING(), Types.LONG())


def co_process(stream: Any, function: Any, is_keyed: bool, method: str = "process") -> Any:
    other = stream.map(lambda value: value + 100, Types.LONG())
    if is_keyed:
        stream, other = stream.key_by(lambda value: value % 3), other.key_by(lambda value: value % 3)
    return getattr(stream.connect(other), method)(function)


def broadcast(stream: Any, function: Any, is_keyed: bool) -> Any:
    other = stream.map(lambda value: value + 100, Types.LONG()).broadcast(RULES)
    return (stream.key_by(lambda value: value % 3) if is_keyed else stream).connect(other).process(function)


USES = {
    "map": lambda stream: stream.map(KeepingMap()),
    "flat_map": lambda stream: stream.flat_map(KeepingFlatMap()),
    "process": lambda stream: stream.process(KeepingProcess()),
    "keyed map": lambda stream: stream.key_by(lambda value: value % 3).map(KeepingMap()),
    "keyed flat_map": lambda stream: stream.key_by(lambda value: value % 3).flat_map(KeepingFlatMap()),
    "keyed process": lambda stream: stream.key_by(lambda value: value % 3).process(KeepingKeyedProcess()),
    "co_map": lambda stream: co_process(stream, KeepingCoMap(), False, "map"),
    "keyed co_map": lambda stream: co_process(stream, KeepingCoMap(), True, "map"),
    "co_process": lambda stream: co_process(stream, KeepingCoProcess(), False),
    "keyed co_process": lambda stream: co_process(stream, KeepingKeyedCoProcess(), True),
    "broadcast": lambda stream: broadcast(stream, KeepingBroadcast(), False),
    "keyed broadcast": lambda stream: broadcast(stream, KeepingKeyedBroadcast(), True),
}


@pytest.mark.parametrize("parallelism", [1, 3])
@pytest.mark.parametrize("use", USES)
def test_functions_keep_operator_state(env: StreamExecutionEnvironment, use: str, parallelism: int) -> None:
    """What each subtask has in its states is what it has seen so far, and nothing of what others have."""
    env.set_parallelism(parallelism)
    found = values(USES[use](env.from_collection(TEN, Types.LONG()).rebalance()))
    assert len(found) == (10 + 10 * parallelism if "broadcast" in use else 20 if "co_" in use else 10)
    for index in range(parallelism):
        seen: list[int] = []
        mine = [result for result in found if result[1] == index]
        for value, _, elements, objects, names, *_ in mine:
            seen.append(value)
            assert elements == seen
            assert objects == ["first", *[entry for seen_value in seen for entry in (str(seen_value), None)]]
            assert names == {"first": -1, "last": value}
    if use == "keyed process":
        assert sorted((value % 3, count) for value, *_, count in found) == sorted((value % 3, value // 3 + 1) for value in TEN)


@pytest.mark.parametrize("is_keyed", [False, True])
def test_filter(env: StreamExecutionEnvironment, is_keyed: bool) -> None:
    stream = env.from_collection(TEN, Types.LONG())
    assert values((stream.key_by(lambda value: 0) if is_keyed else stream).filter(KeepingFilter())) == [1, 3, 5, 7, 9]


def test_timestamps_and_types_stay(env: StreamExecutionEnvironment) -> None:
    """A map with operator state gives its values the timestamps and the declared type that another map does."""

    class Double(MapFunction, CheckpointedFunction):
        def initialize_state(self, context: Any) -> None:
            self.state = context.get_operator_state_store().get_list_state(SEEN)

        def snapshot_state(self, context: Any) -> None:
            pass

        def map(self, value: int) -> int:
            return value * 2

    class Stamp(ProcessFunction):
        def process_element(self, value: int, ctx: Any) -> Any:
            yield value, ctx.timestamp()

    from millstream.common import TimestampAssigner, WatermarkStrategy

    class Own(TimestampAssigner):
        def extract_timestamp(self, value: int, record_timestamp: int) -> int:
            return value

    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Own())
    stream = env.from_collection([1, 2], Types.LONG()).assign_timestamps_and_watermarks(strategy).map(Double(), Types.LONG())
    assert stream.get_type() == Types.LONG()
    assert values(stream.process(Stamp())) == [(2, 1), (4, 2)]


class Countdown(PythonSource, CheckpointedFunction):
    def __init__(self) -> None:
        super().__init__(Types.LONG())

    def initialize_state(self, context: Any) -> None:
        self.rest = context.get_operator_state_store().get_list_state(SEEN)
        self.rest.update([3, 2, 1])

    def snapshot_state(self, context: Any) -> None:
        pass

    def open(self, runtime_context: Any) -> None:
        assert list(self.rest) == [3, 2, 1]

    def read(self, limit: int) -> Any:
        rest = list(self.rest)
        if not rest:
            return None
        self.rest.update(rest[1:])
        return rest[:1]


class Buffering(CheckpointedFunction):
    """Holds values back in operator state, and writes them three at a time."""

    out: ClassVar[list[Any]] = []

    def initialize_state(self, context: Any) -> None:
        self.buffer = context.get_operator_state_store().get_list_state(OBJECTS)

    def snapshot_state(self, context: Any) -> None:
        pass

    def take(self, value: Any) -> None:
        self.buffer.add(value)
        if len(list(self.buffer)) == 3:
            Buffering.out.append(list(self.buffer))
            self.buffer.clear()


class BufferingSink(Buffering, PythonSink):
    def write(self, values: list[Any]) -> None:
        for value in values:
            self.take(value)

    def flush(self, end_of_input: bool) -> None:
        Buffering.out.append(list(self.buffer))


class BufferingSinkFunction(Buffering, SinkFunction):
    def invoke(self, value: Any) -> None:
        self.take(value)


def test_source(env: StreamExecutionEnvironment) -> None:
    assert values(env.from_source(Countdown())) == [3, 2, 1]


@pytest.mark.parametrize("parallelism", [1, 2])
def test_sink(env: StreamExecutionEnvironment, parallelism: int) -> None:
    Buffering.out = []
    env.set_parallelism(parallelism)
    env.from_collection([(value,) for value in TEN]).rebalance().sink_to(BufferingSink())
    env.execute()
    assert sorted(value for part in Buffering.out for value, in part) == TEN
    assert sorted(map(len, Buffering.out)) == ([1, 3, 3, 3] if parallelism == 1 else [2, 2, 3, 3])


def test_sink_function(env: StreamExecutionEnvironment) -> None:
    Buffering.out = []
    env.from_collection(TEN, Types.LONG()).add_sink(BufferingSinkFunction())
    env.execute()
    assert Buffering.out == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


# ---- Bad input -------------------------------------------------------------------------------------------------------------------------------


class Asks(MapFunction, CheckpointedFunction):
    """Does something with the context in ``initialize_state``, and something else in ``map``."""

    def __init__(self, ask: Any, later: Any = None) -> None:
        self.ask, self.later = ask, later

    def initialize_state(self, context: Any) -> None:
        self.store = context.get_operator_state_store()
        self.context = context
        self.state = self.ask(context)

    def snapshot_state(self, context: Any) -> None:
        pass

    def map(self, value: int) -> Any:
        return self.later(self) if self.later else value


def ttl_descriptor() -> ListStateDescriptor:
    descriptor = ListStateDescriptor("seen", Types.LONG())
    descriptor.enable_time_to_live(StateTtlConfig.new_builder(Time.seconds(1)).build())
    return descriptor


BAD: dict[str, tuple[Any, Any, type[Exception], str]] = {
    "a value state": (
        lambda context: context.get_operator_state_store().get_list_state(ValueStateDescriptor("seen")), None, TypeError, "a ListStateDescriptor is needed",
    ),
    "another type": (
        lambda context: [context.get_operator_state_store().get_list_state(ListStateDescriptor("seen", entry)) for entry in (Types.LONG(), Types.STRING())],
        None, InvalidStateError, "operator state 'seen' is asked for as a list state of STRING, but was made as a list state of BIGINT",
    ),
    "list and union list": (
        lambda context: (context.get_operator_state_store().get_list_state(SEEN), context.get_operator_state_store().get_union_list_state(SEEN)),
        None, InvalidStateError, "as a union list state of .*but was made as a list state of",
    ),
    "a time-to-live": (
        lambda context: context.get_operator_state_store().get_list_state(ttl_descriptor()), None, UnsupportedError, "time-to-live, which only keyed state",
    ),
    "after open": (
        lambda context: None, lambda self: self.store.get_list_state(SEEN), InvalidStateError, "after it was opened",
    ),
    "an element of another type": (
        lambda context: context.get_operator_state_store().get_list_state(SEEN), lambda self: self.state.add("text"), TypeError, "text",
    ),
    "none in a declared type": (
        lambda context: context.get_operator_state_store().get_list_state(SEEN), lambda self: self.state.add(None), Exception, "null is not allowed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input(env: StreamExecutionEnvironment, case: str) -> None:
    ask, later, kind, message = BAD[case]
    with pytest.raises((kind, MillstreamError), match=message) as caught:
        values(env.from_collection([1], Types.LONG()).map(Asks(ask, later)))
    notes = "\n".join(getattr(caught.value, "__notes__", []))
    assert "operator 'Map'" in notes
    assert "test_operator_state.py" in notes


def test_keyed_state_without_a_key(env: StreamExecutionEnvironment) -> None:
    with pytest.raises(InvalidStateError, match="needs a key"):
        values(env.from_collection([1], Types.LONG()).map(Asks(lambda context: context.get_keyed_state_store().get_state(ValueStateDescriptor("v")))))


def test_keyed_state_from_the_context(env: StreamExecutionEnvironment) -> None:
    def later(self: Any) -> Any:
        self.state.update((self.state.value() or 0) + 1)
        return self.state.value()

    function = Asks(lambda context: context.get_keyed_state_store().get_state(ValueStateDescriptor("v", Types.LONG())), later)
    assert values(env.from_collection([1, 2, 1], Types.LONG()).key_by(lambda value: value).map(function)) == [1, 1, 2]


def test_a_failure_in_initialize_state(env: StreamExecutionEnvironment) -> None:
    for stream in (env.from_collection([1]), env.from_collection([1]).key_by(lambda value: value)):
        with pytest.raises(ZeroDivisionError) as caught:
            values(stream.map(Asks(lambda context: 1 // 0)))
        assert "operator 'Map'" in "\n".join(caught.value.__notes__)


class Nothing(CheckpointedFunction):
    def initialize_state(self, context: Any) -> None:
        raise AssertionError("not called")

    snapshot_state = initialize_state


class CheckpointedReduce(Nothing, ReduceFunction):
    def reduce(self, value1: Any, value2: Any) -> Any:
        return value1


class CheckpointedAggregate(Nothing, AggregateFunction):
    def create_accumulator(self) -> Any:
        return 0

    def add(self, value: Any, accumulator: Any) -> Any:
        return accumulator

    def get_result(self, accumulator: Any) -> Any:
        return accumulator

    def merge(self, acc_a: Any, acc_b: Any) -> Any:
        return acc_a


class CheckpointedWindow(Nothing, ProcessWindowFunction):
    def process(self, key: Any, context: Any, elements: Any) -> Any:
        yield key


class CheckpointedKey(Nothing, KeySelector):
    def get_key(self, value: Any) -> Any:
        return value


class CheckpointedCoGroup(Nothing, CoGroupFunction):
    def co_group(self, first: Any, second: Any) -> Any:
        yield 1


class CheckpointedJoin(Nothing, JoinFunction):
    def join(self, first: Any, second: Any) -> Any:
        return 1


class CheckpointedIntervalJoin(Nothing, ProcessJoinFunction):
    def process_element(self, left: Any, right: Any, ctx: Any) -> Any:
        yield 1


class CheckpointedAsync(Nothing, AsyncFunction):
    async def async_invoke(self, value: Any) -> Any:
        return [value]


WINDOWS = TumblingEventTimeWindows.of(Time.seconds(1))
REFUSED = {
    "reduce": lambda stream: stream.key_by(lambda value: value).reduce(CheckpointedReduce()),
    "window reduce": lambda stream: stream.key_by(lambda value: value).window(WINDOWS).reduce(CheckpointedReduce()),
    "window aggregate": lambda stream: stream.key_by(lambda value: value).window(WINDOWS).aggregate(CheckpointedAggregate()),
    "window process": lambda stream: stream.key_by(lambda value: value).window(WINDOWS).process(CheckpointedWindow()),
    "general window": lambda stream: stream.key_by(lambda value: value).window(GlobalWindows.create()).trigger(CountTrigger.of(1)).process(CheckpointedWindow()),
    "key selector": lambda stream: stream.key_by(CheckpointedKey()).reduce(max),
    "co_group": lambda stream: stream.co_group(stream).where(lambda v: v).equal_to(lambda v: v).window(WINDOWS).apply(CheckpointedCoGroup()),
    "join": lambda stream: stream.join(stream).where(lambda v: v).equal_to(lambda v: v).window(WINDOWS).apply(CheckpointedJoin()),
    "interval join": lambda stream: stream.key_by(lambda v: v).interval_join(stream.key_by(lambda v: v)).between(Time.seconds(0), Time.seconds(1)).process(
        CheckpointedIntervalJoin()),
    "async": lambda stream: AsyncDataStream.unordered_wait(stream, CheckpointedAsync(), Time.seconds(1)),
}


@pytest.mark.parametrize("use", REFUSED)
def test_refused(env: StreamExecutionEnvironment, use: str) -> None:
    """An operator that keeps no operator state says so, and does not leave initialize_state out."""
    with pytest.raises(UnsupportedError, match="is a CheckpointedFunction, but this operator keeps no operator state"):
        values(REFUSED[use](env.from_collection([1], Types.LONG())))


# ---- In harnesses ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("use", USES)
def test_snapshot_and_restore_in_a_harness(use: str) -> None:
    build = USES[use]
    with StreamHarness(build, Types.LONG()) as harness:
        harness.process_elements([0, 1])
        found = harness.extract_output_values()
        snapshot = harness.snapshot_operator_state(7)
        harness.process_element(2)
    (states,) = snapshot.values()
    assert states["seen"] == [*found[-1][2], 1_007]
    assert states["objects"] == found[-1][3]
    assert states["names"] == found[-1][4]
    with StreamHarness(build, Types.LONG(), operator_state=snapshot) as harness:
        harness.process_element(5)
        value, _, seen, objects, names, *_ = harness.extract_output_values()[0]
    assert seen == [*states["seen"], value]
    assert objects == [*states["objects"], "first", str(value), None]
    assert names == {"first": -1, "last": value}


def test_is_restored() -> None:
    class Tells(KeyedProcessFunction, CheckpointedFunction):
        def initialize_state(self, context: Any) -> None:
            self.state = context.get_operator_state_store().get_list_state(SEEN)
            self.told = context.is_restored(), list(self.state)

        def snapshot_state(self, context: Any) -> None:
            self.state.update([context.get_checkpoint_id()])

        def process_element(self, value: Any, ctx: Any) -> Any:
            yield self.told

    def build(stream: Any) -> Any:
        return stream.key_by(lambda value: value).process(Tells()).name("tells")

    with StreamHarness(build) as harness:
        harness.process_element(1)
        assert harness.extract_output_values() == [(False, [])]
        assert harness.get_state("seen") is None
        snapshot = harness.snapshot_operator_state()
        assert snapshot == {"tells": {"seen": [1]}}
        assert harness.get_state("seen") == [1]
    with StreamHarness(build, operator_state=snapshot) as harness:
        harness.process_element(1)
        assert harness.extract_output_values() == [(True, [1])]
    with KeyedProcessHarness(Tells(), lambda value: value) as keyed:
        keyed.process_element(1)
        assert keyed.extract_output_values() == [(False, [])]
