from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.state import ValueStateDescriptor


class Changes(KeyedProcessFunction):
    """Gives a value when it differs from its key's last one; 0 clears."""

    def open(self, runtime_context: RuntimeContext):
        self.last = runtime_context.get_state(ValueStateDescriptor("last", Types.LONG()))

    def process_element(self, value, ctx: "KeyedProcessFunction.Context"):
        last = self.last.value()
        if value[1] == 0:
            self.last.clear()
            yield value[0], "cleared", last
        elif value[1] != last:
            self.last.update(value[1])
            yield value[0], "changed", last


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
values = [("a", 1), ("a", 1), ("b", 1), ("a", 2), ("a", 0), ("a", 0), ("a", 2), ("b", 1)]
stream = env.from_collection(values, Types.TUPLE([Types.STRING(), Types.LONG()]))
with stream.key_by(lambda v: v[0], Types.STRING()).process(Changes()).execute_and_collect() as results:
    for value in results:
        print(value)
