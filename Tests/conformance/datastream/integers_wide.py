from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
numbers = env.from_collection([2**31 - 1, 2**62, -(2**63)], Types.LONG())
with numbers.map(lambda n: n // 2, Types.LONG()).execute_and_collect() as results:
    print(list(results))
with numbers.map(lambda n: n * n).execute_and_collect() as results:
    print(list(results))
