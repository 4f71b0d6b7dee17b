"""State read from outside: of a job that runs, and of its savepoint."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from millstream.common.typeinfo import Types
from millstream.datastream import KeyedProcessFunction, StreamExecutionEnvironment
from millstream.datastream.state import ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor
from millstream.exceptions import MillstreamError
from millstream.testing import LiveTestStream

pyarrow = pytest.importorskip("pyarrow")


class Remember(KeyedProcessFunction):
    def open(self, runtime_context: Any) -> None:
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))
        self.last = runtime_context.get_state(ValueStateDescriptor("last", Types.PICKLED_BYTE_ARRAY()))
        self.seen = runtime_context.get_list_state(ListStateDescriptor("seen", Types.LONG()))
        self.sums = runtime_context.get_map_state(MapStateDescriptor("sums", Types.STRING(), Types.DOUBLE()))

    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        self.count.update((self.count.value() or 0) + 1)
        self.last.update({"number": value[1]})
        self.seen.add(value[1])
        self.sums.put("all", (self.sums.get("all") or 0.0) + value[1])
        yield value


ROWS = [(key, number) for number in range(5) for key in ("a", "b", "\u00e4" * 20)]
TYPE = Types.TUPLE([Types.STRING(), Types.LONG()])


@pytest.fixture
def job() -> Iterator[Any]:
    """A job that has taken the rows and waits for more."""
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    taken: list[Any] = []
    stream = LiveTestStream(TYPE)
    keyed = env.from_source(stream).key_by(lambda row: row[0], Types.STRING())
    keyed.process(Remember(), TYPE).uid("remember").set_parallelism(2).add_sink(taken.append)
    client = env.execute_async("remembering")
    for row in ROWS:
        stream.add(row)
    deadline = time.monotonic() + 20
    while len(taken) < len(ROWS) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(taken) == len(ROWS)
    yield client
    stream.end()
    client.get_job_execution_result().result()


def by_key(table: Any, *columns: str) -> list[tuple[Any, ...]]:
    return sorted(zip(*(table.column(name).to_pylist() for name in ("key0", *columns)), strict=True), key=repr)


def check(read: Callable[[str], Any]) -> None:
    keys = ("a", "b", "\u00e4" * 20)
    assert by_key(read("count"), "value") == [(key, 5) for key in keys]
    assert by_key(read("seen"), "element") == sorted(((key, number) for key in keys for number in range(5)), key=repr)
    assert by_key(read("sums"), "map_key", "map_value") == [(key, "all", 10.0) for key in keys]
    assert by_key(read("last"), "value") == [(key, {"number": 4}) for key in keys]


def test_the_state_of_a_running_job(job: Any) -> None:
    check(lambda name: job.state("remember", name))


def test_the_job_goes_on(job: Any) -> None:
    job.state("remember", "count")
    assert job.status().name == "RUNNING"


@pytest.mark.parametrize(
    ("uid", "name", "part"), [("remembered", "count", "no operator with the uid 'remembered'"), ("remember", "cuont", "'keyed/count'")]
)
def test_what_is_not_there_is_told(job: Any, uid: str, name: str, part: str) -> None:
    with pytest.raises(MillstreamError) as caught:
        job.state(uid, name)
    assert part in str(caught.value)


def test_a_job_that_has_ended_has_no_state() -> None:
    env = StreamExecutionEnvironment.get_execution_environment()
    env.from_collection([1]).add_sink(print)
    client = env.execute_async("short")
    client.get_job_execution_result().result()
    with pytest.raises(MillstreamError, match="the job has ended"):
        client.state("x", "y")


def test_an_answer_that_is_not_waited_for(job: Any) -> None:
    """While a function does not return, nobody has the state at one moment."""
    assert job.state("remember", "count", timeout=20).num_rows == 3
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    hold, taken = threading.Event(), []
    stream = LiveTestStream(TYPE)
    keyed = env.from_source(stream).key_by(lambda row: row[0], Types.STRING())
    keyed.process(Remember(), TYPE).uid("remember").map(lambda row: (hold.wait(30), row)[1], TYPE).add_sink(taken.append)
    client = env.execute_async("held")
    stream.add(("a", 1))
    time.sleep(0.1)
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        client.state("remember", "count", timeout=0.2)
    assert 0.15 < time.monotonic() - started < 10
    hold.set()
    assert client.state("remember", "count", timeout=20)["value"].to_pylist() == [1]
    stream.end()
    client.get_job_execution_result().result(30)
    assert taken == [("a", 1)]
