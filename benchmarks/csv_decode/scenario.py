"""CSV text into typed columns on one core."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from harness.bench import Bench, Comparison, Row, median_of, spread_of
from harness.process import Run

FOLDER = Path(__file__).resolve().parent
MEGABYTES, QUICK_MEGABYTES = 250, 50
TARGET = 300.0


def measure(bench: Bench) -> list[Row]:
    megabytes = QUICK_MEGABYTES if bench.quick else MEGABYTES
    path = bench.scratch / f"rows-{megabytes}.csv"
    if not path.exists():
        subprocess.run([sys.executable, str(FOLDER / "make_input.py"), str(path), str(megabytes)], check=True)
    size = os.path.getsize(path)
    runs = bench.alternate(FOLDER, {"millstream": (path,), "pyarrow": (path,)})

    def rate(run: Run) -> float:
        return float(size / run.result["seconds"] / 1e6)

    ours = median_of(runs["millstream"], rate)
    row = Row("CSV decoding of 7 typed columns, one core", ours, "MB/s", f"≥ {TARGET:.0f} MB/s", ours >= TARGET, spread_of(runs["millstream"], rate))
    if runs["pyarrow"]:
        theirs = median_of(runs["pyarrow"], rate)
        row.comparisons.append(Comparison(f"pyarrow.csv, one thread, {theirs:.0f} MB/s", theirs, ours / theirs))
    return [row]
