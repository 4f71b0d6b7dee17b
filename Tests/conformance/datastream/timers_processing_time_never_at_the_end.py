from pyflink.common import Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import KeyedProcessFunction, StreamExecutionEnvironment


class At(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1]


class Later(KeyedProcessFunction):
    def process_element(self, value, ctx):
        now = ctx.timer_service().current_processing_time()
        ctx.timer_service().register_processing_time_timer(now + 3_600_000)
        yield value[0], ctx.timestamp()

    def on_timer(self, timestamp, ctx):
        yield "fired", timestamp


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)


def timed(values):
    stream = env.from_collection(values, Types.TUPLE([Types.STRING(), Types.LONG()]))
    return stream.assign_timestamps_and_watermarks(WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(At()))


with timed([("a", 1), ("b", 5)]).key_by(lambda v: v[0], Types.STRING()).process(Later()).execute_and_collect() as results:
    print(list(results))
