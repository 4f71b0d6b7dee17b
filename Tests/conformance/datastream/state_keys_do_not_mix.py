from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.state import ValueStateDescriptor


class Sum(KeyedProcessFunction):
    def open(self, runtime_context: RuntimeContext):
        self.sum = runtime_context.get_state(ValueStateDescriptor("sum", Types.LONG()))

    def process_element(self, value, ctx):
        self.sum.update((self.sum.value() or 0) + value)
        yield ctx.get_current_key(), self.sum.value()


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(4)
stream = env.from_collection(list(range(1, 201)), Types.LONG())
with stream.key_by(lambda v: v % 17, Types.LONG()).process(Sum()).execute_and_collect() as results:
    last = {}
    for key, total in results:
        last[key] = max(total, last.get(key, 0))
print(sorted(last.items()))
