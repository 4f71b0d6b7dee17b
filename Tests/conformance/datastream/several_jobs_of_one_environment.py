from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
for turn in range(3):
    env.from_collection([turn, turn + 1], Types.INT()).print(f"job{turn}")
    result = env.execute(f"job {turn}")
    print(type(result).__name__)
