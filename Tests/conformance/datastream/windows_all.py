# order: any
from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.functions import AggregateFunction, AllWindowFunction, ProcessAllWindowFunction
from pyflink.datastream.state import ValueStateDescriptor
from pyflink.datastream.window import CountTrigger, EventTimeSessionWindows, GlobalWindows, PurgingTrigger, TumblingEventTimeWindows


class Second(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1] * 1000


class Average(AggregateFunction):
    def create_accumulator(self):
        return 0, 0

    def add(self, value, accumulator):
        return accumulator[0] + value[1], accumulator[1] + 1

    def get_result(self, accumulator):
        return accumulator[0] / accumulator[1]

    def merge(self, a, b):
        return a[0] + b[0], a[1] + b[1]


class Elements(ProcessAllWindowFunction):
    def process(self, context, elements):
        count = context.global_state().get_state(ValueStateDescriptor("count", Types.LONG()))
        count.update((count.value() or 0) + 1)
        yield context.window().start, count.value(), [value[0] for value in elements]


class Started(AllWindowFunction):
    def apply(self, window, inputs):
        yield from ((window.start, value) for value in inputs)


class Count(AllWindowFunction):
    def apply(self, window, inputs):
        yield [value[1] for value in inputs]


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

show(stream.window_all(TumblingEventTimeWindows.of(Time.seconds(10))).process(Elements()))
show(stream.window_all(EventTimeSessionWindows.with_gap(Time.seconds(2))).apply(Started()))
show(stream.window_all(TumblingEventTimeWindows.of(Time.seconds(10))).aggregate(Average(), Started()))
show(stream.window_all(TumblingEventTimeWindows.of(Time.seconds(10))).reduce(lambda x, y: (x[0] + y[0], x[1] + y[1])))
show(stream.window_all(GlobalWindows.create()).trigger(PurgingTrigger.of(CountTrigger.of(4))).apply(Count()))
