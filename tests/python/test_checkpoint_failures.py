"""Checkpoints that fail, and what a job says of itself: values that cannot be written, full disks, restarts."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from millstream.common import JobStatus, RestartStrategies, Types
from millstream.datastream import CheckpointedFunction, KeyedProcessFunction, MapFunction, StreamExecutionEnvironment
from millstream.datastream.state import ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor
from millstream.exceptions import InputOutputError, MillstreamError, UnsupportedError
from millstream.testing import LiveTestStream

PAIR = Types.TUPLE([Types.STRING(), Types.LONG()])


def slowly(value: Any) -> Any:
    time.sleep(0.001)
    return value


class Switch:
    """Whether values that cannot be written are put into states."""

    is_on = True


class KeepsALock(KeyedProcessFunction):
    """Has the lock of a thread in a state of the key 'b' while the switch is on."""

    def open(self, runtime_context: Any) -> None:
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))
        self.kept = runtime_context.get_state(ValueStateDescriptor("kept", Types.PICKLED_BYTE_ARRAY()))

    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        self.count.update((self.count.value() or 0) + 1)
        self.kept.update(threading.Lock() if Switch.is_on and value[0] == "b" else value[0])
        yield value[0], self.count.value()


@pytest.fixture(autouse=True)
def switched_on() -> None:
    Switch.is_on = True


def environment(**settings: str) -> StreamExecutionEnvironment:
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    env.configure({"millstream.batch.rows": "1", **{name.replace("__", "."): value for name, value in settings.items()}})
    return env


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert condition()


class Live:
    """A job of locks that takes rows one by one."""

    def __init__(self, env: StreamExecutionEnvironment) -> None:
        self.found: list[Any] = []
        self.stream = LiveTestStream(PAIR)
        keyed = env.from_source(self.stream).uid("rows").key_by(lambda row: row[0], Types.STRING())
        keyed.process(KeepsALock(), PAIR).uid("locks").name("Locks").add_sink(self.found.append).uid("out")
        self.client = env.execute_async("locks")

    def add(self, *keys: str) -> None:
        wanted = len(self.found) + len(keys)
        for key in keys:
            self.stream.add((key, 0))
        until(lambda: len(self.found) == wanted)

    def end(self) -> None:
        self.stream.end()
        self.client.get_job_execution_result().result(30)


def test_a_savepoint_with_a_value_that_cannot_be_written_fails_and_the_job_goes_on(tmp_path: Path) -> None:
    job = Live(environment())
    job.add("a", "b", "c")
    for attempt in (job.client.trigger_savepoint, lambda path: job.client.stop_with_savepoint(False, path)):
        with pytest.raises(UnsupportedError, match="the savepoint failed.*_thread.lock.*cannot be written.*cannot pickle") as caught:
            attempt(str(tmp_path)).result(30)
        assert "[state: kept]" in str(caught.value) and "[key: 'b']" in str(caught.value) and caught.value.operator == "Locks"
        job.add("a")
    Switch.is_on = False
    job.add("b")
    assert os.path.isdir(job.client.trigger_savepoint(str(tmp_path)).result(30))
    job.end()
    assert job.found == [("a", 1), ("b", 1), ("c", 1), ("a", 2), ("a", 3), ("b", 2)]


def test_a_checkpoint_with_a_value_that_cannot_be_written_counts_as_a_failed_one(caplog: pytest.LogCaptureFixture) -> None:
    env = environment(**{"execution__checkpointing__tolerable-failed-checkpoints": "1000000"}).enable_checkpointing(10)
    job = Live(env)
    job.add("a", "b")
    until(lambda: sum(not each.is_completed for each in job.client.checkpoints()) > 2)
    job.add("a")
    Switch.is_on = False
    job.add("b")
    until(lambda: job.client.checkpoints()[-1].is_completed)
    job.end()
    assert job.client.failures() == [] and job.found == [("a", 1), ("b", 1), ("a", 2), ("b", 2)]
    reason = next(each.failure for each in job.client.checkpoints() if not each.is_completed)
    assert reason is not None and "[state: kept] [key: 'b'] [operator: Locks]" in reason
    lines = [record.getMessage() for record in caplog.records if "checkpoint" in record.getMessage()]
    assert 1 <= len(lines) <= 20 and all("[key: 'b']" in line and "job 'locks'" in line for line in lines)
    assert all(record.levelno == logging.WARNING and record.name == "millstream" for record in caplog.records)


@pytest.mark.parametrize("tolerable", [0, 2])
def test_no_checkpoint_is_tolerated_unless_somebody_says_so(tolerable: int) -> None:
    env = environment(**{"execution__checkpointing__tolerable-failed-checkpoints": str(tolerable)}).enable_checkpointing(100)
    env.set_restart_strategy(RestartStrategies.no_restart())
    job = Live(env)
    job.stream.add(("b", 0))
    with pytest.raises(UnsupportedError, match="a checkpoint failed: a value of type _thread.lock.*cannot be written") as caught:
        job.client.get_job_execution_result().result(30)
    assert "[key: 'b']" in str(caught.value) and "tolerable-failed-checkpoints" in str(caught.value)
    assert sum("_thread.lock" in (each.failure or "") for each in job.client.checkpoints()) == tolerable + 1


def test_what_cannot_be_written_is_given_up_by_the_standard_strategy() -> None:
    """It comes again in each attempt, as any failure of the program does."""
    env = environment(**{"restart-strategy__exponential-delay__initial-backoff": "1 ms"}).enable_checkpointing(10)
    rows = env.from_collection([("b", number) for number in range(20_000)], PAIR).map(slowly, PAIR)
    rows.key_by(lambda row: row[0], Types.STRING()).process(KeepsALock(), PAIR).add_sink(lambda value: None)
    client = env.execute_async("locks")
    with pytest.raises(UnsupportedError, match="a checkpoint failed"):
        client.get_job_execution_result().result(60)
    assert len(client.failures()) == 3


class OperatorLock(MapFunction, CheckpointedFunction):
    def initialize_state(self, context: Any) -> None:
        self.kept = context.get_operator_state_store().get_list_state(ListStateDescriptor("kept", Types.PICKLED_BYTE_ARRAY()))

    def snapshot_state(self, context: Any) -> None:
        self.kept.update([1, threading.Lock()])

    def map(self, value: Any) -> Any:
        return value


class MapOfLocks(KeyedProcessFunction):
    def open(self, runtime_context: Any) -> None:
        self.kept = runtime_context.get_map_state(MapStateDescriptor("kept", Types.STRING(), Types.PICKLED_BYTE_ARRAY()))

    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        self.kept.put("lock", threading.Lock())
        yield value


@pytest.mark.parametrize(
    ("build", "place"),
    [
        (lambda stream: stream.map(OperatorLock(), PAIR), r"\[state: operator/list/kept\]"),
        (lambda stream: stream.key_by(lambda row: row[0], Types.STRING()).process(MapOfLocks(), PAIR), r"\[state: kept\] \[key: 'a'\]"),
        (lambda stream: stream.map(lambda row: threading.Lock()).key_by(lambda lock: 1, Types.LONG()).reduce(lambda a, b: b), r"\[key: 1\]"),
    ],
    ids=["operator-state", "map-state", "reduction"],
)
def test_the_place_of_a_value_that_cannot_be_written_is_told(build: Callable[[Any], Any], place: str, tmp_path: Path) -> None:
    found: list[Any] = []
    stream = LiveTestStream(PAIR)
    env = environment()
    build(env.from_source(stream)).add_sink(found.append)
    client = env.execute_async()
    stream.add(("a", 1))
    until(lambda: len(found) == 1)
    with pytest.raises(MillstreamError, match=place):
        client.trigger_savepoint(str(tmp_path)).result(30)
    stream.end()
    client.get_job_execution_result().result(30)


def blocked(tmp_path: Path, **settings: str) -> Any:
    """A job that is at its end, and whose checkpoints cannot be written: a file stands in the way."""
    env = environment(execution__checkpointing__dir=f"file://{tmp_path}/points", **settings).enable_checkpointing(60_000)
    is_blocked = threading.Event()

    def last(value: int) -> int:
        assert value < 9 or is_blocked.wait(30)
        return value

    env.from_collection(list(range(10)), Types.LONG()).map(last, Types.LONG()).add_sink(lambda value: None)
    client = env.execute_async("full")
    (place,) = (tmp_path / "points").iterdir()
    place.rmdir()
    place.write_text("in the way")
    is_blocked.set()
    return client, place


def test_a_job_that_cannot_write_its_last_checkpoint_ends_and_says_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    client, _ = blocked(tmp_path, **{
        "execution__checkpointing__tolerable-failed-checkpoints": "2", "restart-strategy__exponential-delay__initial-backoff": "1 ms",
    })  # fmt: skip
    with pytest.raises(InputOutputError, match="all input has been read, but the checkpoint without which the job cannot end failed"):
        client.get_job_execution_result().result(60)
    assert len(client.failures()) == 3
    lines = [record.getMessage() for record in caplog.records]
    assert len([line for line in lines if "the job ends when a checkpoint is complete" in line]) == 6, lines
    assert len([line for line in lines if "the job goes on from the beginning" in line]) == 2, lines


def test_a_job_that_tolerates_everything_says_what_it_waits_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    client, place = blocked(tmp_path, **{"execution__checkpointing__tolerable-failed-checkpoints": "1000000"})
    until(lambda: sum("the job ends when a checkpoint is complete" in record.getMessage() for record in caplog.records) >= 2)
    assert client.status() is JobStatus.RUNNING
    place.unlink()
    client.get_job_execution_result().result(30)
    assert client.failures() == []


def test_a_restart_says_a_line(caplog: pytest.LogCaptureFixture) -> None:
    left = [2]

    def flaky(value: int) -> int:
        if value == 5 and left[0]:
            left[0] -= 1
            raise ValueError(f"busy\n{left[0]}")
        return value

    env = environment().enable_checkpointing(60_000)
    env.set_restart_strategy(RestartStrategies.fixed_delay_restart(3, 7))
    env.from_collection(list(range(10)), Types.LONG()).map(flaky, Types.LONG()).name("Flaky").add_sink(lambda value: None)
    env.execute("restarts")
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2, lines
    for number, line in enumerate(lines, 1):
        assert f"job 'restarts': the job goes on from the beginning in 7 ms (restart {number}, at most 3) after: ValueError: busy {2 - number}" in line
        assert "Flaky" in line


def test_a_failure_that_comes_again_and_again_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    def poisoned(value: int) -> int:
        if value == 5:
            raise ValueError("poison")
        return value

    env = environment(**{
        "restart-strategy__type": "exponential-delay", "restart-strategy__exponential-delay__initial-backoff": "1 ms",
        "restart-strategy__exponential-delay__max-backoff": "1 ms",
    }).enable_checkpointing(60_000)  # fmt: skip
    env.from_collection(list(range(10)), Types.LONG()).map(poisoned, Types.LONG()).add_sink(lambda value: None)
    client = env.execute_async("poisoned")
    until(lambda: len(client.failures()) > 4)
    client.cancel().result(30)
    lines = [record.getMessage() for record in caplog.records]
    assert "this failure came" not in lines[0]
    for number, line in enumerate(lines[1:4], 2):
        assert f"this failure came {number} times with no checkpoint complete in between" in line and "cancel the job, or bound its restarts" in line


def test_what_is_told_goes_to_standard_error_where_nobody_has_set_up_a_log(tmp_path: Path) -> None:
    import subprocess
    import sys

    script = tmp_path / "script.py"
    script.write_text(
        "from millstream.common import RestartStrategies, Types\n"
        "from millstream.datastream import StreamExecutionEnvironment\n"
        "left = [1]\n"
        "def once(value):\n"
        "    if left:\n"
        "        left.pop()\n"
        "        raise ValueError('once')\n"
        "    return value\n"
        "env = StreamExecutionEnvironment.get_execution_environment()\n"
        "env.set_restart_strategy(RestartStrategies.fixed_delay_restart(1, 1))\n"
        "env.from_collection([1], Types.LONG()).map(once, Types.LONG()).add_sink(lambda value: None)\n"
        "env.execute('once')\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.splitlines() == [line for line in done.stderr.splitlines() if line.startswith("millstream: job 'once': the job goes on")]
    assert len(done.stderr.splitlines()) == 1
