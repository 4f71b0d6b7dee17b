"""Memory while a sink is slower than its source: backpressure must hold it."""

from __future__ import annotations

from pathlib import Path

from harness.bench import Bench, Row

FOLDER = Path(__file__).resolve().parent
SECONDS, QUICK_SECONDS = 60, 20
# Queues fill and allocators warm up before that.
SETTLE_SECONDS = 5.0
# What the program configures for its one exchange.
EXCHANGE_BYTES = 4 << 20
# Besides the exchange: a batch in each task's hands, and what the allocators keep.
ALLOWED_GROWTH_BYTES = EXCHANGE_BYTES + (4 << 20)
KINDS = [("integers", "BIGINT column"), ("objects", "Python strings of 1 kB by reference")]


def measure(bench: Bench) -> list[Row]:
    rows = []
    seconds = QUICK_SECONDS if bench.quick else SECONDS
    for kind, described in KINDS:
        run = bench.once(FOLDER, "millstream", kind, seconds, EXCHANGE_BYTES, sampled=True)
        assert run
        settled = [size for moment, size in run.samples if SETTLE_SECONDS <= moment <= seconds]
        growth = max(settled) - settled[0]
        row = Row(
            f"memory behind a slow sink for {seconds} s, {described}: growth after {SETTLE_SECONDS:.0f} s",
            growth / 1e6,
            "MB",
            f"≤ {ALLOWED_GROWTH_BYTES / 1e6:.1f} MB",
            growth <= ALLOWED_GROWTH_BYTES,
        )
        row.note = (
            f"peak {run.peak_bytes / 1e6:.0f} MB; {run.result['written']:,} of {run.result['read']:,} rows were written, "
            f"{run.result['queued_bytes'] / 1e6:.1f} MB waited in the exchange"
        )
        rows.append(row)
    return rows
