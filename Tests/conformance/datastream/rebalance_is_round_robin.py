# order: exact
from pyflink.common import Types
from pyflink.datastream import MapFunction, RuntimeContext, StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(3)


class Where(MapFunction):
    def open(self, runtime_context: RuntimeContext):
        self.index = runtime_context.get_index_of_this_subtask()

    def map(self, value):
        return self.index


with env.from_collection(list(range(12)), Types.INT()).rebalance().map(Where()).execute_and_collect() as results:
    found = list(results)
print([found.count(index) for index in range(3)])
