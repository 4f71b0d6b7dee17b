from pyflink.common import Time, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.window import TumblingProcessingTimeWindows

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
stream = env.from_collection(
    [("a", 1), ("b", 10), ("a", 2), ("a", 3), ("b", 20), ("a", 4), ("a", 5), ("c", 9)], Types.TUPLE([Types.STRING(), Types.LONG()])
)
keyed = stream.key_by(lambda v: v[0], Types.STRING())
with keyed.window(TumblingProcessingTimeWindows.of(Time.hours(1))).reduce(lambda a, b: (a[0], a[1] + b[1])).execute_and_collect() as results:
    for value in results:
        print(value)
print("end")
