"""Jobs whose processing time a test moves."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from millstream.common import Duration, Types, WatermarkStrategy
from millstream.common.watermark_strategy import TimestampAssigner
from millstream.datastream import KeyedProcessFunction, StreamExecutionEnvironment
from millstream.datastream.connectors.number_seq import NumberSequenceSource
from millstream.datastream.connectors.python import PythonSource
from millstream.datastream.data_stream import DataStream
from millstream.datastream.state import StateTtlConfig, ValueStateDescriptor
from millstream.datastream.window import (
    EventTimeSessionWindows,
    ProcessingTimeSessionWindows,
    SlidingProcessingTimeWindows,
    Time,
    TumblingProcessingTimeWindows,
)
from millstream.testing import LiveTestStream, ManualClock, StreamHarness

PAIR = Types.TUPLE([Types.STRING(), Types.LONG()])
START = 1_000_000


class Reminders(KeyedProcessFunction[Any, Any, Any]):
    """Remembers each element for so many milliseconds as it says; a reminder may set another one."""

    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        timers = ctx.timer_service()
        timers.register_processing_time_timer(timers.current_processing_time() + value[1])
        yield f"{value[0]} at {timers.current_processing_time()}"

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Any]:
        timers = ctx.timer_service()
        yield f"{ctx.get_current_key()} timer {timestamp} at {timers.current_processing_time()}"
        if timestamp % 3 == 0:
            timers.register_processing_time_timer(timestamp + 250)


class Counter(KeyedProcessFunction[Any, Any, Any]):
    """Counts a key's elements until there was none for a second."""

    def open(self, runtime_context: Any) -> None:
        ttl = StateTtlConfig.new_builder(Time.seconds(1)).build()
        descriptor = ValueStateDescriptor("count", Types.LONG())
        descriptor.enable_time_to_live(ttl)
        self.count = runtime_context.get_state(descriptor)

    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        self.count.update((self.count.value() or 0) + 1)
        yield f"{value[0]} {self.count.value()}"


def total(stream: Any) -> DataStream:
    result: DataStream = stream.reduce(lambda one, other: (one[0], one[1] + other[1]))
    return result


PIPELINES: dict[str, Callable[[Any], DataStream]] = {
    "timers": lambda keyed: keyed.process(Reminders(), Types.STRING()),
    "time to live": lambda keyed: keyed.process(Counter(), Types.STRING()),
    "tumbling": lambda keyed: total(keyed.window(TumblingProcessingTimeWindows.of(Time.seconds(1)))),
    "sliding": lambda keyed: total(keyed.window(SlidingProcessingTimeWindows.of(Time.seconds(1), Time.milliseconds(300)))),
    "session": lambda keyed: total(keyed.window(ProcessingTimeSessionWindows.with_gap(Time.milliseconds(700)))),
    "two after each other": lambda keyed: total(
        total(keyed.window(TumblingProcessingTimeWindows.of(Time.milliseconds(400)))).key_by(lambda pair: pair[0], Types.STRING()).window(
            TumblingProcessingTimeWindows.of(Time.seconds(1)))),
}


# What is due at one time in two subtasks, one of which feeds the other, has no order.
@pytest.mark.parametrize(("name", "parallelism"), [(name, count) for name in PIPELINES for count in (1, 3) if (name, count) != ("two after each other", 3)])
def test_a_job_does_what_a_harness_does(env: StreamExecutionEnvironment, name: str, parallelism: int) -> None:
    """Random elements and random steps of the clock: after each step the job has given exactly what the harness has."""
    choice = random.Random(f"{name} {parallelism}")
    clock = ManualClock(START)
    env.set_parallelism(parallelism)
    found: list[Any] = []
    live = LiveTestStream(PAIR)

    def build(stream: DataStream) -> DataStream:
        return PIPELINES[name](stream.key_by(lambda pair: pair[0], Types.STRING()))

    results = build(env.set_clock(clock).from_source(live))
    results.map(found.append, Types.PICKLED_BYTE_ARRAY()).set_parallelism(1).print()
    job = env.execute_async("by hand")
    with StreamHarness(build, PAIR, clock=ManualClock(START)) as harness:
        for step in range(60):
            for _ in range(choice.choice([0, 1, 1, 4])):
                element = (choice.choice("abc"), choice.randrange(1, 900))
                live.add(element)
                harness.process_element(element)
            milliseconds = choice.choice([0, 1, 99, 250, 700, 1_500])
            clock.advance(milliseconds)
            harness.advance_processing_time(milliseconds)
            # Between keys, as between subtasks, there is no order.
            assert sorted(map(str, found)) == sorted(map(str, harness.take_output())), (name, step)
            assert clock.now() == harness.clock.now()
            found.clear()
        live.end()
        assert job.wait(30)
        harness.end_input()
        assert sorted(map(str, found)) == sorted(map(str, harness.take_output()))


def test_a_long_way_stops_at_every_timer(env: StreamExecutionEnvironment) -> None:
    clock, live, found = ManualClock(0), LiveTestStream(PAIR), []
    keyed = env.set_clock(clock).from_source(live).key_by(lambda pair: pair[0])
    keyed.process(Reminders(), Types.STRING()).map(found.append, Types.PICKLED_BYTE_ARRAY()).print()
    job = env.execute_async()
    live.add(("a", 300))
    begun = time.monotonic()
    clock.advance(86_400_000)
    # 300, 550 (which is no multiple of 3).
    assert found == ["a at 0", "a timer 300 at 300", "a timer 550 at 550"]
    assert time.monotonic() - begun < 20, "a day of the clock is no day"
    job.cancel().result()


#: What the sources of a test give next, by name.
FEEDS: dict[str, list[int]] = {}


class Given(PythonSource):
    """What a feed has, whenever it has something."""

    def __init__(self, feed: str, *numbers: int) -> None:
        super().__init__(Types.LONG(), is_bounded=False)
        self.feed = feed
        FEEDS[feed] = list(numbers)

    def read(self, limit: int) -> list[int] | float:
        numbers, FEEDS[self.feed] = FEEDS[self.feed], []
        return numbers or 0.005


def wait_until_taken() -> None:
    deadline = time.monotonic() + 20
    while any(FEEDS.values()) and time.monotonic() < deadline:
        time.sleep(0.001)


class Times(TimestampAssigner):
    def extract_timestamp(self, value: Any, record_timestamp: int) -> int:
        return int(value)


def test_idleness_goes_by_the_clock(env: StreamExecutionEnvironment) -> None:
    clock, found = ManualClock(START), []
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Times()).with_idleness(Duration.of_seconds(5))
    env.set_clock(clock)
    slow, fast = (env.from_source(Given(name, *numbers), strategy, name, Types.LONG()) for name, numbers in (("slow", [1]), ("fast", [2, 100])))
    windows = slow.union(fast).key_by(lambda value: 0).window(EventTimeSessionWindows.with_gap(Time.milliseconds(50)))
    windows.reduce(lambda one, other: one + other).map(found.append, Types.PICKLED_BYTE_ARRAY()).print()
    job = env.execute_async()
    wait_until_taken()
    clock.advance(4_000)
    FEEDS["fast"] = [3_000]
    wait_until_taken()
    clock.advance(999)
    assert found == [], "the slow source holds event time back"
    clock.advance(1)
    assert found == [3, 100]
    job.cancel().result()


def test_periodic_watermarks_go_by_the_clock(env: StreamExecutionEnvironment) -> None:
    from millstream.common.watermark_strategy import WatermarkGenerator

    asked: list[int] = []
    clock = ManualClock(0)

    class Asked(WatermarkGenerator):
        def on_event(self, timestamp: int) -> None:
            pass

        def on_periodic_emit(self) -> int | None:
            asked.append(clock.now())
            return None

    strategy = WatermarkStrategy.for_generator(lambda: Asked()).with_timestamp_assigner(Times())
    env.set_clock(clock).from_source(Given("one", 1), strategy, "given", Types.LONG()).print()
    job = env.execute_async()
    wait_until_taken()
    clock.settle()
    asked.clear()
    clock.advance(1_000)
    assert asked == [200, 400, 600, 800, 1_000]
    job.cancel().result()


def test_what_cannot_be(env: StreamExecutionEnvironment) -> None:
    clock = ManualClock(10)
    with pytest.raises(TypeError, match="ManualClock"):
        env.set_clock(12)  # type: ignore[arg-type]
    live = LiveTestStream(Types.LONG())
    with pytest.raises(Exception, match="clock"):
        live.advance_processing_time(5)
    env.set_clock(clock).from_source(live).map(lambda value: clock.advance(1), Types.PICKLED_BYTE_ARRAY()).print()
    job = env.execute_async()
    with pytest.raises(ValueError, match="cannot go back"):
        clock.set(9)
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance(-1)
    live.add(1)
    with pytest.raises(Exception, match="cannot wait for a clock"):
        job.get_job_execution_result().result()
    # Nobody reads what comes now, and nobody waits for that.
    live.add(2)
    clock.advance(5, timeout=10)


def test_a_job_that_never_rests_is_told(env: StreamExecutionEnvironment) -> None:
    clock = ManualClock(0)
    env.set_clock(clock).from_source(
        NumberSequenceSource(0, 2**40), WatermarkStrategy.no_watermarks(), "numbers", Types.LONG()).filter(lambda value: False).print()
    job = env.execute_async()
    with pytest.raises(TimeoutError, match="not at rest after 0.2 s; the clock has come to 0 of 0"):
        clock.advance(100, timeout=0.2)
    job.cancel().result()
    clock.advance(100)
    assert clock.now() == 100


def test_without_a_clock_the_machines_counts(env: StreamExecutionEnvironment) -> None:
    clock, live, found = ManualClock(0), LiveTestStream(PAIR), []
    env.set_clock(clock).set_clock(None)
    keyed = env.from_source(live).key_by(lambda pair: pair[0])
    keyed.process(Reminders(), Types.STRING()).map(found.append, Types.PICKLED_BYTE_ARRAY()).print()
    job = env.execute_async()
    live.add(("a", 1))
    deadline = time.monotonic() + 20
    while len(found) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert int(found[0].split()[-1]) > 1_600_000_000_000
    job.cancel().result()
