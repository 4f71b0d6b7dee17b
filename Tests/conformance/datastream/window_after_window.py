from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import ProcessWindowFunction, StreamExecutionEnvironment
from pyflink.datastream.window import TumblingEventTimeWindows


class At(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1]


class All(ProcessWindowFunction):
    def process(self, key, context, elements):
        yield context.window().start, context.window().end, sorted(elements)


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
pairs = Types.TUPLE([Types.STRING(), Types.LONG()])


def timed(values):
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(At())
    return env.from_collection(values, pairs).assign_timestamps_and_watermarks(strategy)


small = TumblingEventTimeWindows.of(Time.milliseconds(10))
large = TumblingEventTimeWindows.of(Time.milliseconds(20))
counts = (
    timed([("a", 1), ("a", 9), ("b", 12), ("a", 25), ("b", 31)]).map(lambda v: (v[0], 1), pairs).key_by(lambda v: v[0], Types.STRING()).window(small)
)
per_small = counts.reduce(lambda a, b: (a[0], a[1] + b[1]))
per_large = per_small.key_by(lambda v: 0, Types.INT()).window(large).process(All())
with per_large.execute_and_collect() as results:
    print(sorted(results))
