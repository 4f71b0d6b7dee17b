"""The demo, as a user runs it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "examples" / "python" / "flights.py"


def run(*arguments: str) -> str:
    result = subprocess.run([sys.executable, str(DEMO), *arguments], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_flights_equal_pandas(tmp_path: Path) -> None:
    output = run("--output", str(tmp_path))
    assert output.count("equal to pandas") == 3
    assert "min late on average" in output
    assert not list(tmp_path.rglob(".*inprogress*")), "finished files only"


def test_flights_as_a_live_stream_give_the_same(tmp_path: Path) -> None:
    # 27,004 reports in about two seconds.
    assert run("--rate", "15000", "--output", str(tmp_path)).count("equal to pandas") == 3
