from pyflink.common import Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import KeyedProcessFunction, StreamExecutionEnvironment


class At(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1]


class Timers(KeyedProcessFunction):
    def process_element(self, value, ctx):
        ctx.timer_service().register_event_time_timer(value[1] + 100)
        ctx.timer_service().register_event_time_timer(value[1] + 100)
        yield ctx.get_current_key(), "element", ctx.timestamp()

    def on_timer(self, timestamp, ctx):
        yield ctx.get_current_key(), "timer", timestamp, ctx.timestamp(), ctx.time_domain().name, ctx.timer_service().current_watermark() == 2**63 - 1


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)


def timed(values):
    stream = env.from_collection(values, Types.TUPLE([Types.STRING(), Types.LONG()]))
    return stream.assign_timestamps_and_watermarks(WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(At()))


with timed([("a", 10), ("b", 20), ("a", 30), ("a", 10)]).key_by(lambda v: v[0], Types.STRING()).process(Timers()).execute_and_collect() as results:
    for value in results:
        print(value)
