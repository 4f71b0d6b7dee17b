"""A line about a running job, for people at a terminal."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from millstream.common.job_client import JobClient
    from millstream.common.job_status import JobStatus

__all__ = ["Progress", "progress_line", "read_progress", "show_progress"]

_NO_WATERMARK = -(2**63)
_FINAL_WATERMARK = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a job is: rows that its sources have given, rows that have reached its ends, and event time."""

    rows_read: int
    rows_written: int
    late_rows: int
    #: The smallest watermark of the ends, in milliseconds; None before the first, and for jobs without event time.
    watermark: int | None
    #: Whether the watermark says that the input has ended.
    is_final: bool


def read_progress(metrics: dict[str, Any]) -> Progress:
    """The state of a job by its metrics (:meth:`JobClient.get_metrics`)."""
    operators: list[dict[str, Any]] = metrics.get("operators", [])
    sources = [entry for entry in operators if entry.get("isSource")]
    sinks = [entry for entry in operators if entry.get("isSink")]
    # A watermark says how far event time has come where results go out.
    lowest = min((int(entry["currentInputWatermark"]) for entry in sinks), default=_NO_WATERMARK)
    return Progress(
        rows_read=_sum(sources, "numRecordsOut"),
        rows_written=_sum(sinks, "numRecordsIn"),
        late_rows=_sum(operators, "numLateRecords"),
        watermark=None if lowest in (_NO_WATERMARK, _FINAL_WATERMARK) else lowest,
        is_final=lowest == _FINAL_WATERMARK,
    )


def progress_line(now: Progress, rows_per_second: float, clock_millis: int) -> str:
    """The line's text.

    >>> progress_line(Progress(12_345, 17, 2, 1_356_998_400_000, False), 2_500_000.0, 1_356_998_460_000)
    '12,345 rows | 2,500,000 rows/s | 17 results | watermark 2013-01-01 00:00:00 | lag 60.0 s | 2 late'
    """
    parts = [f"{now.rows_read:,} rows", f"{rows_per_second:,.0f} rows/s", f"{now.rows_written:,} results"]
    if now.watermark is not None:
        parts.append(f"watermark {_time_text(now.watermark)}")
        parts.append(f"lag {_lag_text(clock_millis - now.watermark)}")
    elif now.is_final:
        parts.append("all input read")
    if now.late_rows:
        parts.append(f"{now.late_rows:,} late")
    return " | ".join(parts)


def show_progress(client: JobClient, file: TextIO | None = None, interval: float = 0.25) -> JobStatus:
    """Waits for a job's end and keeps one line about it on a terminal; on anything else it only waits. Gives the status at the end."""
    target = sys.stderr if file is None else file
    is_terminal = hasattr(target, "isatty") and target.isatty()
    if not is_terminal:
        client.wait()
        return client.status()
    started = last_time = time.monotonic()
    last_rows = 0
    rate = 0.0
    try:
        while not client.wait(interval):
            now, clock = read_progress(client.get_metrics()), time.monotonic()
            # Half the rate is the last interval's: the number moves, but can be read.
            measured = (now.rows_read - last_rows) / max(clock - last_time, 1e-9)
            rate = measured if last_rows == 0 else (rate + measured) / 2
            last_rows, last_time = now.rows_read, clock
            _rewrite(target, progress_line(now, rate, int(time.time() * 1_000)))
    finally:
        # The last line stays, with the mean over the whole run.
        now = read_progress(client.get_metrics())
        _rewrite(target, progress_line(now, now.rows_read / max(time.monotonic() - started, 1e-9), int(time.time() * 1_000)))
        target.write("\n")
        target.flush()
    return client.status()


def _rewrite(target: TextIO, line: str) -> None:
    width = shutil.get_terminal_size((100, 24)).columns - 1
    target.write("\r" + line[:width].ljust(width))
    target.flush()


def _sum(operators: list[dict[str, Any]], name: str) -> int:
    return sum(int(entry.get(name, 0)) for entry in operators)


def _time_text(millis: int) -> str:
    import datetime

    try:
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=millis)
    except OverflowError:
        return f"{millis} ms"
    return moment.isoformat(" ", "seconds")


def _lag_text(millis: int) -> str:
    if abs(millis) < 120_000:
        return f"{millis / 1_000:.1f} s"
    for unit, length in (("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)):
        if abs(millis) < 120 * length or unit == "d":
            return f"{millis / length:,.0f} {unit}"
    return f"{millis} ms"
