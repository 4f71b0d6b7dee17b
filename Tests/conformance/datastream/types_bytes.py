from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
stream = env.from_collection([b"abc", b"", bytes(range(4))]).map(lambda v: v + b"!", Types.PRIMITIVE_ARRAY(Types.BYTE()))
with stream.map(lambda v: (type(v).__name__, v)).execute_and_collect() as results:
    for value in results:
        print(value)
