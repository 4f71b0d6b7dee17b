"""Why a window has not fired: JobClient.explain_time, and the warning of a job whose event time stands still."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from millstream.common import Duration, Time, Types, WatermarkStrategy
from millstream.common.watermark_strategy import TimestampAssigner
from millstream.datastream import StreamExecutionEnvironment
from millstream.datastream.connectors.file_system import FileSource, StreamFormat
from millstream.datastream.connectors.number_seq import NumberSequenceSource
from millstream.datastream.connectors.python import PythonSource
from millstream.datastream.window import EventTimeSessionWindows, SlidingEventTimeWindows, TumblingEventTimeWindows

PAIR = Types.TUPLE([Types.STRING(), Types.LONG()])


class Seconds(PythonSource):
    """One record per call with the next second as its time, at most `count`; then nothing more, and no end."""

    def __init__(self, name: str, count: int) -> None:
        super().__init__(PAIR, False)
        self.name, self.count, self.next = name, count, 0

    def read(self, limit: int) -> Any:
        if self.next >= self.count:
            return 0.005
        self.next += 1
        return [(self.name, self.next * 1_000)]


class Second(TimestampAssigner):
    def extract_timestamp(self, value: Any, record_timestamp: int) -> int:
        return value[1]


STRATEGY = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_seconds(1)).with_timestamp_assigner(Second())
WINDOWS = {
    "tumbling": (lambda: TumblingEventTimeWindows.of(Time.seconds(60)), 59_999),
    "sliding": (lambda: SlidingEventTimeWindows.of(Time.seconds(60), Time.seconds(20)), 19_999),
    "session": (lambda: EventTimeSessionWindows.with_gap(Time.seconds(30)), None),
}


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def start(env: StreamExecutionEnvironment, window: Any, second: WatermarkStrategy | None = STRATEGY, parallelism: int = 1) -> Any:
    """Source 'busy' gives 100 s of event time, 'silent' gives 10 s."""
    env.set_parallelism(parallelism)
    busy = env.from_source(Seconds("busy", 100), STRATEGY, "busy")
    silent = env.from_source(Seconds("silent", 10), second or WatermarkStrategy.no_watermarks(), "silent")
    both = busy.union(silent) if second is not None else busy.union(silent.map(lambda pair: pair, PAIR))
    both.key_by(lambda pair: pair[0], Types.STRING()).window(window).reduce(lambda a, b: (a[0], a[1] + b[1])).add_sink(lambda value: None)
    return env.execute_async("windows")


@pytest.mark.parametrize("kind", WINDOWS)
@pytest.mark.parametrize("parallelism", [1, 2])
def test_a_silent_source_is_named(env: StreamExecutionEnvironment, kind: str, parallelism: int) -> None:
    make, end = WINDOWS[kind]
    client = start(env, make(), parallelism=parallelism)
    try:
        until(lambda: sum(step.num_records_in for part, step in client.explain_time().waiting()) >= 110)
        explanation = client.explain_time()
        until(lambda: min(step.input_watermark or -1 for _, step in client.explain_time().waiting()) == 8_999)
        explanation = client.explain_time()
        subtask, step = explanation.waiting()[0]
        assert step.input_watermark == 8_999
        assert step.waits_for is not None and step.waits_for > 8_999
        assert end is None or end == step.waits_for
        culprit = explanation.culprit(subtask)
        assert culprit is not None and culprit.is_source and "silent" in culprit.name
        assert "held back by 'Source: silent'" in str(explanation)
        assert "1970-01-01 00:00:08.999" in str(explanation)
    finally:
        client.cancel().result(10)
    assert client.explain_time().status == "CANCELED"


def test_a_source_without_watermarks_is_named(env: StreamExecutionEnvironment) -> None:
    client = start(env, TumblingEventTimeWindows.of(Time.seconds(60)), WatermarkStrategy.no_watermarks().with_timestamp_assigner(Second()))
    try:
        until(lambda: bool(client.explain_time().waiting()))
        until(lambda: client.explain_time().waiting()[0][1].num_records_in >= 110)
        text = str(client.explain_time())
        assert "its watermark" not in text or "none yet" in text
        assert "which makes no watermarks" in text
    finally:
        client.cancel().result(10)


def test_idle_sources_hold_nobody_back(env: StreamExecutionEnvironment) -> None:
    client = start(env, TumblingEventTimeWindows.of(Time.seconds(60)), STRATEGY.with_idleness(Duration.of_millis(50)))
    try:
        until(lambda: any(part.is_source and part.is_idle for part in client.explain_time().subtasks))
        until(lambda: any(step.waits_for == 119_999 for _, step in client.explain_time().waiting()))
        subtask, _ = client.explain_time().waiting()[0]
        culprit = client.explain_time().culprit(subtask)
        assert culprit is None or "silent" not in culprit.name
    finally:
        client.cancel().result(10)


def test_late_rows_are_counted(env: StreamExecutionEnvironment) -> None:
    rows = [("a", 1_000), ("a", 70_000), ("a", 2_000), ("a", 200_000)]
    stream = env.from_collection(rows, PAIR).assign_timestamps_and_watermarks(
        WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Second())
    )
    stream.key_by(lambda pair: pair[0], Types.STRING()).window(TumblingEventTimeWindows.of(Time.seconds(60))).reduce(lambda a, b: a).add_sink(lambda v: None)
    client = env.execute_async("late")
    client.wait()
    explanation = client.explain_time()
    steps = [step for part in explanation.subtasks for step in part.operators]
    assert sum(step.num_late_records for step in steps) == 1
    assert sum(step.num_late_records_dropped for step in steps) == 1
    assert "1 late rows, of which 1 were dropped" in str(explanation)


def test_splits_are_named(env: StreamExecutionEnvironment, tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        (tmp_path / f"{name}.txt").write_text("".join(f"{name} {line}\n" for line in range(50)))
    entered, go = threading.Event(), threading.Event()

    def hold(line: str) -> str:
        entered.set()
        go.wait(20)
        return line

    env.set_parallelism(1)
    lines = env.from_source(FileSource.for_record_stream_format(StreamFormat.text_line_format(), str(tmp_path)).build(), WatermarkStrategy.no_watermarks(), "lines")
    numbers = env.from_source(NumberSequenceSource(5, 8), WatermarkStrategy.no_watermarks(), "numbers")
    lines.map(hold, Types.STRING()).add_sink(lambda value: None)
    numbers.add_sink(lambda value: None)
    client = env.execute_async("splits")
    try:
        assert entered.wait(20)
        explanation = client.explain_time()
        files = next(part for part in explanation.subtasks if part.is_source and "lines" in part.name)
        assert files.splits is not None and files.splits.may_have_more and files.splits.num_finished == 0
        (reading,) = files.splits.reading
        assert Path(reading).parent == tmp_path
        assert f"reads '{reading}'; 0 splits finished" in str(explanation)
    finally:
        go.set()
        client.wait()
    explanation = client.explain_time()
    found = {part.name.split(" -> ")[0]: part.splits for part in explanation.subtasks if part.is_source}
    assert sorted(splits.num_finished for splits in found.values() if splits is not None) == [1, 3]
    assert all(splits is not None and splits.reading == () and not splits.may_have_more for splits in found.values())
    assert "has no more splits; 3 splits finished" in str(explanation)
    assert all(part.splits is None for part in explanation.subtasks if not part.is_source)


def test_ranges_of_numbers_are_named(env: StreamExecutionEnvironment) -> None:
    entered, go = threading.Event(), threading.Event()

    def hold(number: int) -> int:
        entered.set()
        go.wait(20)
        return number

    env.set_parallelism(2)
    env.from_source(NumberSequenceSource(1, 100_000), WatermarkStrategy.no_watermarks(), "numbers").map(hold, Types.LONG()).add_sink(lambda value: None)
    client = env.execute_async("ranges")
    try:
        assert entered.wait(20)
        names = [name for part in client.explain_time().subtasks if part.splits is not None for name in part.splits.reading]
        assert names and set(names) <= {"1 to 50000", "50001 to 100000"}
    finally:
        go.set()
        client.wait()


class Ticking(Seconds):
    """Goes on for ever, slowly."""

    def read(self, limit: int) -> Any:
        time.sleep(0.002)
        return super().read(limit)


def test_standing_still_is_said_once(env: StreamExecutionEnvironment, caplog: pytest.LogCaptureFixture) -> None:
    env.configure({"millstream.event-time.stall-warning": "100 ms"})
    busy = env.from_source(Ticking("busy", 1_000_000), STRATEGY, "busy")
    silent = env.from_source(Seconds("silent", 10), STRATEGY, "silent")
    keyed = busy.union(silent).key_by(lambda pair: pair[0], Types.STRING())
    keyed.window(TumblingEventTimeWindows.of(Time.seconds(60))).reduce(lambda a, b: a).add_sink(lambda value: None)
    client = env.execute_async("standing")
    try:
        end = time.monotonic() + 20
        while "event time has not advanced" not in caplog.text and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.3)
    finally:
        client.cancel().result(10)
    lines = [line for record in caplog.records for line in record.getMessage().splitlines() if "event time has not advanced" in line]
    assert len(lines) == 1
    assert "job 'standing'" in lines[0] and "held back by 'Source: silent'" in lines[0] and "00:00:59.999" in lines[0]


def test_of_a_job_that_failed(env: StreamExecutionEnvironment) -> None:
    stream = env.from_collection([1, 2, 3]).map(lambda n: 1 // (n - 3), Types.LONG())
    stream.add_sink(lambda value: None)
    client = env.execute_async("failing")
    with pytest.raises(ZeroDivisionError):
        client.get_job_execution_result().result()
    assert client.explain_time().status == "FAILED"
    assert "event time of 'failing'" in str(client.explain_time())
