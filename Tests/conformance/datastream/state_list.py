from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.state import ListStateDescriptor


class Buffer(KeyedProcessFunction):
    """Gives three values at a time."""

    def open(self, runtime_context: RuntimeContext):
        self.values = runtime_context.get_list_state(ListStateDescriptor("values", Types.LONG()))

    def process_element(self, value, ctx):
        if value[1] < 0:
            self.values.update([100, 200])
            return
        self.values.add(value[1])
        found = list(self.values.get())
        if len(found) >= 3:
            yield value[0], found
            self.values.clear()
            self.values.add_all([])
            yield value[0], list(self.values.get())


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
values = [("a", 1), ("b", 5), ("a", 2), ("a", 3), ("b", -1), ("b", 6), ("a", 4), ("a", 5), ("a", 6)]
stream = env.from_collection(values, Types.TUPLE([Types.STRING(), Types.LONG()]))
with stream.key_by(lambda v: v[0], Types.STRING()).process(Buffer()).execute_and_collect() as results:
    for value in results:
        print(value)
