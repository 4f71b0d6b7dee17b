# In BATCH mode reductions take the values of a key in the order of their timestamps.
from pyflink.common import Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import ProcessFunction, RuntimeExecutionMode, StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
env.set_runtime_mode(RuntimeExecutionMode.BATCH)
TYPE = Types.TUPLE([Types.STRING(), Types.INT(), Types.INT()])
ROWS = [("b", 10, 1), ("a", 3, 2), ("a", 1, 3), ("b", 20, 4), ("a", 2, 5), ("b", 5, 6), ("c", 7, 7), ("b", 5, 8), ("a", 3, 9)]


class Value(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1] * 1000 + value[2]


class When(ProcessFunction):
    def process_element(self, value, ctx):
        yield value, ctx.timestamp()


def keyed():
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Value())
    return env.from_collection(ROWS, TYPE).assign_timestamps_and_watermarks(strategy).key_by(lambda v: v[0], Types.STRING())


def show(name, stream):
    with stream.execute_and_collect() as results:
        print(name, sorted(results))


for name in ("sum", "min", "max_by"):
    show(name, getattr(keyed(), name)(1))
show("reduce", keyed().reduce(lambda a, b: (a[0], a[1] * 10 + b[1], b[2])))
show("timestamps", keyed().reduce(lambda a, b: b).process(When()))
show("twice", keyed().sum(1).key_by(lambda v: v[1] % 2, Types.INT()).reduce(lambda a, b: ("+", a[1] + b[1], 0)))
