"""Sums kept in FLOAT states are Python's: a state gives back what it was given."""

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.state import ListStateDescriptor, MapStateDescriptor, ReducingStateDescriptor, ValueStateDescriptor


class Sums(KeyedProcessFunction):
    def open(self, runtime_context):
        self.value = runtime_context.get_state(ValueStateDescriptor("value", Types.FLOAT()))
        self.list = runtime_context.get_list_state(ListStateDescriptor("list", Types.FLOAT()))
        self.map = runtime_context.get_map_state(MapStateDescriptor("map", Types.FLOAT(), Types.FLOAT()))
        self.sum = runtime_context.get_reducing_state(ReducingStateDescriptor("sum", lambda a, b: a + b, Types.FLOAT()))

    def process_element(self, value, ctx):
        self.value.update((self.value.value() or 0) + value)
        self.list.add(value)
        self.map.put(value, value / 3)
        self.sum.add(value)
        yield str((self.value.value(), list(self.list.get()), self.map.get(value), list(self.map.keys()), self.sum.get()))


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
declared = env.from_collection([110.1, 20.0, 13.1, 20.1], Types.FLOAT())
declared.key_by(lambda value: value > 0).process(Sums(), Types.STRING()).print()
env.from_collection([110.1, 20.0, 13.1, 20.1]).key_by(lambda value: value > 0).process(Sums(), Types.STRING()).print()
env.execute()
