# order: any
from pyflink.common import Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.functions import KeyedBroadcastProcessFunction
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor

FACTORS = MapStateDescriptor("factors", Types.STRING(), Types.LONG())
NAMES = MapStateDescriptor("names", Types.STRING(), Types.STRING())


class Assigner(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1]


class Multiply(KeyedBroadcastProcessFunction):
    """Sums per key; a timer, at the end, multiplies by what has been broadcast."""

    def open(self, runtime_context):
        self.sum = runtime_context.get_state(ValueStateDescriptor("sum", Types.LONG()))

    def process_element(self, value, ctx):
        self.sum.update((self.sum.value() or 0) + value[1])
        ctx.timer_service().register_event_time_timer(1_000_000)

    def process_broadcast_element(self, value, ctx):
        ctx.get_broadcast_state(FACTORS).put(value[0], value[1])
        ctx.get_broadcast_state(NAMES).put(value[0], value[0].upper())

    def on_timer(self, timestamp, ctx):
        key = ctx.get_current_key()
        factor = ctx.get_broadcast_state(FACTORS).get(key)
        yield f"{key} {ctx.get_broadcast_state(NAMES).get(key)} {self.sum.value()} {factor} {timestamp}"


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(2)
pair = Types.TUPLE([Types.STRING(), Types.LONG()])
strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Assigner())
values = env.from_collection([("a", 1), ("b", 2), ("a", 3), ("c", 4)], pair).assign_timestamps_and_watermarks(strategy)
factors = env.from_collection([("a", 10), ("b", 20), ("d", 30)], pair).assign_timestamps_and_watermarks(strategy)
connected = values.key_by(lambda v: v[0], Types.STRING()).connect(factors.broadcast(FACTORS, NAMES))
connected.process(Multiply(), Types.STRING()).print()
env.execute()
