"""A line about a running job, for people at a terminal."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TextIO

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
    """Waits for a job's end and keeps one line about it on a terminal; on anything else it only waits. Gives the status at the end.

    What is printed meanwhile takes the line's place, and the line comes back below it.
    """
    target = sys.stderr if file is None else file
    if not _is_terminal(target):
        client.wait()
        return client.status()
    started = last_time = time.monotonic()
    last_rows = 0
    rate = 0.0
    with _Line(target) as line:
        try:
            while not client.wait(interval):
                now, clock = read_progress(client.get_metrics()), time.monotonic()
                # Half the rate is the last interval's: the number moves, but can be read.
                measured = (now.rows_read - last_rows) / max(clock - last_time, 1e-9)
                rate = measured if last_rows == 0 else (rate + measured) / 2
                last_rows, last_time = now.rows_read, clock
                line.show(progress_line(now, rate, int(time.time() * 1_000)))
        finally:
            # The last line stays, with the mean over the whole run.
            now = read_progress(client.get_metrics())
            line.end(progress_line(now, now.rows_read / max(time.monotonic() - started, 1e-9), int(time.time() * 1_000)))
    return client.status()


class _Line:
    """A line at the foot of a terminal that gives way to whatever else is printed there.

    While it is in use, the ``write`` of each of Python's streams that shows on a terminal takes the line away first: of the stream itself, so
    that those who hold it, such as handlers of a log, are heard as well.
    """

    def __init__(self, target: TextIO) -> None:
        self._target = target
        self._write = target.write
        # A function of the job may print while this thread is in the middle of a line.
        self._lock = threading.RLock()
        self._shown = 0
        #: Whether others have written the beginning of a line: it is not for us to go on behind it.
        self._is_within_line = False
        self._is_over = False
        self._watched: list[tuple[TextIO, Callable[[str], int], Any]] = []

    def __enter__(self) -> Self:
        streams = [self._target, *(stream for stream in (sys.stdout, sys.stderr) if stream is not self._target)]
        for place, stream in enumerate(streams):
            if stream is not None and all(stream is not other for other in streams[:place]) and _is_terminal(stream):
                self._watch(stream)
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        for stream, ours, before in reversed(self._watched):
            # Another line that came later has wrapped ours, which lets everything pass from now on.
            if vars(stream).get("write") is not ours:
                continue
            if before is None:
                del stream.__dict__["write"]
            else:
                stream.__dict__["write"] = before

    def _watch(self, stream: TextIO) -> None:
        write = stream.write

        def write_beside_line(text: str) -> int:
            if self._is_over:
                return write(text)
            with self._lock:
                self._clear()
                count = write(text)
                if text:
                    self._is_within_line = not text.endswith("\n")
                if not self._is_within_line:
                    # What stood in its buffer would come out behind the next line.
                    stream.flush()
                return count

        attributes = getattr(stream, "__dict__", None)
        if attributes is not None:
            self._watched.append((stream, write_beside_line, attributes.get("write")))
            attributes["write"] = write_beside_line

    def show(self, text: str) -> None:
        """Puts the line, or a newer one, there, unless others are in the middle of a line of theirs."""
        with self._lock:
            if not self._is_within_line:
                self._draw(text)

    def end(self, text: str) -> None:
        """Puts the last line there, to stay."""
        with self._lock:
            if self._is_within_line:
                self._write("\n")
            self._draw(text)
            self._write("\n")
            self._target.flush()
            self._shown = 0
            self._is_within_line = False

    def _draw(self, text: str) -> None:
        line = text[: shutil.get_terminal_size((100, 24)).columns - 1]
        self._write("\r" + line.ljust(self._shown))
        self._target.flush()
        self._shown = len(line)

    def _clear(self) -> None:
        if self._shown == 0:
            return
        self._write("\r" + " " * self._shown + "\r")
        self._target.flush()
        self._shown = 0


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        # No file, or one that is closed.
        return False


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
