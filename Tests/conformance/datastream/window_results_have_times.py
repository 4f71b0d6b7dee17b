from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import ProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.window import TumblingEventTimeWindows


class At(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1]


class When(ProcessFunction):
    def process_element(self, value, ctx):
        yield value, ctx.timestamp()


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
pairs = Types.TUPLE([Types.STRING(), Types.LONG()])


def timed(values):
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(At())
    return env.from_collection(values, pairs).assign_timestamps_and_watermarks(strategy)


windows = (
    timed([("a", 1), ("a", 9), ("a", 12), ("b", 31)])
    .key_by(lambda v: v[0], Types.STRING())
    .window(TumblingEventTimeWindows.of(Time.milliseconds(10)))
)
with windows.reduce(lambda a, b: (a[0], a[1] + b[1])).process(When()).execute_and_collect() as results:
    print(sorted(results))
