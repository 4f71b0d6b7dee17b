# order: any
from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
numbers = env.from_collection([1, 2, 3], Types.INT()).map(lambda n: n * 2, Types.INT())
numbers.filter(lambda n: n > 2).print("large")
numbers.map(lambda n: f"n{n}", Types.STRING()).print("text")
env.execute()
