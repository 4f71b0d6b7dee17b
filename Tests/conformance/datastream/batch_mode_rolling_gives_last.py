from pyflink.common import Types
from pyflink.datastream import RuntimeExecutionMode, StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
env.set_runtime_mode(RuntimeExecutionMode.BATCH)
stream = env.from_collection([("a", 1), ("b", 10), ("a", 2), ("b", 20), ("a", 3)], Types.TUPLE([Types.STRING(), Types.INT()]))
with stream.key_by(lambda v: v[0], Types.STRING()).reduce(lambda a, b: (a[0], a[1] + b[1])).execute_and_collect() as results:
    print(sorted(results))
with stream.map(lambda v: v[1] * 2, Types.INT()).execute_and_collect() as results:
    print(sorted(results))
