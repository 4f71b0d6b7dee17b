"""Checkpoints under full backpressure: barriers that overtake rows, and those that wait behind them."""

from __future__ import annotations

from pathlib import Path

from harness.bench import Bench, Row

FOLDER = Path(__file__).resolve().parent
SECONDS, QUICK_SECONDS = 20, 8
TARGET_MILLISECONDS = 1_000.0
KINDS = [("unaligned", "unaligned"), ("timeout", "aligned for 200 ms, then unaligned")]


def measure(bench: Bench) -> list[Row]:
    seconds = QUICK_SECONDS if bench.quick else SECONDS
    aligned = bench.once(FOLDER, "millstream", "aligned", seconds)
    assert aligned
    rows = []
    for kind, described in KINDS:
        run = bench.once(FOLDER, "millstream", kind, seconds)
        assert run
        millis = run.result["millis"]
        worst = max(millis, default=float("inf"))
        row = Row(
            f"checkpoint behind a sink at 1 % of its source's speed, {described}: the longest",
            worst,
            "ms",
            f"≤ {TARGET_MILLISECONDS:.0f} ms",
            worst <= TARGET_MILLISECONDS,
        )
        row.note = (
            f"{len(millis)} in {seconds} s, {run.result['unaligned']} of them overtook rows, {run.result['in_flight_bytes'] / 1e6:.1f} MB of them at most; "
            f"aligned: {len(aligned.result['millis'])} in {seconds} s"
        )
        rows.append(row)
    return rows
