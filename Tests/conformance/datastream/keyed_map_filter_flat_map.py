# order: any
from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
keyed = env.from_collection([("a", 1), ("b", 10), ("a", 2), ("c", 100), ("b", 20), ("a", 3)], Types.TUPLE([Types.STRING(), Types.LONG()])).key_by(
    lambda v: v[0], Types.STRING()
)
keyed.map(lambda v: v[1] * 2, Types.LONG()).print("map")
keyed.filter(lambda v: v[1] > 2).print("filter")
keyed.flat_map(lambda v: [v[0]] * 2, Types.STRING()).print("flat")
env.execute()
