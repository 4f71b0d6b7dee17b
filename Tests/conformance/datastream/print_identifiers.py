from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
env.from_collection([1, 2], Types.INT()).print("numbers")
env.execute()
env.from_collection(["a"], Types.STRING()).print("")
env.execute()
