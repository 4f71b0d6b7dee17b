from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
env.from_collection([0], Types.INT()).map(lambda n: 1 // n, Types.INT()).print()
try:
    env.execute()
except Exception as error:
    print("failed", "ZeroDivisionError" in str(error) or isinstance(error, ZeroDivisionError))
try:
    env.from_collection([1], Types.INT()).map(5)
except Exception as error:
    print(type(error).__name__)
try:
    env.set_parallelism(0)
except Exception:
    print("refused")
