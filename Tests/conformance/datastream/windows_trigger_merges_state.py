# order: any
from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.functions import ProcessWindowFunction
from pyflink.datastream.state import ListStateDescriptor, ReducingStateDescriptor
from pyflink.datastream.window import EventTimeSessionWindows, Trigger, TriggerResult


class Second(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1] * 1000


class Seconds(ProcessWindowFunction):
    def process(self, key, context, elements):
        window = context.window()
        return [(key, window.start, window.end, [value[1] for value in elements])]


class AtSum(Trigger):
    """Fires when the sum of a session's seconds passes 10, and at its end."""

    def __init__(self):
        self.sum = ReducingStateDescriptor("sum", lambda x, y: x + y, Types.LONG())

    def on_element(self, element, timestamp, window, ctx):
        ctx.register_event_time_timer(window.max_timestamp())
        state = ctx.get_partitioned_state(self.sum)
        state.add(element[1])
        if state.get() > 10:
            state.clear()
            return TriggerResult.FIRE
        return TriggerResult.CONTINUE

    def on_processing_time(self, time, window, ctx):
        return TriggerResult.CONTINUE

    def on_event_time(self, time, window, ctx):
        return TriggerResult.FIRE

    def can_merge(self):
        return True

    def on_merge(self, window, ctx):
        ctx.merge_partitioned_state(self.sum)
        ctx.register_event_time_timer(window.max_timestamp())

    def clear(self, window, ctx):
        ctx.delete_event_time_timer(window.max_timestamp())
        ctx.get_partitioned_state(self.sum).clear()


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
elements = [("a", 1), ("a", 2), ("b", 3), ("a", 4), ("b", 6), ("a", 8), ("a", 9), ("b", 15), ("a", 21), ("a", 22)]
stream = env.from_collection(elements, Types.TUPLE([Types.STRING(), Types.LONG()])).assign_timestamps_and_watermarks(
    WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Second())
)
keyed = stream.key_by(lambda value: value[0], Types.STRING())

def show(result):
    with result.execute_and_collect() as results:
        for value in results:
            print(value)

show(keyed.window(EventTimeSessionWindows.with_gap(Time.seconds(3))).trigger(AtSum()).process(Seconds()))
