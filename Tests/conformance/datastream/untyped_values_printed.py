from pyflink.common import Row
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
values = [1, -2.5, "text", True, None, (1, "a"), [1, [2, None]], {"k": (1,)}, {3}, 2**70, Row(1, "x"), Row(a=1, b="y"), 1e20, complex(1, 2)]
env.from_collection(values).map(lambda v: v).filter(lambda v: v is not None).print()
env.execute()
with env.from_collection(values).map(lambda v: (type(v).__name__, v)).execute_and_collect() as results:
    for value in results:
        print(value)
