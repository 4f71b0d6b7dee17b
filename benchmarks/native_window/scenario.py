"""The native path: hash exchange and event-time windows without any Python function."""

from __future__ import annotations

from pathlib import Path

from harness.bench import Bench, Row, median_of, spread_of
from harness.process import Run

FOLDER = Path(__file__).resolve().parent
# Keys, rows in a millisecond of event time (a window of ten seconds holds 10,000 times as many), and the rows per second to reach.
SIZES = [(1_000, 100, 20e6), (1_000_000, 1_000, 8e6)]
RECORDS, QUICK_RECORDS = 40_000_000, 10_000_000


def measure(bench: Bench) -> list[Row]:
    records = QUICK_RECORDS if bench.quick else RECORDS
    rows = []
    for keys, rows_per_millisecond, target in SIZES:
        runs = bench.alternate(FOLDER, {"millstream": (records, keys, rows_per_millisecond)})["millstream"]

        def rate(run: Run) -> float:
            return float(records / run.result["seconds"])

        ours = median_of(runs, rate)
        work = f"native: sequence, hash exchange, 10 s window, count and sum, {keys:,} keys"
        rows.append(Row(work, ours, "/s", f"≥ {target / 1e6:.0f} M/s", ours >= target, spread_of(runs, rate)))
    return rows
