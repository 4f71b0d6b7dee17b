"""``millstream savepoint``: what is in a savepoint, and what becomes of results of which nobody knows whether they are visible."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from millstream import state
from millstream.exceptions import MillstreamError

__all__ = ["savepoint_command"]


def savepoint_command(options: argparse.Namespace) -> int:
    """Does what the command line says, and gives the exit status.

    >>> savepoint_command(argparse.Namespace(action="commits", path="/nowhere", json=False))
    1
    """
    try:
        if options.action == "describe":
            _describe(options)
        elif options.action == "commits":
            _commits(options)
        else:
            _resolve(options)
        return 0
    except (MillstreamError, ValueError) as error:
        print(f"millstream savepoint: error: {error}", file=sys.stderr)
        return 1


def _describe(options: argparse.Namespace) -> None:
    manifest, operators = state.manifest(options.path), state.describe(options.path)
    if options.json:
        print(json.dumps({**asdict(manifest), "operators": [asdict(entry) for entry in operators]}, indent=2))
        return
    kind = "savepoint" if manifest.is_savepoint else "checkpoint"
    print(f"{kind} {manifest.checkpoint} of the job {manifest.job!r}")
    for operator in operators:
        if operator.parts:
            print(f"{operator.uid} ({operator.name}), parallelism {operator.parallelism} of at most {operator.max_parallelism}")
            for part in operator.parts:
                print(f"  {part.name}: {part.rows} rows of {', '.join(f'{name} {text}' for name, text in part.columns.items())}")
    for name, value in manifest.properties.items():
        print(f"{name}: {', '.join(value.splitlines())}")


def _commits(options: argparse.Namespace) -> None:
    found = state.commits(options.path)
    if options.json:
        print(json.dumps([asdict(entry) for entry in found], indent=2))
        return
    if not found:
        print("there are no results to commit")
    for entry in found:
        print(f"{entry.id}  {entry.uid} ({entry.name}), subtask {entry.subtask}, since checkpoint {entry.checkpoint}: {entry.description}")


def _resolve(options: argparse.Namespace) -> None:
    target = state.resolve(options.path, committed=options.committed, retry=options.retry, aborted=options.abort, output=options.output)
    print(f"{target} is the copy; {len(state.commits(target))} result(s) are committed when a job starts from it:")
    print(f"  millstream run -s {target} SCRIPT")
