from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.state import ReducingStateDescriptor


class Total(KeyedProcessFunction):
    def open(self, runtime_context: RuntimeContext):
        self.total = runtime_context.get_reducing_state(ReducingStateDescriptor("total", lambda a, b: a + b, Types.LONG()))

    def process_element(self, value, ctx):
        before = self.total.get()
        self.total.add(value[1])
        yield value[0], before, self.total.get()
        if self.total.get() > 5:
            self.total.clear()


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
values = [("a", 1), ("a", 2), ("b", 5), ("a", 3), ("a", 4), ("b", 5)]
stream = env.from_collection(values, Types.TUPLE([Types.STRING(), Types.LONG()]))
with stream.key_by(lambda v: v[0], Types.STRING()).process(Total()).execute_and_collect() as results:
    for value in results:
        print(value)
