"""Latency from the moment a record is due to the sink, at 100,000 records a second."""

from __future__ import annotations

from pathlib import Path

from harness.bench import Bench, Comparison, Row, median_of, spread_of

FOLDER = Path(__file__).resolve().parent
RATE = 100_000
SECONDS, QUICK_SECONDS = 11, 4
TARGET_MILLISECONDS = 15.0
MEASURES = [("p50", None), ("p99", TARGET_MILLISECONDS), ("p999", None)]


def measure(bench: Bench) -> list[Row]:
    seconds = QUICK_SECONDS if bench.quick else SECONDS
    runs = bench.alternate(FOLDER, {"millstream": (RATE, seconds), "bytewax": (RATE, seconds)})
    rows = []
    for name, limit in MEASURES:
        value = lambda run, name=name: float(run.result[name])
        ours = median_of(runs["millstream"], value)
        work = f"latency at 100,000 records/s, {name.replace('p999', 'p99.9')}"
        row = Row(work, ours, "ms", f"≤ {limit:.0f} ms" if limit else "", ours <= limit if limit else None, spread_of(runs["millstream"], value))
        if runs["bytewax"]:
            theirs = median_of(runs["bytewax"], value)
            row.comparisons.append(Comparison(f"Bytewax {theirs:.2f} ms", theirs, theirs / ours))
        rows.append(row)
    return rows
