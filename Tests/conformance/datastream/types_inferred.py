from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
numbers = env.from_collection([1, 2], Types.INT())
print(numbers.get_type())
print(numbers.map(lambda n: n).get_type())
print(numbers.map(lambda n: n, Types.LONG()).get_type())
print(numbers.filter(lambda n: True).get_type())
print(numbers.flat_map(lambda n: [n]).get_type())
print(env.from_collection([1, 2]).get_type())
pairs = env.from_collection([("a", 1)], Types.TUPLE([Types.STRING(), Types.INT()]))
print(pairs.key_by(lambda p: p[0]).reduce(lambda a, b: a).get_type())
print(pairs.union(pairs).get_type())
print(pairs.rebalance().get_type())
