from pyflink.common import Duration, Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import StreamExecutionEnvironment, WindowFunction
from pyflink.datastream.window import TumblingEventTimeWindows


class At(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1]


class Sums(WindowFunction):
    def apply(self, key, window, inputs):
        values = [value[1] for value in inputs]
        return [(key, window.start, len(values), sum(values)), (key, window.end, min(values), max(values))]


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)


def timed(values):
    stream = env.from_collection(values, Types.TUPLE([Types.STRING(), Types.LONG()]))
    return stream.assign_timestamps_and_watermarks(
        WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_seconds(60)).with_timestamp_assigner(At())
    )


rows = [
    ("a", 1000),
    ("b", 2000),
    ("a", 6000),
    ("a", 3500),
    ("b", 11000),
    ("a", 9999),
    ("a", 10000),
    ("a", 30000),
    ("b", 31000),
    ("b", 52000),
    ("a", 34000),
]
windows = timed(rows).key_by(lambda v: v[0], Types.STRING()).window(TumblingEventTimeWindows.of(Time.seconds(10)))
with windows.apply(Sums()).execute_and_collect() as results:
    for value in sorted(results):
        print(value)
