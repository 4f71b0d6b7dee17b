import asyncio
from functools import partial

from pyflink.common import Time, Types
from pyflink.datastream import AsyncDataStream, AsyncFunction, AsyncRetryStrategy, StreamExecutionEnvironment
from pyflink.datastream.async_retry_predicates import empty_result_predicate, exception_type_predicate, has_exception_predicate
from pyflink.datastream.async_retry_strategies import ExponentialBackoffDelayRetryStrategy, FixedDelayRetryStrategy


class Flaky(AsyncFunction):
    def __init__(self, error):
        self.error = error
        self.attempts = {}

    async def async_invoke(self, value):
        attempts = self.attempts[value] = self.attempts.get(value, 0) + 1
        await asyncio.sleep(0)
        if attempts > value % 3:
            return [(value, attempts)]
        if self.error is None:
            return []
        raise self.error


def run(what, error, strategy):
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    numbers = env.from_collection(list(range(6)), Types.INT())
    pairs = AsyncDataStream.ordered_wait_with_retry(numbers, Flaky(error), Time.seconds(30), strategy)
    try:
        with pairs.execute_and_collect() as results:
            print(what, list(results))
    except Exception:
        print(what, "failed")


run("empty", None, FixedDelayRetryStrategy(5, 10, empty_result_predicate, None))
run("empty, one more attempt", None, FixedDelayRetryStrategy(1, 10, empty_result_predicate, None))
run("not asked for", None, FixedDelayRetryStrategy(5, 10, None, has_exception_predicate))
run("exceptions", OSError("not now"), AsyncRetryStrategy.fixed_delay(5, 10, None, has_exception_predicate))
run("of this type", OSError("not now"), ExponentialBackoffDelayRetryStrategy(
    5, 5, 20, 2.0, None, partial(exception_type_predicate, expected_error_type=OSError)))
