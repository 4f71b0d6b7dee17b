"""The harness of the benchmarks: what it measures, and that it notices what went wrong."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from harness import report
from harness.bench import Comparison, Row, same_results
from harness.process import ProgramFailed, Run, run_program


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_a_run_gives_its_last_object_time_and_memory():
    run = run_program(python("print('{\"a\": 1}'); print('words'); print('{\"a\": 2}'); print('{no object')"))
    assert run.result == {"a": 2}
    assert 0 < run.wall_seconds < 30


def test_the_peak_is_the_programs_own():
    # From a small process, as the benchmarks are: a child's peak begins with what the process that it was forked from had.
    program = "import sys; from harness.process import run_program; print(run_program([sys.executable, '-c', 'x = bytearray(50_000_000); print({})']).peak_bytes)"
    result = subprocess.run([sys.executable, "-c", program], cwd=BENCHMARKS, capture_output=True, text=True, check=True)
    assert 50_000_000 < int(result.stdout) < 100_000_000


def test_a_failing_program_is_told_with_its_last_words():
    with pytest.raises(ProgramFailed, match="ended with 3(.|\n)*oh dear"):
        run_program(python("import sys; print('oh dear', file=sys.stderr); sys.exit(3)"))


@pytest.mark.parametrize("sampled", [False, True])
def test_a_hanging_program_is_ended(sampled):
    begun = time.perf_counter()
    with pytest.raises(ProgramFailed):
        run_program(python("import time; time.sleep(60)"), sampled=sampled, timeout_seconds=0.5)
    assert time.perf_counter() - begun < 20


def test_a_sampled_run_counts_children_too():
    child = "import time; x = bytearray(60_000_000); time.sleep(0.6)"
    run = run_program(python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"), sampled=True)
    assert run.peak_bytes > 60_000_000
    assert len(run.samples) >= 3


def test_engines_that_differ_are_noticed():
    def runs(count: int) -> list[Run]:
        return [Run(1.0, 1.0, 1, {"count": count})]

    same_results(BENCHMARKS, {"a": runs(1), "b": runs(1)}, ("count",))
    with pytest.raises(ProgramFailed, match="differ"):
        same_results(BENCHMARKS, {"a": runs(1), "b": runs(2)}, ("count",))


def test_the_table_is_recorded_between_its_marks(tmp_path):
    path = tmp_path / "RESULTS.md"
    path.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    row = Row("chain", 3_140_000.0, "/s", "≥ 3 M/s", True, (3e6, 3.2e6), [Comparison("Peer 1.00 M/s", 1e6, 3.14)])
    report.record(path, {"cores": "2"}, [row], "measured: now")
    text = path.read_text()
    assert text.startswith("before\n") and text.endswith(f"{report.END}\nafter\n") and "old" not in text
    assert "3.14 M/s (3.00 to 3.20)" in text and "Peer 1.00 M/s (×3.14)" in text and "reached" in text
    report.record(path, {"cores": "2"}, [row], "measured: now")
    assert path.read_text() == text
