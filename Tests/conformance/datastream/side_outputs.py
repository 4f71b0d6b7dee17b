# order: any
from pyflink.common import Types
from pyflink.datastream import OutputTag, ProcessFunction, StreamExecutionEnvironment

threes = OutputTag("threes", Types.STRING())
evens = OutputTag("evens", Types.INT())


class Split(ProcessFunction):
    def process_element(self, value, ctx: "ProcessFunction.Context"):
        if value % 3 == 0:
            yield threes, f"three {value}"
        if value % 2 == 0:
            yield evens, value
        else:
            yield value


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
main = env.from_collection([1, 2, 3, 4, 6, 9], Types.INT()).process(Split(), Types.INT())
main.print("main")
main.get_side_output(threes).print("threes")
main.get_side_output(evens).map(lambda n: n * 100, Types.INT()).print("evens")
env.execute()
