from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment, WindowFunction


class Sum(WindowFunction):
    def apply(self, key, window, inputs):
        yield key, sum(value[1] for value in inputs)


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
stream = env.from_collection(
    [("a", 1), ("b", 10), ("a", 2), ("a", 3), ("b", 20), ("a", 4), ("a", 5), ("c", 9)], Types.TUPLE([Types.STRING(), Types.LONG()])
)
keyed = stream.key_by(lambda v: v[0], Types.STRING())
with keyed.count_window(3).apply(Sum()).execute_and_collect() as results:
    for value in results:
        print(value)
