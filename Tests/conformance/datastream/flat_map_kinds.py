from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
lines = env.from_collection(["to be or not", "to be", ""])
lines.flat_map(lambda line: line.split(), Types.STRING()).print()
env.execute("list")


def letters(line):
    for letter in line:
        if letter != " ":
            yield letter.upper(), 1


lines.flat_map(letters, Types.TUPLE([Types.STRING(), Types.INT()])).print()
env.execute("generator")
