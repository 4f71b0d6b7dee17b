"""Alignment: streams of a group that wait for each other in event time."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from millstream.common import Duration, Types, WatermarkStrategy
from millstream.datastream import DataStream, StreamExecutionEnvironment
from millstream.datastream.connectors.python import PythonSource
from millstream.testing import collect

Environment = StreamExecutionEnvironment
SECOND = 1_000
#: How much further ahead than its drift a stream may be seen: by the row whose watermark stops it, and one of the other stream that is on its way.
ON_THEIR_WAY = 2 * SECOND


class Seconds(PythonSource):
    """The times 1 s to ``count`` s, one after the other; ``pause`` seconds apart, and behind the first one not before ``gate`` is open."""

    def __init__(self, count: int, pause: float = 0.0, gate: threading.Event | None = None) -> None:
        super().__init__(Types.LONG())
        self.count, self.pause, self.gate = count, pause, gate
        self.given, self.due = 0, 0.0

    def __deepcopy__(self, memo: Any) -> Seconds:
        return Seconds(self.count, self.pause, self.gate)

    def read(self, limit: int) -> Any:
        now = time.monotonic()
        if self.given == self.count:
            return None
        if now < self.due:
            return self.due - now
        if self.given > 0 and self.gate is not None and not self.gate.is_set():
            return 0.005
        self.due = now + self.pause
        self.given += 1
        return [self.given * SECOND]


def aligned(env: Environment, source: Seconds, drift: int | None, group: str = "group", idle: int | None = None) -> DataStream:
    """A stream of times, which is at most ``drift`` milliseconds ahead of its group."""
    strategy: WatermarkStrategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(lambda value, timestamp: value)
    if drift is not None:
        strategy = strategy.with_watermark_alignment(group, Duration.of_millis(drift))
    if idle is not None:
        strategy = strategy.with_idleness(Duration.of_millis(idle))
    return env.from_source(source, strategy, "seconds")


def opening(stream: DataStream, gate: threading.Event, last: int) -> DataStream:
    """A stream that opens a gate with its last value."""
    return stream.map(lambda value: (gate.set(), value)[1] if value == last else value, Types.LONG())


def run(env: Environment, drift: int | None) -> tuple[list[int], int]:
    """A fast stream beside a slow one: all values, and by how much the fast one was ahead."""
    lock = threading.Lock()
    last = {"fast": 0, "slow": 0}
    ahead = [0]

    def noted(name: str) -> Any:
        def note(value: int) -> int:
            with lock:
                last[name] = value
                ahead[0] = max(ahead[0], last["fast"] - last["slow"])
            return value

        return note

    fast = aligned(env, Seconds(40), drift).map(noted("fast"), Types.LONG())
    slow = aligned(env, Seconds(40, 0.004), drift).map(noted("slow"), Types.LONG())
    return sorted(collect(fast.union(slow))), ahead[0]


@pytest.mark.parametrize("drift", [0, 2 * SECOND, 10 * SECOND])
def test_a_fast_stream_waits_for_a_slow_one(env: Environment, drift: int) -> None:
    values, ahead = run(env, drift)
    assert values == sorted([second * SECOND for second in range(1, 41)] * 2)
    assert ahead <= drift + ON_THEIR_WAY


def test_without_an_alignment_it_does_not(env: Environment) -> None:
    assert run(env, None)[1] > 10 * SECOND + ON_THEIR_WAY


def test_groups_do_not_wait_for_each_other(env: Environment) -> None:
    gate = threading.Event()
    one = aligned(env, Seconds(2, gate=gate), 0, "one")
    other = opening(aligned(env, Seconds(20), 0, "other"), gate, 20 * SECOND)
    assert len(collect(one.union(other))) == 22


def test_a_silent_stream_holds_back_unless_it_is_idle(env: Environment) -> None:
    gate = threading.Event()
    one = aligned(env, Seconds(2, gate=gate), 0, idle=50)
    other = opening(aligned(env, Seconds(20), 0), gate, 20 * SECOND)
    started = time.monotonic()
    assert len(collect(one.union(other))) == 22
    assert time.monotonic() - started >= 0.05


def test_streams_that_ended_or_are_empty_hold_nobody_back(env: Environment) -> None:
    streams = [aligned(env, Seconds(count), 0) for count in (0, 1, 300)]
    assert len(collect(streams[0].union(*streams[1:]))) == 301


def test_subtasks_of_the_engines_sources(env: Environment) -> None:
    from millstream.datastream.connectors.number_seq import NumberSequenceSource

    env.set_parallelism(3)
    strategy: WatermarkStrategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(lambda value, timestamp: value)
    strategy = strategy.with_watermark_alignment("group", Duration.of_millis(10))
    streams = [env.from_source(NumberSequenceSource(1, last), strategy, "numbers") for last in (20_000, 100)]
    # Each subtask has numbers of its own; the last ones to come wait for those before them, and nobody for ever.
    assert len(collect(streams[0].union(streams[1]))) == 20_100


def test_a_job_that_waits_can_be_cancelled(env: Environment) -> None:
    gate = threading.Event()
    seen: list[int] = []
    aligned(env, Seconds(2, gate=gate), 0).add_sink(lambda value: None)
    aligned(env, Seconds(100), 0).add_sink(seen.append)
    client = env.execute_async("waits")
    deadline = time.monotonic() + 20
    while not seen and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    assert 1 <= len(seen) <= 3
    client.cancel().result(20)


def test_mistakes() -> None:
    strategy = WatermarkStrategy.for_monotonous_timestamps()
    with pytest.raises(ValueError, match="needs a name, not ''"):
        strategy.with_watermark_alignment("", Duration.of_seconds(1))
    with pytest.raises(ValueError, match="must not be negative, but is -1000 ms"):
        strategy.with_watermark_alignment("a", Duration.of_seconds(-1))
    with pytest.raises(ValueError, match="update_interval must be positive, but is 0 ms"):
        strategy.with_watermark_alignment("a", Duration.of_seconds(1), Duration.of_seconds(0))
