# needs: state ttl
from pyflink.common import Time, Types
from pyflink.datastream import KeyedProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.state import ListStateDescriptor, MapStateDescriptor, StateTtlConfig, ValueStateDescriptor


class Remember(KeyedProcessFunction):
    def __init__(self, length):
        self.length = length

    def open(self, runtime_context):
        config = StateTtlConfig.new_builder(self.length).update_ttl_on_create_and_write().never_return_expired().build()
        descriptors = ValueStateDescriptor("v", Types.INT()), ListStateDescriptor("l", Types.INT()), MapStateDescriptor("m", Types.STRING(), Types.INT())
        for descriptor in descriptors:
            descriptor.enable_time_to_live(config)
        self.value = runtime_context.get_state(descriptors[0])
        self.list = runtime_context.get_list_state(descriptors[1])
        self.map = runtime_context.get_map_state(descriptors[2])

    def process_element(self, value, ctx):
        yield f"{value}: {self.value.value()} {list(self.list.get() or [])} {sorted(self.map.items() or [])}"
        self.value.update(value[1])
        self.list.add(value[1])
        self.map.put(str(value[1]), value[1])


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
pairs = env.from_collection([("a", 1), ("b", 2), ("a", 3), ("a", 4)], Types.TUPLE([Types.STRING(), Types.INT()]))
pairs.key_by(lambda pair: pair[0]).process(Remember(Time.hours(1)), Types.STRING()).print()
env.execute()
