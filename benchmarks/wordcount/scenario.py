"""A word count from a cold start: what a user waits for, and what it takes."""

from __future__ import annotations

from pathlib import Path

from harness.bench import Bench, Comparison, Row, median_of, spread_of
from harness.process import Run

FOLDER = Path(__file__).resolve().parent
# What, how it is read from a run, its unit and its largest allowed value.
MEASURES = [
    ("cold word count: process start to end", lambda run: run.wall_seconds * 1000, "ms", 300.0),
    ("cold word count: import", lambda run: run.result["import_seconds"] * 1000, "ms", 100.0),
    ("cold word count: peak memory", lambda run: run.peak_bytes / 1e6, "MB", 60.0),
]


def measure(bench: Bench) -> list[Row]:
    lines = FOLDER / "lines.txt"
    runs = bench.alternate(FOLDER, {"millstream": (lines,), "bytewax": (lines,)})
    # One run suffices: it is seconds against milliseconds.
    pyflink = bench.once(FOLDER, "pyflink", lines, sampled=True)
    return [_row(work, value, unit, limit, runs, pyflink) for work, value, unit, limit in MEASURES]


def _row(work, value, unit, limit, runs: dict[str, list[Run]], pyflink: Run | None) -> Row:  # type: ignore[no-untyped-def]
    ours = median_of(runs["millstream"], value)
    row = Row(work, ours, unit, f"≤ {limit:.0f} {unit}", ours <= limit, spread_of(runs["millstream"], value))
    if runs["bytewax"]:
        theirs = median_of(runs["bytewax"], value)
        row.comparisons.append(Comparison(f"Bytewax {theirs:.0f} {unit}", theirs, theirs / ours))
    if pyflink:
        theirs = value(pyflink)
        row.comparisons.append(Comparison(f"PyFlink {theirs:.0f} {unit}", theirs, theirs / ours))
    return row
