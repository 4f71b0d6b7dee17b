"""The plain PyFlink scripts of Tests/conformance/datastream, run here and compared with what Apache Flink printed for them."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from millstream.pyflink import install_as_pyflink, uninstall_as_pyflink

FOLDER = Path(__file__).resolve().parents[2] / "Tests" / "conformance" / "datastream"
SCRIPTS = sorted(FOLDER.glob("*.py"))
#: Words of `# needs:` that are Python packages, without which a script cannot run.
PACKAGES = ("pandas", "pyarrow", "numpy")
SUBTASK = re.compile(r"^\d+> ", re.MULTILINE)


def marks(script: Path) -> dict[str, str]:
    """The comments `# order: any`, `# needs: ...` of a script."""
    return dict(re.findall(r"^# (order|needs): (.+)$", script.read_text(), re.MULTILINE))


def is_ordered(script: Path) -> bool:
    """Whether the lines' order counts: unless the script says so, with parallelism 1 only."""
    order = marks(script).get("order")
    if order is not None:
        assert order in ("any", "exact"), f"{script.name}: order is any or exact"
        return order == "exact"
    parallel = re.search(r"set_parallelism\((?!1\))", script.read_text())
    return parallel is None


def compared(text: str, ordered: bool) -> list[str]:
    """The lines as they are compared. Which subtask has a key differs between the two engines, so its number goes."""
    return text.splitlines() if ordered else sorted(SUBTASK.sub("", text).splitlines())


def golden(script: Path) -> tuple[dict[str, str], str]:
    """The head and the output that were recorded."""
    head, _, output = script.with_suffix(".golden").read_text().partition("---\n")
    return dict(line[2:].split(": ", 1) for line in head.splitlines()), output


@pytest.fixture
def as_pyflink() -> Iterator[None]:
    install_as_pyflink()
    yield
    uninstall_as_pyflink()


def need(script: Path) -> None:
    for word in marks(script).get("needs", "").split(","):
        if word.strip() in PACKAGES and importlib.util.find_spec(word.strip()) is None:
            pytest.skip(f"{word.strip()} is not installed")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_prints_what_flink_prints(script: Path, as_pyflink: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need(script)
    recorded = golden(script)[1]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(script)])
    monkeypatch.syspath_prepend(str(FOLDER))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runpy.run_path(str(script), run_name="__main__")
    ordered = is_ordered(script)
    assert compared(printed.getvalue(), ordered) == compared(recorded, ordered)


@pytest.mark.parametrize("script", SCRIPTS[::12], ids=lambda script: script.stem)
def test_the_command_does_the_same(script: Path, tmp_path: Path) -> None:
    need(script)
    done = subprocess.run([sys.executable, "-m", "millstream", "run", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    ordered = is_ordered(script)
    assert compared(done.stdout, ordered) == compared(golden(script)[1], ordered)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_what_was_recorded_is_this_script(script: Path) -> None:
    head, output = golden(script)
    assert head["flink"].startswith("2.3.")
    assert head["script"] == hashlib.sha256(script.read_bytes()).hexdigest()[:16], f"changed since: make record-golden NAMES={script.stem}"
    assert output, "a script that prints nothing compares nothing"
    text = script.read_text()
    assert "millstream" not in text.lower(), "a script is plain PyFlink"
    assert "set_parallelism(" in text, "Flink's default parallelism is the machine's, so a script sets its own"


def test_every_golden_has_its_script() -> None:
    assert [file.stem for file in sorted(FOLDER.glob("*.golden"))] == [script.stem for script in SCRIPTS]


def test_a_difference_is_seen() -> None:
    assert compared("1> a\n2> b\n", ordered=False) == compared("4> b\n1> a\n", ordered=False)
    assert compared("a\nb\n", ordered=False) != compared("a\nb\nb\n", ordered=False)
    assert compared("a\nb\n", ordered=True) != compared("b\na\n", ordered=True)


def test_the_recorder_chooses_what_is_not_recorded(tmp_path: Path) -> None:
    copy = tmp_path / "Tests" / "conformance"
    (copy / "datastream").mkdir(parents=True)
    (copy / "record.py").write_text((FOLDER.parent / "record.py").read_text())
    chosen = "import record; print([script.stem for script in record.chosen([], False)])"

    def names() -> str:
        return subprocess.run([sys.executable, "-c", chosen], cwd=copy, env={**os.environ, "PYTHONPATH": str(copy)}, capture_output=True, text=True, check=True).stdout

    script = copy / "datastream" / "one.py"
    script.write_text("print(1)\n")
    assert names() == "['one']\n"
    script.with_suffix(".golden").write_text(f"# flink: 2.3.0\n# script: {hashlib.sha256(script.read_bytes()).hexdigest()[:16]}\n---\n1\n")
    assert names() == "[]\n"
    script.write_text("print(2)\n")
    assert names() == "['one']\n"


FAKE = """#!{python}
import json, os, pathlib, sys
if sys.argv[1] == "-c":
    print("2.3.0")
else:
    for script in map(pathlib.Path, sys.argv[3:]):
        if script.stem == "dies":
            os._exit(3)
        with open(sys.argv[2], "a") as answers:
            error = "Traceback\\n\\tat java.Frame\\nValueError" if script.stem == "fails" else None
            answers.write(json.dumps({{"name": script.stem, "output": script.read_text(), "error": error, "seconds": 1}}) + "\\n")
"""


def test_the_recorder_goes_on_after_a_script_that_ends_its_driver(tmp_path: Path) -> None:
    folder = tmp_path / "Tests" / "conformance"
    (folder / "datastream").mkdir(parents=True)
    (folder / "record.py").write_text((FOLDER.parent / "record.py").read_text())
    for name in ("a", "b", "dies", "e", "fails", "g"):
        (folder / "datastream" / f"{name}.py").write_text(f"print({name!r})\n")
    fake = tmp_path / "python"
    fake.write_text(FAKE.format(python=sys.executable))
    fake.chmod(0o755)
    done = subprocess.run([sys.executable, folder / "record.py", "--python", fake], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert "dies: FAILED, nothing is recorded\nthe driver ended with 3" in done.stdout
    assert "fails: FAILED, nothing is recorded\nTraceback\nValueError\n" in done.stdout
    assert done.stdout.endswith("4 of 6 scripts recorded with Flink 2.3.0\n")
    assert sorted(file.stem for file in (folder / "datastream").glob("*.golden")) == ["a", "b", "e", "g"]
    head, _, output = (folder / "datastream" / "a.golden").read_text().partition("---\n")
    assert output == "print('a')\n" and "# flink: 2.3.0\n" in head
