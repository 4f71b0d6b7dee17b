# order: any
from pyflink.common import Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import OutputTag, StreamExecutionEnvironment
from pyflink.datastream.functions import KeyedCoProcessFunction
from pyflink.datastream.state import ValueStateDescriptor

ODD = OutputTag("odd", Types.STRING())


class Assigner(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1]


class Match(KeyedCoProcessFunction):
    """The last value of each stream; a timer, at the end, tells what a key has."""

    def open(self, runtime_context):
        self.left = runtime_context.get_state(ValueStateDescriptor("left", Types.LONG()))
        self.right = runtime_context.get_state(ValueStateDescriptor("right", Types.LONG()))

    def process_element1(self, value, ctx):
        self.left.update(value[1])
        ctx.timer_service().register_event_time_timer(100_000)
        if value[1] % 2 == 1:
            yield ODD, f"{ctx.get_current_key()} at {ctx.timestamp()}"

    def process_element2(self, value, ctx):
        self.right.update(value[1])
        ctx.timer_service().register_event_time_timer(100_000)

    def on_timer(self, timestamp, ctx):
        yield f"{ctx.get_current_key()} {self.left.value()} {self.right.value()} {timestamp} {ctx.time_domain().name}"


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
pair = Types.TUPLE([Types.STRING(), Types.LONG()])
strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Assigner())
left = env.from_collection([("a", 1), ("b", 2), ("a", 3)], pair).assign_timestamps_and_watermarks(strategy)
right = env.from_collection([("a", 10), ("c", 20)], pair).assign_timestamps_and_watermarks(strategy)
matched = left.key_by(lambda v: v[0], Types.STRING()).connect(right.key_by(lambda v: v[0], Types.STRING())).process(Match(), Types.STRING())
matched.print()
matched.get_side_output(ODD).print()
env.execute()
