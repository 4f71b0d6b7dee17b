import asyncio

from pyflink.common import Time, Types
from pyflink.datastream import AsyncDataStream, AsyncFunction, StreamExecutionEnvironment
from pyflink.datastream.async_retry_predicates import has_exception_predicate
from pyflink.datastream.async_retry_strategies import FixedDelayRetryStrategy


class Slow(AsyncFunction):
    async def async_invoke(self, value):
        if value % 2 == 1:
            await asyncio.sleep(3)
            raise ValueError("behind the timeout")
        return [(value, "in time")]

    def timeout(self, value):
        return [(value, "late"), (value, "again")]


class Failing(Slow):
    async def async_invoke(self, value):
        raise ValueError("always")


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
numbers = env.from_collection(list(range(6)), Types.INT())
pair = Types.TUPLE([Types.INT(), Types.STRING()])
with AsyncDataStream.ordered_wait(numbers, Slow(), Time.milliseconds(700), 10, pair).execute_and_collect() as results:
    print(list(results))
forever = FixedDelayRetryStrategy(1000, 50, None, has_exception_predicate)
with AsyncDataStream.ordered_wait_with_retry(numbers, Failing(), Time.milliseconds(500), forever, 10, pair).execute_and_collect() as results:
    print(list(results))
