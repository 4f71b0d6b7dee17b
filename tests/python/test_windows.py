"""Windows and their assigners."""

from __future__ import annotations

from typing import Any

import pytest
from millstream.common import Duration, Time
from millstream.datastream.window import (
    CountSlidingWindowAssigner,
    CountTumblingWindowAssigner,
    CountWindow,
    EventTimeSessionWindows,
    GlobalWindow,
    MergingWindowAssigner,
    ProcessingTimeSessionWindows,
    SlidingEventTimeWindows,
    SlidingProcessingTimeWindows,
    TimeWindow,
    TumblingEventTimeWindows,
    TumblingProcessingTimeWindows,
    WindowAssigner,
)


@pytest.mark.parametrize(
    ("assigner", "shape"),
    [
        (TumblingEventTimeWindows.of(Time.seconds(5)), ("TUMBLING", 5_000, 0, 0, True)),
        (TumblingEventTimeWindows.of(Duration.of_days(1), Time.hours(-8)), ("TUMBLING", 86_400_000, 0, -28_800_000, True)),
        (TumblingProcessingTimeWindows.of(100), ("TUMBLING", 100, 0, 0, False)),
        (SlidingEventTimeWindows.of(Time.seconds(10), Time.seconds(5), Time.seconds(1)), ("SLIDING", 10_000, 5_000, 1_000, True)),
        (SlidingProcessingTimeWindows.of(Time.seconds(10), Time.seconds(5)), ("SLIDING", 10_000, 5_000, 0, False)),
        (EventTimeSessionWindows.with_gap(Time.seconds(5)), ("SESSION", 5_000, 0, 0, True)),
        (ProcessingTimeSessionWindows.with_gap(Time.seconds(5)), ("SESSION", 5_000, 0, 0, False)),
        (CountTumblingWindowAssigner.of(3), ("COUNT_WINDOW", 3, 0, 0, False)),
        (CountSlidingWindowAssigner.of(3, 2), ("SLIDING_COUNT", 3, 2, 0, False)),
    ],
    ids=repr,
)
def test_shapes(assigner: WindowAssigner, shape: tuple[Any, ...]) -> None:
    found = assigner._shape()
    assert (found.kind, found.size, found.slide, found.offset, found.is_event_time) == shape
    assert assigner.is_event_time() is shape[4]


@pytest.mark.parametrize(
    "make",
    [
        lambda: TumblingEventTimeWindows.of(0),
        lambda: TumblingEventTimeWindows.of(-5),
        lambda: TumblingEventTimeWindows.of(5, 5),
        lambda: SlidingEventTimeWindows.of(0, 5),
        lambda: SlidingEventTimeWindows.of(5, 0),
        lambda: SlidingProcessingTimeWindows.of(10, 5, -5),
        lambda: EventTimeSessionWindows.with_gap(0),
        lambda: CountTumblingWindowAssigner.of(0),
        lambda: CountSlidingWindowAssigner.of(3, -1),
    ],
)
def test_sizes_that_cannot_be(make: Any) -> None:
    with pytest.raises(ValueError, match="must"):
        make()


@pytest.mark.parametrize("timestamp", [-10_001, -10_000, -9_999, -1, 0, 1, 9_999, 10_000])
@pytest.mark.parametrize("offset", [-3_000, 0, 3_000])
def test_window_start(timestamp: int, offset: int) -> None:
    start = TimeWindow.get_window_start_with_offset(timestamp, offset, 10_000)
    assert start <= timestamp < start + 10_000
    assert (start - offset) % 10_000 == 0


def test_time_windows() -> None:
    window = TimeWindow(10, 20)
    assert (window.max_timestamp(), window.cover(TimeWindow(15, 30)), repr(window)) == (19, TimeWindow(10, 30), "TimeWindow(start=10, end=20)")
    assert window.intersects(TimeWindow(20, 30)), "windows that touch become one session"
    assert not window.intersects(TimeWindow(21, 30))
    assert len({window, TimeWindow(10, 20), TimeWindow(10, 21)}) == 2
    assert CountWindow(1) != CountWindow(2)
    assert GlobalWindow.get() == GlobalWindow()


def test_merging() -> None:
    class Callback(MergingWindowAssigner.MergeCallback):
        def __init__(self) -> None:
            self.merged: list[tuple[TimeWindow, list[TimeWindow]]] = []

        def merge(self, to_be_merged: Any, merge_result: Any) -> None:
            self.merged.append((merge_result, list(to_be_merged)))

    callback = Callback()
    parts = [TimeWindow(40, 50), TimeWindow(0, 10), TimeWindow(10, 15), TimeWindow(12, 20), TimeWindow(30, 35), TimeWindow(30, 35)]
    TimeWindow.merge_windows(parts, callback)
    assert callback.merged == [(TimeWindow(0, 20), [TimeWindow(0, 10), TimeWindow(10, 15), TimeWindow(12, 20)])], "equal windows are one"
