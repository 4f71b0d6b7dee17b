"""The harnesses of millstream.testing: random programs give what the engine gives, and what only a harness can do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from millstream import _native
from millstream.common import Duration, Row, Types, WatermarkStrategy
from millstream.common.watermark_strategy import WatermarkGenerator
from millstream.datastream import (
    AggregateFunction,
    CoProcessFunction,
    DataStream,
    KeyedBroadcastProcessFunction,
    KeyedCoProcessFunction,
    KeyedProcessFunction,
    MapFunction,
    OutputTag,
    ProcessFunction,
    ProcessJoinFunction,
    ProcessWindowFunction,
    StreamExecutionEnvironment,
    TimeDomain,
)
from millstream.datastream.connectors.python import PythonSource
from millstream.datastream.state import (
    AggregatingStateDescriptor,
    ListStateDescriptor,
    MapStateDescriptor,
    ReducingStateDescriptor,
    StateTtlConfig,
    ValueStateDescriptor,
)
from millstream.datastream.window import (
    CountTrigger,
    CountTumblingWindowAssigner,
    EventTimeSessionWindows,
    GlobalWindows,
    SlidingEventTimeWindows,
    Time,
    TumblingEventTimeWindows,
    TumblingProcessingTimeWindows,
)
from millstream.exceptions import EventTimeError, InvalidStateError, KeyValueError, TypeMismatchError, UnsupportedError
from millstream.testing import CoProcessHarness, KeyedProcessHarness, ManualClock, ProcessHarness, StreamHarness, StreamRecord, TestStream, run_job

PAIR = Types.TUPLE([Types.STRING(), Types.LONG()])
SIDE = OutputTag("side", Types.LONG())
LATE = OutputTag("late", PAIR)


# ---- Against the engine ----------------------------------------------------------------------------------------------------------------------


class Everything(KeyedProcessFunction):
    """All kinds of states, timers of which some are for the past, side outputs."""

    def open(self, runtime_context: Any) -> None:
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))
        self.seen = runtime_context.get_list_state(ListStateDescriptor("seen", Types.LONG()))
        self.by_value = runtime_context.get_map_state(MapStateDescriptor("by value", Types.LONG(), Types.LONG()))
        self.total = runtime_context.get_reducing_state(ReducingStateDescriptor("total", lambda a, b: a + b, Types.LONG()))
        self.mean = runtime_context.get_aggregating_state(AggregatingStateDescriptor("mean", Mean()))
        self.plain = runtime_context.get_state(ValueStateDescriptor("plain"))

    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        number = value[1]
        self.count.update((self.count.value() or 0) + 1)
        self.seen.add(number)
        self.by_value.put(number % 3, (self.by_value.get(number % 3) or 0) + number)
        self.total.add(number)
        self.mean.add(number)
        self.plain.update({"last": number})
        timers = ctx.timer_service()
        time = ctx.timestamp()
        if number % 2:
            timers.register_event_time_timer(time + number * 7)
        if number % 5 == 0:
            timers.delete_event_time_timer(time + 35)
        if number % 7 == 0:
            timers.register_event_time_timer(time - 100)
        if number % 4 == 0:
            self.by_value.remove(1)
            yield SIDE, number
        if number % 11 == 0:
            self.seen.clear()
            self.total.clear()
        yield (
            ctx.get_current_key(), self.count.value(), list(self.seen.get()), sorted(self.by_value.items()), self.total.get(), self.mean.get(),
            timers.current_watermark(),
        )

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Any]:
        count = self.count.value()
        yield ctx.get_current_key(), "timer", timestamp, count, ctx.timestamp(), ctx.time_domain().name, ctx.timer_service().current_watermark()
        if timestamp % 3 == 0 and count:
            ctx.timer_service().register_event_time_timer(timestamp + 1)
            self.count.update(count - 1)
        if timestamp % 5 == 0:
            self.by_value.clear()
            yield SIDE, timestamp


class Mean(AggregateFunction):
    def create_accumulator(self) -> Any:
        return (0, 0)

    def add(self, value: Any, accumulator: Any) -> Any:
        return (accumulator[0] + value, accumulator[1] + 1)

    def get_result(self, accumulator: Any) -> Any:
        return accumulator[0] / accumulator[1]

    def merge(self, a: Any, b: Any) -> Any:
        return (a[0] + b[0], a[1] + b[1])


class Numbered(MapFunction):
    def open(self, runtime_context: Any) -> None:
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))

    def map(self, value: Any) -> Any:
        self.count.update((self.count.value() or 0) + 1)
        return (*value, self.count.value())


class Contents(ProcessWindowFunction):
    def process(self, key: Any, context: Any, elements: Any) -> Iterator[Any]:
        window = context.window()
        yield key, getattr(window, "start", None), getattr(window, "end", None), sorted(elements), context.current_watermark()


def of_windows(assigner: Any, lateness: int = 0) -> Any:
    def build(stream: DataStream) -> list[DataStream]:
        windows = stream.key_by(lambda value: value[0]).window(assigner).allowed_lateness(lateness).side_output_late_data(LATE)
        results = windows.process(Contents())
        return [results, results.get_side_output(LATE)]

    return build


def of_everything(stream: DataStream) -> list[DataStream]:
    results = stream.key_by(lambda value: value[0]).process(Everything())
    return [results, results.get_side_output(SIDE)]


def of_chain(stream: DataStream) -> list[DataStream]:
    numbers = stream.map(lambda value: value[1], Types.LONG()).filter(lambda number: number % 3 != 0).flat_map(lambda number: range(number % 4))
    return [numbers, stream.key_by(0).map(Numbered()), stream.key_by(0).sum(1), stream.key_by(lambda value: value[0]).max_by(1)]


def of_watermarks(stream: DataStream) -> list[DataStream]:
    class Late(ProcessFunction):
        def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
            yield (*value, ctx.timestamp())

    strategy = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_millis(20))
    timed = stream.assign_timestamps_and_watermarks(strategy.with_timestamp_assigner(lambda value, old: value[1] * 41 + old % 10))
    windows = timed.key_by(0).window(TumblingEventTimeWindows.of(Time.milliseconds(300))).side_output_late_data(LATE)
    sums = windows.aggregate(Mean2(), Contents())
    return [timed.process(Late()), sums, sums.get_side_output(LATE)]


class EveryThird(WatermarkGenerator):
    """A watermark after every third element."""

    def __init__(self) -> None:
        self.count, self.highest = 0, 0

    def on_event(self, timestamp: int) -> None:
        self.count += 1
        self.highest = max(self.highest, timestamp)

    def on_periodic_emit(self) -> int | None:
        return self.highest - 30 if self.count % 3 == 0 else None


def of_more_watermarks(stream: DataStream) -> list[DataStream]:
    rows = stream.map(lambda value: Row(key=value[0], time=value[1] * 17), Types.ROW_NAMED(["key", "time"], [Types.STRING(), Types.LONG()]))
    column = rows.assign_timestamps_and_watermarks(WatermarkStrategy.for_monotonous_timestamps().with_timestamp_column("time"))
    tumbling = TumblingEventTimeWindows.of(Time.milliseconds(300))
    by_column = column.key_by("key").window(tumbling).reduce(lambda a, b: Row(key=a.key, time=a.time + b.time), output_type=rows.get_type())
    return [by_column, column.map(lambda row: row.time)]


def of_several_streams(stream: DataStream) -> list[DataStream]:
    even, odd = (stream.filter(lambda value, rest=rest: value[1] % 2 == rest) for rest in (0, 1))
    tumbling = TumblingEventTimeWindows.of(Time.milliseconds(40))
    joined = even.join(odd).where(lambda value: value[0]).equal_to(lambda value: value[0]).window(tumbling)
    names = stream.split(lambda value: ["low"] if value[1] < 30 else ["low", "high"])
    return [
        stream.window_all(tumbling).reduce(lambda a, b: (a[0], a[1] + b[1])).map(lambda value: value[1]),
        joined.apply(lambda one, other: (one[0], one[1], other[1])).map(str),
        names.select("high").union(names.select("low")).map(lambda value: value[1]),
        stream.rebalance().map(lambda value: value[1]).broadcast().filter(lambda number: number > 7),
    ]


class Mean2(Mean):
    def add(self, value: Any, accumulator: Any) -> Any:
        return super().add(value[1], accumulator)


PIPELINES = {
    "keyed process": of_everything,
    "chain": of_chain,
    "watermarks": of_watermarks,
    "more watermarks": of_more_watermarks,
    "tumbling": of_windows(TumblingEventTimeWindows.of(Time.milliseconds(50))),
    "tumbling, lateness": of_windows(TumblingEventTimeWindows.of(Time.milliseconds(50), Time.milliseconds(7)), 60),
    "sliding": of_windows(SlidingEventTimeWindows.of(Time.milliseconds(60), Time.milliseconds(20)), 25),
    "sessions": of_windows(EventTimeSessionWindows.with_gap(Time.milliseconds(15)), 30),
    "count": of_windows(CountTumblingWindowAssigner.of(3)),
    "trigger": lambda stream: [stream.key_by(0).window(GlobalWindows.create()).trigger(CountTrigger.of(2)).reduce(lambda a, b: (a[0], a[1] + b[1]))],
}

events = st.lists(
    st.one_of(
        st.tuples(st.sampled_from("abc"), st.integers(0, 60), st.integers(-50, 50)),
        st.integers(1, 60),
    ),
    max_size=40,
)


def stream_of(found: list[Any]) -> TestStream:
    """Elements around a watermark that advances."""
    stream, watermark = TestStream(PAIR), 0
    for event in found:
        if isinstance(event, int):
            watermark += event
            stream.watermark(watermark)
        else:
            key, number, distance = event
            stream.add((key, number), max(0, watermark + distance))
    return stream.end()


def by_key(values: list[Any]) -> dict[Any, list[Any]]:
    """The order of different keys is nobody's promise; nor is that of the windows that one late element fires again."""
    groups: dict[Any, list[Any]] = {}
    for value in values:
        is_window = isinstance(value, tuple) and len(value) == 5
        groups.setdefault(value[:2] if is_window else value[0] if isinstance(value, tuple) else None, []).append(value)
    return groups


@pytest.mark.parametrize("name", PIPELINES)
@settings(max_examples=40, deadline=None)
@given(found=events)
def test_a_harness_gives_what_the_engine_gives(name: str, found: list[Any]) -> None:
    build = PIPELINES[name]
    stream = stream_of(found)
    env = StreamExecutionEnvironment.get_execution_environment()
    engine = run_job(*build(env.from_source(stream)))
    with StreamHarness(build, PAIR) as harness:
        harness.run(stream)
        for index, values in enumerate(engine):
            assert by_key(harness.extract_output_values(index)) == by_key(values)


@settings(max_examples=40, deadline=None)
@given(found=events)
def test_several_streams_give_what_the_engine_gives(found: list[Any]) -> None:
    # Nothing is late, so that the order of a union does not matter.
    stream = stream_of([event if isinstance(event, int) else (*event[:2], abs(event[2]) + 1) for event in found])
    env = StreamExecutionEnvironment.get_execution_environment()
    engine = run_job(*of_several_streams(env.from_source(stream)))
    with StreamHarness(of_several_streams, PAIR) as harness:
        harness.run(stream)
        assert [sorted(harness.extract_output_values(index)) for index in range(4)] == [sorted(values) for values in engine]


@settings(max_examples=40, deadline=None)
@given(found=st.lists(st.integers(0, 200), max_size=20))
def test_a_generator_is_asked_after_each_element(found: list[int]) -> None:
    strategy = WatermarkStrategy.for_generator(EveryThird).with_timestamp_assigner(lambda value, _: value)

    def build(stream: DataStream) -> DataStream:
        windows = stream.assign_timestamps_and_watermarks(strategy).key_by(lambda value: "all").window(TumblingEventTimeWindows.of(10))
        return windows.reduce(lambda a, b: a + b)

    class OneByOne(PythonSource):
        def read(self, limit: int) -> list[int] | None:
            # Where a generator is asked is a matter of batches: here each has one element.
            self.place = getattr(self, "place", -1) + 1
            return None if self.place == len(found) else [found[self.place]]

    env = StreamExecutionEnvironment.get_execution_environment()
    engine = run_job(build(env.from_source(OneByOne())))[0]
    with StreamHarness(build) as harness:
        harness.process_elements(found)
        harness.end_input()
        assert harness.extract_output_values() == engine


def test_elements_far_in_the_future_leave_the_stream() -> None:
    ahead = OutputTag("ahead")
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(lambda value, _: value)

    def build(stream: DataStream) -> DataStream:
        return stream.assign_timestamps_and_watermarks(strategy.with_max_future_drift(Duration.of_seconds(1), ahead))

    with StreamHarness(build, clock=ManualClock(5_000)) as harness:
        harness.process_elements([6_000, 6_001, 4_000])
        assert harness.get_output() == [StreamRecord(6_000, 6_000), StreamRecord(4_000, 4_000)]
        assert harness.get_side_output(ahead) == [6_001]
        assert harness.get_watermarks() == [5_999]


@settings(max_examples=40, deadline=None)
@given(found=events)
def test_the_order_of_timers_is_the_engines(found: list[Any]) -> None:
    stream = stream_of(found)
    env = StreamExecutionEnvironment.get_execution_environment()
    results = env.from_source(stream).key_by(0).process(Everything())
    sink = results._sink("Collect", lambda builder, _, inputs: builder.native.sink_collect(inputs[0]))
    client, builder = env._start(None)
    engine = list(client._job.collect(builder.node(sink._transformation), "OBJECT", timestamps=True))
    with StreamHarness(lambda values: values.key_by(0).process(Everything()), PAIR) as harness:
        assert harness.run(stream).get_output() == [StreamRecord(*entry) for entry in engine]


@pytest.mark.parametrize(
    "value", [None, [1], object(), {}, float("nan"), 1.5, b"x", True, (1, "a"), 2**80]
)
def test_keys_that_the_engine_refuses_are_refused(value: Any) -> None:
    env = StreamExecutionEnvironment.get_execution_environment()

    def build(stream: DataStream) -> DataStream:
        return stream.key_by(lambda each: each).reduce(lambda a, b: (a, b))

    def outcome(run: Any) -> Any:
        try:
            return len(run())
        except Exception as failure:
            return type(failure)

    def in_harness() -> Any:
        with StreamHarness(build) as harness:
            harness.process_element(value)
            return harness.extract_output_values()

    assert outcome(in_harness) == outcome(lambda: run_job(build(env.from_collection([value])))[0])


def test_keys_have_one_type() -> None:
    with StreamHarness(lambda stream: stream.key_by(lambda value: value).reduce(lambda a, b: b)) as harness:
        harness.process_element(1)
        with pytest.raises(KeyValueError, match="of type str, but keys before it were of type int"):
            harness.process_element("1")


def test_sums_wrap_as_in_the_engine() -> None:
    values = [("a", 2**62), ("a", 2**62), ("a", 5)]
    env = StreamExecutionEnvironment.get_execution_environment()
    with StreamHarness(lambda stream: stream.key_by(0).sum(1), PAIR) as harness:
        harness.process_elements(values)
        assert harness.extract_output_values() == run_job(env.from_collection(values, PAIR).key_by(0).sum(1))[0]


def test_values_are_converted_as_at_a_column() -> None:
    with StreamHarness(lambda stream: stream.map(lambda value: value, Types.INT())) as harness:
        harness.process_element(7)
        with pytest.raises(TypeMismatchError):
            harness.process_element(2**40)
        with pytest.raises(TypeMismatchError):
            harness.process_element("7")


# ---- Two inputs ------------------------------------------------------------------------------------------------------------------------------


class Both(KeyedCoProcessFunction):
    def open(self, runtime_context: Any) -> None:
        self.sum = runtime_context.get_state(ValueStateDescriptor("sum", Types.LONG()))

    def process_element1(self, value: Any, ctx: Any) -> Iterator[Any]:
        self.sum.update((self.sum.value() or 0) + value[1])
        ctx.timer_service().register_event_time_timer(ctx.timestamp() + 10)
        yield ctx.get_current_key(), self.sum.value()

    def process_element2(self, value: Any, ctx: Any) -> Iterator[Any]:
        self.sum.update((self.sum.value() or 0) * 2)
        yield SIDE, value[1]

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Any]:
        yield ctx.get_current_key(), timestamp, self.sum.value(), ctx.timer_service().current_watermark()


class Rules(KeyedBroadcastProcessFunction):
    descriptor = MapStateDescriptor("rules", Types.STRING(), Types.LONG())

    def open(self, runtime_context: Any) -> None:
        self.seen = runtime_context.get_list_state(ListStateDescriptor("seen", Types.LONG()))

    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        self.seen.add(value[1])
        yield value[0], value[1], dict(ctx.get_broadcast_state(self.descriptor).items())

    def process_broadcast_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        state = ctx.get_broadcast_state(self.descriptor)
        if value[1] % 5 == 0:
            state.remove(value[0])
        else:
            state.put(value[0], value[1])
        found: list[Any] = []
        ctx.apply_to_keyed_state(ListStateDescriptor("seen", Types.LONG()), lambda key, seen: found.append((key, sum(seen.get()))))
        yield "broadcast", value[1], sorted(found), ctx.timer_service().current_watermark() if hasattr(ctx, "timer_service") else None


def of_connected(stream: DataStream) -> list[DataStream]:
    even, odd = stream.filter(lambda value: value[1] % 2 == 0), stream.filter(lambda value: value[1] % 2 == 1)
    results = even.connect(odd).key_by(lambda value: value[0], lambda value: value[0]).process(Both())
    return [results, results.get_side_output(SIDE)]


def of_broadcast(stream: DataStream) -> list[DataStream]:
    even, odd = stream.filter(lambda value: value[1] % 2 == 0), stream.filter(lambda value: value[1] % 2 == 1)
    return [even.key_by(0).connect(odd.broadcast(Rules.descriptor)).process(Rules())]


CONNECTED = [("a", 0), ("a", 2), ("b", 4), ("a", 8), ("a", 10, 8, 14), ("a", 12, 8, 14), ("b", 14, 8, 14), ("a", 16, 8, 2**63 - 1)]
BROADCAST = [
    ("a", 0, {}),
    ("broadcast", 1, [("a", 0)], -(2**63)),
    ("a", 2, {"b": 1}),
    ("broadcast", 3, [("a", 2)], -(2**63)),
    ("b", 4, {"b": 1, "c": 3}),
    ("broadcast", 5, [("a", 2), ("b", 4)], -(2**63)),
    ("a", 6, {"b": 1}),
    ("broadcast", 7, [("a", 8), ("b", 4)], -(2**63)),
]


@pytest.mark.parametrize("build, expected", [(of_connected, CONNECTED), (of_broadcast, BROADCAST)])
def test_two_inputs_take_turns(build: Any, expected: list[Any]) -> None:
    with StreamHarness(build, PAIR) as harness:
        for number, key in enumerate("abacbcab"):
            harness.process_element((key, number), number)
        harness.process_watermark(14)
        harness.end_input()
        assert harness.extract_output_values() == expected
        if build is of_broadcast:
            assert harness.get_state("rules") == {"b": 7}
            assert harness.get_states("seen") == {"a": [0, 2, 6], "b": [4]}


def test_a_function_of_two_streams() -> None:
    with CoProcessHarness(Both(), lambda value: value[0], lambda value: value[0], Types.STRING(), PAIR, PAIR) as harness:
        harness.process_element1(("a", 3), 5)
        harness.process_element2(("a", 1), 6)
        harness.process_watermark1(20)
        assert (harness.extract_output_values(), harness.get_side_output(SIDE)) == ([("a", 3)], [1])
        harness.process_watermark2(15)
        assert harness.take_output()[1:] == [("a", 15, 6, 15)]

    class Plain(CoProcessFunction):
        def process_element1(self, value: Any, ctx: Any) -> Iterator[Any]:
            yield 1, value

        def process_element2(self, value: Any, ctx: Any) -> Iterator[Any]:
            yield 2, value

    with CoProcessHarness(Plain()) as plain:
        plain.process_element2("x")
        plain.process_element1("y")
        assert plain.extract_output_values() == [(2, "x"), (1, "y")]


class Buckets(KeyedCoProcessFunction):
    """Counts by 50 ms, and tells each when its time is over: what a job gives does not depend on the order of its two inputs."""

    def open(self, runtime_context: Any) -> None:
        self.sums = runtime_context.get_map_state(MapStateDescriptor("sums", Types.LONG(), Types.LONG()))

    def process_element1(self, value: Any, ctx: Any, factor: int = 1) -> None:
        end = ctx.timestamp() // 50 * 50 + 49
        self.sums.put(end, (self.sums.get(end) or 0) + value[1] * factor)
        ctx.timer_service().register_event_time_timer(end)

    def process_element2(self, value: Any, ctx: Any) -> None:
        self.process_element1(value, ctx, 1_000)

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Any]:
        yield ctx.get_current_key(), timestamp, self.sums[timestamp]
        self.sums.remove(timestamp)


class Pairs(ProcessJoinFunction):
    def process_element(self, left: Any, right: Any, ctx: Any) -> Iterator[Any]:
        yield left, right, ctx.get_left_timestamp(), ctx.get_right_timestamp()


def of_two_inputs(stream: DataStream) -> list[DataStream]:
    even, odd = (stream.filter(lambda value, rest=rest: value[1] % 2 == rest).key_by(lambda value: value[0]) for rest in (0, 1))
    return [even.connect(odd).process(Buckets()), even.interval_join(odd).between(Time.milliseconds(-20), Time.milliseconds(40)).process(Pairs())]


@settings(max_examples=40, deadline=None)
@given(found=events)
def test_two_inputs_give_what_the_engine_gives(found: list[Any]) -> None:
    # Nothing is late, so that the order in which the engine sees the inputs does not matter.
    stream = stream_of([event if isinstance(event, int) else (*event[:2], abs(event[2]) + 1) for event in found])
    env = StreamExecutionEnvironment.get_execution_environment()
    engine = run_job(*of_two_inputs(env.from_source(stream)))
    with StreamHarness(of_two_inputs, PAIR) as harness:
        harness.run(stream)
        assert [sorted(harness.extract_output_values(index)) for index in (0, 1)] == [sorted(values) for values in engine]


# ---- Processing time -------------------------------------------------------------------------------------------------------------------------


class Alarm(KeyedProcessFunction):
    def process_element(self, value: Any, ctx: Any) -> None:
        timers = ctx.timer_service()
        timers.register_processing_time_timer(timers.current_processing_time() + value[1])

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Any]:
        assert ctx.time_domain() is TimeDomain.PROCESSING_TIME
        yield ctx.get_current_key(), timestamp, ctx.timer_service().current_processing_time(), ctx.timestamp()
        if timestamp < 100:
            ctx.timer_service().register_processing_time_timer(timestamp + 1_000)


def test_the_clock_stops_at_every_timer_on_its_way() -> None:
    with KeyedProcessHarness(Alarm(), lambda value: value[0], clock=ManualClock(10)) as harness:
        harness.process_element(("b", 50))
        harness.process_element(("a", 20))
        assert harness.get_processing_time_timers() == [30, 60]
        assert harness.get_processing_time_timers("a") == [30]
        harness.advance_processing_time(19)
        assert harness.take_output() == []
        harness.advance_processing_time(1)
        assert harness.get_output() == [StreamRecord(("a", 30, 30, 30), None)]
        harness.take_output()
        harness.set_processing_time(5_000)
        assert harness.extract_output_values() == [("b", 60, 60, 60), ("a", 1_030, 1_030, 1_030), ("b", 1_060, 1_060, 1_060)]
        assert harness.clock.now() == 5_000
        # One for the past fires at once.
        harness.process_element(("a", -70))
        assert harness.take_output()[-1] == ("a", 4_930, 5_000, 4_930)
        with pytest.raises(ValueError, match="cannot go back"):
            harness.set_processing_time(4_999)


def test_processing_time_windows_and_what_never_fires() -> None:
    def build(stream: DataStream) -> DataStream:
        return stream.key_by(lambda value: "all").window(TumblingProcessingTimeWindows.of(Time.seconds(1))).reduce(lambda a, b: a + b)

    with StreamHarness(build) as harness:
        harness.run(TestStream().add(1).advance_processing_time(500).add(2).advance_processing_time(600).add(4))
        assert harness.extract_output_values() == [3]
        harness.end_input()
        assert harness.extract_output_values() == [3]
        assert harness.num_processing_time_timers() == 0


def test_state_expires_by_the_clock() -> None:
    class Remember(KeyedProcessFunction):
        def open(self, runtime_context: Any) -> None:
            descriptor = ValueStateDescriptor("last", Types.LONG())
            descriptor.enable_time_to_live(StateTtlConfig.new_builder(Time.seconds(1)).build())
            self.last = runtime_context.get_state(descriptor)

        def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
            yield self.last.value()
            self.last.update(value)

    with KeyedProcessHarness(Remember(), lambda value: "key") as harness:
        harness.process_element(1)
        harness.advance_processing_time(999)
        harness.process_element(2)
        harness.advance_processing_time(1_000)
        assert harness.get_states("last") == {}
        harness.process_element(3)
        assert harness.extract_output_values() == [None, 1, None]


def test_idleness_and_watermarks_of_two_inputs() -> None:
    with StreamHarness(lambda one, other: one.union(other), None, None) as harness:
        harness.process_watermark(10, input=0)
        assert harness.get_watermarks() == []
        harness.process_watermark(5, input=1)
        harness.process_idle(1)
        harness.process_watermark(20, input=0)
        # The other comes back behind: it is left out until it has caught up.
        harness.process_element("x", input=1)
        harness.process_watermark(15, input=1)
        harness.process_watermark(30, input=0)
        assert harness.get_watermarks() == [5, 10, 20, 30]
        harness.process_watermark(29, input=1)
        harness.process_watermark(35, input=0)
        assert harness.get_watermarks() == [5, 10, 20, 30, 35]
        # Caught up: from here on it counts.
        harness.process_watermark(36, input=1)
        harness.process_watermark(50, input=0)
        assert harness.get_watermarks() == [5, 10, 20, 30, 35, 36]
        harness.process_watermark(40, input=1)
        harness.end_input()
        assert harness.get_watermarks() == [5, 10, 20, 30, 35, 36, 40, 2**63 - 1]


def test_a_quiet_stream_gives_its_watermark_and_becomes_idle() -> None:
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(lambda value, _: value).with_idleness(Duration.of_seconds(5))
    with StreamHarness(lambda one, other: one.assign_timestamps_and_watermarks(strategy).union(other), None, None) as harness:
        harness.process_watermark(10_000, input=1)
        for value in (1_000, 1_100):
            harness.process_element(value)
        assert harness.get_watermarks() == [999]
        harness.advance_processing_time(200)
        assert harness.get_watermarks() == [999, 1_099]
        harness.advance_processing_time(5_000)
        assert harness.get_watermarks() == [999, 1_099, 10_000]


# ---- Looking in, and mistakes ------------------------------------------------------------------------------------------------------------------


def test_states_can_be_read() -> None:
    with KeyedProcessHarness(Everything(), lambda value: value[0], input_type=PAIR) as harness:
        harness.process_element(("a", 3), 5)
        harness.process_element(("a", 4), 6)
        harness.process_element(("b", 9), 7)
        assert harness.get_states("count") == {"a": 2, "b": 1}
        assert harness.get_state("seen", "a") == [3, 4]
        assert harness.get_state("by value", "b") == {0: 9}
        assert harness.get_state("total", "nobody") is None
        assert harness.get_side_output(SIDE) == [4]
        assert harness.get_event_time_timers("a") == [26]
        assert harness.num_event_time_timers() == 2
        with pytest.raises(KeyError, match="there is no state 'sum'; there are: by value, count"):
            harness.get_state("sum", "a")


def test_an_exception_says_where() -> None:
    with StreamHarness(lambda stream: stream.map(lambda value: 1 / value).name("Invert").map(str)) as harness:
        harness.process_element(1)
        with pytest.raises(ZeroDivisionError) as caught:
            harness.process_element(0)
        assert caught.value.__notes__ == ["in operator 'Invert', record 1: 0"]


def test_open_and_close_are_called() -> None:
    calls: list[str] = []

    class Counted(ProcessFunction):
        def open(self, runtime_context: Any) -> None:
            calls.append(f"open {runtime_context.get_task_name_with_subtasks()}")

        def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
            yield value, ctx.timestamp()

        def close(self) -> None:
            calls.append("close")

    with ProcessHarness(Counted()) as harness:
        harness.process_element("x", 3)
        assert calls == ["open Process (1/1)"]
    assert calls[1:] == ["close"]
    assert harness.extract_output_values() == [("x", 3)]
    with pytest.raises(InvalidStateError, match="closed"):
        harness.process_element("y")


def test_what_the_engine_does_alone_is_refused() -> None:
    from millstream.datastream.aggregates import count
    from millstream.table.expressions import col

    row = Types.ROW_NAMED(["a", "b"], [Types.STRING(), Types.LONG()])
    with pytest.raises(UnsupportedError, match="Filter.*run_job"):
        StreamHarness(lambda stream: stream.filter(col("b") > 1), row)
    with pytest.raises(UnsupportedError, match="run_job"):
        StreamHarness(lambda stream: stream.key_by("a").count_window(2).agg(count()), row)


def test_an_event_time_window_needs_timestamps() -> None:
    with StreamHarness(of_windows(TumblingEventTimeWindows.of(Time.seconds(1))), PAIR) as harness, pytest.raises(EventTimeError):
        harness.process_element(("a", 1))


def test_the_context_is_of_the_call() -> None:
    kept: list[Any] = []

    class Keep(KeyedProcessFunction):
        def process_element(self, value: Any, ctx: Any) -> None:
            kept.append(ctx)

    with KeyedProcessHarness(Keep(), lambda value: value) as harness:
        harness.process_element(1)
    assert isinstance(kept[0], _native.Context)
    with pytest.raises(InvalidStateError):
        kept[0].timestamp()
    with pytest.raises(InvalidStateError):
        kept[0].register_event_time_timer(1)


def test_harnesses_share_a_clock() -> None:
    clock = ManualClock()
    one = KeyedProcessHarness(Alarm(), lambda value: value[0], clock=clock)
    other = KeyedProcessHarness(Alarm(), lambda value: value[0], clock=clock)
    one.process_element(("a", 200))
    clock.advance(500)
    other.process_element(("b", 1))
    one.advance_processing_time(0)
    assert one.extract_output_values() == [("a", 200, 500, 200)]
    assert other.get_processing_time_timers() == [501]


@pytest.mark.slow
def test_a_harness_takes_microseconds_per_element() -> None:
    import time

    with KeyedProcessHarness(Everything(), lambda value: value[0], input_type=PAIR) as harness:
        begun = time.process_time()
        for number in range(5_000):
            harness.process_element(("abc"[number % 3], 22), number)
        assert (time.process_time() - begun) / 5_000 < 500e-6
