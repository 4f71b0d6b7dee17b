"""What users write for asynchronous requests: functions that are coroutines, and when to try again.

``millstream.datastream.functions`` exports them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from millstream.datastream.functions import Function

if TYPE_CHECKING:
    from millstream.common.time import Time

__all__ = ["AsyncFunction", "AsyncFunctionDescriptor", "AsyncRetryPredicate", "AsyncRetryStrategy"]

IN = TypeVar("IN")
OUT = TypeVar("OUT")


class AsyncFunction(Function, Generic[IN, OUT]):
    """A function that waits for something else, such as an answer from another server, while others of its kind wait beside it.

    All coroutines of a process run on one ``asyncio`` event loop in a thread of its own. ``open`` and ``close`` may be coroutines as well, which then
    run on that loop: the place to make and close a client that belongs to a loop. (Millstream's own; PyFlink's are plain methods.)

    >>> import asyncio
    >>> class Ask(AsyncFunction):
    ...     async def async_invoke(self, value):
    ...         await asyncio.sleep(0.001)
    ...         return [value + 1]
    ...     def timeout(self, value):
    ...         return [None]
    >>> asyncio.run(Ask().async_invoke(41))
    [42]
    """

    @abstractmethod
    async def async_invoke(self, value: IN) -> list[OUT]:
        """The results for a value: a list or another iterable, which may be empty. An exception fails the job, unless it is retried."""

    def timeout(self, value: IN) -> list[OUT]:
        """The results for a value whose request took too long; its coroutine is cancelled. Runs on the event loop: it must not wait.

        By default raises ``TimeoutError``, which fails the job.
        """
        raise TimeoutError("Async function call has timed out for input: " + str(value))


class AsyncRetryPredicate(ABC, Generic[OUT]):
    """What of an attempt calls for another one. Either may be None: never.

    >>> predicate = AsyncRetryStrategy.fixed_delay(3, 10, None, lambda error: True).get_retry_predicate()
    >>> predicate.exception_predicate()(ValueError())
    True
    """

    @abstractmethod
    def result_predicate(self) -> Callable[[list[OUT]], bool] | None:
        """Whether a result does."""

    @abstractmethod
    def exception_predicate(self) -> Callable[[Exception], bool] | None:
        """Whether an exception does."""


class AsyncRetryStrategy(ABC, Generic[OUT]):
    """When a request is tried again, and after how long. One object serves all requests of a subtask.

    >>> strategy = AsyncRetryStrategy.fixed_delay(2, 10, lambda results: not results, None)
    >>> strategy.can_retry(2), strategy.can_retry(3), strategy.get_backoff_time_millis(1)
    (True, False, 10)
    """

    @abstractmethod
    def can_retry(self, current_attempts: int) -> bool:
        """Whether another attempt may follow after so many (from 1)."""

    @abstractmethod
    def get_backoff_time_millis(self, current_attempts: int) -> int:
        """How many milliseconds lie between so many attempts and the next one."""

    @abstractmethod
    def get_retry_predicate(self) -> AsyncRetryPredicate[OUT]:
        """What calls for another attempt."""

    @staticmethod
    def no_restart() -> AsyncRetryStrategy[Any]:
        """Never again."""
        from millstream.datastream import async_retry_strategies

        return async_retry_strategies.NO_RETRY_STRATEGY

    @staticmethod
    def fixed_delay(
        max_attempts: int,
        backoff_time_millis: int,
        result_predicate: Callable[[list[Any]], bool] | None,
        exception_predicate: Callable[[Exception], bool] | None,
    ) -> AsyncRetryStrategy[Any]:
        """A :class:`~millstream.datastream.async_retry_strategies.FixedDelayRetryStrategy`."""
        from millstream.datastream.async_retry_strategies import FixedDelayRetryStrategy

        return FixedDelayRetryStrategy(max_attempts, backoff_time_millis, result_predicate, exception_predicate)

    @staticmethod
    def exponential_backoff(
        max_attempts: int,
        initial_delay: int,
        max_retry_delay: int,
        multiplier: float,
        result_predicate: Callable[[list[Any]], bool] | None,
        exception_predicate: Callable[[Exception], bool] | None,
    ) -> AsyncRetryStrategy[Any]:
        """An :class:`~millstream.datastream.async_retry_strategies.ExponentialBackoffDelayRetryStrategy`."""
        from millstream.datastream.async_retry_strategies import ExponentialBackoffDelayRetryStrategy

        return ExponentialBackoffDelayRetryStrategy(
            max_attempts, initial_delay, max_retry_delay, multiplier, result_predicate, exception_predicate
        )


class AsyncFunctionDescriptor:
    """All that an asynchronous operator is made of.

    >>> [mode.name for mode in AsyncFunctionDescriptor.OutputMode]
    ['ORDERED', 'UNORDERED']
    """

    class OutputMode(Enum):
        """The order of results."""

        ORDERED = 0
        UNORDERED = 1

    def __init__(
        self,
        async_function: AsyncFunction[Any, Any],
        timeout: Time,
        capacity: int,
        async_retry_strategy: AsyncRetryStrategy[Any],
        output_mode: AsyncFunctionDescriptor.OutputMode,
    ) -> None:
        self.async_function = async_function
        self.timeout = timeout
        self.capacity = capacity
        self.async_retry_strategy = async_retry_strategy
        self.output_mode = output_mode
