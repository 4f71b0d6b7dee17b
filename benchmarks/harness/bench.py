"""What a scenario is given, and what it gives back."""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.peers import peer_python
from harness.process import ProgramFailed, Run, program, run_program

# Medians are of at least so many runs.
RUNS = 5
QUICK_RUNS = 3


@dataclass
class Comparison:
    """A peer's figure beside ours."""

    name: str
    value: float
    ratio: float
    """How many times better we are."""
    note: str = ""


@dataclass
class Row:
    """A line of the table."""

    work: str
    value: float
    unit: str
    target: str
    is_met: bool | None
    """None: there is nothing to reach."""
    spread: tuple[float, float] | None = None
    """The smallest and largest of our runs."""
    comparisons: list[Comparison] = field(default_factory=list)
    note: str = ""


@dataclass
class Bench:
    """One call of the benchmarks."""

    quick: bool
    runs: int
    scratch: Path
    """A folder for generated input; kept between calls."""
    _pythons: dict[str, str | None] = field(default_factory=dict)

    def python(self, engine: str) -> str | None:
        """The interpreter that runs an engine's programs; None if the engine is not there."""
        if engine in ("millstream", "plain", "pyarrow", "harness"):
            return sys.executable
        if engine not in self._pythons:
            self._pythons[engine] = peer_python(engine)
        return self._pythons[engine]

    @property
    def peers(self) -> dict[str, str | None]:
        return self._pythons

    def command(self, folder: Path, engine: str, *arguments: object) -> list[str] | None:
        """The command that runs a scenario's program for an engine."""
        python = self.python(engine)
        return [python, program(folder, engine), *map(str, arguments)] if python else None

    def once(self, folder: Path, engine: str, *arguments: object, sampled: bool = False) -> Run | None:
        """One run, without a warm-up; None if a peer is not there or fails, which is said. Raises `ProgramFailed` if our own program fails."""
        command = self.command(folder, engine, *arguments)
        if command is None:
            return None
        try:
            # As in an activated environment: PyFlink starts further interpreters by name.
            path = f"{Path(command[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"
            return run_program(command, sampled=sampled, environment={"PATH": path})
        except ProgramFailed as failure:
            if engine == "millstream":
                raise
            print(f"bench: {failure}", file=sys.stderr)
            return None

    def seconds_per_record(self, folder: Path, engine: str, few: int, more: int, *arguments: object) -> float | None:
        """The slope between a run of few and one of more records: a peer's seconds of starting do not count. None if it cannot be had."""
        few_run = self.once(folder, engine, few, *arguments)
        more_run = self.once(folder, engine, more, *arguments) if few_run else None
        if few_run is None or more_run is None:
            return None
        return float(more_run.result["seconds"] - few_run.result["seconds"]) / (more - few)

    def alternate(self, folder: Path, engines: dict[str, tuple[object, ...]]) -> dict[str, list[Run]]:
        """Runs each engine's program (with its arguments) once to warm up, then in turn: A B C A B C ...

        In turn, so that a machine that slows down does so for all. A peer that is not there or fails has no runs.
        """
        found: dict[str, list[Run]] = {engine: [] for engine in engines}
        failed = {engine for engine, arguments in engines.items() if self.once(folder, engine, *arguments) is None}
        for _ in range(self.runs):
            for engine, arguments in engines.items():
                if engine not in failed:
                    run = self.once(folder, engine, *arguments)
                    if run is None:
                        failed.add(engine)
                    else:
                        found[engine].append(run)
        return {engine: [] if engine in failed else runs for engine, runs in found.items()}


def median_of(runs: list[Run], value: Callable[[Run], float]) -> float:
    return statistics.median(value(run) for run in runs)


def spread_of(runs: list[Run], value: Callable[[Run], float]) -> tuple[float, float]:
    values = [value(run) for run in runs]
    return min(values), max(values)


def same_results(folder: Path, runs: dict[str, list[Run]], keys: tuple[str, ...]) -> None:
    """Checks that all engines did the same work. Raises `ProgramFailed` if their results differ."""
    answers = {(engine, tuple(run.result.get(key) for key in keys)) for engine, list_of_runs in runs.items() for run in list_of_runs}
    if len({answer for _, answer in answers}) > 1:
        raise ProgramFailed(f"{folder.name}: the engines' results differ: {sorted(answers, key=str)}")
