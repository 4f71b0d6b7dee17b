# order: any
from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
one = env.from_collection([1, 2, 3], Types.INT())
two = env.from_collection([10, 20], Types.INT())
three = env.from_collection([100], Types.INT())
one.union(two, three).map(lambda n: n + 1, Types.INT()).print()
env.execute()
one.union(one).print()
env.execute()
