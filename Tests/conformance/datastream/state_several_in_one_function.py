from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.state import ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor


class Everything(KeyedProcessFunction):
    def open(self, runtime_context: RuntimeContext):
        self.first = runtime_context.get_state(ValueStateDescriptor("first", Types.STRING()))
        self.all = runtime_context.get_list_state(ListStateDescriptor("all", Types.STRING()))
        self.seen = runtime_context.get_map_state(MapStateDescriptor("seen", Types.STRING(), Types.BOOLEAN()))

    def process_element(self, value, ctx):
        if self.first.value() is None:
            self.first.update(value[1])
        self.all.add(value[1])
        is_new = not self.seen.contains(value[1])
        self.seen.put(value[1], True)
        yield value[0], self.first.value(), list(self.all.get()), is_new, ctx.get_current_key()


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
values = [("a", "x"), ("b", "y"), ("a", "x"), ("a", "z"), ("b", "z")]
stream = env.from_collection(values, Types.TUPLE([Types.STRING(), Types.STRING()]))
with stream.key_by(lambda v: v[0], Types.STRING()).process(Everything()).execute_and_collect() as results:
    for value in results:
        print(value)
