from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, RuntimeExecutionMode, StreamExecutionEnvironment
from pyflink.datastream.state import ValueStateDescriptor

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)


class Count(KeyedProcessFunction):
    def open(self, runtime_context: RuntimeContext):
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))

    def process_element(self, value, ctx):
        self.count.update((self.count.value() or 0) + 1)
        yield value[0], self.count.value(), ctx.timer_service().current_watermark() == -(2**63)


env.set_runtime_mode(RuntimeExecutionMode.BATCH)
stream = env.from_collection([("a", 1), ("b", 10), ("a", 2), ("b", 20), ("a", 3)], Types.TUPLE([Types.STRING(), Types.INT()]))
with stream.key_by(lambda v: v[0], Types.STRING()).process(Count()).execute_and_collect() as results:
    print(sorted(results))
