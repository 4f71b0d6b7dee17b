from pyflink.common import Row, Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)


def show(values, type_info):
    env.from_collection(values).map(lambda v: v, type_info).print()
    env.execute()


show([True, False], Types.BOOLEAN())
show([1, -1], Types.BYTE())
show([1.0, 1.5, 1e10, 0.1, -0.0, 1e-7, 100.0], Types.DOUBLE())
show([1.5, 0.25], Types.FLOAT())
show(["x", "", "\u00e9\U0001f600"], Types.STRING())
show([Row(1, None, "a")], Types.ROW([Types.INT(), Types.INT(), Types.STRING()]))
show([["a", "b"], []], Types.LIST(Types.STRING()))
show([{"k": 1}], Types.MAP(Types.STRING(), Types.INT()))
