"""The extension against a stand-in for the engine: in a process of its own, because the stand-in's symbols must be there first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_native_harness() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "tests/native_harness"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
