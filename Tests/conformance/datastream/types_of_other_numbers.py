# order: any
"""A number that is of another class than its declared type has, and loses nothing."""

import decimal

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.state import ValueStateDescriptor


class Kept(KeyedProcessFunction):
    def open(self, runtime_context):
        self.state = runtime_context.get_state(ValueStateDescriptor("kept", Types.LONG()))

    def process_element(self, value, ctx):
        self.state.update(value > 2)
        yield self.state.value() + 1


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
numbers = env.from_collection([1, 4], Types.INT())
types = [("byte", Types.BYTE()), ("short", Types.SHORT()), ("int", Types.INT()), ("long", Types.LONG()), ("float", Types.FLOAT()), ("double", Types.DOUBLE())]
for other, function in [("bool", lambda n: n > 2), ("float", lambda n: n / 1), ("decimal", lambda n: decimal.Decimal(n))]:
    for name, type_info in types:
        numbers.map(function, type_info).print(f"{other} as {name}")
numbers.map(lambda n: (n > 2, n / 1), Types.TUPLE([Types.INT(), Types.LONG()])).print("both")
numbers.key_by(lambda n: n).process(Kept(), Types.LONG()).print("state")
env.execute()
