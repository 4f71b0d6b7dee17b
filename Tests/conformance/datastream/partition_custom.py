from pyflink.common import Types
from pyflink.datastream import MapFunction, Partitioner, RuntimeContext, StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(2)


class ByParity(Partitioner):
    def partition(self, key: int, num_partitions: int) -> int:
        return key % num_partitions


class Where(MapFunction):
    def open(self, runtime_context: RuntimeContext):
        self.index = runtime_context.get_index_of_this_subtask()

    def map(self, value):
        return self.index, value


numbers = env.from_collection(list(range(10)), Types.INT())
numbers.partition_custom(ByParity(), lambda n: n).map(Where()).print()
env.execute()
numbers.partition_custom(lambda key, count: (key // 5) % count, lambda n: n).map(Where()).print()
env.execute()
