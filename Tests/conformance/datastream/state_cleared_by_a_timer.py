from pyflink.common import Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.state import ListStateDescriptor, ValueStateDescriptor


class At(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1]


class Collect(KeyedProcessFunction):
    def open(self, runtime_context: RuntimeContext):
        self.values = runtime_context.get_list_state(ListStateDescriptor("values", Types.LONG()))
        self.until = runtime_context.get_state(ValueStateDescriptor("until", Types.LONG()))

    def process_element(self, value, ctx):
        self.values.add(value[1])
        if self.until.value() is None:
            self.until.update(value[1] + 100)
            ctx.timer_service().register_event_time_timer(value[1] + 100)

    def on_timer(self, timestamp, ctx):
        yield ctx.get_current_key(), timestamp, self.until.value(), sorted(self.values.get())
        self.values.clear()
        self.until.clear()
        yield ctx.get_current_key(), timestamp, self.until.value() or -1, list(self.values.get())


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
pairs = Types.TUPLE([Types.STRING(), Types.LONG()])


def timed(values):
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(At())
    return env.from_collection(values, pairs).assign_timestamps_and_watermarks(strategy)


with timed([("a", 1), ("a", 3), ("b", 4), ("a", 9)]).key_by(lambda v: v[0], Types.STRING()).process(Collect()).execute_and_collect() as results:
    for value in sorted(results):
        print(value)
