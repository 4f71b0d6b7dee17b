"""A window whose contents are None when it fires gives nothing, and its function is not called."""

from pyflink.common import Duration, Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import AggregateFunction, ProcessWindowFunction, StreamExecutionEnvironment
from pyflink.datastream.window import EventTimeSessionWindows, SlidingEventTimeWindows, TumblingEventTimeWindows


class Second(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1]


class SumUnlessThree(AggregateFunction):
    def create_accumulator(self):
        return 0

    def add(self, value, accumulator):
        return accumulator + value[2]

    def get_result(self, accumulator):
        return None if accumulator == 3 else accumulator

    def merge(self, a, b):
        return a + b


class Shown(ProcessWindowFunction):
    def process(self, key, context, elements):
        yield f"{key} {list(elements)}"


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
values = [("a", 1, 1), ("a", 2, 2), ("b", 3, 4), ("c", 4, 3), ("d", 20, 1), ("d", 21, 1), ("e", 31, 3)]
keyed = (
    env.from_collection(values, Types.TUPLE([Types.STRING(), Types.LONG(), Types.LONG()]))
    .assign_timestamps_and_watermarks(WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_seconds(5)).with_timestamp_assigner(Second()))
    .key_by(lambda value: value[0])
)
for name, windows in [
    ("tumbling", keyed.window(TumblingEventTimeWindows.of(Time.milliseconds(10)))),
    ("sliding", keyed.window(SlidingEventTimeWindows.of(Time.milliseconds(10), Time.milliseconds(5)))),
    ("session", keyed.window(EventTimeSessionWindows.with_gap(Time.milliseconds(3)))),
    ("count", keyed.count_window(1)),
]:
    print(name, sorted(windows.aggregate(SumUnlessThree(), output_type=Types.LONG()).execute_and_collect()))
    print(name, sorted(windows.aggregate(SumUnlessThree(), Shown(), Types.LONG(), Types.STRING()).execute_and_collect()))
