from pyflink.common import Types
from pyflink.datastream import ReduceFunction, StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)


class Longest(ReduceFunction):
    def reduce(self, value1, value2):
        return value1 if len(value1) >= len(value2) else value2


words = env.from_collection(["bee", "ant", "antelope", "bear", "asp", "b"], Types.STRING())
words.key_by(lambda word: word[0], Types.STRING()).reduce(Longest()).print()
env.execute()
