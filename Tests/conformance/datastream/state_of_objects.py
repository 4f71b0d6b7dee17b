from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.state import ValueStateDescriptor


class Keep(KeyedProcessFunction):
    def open(self, runtime_context: RuntimeContext):
        self.last = runtime_context.get_state(ValueStateDescriptor("last", Types.PICKLED_BYTE_ARRAY()))

    def process_element(self, value, ctx):
        last = self.last.value()
        self.last.update({"value": value[1], "tags": [value[0], (1, None)]})
        yield value[0], last


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
stream = env.from_collection([("a", 1), ("a", 2), ("b", 3), ("a", 4)], Types.TUPLE([Types.STRING(), Types.LONG()]))
with stream.key_by(lambda v: v[0], Types.STRING()).process(Keep()).execute_and_collect() as results:
    for value in results:
        print(value)
