from pyflink.common import Duration, Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import ProcessWindowFunction, StreamExecutionEnvironment
from pyflink.datastream.window import EventTimeSessionWindows


class At(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1]


class Describe(ProcessWindowFunction):
    def process(self, key, context: "ProcessWindowFunction.Context", elements):
        window = context.window()
        yield key, window.start, window.end, window.max_timestamp(), sorted(element[1] for element in elements)


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
windows = timed(rows).key_by(lambda v: v[0], Types.STRING()).window(EventTimeSessionWindows.with_gap(Time.seconds(4)))
with windows.process(Describe()).execute_and_collect() as results:
    for value in sorted(results):
        print(value)
