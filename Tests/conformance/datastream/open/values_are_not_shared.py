# Differs: Python objects are passed by reference here, so a function that changes one changes the collection; Flink hands out copies.
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)


def change(value):
    value.append("x")
    return value


source = env.from_collection([[1], [2]])
changed = source.map(change)
with changed.execute_and_collect() as results:
    print(list(results))
with source.execute_and_collect() as results:
    print(list(results))
