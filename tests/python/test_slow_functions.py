"""Functions that take long for each record: what came before goes on, and a cancellation does not wait for the batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from millstream.common import Types, WatermarkStrategy
from millstream.datastream import KeyedProcessFunction, ProcessFunction, StreamExecutionEnvironment
from millstream.datastream.connectors.number_seq import NumberSequenceSource
from millstream.datastream.data_stream import DataStream


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
