"""Checkpoints, restarts and savepoints in real jobs: what is committed is what one undisturbed run gives."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from millstream.common import Duration, Encoder, JobStatus, RestartStrategies, Time, Types, WatermarkStrategy
from millstream.common.watermark_strategy import TimestampAssigner
from millstream.datastream import (
    CheckpointedFunction,
    DataStream,
    ExternalizedCheckpointRetention,
    FileSystemCheckpointStorage,
    JobManagerCheckpointStorage,
    KeyedProcessFunction,
    MapFunction,
    ReduceFunction,
    RuntimeExecutionMode,
    StreamExecutionEnvironment,
)
from millstream.datastream.checkpoint_options import checkpoint_options
from millstream.datastream.connectors.file_system import FileSink
from millstream.datastream.connectors.sqlite import SqliteSink
from millstream.datastream.recovery import newest_checkpoint
from millstream.datastream.state import ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor
from millstream.datastream.window import TumblingEventTimeWindows
from millstream.exceptions import CancelledError, ConfigurationError, InputOutputError, InvalidStateError, PlanError, UnsupportedError

ROWS = 600
KEYS = 7


class Disturbance:
    """Fails the job at given rows, each once in the process, as machines do, and slows it down so that there are checkpoints."""

    failures_at: ClassVar[set[int]] = set()
    pause = 0.0005
    #: Rows above it wait, until it is raised.
    gate = ROWS
    lock = threading.Lock()
    #: Whether a row waits.
    waits = threading.Event()

    @classmethod
    def reset(cls, failures_at: set[int], gate: int = ROWS) -> None:
        cls.failures_at, cls.gate = set(failures_at), gate
        cls.waits.clear()


class Disturbed(MapFunction):
    def map(self, value: int) -> int:
        time.sleep(Disturbance.pause)
        while value >= Disturbance.gate:
            Disturbance.waits.set()
            time.sleep(0.002)
        with Disturbance.lock:
            fails = value in Disturbance.failures_at
            Disturbance.failures_at.discard(value)
        if fails:
            raise OSError(f"planned at {value}")
        return value


class ByValue(TimestampAssigner):
    def extract_timestamp(self, value: Any, record_timestamp: int) -> int:
        return value


class Histories(KeyedProcessFunction):
    """Value, list and map state and timers, all of which show in the result."""

    def open(self, runtime_context: Any) -> None:
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))
        self.last = runtime_context.get_list_state(ListStateDescriptor("last", Types.LONG()))
        self.parity = runtime_context.get_map_state(MapStateDescriptor("parity", Types.STRING(), Types.LONG()))

    def process_element(self, value: int, ctx: Any) -> Any:
        count = (self.count.value() or 0) + 1
        self.count.update(count)
        self.last.add(value)
        name = "odd" if value % 2 else "even"
        self.parity.put(name, (self.parity.get(name) or 0) + 1)
        ctx.timer_service().register_event_time_timer(value + 40)
        yield ("row", value, count, self.parity.get(name))

    def on_timer(self, timestamp: int, ctx: Any) -> Any:
        last = list(self.last.get())
        self.last.update(last[-3:])
        yield ("timer", timestamp, len(last), sum(last))


class Sum(ReduceFunction):
    def reduce(self, value1: Any, value2: Any) -> Any:
        return (value1[0], value1[1] + value2[1])


WIDE = Types.TUPLE([Types.STRING(), Types.LONG(), Types.LONG(), Types.LONG()])
PAIR = Types.TUPLE([Types.LONG(), Types.LONG()])


def histories(stream: DataStream) -> DataStream:
    return stream.key_by(lambda n: n % KEYS, Types.LONG()).process(Histories(), WIDE).uid("histories")


def windows(stream: DataStream) -> DataStream:
    pairs = stream.map(lambda n: (n % KEYS, n), PAIR).uid("pairs").set_parallelism(1)
    return pairs.key_by(lambda pair: pair[0], Types.LONG()).window(TumblingEventTimeWindows.of(Time.milliseconds(50))).reduce(Sum(), output_type=PAIR).uid("w")


def sums(stream: DataStream) -> DataStream:
    pairs = stream.map(lambda n: (n % KEYS, n), PAIR).uid("pairs").set_parallelism(1)
    return pairs.key_by(lambda pair: pair[0], Types.LONG()).reduce(Sum()).uid("sums")


JOBS: dict[str, Callable[[DataStream], DataStream]] = {"histories": histories, "windows": windows, "sums": sums}


def environment(folder: Path, interval: int = 15) -> StreamExecutionEnvironment:
    env = StreamExecutionEnvironment.get_execution_environment()
    env.enable_checkpointing(interval)
    # Barriers pass between two batches.
    env.configure({"millstream.batch.rows": "16"})
    env.get_checkpoint_config().set_checkpoint_storage_dir(str(folder / "checkpoints"))
    env.set_restart_strategy(RestartStrategies.fixed_delay_restart(5, 10))
    return env


def build(env: StreamExecutionEnvironment, job: str, sink: str, folder: Path, rows: int = ROWS) -> None:
    watermarks = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_millis(5)).with_timestamp_assigner(ByValue())
    numbers = env.from_collection(list(range(rows)), Types.LONG()).uid("numbers").map(Disturbed(), Types.LONG()).uid("disturbed").set_parallelism(1)
    # One after the other, so that the rows of a key come in their order.
    stream = JOBS[job](numbers.assign_timestamps_and_watermarks(watermarks).uid("time").set_parallelism(1))
    width = 4 if job == "histories" else 2
    if sink == "sqlite":
        with sqlite3.connect(folder / "out.db") as connection:
            connection.execute(f"create table if not exists results ({', '.join('abcd'[:width])})")
        stream.sink_to(SqliteSink(folder / "out.db", "results")).uid("sink")
    else:
        lines = stream.map(lambda row: " ".join(map(str, row)), Types.STRING()).uid("lines")
        lines.sink_to(FileSink.for_row_format(str(folder / "out"), Encoder.simple_string_encoder()).build()).uid("sink")


def committed(sink: str, folder: Path) -> list[str]:
    """What readers see, sorted."""
    if sink == "sqlite":
        with sqlite3.connect(folder / "out.db") as connection:
            return sorted(" ".join(map(str, row)) for row in connection.execute("select * from results"))
    parts = [path for path in (folder / "out").rglob("*") if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    return sorted(line for path in parts for line in path.read_text().splitlines())


_expected: dict[str, list[str]] = {}


def expected(job: str, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a run gives that nothing disturbs, without checkpoints."""
    if job not in _expected:
        Disturbance.reset(set())
        folder = tmp_path_factory.mktemp("undisturbed")
        env = StreamExecutionEnvironment.get_execution_environment()
        build(env, job, "sqlite", folder)
        env.execute()
        _expected[job] = committed("sqlite", folder)
        assert len(_expected[job]) >= 80
    return _expected[job]


# ---- Failures --------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sink", ["sqlite", "files"])
@pytest.mark.parametrize("job", JOBS)
def test_a_job_that_fails_twice_gives_each_row_once(job: str, sink: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    wanted = expected(job, tmp_path_factory)
    Disturbance.reset({ROWS // 3, 2 * ROWS // 3})
    env = environment(tmp_path).set_parallelism(2)
    build(env, job, sink, tmp_path)
    client = env.execute_async(job)
    client.get_job_execution_result().result()
    assert committed(sink, tmp_path) == wanted
    assert [("planned" in failure.message, failure.operator is not None) for failure in client.failures()] == [(True, True)] * 2
    checkpoints = client.checkpoints()
    assert any(entry.is_completed and entry.size_bytes > 0 for entry in checkpoints)
    assert [entry.checkpoint_id for entry in checkpoints] == sorted(entry.checkpoint_id for entry in checkpoints)
    assert not list((tmp_path / "checkpoints").glob("*/*")), "a finished job leaves none"


def test_without_a_strategy_a_job_with_checkpoints_restarts(tmp_path: Path) -> None:
    Disturbance.reset({100})
    env = environment(tmp_path)
    env.set_restart_strategy(RestartStrategies.fall_back_restart())
    env.configure({"restart-strategy.exponential-delay.initial-backoff": "10 ms"})
    build(env, "sums", "sqlite", tmp_path, 200)
    client = env.execute_async()
    assert client.wait(60)
    assert (client.status(), len(client.failures()), len(committed("sqlite", tmp_path))) == (JobStatus.FINISHED, 1, 200)


def test_without_restarts_the_first_failure_ends_the_job(tmp_path: Path) -> None:
    Disturbance.reset({100})
    env = environment(tmp_path)
    env.set_restart_strategy(RestartStrategies.no_restart())
    env.get_checkpoint_config().set_externalized_checkpoint_retention(ExternalizedCheckpointRetention.DELETE_ON_CANCELLATION)
    build(env, "sums", "sqlite", tmp_path)
    client = env.execute_async()
    with pytest.raises(OSError, match="planned at 100"):
        client.get_job_execution_result().result()
    # The engine's job was let go, and what it said stays.
    assert [failure.message for failure in client.failures()] == ["OSError: planned at 100"]
    assert client.checkpoints() and newest_checkpoint(tmp_path / "checkpoints") is not None, "a failed job's last one is kept"
    with pytest.raises(InvalidStateError, match="has ended"):
        client.trigger_savepoint(str(tmp_path)).result()


def test_the_last_failure_is_raised_when_the_attempts_are_used_up(tmp_path: Path) -> None:
    Disturbance.reset({50, 100, 150})
    env = environment(tmp_path)
    env.set_restart_strategy(RestartStrategies.fixed_delay_restart(2, 5))
    build(env, "sums", "sqlite", tmp_path)
    with pytest.raises(OSError, match="planned at 150"):
        env.execute()


def test_without_checkpoints_a_restart_begins_anew(tmp_path: Path) -> None:
    Disturbance.reset({100})
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_restart_strategy(RestartStrategies.fixed_delay_restart(1, 5))
    build(env, "sums", "sqlite", tmp_path, 200)
    env.execute()
    assert len(committed("sqlite", tmp_path)) == 200


@pytest.mark.parametrize("mode", [RuntimeExecutionMode.BATCH, RuntimeExecutionMode.AUTOMATIC])
def test_a_batch_job_has_no_checkpoints_and_does_not_restart_because_of_them(mode: RuntimeExecutionMode, tmp_path: Path) -> None:
    env = environment(tmp_path)
    env.set_restart_strategy(RestartStrategies.fall_back_restart())
    env.configure({"execution.checkpointing.timeout": "20 ms"})
    env.set_runtime_mode(mode)
    found: list[int] = []
    calls: list[int] = []

    def fail_at_200(value: int) -> int:
        calls.append(value)
        time.sleep(0.0005)
        if value == 200:
            raise OSError("planned")
        return value

    env.from_collection(list(range(300)), Types.LONG()).map(fail_at_200, Types.LONG()).add_sink(found.append)
    client = env.execute_async()
    with pytest.raises(InvalidStateError if client.status().is_terminal_state() else UnsupportedError, match="BATCH|ended"):
        client.trigger_savepoint(str(tmp_path)).result()
    with pytest.raises(OSError, match="planned"):
        client.get_job_execution_result().result()
    assert len(client.failures()) == 1 and calls == list(range(201)), "neither a restart, nor a checkpoint that nobody answers"
    assert found == sorted(set(found))


def test_a_savepoint_waits_for_nobody_who_has_gone(tmp_path: Path) -> None:
    """A job without checkpoints, one of whose two sources has ended: its subtask is no more."""
    found: list[int] = []

    def slowly(value: int) -> int:
        time.sleep(0.005)
        return value

    def job() -> StreamExecutionEnvironment:
        env = StreamExecutionEnvironment.get_execution_environment()
        env.configure({"millstream.batch.rows": "8"})
        short = env.from_collection([-1, -2, -3], Types.LONG()).uid("short")
        long = env.from_collection(list(range(ROWS)), Types.LONG()).uid("long").map(slowly, Types.LONG()).uid("slow")
        short.union(long).key_by(lambda n: n % 3, Types.LONG()).sum(0).uid("sum").map(lambda n: n, Types.LONG()).uid("same").add_sink(found.append).uid("sink")
        return env

    client = job().execute_async()
    until = time.monotonic() + 30
    while len(found) < 50 and time.monotonic() < until:
        time.sleep(0.005)
    path = client.stop_with_savepoint(False, str(tmp_path)).result(20)
    assert client.wait(20)
    stopped = len(found)
    assert 50 <= stopped < ROWS + 3
    env = job()
    env.configure({"execution.state-recovery.path": path})
    env.execute()
    assert len(found) == ROWS + 3 and sorted(found[-3:]) == sorted(sum(n for n in [-1, -2, -3, *range(ROWS)] if n % 3 == rest) for rest in range(3))


def test_rows_that_were_collected_do_not_come_again() -> None:
    """Without checkpoints there is no telling what the reader has: the job fails, as with Flink."""
    Disturbance.reset({ROWS - 1})
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_restart_strategy(RestartStrategies.fixed_delay_restart(3, 5))
    found: list[int] = []
    with (
        pytest.raises(OSError, match="planned") as raised,
        env.from_collection(list(range(ROWS)), Types.LONG()).map(Disturbed(), Types.LONG()).execute_and_collect() as rows,
    ):
        found.extend(rows)
    assert found == list(range(len(found))) and found
    assert any("not started again" in note for note in getattr(raised.value, "__notes__", []))


def test_a_pipeline_that_fails_leaves_the_other_alone(tmp_path: Path) -> None:
    Disturbance.reset({ROWS // 2})
    env = environment(tmp_path)
    env.set_restart_strategy(RestartStrategies.fixed_delay_restart(3, 5))
    build(env, "sums", "sqlite", tmp_path)
    opened: list[int] = []

    class Calm(MapFunction):
        def open(self, runtime_context: Any) -> None:
            opened.append(1)

        def map(self, value: int) -> int:
            time.sleep(0.0005)
            return value

    calm: list[int] = []
    env.from_collection(list(range(ROWS)), Types.LONG()).map(Calm(), Types.LONG()).set_parallelism(1).add_sink(calm.append).set_parallelism(1)
    client = env.execute_async()
    assert client.wait(60)
    assert (client.status(), len(client.failures())) == (JobStatus.FINISHED, 1)
    assert (len(opened), calm) == (1, list(range(ROWS)))
    assert len(committed("sqlite", tmp_path)) == ROWS


def test_a_job_that_waits_for_its_restart_says_so_and_can_be_cancelled(tmp_path: Path) -> None:
    Disturbance.reset({20})
    env = environment(tmp_path)
    env.set_restart_strategy(RestartStrategies.fixed_delay_restart(3, 60_000))
    build(env, "sums", "sqlite", tmp_path)
    client = env.execute_async()
    until = time.monotonic() + 30
    while client.get_job_status().result() is not JobStatus.RESTARTING and time.monotonic() < until:
        time.sleep(0.01)
    assert client.status() is JobStatus.RESTARTING and not client.status().is_terminal_state()
    assert client.get_job_execution_result().exception() is None
    client.cancel().result(30)
    assert client.status() is JobStatus.CANCELED
    with pytest.raises(CancelledError):
        client.get_job_execution_result().result()


def test_ctrl_c_cancels_a_job_between_its_attempts(tmp_path: Path) -> None:
    script = tmp_path / "job.py"
    script.write_text(
        "from millstream.common import RestartStrategies\nfrom millstream.datastream import StreamExecutionEnvironment\n"
        "env = StreamExecutionEnvironment.get_execution_environment()\nenv.set_restart_strategy(RestartStrategies.fixed_delay_restart(9, 600_000))\n"
        "def fail(n):\n    print('fails', flush=True)\n    raise OSError\n"
        "env.from_collection([1]).map(fail).print()\nenv.execute()\n"
    )
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=30)[1]
    assert process.returncode == -signal.SIGINT


class Remembers(MapFunction, CheckpointedFunction):
    """Operator state; notes what it was told."""

    told: ClassVar[list[tuple[bool, list[int]]]] = []

    def initialize_state(self, context: Any) -> None:
        self.state = context.get_operator_state_store().get_list_state(ListStateDescriptor("seen", Types.LONG()))
        self.seen = list(self.state.get())
        Remembers.told.append((context.is_restored(), list(self.seen)))

    def snapshot_state(self, context: Any) -> None:
        self.state.update(self.seen)

    def map(self, value: int) -> int:
        self.seen.append(value)
        return value


def test_functions_with_operator_state_are_told_that_they_are_restored(tmp_path: Path) -> None:
    Disturbance.reset({ROWS // 2})
    Remembers.told = []
    env = environment(tmp_path)
    seen: list[int] = []
    env.from_collection(list(range(ROWS)), Types.LONG()).map(Disturbed(), Types.LONG()).map(Remembers(), Types.LONG()).add_sink(seen.append)
    env.execute()
    assert Remembers.told[0] == (False, [])
    restored, state = Remembers.told[-1]
    assert restored and state == list(range(len(state))) and 0 < len(state) <= ROWS // 2
    assert sorted(set(seen)) == list(range(ROWS))


# ---- Savepoints ------------------------------------------------------------------------------------------------------------------------------


def run_up_to(env: StreamExecutionEnvironment, job: str, sink: str, folder: Path, row: int) -> Any:
    """A job that has come to a row, and waits there."""
    Disturbance.reset(set(), gate=row)
    build(env, job, sink, folder)
    client = env.execute_async(job)
    assert Disturbance.waits.wait(30)
    return client


def stop(client: Any, folder: Path, drains: bool = False) -> str:
    """Stops a job that waits at its gate, which opens row by row until the barrier has come."""
    future = client.stop_with_savepoint(drains, str(folder / "savepoints"))
    while not future.done():
        Disturbance.gate += 1
        time.sleep(0.002)
    path = future.result(60)
    assert client.wait(60) and client.status() is JobStatus.FINISHED
    Disturbance.gate = ROWS
    return path


@pytest.mark.parametrize("before, after", [(1, 3), (3, 1), (2, 2)])
@pytest.mark.parametrize("job", JOBS)
def test_stop_and_go_on_at_another_parallelism(
    job: str, before: int, after: int, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    wanted = expected(job, tmp_path_factory)
    client = run_up_to(environment(tmp_path).set_parallelism(before), job, "sqlite", tmp_path, ROWS // 2)
    path = stop(client, tmp_path)
    assert Path(path, "_metadata").is_file() and Path(path).parent == tmp_path / "savepoints"
    assert [entry.location for entry in client.checkpoints() if entry.is_savepoint and entry.is_completed] == [path]
    partly = committed("sqlite", tmp_path)
    assert len(partly) < len(wanted)
    env = environment(tmp_path).set_parallelism(after)
    env.configure({"execution.state-recovery.path": "file://" + path})
    build(env, job, "sqlite", tmp_path)
    env.execute()
    assert committed("sqlite", tmp_path) == wanted
    assert Path(path, "_metadata").is_file(), "a savepoint is the user's"


def test_a_savepoint_leaves_the_job_alone(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    env = environment(tmp_path).set_parallelism(2)
    env.set_default_savepoint_directory(str(tmp_path / "default"))
    client = run_up_to(env, "sums", "files", tmp_path, ROWS // 2)
    future = client.trigger_savepoint()
    Disturbance.gate = ROWS
    assert Path(future.result(60)).parent == tmp_path / "default"
    client.get_job_execution_result().result()
    assert committed("files", tmp_path) == expected("sums", tmp_path_factory)


def test_a_drained_job_fires_its_windows(tmp_path: Path) -> None:
    client = run_up_to(environment(tmp_path), "windows", "sqlite", tmp_path, 220)
    stop(client, tmp_path, drains=True)
    rows = committed("sqlite", tmp_path)
    sums = sum(int(row.split()[1]) for row in rows)
    # All rows that were read are in a window that has fired.
    assert sums in {n * (n - 1) // 2 for n in range(200, ROWS + 1)}


def test_savepoints_that_cannot_be(tmp_path: Path) -> None:
    client = run_up_to(environment(tmp_path), "sums", "sqlite", tmp_path, 50)
    try:
        assert isinstance(client.trigger_savepoint().exception(), (ConfigurationError, type(None)))
        with pytest.raises(ConfigurationError, match="needs a directory"):
            client.trigger_savepoint().result(30)
        with pytest.raises(ConfigurationError, match="local disks"):
            client.trigger_savepoint("s3://bucket/x")
        (tmp_path / "file").write_text("")
        with pytest.raises(InputOutputError):
            client.trigger_savepoint(str(tmp_path / "file")).result(30)
        assert client.status() is JobStatus.RUNNING
    finally:
        Disturbance.gate = ROWS
        client.cancel().result(30)
    with pytest.raises(InvalidStateError, match="ended"):
        client.trigger_savepoint(str(tmp_path)).result(30)


def test_state_that_no_operator_claims_is_refused(tmp_path: Path) -> None:
    path = stop(run_up_to(environment(tmp_path), "sums", "sqlite", tmp_path, 100), tmp_path)
    for allowed in (False, True):
        env = environment(tmp_path)
        env.configure({"execution.state-recovery.path": path, "execution.state-recovery.ignore-unclaimed-state": str(allowed).lower()})
        env.from_collection(list(range(ROWS)), Types.LONG()).uid("numbers").map(lambda n: n, Types.LONG()).uid("other").add_sink(lambda n: None)
        if allowed:
            env.execute()
        else:
            with pytest.raises(PlanError, match=r"state of operators that the job has not: .*\(uid sums, \d+ bytes\)(?s:.)*ignore-unclaimed-state"):
                env.execute()


def test_a_path_without_a_savepoint_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    env = environment(tmp_path)
    env.configure({"execution.state-recovery.path": "nowhere"})
    env.from_collection([1]).print()
    with pytest.raises(InputOutputError, match=f"no savepoint or checkpoint at '{tmp_path}/nowhere'"):
        env.execute()


# ---- Settings --------------------------------------------------------------------------------------------------------------------------------


def options(env: StreamExecutionEnvironment) -> dict[str, str]:
    return dict(checkpoint_options(env.get_configuration().to_dict()))


def test_settings_reach_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    env = StreamExecutionEnvironment.get_execution_environment()
    assert options(env) == {}
    env.enable_checkpointing(500).get_checkpoint_config().set_checkpoint_storage(FileSystemCheckpointStorage("file:///tmp/points", 7, 9))
    env.get_checkpoint_config().set_checkpoint_timeout(60_000).set_min_pause_between_checkpoints(5).enable_unaligned_checkpoints()
    env.get_checkpoint_config().set_aligned_checkpoint_timeout(700)
    env.set_default_savepoint_directory("saved").get_config().set_use_snapshot_compression(True)
    env.set_restart_strategy(RestartStrategies.failure_rate_restart(3, 60_000, 1_000))
    env.configure({"state.checkpoints.num-retained": "3"})
    assert options(env) == {
        "execution.checkpointing.interval": "500 ms",
        "execution.checkpointing.timeout": "60000 ms",
        "execution.checkpointing.min-pause": "5 ms",
        "execution.checkpointing.aligned-checkpoint-timeout": "700 ms",
        "execution.checkpointing.unaligned.enabled": "true",
        "execution.checkpointing.dir": "/tmp/points",
        "execution.checkpointing.savepoint-dir": f"{tmp_path}/saved",
        "execution.checkpointing.num-retained": "3",
        "millstream.checkpoints.compression": "lz4",
        "restart-strategy.type": "failure-rate",
        "restart-strategy.failure-rate.max-failures-per-interval": "3",
        "restart-strategy.failure-rate.failure-rate-interval": "60000 ms",
        "restart-strategy.failure-rate.delay": "1000 ms",
    }
    env.get_checkpoint_config().set_checkpoint_storage(JobManagerCheckpointStorage("/tmp/points"))
    assert "execution.checkpointing.dir" not in options(env), "they are in memory"
    env.set_runtime_mode(RuntimeExecutionMode.BATCH)
    assert "execution.checkpointing.interval" not in options(env)


@pytest.mark.parametrize(
    "settings",
    [
        {"execution.state-recovery.path": "hdfs://host/x"},
        {"execution.state-recovery.ignore-unclaimed-state": "perhaps"},
        {"execution.checkpointing.num-retained": "0"},
        {"millstream.checkpoints.compression": "zip"},
        {"restart-strategy.fixed-delay.delay": "soon"},
        {"restart-strategy.exponential-delay.jitter-factor": "2"},
    ],
)
def test_settings_that_cannot_be(settings: dict[str, str], env: StreamExecutionEnvironment) -> None:
    with pytest.raises(ConfigurationError):
        env.configure(settings)
    assert env.get_configuration().to_dict() == {}


def test_batch_jobs_take_none(tmp_path: Path) -> None:
    Disturbance.reset(set())
    env = environment(tmp_path).set_runtime_mode(RuntimeExecutionMode.BATCH)
    env.configure({"execution.state-recovery.path": str(tmp_path / "nowhere")})
    build(env, "windows", "sqlite", tmp_path, 100)
    client = env.execute_async()
    client.get_job_execution_result().result()
    assert client.checkpoints() == [] and not (tmp_path / "checkpoints").exists() and committed("sqlite", tmp_path)
