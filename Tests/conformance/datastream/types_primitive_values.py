import decimal

from pyflink.common import Row, Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
fields = [
    Types.STRING(),
    Types.BYTE(),
    Types.BOOLEAN(),
    Types.SHORT(),
    Types.INT(),
    Types.LONG(),
    Types.FLOAT(),
    Types.DOUBLE(),
    Types.CHAR(),
    Types.BIG_INT(),
    Types.BIG_DEC(),
]
values = [
    Row("text", 1, True, 300, 70000, 5_000_000_000, 1.5, 2.25, "c", 10**15, decimal.Decimal("12.50")),
    Row("", -128, False, -32768, -2147483648, -(2**63), -0.5, 1e300, "z", -7, decimal.Decimal("-0.001")),
]
stream = env.from_collection(values).map(lambda row: row, Types.ROW(fields))
with stream.map(lambda row: [(type(value).__name__, value) for value in row]).execute_and_collect() as results:
    for row in results:
        print(row)
