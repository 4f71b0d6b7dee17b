from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
stream = env.from_collection([([1, 2], ["a", "b"], {"k": 1, "l": 2}), ([], [], {})]).map(
    lambda v: v, Types.TUPLE([Types.PRIMITIVE_ARRAY(Types.INT()), Types.BASIC_ARRAY(Types.STRING()), Types.MAP(Types.STRING(), Types.LONG())])
)
with stream.map(lambda v: (list(v[0]), list(v[1]), sorted(v[2].items()))).execute_and_collect() as results:
    for value in results:
        print(value)
nested = env.from_collection([[("a", 1), ("b", 2)], []]).map(lambda v: v, Types.LIST(Types.TUPLE([Types.STRING(), Types.INT()])))
with nested.map(lambda v: [tuple(pair) for pair in v]).execute_and_collect() as results:
    print(list(results))
