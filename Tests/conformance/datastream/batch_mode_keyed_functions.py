# In BATCH mode the elements of a key come in the order of their timestamps; timers, also those by processing time, fire behind them.
from pyflink.common import Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import KeyedCoProcessFunction, KeyedProcessFunction, MapFunction, RuntimeExecutionMode, StreamExecutionEnvironment
from pyflink.datastream.state import ValueStateDescriptor

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
env.set_runtime_mode(RuntimeExecutionMode.BATCH)
TYPE = Types.TUPLE([Types.STRING(), Types.INT(), Types.INT()])
ROWS = [("b", 10, 1), ("a", 3, 2), ("a", 1, 3), ("b", 20, 4), ("a", 2, 5), ("b", 5, 6), ("c", 7, 7), ("b", 5, 8)]
OTHERS = [("a", 100, 0), ("d", 1, 1), ("b", 12, 2), ("a", 4, 3), ("b", 7, 4)]


class Value(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1] * 100


class Count(KeyedProcessFunction):
    def open(self, runtime_context):
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.INT()))

    def process_element(self, value, ctx):
        self.count.update((self.count.value() or 0) + 1)
        ctx.timer_service().register_event_time_timer(5000)
        ctx.timer_service().register_processing_time_timer(4_000_000_000_000)
        yield value[0], "element", value[2], self.count.value(), ctx.timer_service().current_watermark()

    def on_timer(self, timestamp, ctx):
        yield ctx.get_current_key(), "timer", timestamp, self.count.value(), ctx.timer_service().current_watermark()


class Number(MapFunction):
    def open(self, runtime_context):
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.INT()))

    def map(self, value):
        self.count.update((self.count.value() or 0) + 1)
        return value[0], value[2], self.count.value()


class Both(KeyedCoProcessFunction):
    def process_element1(self, value, ctx):
        yield value[0], 1, value[1], ctx.timestamp()

    def process_element2(self, value, ctx):
        yield value[0], 2, value[1], ctx.timestamp()


def keyed(rows, has_time):
    stream = env.from_collection(rows, TYPE)
    if has_time:
        stream = stream.assign_timestamps_and_watermarks(WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Value()))
    return stream.key_by(lambda v: v[0], Types.STRING())


def show(name, stream):
    with stream.execute_and_collect() as results:
        found = list(results)
    for key in sorted({row[0] for row in found}):
        print(name, key, [row[1:] for row in found if row[0] == key and row[1] != "timer"])
        # A set: PyFlink 2.3 fires a key's timers again where another key's come between its elements and the end of a bundle.
        print(name, key, sorted({row[1:] for row in found if row[0] == key and row[1] == "timer"}))


for has_time in (False, True):
    show("process", keyed(ROWS, has_time).process(Count()))
    show("map", keyed(ROWS, has_time).map(Number()))
show("connected", keyed(ROWS, True).connect(keyed(OTHERS, True)).process(Both()))
