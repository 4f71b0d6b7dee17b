import asyncio

from pyflink.common import Time, Types
from pyflink.datastream import AsyncDataStream, AsyncFunction, StreamExecutionEnvironment


class LookUp(AsyncFunction):
    def open(self, runtime_context):
        self.subtasks = runtime_context.get_number_of_parallel_subtasks()

    async def async_invoke(self, value):
        await asyncio.sleep((7 - value) % 5 * 0.01)
        return [f"{value}/{place} of {self.subtasks}" for place in range(value % 3)]


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
numbers = env.from_collection(list(range(20)), Types.INT())
AsyncDataStream.ordered_wait(numbers, LookUp(), Time.seconds(30), 4, Types.STRING()).print()
env.execute()
