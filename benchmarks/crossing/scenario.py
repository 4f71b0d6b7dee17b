"""What it costs to hand a record to a Python function and to take the result back."""

from __future__ import annotations

from pathlib import Path

from harness.bench import Bench, Comparison, Row, median_of, spread_of

FOLDER = Path(__file__).resolve().parent
RECORDS, QUICK_RECORDS = 10_000_000, 2_000_000
TARGET_NANOSECONDS = 120.0


def measure(bench: Bench) -> list[Row]:
    records = QUICK_RECORDS if bench.quick else RECORDS
    runs = bench.alternate(FOLDER, {"millstream": (records,), "plain": (records,)})

    def nanoseconds(run):  # type: ignore[no-untyped-def]
        return run.result["seconds"] / records * 1e9

    ours, plain = median_of(runs["millstream"], nanoseconds), median_of(runs["plain"], nanoseconds)
    without = median_of(runs["millstream"], lambda run: run.result["without_seconds"] / records * 1e9)
    row = Row("one crossing, lambda x: x * 2 + 1", ours, "ns", f"≤ {TARGET_NANOSECONDS:.0f} ns", ours <= TARGET_NANOSECONDS)
    row.spread = spread_of(runs["millstream"], nanoseconds)
    row.note = f"of which source and sink {without:.1f} ns"
    row.comparisons = [Comparison(f"plain loop {plain:.0f} ns", plain, plain / ours)]
    return [row]
