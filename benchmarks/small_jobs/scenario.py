"""1,000 jobs of ten records in one process, and the same in harnesses: what a test suite waits for."""

from __future__ import annotations

from pathlib import Path

from harness.bench import Bench, Comparison, Row, median_of, same_results, spread_of
from harness.process import Run
from harness.report import number

FOLDER = Path(__file__).resolve().parent
JOBS, QUICK_JOBS = 1_000, 200
WANTED_SECONDS = 10.0
# A suite is said in seconds per 1,000 tests, however many were run.
UNIT_JOBS = 1_000


def measure(bench: Bench) -> list[Row]:
    jobs = QUICK_JOBS if bench.quick else JOBS

    def seconds(run: Run) -> float:
        return float(run.result["seconds"]) * UNIT_JOBS / jobs

    def cpu(run: Run) -> float:
        return float(run.result["cpu"]) * UNIT_JOBS / jobs

    runs = bench.alternate(FOLDER, {"millstream": (jobs,), "bytewax": (jobs,), "harness": (jobs,)})
    same_results(FOLDER, runs, ("count", "total"))
    ours = median_of(runs["millstream"], seconds)
    row = Row(
        "1,000 jobs of ten records through a keyed window", ours, "s", f"≤ {WANTED_SECONDS:.0f} s", ours <= WANTED_SECONDS,
        spread_of(runs["millstream"], seconds), note=f"processor time {number(median_of(runs['millstream'], cpu), 's')}",
    )
    if runs["bytewax"]:
        theirs = median_of(runs["bytewax"], seconds)
        row.comparisons.append(Comparison(f"Bytewax {number(theirs, 's')}", theirs, theirs / ours))
    harness = Row("the same in a StreamHarness", median_of(runs["harness"], seconds), "s", "", None, spread_of(runs["harness"], seconds))
    return [row, harness]
