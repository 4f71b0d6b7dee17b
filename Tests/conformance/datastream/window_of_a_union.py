from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.window import TumblingEventTimeWindows


class At(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1]


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
pairs = Types.TUPLE([Types.STRING(), Types.LONG()])


def timed(values):
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(At())
    return env.from_collection(values, pairs).assign_timestamps_and_watermarks(strategy)


left = timed([("a", 1), ("a", 15)])
right = timed([("a", 3), ("b", 4), ("a", 28)])
windows = left.union(right).key_by(lambda v: v[0], Types.STRING()).window(TumblingEventTimeWindows.of(Time.milliseconds(10)))
with windows.reduce(lambda a, b: (a[0], a[1] + b[1])).execute_and_collect() as results:
    print(sorted(results))
