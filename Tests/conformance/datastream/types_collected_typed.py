from pyflink.common import Row, Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
fields = [Types.STRING(), Types.BYTE(), Types.BOOLEAN(), Types.SHORT(), Types.INT(), Types.LONG(), Types.FLOAT(), Types.DOUBLE()]
values = [Row("text", 1, True, 300, 70000, 5_000_000_000, 1.5, 2.25), Row("", -128, False, -32768, -2147483648, -(2**63), -0.5, 1e300)]
with env.from_collection(values, Types.ROW(fields)).execute_and_collect() as results:
    for row in results:
        print(type(row).__name__, [(type(value).__name__, value) for value in row])
for field, column in zip(fields, zip(*values)):
    with env.from_collection(list(column), field).map(lambda v: v, field).execute_and_collect() as results:
        print(list(results))
