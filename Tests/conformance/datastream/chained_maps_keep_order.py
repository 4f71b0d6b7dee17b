from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
stream = env.from_collection(list(range(20)), Types.INT())
for step in range(1, 6):
    stream = stream.map(lambda n, step=step: n + step, Types.INT())
with stream.execute_and_collect() as results:
    print(list(results))
