from pyflink.common import Types
from pyflink.datastream import FilterFunction, FlatMapFunction, MapFunction, RuntimeContext, StreamExecutionEnvironment


class Adder(MapFunction):
    def __init__(self, by):
        self.by = by

    def open(self, runtime_context: RuntimeContext):
        self.offset = 100

    def map(self, value):
        return value + self.by + self.offset


class Odd(FilterFunction):
    def filter(self, value):
        return value % 2 == 1


class Twice(FlatMapFunction):
    def flat_map(self, value):
        yield f"{value}"
        yield f"{value}!"


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
env.from_collection([1, 2, 3], Types.INT()).map(Adder(10), Types.INT()).filter(Odd()).flat_map(Twice(), Types.STRING()).print()
env.execute("rich")
