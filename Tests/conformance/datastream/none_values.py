from pyflink.common import Row, Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
typed = env.from_collection(
    [Row("a", None, 1.0), Row(None, 2, None)], Types.ROW([Types.STRING(), Types.INT(), Types.DOUBLE()])
)
typed.print()
env.execute()
with typed.map(lambda r: tuple(v is None for v in r)).execute_and_collect() as results:
    print(list(results))
untyped = env.from_collection([1, None, "x"])
with untyped.map(lambda v: v is None).execute_and_collect() as results:
    print(list(results))
