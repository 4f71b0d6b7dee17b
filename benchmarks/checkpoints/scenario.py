"""What checkpoints cost with state in memory, and what that state takes: a keyed running sum without any Python function."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from pathlib import Path

from harness.bench import Bench, Row, spread_of
from harness.process import Run

FOLDER = Path(__file__).resolve().parent
# Keys are powers of ten (with_millstream.py).
COST_KEYS, COST_RECORDS, QUICK_COST_RECORDS = 1_000_000, 60_000_000, 15_000_000
INTERVAL_MILLISECONDS = 1_000
LARGE_KEYS, LARGE_RECORDS = 10_000_000, 80_000_000
# A row of a checkpoint has its key and the record, 8 bytes a column: with 10 M keys a little more than 1 GB.
SAVE_COLUMNS = 11
MEBIBYTE = 1 << 20


def measure(bench: Bench) -> list[Row]:
    scratch = bench.scratch / "checkpoints"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        return [cost(bench, scratch), *large(bench), *saved(bench, scratch)]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def once(bench: Bench, *arguments: object) -> Run:
    run = bench.once(FOLDER, "millstream", *arguments)
    assert run
    return run


def cost(bench: Bench, scratch: Path) -> Row:
    """Runs with and without checkpoints in turn."""
    records = QUICK_COST_RECORDS if bench.quick else COST_RECORDS

    def seconds(interval: int) -> Run:
        return once(bench, "rate", COST_KEYS, records, interval, scratch / "chk")

    seconds(0)
    pairs = [(seconds(0), seconds(INTERVAL_MILLISECONDS)) for _ in range(bench.runs)]
    costs = [with_them.result["seconds"] / without.result["seconds"] - 1 for without, with_them in pairs]
    value = 100 * statistics.median(costs)
    row = Row("throughput cost of a checkpoint every second, 1 M keys", value, "%", "≤ 10 %", value <= 10, (100 * min(costs), 100 * max(costs)))
    without, with_them = pairs[-1]
    row.note = (
        f"{records / without.result['seconds'] / 1e6:.1f} M rows/s without; {with_them.result['checkpoints']} checkpoints in the last run; "
        f"processor time {without.result['cpu']:.1f} s without, {with_them.result['cpu']:.1f} s with them"
    )
    return row


def large(bench: Bench) -> list[Row]:
    runs = [once(bench, "rate", LARGE_KEYS, LARGE_RECORDS, 0, "-") for _ in range(bench.runs)]

    def rate(run: Run) -> float:
        return LARGE_RECORDS / float(run.result["seconds"])

    ours = statistics.median(map(rate, runs))
    speed = Row("keyed running sum, 10 M keys, state in memory", ours, "/s", "≥ 5 M/s", ours >= 5e6, spread_of(runs, rate))
    speed.note = f"{LARGE_RECORDS / statistics.median(run.result['cpu'] for run in runs) / 1e6:.1f} M rows per second of processor time, source included"
    memory = once(bench, "memory", LARGE_KEYS).result
    size = Row("the same: memory of a key, BIGINT to BIGINT", memory["bytes_per_key"], "B", "≤ 64 B", memory["bytes_per_key"] <= 64)
    size.note = f"at its most {memory['peak_bytes_per_key']:.0f} B"
    return [speed, size]


def saved(bench: Bench, scratch: Path) -> list[Row]:
    """A savepoint of 1 GB in files, beside what the disk can do; then a job that goes on from it."""
    saved = once(bench, "save", LARGE_KEYS, SAVE_COLUMNS, scratch / "saved").result
    size = sum(path.stat().st_size for path in Path(saved["path"]).rglob("*") if path.is_file())
    disk = disk_bytes_per_second(scratch / "disk", size)
    pause = 1e3 * saved["pause"]
    still = Row("snapshot of 1 GB of state: the longest pause between two batches", pause, "ms", "≤ 50 ms", pause <= 50)
    still.note = f"without one {1e3 * saved['pause_before']:.0f} ms; {100 * saved['rate']:.0f} % of the rows a second while it is written"
    written = size / saved["seconds"]
    writing = Row("writing it, synced", written / 1e6, "MB/s", "≥ 400 MB/s", written >= 400e6)
    writing.note = f"{size / 1e6:.0f} MB; the disk itself writes and syncs {disk / 1e6:.0f} MB/s"
    runs = [once(bench, "restore", LARGE_KEYS, SAVE_COLUMNS, saved["path"]) for _ in range(bench.runs)]

    def read(run: Run) -> float:
        return size / float(run.result["seconds"]) / 1e6

    def start(run: Run) -> float:
        return float(run.result["from_start"])

    reading = statistics.median(map(read, runs))
    restored = Row("restoring it, to the first row", reading, "MB/s", "≥ 400 MB/s", reading >= 400, spread_of(runs, read))
    restored.note = f"peak memory {runs[0].result['peak_bytes'] / 1e6:.0f} MB, {runs[0].result['resident_bytes'] / 1e6:.0f} MB afterwards"
    begun = statistics.median(map(start, runs))
    recovery = Row("from the start of the process to that row", begun, "s", "≤ 5 s", begun <= 5, spread_of(runs, start))
    again = [once(bench, "killed", LARGE_KEYS, SAVE_COLUMNS, scratch / f"killed{number}").result for number in range(bench.runs)]
    seconds = [float(one["seconds"]) for one in again]
    killed = Row("from SIGKILL of such a job to its first new row", statistics.median(seconds), "s", "≤ 5 s", statistics.median(seconds) <= 5, (min(seconds), max(seconds)))
    killed.note = f"started again at once by `millstream run --ha-dir`, from a checkpoint of {again[0]['bytes'] / 1e6:.0f} MB"
    return [still, writing, restored, recovery, killed]


def disk_bytes_per_second(path: Path, size: int) -> float:
    """How fast plain writing is, with one sync at the end."""
    block = os.urandom(MEBIBYTE)
    begun = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        for _ in range(size // MEBIBYTE):
            file.write(block)
        os.fsync(file.fileno())
    seconds = time.perf_counter() - begun
    path.unlink()
    return size / seconds
