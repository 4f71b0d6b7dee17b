# order: any
from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream import OutputTag
from pyflink.datastream.functions import ProcessWindowFunction
from pyflink.datastream.window import CountTrigger, TumblingEventTimeWindows


class Second(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1] * 1000


large = OutputTag("large", Types.STRING())


class Split(ProcessWindowFunction):
    def process(self, key, context, elements):
        values = [value[1] for value in elements]
        if sum(values) > 10:
            yield large, f"{key} {context.window().start}: {sum(values)}"
        yield key, len(values)


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
elements = [("a", 1), ("a", 2), ("b", 3), ("a", 4), ("b", 6), ("a", 8), ("a", 9), ("b", 15), ("a", 21), ("a", 22)]
stream = env.from_collection(elements, Types.TUPLE([Types.STRING(), Types.LONG()])).assign_timestamps_and_watermarks(
    WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Second())
)
keyed = stream.key_by(lambda value: value[0], Types.STRING())

result = keyed.window(TumblingEventTimeWindows.of(Time.seconds(10))).trigger(CountTrigger.of(2)).process(Split())
result.print()
result.get_side_output(large).print()
env.execute()
