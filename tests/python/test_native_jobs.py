"""Jobs through the extension alone: exceptions as themselves, signals, interpreter exit, fork, and nothing left behind."""

from __future__ import annotations

import gc
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from pathlib import Path

import pytest
from millstream import _native as native

SOURCE = Path(__file__).resolve().parents[2] / "python/src"


def chain(values, stages, schema="OBJECT", *, fused=True):
    """Runs a collection through stages and gives the results."""
    environment = native.Environment()
    environment.configure("parallelism.default", "1")
    node = environment.source_function(native.collection(values, schema, "values"))
    for stage in stages:
        node = environment.transform(
            native.Input(node), native.transform([stage], schema)
        )
        environment.set(node, "name", stage[2])
        if not fused:
            environment.set(node, "chaining", "never")
        schema = stage[3] or schema
    sink = environment.sink_collect(native.Input(node))
    job = environment.execute("test")
    return list(job.collect(sink, schema))


@pytest.mark.parametrize("fused", [True, False])
def test_objects_go_through_by_reference(fused):
    values = [object() for _ in range(10_000)]
    result = chain(
        values,
        [
            ("map", lambda x: x, "a", "OBJECT"),
            ("filter", lambda x: x is not values[3], "b", None),
        ],
        fused=fused,
    )
    assert len(result) == 9999 and all(
        a is b for a, b in zip(result, values[:3] + values[4:], strict=True)
    )


@pytest.mark.parametrize("fused", [True, False])
def test_typed_values(fused):
    stages = [
        ("map", str, "text", "STRING"),
        ("flat_map", lambda s: list(s), "digits", "STRING"),
        ("map", int, "number", "BIGINT"),
    ]
    assert chain(list(range(5000)), stages, "BIGINT", fused=fused) == [
        int(digit) for x in range(5000) for digit in str(x)
    ]


class Mine(Exception):
    pass


def raise_mine(x):
    if x == 1234:
        raise Mine("boom")
    return x


def test_the_users_exception_is_raised_as_itself():
    with pytest.raises(Mine) as caught:
        chain(list(range(5000)), [("map", raise_mine, "parse", "BIGINT")], "BIGINT")
    lines = "".join(traceback.format_exception(caught.value)).splitlines()
    assert any("raise_mine" in line for line in lines)
    assert len(lines) <= 25, lines
    (note,) = caught.value.__notes__
    assert (
        "in operator 'parse'" in note
        and "record 1234: 1234" in note
        and "test_native_jobs.py" in note
    )


def test_a_wrong_type_names_operator_and_types():
    with pytest.raises(
        native.TypeMismatchError,
        match="declared BIGINT, but the value is 'x' \\(str\\)",
    ) as caught:
        chain([1], [("map", lambda x: "x", "bad", "BIGINT")], "BIGINT")
    assert caught.value.operator == "bad" and caught.value.record == 0


def test_a_failure_can_be_raised_again_without_growing():
    environment = native.Environment()
    node = environment.source_function(native.collection([1234], "BIGINT", "values"))
    node = environment.transform(
        native.Input(node),
        native.transform([("map", raise_mine, "m", "BIGINT")], "BIGINT"),
    )
    environment.sink_blackhole(native.Input(node))
    job = environment.execute("test")
    sizes = []
    for _ in range(3):
        with pytest.raises(Mine) as caught:
            job.result()
        sizes.append(len(traceback.extract_tb(caught.value.__traceback__)))
    assert (
        len(set(sizes)) == 1
        and job.status() == "FAILED"
        and isinstance(job.failure(), Mine)
    )


def endless(environment: native.Environment, function=None):
    node = environment.source_function(
        native.source(lambda limit: list(range(limit)), "BIGINT", "endless"), False
    )
    node = environment.transform(
        native.Input(node),
        native.transform([("map", function or (lambda x: x), "m", "BIGINT")], "BIGINT"),
    )
    environment.sink_blackhole(native.Input(node))
    return environment.execute("endless")


def test_cancel_twice_and_calls_after_close():
    job = endless(native.Environment())
    time.sleep(0.05)
    job.cancel()
    job.cancel()
    assert job.wait(10_000) == "CANCELED"
    with pytest.raises(native.CancelledError):
        job.result()
    job.cancel()
    job.close()
    job.close()
    with pytest.raises(native.InvalidHandleError):
        job.status()
    environment = native.Environment()
    environment.close()
    with pytest.raises(native.InvalidHandleError):
        environment.source_sequence(1, 2)


def test_wait_has_a_limit():
    job = endless(native.Environment())
    start = time.monotonic()
    assert job.wait(120) == "RUNNING"
    assert 0.1 <= time.monotonic() - start < 2
    job.close()


def test_interrupt_cancels_the_job():
    job = endless(native.Environment())
    threading.Timer(0.1, signal.raise_signal, [signal.SIGINT]).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        job.result()
    assert time.monotonic() - start < 2
    assert job.status() == "CANCELED"


def run(*parts: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    head = "from millstream import _native as native\nimport os, signal, sys, threading, time\n"
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", head + "".join(map(textwrap.dedent, parts))],
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


ENDLESS = """
def endless(function=lambda x: x):
    environment = native.Environment()
    node = environment.source_function(native.source(lambda limit: list(range(limit)), "BIGINT", "endless"), False)
    node = environment.transform(native.Input(node), native.transform([("map", function, "m", "BIGINT")], "BIGINT"))
    environment.sink_blackhole(native.Input(node))
    return environment.execute("endless")
"""


@pytest.mark.parametrize(
    "way",
    [
        "pass",
        "del job",
        "sys.exit(0)",
        "import gc; gc.collect(); del native",
        "job.close()",
        "native.shutdown()",
    ],
)
def test_exit_with_a_running_job(way):
    result = run(ENDLESS + f"\njob = endless()\ntime.sleep(0.1)\n{way}\n")
    assert (result.returncode, result.stderr) == (0, "")


def test_exit_with_a_slow_function():
    """It says what it waits for, and waits."""
    result = run(
        ENDLESS,
        """
    def slow(x):
        if x == 0:
            time.sleep(2.7)
            print("slow is done", flush=True)
        return x
    job = endless(slow)
    time.sleep(0.1)
    """
    )
    line = (
        r"millstream: exit waits: job 'endless' has not stopped in time; operator 'm' is in slow \(<string>:\d+\); "
        r"Ctrl-C ends the wait, which lasts 10 seconds at most\n"
    )
    assert (result.returncode, result.stdout) == (0, "slow is done\n")
    assert re.fullmatch(line, result.stderr), result.stderr


def test_an_interrupt_ends_the_wait_at_exit():
    script = """
    job = endless(lambda x: time.sleep(30))
    time.sleep(0.1)
    threading.Timer(0.6, os.kill, [os.getpid(), signal.SIGINT]).start()
    # Behind the import: so it runs before the engine's own.
    import atexit
    atexit.register(lambda: print("exits", flush=True))
    threading._shutdown = lambda: None
    """
    start = time.monotonic()
    result = run(ENDLESS, script)
    assert (result.returncode, result.stdout, result.stderr) == (0, "exits\n", "")
    assert time.monotonic() - start < 8


@pytest.mark.slow
def test_exit_waits_ten_seconds():
    start = time.monotonic()
    # One call that takes longer; between two calls the job would stop at once.
    result = run(ENDLESS + "\njob = endless(lambda x: time.sleep(60))\ntime.sleep(0.1)\n")
    assert result.returncode == 0 and result.stderr.count("\n") == 1
    assert 10 <= time.monotonic() - start < 20


def test_after_shutdown_calls_say_so():
    result = run(
        ENDLESS
        + "\nnative.shutdown()\ntry:\n    endless()\nexcept native.InvalidStateError as error:\n    print('said', error)\n"
    )
    assert result.returncode == 0 and "said" in result.stdout, result.stderr


def test_two_interrupts_stop_the_waiting():
    script = """
    job = endless(lambda x: time.sleep(3) if threading.current_thread() is not threading.main_thread() else None)
    time.sleep(0.1)
    for delay in (0.2, 0.5):
        threading.Timer(delay, os.kill, [os.getpid(), signal.SIGINT]).start()
    start = time.monotonic()
    try:
        job.result()
    except KeyboardInterrupt:
        print("interrupted", time.monotonic() - start < 1.5, flush=True)
    os._exit(0)
    """
    result = run(ENDLESS, script)
    assert "interrupted True" in result.stdout, result.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_no_engine():
    script = """
    job = endless()
    child = os.fork()
    if child == 0:
        try:
            native.Environment()
        except native.EngineForkedError:
            os._exit(7)
        os._exit(8)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    child = os.fork()
    if child == 0:
        sys.exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert job.status() == "RUNNING"
    job.close()
    """
    result = run(ENDLESS, script)
    assert result.returncode == 0, result.stderr


def test_a_child_forked_before_the_engine_may_use_it():
    script = """
    child = os.fork()
    environment = native.Environment()
    environment.close()
    if child:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    assert run(script).returncode == 0


def test_subinterpreters_are_refused():
    script = """
    import _xxsubinterpreters as interpreters
    interpreter = interpreters.create()
    try:
        interpreters.run_string(interpreter, "from millstream import _native")
    except Exception as error:
        print(error)
    """
    if sys.version_info >= (3, 13):
        pytest.skip("the module has another name")
    assert "main interpreter" in run(script).stdout


# ---- Nothing is left behind ----


def objects_now() -> int:
    for _ in range(3):
        gc.collect()
    return len(gc.get_objects())


def resident_kilobytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def fail_at(limit):
    def function(x):
        if x == limit:
            raise Mine(x)
        return [x]

    return function


def run_once(outcome: str, kind: str) -> None:
    values = (
        [object.__new__(object) for _ in range(50)]
        if kind == "objects"
        else list(range(50))
    )
    schema = "OBJECT" if kind == "objects" else "BIGINT"
    stages = {
        "objects": [("map", lambda x: x, "m", "OBJECT")],
        "map": [("map", lambda x: x + 1, "m", "BIGINT")],
        "flat_map": [
            ("flat_map", lambda x: [x] * 100, "m", "BIGINT"),
            ("map", lambda x: x, "n", "BIGINT"),
        ],
        "filter": [("filter", lambda x: x % 2, "m", None)],
        "key": [("map", lambda x: (x, x), "m", "OBJECT")],
    }[kind]
    if outcome == "raises":
        stages = [*stages, ("map", lambda x: 1 // 0, "bad", "OBJECT")]
    elif outcome == "mismatch":
        stages = [*stages, ("map", lambda x: object(), "bad", "BIGINT")]
    try:
        if outcome == "canceled":
            job = endless(native.Environment())
            job.cancel()
            job.wait()
            job.close()
        else:
            chain(values, stages, schema)
    except (ZeroDivisionError, native.TypeMismatchError):
        pass


@pytest.mark.parametrize("kind", ["objects", "map", "flat_map", "filter", "key"])
@pytest.mark.parametrize("outcome", ["finishes", "raises", "mismatch", "canceled"])
def test_jobs_leave_no_objects(outcome, kind):
    for _ in range(3):
        run_once(outcome, kind)
    before = objects_now()
    for _ in range(10):
        run_once(outcome, kind)
    time.sleep(0.05)
    native.parse_schema("INT")
    native.Environment().close()
    assert objects_now() - before <= 20


def test_a_million_records_keep_their_references():
    value = [1]
    values = [value] * 1_000_000
    before = sys.getrefcount(value)
    environment = native.Environment()
    node = environment.source_function(native.collection(values, "OBJECT", "values"))
    for name in "ab":
        node = environment.transform(
            native.Input(node),
            native.transform([("map", lambda x: x, name, "OBJECT")], "OBJECT"),
        )
        environment.set(node, "chaining", "never")
    environment.sink_blackhole(native.Input(node))
    job = environment.execute("references")
    job.result()
    job.close()
    environment.close()
    native.Environment().close()
    gc.collect()
    assert sys.getrefcount(value) - before <= 2


def test_repeated_jobs_do_not_grow():
    for _ in range(20):
        run_once("finishes", "objects")
    before = resident_kilobytes()
    for _ in range(100):
        run_once("finishes", "objects")
    assert resident_kilobytes() - before < 8_000
