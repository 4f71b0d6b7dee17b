"""Requests to elsewhere, many at a time: a stream's values go through coroutines.

>>> import asyncio
>>> from millstream.common import Time
>>> from millstream.datastream import AsyncDataStream, AsyncFunction, StreamExecutionEnvironment
>>> class LookUp(AsyncFunction):
...     async def async_invoke(self, value):
...         await asyncio.sleep(0.01)  # instead of a request
...         return [(value, value * value)]
>>> env = StreamExecutionEnvironment.get_execution_environment()
>>> squares = AsyncDataStream.ordered_wait(env.from_collection([1, 2, 3]), LookUp(), Time.seconds(5))
>>> list(squares.execute_and_collect())
[(1, 1), (2, 4), (3, 9)]
"""

from __future__ import annotations

import inspect
from typing import Any

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.time import Duration, Time
from millstream.common.typeinfo import TypeInformation, type_of
from millstream.datastream.async_functions import AsyncFunction, AsyncFunctionDescriptor, AsyncRetryStrategy
from millstream.datastream.async_retry_strategies import NO_RETRY_STRATEGY
from millstream.datastream.data_stream import DataStream
from millstream.datastream.function_adapter import checked_function
from millstream.datastream.transformation import JobBuilder, Transformation
from millstream.exceptions import PlanError

__all__ = ["AsyncDataStream"]

_Mode = AsyncFunctionDescriptor.OutputMode


class AsyncDataStream:
    """Applies an :class:`AsyncFunction` to a stream, with many of its coroutines waiting at a time.

    All four methods: ``timeout`` is for the whole of a value's request with all its attempts, and 0 means none; ``capacity`` is how many values each
    subtask has in its hands at most, after which the stream waits; results keep the timestamp of their value. ``TypeError`` and ``ValueError`` for
    arguments that are none, ``PlanError`` for an ``async_invoke`` that is no coroutine function.

    >>> from millstream.common import Time
    >>> from millstream.datastream import AsyncFunction, StreamExecutionEnvironment
    >>> class Twice(AsyncFunction):
    ...     async def async_invoke(self, value):
    ...         return [value, value]
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> twice = AsyncDataStream.ordered_wait(env.from_collection([1, 2]), Twice(), Time.seconds(5), capacity=10)
    >>> list(twice.execute_and_collect())
    [1, 1, 2, 2]
    """

    @staticmethod
    def unordered_wait(
        data_stream: DataStream,
        async_function: AsyncFunction[Any, Any],
        timeout: Time,
        capacity: int = 100,
        output_type: TypeInformation | list[Any] | str | None = None,
    ) -> DataStream:
        """Results come as they are ready. None passes a watermark, so that event time stays true."""
        return AsyncDataStream.unordered_wait_with_retry(data_stream, async_function, timeout, NO_RETRY_STRATEGY, capacity, output_type)

    @staticmethod
    def unordered_wait_with_retry(
        data_stream: DataStream,
        async_function: AsyncFunction[Any, Any],
        timeout: Time,
        async_retry_strategy: AsyncRetryStrategy[Any],
        capacity: int = 100,
        output_type: TypeInformation | list[Any] | str | None = None,
    ) -> DataStream:
        """As :meth:`unordered_wait`, with further attempts. A value waits for its next attempt in its place; needs a timeout."""
        descriptor = AsyncFunctionDescriptor(async_function, timeout, capacity, async_retry_strategy, _Mode.UNORDERED)
        return _wait(data_stream, descriptor, output_type, "unordered_wait")

    @staticmethod
    def ordered_wait(
        data_stream: DataStream,
        async_function: AsyncFunction[Any, Any],
        timeout: Time,
        capacity: int = 100,
        output_type: TypeInformation | list[Any] | str | None = None,
    ) -> DataStream:
        """Results come in the order of the values: one that is ready waits for those before it."""
        return AsyncDataStream.ordered_wait_with_retry(data_stream, async_function, timeout, NO_RETRY_STRATEGY, capacity, output_type)

    @staticmethod
    def ordered_wait_with_retry(
        data_stream: DataStream,
        async_function: AsyncFunction[Any, Any],
        timeout: Time,
        async_retry_strategy: AsyncRetryStrategy[Any],
        capacity: int = 100,
        output_type: TypeInformation | list[Any] | str | None = None,
    ) -> DataStream:
        """As :meth:`ordered_wait`, with further attempts; needs a timeout."""
        descriptor = AsyncFunctionDescriptor(async_function, timeout, capacity, async_retry_strategy, _Mode.ORDERED)
        return _wait(data_stream, descriptor, output_type, "ordered_wait")


def _wait(data_stream: DataStream, descriptor: AsyncFunctionDescriptor, output_type: Any, what: str) -> DataStream:
    if not isinstance(data_stream, DataStream):
        raise TypeError(f"{what} takes a DataStream, not {data_stream!r}")
    seconds = _check(descriptor, what)
    stream = data_stream._values()
    schema = stream._type_info.schema()

    def add(builder: JobBuilder, transformation: Transformation, inputs: list[_native.Input]) -> int:
        # asyncio takes its time to import: only jobs that need it do.
        from millstream.datastream.async_calls import async_calls

        make = async_calls(descriptor, seconds, builder.scope, transformation.name)
        function = _native.asynchronous(make, schema, transformation.type_info.schema(), transformation.name)
        return builder.native.asynchronous(inputs[0], function, descriptor.capacity)

    return stream._add("async wait operator", type_of(output_type, f"output_type of {what}"), add)


def _check(descriptor: AsyncFunctionDescriptor, what: str) -> float:
    """The timeout in seconds."""
    function, strategy, capacity, timeout = descriptor.async_function, descriptor.async_retry_strategy, descriptor.capacity, descriptor.timeout
    checked_function(function, AsyncFunction, "async_invoke", what)
    if not isinstance(function, AsyncFunction):
        raise TypeError(f"{what} takes an AsyncFunction, not {function!r}")
    if not inspect.iscoroutinefunction(function.async_invoke):
        raise PlanError(f"Method 'async_invoke' of class '{type(function)}' should be declared as 'async def'.")
    if isinstance(capacity, bool) or not isinstance(capacity, int):
        raise TypeError(f"{what}: capacity is a number of values, not {capacity!r}")
    if not 1 <= capacity <= 1_000_000:
        raise ValueError(f"{what}: a capacity of {capacity} values; it is 1 to 1,000,000")
    if isinstance(timeout, Duration):
        milliseconds = timeout.to_millis()
    elif isinstance(timeout, Time):
        milliseconds = timeout.to_milliseconds()
    else:
        raise TypeError(f"{what}: timeout is a Time such as Time.seconds(5), not {timeout!r}")
    if strategy is None:
        raise PlanError("Async retry strategy should not be None.")
    if not isinstance(strategy, AsyncRetryStrategy):
        raise TypeError(f"{what}: an AsyncRetryStrategy is needed, not {strategy!r}")
    if strategy.get_retry_predicate() is None:
        raise PlanError(f"Retry predicate of the async retry strategy '{type(strategy)}' is None.")
    if strategy is not NO_RETRY_STRATEGY and milliseconds <= 0:
        raise PlanError("Timeout should be configured when do async with retry.")
    return max(0, milliseconds) / 1_000


guard(globals())
