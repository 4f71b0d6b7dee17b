# order: any
from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.functions import CoMapFunction


class Describe(CoMapFunction):
    def map1(self, value):
        return None if value == 2 else f"number {value}"

    def map2(self, value):
        return f"text {value[0]} {value[1]}"


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
numbers = env.from_collection([1, 2, 3], Types.LONG())
texts = env.from_collection([("a", 1.5), ("b", 2.5)], Types.TUPLE([Types.STRING(), Types.DOUBLE()]))
numbers.connect(texts).map(Describe(), Types.STRING()).print()
env.execute()
