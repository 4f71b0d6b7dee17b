from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
stream = env.from_collection([[(1, "x"), (2, "y")]]).map(lambda v: v, Types.OBJECT_ARRAY(Types.TUPLE([Types.INT(), Types.STRING()])))
with stream.map(lambda v: [len(v), v[0][0] + v[1][0], v[0][1] + v[1][1]]).execute_and_collect() as results:
    print(list(results))
