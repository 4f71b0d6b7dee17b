# order: any
from pyflink.common import Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import KeyedProcessFunction, OutputTag, StreamExecutionEnvironment

seen = OutputTag("seen", Types.TUPLE([Types.STRING(), Types.STRING(), Types.LONG()]))


class Split(KeyedProcessFunction):
    def process_element(self, value, ctx):
        ctx.timer_service().register_event_time_timer(value[1])
        yield seen, (value[0], "element", value[1])
        yield value

    def on_timer(self, timestamp, ctx: "KeyedProcessFunction.OnTimerContext"):
        yield seen, (ctx.get_current_key(), "timer", timestamp)


class At(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1]


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
pairs = Types.TUPLE([Types.STRING(), Types.LONG()])
stream = env.from_collection([("a", 10), ("b", 20), ("a", 30)], pairs).assign_timestamps_and_watermarks(
    WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(At())
)
main = stream.key_by(lambda v: v[0], Types.STRING()).process(Split(), pairs)
main.print("main")
main.get_side_output(seen).print("seen")
env.execute()
