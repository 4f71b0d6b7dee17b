"""Functions that take long for each record: what came before goes on, and a cancellation does not wait for the batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from millstream.common import Duration, Types, WatermarkStrategy
from millstream.common.watermark_strategy import TimestampAssigner
from millstream.datastream import (
    AggregateFunction,
    CoMapFunction,
    KeyedProcessFunction,
    ProcessFunction,
    ProcessWindowFunction,
    StreamExecutionEnvironment,
)
from millstream.datastream.connectors.number_seq import NumberSequenceSource
from millstream.datastream.data_stream import DataStream
from millstream.datastream.window import EventTimeSessionWindows, Time, TumblingEventTimeWindows


def slow(value: Any) -> Any:
    time.sleep(0.02)
    return value


class Slow(ProcessFunction[int, int]):
    def process_element(self, value: int, ctx: Any) -> Iterator[int]:
        yield slow(value)


class SlowKeyed(KeyedProcessFunction[int, int, int]):
    def process_element(self, value: int, ctx: Any) -> Iterator[int]:
        yield slow(value)


OPERATIONS: dict[str, Callable[[DataStream], DataStream]] = {
    "map": lambda stream: stream.map(slow, Types.LONG()),
    "map to tuples": lambda stream: stream.map(lambda value: (slow(value), 1), Types.TUPLE([Types.LONG(), Types.LONG()])).map(lambda pair: pair[0], Types.LONG()),
    "filter": lambda stream: stream.filter(lambda value: slow(value) >= 0),
    "flat_map": lambda stream: stream.flat_map(lambda value: [slow(value)], Types.LONG()),
    "map and key": lambda stream: stream.map(slow, Types.LONG()).key_by(lambda value: value).map(lambda value: value, Types.LONG()),
    "process": lambda stream: stream.process(Slow(), Types.LONG()),
    "keyed process": lambda stream: stream.key_by(lambda value: value % 7).process(SlowKeyed(), Types.LONG()),
}


def numbers(env: StreamExecutionEnvironment, count: int) -> DataStream:
    env.set_parallelism(1)
    return env.from_source(NumberSequenceSource(0, count - 1), WatermarkStrategy.no_watermarks(), "numbers", Types.LONG())


@pytest.mark.parametrize("name", OPERATIONS)
def test_cancelling_waits_for_no_batch(env: StreamExecutionEnvironment, name: str) -> None:
    seen: list[int] = []
    OPERATIONS[name](numbers(env, 100_000)).map(seen.append, Types.PICKLED_BYTE_ARRAY()).print()
    job = env.execute_async("slow")
    deadline = time.monotonic() + 60
    # A batch would be 80 seconds of work: what was done goes on before.
    while len(seen) < 10 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert seen[:10] == list(range(10))
    begun = time.monotonic()
    job.cancel().result()
    with pytest.raises(Exception, match="cancel"):
        job.get_job_execution_result().result()
    assert time.monotonic() - begun < 10
    assert seen == list(range(len(seen)))


@pytest.mark.parametrize("name", OPERATIONS)
def test_interrupted_batches_lose_nothing(env: StreamExecutionEnvironment, name: str) -> None:
    """Some records take long, so that runs stop behind any of them; filters and failures see the same rows as ever."""
    found = OPERATIONS[name](numbers(env, 100)).map(lambda value: value + 1, Types.LONG()).execute_and_collect()
    assert sorted(found) == list(range(1, 101))


def test_a_failure_behind_an_interruption_names_its_record(env: StreamExecutionEnvironment) -> None:
    seen: list[int] = []

    def fail(value: int) -> int:
        slow(value)
        if value == 17:
            raise ValueError("seventeen")
        return value

    numbers(env, 1_000).map(fail, Types.LONG()).map(seen.append, Types.PICKLED_BYTE_ARRAY()).print()
    with pytest.raises(ValueError, match="seventeen") as caught:
        env.execute()
    assert any("record 17" in note for note in caught.value.__notes__)
    assert seen == list(range(17))


# ---- Functions whose answers for a batch belong together ----------------------------------------------------------------------------------


class Calls:
    """A slow function that counts its calls, also those of its copies: each subtask has one."""

    count = 0

    def __call__(self, value: Any) -> Any:
        Calls.count += 1
        return slow(value)


class Assigner(TimestampAssigner):
    def __init__(self, call: Callable[[Any], Any]) -> None:
        self.call = call

    def extract_timestamp(self, value: Any, record_timestamp: int) -> int:
        return int(self.call(value))


class SlowAggregate(AggregateFunction[int, int, int]):
    def __init__(self, where: str, call: Callable[[Any], Any]) -> None:
        self.where, self.call = where, call

    def create_accumulator(self) -> int:
        return 0

    def add(self, value: int, accumulator: int) -> int:
        return int(self.call(value)) if self.where == "add" else value

    def get_result(self, accumulator: int) -> int:
        return int(self.call(accumulator)) if self.where == "get_result" else accumulator

    def merge(self, one: int, other: int) -> int:
        return int(self.call(one)) if self.where == "merge" else one


class SlowWindow(ProcessWindowFunction[int, int, int, Any]):
    def __init__(self, call: Callable[[Any], Any]) -> None:
        self.call = call

    def process(self, key: int, context: Any, elements: Any) -> Iterator[int]:
        yield self.call(key)


class SlowCoMap(CoMapFunction[int, int, int]):
    def __init__(self, call: Callable[[Any], Any]) -> None:
        self.call = call

    def map1(self, value: int) -> int:
        return int(self.call(value))

    def map2(self, value: int) -> int:
        return int(self.call(value))


class SlowTimers(KeyedProcessFunction[int, int, int]):
    def __init__(self, call: Callable[[Any], Any]) -> None:
        self.call = call

    def process_element(self, value: int, ctx: Any) -> None:
        ctx.timer_service().register_event_time_timer(value)

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[int]:
        yield self.call(timestamp)


def timed(stream: DataStream, step: int = 1) -> DataStream:
    """Element `n` has the time `n * step`."""

    class Times(TimestampAssigner):
        def extract_timestamp(self, value: Any, record_timestamp: int) -> int:
            return int(value) * step

    return stream.assign_timestamps_and_watermarks(WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Times()))


def by(count: int) -> Callable[[int], int]:
    return lambda value: value % count


def tumbling(stream: DataStream) -> Any:
    return timed(stream).key_by(by(5_000)).window(TumblingEventTimeWindows.of(Time.seconds(1_000)))


def sessions(stream: DataStream) -> Any:
    # Every second element closes the gap between its neighbours, when it comes.
    mixed = stream.map(lambda value: value * 2 if value < 5_000 else (value - 5_000) * 2 + 1, Types.LONG())
    late = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_hours(1))

    class Times(TimestampAssigner):
        def extract_timestamp(self, value: Any, record_timestamp: int) -> int:
            return int(value) * 10

    return mixed.assign_timestamps_and_watermarks(late.with_timestamp_assigner(Times())).key_by(by(1)).window(
        EventTimeSessionWindows.with_gap(Time.milliseconds(15)))


WHOLE: dict[str, Callable[[DataStream, Calls], DataStream]] = {
    "reduce": lambda stream, call: stream.key_by(by(7)).reduce(lambda one, other: call(other)),
    "reduce with maps behind": lambda stream, call: stream.key_by(by(7)).reduce(lambda one, other: other).map(call, Types.LONG()),
    "key selector": lambda stream, call: stream.key_by(call).map(lambda value: value, Types.LONG()),
    "key selector behind a source": lambda stream, call: stream.rebalance().key_by(call).reduce(lambda one, other: one),
    "window reduce": lambda stream, call: timed(stream).key_by(by(7)).window(TumblingEventTimeWindows.of(Time.seconds(100))).reduce(
        lambda one, other: call(other)),
    "window aggregate": lambda stream, call: tumbling(stream).aggregate(SlowAggregate("add", call), accumulator_type=Types.LONG(), output_type=Types.LONG()),
    "window results": lambda stream, call: tumbling(stream).aggregate(SlowAggregate("get_result", call), accumulator_type=Types.LONG(), output_type=Types.LONG()),
    "session merges": lambda stream, call: sessions(stream).aggregate(SlowAggregate("merge", call), accumulator_type=Types.LONG(), output_type=Types.LONG()),
    "window process": lambda stream, call: tumbling(stream).process(SlowWindow(call), Types.LONG()),
    "window reduce and process": lambda stream, call: tumbling(stream).reduce(
        lambda one, other: other, window_function=SlowWindow(call), output_type=Types.LONG()),
    "count window": lambda stream, call: stream.key_by(by(2)).count_window(3).reduce(lambda one, other: call(other)),
    "co map": lambda stream, call: stream.connect(stream).map(SlowCoMap(call), Types.LONG()),
    "keyed co map": lambda stream, call: stream.connect(stream).key_by(by(7), by(7)).map(SlowCoMap(call), Types.LONG()),
    "timers": lambda stream, call: timed(stream).key_by(by(5_000)).process(SlowTimers(call), Types.LONG()),
    "timestamps": lambda stream, call: stream.assign_timestamps_and_watermarks(
        WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Assigner(call))),
    "partitioner": lambda stream, call: stream.partition_custom(lambda key, count: call(key) % count, lambda value: value).map(
        lambda value: value, Types.LONG()).set_parallelism(2),
}


@pytest.mark.parametrize("name", WHOLE)
def test_cancelling_waits_for_no_answer_that_nobody_needs(env: StreamExecutionEnvironment, name: str) -> None:
    calls = Calls()
    Calls.count = 0
    WHOLE[name](numbers(env, 10_000), calls).print()
    job = env.execute_async("slow")
    deadline = time.monotonic() + 20
    while calls.count < 10 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert 10 <= calls.count < 500
    begun = time.monotonic()
    job.cancel().result()
    with pytest.raises(Exception, match="cancel"):
        job.get_job_execution_result().result()
    assert time.monotonic() - begun < 5


def test_a_failure_elsewhere_waits_for_no_batch_either(env: StreamExecutionEnvironment) -> None:
    calls = Calls()
    Calls.count = 0

    def fail(value: int) -> int:
        if calls.count > 10:
            raise ValueError("enough")
        return value

    numbers(env, 10_000).key_by(by(7)).reduce(lambda one, other: calls(other)).print()
    numbers(env, 10_000).map(lambda value: fail(slow(value)), Types.LONG()).print()
    begun = time.monotonic()
    with pytest.raises(ValueError, match="enough"):
        env.execute()
    assert time.monotonic() - begun < 20
