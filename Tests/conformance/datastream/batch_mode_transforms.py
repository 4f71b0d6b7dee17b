from pyflink.common import Types
from pyflink.datastream import RuntimeExecutionMode, StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
env.set_runtime_mode(RuntimeExecutionMode.BATCH)
numbers = env.from_collection([3, 1, 2], Types.INT())
numbers.map(lambda n: n * 2, Types.INT()).filter(lambda n: n != 2).flat_map(lambda n: [n, -n], Types.INT()).print()
env.execute()
