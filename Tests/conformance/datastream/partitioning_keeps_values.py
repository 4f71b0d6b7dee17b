# order: exact
from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(2)
numbers = env.from_collection(list(range(20)), Types.INT())
for name in ("rebalance", "shuffle", "rescale"):
    stream = getattr(numbers, name)().map(lambda n: n * 3, Types.INT())
    with stream.execute_and_collect() as results:
        print(name, sorted(results))
with numbers.map(lambda n: n + 1, Types.INT()).forward().map(lambda n: -n, Types.INT()).execute_and_collect() as results:
    print("forward", sorted(results))
with numbers.broadcast().map(lambda n: n, Types.INT()).execute_and_collect() as results:
    print("broadcast", sorted(results))
