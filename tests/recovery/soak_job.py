"""The job that `soak.py` kills: two sources, keyed state of every kind, timers, windows, a table of SQLite and files. It ends when there is a file `stop`.

    soak_job.py FOLDER PARALLELISM RATE [SETTING=VALUE...]

Everything that it shows follows from the number of values that its sources gave (soak.py, `Expected`). RATE: values a second and source at most.
"""

import os
import sys
import time

from millstream.common import Duration, Encoder, Time, Types, WatermarkStrategy
from millstream.common.watermark_strategy import TimestampAssigner
from millstream.datastream import AggregateFunction, KeyedProcessFunction, ReduceFunction, StreamExecutionEnvironment
from millstream.datastream.connectors.file_system import FileSink, RollingPolicy
from millstream.datastream.connectors.python import PythonSource
from millstream.datastream.connectors.sqlite import SqliteSink
from millstream.datastream.state import (
    AggregatingStateDescriptor,
    ListStateDescriptor,
    MapStateDescriptor,
    ReducingStateDescriptor,
    ValueStateDescriptor,
)
from millstream.datastream.window import TumblingEventTimeWindows

folder, parallelism, rate, settings = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
KEYS, SOURCES, PIECE = 8, 2, 16
PAIR = Types.TUPLE([Types.LONG(), Types.LONG()])
RESULT = Types.TUPLE([Types.STRING(), Types.LONG(), Types.LONG(), Types.LONG(), Types.LONG()])


class Numbers(PythonSource):
    """`first`, `first` + 2, ... until it is told to stop; then a multiple of the pieces, so that all sources end alike."""

    def __init__(self, first):
        super().__init__(Types.LONG())
        self.first = first
        self.given = 0

    def read(self, limit):
        if os.path.exists(folder + "/stop"):
            # How many there are in all, for whoever checks.
            path = f"{folder}/end-{self.first}"
            with open(path + ".tmp", "w") as file:
                file.write(str(self.given))
            os.rename(path + ".tmp", path)
            return None
        time.sleep(PIECE / rate)
        start = self.given
        self.given += PIECE
        return [self.first + SOURCES * n for n in range(start, self.given)]

    def snapshot_position(self):
        return self.given

    def restore_position(self, position):
        self.given = position


class ByValue(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value


class Largest(AggregateFunction):
    def create_accumulator(self):
        return -1

    def add(self, value, accumulator):
        return max(value, accumulator)

    def get_result(self, accumulator):
        return accumulator

    def merge(self, a, b):
        return max(a, b)


class Histories(KeyedProcessFunction):
    """For each value: its number within its key, the sum so far, and the sum of the last three before it. A timer 40 later gives it once more."""

    def open(self, runtime_context):
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))
        self.last = runtime_context.get_list_state(ListStateDescriptor("last", Types.LONG()))
        self.waiting = runtime_context.get_map_state(MapStateDescriptor("waiting", Types.LONG(), Types.LONG()))
        self.sum = runtime_context.get_reducing_state(ReducingStateDescriptor("sum", lambda a, b: a + b, Types.LONG()))
        self.largest = runtime_context.get_aggregating_state(AggregatingStateDescriptor("largest", Largest(), Types.LONG()))

    def process_element(self, value, ctx):
        count = (self.count.value() or 0) + 1
        self.count.update(count)
        last = list(self.last.get())
        self.last.update([*last[-2:], value])
        self.sum.add(value)
        self.largest.add(value)
        self.waiting.put(value + 40, count)
        ctx.timer_service().register_event_time_timer(value + 40)
        yield "row", ctx.get_current_key(), count, self.sum.get(), sum(last) + self.largest.get()

    def on_timer(self, timestamp, ctx):
        count = self.waiting.get(timestamp)
        self.waiting.remove(timestamp)
        yield "timer", ctx.get_current_key(), count, timestamp, 0


class Sum(ReduceFunction):
    def reduce(self, first, second):
        return (first[0], first[1] + second[1])


class Spread(ReduceFunction):
    def reduce(self, first, second):
        return (first[0], first[1] + second[1])


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(parallelism).set_max_parallelism(128)
env.enable_checkpointing(50)
env.configure({"millstream.batch.rows": "16", **dict(setting.split("=", 1) for setting in settings)})
watermarks = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_millis(5)).with_timestamp_assigner(ByValue())
sources = [
    env.from_source(Numbers(first)).uid(f"numbers {first}").assign_timestamps_and_watermarks(watermarks).uid(f"times {first}").set_parallelism(1)
    for first in range(SOURCES)
]
numbers = sources[0].union(sources[1])
histories = numbers.key_by(lambda n: n % KEYS, Types.LONG()).process(Histories(), RESULT).uid("histories")
histories.sink_to(SqliteSink(folder + "/out.db", "results")).uid("table")
pairs = numbers.map(lambda n: (n % 4, n), PAIR).key_by(lambda pair: pair[0], Types.LONG())
sums = pairs.window(TumblingEventTimeWindows.of(Time.milliseconds(64))).reduce(Sum(), output_type=PAIR).uid("sums")
policy = RollingPolicy.default_rolling_policy(part_size=8_192, rollover_interval=2_000, inactivity_interval=1_000)
files = FileSink.for_row_format(folder + "/out", Encoder.simple_string_encoder()).with_rolling_policy(policy).build()
sums.map(lambda pair: f"{pair[0]} {pair[1]}", Types.STRING()).sink_to(files).uid("files")
client = env.execute_async("soak")
with open(folder + "/alive", "a") as file:
    file.write("x")
client.get_job_execution_result().result()
