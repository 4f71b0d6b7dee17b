from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
stream = env.from_collection(
    [("a", 5, 1), ("b", 3, 2), ("a", 2, 3), ("a", 9, 4), ("b", 3, 5), ("b", 1, 7)], Types.TUPLE([Types.STRING(), Types.INT(), Types.INT()])
)
keyed = stream.key_by(lambda v: v[0], Types.STRING())
for name in ("sum", "min", "max", "min_by", "max_by"):
    with getattr(keyed, name)(1).execute_and_collect() as results:
        print(name, list(results))
