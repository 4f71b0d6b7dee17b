# order: any
# needs: late data
import time

from pyflink.common import Configuration, Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import OutputTag, ProcessWindowFunction, StreamExecutionEnvironment
from pyflink.datastream.window import TumblingEventTimeWindows


class At(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1]


def slowly(value):
    # Flink makes watermarks by the clock: there is time for one between two rows.
    time.sleep(0.25)
    return value


class Describe(ProcessWindowFunction):
    def process(self, key, context, elements):
        yield key, context.window().start, sorted(element[1] for element in elements)


configuration = Configuration()
configuration.set_integer("python.fn-execution.bundle.size", 1)
env = StreamExecutionEnvironment.get_execution_environment(configuration)
env.set_parallelism(1)
env.disable_operator_chaining()
env.get_config().set_auto_watermark_interval(5)
pairs = Types.TUPLE([Types.STRING(), Types.LONG()])


def timed(values):
    stream = env.from_collection(values, pairs).map(slowly, pairs)
    return stream.assign_timestamps_and_watermarks(WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(At()))


late = OutputTag("late", Types.TUPLE([Types.STRING(), Types.LONG()]))
windows = (
    timed([("a", 10), ("a", 25), ("a", 12), ("a", 31), ("a", 24), ("a", 5), ("a", 45)])
    .key_by(lambda v: v[0], Types.STRING())
    .window(TumblingEventTimeWindows.of(Time.milliseconds(10)))
    .allowed_lateness(3)
    .side_output_late_data(late)
)
found = windows.process(Describe(), Types.PICKLED_BYTE_ARRAY())
found.print("window")
found.get_side_output(late).print("late")
env.execute()
