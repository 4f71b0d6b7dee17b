# order: any
from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.functions import ProcessWindowFunction
from pyflink.datastream.state import ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor
from pyflink.datastream.window import CountTrigger, EventTimeSessionWindows, SlidingEventTimeWindows, TumblingEventTimeWindows


class Second(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1] * 1000


class Firings(ProcessWindowFunction):
    def __init__(self):
        self.firings = ValueStateDescriptor("firings", Types.LONG())
        self.starts = ListStateDescriptor("starts", Types.LONG())
        self.total = MapStateDescriptor("total", Types.STRING(), Types.LONG())

    def process(self, key, context, elements):
        own = context.window_state().get_state(self.firings)
        own.update((own.value() or 0) + 1)
        starts = context.global_state().get_list_state(self.starts)
        starts.add(context.window().start)
        total = context.global_state().get_map_state(self.total)
        total.put("elements", (total.get("elements") or 0) + len(list(elements)))
        yield key, context.window().start, own.value(), list(starts.get()), total.get("elements")

    def clear(self, context):
        context.window_state().get_state(self.firings).clear()


class InSessions(ProcessWindowFunction):
    def process(self, key, context, elements):
        try:
            context.window_state().get_state(ValueStateDescriptor("firings", Types.LONG()))
        except Exception:
            yield key, "no window state in windows that merge"
        count = context.global_state().get_state(ValueStateDescriptor("sessions", Types.LONG()))
        count.update((count.value() or 0) + 1)
        yield key, count.value()


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

show(keyed.window(TumblingEventTimeWindows.of(Time.seconds(5))).process(Firings()))
show(keyed.window(TumblingEventTimeWindows.of(Time.seconds(20))).trigger(CountTrigger.of(2)).process(Firings()))
show(keyed.window(EventTimeSessionWindows.with_gap(Time.seconds(3))).process(InSessions()))
