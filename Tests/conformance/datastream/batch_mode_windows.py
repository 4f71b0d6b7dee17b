# In BATCH mode windows take the elements of a key in the order of their timestamps; those by processing time fire when the input ends.
from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import RuntimeExecutionMode, StreamExecutionEnvironment
from pyflink.datastream.functions import WindowFunction
from pyflink.datastream.window import TumblingEventTimeWindows, TumblingProcessingTimeWindows

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
env.set_runtime_mode(RuntimeExecutionMode.BATCH)
TYPE = Types.TUPLE([Types.STRING(), Types.INT(), Types.STRING()])
ROWS = [("b", 10, "1"), ("a", 3, "2"), ("a", 1, "3"), ("b", 20, "4"), ("a", 2, "5"), ("b", 5, "6"), ("c", 7, "7"), ("b", 9, "8")]


class Value(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1] * 100


class Elements(WindowFunction):
    def apply(self, key, window, inputs):
        yield key, [value[2] for value in inputs]


def timed():
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Value())
    return env.from_collection(ROWS, TYPE).assign_timestamps_and_watermarks(strategy)


def joined(a, b):
    return a[0], 0, a[2] + b[2]


def show(name, stream):
    with stream.execute_and_collect() as results:
        print(name, sorted(results))


def keyed():
    return timed().key_by(lambda v: v[0], Types.STRING())


show("count", keyed().count_window(2).apply(Elements()))
show("tumbling", keyed().window(TumblingEventTimeWindows.of(Time.milliseconds(1000))).reduce(joined))
show("processing time", keyed().window(TumblingProcessingTimeWindows.of(Time.days(1000))).reduce(joined))
show("all", timed().window_all(TumblingEventTimeWindows.of(Time.milliseconds(1000))).reduce(joined))
