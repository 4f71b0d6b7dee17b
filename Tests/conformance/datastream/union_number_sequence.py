# order: any
# Streams of one type, whose sources differ in whether they can give nulls.
from pyflink.common import Row, Types, WatermarkStrategy
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.number_seq import NumberSequenceSource

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
numbers = env.from_source(NumberSequenceSource(1, 6), WatermarkStrategy.no_watermarks(), "numbers", Types.LONG())
others = env.from_collection([10, 20, 30], Types.LONG())
both = numbers.union(others)
both.print()
both.key_by(lambda n: n % 2, Types.LONG()).reduce(lambda one, other: one + other).filter(lambda n: n in (9, 72)).print()
env.execute()

inner = Types.ROW_NAMED(["x", "names"], [Types.LONG(), Types.LIST(Types.STRING())])
outer = Types.ROW_NAMED(["id", "inner"], [Types.LONG(), inner])
whole = numbers.map(lambda n: Row(n, Row(n * 10, [str(n)])), outer)
holes = env.from_collection([Row(7, Row(None, [])), Row(8, Row(80, ["a", "b"])), Row(9, None)], outer)
whole.union(holes).key_by(lambda row: row[0], Types.LONG()).map(lambda row: str(row), Types.STRING()).print()
env.execute()
