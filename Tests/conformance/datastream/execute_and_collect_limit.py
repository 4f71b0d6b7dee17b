from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
numbers = env.from_collection([5, 6, 7, 8], Types.INT())
print(numbers.execute_and_collect(limit=2))
print(numbers.execute_and_collect("named", 3))
with numbers.execute_and_collect() as results:
    print(next(results), next(results))
    print(list(results))
print(numbers.map(lambda n: n + 1).execute_and_collect(limit=10))
