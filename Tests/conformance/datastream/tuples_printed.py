from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
values = [("a", 1, 1.5, True), ("b c", -2, 0.1, False)]
env.from_collection(values, Types.TUPLE([Types.STRING(), Types.INT(), Types.DOUBLE(), Types.BOOLEAN()])).print("typed")
env.execute()
env.from_collection(values).print("untyped")
env.execute()
