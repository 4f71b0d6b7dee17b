# needs: late data
# A late element is in several windows that have fired: they fire again, the newest first.
import time

from pyflink.common import Configuration, Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import AggregateFunction, ProcessWindowFunction, StreamExecutionEnvironment
from pyflink.datastream.window import SlidingEventTimeWindows


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


class Sum(AggregateFunction):
    def create_accumulator(self):
        return 0

    def add(self, value, accumulator):
        return accumulator + value[1]

    def get_result(self, accumulator):
        return accumulator

    def merge(self, a, b):
        return a + b


configuration = Configuration()
configuration.set_integer("python.fn-execution.bundle.size", 1)
env = StreamExecutionEnvironment.get_execution_environment(configuration)
env.set_parallelism(1)
env.disable_operator_chaining()
env.get_config().set_auto_watermark_interval(5)
pairs = Types.TUPLE([Types.STRING(), Types.LONG()])


def windows():
    stream = env.from_collection([("a", 10), ("a", 25), ("a", 41), ("a", 12), ("a", 22), ("a", 60)], pairs).map(slowly, pairs)
    timed = stream.assign_timestamps_and_watermarks(WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(At()))
    sliding = timed.key_by(lambda v: v[0], Types.STRING()).window(SlidingEventTimeWindows.of(Time.milliseconds(20), Time.milliseconds(5)))
    return sliding.allowed_lateness(100)


def show(stream):
    with stream.execute_and_collect() as results:
        for value in results:
            print(value)


show(windows().process(Describe()))
show(windows().reduce(lambda one, other: (one[0], one[1] + other[1])))
show(windows().aggregate(Sum(), accumulator_type=Types.LONG(), output_type=Types.LONG()))
