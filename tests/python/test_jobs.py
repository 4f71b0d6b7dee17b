"""Jobs as their owner sees them: clients, results, cancellation, failures, several at once."""

from __future__ import annotations

import gc
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from millstream.common import Configuration, JobStatus, Types
from millstream.datastream import (
    KeyedProcessFunction,
    MapFunction,
    ProcessFunction,
    ProcessWindowFunction,
    SinkFunction,
    StreamExecutionEnvironment,
)
from millstream.datastream.connectors.datagen import DataGeneratorSource
from millstream.datastream.connectors.number_seq import NumberSequenceSource
from millstream.datastream.connectors.python import PythonSource
from millstream.datastream.data_stream import DataStream
from millstream.datastream.state import ValueStateDescriptor
from millstream.exceptions import CancelledError, InvalidStateError
from millstream.table.expressions import col
from millstream.testing import TestStream


def endless(env: StreamExecutionEnvironment, rate: float = 1_000.0) -> DataStream:
    return env.from_source(DataGeneratorSource({"n": col("index")}, rows_per_second=rate))


# ---- Results ---------------------------------------------------------------------------------------------------------------------------------


def test_result(env: StreamExecutionEnvironment) -> None:
    env.from_collection([1, 2]).map(abs)
    result = env.execute("my job")
    assert result.get_net_runtime() >= 0
    assert len(str(result.get_job_id())) == 32
    assert result.get_all_accumulator_results() == {}
    assert str(result).startswith("Program execution finished: my job\nJob with JobID ")


def test_client_of_a_job_that_finishes(env: StreamExecutionEnvironment) -> None:
    gate = threading.Event()
    env.from_collection([1]).map(lambda n: gate.wait(10))
    client = env.execute_async("waits")
    future = client.get_job_execution_result()
    assert client.get_job_status().result() is JobStatus.RUNNING
    assert (future.done(), future.exception(), future.cancelled()) == (False, None, False)
    with pytest.raises(TimeoutError):
        future.result(0.01)
    gate.set()
    assert future.result().get_job_id() == client.get_job_id()
    assert (future.done(), client.status(), future.cancel()) == (True, JobStatus.FINISHED, False)
    assert "FINISHED" in repr(client)


def test_client_of_a_job_that_fails(env: StreamExecutionEnvironment) -> None:
    env.from_collection([1]).map(lambda n: {}[n])
    client = env.execute_async()
    with pytest.raises(KeyError):
        client.get_job_execution_result().result()
    assert client.status() is JobStatus.FAILED
    assert isinstance(client.get_job_execution_result().exception(), KeyError)


def test_cancel_and_cancel_again(env: StreamExecutionEnvironment) -> None:
    endless(env).map(lambda row: row)
    client = env.execute_async()
    client.cancel().result(10)
    assert client.status() is JobStatus.CANCELED
    client.cancel().result(10)
    future = client.get_job_execution_result()
    assert future.cancelled()
    with pytest.raises(CancelledError, match="canceled"):
        future.result()


def test_metrics(env: StreamExecutionEnvironment) -> None:
    env.from_source(NumberSequenceSource(1, 1_000)).filter(lambda n: n % 2 == 0).add_sink(lambda n: None)
    client = env.execute_async()
    client.wait()
    metrics = client.get_metrics()
    assert metrics, json.dumps(metrics)
    from millstream.progress import read_progress

    progress = read_progress(metrics)
    assert (progress.rows_read, progress.rows_written) == (1_000, 500)


def test_progress_of_a_job(env: StreamExecutionEnvironment) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    env.from_source(NumberSequenceSource(1, 2_000)).map(lambda n: time.sleep(0.0002)).add_sink(lambda n: None)
    terminal = Terminal()
    assert env.execute_async().print_progress(terminal, 0.05) is JobStatus.FINISHED
    lines = [line.strip() for line in terminal.getvalue().split("\r")]
    assert len(lines) > 2, "the line changes while the job runs"
    assert lines[-1].startswith("2,000 rows | ")
    assert "2,000 results" in lines[-1]


def test_several_jobs_at_once(env: StreamExecutionEnvironment) -> None:
    # More jobs than workers, and none waits for another to end.
    jobs = 5
    counts = [0] * jobs
    clients = []
    for number in range(jobs):

        def count(_: Any, number: int = number) -> None:
            counts[number] += 1

        env.from_source(NumberSequenceSource(1, 10**12)).add_sink(count)
        clients.append(env.execute_async(f"job {number}"))
    deadline = time.monotonic() + 15
    while min(counts) < 1_000 and time.monotonic() < deadline:
        time.sleep(0.01)
    for client in clients:
        client.cancel()
    assert min(counts) >= 1_000
    assert [client.wait(10) for client in clients] == [True] * jobs


def test_jobs_started_in_threads() -> None:
    found: dict[int, list[int]] = {}

    def run(number: int) -> None:
        env = StreamExecutionEnvironment.get_execution_environment()
        found[number] = list(env.from_collection(range(number * 100)).map(lambda n: n).execute_and_collect())

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {number: len(values) for number, values in found.items()} == {number: number * 100 for number in range(8)}


# ---- Collecting --------------------------------------------------------------------------------------------------------------------------------


def test_limit(env: StreamExecutionEnvironment) -> None:
    assert [row.n for row in endless(env).execute_and_collect(limit=3)] == [0, 1, 2]
    assert env.from_collection([1, 2]).execute_and_collect("job", 10) == [1, 2]
    with pytest.raises(ValueError, match="limit"):
        env.from_collection([1]).execute_and_collect(limit=-1)


def test_closing_the_iterator_cancels(env: StreamExecutionEnvironment) -> None:
    with endless(env).execute_and_collect() as values:
        assert next(values).n == 0
        client = values.get_job_client()
    assert client.status() is JobStatus.CANCELED
    assert list(values) == []


def test_an_iterator_in_a_for_statement_stays_alive(env: StreamExecutionEnvironment) -> None:
    total = 0
    for value in env.from_source(NumberSequenceSource(1, 50_000)).execute_and_collect():
        total += value
    assert total == 50_000 * 50_001 // 2


def test_the_iterator_raises_what_the_job_fails_with(env: StreamExecutionEnvironment) -> None:
    values = env.from_collection([1, 0]).map(lambda n: 1 // n).execute_and_collect()
    with pytest.raises(ZeroDivisionError):
        list(values)


def test_memory_is_bounded_behind_a_slow_reader(env: StreamExecutionEnvironment) -> None:
    env.configure({"millstream.exchange.memory": "64 kb"})
    with env.from_source(NumberSequenceSource(1, 10**12)).execute_and_collect() as values:
        next(values)
        time.sleep(0.3)
        from millstream.progress import read_progress

        assert read_progress(values.get_job_client().get_metrics()).rows_read < 10_000_000


# ---- Failures ------------------------------------------------------------------------------------------------------------------------------------


class NoText(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text either")


def test_the_users_exception_itself_is_raised(env: StreamExecutionEnvironment) -> None:
    mistake = ValueError("broken")

    def parse(value: int) -> int:
        if value == 2:
            raise mistake
        return value

    env.from_collection([1, 2, 3]).map(parse).name("Parse")
    with pytest.raises(ValueError, match="broken") as caught:
        env.execute()
    assert caught.value is mistake
    text = "".join(traceback.format_exception(caught.value))
    assert "in parse" in text
    assert __file__ in text
    assert "Parse" in "".join(getattr(mistake, "__notes__", [])), "a note names the operator"


def test_rows_before_the_failure_were_processed(env: StreamExecutionEnvironment) -> None:
    seen: list[int] = []

    def function(value: int) -> int:
        seen.append(value)
        return 1 // (value - 50)

    env.from_collection(range(100)).map(function)
    with pytest.raises(ZeroDivisionError):
        env.execute()
    assert seen == list(range(51)), "each row once, and none behind the failure"


def test_an_exception_without_text(env: StreamExecutionEnvironment) -> None:
    def function(value: Any) -> Any:
        raise NoText

    env.from_collection([1]).map(function)
    with pytest.raises(NoText):
        env.execute()


def test_a_generator_that_fails_after_three_values(env: StreamExecutionEnvironment) -> None:
    def function(value: int) -> Any:
        yield from range(3)
        raise LookupError("after three")

    env.from_collection([1]).flat_map(function)
    with pytest.raises(LookupError, match="after three"):
        env.execute()


@pytest.mark.parametrize("kind", ["open", "read", "write", "selector", "reduce"])
def test_failures_in_other_functions(env: StreamExecutionEnvironment, kind: str) -> None:
    def fail(*_: Any) -> Any:
        raise EOFError(kind)

    class Life(MapFunction[Any, Any]):
        open = fail if kind == "open" else lambda self, context: None

        def map(self, value: Any) -> Any:
            return value

    class Source(PythonSource):
        read = fail

    numbers = env.from_collection([1, 1])
    if kind == "open":
        numbers.map(Life())
    elif kind == "read":
        env.from_source(Source()).print()
    elif kind == "write":
        numbers.add_sink(fail)
    elif kind == "selector":
        numbers.key_by(fail).sum(0)
    else:
        numbers.key_by(lambda n: n).reduce(fail)
    with pytest.raises(EOFError, match=kind):
        env.execute()


def test_an_error_prints_few_lines(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "job.py"
    script.write_text(textwrap.dedent("""
        from millstream.datastream import StreamExecutionEnvironment
        env = StreamExecutionEnvironment.get_execution_environment()
        def parse(line):
            return int(line)
        env.from_collection(["1", "x"]).map(parse).print()
        env.execute()
    """))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    lines = done.stderr.strip().splitlines()
    assert len(lines) <= 15, done.stderr
    assert any("job.py" in line and "line 5" in line for line in lines), done.stderr
    assert "ValueError: invalid literal for int() with base 10: 'x'" in done.stderr


# ---- Interrupts, forks and exits -----------------------------------------------------------------------------------------------------------------

JOB = """
from millstream.datastream import StreamExecutionEnvironment
from millstream.datastream.connectors.datagen import DataGeneratorSource
from millstream.table.expressions import col
env = StreamExecutionEnvironment.get_execution_environment()
env.from_source(DataGeneratorSource({"n": col("index")}, rows_per_second=1000.0)).map(lambda row: row.n).add_sink(lambda n: None)
"""


def run(script: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def test_ctrl_c_cancels(tmp_path: pathlib.Path) -> None:
    script = JOB + "print('ready', flush=True)\ntry:\n    env.execute()\nexcept KeyboardInterrupt:\n    print('stopped', flush=True)\n"
    with run(script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "stopped\n"), err


def test_exit_with_a_running_job() -> None:
    with run(JOB + "client = env.execute_async()\nprint(client.status().name)") as process:
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "RUNNING\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_is_refused() -> None:
    script = JOB + textwrap.dedent("""
        import os
        from millstream.exceptions import EngineForkedError
        client = env.execute_async()
        child = os.fork()
        if child == 0:
            try:
                StreamExecutionEnvironment.get_execution_environment().from_collection([1]).execute_and_collect()
            except EngineForkedError:
                os._exit(7)
            os._exit(1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), client.status().name)
    """)
    with run(script) as process:
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "7 RUNNING\n"), err


# ---- Environments ------------------------------------------------------------------------------------------------------------------------------


def test_calls_after_close(env: StreamExecutionEnvironment) -> None:
    numbers = env.from_collection([1])
    env.close()
    for call in (lambda: env.from_collection([1]), lambda: numbers.map(abs), lambda: numbers.rebalance(), env.execute, env.get_execution_plan,
                 lambda: numbers.execute_and_collect(), lambda: numbers.name("x"), lambda: env.configure({})):
        with pytest.raises(InvalidStateError, match="closed"):
            call()
    env.close()


def test_nothing_to_execute(env: StreamExecutionEnvironment) -> None:
    env.from_collection([1])
    for call in (env.execute, env.execute_async, env.get_execution_plan):
        with pytest.raises(InvalidStateError, match="nothing to execute"):
            call()


def test_a_job_that_cannot_be_built_leaves_nothing_behind(env: StreamExecutionEnvironment) -> None:
    class Broken(MapFunction[Any, Any]):
        def open(self, runtime_context: Any) -> None:
            raise RuntimeError("open")

        def map(self, value: Any) -> Any: ...

    env.from_collection([1]).key_by(lambda n: n).map(Broken())
    with pytest.raises(RuntimeError, match="open"):
        env.execute()
    assert list(env.from_collection([2], Types.LONG()).execute_and_collect()) == [2]


def test_the_name_of_a_job() -> None:
    env = StreamExecutionEnvironment.get_execution_environment(Configuration.from_dict({"pipeline.name": "by setting"}))
    for given, expected in ((None, "by setting"), ("by call", "by call")):
        env.from_collection([1]).map(abs)
        assert env.execute_async(given).get_job_name() == expected


def settle(done: Callable[[], bool]) -> None:
    """Waits a moment for what the engine's threads give back: they never wait for Python, so some of it comes with the next call."""
    deadline = time.monotonic() + 5
    while not done() and time.monotonic() < deadline:
        gc.collect()
        assert list(StreamExecutionEnvironment.get_execution_environment().from_collection([0]).execute_and_collect()) == [0]


@pytest.mark.parametrize("kind", ["map", "process", "sink", "source", "keyed", "window"])
def test_functions_go_when_their_job_has_ended(env: StreamExecutionEnvironment, kind: str) -> None:
    class Source(PythonSource):
        def read(self, limit: int) -> Any:
            return None

    class Process(ProcessFunction[Any, Any]):
        def process_element(self, value: Any, ctx: Any) -> Any: ...

    class Keyed(KeyedProcessFunction[Any, Any, Any]):
        def open(self, runtime_context: Any) -> None:
            self.state = runtime_context.get_state(ValueStateDescriptor("s"))

        def process_element(self, value: Any, ctx: Any) -> Any:
            self.state.update(value)

    class Window(ProcessWindowFunction[Any, Any, Any, Any]):
        def process(self, key: Any, context: Any, elements: Any) -> Any: ...

    class Sink(SinkFunction[Any]):
        def invoke(self, value: Any) -> None: ...

    class Map(MapFunction[Any, Any]):
        def map(self, value: Any) -> Any: ...

    function = {"map": Map, "process": Process, "sink": Sink, "source": Source, "keyed": Keyed, "window": Window}[kind]()
    numbers = env.from_collection([1])
    if kind == "map":
        numbers.map(function)
    elif kind == "process":
        numbers.process(function)
    elif kind == "sink":
        numbers.add_sink(function)
    elif kind == "source":
        env.from_source(function).add_sink(id)
    elif kind == "keyed":
        numbers.key_by(id).process(function)
    else:
        numbers.key_by(id).count_window(1).process(function)
    env.execute()
    alive = weakref.ref(function)
    del function, numbers, Source, Process, Keyed, Window, Sink, Map
    settle(lambda: alive() is None)
    assert alive() is None


@pytest.mark.parametrize("fails", [False, True])
def test_a_test_stream_and_its_functions_go_with_their_job(fails: bool) -> None:
    """Its reader knows the job's builder, and the engine the reader: Python's collector sees only one of the two."""

    class Divide:
        def __call__(self, value: int) -> float:
            return 1 / value

    def job() -> list[weakref.ref[Any]]:
        env = StreamExecutionEnvironment.get_execution_environment()
        stream, function = TestStream(Types.LONG()).add(1).add(0 if fails else 2), Divide()
        rows = env.from_source(stream).map(function)
        if fails:
            with pytest.raises(ZeroDivisionError):
                list(rows.execute_and_collect())
        else:
            assert list(rows.execute_and_collect()) == [1, 0.5]
        return [weakref.ref(entry) for entry in (env, stream, function)]

    alive = job()
    settle(lambda: all(entry() is None for entry in alive))
    assert [entry() for entry in alive] == [None] * 3


def test_repeated_jobs_leak_nothing(env: StreamExecutionEnvironment) -> None:
    value = object()

    def job() -> None:
        assert list(env.from_collection([value] * 1_000).map(lambda v: v).key_by(id, Types.LONG()).reduce(lambda x, y: x).execute_and_collect())

    before = sys.getrefcount(value)
    for _ in range(20):
        job()
    settle(lambda: sys.getrefcount(value) == before)
    assert sys.getrefcount(value) == before


def test_functions_that_block_hold_up_no_other_job(env: StreamExecutionEnvironment) -> None:
    """Two workers, four jobs that wait for something outside: a fifth job takes no notice."""
    over = threading.Event()
    waiting = threading.Semaphore(0)

    def wait(value: int) -> int:
        waiting.release()
        over.wait(60)
        return value

    def sleep(value: int) -> int:
        waiting.release()
        while not over.is_set():
            time.sleep(0.3)
        return value

    clients = []
    for number in range(4):
        other = StreamExecutionEnvironment()
        other.configure({"millstream.workers": 2})
        other.from_collection([number]).map(wait if number % 2 else sleep).add_sink(lambda value: None)
        clients.append(other.execute_async())
    try:
        assert all(waiting.acquire(timeout=10) for _ in clients)
        env.configure({"millstream.workers": 2})
        counts = env.from_collection(range(1_000)).key_by(lambda n: n % 10).map(lambda n: n + 1)
        start = time.monotonic()
        assert sum(counts.execute_and_collect()) == 500_500
        assert time.monotonic() - start < 1
        assert not any(client.status().is_terminal_state() for client in clients)
    finally:
        over.set()
    for client in clients:
        client.get_job_execution_result().result()


def test_threads_that_end_leave_nothing_in_python(tmp_path: pathlib.Path) -> None:
    """What a function keeps in threading.local goes with the thread, and the interpreter ends as it should."""
    script = tmp_path / "job.py"
    script.write_text(textwrap.dedent("""
        import gc, threading, time
        from millstream.datastream import StreamExecutionEnvironment

        class Kept:
            living = 0
            def __init__(self):
                Kept.living += 1
            def __del__(self):
                time.sleep(0.01)
                Kept.living -= 1

        local = threading.local()
        over = threading.Event()

        def work(value):
            if not hasattr(local, "kept"):
                local.kept = Kept()
            over.wait(30)
            return value

        for turn in range(2):
            over.clear()
            clients = []
            for number in range(6):
                env = StreamExecutionEnvironment()
                env.configure({"millstream.workers": 1})
                env.from_collection([number]).map(work).add_sink(lambda value: None)
                clients.append(env.execute_async())
            deadline = time.monotonic() + 20
            while Kept.living < 6 and time.monotonic() < deadline:
                time.sleep(0.01)
            assert Kept.living == 6, Kept.living
            over.set()
            for client in clients:
                client.get_job_execution_result().result()
            while Kept.living > 1 and time.monotonic() < deadline:
                time.sleep(0.05)
            assert Kept.living == 1, Kept.living
        print("done")
    """))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
