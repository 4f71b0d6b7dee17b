"""`millstream run --ha-dir` and `-s`: scripts that go on where a process was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from millstream.datastream.recovery import JobDirectory, checkpoints, file_name, newest_checkpoint

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


def test_what_is_not_complete_is_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "ha" / file_name("job")
    assert newest_checkpoint(folder) is None
    (folder / "0a" / "chk-9").mkdir(parents=True)
    assert newest_checkpoint(folder) is None
    for number in ("7", "10"):
        (folder / "0b" / f"chk-{number}").mkdir(parents=True)
        (folder / "0b" / f"chk-{number}" / "_metadata").write_bytes(b"")
    assert [path.name for path in checkpoints(folder)] == ["chk-10", "chk-7"]


@pytest.mark.parametrize("falls_back", [False, True])
def test_a_damaged_checkpoint_is_refused_or_gone_back_behind(falls_back: bool, script: Path, tmp_path: Path) -> None:
    setting = '"execution.checkpointing.num-retained": "3"' + (', "millstream.recovery.fall-back": "true"' if falls_back else "")
    script.write_text(JOB.replace('"millstream.batch.rows": "8"', '"millstream.batch.rows": "8", ' + setting))
    process = subprocess.Popen(command("--ha-dir", "ha", script, 0.005, 300), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    until = time.monotonic() + 30
    while len(checkpoints(tmp_path / "ha" / "a%2Fjob")) < 3 and time.monotonic() < until:
        time.sleep(0.02)
    process.kill()
    seen = process.communicate(timeout=30)[0].split()
    newest, older, *_ = checkpoints(tmp_path / "ha" / "a%2Fjob")
    harmed = max(newest.glob("op-*"))
    data = bytearray(harmed.read_bytes())
    data[len(data) // 3] ^= 4
    harmed.write_bytes(data)
    status, lines, errors = run("--ha-dir", "ha", script, 0, 300, cwd=tmp_path)
    assert str(harmed) in errors and "at byte" in errors and "was expected" in errors
    if falls_back:
        assert status == 0 and f"goes on from '{older}'" in errors
        assert lines == [str(n) for n in range(int(lines[0]), 300)] and int(lines[0]) <= int(seen[-1])
    else:
        assert status == 1 and lines == [] and f"Usable are '{older}'" in errors and "millstream.recovery.fall-back=true" in errors
        assert newest.exists() and older.exists()


def incremental_checkpoint(folder: Path, number: int, files: dict[str, bytes], lengths: dict[str, int] | None = None) -> Path:
    """A checkpoint with one store (docs/state-format.md); names that begin with ``shared/`` are of files that other checkpoints may need."""

    def text(value: str) -> bytes:
        return len(value.encode()).to_bytes(4, "little") + value.encode()

    def count(value: int, width: int = 4) -> bytes:
        return value.to_bytes(width, "little")

    own = folder / f"chk-{number}"
    own.mkdir(parents=True)
    (own / "op-0-0").write_bytes(b"state")
    for name, content in files.items():
        path = (folder if name.startswith("shared/") else own) / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    state = text("uid") + text("name") + count(1) + count(128) + count(0) + count(1) + count(0) + text("op-0-0") + count(5, 8) + bytes(16)
    entries = b"".join(
        text(name) + text(name) + count(name.startswith("shared/"), 1) + count((lengths or {}).get(name, len(content)), 8) + bytes(8)
        for name, content in files.items()
    )
    stores = count(1) + count(0) + count(0) + text("keyed") + count(len(files)) + entries
    body = text("job") + count(number, 8) + bytes(9) + count(1) + state + count(0) + stores
    (own / "_metadata").write_bytes(b"MCHECK\1\0" + bytes(8) + body)
    return own


def test_files_that_checkpoints_share_stay_with_the_one_that_needs_them(tmp_path: Path) -> None:
    run_folder = tmp_path / "0a"
    incremental_checkpoint(run_folder, 1, {"CURRENT": b"1", "shared/1.sst": b"one", "shared/2.sst": b"two"})
    newest = incremental_checkpoint(run_folder, 2, {"CURRENT": b"2", "shared/2.sst": b"two", "shared/3.sst": b"three"})
    incremental_checkpoint(run_folder, 3, {"shared/4.sst": b"four"}, {"shared/4.sst": 5})
    incremental_checkpoint(tmp_path / "09", 1, {"shared/1.sst": b"old"})
    assert [path.name for path in checkpoints(tmp_path)][:2] == ["chk-3", "chk-2"], "that a file of the third is too short is for the engine to say"
    directory = JobDirectory(tmp_path, "job")
    directory.keep_only(newest)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock") == [
        "0a/chk-2/CURRENT", "0a/chk-2/_metadata", "0a/chk-2/op-0-0", "0a/shared/2.sst", "0a/shared/3.sst",
    ]
    assert newest_checkpoint(tmp_path) == newest
    directory.release()


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
