"""The package as a whole: its imports, its command, its examples in docstrings."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import millstream
import pytest

MODULES = ["millstream"] + [
    module.name for module in pkgutil.walk_packages(millstream.__path__, "millstream.") if not module.name.endswith(("._native", ".__main__", ".libmillstream", ".libmillstream_rocksdb"))
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name: str) -> None:
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_is_there_and_described(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    for public in getattr(module, "__all__", []):
        found = getattr(module, public)
        assert found is not None
        if callable(found) and getattr(found, "__module__", "").startswith("millstream") and public != "__version__":
            assert found.__doc__, f"{name}.{public} has no description"


def test_imports_are_light() -> None:
    script = """
import sys
import millstream.datastream, millstream.common, millstream.table.expressions
print([name for name in ("numpy", "pyarrow", "pandas", "cloudpickle", "asyncio", "uuid", "json.tool") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_command() -> None:
    def run(*arguments: str) -> str:
        return subprocess.run([sys.executable, "-m", "millstream", *arguments], capture_output=True, text=True, timeout=60, check=True).stdout

    assert run("--version") == f"millstream {millstream.__version__}\n"
    info = run("info")
    assert f"millstream   {millstream.__version__}\n" in info
    for line in ("engine", "library", "python", "pyarrow"):
        assert f"\n{line}" in info
    assert subprocess.run([sys.executable, "-m", "millstream"], capture_output=True, timeout=60, check=False).returncode == 2


def test_whoever_reads_the_command_may_stop(tmp_path: Path) -> None:
    script = tmp_path / "job.py"
    script.write_text("from pyflink.datastream.connectors.kafka import KafkaSource\n" * 5_000)
    command = [sys.executable, "-m", "millstream", "check", "--json", str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 1


def test_the_engine_has_the_packages_version() -> None:
    from millstream import _native

    assert _native.version() == millstream.__version__
