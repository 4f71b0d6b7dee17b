"""A keyed process function with a value state and a timer per record, beside PyFlink."""

from __future__ import annotations

from pathlib import Path

from harness.bench import Bench, Comparison, Row, median_of, spread_of
from harness.process import Run
from harness.report import number

FOLDER = Path(__file__).resolve().parent
RECORDS, QUICK_RECORDS = 1_000_000, 200_000
PYFLINK_RECORDS, QUICK_PYFLINK_RECORDS = 60_000, 20_000
PYFLINK_START_RECORDS = 1_000
WANTED = 30.0


def measure(bench: Bench) -> list[Row]:
    records = QUICK_RECORDS if bench.quick else RECORDS

    def rate(run: Run) -> float:
        return float(records / run.result["seconds"])

    runs = bench.alternate(FOLDER, {"millstream": (records,)})["millstream"]
    assert all(run.result["count"] == records // 1000 for run in runs)
    ours = median_of(runs, rate)
    row = Row("keyed process function, value state and a timer per record", ours, "/s", f"≥ {WANTED:.0f} × PyFlink", True, spread_of(runs, rate))
    more = QUICK_PYFLINK_RECORDS if bench.quick else PYFLINK_RECORDS
    # The target is about PyFlink's default, process mode.
    for mode, wanted in (("process", WANTED), ("thread", 0.0)):
        seconds = bench.seconds_per_record(FOLDER, "pyflink", PYFLINK_START_RECORDS, more, mode)
        if not seconds:
            continue
        row.comparisons.append(Comparison(f"PyFlink, {mode} mode, {number(1 / seconds, '/s')}", 1 / seconds, ours * seconds))
        row.is_met = row.is_met and ours * seconds >= wanted
    return [row]
