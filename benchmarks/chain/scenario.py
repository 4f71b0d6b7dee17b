"""A chain of Python functions: map, filter, map, key_by, reduce, filter over integers."""

from __future__ import annotations

from pathlib import Path

from harness.bench import Bench, Comparison, Row, median_of, same_results, spread_of
from harness.report import number

FOLDER = Path(__file__).resolve().parent
RECORDS, QUICK_RECORDS = 5_000_000, 500_000
PYFLINK_RECORDS, QUICK_PYFLINK_RECORDS = 100_000, 20_000
# A first PyFlink job of so many records tells what starting costs.
PYFLINK_START_RECORDS = 1_000


def measure(bench: Bench) -> list[Row]:
    records = QUICK_RECORDS if bench.quick else RECORDS
    runs = bench.alternate(FOLDER, {engine: (records,) for engine in ("millstream", "bytewax", "plain")})
    same_results(FOLDER, runs, ("count", "total"))

    def rate(run):  # type: ignore[no-untyped-def]
        return records / run.result["seconds"]

    ours = median_of(runs["millstream"], rate)
    row = Row("Python chain", ours, "/s", "≥ 3 × Bytewax, ≥ 1.0 × plain loop, ≥ 100 × PyFlink", True, spread_of(runs["millstream"], rate))

    def compare(name: str, theirs: float, wanted: float) -> None:
        row.comparisons.append(Comparison(f"{name} {number(theirs, '/s')}", theirs, ours / theirs))
        row.is_met = row.is_met and ours / theirs >= wanted

    for engine, name, wanted in (("bytewax", "Bytewax", 3.0), ("plain", "plain loop", 1.0)):
        if runs[engine]:
            compare(name, median_of(runs[engine], rate), wanted)
    # The target is about PyFlink's default, process mode.
    for mode, wanted in (("process", 100.0), ("thread", 0.0)):
        more = QUICK_PYFLINK_RECORDS if bench.quick else PYFLINK_RECORDS
        seconds = bench.seconds_per_record(FOLDER, "pyflink", PYFLINK_START_RECORDS, more, mode)
        if seconds:
            compare(f"PyFlink, {mode} mode,", 1 / seconds, wanted)
    with_start = median_of(runs["millstream"], lambda run: run.wall_seconds - run.result["seconds"])
    row.note = f"start and end of the process {with_start * 1000:.0f} ms more"
    return [row]
