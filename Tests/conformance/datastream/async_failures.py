import asyncio

from pyflink.common import Time, Types
from pyflink.datastream import AsyncDataStream, AsyncFunction, StreamExecutionEnvironment
from pyflink.datastream.async_retry_strategies import NO_RETRY_STRATEGY, FixedDelayRetryStrategy


class Body(AsyncFunction):
    def __init__(self, what):
        self.what = what

    async def async_invoke(self, value):
        await asyncio.sleep(0.01)
        if self.what == "raises":
            raise ValueError("on purpose")
        if self.what == "hangs":
            await asyncio.sleep(2)
        return {"none": None, "number": 5, "tuple": (value, value), "text": "ab"}.get(self.what, [])


class NotAsync(AsyncFunction):
    def async_invoke(self, value):
        return [value]


def attempt(what, body):
    try:
        print(what, body())
    except Exception:
        print(what, "failed")


def run(function, timeout=30_000, strategy=NO_RETRY_STRATEGY):
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    numbers = env.from_collection([1, 2], Types.INT())
    with AsyncDataStream.ordered_wait_with_retry(numbers, function, Time.milliseconds(timeout), strategy).execute_and_collect() as results:
        return list(results)


for what in ("raises", "none", "number", "tuple", "text", "empty"):
    attempt(what, lambda what=what: run(Body(what)))
attempt("hangs", lambda: run(Body("hangs"), 500))
attempt("not async", lambda: run(NotAsync()))
attempt("no strategy", lambda: run(Body("empty"), strategy=None))
attempt("no timeout with attempts", lambda: run(Body("empty"), 0, FixedDelayRetryStrategy(1, 1, None, None)))
attempt("no attempts", lambda: FixedDelayRetryStrategy(0, 1, None, None))
