"""The progress line, its numbers from metrics, and a job's own counters."""

from __future__ import annotations

import io
from typing import Any

from millstream.common.job_status import JobStatus
from millstream.metrics import Counter, MetricGroup, MetricRegistry
from millstream.progress import Progress, progress_line, read_progress, show_progress

METRICS: dict[str, Any] = {
    "operators": [
        {"name": "Source", "subtask": 0, "isSource": True, "numRecordsOut": 70, "currentInputWatermark": 9_000},
        {"name": "Source", "subtask": 1, "isSource": True, "numRecordsOut": 30, "currentInputWatermark": 9_000},
        {"name": "Window", "subtask": 0, "numRecordsOut": 5, "numLateRecords": 2, "currentInputWatermark": 1_000},
        {"name": "Sink", "subtask": 0, "isSink": True, "numRecordsIn": 5, "currentInputWatermark": 7_000},
        {"name": "Sink", "subtask": 1, "isSink": True, "numRecordsIn": 1, "currentInputWatermark": 5_000},
    ]
}


def test_numbers_from_metrics() -> None:
    assert read_progress(METRICS) == Progress(rows_read=100, rows_written=6, late_rows=2, watermark=5_000, is_final=False)
    assert read_progress({}) == Progress(0, 0, 0, None, False)
    end = {"operators": [{"isSink": True, "currentInputWatermark": 2**63 - 1}]}
    assert read_progress(end).is_final


def test_lines() -> None:
    assert progress_line(Progress(0, 0, 0, None, False), 0.0, 0) == "0 rows | 0 rows/s | 0 results"
    assert progress_line(Progress(5, 1, 0, None, True), 1e6, 0).endswith("all input read")
    assert "lag 2 d" not in progress_line(Progress(5, 1, 0, 0, False), 1.0, 172_800_000), "48 hours are still shown as hours"
    assert "lag 10 d" in progress_line(Progress(5, 1, 0, 0, False), 1.0, 864_000_000)
    assert "watermark -9000000000000000000 ms" in progress_line(Progress(5, 1, 0, -9 * 10**18, False), 1.0, 0)


class FakeClient:
    """A job that ends at the third look."""

    def __init__(self) -> None:
        self.looks = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.looks += 1
        return timeout is None or self.looks > 2

    def status(self) -> JobStatus:
        return JobStatus.FINISHED

    def get_metrics(self) -> dict[str, Any]:
        return METRICS


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_one_line_that_changes() -> None:
    terminal = Terminal()
    assert show_progress(FakeClient(), terminal, 0) is JobStatus.FINISHED  # type: ignore[arg-type]
    text = terminal.getvalue()
    assert text.count("\n") == 1
    assert text.count("\r100 rows") == 3


def test_anything_else_stays_quiet() -> None:
    file = io.StringIO()
    assert show_progress(FakeClient(), file) is JobStatus.FINISHED  # type: ignore[arg-type]
    assert file.getvalue() == ""


def test_counters_are_summed_over_subtasks_and_operators() -> None:
    registry = MetricRegistry()
    for task, subtask, amount in (("Map", 0, 1), ("Map", 1, 2), ("Filter", 0, 4)):
        counter = MetricGroup(registry, (task,), subtask).add_group("parse").counter("bad")
        assert isinstance(counter, Counter)
        counter.inc(amount)
    MetricGroup(registry, ("Map",), 0).gauge("depth", lambda: 3)
    assert registry.accumulators() == {"parse.bad": 7}
