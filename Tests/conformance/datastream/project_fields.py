from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
rows = env.from_collection([("a", 1, 1.5), ("b", 2, 2.5)], Types.TUPLE([Types.STRING(), Types.INT(), Types.DOUBLE()]))
rows.project(2, 0).print()
env.execute()
with rows.project(1).execute_and_collect() as results:
    print(list(results))
