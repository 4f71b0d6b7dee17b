from pyflink.common import Types
from pyflink.datastream import RuntimeExecutionMode, StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
env.set_runtime_mode(RuntimeExecutionMode.BATCH)
TYPE = Types.TUPLE([Types.STRING(), Types.INT(), Types.INT()])
ROWS = [("b", 10, 1), ("a", 3, 2), ("a", 1, 3), ("b", 20, 4), ("a", 2, 5), ("b", 5, 6), ("c", 7, 7), ("b", 5, 8), ("a", 3, 9)]


def keyed():
    return env.from_collection(ROWS, TYPE).key_by(lambda v: v[0], Types.STRING())


def show(name, stream):
    with stream.execute_and_collect() as results:
        print(name, sorted(results))


for name in ("sum", "min", "max", "min_by", "max_by"):
    show(name, getattr(keyed(), name)(1))
show("reduce", keyed().reduce(lambda a, b: (a[0], a[1] * 10 + b[1], b[2])))
show("behind", keyed().max(1).map(lambda v: v[1], Types.INT()).filter(lambda v: v > 3))
