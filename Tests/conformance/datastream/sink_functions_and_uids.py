from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
stream = env.from_collection(["b", "a"], Types.STRING())
sink = stream.print("sink").name("my sink").uid("sink-1").set_parallelism(1)
print(type(sink).__name__)
env.execute()
