"""The progress line, its numbers from metrics, and a job's own counters."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import time
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


SCRIPT = """
import logging, sys, time
from millstream.common import Types, WatermarkStrategy
from millstream.datastream import StreamExecutionEnvironment
from millstream.datastream.connectors.number_seq import NumberSequenceSource

log = logging.StreamHandler()

def work(value):
    time.sleep(0.02)
    if value % 10 == 3:
        print("printed", value)
    if value % 10 == 5:
        log.emit(logging.LogRecord("job", logging.WARNING, "job.py", 1, f"logged {value}", (), None))
    if value % 10 == 7:
        # A line that comes in two halves, with the progress line due in between.
        sys.stdout.write("half ")
        time.sleep(0.05)
        sys.stdout.write("whole\\n")
    return value

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
env.from_source(NumberSequenceSource(0, 39), WatermarkStrategy.no_watermarks(), "numbers", Types.LONG()).map(work, Types.LONG()).print()
env.execute_async("job").print_progress(interval=0.01)
print("behind")
"""


def run_in_terminal(script: str) -> list[str]:
    """What stands on the terminal, line by line, when the script has ended."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "COLUMNS": "90"}
    process = subprocess.Popen([sys.executable, "-c", script], stdin=follower, stdout=follower, stderr=follower, env=environment)
    os.close(follower)
    written = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            part = os.read(leader, 65_536)
        except OSError:
            break
        if not part:
            break
        written += part
    os.close(leader)
    assert process.wait(30) == 0, written.decode()
    lines: list[str] = []
    for line in written.decode().replace("\r\n", "\n").split("\n"):
        # A carriage return goes back to the line's beginning; what comes then stands over what was there.
        shown = ""
        for run in line.split("\r"):
            shown = run + shown[len(run) :]
        lines.append(shown.rstrip())
    return lines


def test_results_on_the_same_terminal_have_lines_of_their_own() -> None:
    *lines, last, behind, rest = run_in_terminal(SCRIPT)
    assert (behind, rest) == ("behind", "")
    assert re.fullmatch(r"40 rows \| [\d,]+ rows/s \| 40 results \| all input read", last)
    expected = [str(value) for value in range(40)]
    for value in range(3, 40, 10):
        expected += [f"printed {value}", f"logged {value + 2}", "half whole"]
    assert sorted(lines) == sorted(expected)


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
