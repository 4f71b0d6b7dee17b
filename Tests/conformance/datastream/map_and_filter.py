from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
numbers = env.from_collection([1, 2, 3, 4, 5, 6])
numbers.map(lambda n: n * n).filter(lambda n: n % 2 == 0).print()
env.execute("squares")
numbers = env.from_collection([1, 2, 3], Types.INT())
numbers.map(lambda n: f"<{n}>", Types.STRING()).print()
env.execute("texts")
print("end")
