"""A job of ``execute_async`` that failed says so by itself if nobody asks: when nobody can any more, at the latest at the interpreter's exit."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import textwrap

import pytest

BEGINNING = """\
import gc, os, sys, time
from millstream.datastream import StreamExecutionEnvironment
env = StreamExecutionEnvironment.get_execution_environment()
def fails(n):
    raise KeyError("mine")
def start(name, function=fails):
    env.from_collection([1, 2]).map(function).name("Bad").add_sink(print)
    return env.execute_async(name)
"""


def run(folder: pathlib.Path, program: str) -> tuple[int, str, list[str]]:
    (folder / "job.py").write_text(BEGINNING + textwrap.dedent(program))
    environment = {**os.environ, "MILLSTREAM_FULL_TRACEBACK": ""}
    done = subprocess.run([sys.executable, "job.py"], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr.splitlines()


def test_at_exit(tmp_path: pathlib.Path) -> None:
    status, _, lines = run(tmp_path, "client = start('orders')\nclient.wait()\n")
    assert status == 0
    assert lines[:2] == ["millstream: job 'orders' failed, and nobody asked for its result:", "Traceback (most recent call last):"]
    assert lines[-2:] == ["KeyError: 'mine'", f"in operator 'Bad' ({tmp_path}/job.py:4), record 0: 1"]
    assert len(lines) <= 15


@pytest.mark.parametrize(
    "asks",
    [
        "client.status()",
        "client.get_job_status().result()",
        "client.get_metrics()",
        "client.get_job_execution_result().exception()",
        "try: client.get_job_execution_result().result()\nexcept KeyError: pass",
        "client.print_progress()",
    ],
)
def test_whoever_asks_is_told_once(tmp_path: pathlib.Path, asks: str) -> None:
    assert run(tmp_path, f"client = start('orders')\nclient.wait()\n{asks}\n") == (0, "", [])


def test_what_did_not_fail_says_nothing(tmp_path: pathlib.Path) -> None:
    program = """
    ends = start("ends", str)
    ends.wait()
    def endless():
        while True:
            yield 1
    env.from_source(endless()).map(str)
    runs = env.execute_async("runs")
    env.from_source(endless()).map(str)
    env.execute_async("cancelled").cancel().result()
    env.from_collection([1]).map(fails)
    try:
        env.execute("raised")
    except KeyError:
        pass
    try:
        list(env.from_collection([1]).map(fails).execute_and_collect("collected"))
    except KeyError:
        pass
    # A child has nothing to say about its parent's jobs.
    if os.fork() == 0:
        sys.exit(0)
    os.wait()
    """
    assert run(tmp_path, program) == (0, "1\n2\n", [])


def test_when_the_client_is_gone(tmp_path: pathlib.Path) -> None:
    """At once where the job has ended; else with the next job that starts."""
    program = """
    sys.stderr = sys.stdout
    start("ended").wait()
    gc.collect()
    print("-")
    def later(n):
        time.sleep(0.2)
        fails(n)
    start("runs", later)
    gc.collect()
    time.sleep(0.6)
    print("--")
    start("next", lambda n: 0).wait()
    print("---")
    """
    _, text, _ = run(tmp_path, program)
    first, second, third = text.split("-\n", 1)[0], *text.split("-\n", 1)[1].split("--\n", 1)
    assert first.startswith("millstream: job 'ended' failed") and first.count("KeyError") == 2
    assert second == ""
    assert "millstream: job 'runs' failed" in third and third.endswith("---\n")


@pytest.mark.parametrize("way", ["sys.stderr.close()", "sys.stderr = None", "del sys.stderr", "os.close(2)"])
def test_without_a_standard_error_nothing_happens(tmp_path: pathlib.Path, way: str) -> None:
    assert run(tmp_path, f"client = start('orders')\nclient.wait()\n{way}\n") == (0, "", [])


def test_many_are_counted(tmp_path: pathlib.Path) -> None:
    _, _, lines = run(tmp_path, "clients = [start(f'job {i}') for i in range(7)]\nfor client in clients: client.wait()\n")
    assert [line for line in lines if line.startswith("millstream")] == [
        *(f"millstream: job 'job {i}' failed, and nobody asked for its result:" for i in range(3)),
        "millstream: 4 more jobs failed, and nobody asked",
    ]


def test_clients_and_failures_are_let_go(tmp_path: pathlib.Path) -> None:
    """Neither what is told nor what is asked for stays in memory."""
    program = """
    import time, weakref
    from millstream.common import unasked
    class Kept:
        pass
    seen = []
    def run(asks):
        kept = Kept()
        seen.append(weakref.ref(kept))
        def function(n, kept=kept):
            raise KeyError(kept)
        client = start("job", function)
        seen.append(weakref.ref(client))
        client.wait()
        if asks:
            try:
                client.get_job_execution_result().result()
            except KeyError:
                pass
    for asks in (True, False):
        run(asks)
    env = None
    # The thread on which a job has ended lets go of it a moment after whoever waits for it goes on.
    until = time.monotonic() + 10
    while any(reference() for reference in seen) and time.monotonic() < until:
        gc.collect()
        time.sleep(0.001)
    assert [reference() for reference in seen] == [None] * 4, seen
    assert not unasked._held and not unasked._followed
    """
    status, _, lines = run(tmp_path, program)
    assert status == 0 and len([line for line in lines if line.startswith("millstream: job")]) == 1, lines
