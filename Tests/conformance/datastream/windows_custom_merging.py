# order: any
from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.functions import ProcessWindowFunction
from pyflink.datastream.window import EventTimeTrigger, MergingWindowAssigner, TimeWindow, TimeWindowSerializer


class Second(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1] * 1000


class Seconds(ProcessWindowFunction):
    def process(self, key, context, elements):
        window = context.window()
        return [(key, window.start, window.end, [value[1] for value in elements])]


class Chains(MergingWindowAssigner):
    """Windows of 2 s that merge while they are less than 4 s apart, but never over a multiple of 10 s."""

    def assign_windows(self, element, timestamp, context):
        return [TimeWindow(timestamp, timestamp + 2000)]

    def merge_windows(self, windows, callback):
        groups = []
        for window in sorted(windows, key=lambda window: window.start):
            last = groups[-1][-1] if groups else None
            if last is not None and window.start < last.end + 2000 and window.start // 10000 == last.start // 10000:
                groups[-1].append(window)
            else:
                groups.append([window])
        for group in groups:
            if len(group) > 1:
                callback.merge(group, TimeWindow(group[0].start, max(window.end for window in group)))

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

show(keyed.window(Chains()).process(Seconds()))
show(keyed.window(Chains()).reduce(lambda x, y: (x[0], x[1] + y[1])))
