from pyflink.common import Types
from pyflink.datastream import MapFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.state import ValueStateDescriptor

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)


class Count(MapFunction):
    def open(self, runtime_context: RuntimeContext):
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))

    def map(self, value):
        count = (self.count.value() or 0) + 1
        self.count.update(count)
        return value[0], count


env.from_collection([("a", 1), ("b", 10), ("a", 2), ("c", 100), ("b", 20), ("a", 3)], Types.TUPLE([Types.STRING(), Types.LONG()])).key_by(
    lambda v: v[0], Types.STRING()
).map(Count(), Types.TUPLE([Types.STRING(), Types.LONG()])).print()
env.execute()
