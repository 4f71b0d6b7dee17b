from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
stream = env.from_collection([("a", 1), ("b", 10), ("a", 2), ("c", 100), ("b", 20), ("a", 3)], Types.TUPLE([Types.STRING(), Types.LONG()]))
stream.key_by(lambda v: 1, Types.INT()).reduce(lambda a, b: (a[0] + b[0], a[1] + b[1])).print()
env.execute()
