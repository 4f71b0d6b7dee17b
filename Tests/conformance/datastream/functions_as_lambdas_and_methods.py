from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
class Tool:
    factor = 3

    def times(self, value):
        return value * self.factor

    @staticmethod
    def minus(value):
        return -value


def outer(step):
    def inner(value):
        return value + step

    return inner


numbers = env.from_collection([1, 2, 3], Types.LONG())
numbers.map(Tool().times, Types.LONG()).map(Tool.minus, Types.LONG()).map(outer(5), Types.LONG()).print()
env.execute()
