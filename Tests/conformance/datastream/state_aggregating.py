from pyflink.common import Types
from pyflink.datastream import AggregateFunction, KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.state import AggregatingStateDescriptor


class Mean(AggregateFunction):
    def create_accumulator(self):
        return 0, 0

    def add(self, value, accumulator):
        return accumulator[0] + value, accumulator[1] + 1

    def get_result(self, accumulator):
        return accumulator[0] / accumulator[1] if accumulator[1] else None

    def merge(self, a, b):
        return a[0] + b[0], a[1] + b[1]


class Means(KeyedProcessFunction):
    def open(self, runtime_context: RuntimeContext):
        descriptor = AggregatingStateDescriptor("mean", Mean(), Types.TUPLE([Types.LONG(), Types.LONG()]))
        self.mean = runtime_context.get_aggregating_state(descriptor)

    def process_element(self, value, ctx):
        self.mean.add(value[1])
        yield value[0], self.mean.get()


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
values = [("a", 1), ("a", 2), ("b", 5), ("a", 6), ("b", 8)]
stream = env.from_collection(values, Types.TUPLE([Types.STRING(), Types.LONG()]))
with stream.key_by(lambda v: v[0], Types.STRING()).process(Means()).execute_and_collect() as results:
    for value in results:
        print(value)
