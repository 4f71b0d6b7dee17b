from pyflink.common import Duration, Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import AggregateFunction, StreamExecutionEnvironment
from pyflink.datastream.window import EventTimeSessionWindows


class At(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1]


class Count(AggregateFunction):
    def create_accumulator(self):
        return [0, 0]

    def add(self, value, accumulator):
        return [accumulator[0] + 1, accumulator[1] + value[1]]

    def get_result(self, accumulator):
        return tuple(accumulator)

    def merge(self, a, b):
        return [a[0] + b[0], a[1] + b[1]]


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)


def timed(values):
    stream = env.from_collection(values, Types.TUPLE([Types.STRING(), Types.LONG()]))
    return stream.assign_timestamps_and_watermarks(
        WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_seconds(60)).with_timestamp_assigner(At())
    )


rows = [("a", 1000), ("b", 2000), ("a", 3500), ("b", 11000), ("a", 6000), ("a", 9999), ("a", 10000), ("a", 30000), ("b", 13000), ("b", 52000)]
windows = timed(rows).key_by(lambda v: v[0], Types.STRING()).window(EventTimeSessionWindows.with_gap(Time.seconds(4)))
with windows.aggregate(Count()).execute_and_collect() as results:
    for value in sorted(results):
        print(value)
