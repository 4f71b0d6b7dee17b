"""Checkpoints whose barriers overtake rows: a slow part of the job does not hold them up, and the rows come again, once."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from millstream.common import JobClient, RestartStrategies, Types, WatermarkStrategy
from millstream.datastream import ExternalizedCheckpointRetention, StreamExecutionEnvironment
from millstream.datastream.connectors.number_seq import NumberSequenceSource
from millstream.datastream.connectors.python import PythonSink
from millstream.datastream.connectors.sqlite import SqliteSink

ROWS = 3_000


class SlowSink(PythonSink):
    """Takes 20,000 rows a second."""

    def write(self, values: list[Any]) -> None:
        time.sleep(len(values) / 20_000)


@pytest.mark.parametrize(("timeout", "overtakes"), [(0, True), (200, True), (None, False)])
def test_a_slow_sink_holds_no_checkpoint_up(timeout: int | None, overtakes: bool) -> None:
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1).enable_checkpointing(500)
    if timeout is not None:
        env.get_checkpoint_config().enable_unaligned_checkpoints().set_aligned_checkpoint_timeout(timeout)
    numbers = env.from_source(NumberSequenceSource(0, 2**62), WatermarkStrategy.no_watermarks(), "numbers", Types.LONG())
    numbers.rebalance().sink_to(SlowSink())
    client = env.execute_async()
    time.sleep(5)
    done = [each for each in client.checkpoints() if each.is_completed]
    client.cancel().result()
    if not overtakes:
        # Half a million rows wait before each barrier.
        assert len(done) <= 1
        return
    # Each takes a second at most; a busy machine is given more.
    assert len(done) >= 2 and max(each.duration_millis for each in done) <= 2_500, done
    assert any(each.is_unaligned and each.in_flight_bytes > 1_000_000 for each in done)
    assert not any(each.is_savepoint for each in done)


class Box:
    """A value that only Python knows."""

    def __init__(self, number: int) -> None:
        self.number = number


def job(env: StreamExecutionEnvironment, target: Path, failures: list[int], *, is_forward: bool = False) -> JobClient:
    """Boxes through a slow map into a table, failing at some of them once. `is_forward`: one subtask makes the boxes, which the map is joined to where it is one too."""

    def open_slowly(box: Box) -> tuple[int, int]:
        time.sleep(0.0004)
        if failures and box.number >= failures[0]:
            raise OSError(f"planned at {failures.pop(0)}")
        return box.number, box.number * 2

    env.configure({"millstream.batch.rows": "16", "millstream.exchange.memory": "20 kb"})
    env.register_type(Box)
    env.enable_checkpointing(20).get_checkpoint_config().enable_unaligned_checkpoints()
    env.set_restart_strategy(RestartStrategies.fixed_delay_restart(10, 0))
    boxes = env.from_collection(list(range(ROWS)), Types.LONG()).map(Box)
    boxes = boxes.set_parallelism(1) if is_forward else boxes.rebalance()
    opened = boxes.map(open_slowly, Types.TUPLE([Types.LONG(), Types.LONG()]))
    opened.sink_to(SqliteSink(str(target), "boxes"))
    return env.execute_async()


def table(tmp_path: Path) -> Path:
    target = tmp_path / "boxes.db"
    with sqlite3.connect(target) as database:
        database.execute("create table boxes (number integer, double integer)")
    return target


def check(target: Path) -> None:
    with sqlite3.connect(target) as database:
        rows = database.execute("select number, double from boxes order by number").fetchall()
    assert rows == [(number, number * 2) for number in range(ROWS)]


def test_objects_in_flight_come_again_once(tmp_path: Path) -> None:
    target = table(tmp_path)
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(2)
    client = job(env, target, [700, 1_500, 2_500])
    client.get_job_execution_result().result()
    assert len(client.failures()) == 3
    assert any(each.is_unaligned and each.in_flight_bytes > 0 for each in client.checkpoints())
    check(target)


@pytest.mark.parametrize("is_forward", [False, True])
def test_rows_in_flight_come_again_at_another_parallelism(is_forward: bool, tmp_path: Path) -> None:
    target = table(tmp_path)
    path = None
    for parallelism in (2, 3, 1, 4):
        env = StreamExecutionEnvironment.get_execution_environment()
        env.set_parallelism(parallelism)
        config = env.get_checkpoint_config().set_checkpoint_storage_dir(f"file://{tmp_path}/points")
        config.set_externalized_checkpoint_retention(ExternalizedCheckpointRetention.RETAIN_ON_CANCELLATION)
        if path:
            env.configure({"execution.state-recovery.path": path})
        client = job(env, target, [], is_forward=is_forward)
        if parallelism == 4:
            client.get_job_execution_result().result()
            break
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not any(each.is_completed and each.in_flight_bytes > 0 for each in client.checkpoints()):
            time.sleep(0.01)
        client.cancel().result()
        done = [each for each in client.checkpoints() if each.is_completed]
        assert any(each.in_flight_bytes > 0 for each in done)
        path = done[-1].location
    check(target)
