# needs: late data
import time

from pyflink.common import Configuration, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import KeyedProcessFunction, StreamExecutionEnvironment


class At(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1]


def slowly(value):
    # Flink makes watermarks by the clock: there is time for one between two rows.
    time.sleep(0.25)
    return value


class Watermarks(KeyedProcessFunction):
    def process_element(self, value, ctx):
        ctx.timer_service().register_event_time_timer(value[1] + 1)
        yield value[1], ctx.timer_service().current_watermark()

    def on_timer(self, timestamp, ctx):
        yield "timer", timestamp


configuration = Configuration()
configuration.set_integer("python.fn-execution.bundle.size", 1)
env = StreamExecutionEnvironment.get_execution_environment(configuration)
env.set_parallelism(1)
env.disable_operator_chaining()
env.get_config().set_auto_watermark_interval(5)
pairs = Types.TUPLE([Types.STRING(), Types.LONG()])


def timed(values):
    stream = env.from_collection(values, pairs).map(slowly, pairs)
    return stream.assign_timestamps_and_watermarks(WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(At()))


with (
    timed([("a", 10), ("a", 25), ("a", 12), ("a", 31)]).key_by(lambda v: v[0], Types.STRING()).process(Watermarks()).execute_and_collect() as results
):
    for value in results:
        print(value)
