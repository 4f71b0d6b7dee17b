"""Lengths of time, instants and watermark strategies."""

from __future__ import annotations

import datetime

import pytest
from millstream.common import (
    Duration,
    Instant,
    Time,
    TimestampAssigner,
    WatermarkStrategy,
)
from millstream.common.time import milliseconds_of


def test_durations() -> None:
    assert Duration.of_days(1) == Duration.of_hours(24) == Duration.of_minutes(1440) == Duration.of_seconds(86_400)
    assert Duration.of_millis(1).to_nanos() == 1_000_000
    assert Duration.of_nanos(-1).to_millis() == -1
    assert repr(Duration.of_seconds(90)) == "Duration(90 s)"
    with pytest.raises(TypeError, match="whole number"):
        Duration.of_seconds(1.5)  # type: ignore[arg-type]


def test_times() -> None:
    assert Time.days(1).to_milliseconds() == 86_400_000
    assert Time.hours(1) == Time.minutes(60) == Time.seconds(3_600) == Time.milliseconds(3_600_000)
    assert str(Time.seconds(1)) == "1000 ms"


@pytest.mark.parametrize("millis", [0, 1, -1, 1_500, -1_500, 253_402_300_799_999])
def test_instants(millis: int) -> None:
    assert Instant.of_epoch_milli(millis).to_epoch_milli() == millis
    assert 0 <= Instant.of_epoch_milli(millis).nanos < 1_000_000_000


def test_every_length_is_taken() -> None:
    lengths = [Time.seconds(2), Duration.of_seconds(2), datetime.timedelta(seconds=2), 2_000]
    assert [milliseconds_of(length, "x") for length in lengths] == [2_000] * 4
    with pytest.raises(TypeError, match="the size takes a Time"):
        milliseconds_of("2 s", "the size")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not True"):
        milliseconds_of(True, "the size")


def test_strategies_do_not_change() -> None:
    plain = WatermarkStrategy.for_monotonous_timestamps()
    timed = plain.with_timestamp_column("t").with_idleness(Duration.of_seconds(1))
    assert (plain._timestamp_column, plain._idle_timeout) == (None, None)
    assert (timed._timestamp_column, timed._idle_timeout, timed._out_of_orderness) == ("t", 1_000, 0)
    assigned = timed.with_timestamp_assigner(lambda value, old: value)
    assert (assigned._timestamp_column, assigned._idle_timeout) == (None, 1_000)


def test_strategies_refuse_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="negative"):
        WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_seconds(-1))
    with pytest.raises(ValueError, match="positive"):
        WatermarkStrategy.no_watermarks().with_idleness(0)
    with pytest.raises(ValueError, match="positive"):
        WatermarkStrategy.no_watermarks().with_max_future_drift(0)
    with pytest.raises(TypeError, match="OutputTag"):
        WatermarkStrategy.no_watermarks().with_max_future_drift(Duration.of_seconds(1), "ahead")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="TimestampAssigner"):
        WatermarkStrategy.no_watermarks().with_timestamp_assigner("t")  # type: ignore[arg-type]


def test_an_assigner_must_be_complete() -> None:
    class Half(TimestampAssigner):
        pass

    with pytest.raises(TypeError):
        Half()  # type: ignore[abstract]
