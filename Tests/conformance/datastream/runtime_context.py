from pyflink.common import Types
from pyflink.datastream import MapFunction, RuntimeContext, StreamExecutionEnvironment


class Ask(MapFunction):
    def open(self, runtime_context: RuntimeContext):
        self.text = "/".join(
            str(part)
            for part in (
                runtime_context.get_number_of_parallel_subtasks(),
                runtime_context.get_index_of_this_subtask(),
                runtime_context.get_attempt_number(),
            )
        )

    def map(self, value):
        return f"{value} {self.text}"


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
env.from_collection([1, 2], Types.INT()).map(Ask(), Types.STRING()).name("asker").print()
env.execute("context")
