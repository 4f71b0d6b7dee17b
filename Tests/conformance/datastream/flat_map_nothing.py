from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
numbers = env.from_collection([1, 2, 3, 4], Types.INT())


def even(n):
    if n % 2 == 0:
        yield n


numbers.flat_map(even, Types.INT()).print()
env.execute()
numbers.flat_map(lambda n: [], Types.INT()).print()
env.execute()
print("end")
