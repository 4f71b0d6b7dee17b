# Differs: a record without a timestamp has the smallest 64-bit integer in PyFlink, and None here.
from pyflink.datastream import ProcessFunction, StreamExecutionEnvironment


class When(ProcessFunction):
    def process_element(self, value, ctx):
        yield value, ctx.timestamp()


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
with env.from_collection(["a"]).process(When()).execute_and_collect() as results:
    print(list(results))
