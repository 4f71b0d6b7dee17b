# order: any
from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.functions import ProcessWindowFunction
from pyflink.datastream.window import CountTrigger, EventTimeTrigger, PurgingTrigger, TimeWindow, TimeWindowSerializer, WindowAssigner


class Second(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1] * 1000


class Seconds(ProcessWindowFunction):
    def process(self, key, context, elements):
        window = context.window()
        return [(key, window.start, window.end, [value[1] for value in elements])]


class SmallAndLarge(WindowAssigner):
    """Each element is in a window of 5 s, the even ones also in one of 20 s, every seventh in none."""

    def assign_windows(self, element, timestamp, context):
        if element[1] % 7 == 1:
            return []
        windows = [TimeWindow(timestamp // 5000 * 5000, timestamp // 5000 * 5000 + 5000)]
        if element[1] % 2 == 0:
            windows.append(TimeWindow(timestamp // 20000 * 20000, timestamp // 20000 * 20000 + 20000))
        return windows

    def get_default_trigger(self, env):
        return EventTimeTrigger.create()

    def get_window_serializer(self):
        return TimeWindowSerializer()

    def is_event_time(self):
        return True


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

show(keyed.window(SmallAndLarge()).process(Seconds()))
show(keyed.window(SmallAndLarge()).reduce(lambda x, y: (x[0], x[1] + y[1])))
show(keyed.window(SmallAndLarge()).trigger(PurgingTrigger.of(CountTrigger.of(2))).process(Seconds()))
