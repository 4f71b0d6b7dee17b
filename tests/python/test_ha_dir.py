"""`millstream run --ha-dir` and `-s`: scripts that go on where a process was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from millstream.datastream.recovery import file_name, newest_checkpoint

JOB = """
import sys, time
from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment
env = StreamExecutionEnvironment.get_execution_environment()
env.enable_checkpointing(20)
env.configure({"millstream.batch.rows": "8"})
def look(n):
    time.sleep(float(sys.argv[1]))
    print(n, flush=True)
    return n
env.from_collection(list(range(int(sys.argv[2]))), Types.LONG()).uid("numbers").map(look, Types.LONG()).uid("look").add_sink(lambda n: None)
client = env.execute_async("a/job")
if len(sys.argv) > 3:
    time.sleep(0.5)
    print("saved", client.stop_with_savepoint(False, sys.argv[3]).result(), flush=True)
client.get_job_execution_result().result()
"""


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "millstream", "run", *map(str, arguments)]


def run(*arguments: object, cwd: Path) -> tuple[int, list[str], str]:
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=60, check=False, cwd=cwd)
    return done.returncode, done.stdout.split("\n")[:-1], done.stderr


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "job.py"
    path.write_text(JOB)
    return path


def test_a_process_that_dies_behind_the_end_of_its_job_does_not_run_it_again(script: Path, tmp_path: Path) -> None:
    dying = tmp_path / "dying.py"
    dying.write_text(
        "import os\nfrom millstream.datastream.recovery import JobDirectory\n"
        "JobDirectory.release = lambda self: os._exit(7) if self._job is not None and self._job.status() == 'FINISHED' else None\n" + JOB
    )
    status, lines, _ = run("--ha-dir", "ha", dying, 0, 100, cwd=tmp_path)
    assert (status, len(lines)) == (7, 100)
    assert run("--ha-dir", "ha", script, 0, 100, cwd=tmp_path) == (0, [], ""), "it had finished"
    assert list((tmp_path / "ha").iterdir()) == []
    assert len(run("--ha-dir", "ha", script, 0, 100, cwd=tmp_path)[1]) == 100


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_script_goes_on_after_its_process_died(how: signal.Signals, script: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(command("--ha-dir", "ha", script, 0.005, 300), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    until = time.monotonic() + 30
    while newest_checkpoint(tmp_path / "ha" / "a%2Fjob") is None and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.2)
    assert run("--ha-dir", "ha", script, 0, 300, cwd=tmp_path)[2].splitlines()[-1].endswith(f"'{tmp_path}/ha/a%2Fjob'"), "it is in use"
    process.send_signal(how)
    process.communicate(timeout=30)
    assert process.returncode == -how
    status, lines, errors = run("--ha-dir", "ha", script, 0, 300, cwd=tmp_path)
    assert (status, errors) == (0, "")
    # It went on somewhere in the middle.
    assert lines == [str(n) for n in range(int(lines[0]), 300)] and int(lines[0]) >= 8
    assert list((tmp_path / "ha").iterdir()) == []
    assert len(run("--ha-dir", "ha", script, 0, 300, cwd=tmp_path)[1]) == 300, "what has finished begins anew"


def test_what_is_damaged_or_not_complete_is_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "ha" / file_name("job")
    assert newest_checkpoint(folder) is None
    (folder / "0a" / "chk-9").mkdir(parents=True)
    assert newest_checkpoint(folder) is None
    (folder / "0a" / "chk-9" / "_metadata").write_bytes(b"MCHECK\1\0" + bytes(20))
    (folder / "0a" / "chk-10").mkdir()
    (folder / "0a" / "chk-10" / "_metadata").write_bytes(b"")
    assert newest_checkpoint(folder) is None


def test_a_script_starts_from_a_savepoint(script: Path, tmp_path: Path) -> None:
    status, lines, errors = run(script, 0.005, 400, "saved", cwd=tmp_path)
    assert (status, errors) == (0, "")
    (path,) = [line.removeprefix("saved ") for line in lines if line.startswith("saved")]
    seen = [int(line) for line in lines if not line.startswith("saved")]
    assert seen == list(range(len(seen))) and 0 < len(seen) < 400
    relative = os.path.relpath(path, tmp_path)
    assert run("-s", relative, script, 0, 400, cwd=tmp_path)[1] == [str(n) for n in range(len(seen), 400)]
    script.write_text(JOB.replace('uid("look")', 'uid("look")').replace('uid("numbers")', 'uid("others")'))
    status, lines, errors = run("-s", path, script, 0, 400, cwd=tmp_path)
    assert status == 1 and "'numbers'" in errors and lines == []
    assert len(run("-s", path, "--allow-non-restored-state", script, 0, 400, cwd=tmp_path)[1]) == 400
    assert "no savepoint or checkpoint" in run("--fromSavepoint=nowhere", script, 0, 400, cwd=tmp_path)[2]
    assert "local disks" in run("-s", "s3://bucket/x", script, cwd=tmp_path)[2]
    assert "run here" in run("-s", path, "--target", "flink://localhost", script, cwd=tmp_path)[2]


def test_a_job_without_checkpoints_is_told_of(script: Path, tmp_path: Path) -> None:
    script.write_text(JOB.replace("env.enable_checkpointing(20)", ""))
    status, lines, errors = run("--ha-dir", "ha", script, 0, 20, cwd=tmp_path)
    assert (status, len(lines)) == (0, 20) and "takes no checkpoints" in errors and not (tmp_path / "ha").exists()
