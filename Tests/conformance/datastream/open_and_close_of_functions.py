from pyflink.common import Types
from pyflink.datastream import MapFunction, RuntimeContext, StreamExecutionEnvironment


class Life(MapFunction):
    def __init__(self):
        self.steps = ["made"]

    def open(self, runtime_context: RuntimeContext):
        self.steps.append("open")

    def map(self, value):
        self.steps.append(str(value))
        return " ".join(self.steps)

    def close(self):
        self.steps.append("close")


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
with env.from_collection([1, 2], Types.INT()).map(Life(), Types.STRING()).execute_and_collect() as results:
    print(list(results))
