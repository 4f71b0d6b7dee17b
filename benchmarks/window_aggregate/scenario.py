"""Event-time windows with a Python aggregate function: in the engine's window operator, in the general one, and Bytewax's fold_window."""

from __future__ import annotations

from pathlib import Path

from harness.bench import Bench, Comparison, Row, median_of, same_results, spread_of
from harness.process import Run
from harness.report import number

FOLDER = Path(__file__).resolve().parent
RECORDS, QUICK_RECORDS = 1_000_000, 200_000
WANTED = 3.0


def measure(bench: Bench) -> list[Row]:
    records = QUICK_RECORDS if bench.quick else RECORDS

    def rate(run: Run) -> float:
        return float(records / run.result["seconds"])

    runs = bench.alternate(FOLDER, {"millstream": (records,), "bytewax": (records,)})
    same_results(FOLDER, runs, ("count", "total", "windows"))
    general = bench.alternate(FOLDER, {"millstream": (records, "general")})["millstream"]
    same_results(FOLDER, {"millstream": [*runs["millstream"], *general]}, ("count", "total", "windows"))
    ours = median_of(runs["millstream"], rate)
    row = Row("event-time windows, Python aggregate function", ours, "/s", f"≥ {WANTED:.0f} × Bytewax", True, spread_of(runs["millstream"], rate))
    beside = Row("the same with a trigger of the program's own", median_of(general, rate), "/s", "", None, spread_of(general, rate))
    if runs["bytewax"]:
        theirs = median_of(runs["bytewax"], rate)
        for compared in (row, beside):
            compared.comparisons.append(Comparison(f"Bytewax {number(theirs, '/s')}", theirs, compared.value / theirs))
        row.is_met = ours / theirs >= WANTED
    return [row, beside]
