"""`millstream run`: a PyFlink script gets the process as from `python script.py`, with Millstream under PyFlink's names."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from millstream.pyflink import install_as_pyflink, uninstall_as_pyflink
from millstream.pyflink.imports import WITHOUT_JVM


def run(*arguments: str | Path, python: bool = False, cwd: Path | None = None, stdin: str = "", **variables: str) -> tuple[int, str, str]:
    """Status, output and errors of `millstream run ...`, or of `python ...`."""
    command = [sys.executable] if python else [sys.executable, "-m", "millstream", "run"]
    done = subprocess.run(
        [*command, *map(str, arguments)], cwd=cwd, input=stdin, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **variables}
    )
    return done.returncode, done.stdout, done.stderr


def same(*arguments: str | Path, **options: object) -> tuple[int, str, str]:
    """What the command does, after a comparison with what python does."""
    found, expected = run(*arguments, **options), run(*arguments, python=True, **options)  # type: ignore[arg-type]
    assert found == expected
    return found


LOOK = """
import sys, os
print(sys.argv, sys.path[0], __name__, globals().get("__file__"), __package__, __spec__ and __spec__.name, type(__loader__).__name__)
print(sorted(globals()), sys.modules["__main__"].__dict__ is globals(), __builtins__ is sys.modules["builtins"])
"""


def test_the_script_sees_what_python_shows_it(tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    folder.mkdir()
    (folder / "beside.py").write_text("value = 7\n")
    (folder / "job.py").write_text(LOOK + "import beside; print(beside.value)\n")
    (tmp_path / "link.py").symlink_to(folder / "job.py")
    assert same(folder / "job.py", "a", "--help", "-m", "--", "b c")[0] == 0
    same("jobs/job.py", cwd=tmp_path)
    same("link.py", "x", cwd=tmp_path)


def test_modules_folders_zips_and_standard_input(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(LOOK)
    (package / "job.py").write_text(LOOK)
    with zipfile.ZipFile(tmp_path / "job.zip", "w") as archive:
        archive.writestr("__main__.py", LOOK)
    assert same("-m", "package.job", "--flag", cwd=tmp_path)[0] == 0
    assert same("-m", "package", cwd=tmp_path)[0] == 0
    assert same("-", "a", stdin=LOOK.replace("type(__loader__).__name__", "1").replace("sorted(globals())", "1"))[0] == 0
    assert same(package, "a")[0] == same(tmp_path / "job.zip", "a")[0] == 0


@pytest.mark.parametrize(
    "text",
    [
        "import sys; sys.exit(3)",
        "import sys; sys.exit('a text')",
        "import sys; sys.exit(None)",
        "raise SystemExit",
        "import sys; print('out'); print('err', file=sys.stderr)",
        "def f():\n    raise ValueError('no')\ntry:\n    f()\nexcept ValueError as error:\n    raise KeyError('key') from error",
        "try:\n    1 / 0\nfinally:\n    [].pop()",
        "x = (",
        "#!python\n# -*- coding: latin-1 -*-\nprint('\xe9')",
        "raise KeyboardInterrupt",
        "import sys; sys.excepthook = lambda *what: print('hook', what[0].__name__, what[2].tb_frame.f_code.co_name, what[2].tb_next); 1 / 0",
        "import sys; sys.excepthook = lambda *what: sys.exit(9); 1 / 0",
        "import atexit, sys; atexit.register(lambda: print('at exit', sys.last_value)); 1 / 0",
        "import threading; threading.Timer(0.2, print, ['late']).start(); print('first')",
        "raise ExceptionGroup('several', [ValueError(1), TypeError(2)])",
        "class Bad(Exception):\n    def __str__(self): raise ValueError\nraise Bad",
        "import os; os._exit(4)",
        "def f(n): return f(n + 1)\nimport sys; sys.setrecursionlimit(50)\ntry:\n    f(0)\nexcept RecursionError: print('deep')",
        "assert __debug__; print(len(__doc__ or ''))",
    ],
)
def test_it_ends_as_with_python(text: str, tmp_path: Path) -> None:
    (tmp_path / "job.py").write_bytes(text.encode("latin-1"))
    same(tmp_path / "job.py")


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    assert same("nowhere.py", cwd=tmp_path)[0] == 2
    assert same("-m", "no_such_module_here", cwd=tmp_path)[0] == 1
    assert run()[0] == 2
    assert "there is no option --bogus" in run("--bogus", "job.py")[2]


def test_ctrl_c_ends_the_job_and_the_process_by_the_signal(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(
        "import time\nfrom pyflink.datastream import StreamExecutionEnvironment\n"
        "env = StreamExecutionEnvironment.get_execution_environment()\n"
        "env.from_collection(range(10**9)).map(lambda n: time.sleep(0.0002) or print('row', flush=True)).print()\nenv.execute()\n"
    )
    process = subprocess.Popen([sys.executable, "-m", "millstream", "run", tmp_path / "job.py"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=60)[1]
    # A shell calls this 130.
    assert process.returncode == -signal.SIGINT
    assert errors.rstrip().splitlines()[-1] == "KeyboardInterrupt"
    assert "pyflink/run.py" not in errors


JOB = """
import pickle
import pyflink, pyflink.version, pyflink.datastream.window as theirs
from pyflink.common import Row, Types
from pyflink.datastream import StreamExecutionEnvironment, TimeWindow
import millstream.datastream.window as ours
assert theirs is ours and TimeWindow is ours.TimeWindow and pyflink.datastream.window is ours
assert pyflink.version.__version__ == "2.3.0"
assert pickle.loads(pickle.dumps(Row(a=1))) == Row(a=1) and pickle.loads(pickle.dumps(TimeWindow)) is TimeWindow
class Mine:
    def __init__(self, value): self.value = value
assert type(pickle.loads(pickle.dumps(Mine(1)))) is Mine
env = StreamExecutionEnvironment.get_execution_environment()
env.from_collection([1, 2]).map(lambda n: n + 1).print()
env.execute()
"""


def test_a_real_pyflink_stays_aside(tmp_path: Path) -> None:
    real = tmp_path / "site" / "pyflink"
    real.mkdir(parents=True)
    (real / "__init__.py").write_text("raise RuntimeError('touched')\n")
    (tmp_path / "job.py").write_text(JOB)
    assert run(tmp_path / "job.py", PYTHONPATH=str(tmp_path / "site")) == (0, "2\n3\n", "")


def test_an_exception_of_a_function_has_no_frames_of_the_runner(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(JOB.replace("n + 1", "n // 0"))
    status, output, errors = run(tmp_path / "job.py")
    assert (status, output) == (1, "")
    assert errors.startswith(f'Traceback (most recent call last):\n  File "{tmp_path}/job.py", line ')
    assert "pyflink/run.py" not in errors and "_cli.py" not in errors and "ZeroDivisionError" in errors


def test_cloudpickle_takes_classes_and_functions_of_the_script(tmp_path: Path) -> None:
    pytest.importorskip("cloudpickle")
    (tmp_path / "job.py").write_text(
        "import cloudpickle, pickle\nfrom pyflink.datastream import MapFunction\nfrom pyflink.common import Types\n"
        "class Twice(MapFunction):\n    def map(self, value): return Types.INT() and 2 * value\n"
        "print(pickle.loads(cloudpickle.dumps(Twice())).map(4), pickle.loads(cloudpickle.dumps(lambda: Types))() is Types)\n"
    )
    assert run(tmp_path / "job.py") == (0, "8 True\n", "")


@pytest.fixture
def as_pyflink() -> Iterator[None]:
    install_as_pyflink()
    yield
    uninstall_as_pyflink()


@pytest.mark.parametrize("name", sorted(WITHOUT_JVM))
def test_modules_of_the_jvm_say_what_to_use(name: str, as_pyflink: None) -> None:
    with pytest.raises(ModuleNotFoundError, match=f"^Millstream has no pyflink.{name}: ") as caught:
        __import__(f"pyflink.{name}")
    assert caught.value.name == f"pyflink.{name}"


def test_other_absent_modules_and_names(as_pyflink: None, tmp_path: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match="millstream check"):
        __import__("pyflink.no_such_module.below")
    for private in ("_native", "_cli"):
        with pytest.raises(ModuleNotFoundError):
            __import__(f"pyflink.{private}")
    (tmp_path / "job.py").write_text("from pyflink.datastream import NoSuchName\n")
    errors = run(tmp_path / "job.py")[2]
    assert "cannot import name 'NoSuchName'" in errors and "pyflink.datastream is Millstream's here; `millstream check`" in errors


def test_installing_twice_and_too_late() -> None:
    install_as_pyflink()
    install_as_pyflink()
    uninstall_as_pyflink()
    uninstall_as_pyflink()
    assert "pyflink" not in sys.modules
    other = type(sys)("pyflink")
    sys.modules["pyflink"] = other
    try:
        with pytest.raises(ImportError, match="imported already"):
            install_as_pyflink()
    finally:
        del sys.modules["pyflink"]


def test_the_runner_costs_little(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("import sys; print([name for name in ('ast', 'json', 'asyncio', 'subprocess') if name in sys.modules])")
    started = time.monotonic()
    # A script that needs no engine loads none.
    assert run(tmp_path / "job.py") == (0, "[]\n", "")
    assert time.monotonic() - started < 30
