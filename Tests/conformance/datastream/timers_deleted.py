from pyflink.common import Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import KeyedProcessFunction, StreamExecutionEnvironment


class At(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1]


class Timers(KeyedProcessFunction):
    def process_element(self, value, ctx):
        timers = ctx.timer_service()
        timers.register_event_time_timer(1000)
        timers.register_event_time_timer(2000)
        if value[1] == 2:
            timers.delete_event_time_timer(1000)
            timers.delete_event_time_timer(7777)

    def on_timer(self, timestamp, ctx):
        yield ctx.get_current_key(), timestamp


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)


def timed(values):
    stream = env.from_collection(values, Types.TUPLE([Types.STRING(), Types.LONG()]))
    return stream.assign_timestamps_and_watermarks(WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(At()))


with timed([("a", 1), ("b", 1), ("a", 2)]).key_by(lambda v: v[0], Types.STRING()).process(Timers()).execute_and_collect() as results:
    print(sorted(results))
