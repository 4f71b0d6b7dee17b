from pyflink.common import Row, Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
stream = env.from_collection(
    [Row("a", 5, 1.5), Row("b", 3, 2.5), Row("a", 2, 0.5), Row("a", 9, 4.0)],
    Types.ROW_NAMED(["k", "n", "x"], [Types.STRING(), Types.INT(), Types.DOUBLE()]),
)
keyed = stream.key_by(lambda row: row.k, Types.STRING())
for name, field in (("sum", "n"), ("sum", "x"), ("max", "n"), ("min_by", "x"), ("max_by", 2)):
    with getattr(keyed, name)(field).execute_and_collect() as results:
        print(name, field, list(results))
