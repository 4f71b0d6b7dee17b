# order: any
from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.functions import ProcessWindowFunction
from pyflink.datastream.window import CountTrigger, EventTimeSessionWindows, PurgingTrigger, SlidingEventTimeWindows, TumblingEventTimeWindows


class Second(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1] * 1000


class Seconds(ProcessWindowFunction):
    def process(self, key, context, elements):
        window = context.window()
        return [(key, window.start, window.end, [value[1] for value in elements])]


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

show(keyed.window(TumblingEventTimeWindows.of(Time.seconds(5))).trigger(CountTrigger.of(2)).process(Seconds()))
show(keyed.window(SlidingEventTimeWindows.of(Time.seconds(6), Time.seconds(3))).trigger(PurgingTrigger.of(CountTrigger.of(2))).process(Seconds()))
show(keyed.window(EventTimeSessionWindows.with_gap(Time.seconds(3))).trigger(CountTrigger.of(3)).process(Seconds()))
show(keyed.window(EventTimeSessionWindows.with_gap(Time.seconds(3))).trigger(PurgingTrigger.of(CountTrigger.of(2))).process(Seconds()))
