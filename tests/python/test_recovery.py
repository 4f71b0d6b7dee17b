"""The short forms of `make crashpoints` and `make soak`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

RECOVERY = Path(__file__).resolve().parents[1] / "recovery"


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    # A process of its own: who forks jobs must have no engine.
    return subprocess.run([sys.executable, str(RECOVERY / script), *arguments], capture_output=True, text=True, timeout=250, check=False)


def test_a_crash_at_any_change_to_the_disk_loses_and_doubles_nothing() -> None:
    done = run("crashpoints.py", "--jobs", "1", "--every", "60", "--limit", "40")
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-4_000:]
    found = re.fullmatch(r"(\d+) crash points.*: 0 wrong|crashpoints: skipped, .*", done.stdout.splitlines()[-1])
    assert found is not None and int(found[1] or 40) >= 40, done.stdout[-4_000:]


def test_kills_at_random_moments_lose_and_double_nothing(tmp_path: Path) -> None:
    done = run("soak.py", "--kills", "6", "--variant", "hashmap-aligned", "--seed", "7", "--mean", "0.6", "--folder", str(tmp_path / "soak"))
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-4_000:]
    found = re.fullmatch(r"6 kills, (\d+) rows, 0 losses, 0 duplicates, seed 7: all is well", done.stdout.splitlines()[-1])
    assert found is not None and int(found[1]) > 100
