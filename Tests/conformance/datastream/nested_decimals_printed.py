# needs: the text of lists, maps and rows with decimals
from decimal import Decimal

from pyflink.common import Row, Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)

PRICE = Types.BIG_DEC()


def show(value, type_info):
    env.from_collection([value]).map(lambda found: found, type_info).print()
    env.execute()


show([Decimal("1.50"), Decimal("-0.01")], Types.LIST(PRICE))
show({"a": Decimal("1.50")}, Types.MAP(Types.STRING(), PRICE))
show({"a": [Decimal("1.50")]}, Types.MAP(Types.STRING(), Types.LIST(PRICE)))
show(("a", [Decimal("1.50")]), Types.TUPLE([Types.STRING(), Types.LIST(PRICE)]))
show(Row(name="a", prices=[Decimal("1.50")]), Types.ROW_NAMED(["name", "prices"], [Types.STRING(), Types.LIST(PRICE)]))
show([("a", Decimal("1.50"))], Types.LIST(Types.TUPLE([Types.STRING(), PRICE])))
show([("a", 1.0, True, 1e10, 1e-5, 100)], Types.LIST(Types.TUPLE([Types.STRING(), Types.DOUBLE(), Types.BOOLEAN(), Types.DOUBLE(), Types.DOUBLE(), Types.LONG()])))
show([("a", 0.1, 0.25)], Types.LIST(Types.TUPLE([Types.STRING(), Types.FLOAT(), Types.FLOAT()])))
show(("x", ("y", ("z", 1))), Types.TUPLE([Types.STRING(), Types.TUPLE([Types.STRING(), Types.TUPLE([Types.STRING(), Types.INT()])])]))
show([Row("a", Decimal("1.50"))], Types.LIST(Types.ROW([Types.STRING(), PRICE])))
show({"a": ("b", 1)}, Types.MAP(Types.STRING(), Types.TUPLE([Types.STRING(), Types.INT()])))
show([("a", [1, 2], {"k": 2})], Types.LIST(Types.TUPLE([Types.STRING(), Types.LIST(Types.INT()), Types.MAP(Types.STRING(), Types.INT())])))
