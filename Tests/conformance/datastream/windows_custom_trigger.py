# order: any
from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.functions import ProcessWindowFunction
from pyflink.datastream.state import ListStateDescriptor, ReducingStateDescriptor, ValueStateDescriptor
from pyflink.datastream.window import GlobalWindows, Trigger, TriggerResult, TumblingEventTimeWindows


class Second(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1] * 1000


class Seconds(ProcessWindowFunction):
    def process(self, key, context, elements):
        window = context.window()
        return [(key, window.start, window.end, [value[1] for value in elements])]


class Rising(Trigger):
    """Fires with every element that is at least twice the last one with which it fired, purges with every third firing, and at the end."""

    def __init__(self):
        self.last = ValueStateDescriptor("last", Types.LONG())
        self.firings = ReducingStateDescriptor("firings", lambda x, y: x + y, Types.LONG())

    def on_element(self, element, timestamp, window, ctx):
        ctx.register_event_time_timer(window.max_timestamp() - 1000)
        last, firings = ctx.get_partitioned_state(self.last), ctx.get_partitioned_state(self.firings)
        if last.value() is not None and element[1] < 2 * last.value():
            return TriggerResult.CONTINUE
        last.update(element[1])
        firings.add(1)
        return TriggerResult.FIRE_AND_PURGE if firings.get() % 3 == 0 else TriggerResult.FIRE

    def on_processing_time(self, time, window, ctx):
        return TriggerResult.CONTINUE

    def on_event_time(self, time, window, ctx):
        return TriggerResult.FIRE if time == window.max_timestamp() - 1000 else TriggerResult.CONTINUE

    def on_merge(self, window, ctx):
        pass

    def clear(self, window, ctx):
        ctx.get_partitioned_state(self.last).clear()
        ctx.get_partitioned_state(self.firings).clear()


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

show(keyed.window(TumblingEventTimeWindows.of(Time.seconds(10))).trigger(Rising()).process(Seconds()))
show(keyed.window(TumblingEventTimeWindows.of(Time.seconds(20))).trigger(Rising()).reduce(lambda x, y: (x[0], x[1] + y[1])))
