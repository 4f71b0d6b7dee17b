from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
nested = Types.TUPLE([Types.STRING(), Types.TUPLE([Types.STRING(), Types.INT()])])
env.from_collection([("a", ("b", 1))]).map(lambda v: v, nested).print()
env.execute()
