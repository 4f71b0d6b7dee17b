"""Delays of New York's flights as a stream: which carrier is late in which hour?

The reports come in as the planes leave, so they are out of order by the hours in which they were *scheduled*. The job parses them, windows them by
the scheduled time per carrier (each hour; and three hours every hour), sends reports that come too late to a file of their own, writes all results
to files, prints the worst windows, and at the end compares everything with pandas.

    python examples/python/flights.py                # as fast as it goes
    python examples/python/flights.py --rate 5000    # as a live stream of 5,000 reports per second
"""

import argparse
import csv
import gzip
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from millstream.common import Duration, Types, WatermarkStrategy
from millstream.common.watermark_strategy import TimestampAssigner
from millstream.datastream import (
    AggregateFunction,
    DataStream,
    OutputTag,
    ProcessWindowFunction,
    StreamExecutionEnvironment,
)
from millstream.datastream.connectors.file_system import BucketAssigner, FileSink, OutputFileConfig
from millstream.datastream.formats import CsvRowFormat
from millstream.datastream.window import SlidingEventTimeWindows, Time, TumblingEventTimeWindows

DATA = Path(__file__).parents[1] / "data" / "flights-2013-01.csv.gz"
HOUR = 3_600_000
# A report may be this late against the newest one before its window closes.
OUT_OF_ORDERNESS = Duration.of_hours(1)
ON_TIME_MINUTES = 15.0


class Flight(NamedTuple):
    """One report. `scheduled` is in milliseconds since the epoch, `delay` in minutes."""

    carrier: str
    scheduled: int
    delay: float
    number: str


FLIGHT = Types.TUPLE([Types.STRING(), Types.LONG(), Types.DOUBLE(), Types.STRING()])
RESULT = Types.ROW_NAMED(
    ["carrier", "window_start", "flights", "mean_delay", "max_delay", "on_time"],
    [Types.STRING(), Types.STRING(), Types.LONG(), Types.DOUBLE(), Types.DOUBLE(), Types.DOUBLE()],
)


def parse(line: str) -> Iterator[Flight]:
    """A line of the file as a Flight; nothing for the header and for cancelled flights."""
    fields = line.split(",")
    delay, carrier, number, minute, hour = fields[5], fields[9], fields[10], fields[17], fields[18]
    if hour == "time_hour" or delay == "NA":
        return
    start = datetime.strptime(hour, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    yield Flight(carrier, int(start.timestamp() * 1_000) + int(minute) * 60_000, float(delay), carrier + number)


class Scheduled(TimestampAssigner):
    """Event time is when the plane was to leave."""

    def extract_timestamp(self, value: Flight, record_timestamp: int) -> int:
        return value[1]


class DelayStatistics(AggregateFunction):
    """(flights, sum of delays, largest delay, flights on time)"""

    def create_accumulator(self) -> tuple[int, float, float, int]:
        return 0, 0.0, float("-inf"), 0

    def add(self, value: Flight, accumulator: tuple[int, float, float, int]) -> tuple[int, float, float, int]:
        count, total, worst, on_time = accumulator
        return count + 1, total + value[2], max(worst, value[2]), on_time + (value[2] <= ON_TIME_MINUTES)

    def get_result(self, accumulator: tuple[int, float, float, int]) -> tuple[int, float, float, float]:
        count, total, worst, on_time = accumulator
        return count, total / count, worst, on_time / count

    def merge(self, a: tuple[int, float, float, int], b: tuple[int, float, float, int]) -> tuple[int, float, float, int]:
        return a[0] + b[0], a[1] + b[1], max(a[2], b[2]), a[3] + b[3]


class WithWindow(ProcessWindowFunction):
    """Adds carrier and window to the one result of a window."""

    def process(self, key: str, context: ProcessWindowFunction.Context, elements: Iterable[tuple]) -> Iterator[tuple]:
        start = datetime.fromtimestamp(context.window().start / 1_000, UTC)
        for result in elements:
            yield (key, start.strftime("%Y-%m-%d %H:%M"), *result)


def reports(env: StreamExecutionEnvironment, rate: float | None) -> DataStream:
    """The file's lines, all at once or at a steady rate."""
    if rate is None:
        return env.read_text_file(str(DATA))

    def replay() -> Iterator[str]:
        start = time.monotonic()
        with gzip.open(DATA, "rt", encoding="utf-8", newline="\n") as lines:
            for number, line in enumerate(lines):
                ahead = number / rate - (time.monotonic() - start)
                if ahead > 0:
                    time.sleep(ahead)
                yield line.rstrip("\n")

    return env.from_source(replay(), WatermarkStrategy.no_watermarks(), "replay", Types.STRING())


def csv_files(directory: Path, prefix: str) -> FileSink:
    config = OutputFileConfig.builder().with_part_prefix(prefix).with_part_suffix(".csv").build()
    return FileSink.for_row_format(str(directory), CsvRowFormat()).with_output_file_config(config).with_bucket_assigner(
        BucketAssigner.base_path_bucket_assigner()
    ).build()


def build(env: StreamExecutionEnvironment, output: Path, rate: float | None) -> None:
    late = OutputTag("late", FLIGHT)
    flights = (
        reports(env, rate)
        .flat_map(parse, output_type=FLIGHT)
        .name("parse")
        .assign_timestamps_and_watermarks(WatermarkStrategy.for_bounded_out_of_orderness(OUT_OF_ORDERNESS).with_timestamp_assigner(Scheduled()))
    )
    by_carrier = flights.key_by(lambda flight: flight[0], key_type=Types.STRING())
    hourly = (
        by_carrier.window(TumblingEventTimeWindows.of(Time.hours(1)))
        .side_output_late_data(late)
        .aggregate(DelayStatistics(), WithWindow(), output_type=RESULT)
        .name("each hour")
    )
    sliding = (
        by_carrier.window(SlidingEventTimeWindows.of(Time.hours(3), Time.hours(1)))
        .aggregate(DelayStatistics(), WithWindow(), output_type=RESULT)
        .name("three hours")
    )
    hourly.sink_to(csv_files(output / "hourly", "hourly"))
    sliding.sink_to(csv_files(output / "sliding", "sliding"))
    hourly.get_side_output(late).sink_to(csv_files(output / "late", "late"))
    (
        sliding.filter(lambda row: row[2] >= 10 and row[3] >= 60)
        .map(
            lambda row: f"{row[1]} UTC, 3 h: {row[0]} {row[2]} flights, {row[3]:.0f} min late on average, {row[5]:.0%} on time",
            output_type=Types.STRING(),
        )
        .print()
    )


def read(directory: Path) -> list[list[str]]:
    """All rows of a sink's finished files."""
    rows: list[list[str]] = []
    for part in sorted(directory.rglob("*.csv")):
        with open(part, newline="") as file:
            rows.extend(csv.reader(file))
    return rows


def check(output: Path) -> None:
    """Computes the same with pandas, late reports included, and compares every figure."""
    import pandas as pd

    flights = pd.read_csv(DATA, usecols=["dep_delay", "carrier", "minute", "time_hour"]).dropna()
    scheduled = pd.to_datetime(flights.time_hour).astype("datetime64[ms, UTC]").astype("int64") + flights.minute * 60_000
    # The watermark that each report meets: the newest time before it, less the bound, less one.
    watermark = scheduled.cummax().shift(fill_value=-(2**62)) - OUT_OF_ORDERNESS.to_millis() - 1

    def expected(size: int) -> dict[tuple[str, str], tuple[int, float, float, float]]:
        windows = []
        for back in range(size):
            start = scheduled // HOUR * HOUR - back * HOUR
            in_time = start + size * HOUR - 1 > watermark
            windows.append(flights.assign(start=start)[in_time])
        grouped = pd.concat(windows).groupby(["carrier", "start"]).dep_delay
        statistics = grouped.agg(["count", "mean", "max", lambda delays: (delays <= ON_TIME_MINUTES).mean()])
        return {
            (carrier, pd.Timestamp(start, unit="ms").strftime("%Y-%m-%d %H:%M")): tuple(row)
            for (carrier, start), row in zip(statistics.index, statistics.itertuples(index=False), strict=True)
        }

    for name, size in (("hourly", 1), ("sliding", 3)):
        rows = read(output / name)
        ours = {(row[0], row[1]): tuple(float(value) for value in row[2:]) for row in rows}
        wanted = expected(size)
        same = ours.keys() == wanted.keys() and all(
            abs(a - b) <= 1e-9 * max(1, abs(b)) for key in wanted for a, b in zip(ours[key], wanted[key], strict=True)
        )
        if not same or len(rows) != len(ours):
            raise SystemExit(f"{name}: {len(rows)} windows, pandas has {len(wanted)}: they differ")
        print(f"{name}: {len(rows):,} windows, equal to pandas")
    late = len(read(output / "late"))
    wanted_late = int((scheduled // HOUR * HOUR + HOUR - 1 <= watermark).sum())
    if late != wanted_late:
        raise SystemExit(f"late: {late} reports, pandas has {wanted_late}")
    print(f"late:   {late:,} of {len(flights):,} reports came after their hour was closed, equal to pandas")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rate", type=float, help="reports per second; default: as fast as it goes")
    arguments.add_argument("--output", type=Path, help="where the results go; default: a new folder under the temporary one")
    arguments.add_argument("--no-check", action="store_true", help="leave out the comparison with pandas")
    options = arguments.parse_args()
    output = options.output or Path(tempfile.mkdtemp(prefix="millstream-flights-"))
    for name in ("hourly", "sliding", "late"):
        shutil.rmtree(output / name, ignore_errors=True)

    env = StreamExecutionEnvironment.get_execution_environment()
    build(env, output, options.rate)
    start = time.perf_counter()
    client = env.execute_async("flights")
    client.print_progress()
    client.get_job_execution_result().result()
    print(f"done in {time.perf_counter() - start:.2f} s; results are in {output}")
    if not options.no_check:
        check(output)


if __name__ == "__main__":
    sys.exit(main())
