"""Measures Millstream beside its peers on this machine: `make bench`, or `python benchmarks/run.py --help`.

Each folder beside this file is a scenario: one program per engine, each of them a whole job that a user could have written, and `scenario.py`, which
runs them in turn and makes the lines of the table. A program does its work and prints one JSON object as its last line.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))

from harness import machine, report
from harness.bench import QUICK_RUNS, RUNS, Bench, Row
from harness.process import ProgramFailed

# In the order of the table.
SCENARIOS = ["wordcount", "chain", "crossing", "keyed_process", "window_aggregate", "native_window", "csv_decode", "small_jobs", "latency", "memory", "checkpoints"]
SCENARIOS += ["unaligned"]
PEERS = ["bytewax", "pyflink"]


def main() -> int:
    options = arguments()
    output = FOLDER.parent / "build" / "bench"
    output.mkdir(parents=True, exist_ok=True)
    bench = Bench(quick=options.quick, runs=options.runs or (QUICK_RUNS if options.quick else RUNS), scratch=output)
    bench._pythons.update({name: None for name in PEERS if options.no_peers or name in options.without})
    load_before, started = machine.load(), time.strftime("%Y-%m-%d %H:%M")
    rows, failures = measure(bench, options.only or SCENARIOS)
    facts = machine.facts(bench.peers)
    condition = f"measured: {started}, medians of {bench.runs} runs in turn after a warm-up; load average at the start {load_before:.1f}"
    print("\n".join(f"{name}: {value}" for name, value in facts.items()))
    print(f"{condition}\n\n{report.table(rows)}")
    report.write_json(options.json or output / "results.json", facts, rows, {"condition": condition, "quick": options.quick, "failures": failures})
    if options.record:
        report.record(FOLDER / "RESULTS.md", facts, rows, condition)
    return 1 if failures else 0


def measure(bench: Bench, names: list[str]) -> tuple[list[Row], list[str]]:
    """The rows of the scenarios; one that fails is told and passed over."""
    rows: list[Row] = []
    failures: list[str] = []
    for name in names:
        print(f"bench: {name}", file=sys.stderr, flush=True)
        try:
            rows += load(name).measure(bench)
        except ProgramFailed as failure:
            failures.append(f"{name}: {failure}")
            print(f"bench: {name} failed: {failure}", file=sys.stderr)
    return rows, failures


def load(name: str) -> ModuleType:
    """A scenario's module."""
    specification = importlib.util.spec_from_file_location(f"scenario_{name}", FOLDER / name / "scenario.py")
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer records and runs: a look, not a result")
    parser.add_argument("--only", action="append", choices=SCENARIOS, metavar="NAME", help=f"one of {', '.join(SCENARIOS)}; may be repeated")
    parser.add_argument("--runs", type=int, help=f"runs of each program after the warm-up (default {RUNS}, quick {QUICK_RUNS})")
    parser.add_argument("--no-peers", action="store_true", help="measure Millstream and plain Python alone")
    parser.add_argument("--without", action="append", default=[], choices=PEERS, help="leave a peer out")
    parser.add_argument("--json", type=Path, help="where the results go as JSON (default build/bench/results.json)")
    parser.add_argument("--record", action="store_true", help="write the table into benchmarks/RESULTS.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
