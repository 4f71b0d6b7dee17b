"""`millstream run --target flink://...`: a script's jobs run on a real cluster of Apache Flink, and give what they give here."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from millstream.pyflink.modules_beside import modules_beside, pack

CONFORMANCE = Path(__file__).resolve().parents[2] / "Tests" / "conformance"


def millstream_run(*arguments: str | Path, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "millstream", "run", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False, env={**os.environ, **variables})


# ---- Without a cluster ----


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--target", "host:8081"], "a target is flink://HOST:PORT, not 'host:8081'"),
        (["--target", "flink://host:port"], "has no port that can be"),
        (["--target"], "--target needs a value"),
        (["--target", "flink://localhost", "-D", "key"], "-D takes KEY=VALUE, not 'key'"),
        (["--python", "python3"], "--python and -D go with --target"),
    ],
)
def test_options_that_cannot_be(options: list[str], reason: str) -> None:
    done = millstream_run(*options, *(["job.py"] if options[-1] != "--target" else []))
    assert done.returncode == 2
    assert reason in done.stderr


def test_an_interpreter_without_flink_and_one_that_is_none(tmp_path: Path) -> None:
    if importlib.util.find_spec("pyflink") is None:
        done = millstream_run("--target", "flink://localhost:1", "job.py", MILLSTREAM_FLINK_PYTHON=sys.executable)
        assert (done.returncode, done.stdout) == (2, "")
        assert "has no apache-flink: `pip install apache-flink` there" in done.stderr
    done = millstream_run("--target=flink://localhost:1", f"--python={tmp_path}/nowhere", "job.py")
    assert done.returncode == 2
    assert done.stderr == (
        f"millstream run: cannot start {tmp_path}/nowhere: No such file or directory; "
        "--python or MILLSTREAM_FLINK_PYTHON name the interpreter that has apache-flink\n"
    )


def test_what_the_other_interpreter_starts_with_needs_nothing_of_ours() -> None:
    folder = Path(importlib.util.find_spec("millstream.pyflink").origin).parent  # type: ignore[union-attr, arg-type]
    script = "import sys; sys.path.insert(0, sys.argv[1]); import program, modules_beside, on_cluster; print([name for name in sys.modules if name.startswith('millstream')])"
    done = subprocess.run([sys.executable, "-I", "-c", script, folder], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_modules_beside_a_script(tmp_path: Path) -> None:
    files = {
        "job.py": "import one, os\ndef later():\n    from pack.inner import deep\nimport json, nowhere, job",
        "one.py": "from two import x\nimport job",
        "two.py": "import one",
        "three.py": "",
        "unused/__init__.py": "",
        "pack/__init__.py": "import three",
        "pack/inner/deep.py": "from . import other",
        "pack/words.txt": "hello",
        "pack/__pycache__/old.py": "import unused",
        "json.py": "not python at all (",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    root, modules = modules_beside([str(tmp_path / "job.py"), "argument"])
    assert root == tmp_path
    assert [module.name for module in modules] == ["json.py", "one.py", "pack", "three.py", "two.py"]
    pack(root, modules, tmp_path / "modules.zip")
    with zipfile.ZipFile(tmp_path / "modules.zip") as archive:
        assert archive.namelist() == ["json.py", "one.py", "pack/__init__.py", "pack/inner/deep.py", "pack/words.txt", "three.py", "two.py"]
    assert [module.name for module in modules_beside(["-m", "pack.inner.deep"], tmp_path)[1]] == ["pack", "three.py"]
    assert [module.name for module in modules_beside(["-m", "three"], tmp_path)[1]] == ["three.py"]
    assert [modules_beside(command, tmp_path)[1] for command in (["-"], ["nowhere.py"], ["-m", "os"], ["three.py"], ["modules.zip"])] == [[]] * 5
    (tmp_path / "pack" / "__main__.py").write_text("import inner")
    assert modules_beside(["pack"], tmp_path) == (tmp_path / "pack", [tmp_path / "pack" / "inner"])


# ---- With a cluster ----


@pytest.fixture(scope="module")
def interpreter() -> str:
    """One that has apache-flink: that of the recorder, which makes it if there is none."""
    if shutil.which("java") is None:
        pytest.skip("there is no Java, and Flink needs 11 or 17")
    sys.path.insert(0, str(CONFORMANCE))
    try:
        import record

        return record.flink_interpreter(None)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"apache-flink cannot be installed: {error}")
    finally:
        sys.path.remove(str(CONFORMANCE))


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def cluster(interpreter: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A standalone cluster of two processes, from the wheel; gives its address."""
    script = "import pyflink, pathlib; print(pathlib.Path(pyflink.__file__).parent)"
    home = Path(subprocess.run([interpreter, "-c", script], capture_output=True, text=True, check=True).stdout.strip())
    folder = tmp_path_factory.mktemp("cluster")
    shutil.copytree(home / "conf", folder / "conf")
    (folder / "log").mkdir()
    options = next(line.strip() for line in (home / "conf" / "config.yaml").read_text().splitlines() if line.strip().startswith("all: --add"))
    rest = free_port()
    settings: dict[str, Any] = {
        "env.java.opts.all": options.removeprefix("all: "),
        "env.pid.dir": folder / "pid",
        "env.log.dir": folder / "log",
        "io.tmp.dirs": folder,
        "jobmanager.rpc.address": "localhost",
        "jobmanager.rpc.port": free_port(),
        "jobmanager.bind-host": "localhost",
        "jobmanager.memory.process.size": "1g",
        "taskmanager.bind-host": "localhost",
        "taskmanager.host": "localhost",
        "taskmanager.numberOfTaskSlots": 4,
        "taskmanager.memory.process.size": "1400m",
        "rest.address": "localhost",
        "rest.port": rest,
        "rest.bind-port": rest,
    }
    (folder / "conf" / "config.yaml").write_text("".join(f"{key}: {value}\n" for key, value in settings.items()))
    (folder / "conf" / "masters").write_text(f"localhost:{rest}\n")
    environment = {**os.environ, "FLINK_CONF_DIR": str(folder / "conf"), "PATH": f"{Path(interpreter).parent}{os.pathsep}{os.environ['PATH']}"}
    try:
        subprocess.run([home / "bin" / "start-cluster.sh"], env=environment, check=True, timeout=300, capture_output=True)
        for _ in range(240):
            if overview(rest).get("slots-available", 0) == 4:
                break
            time.sleep(0.5)
        else:
            pytest.fail("the cluster did not start: " + "".join(path.read_text()[-2000:] for path in (folder / "log").glob("*.log")))
        yield f"flink://localhost:{rest}"
    finally:
        subprocess.run([home / "bin" / "stop-cluster.sh"], env=environment, check=False, timeout=300, capture_output=True)


def overview(port: int) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"http://localhost:{port}/overview", timeout=10) as answer:
            return json.load(answer)  # type: ignore[no-any-return]
    except OSError:
        return {}


ARGUMENTS = """
import sys
from millstream.common import Types
from millstream.datastream import StreamExecutionEnvironment
env = StreamExecutionEnvironment.get_execution_environment()
print(sys.argv[1:], __name__, env.get_parallelism())
with env.from_collection([1, 2, 3, 4]).map(lambda n: n * n, Types.LONG()).filter(lambda n: n > 1).execute_and_collect() as results:
    print(sorted(results))
"""
TABLE = """
from pyflink.table import EnvironmentSettings, TableEnvironment
table_env = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
with table_env.execute_sql("SELECT a, b FROM (VALUES (1, 'x'), (2, 'y')) AS t(a, b)").collect() as rows:
    print([tuple(row) for row in rows])
"""


@pytest.mark.slow
@pytest.mark.xdist_group("cluster")
@pytest.mark.timeout(1200)
def test_scripts_give_the_same_on_both(cluster: str, interpreter: str, tmp_path: Path) -> None:
    port = int(cluster.rpartition(":")[2])
    (tmp_path / "arguments.py").write_text(ARGUMENTS)
    (tmp_path / "state.py").write_text((CONFORMANCE / "datastream" / "state_list.py").read_text().replace("from pyflink", "from millstream"))
    (tmp_path / "window.py").write_text((CONFORMANCE / "datastream" / "window_tumbling_process.py").read_text())
    for count, (script, options) in enumerate({"arguments": ["-D", "parallelism.default=1"], "state": [], "window": []}.items(), 1):
        here = millstream_run(f"{script}.py", "a", "--b", cwd=tmp_path)
        there = millstream_run("--target", cluster, "--python", interpreter, *options, f"{script}.py", "a", "--b", cwd=tmp_path)
        assert here.returncode == 0, here.stderr
        assert (there.returncode, there.stdout) == (0, here.stdout), there.stderr
        assert here.stdout
        # It was the cluster that ran them.
        assert overview(port)["jobs-finished"] >= count


BESIDE = """
import prices
from tools.texts import shout
from millstream.common import Types
from millstream.datastream import MapFunction, StreamExecutionEnvironment
class Priced(MapFunction):
    def map(self, value):
        from tools.words import WORDS
        return f"{shout(value)}: {prices.of(value)} {WORDS}"
env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
stream = env.from_collection(["a", "bb"], Types.STRING()).map(Priced(), Types.STRING()).filter(prices.is_known)
with stream.execute_and_collect() as results:
    print(list(results))
"""


@pytest.mark.slow
@pytest.mark.xdist_group("cluster")
@pytest.mark.timeout(1200)
def test_modules_beside_the_script_go_with_it(cluster: str, interpreter: str, tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    files = {
        "job.py": BESIDE, "prices.py": "from rates import RATE\ndef of(word):\n    return len(word) * RATE\ndef is_known(text):\n    return True\n",
        "rates.py": "RATE = 3\n", "tools/__init__.py": "", "tools/texts.py": "def shout(word):\n    return word.upper()\n", "tools/words.py": "WORDS = 'coins'\n",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    here = millstream_run("job.py", cwd=tmp_path)
    assert (here.returncode, here.stdout) == (0, "['A: 3 coins', 'BB: 6 coins']\n"), here.stderr
    there = millstream_run("--target", cluster, "--python", interpreter, "job.py", cwd=tmp_path)
    assert (there.returncode, there.stdout) == (0, here.stdout), there.stderr


@pytest.mark.slow
@pytest.mark.xdist_group("cluster")
@pytest.mark.timeout(1200)
def test_tables_failures_and_names_of_our_own(cluster: str, interpreter: str, tmp_path: Path) -> None:
    target = ["--target", cluster, "--python", interpreter]
    before = overview(int(cluster.rpartition(":")[2]))["jobs-finished"]
    (tmp_path / "table.py").write_text(TABLE)
    done = millstream_run(*target, "table.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "[(1, 'x'), (2, 'y')]\n"), done.stderr
    assert overview(int(cluster.rpartition(":")[2]))["jobs-finished"] == before + 1
    (tmp_path / "own.py").write_text("from millstream.datastream.aggregates import count\n")
    done = millstream_run(*target, "own.py", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("ModuleNotFoundError: millstream.datastream.aggregates is Millstream's own")
    assert "on_cluster.py" not in done.stderr
    (tmp_path / "exit.py").write_text("raise SystemExit(7)\n")
    assert millstream_run(*target, "exit.py", cwd=tmp_path).returncode == 7
    done = millstream_run("--target", "flink://localhost:1", "--python", interpreter, "exit.py", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("millstream run: there is no Flink cluster at localhost:1 (")
