# order: any
from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.functions import CoFlatMapFunction
from pyflink.datastream.state import ListStateDescriptor


class Pairs(CoFlatMapFunction):
    """Every value meets those of its key that came before on the other stream."""

    def open(self, runtime_context):
        self.left = runtime_context.get_list_state(ListStateDescriptor("left", Types.LONG()))
        self.right = runtime_context.get_list_state(ListStateDescriptor("right", Types.LONG()))

    def flat_map1(self, value):
        self.left.add(value[1])
        for other in self.right.get():
            yield value[0], value[1], other

    def flat_map2(self, value):
        self.right.add(value[1])
        return [(value[0], other, value[1]) for other in self.left.get()]


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(2)
pair = Types.TUPLE([Types.STRING(), Types.LONG()])
left = env.from_collection([("a", 1), ("b", 2), ("a", 3), ("c", 4)], pair)
right = env.from_collection([("a", 10), ("b", 20), ("b", 30), ("d", 40)], pair)
connected = left.connect(right).key_by(lambda v: v[0], lambda v: v[0], Types.STRING())
connected.flat_map(Pairs(), Types.TUPLE([Types.STRING(), Types.LONG(), Types.LONG()])).print()
env.execute()
