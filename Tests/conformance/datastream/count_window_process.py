from pyflink.common import Types
from pyflink.datastream import ProcessWindowFunction, StreamExecutionEnvironment


class Describe(ProcessWindowFunction):
    def process(self, key, context, elements):
        yield key, type(context.window()).__name__, sorted(elements)


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
stream = env.from_collection(
    [("a", 1), ("b", 10), ("a", 2), ("a", 3), ("b", 20), ("a", 4), ("a", 5), ("c", 9)], Types.TUPLE([Types.STRING(), Types.LONG()])
)
keyed = stream.key_by(lambda v: v[0], Types.STRING())
with keyed.count_window(2).process(Describe()).execute_and_collect() as results:
    for value in results:
        print(value)
