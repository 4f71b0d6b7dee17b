"""When an asynchronous request is tried again, for :meth:`AsyncDataStream.unordered_wait_with_retry` and its ordered twin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from millstream.datastream.async_functions import AsyncRetryPredicate, AsyncRetryStrategy

__all__ = ["ExponentialBackoffDelayRetryStrategy", "FixedDelayRetryStrategy", "NoRetryStrategy", "RetryPredicate"]

OUT = TypeVar("OUT")


class RetryPredicate(AsyncRetryPredicate[OUT], Generic[OUT]):
    """Two functions, of which each may be None, as a predicate. Raises ``TypeError`` for anything else.

    >>> RetryPredicate(lambda results: not results, None).result_predicate()([])
    True
    """

    def __init__(
        self, result_predicate: Callable[[list[OUT]], bool] | None, exception_predicate: Callable[[Exception], bool] | None
    ) -> None:
        for name, predicate in (("result_predicate", result_predicate), ("exception_predicate", exception_predicate)):
            if predicate is not None and not callable(predicate):
                raise TypeError(f"{name} is a function or None, not {predicate!r}")
        self._result_predicate = result_predicate
        self._exception_predicate = exception_predicate

    def result_predicate(self) -> Callable[[list[OUT]], bool] | None:
        """The first of them."""
        return self._result_predicate

    def exception_predicate(self) -> Callable[[Exception], bool] | None:
        """The second."""
        return self._exception_predicate


class NoRetryStrategy(AsyncRetryStrategy[OUT], Generic[OUT]):
    """One attempt for each value.

    >>> NoRetryStrategy().can_retry(1)
    False
    """

    def can_retry(self, current_attempts: int) -> bool:
        """False."""
        return False

    def get_backoff_time_millis(self, current_attempts: int) -> int:
        """-1."""
        return -1

    def get_retry_predicate(self) -> AsyncRetryPredicate[OUT]:
        """Nothing calls for another attempt."""
        return RetryPredicate(None, None)


class FixedDelayRetryStrategy(AsyncRetryStrategy[OUT], Generic[OUT]):
    """At most ``max_attempts`` further attempts, each ``backoff_time_millis`` milliseconds after the last.

    Raises ``ValueError`` unless both are above 0.

    >>> FixedDelayRetryStrategy(3, 100, None, None).get_backoff_time_millis(2)
    100
    """

    def __init__(
        self,
        max_attempts: int,
        backoff_time_millis: int,
        result_predicate: Callable[[list[OUT]], bool] | None,
        exception_predicate: Callable[[Exception], bool] | None,
    ) -> None:
        _require_positive(max_attempts=max_attempts, backoff_time_millis=backoff_time_millis)
        self._max_attempts = max_attempts
        self._backoff_time_millis = backoff_time_millis
        self._predicate = RetryPredicate(result_predicate, exception_predicate)

    def can_retry(self, current_attempts: int) -> bool:
        """Whether there were no more than ``max_attempts``."""
        return current_attempts <= self._max_attempts

    def get_backoff_time_millis(self, current_attempts: int) -> int:
        """Always the same."""
        return self._backoff_time_millis

    def get_retry_predicate(self) -> AsyncRetryPredicate[OUT]:
        """What it was made with."""
        return self._predicate


class ExponentialBackoffDelayRetryStrategy(AsyncRetryStrategy[OUT], Generic[OUT]):
    """At most ``max_attempts`` further attempts: the first after ``initial_delay`` milliseconds, each next one after ``multiplier`` times the delay
    before, but no more than ``max_retry_delay``. Raises ``ValueError`` unless all are above 0.

    In PyFlink the delays of one request depend on those of the others that wait beside it; here each has its own.

    >>> strategy = ExponentialBackoffDelayRetryStrategy(5, 100, 500, 2.0, None, None)
    >>> [strategy.get_backoff_time_millis(attempts) for attempts in range(1, 6)]
    [100, 200, 400, 500, 500]
    """

    def __init__(
        self,
        max_attempts: int,
        initial_delay: int,
        max_retry_delay: int,
        multiplier: float,
        result_predicate: Callable[[list[OUT]], bool] | None,
        exception_predicate: Callable[[Exception], bool] | None,
    ) -> None:
        _require_positive(max_attempts=max_attempts, initial_delay=initial_delay, max_retry_delay=max_retry_delay, multiplier=multiplier)
        self._max_attempts = max_attempts
        self._initial_delay = initial_delay
        self._max_retry_delay = max_retry_delay
        self._multiplier = multiplier
        self._predicate = RetryPredicate(result_predicate, exception_predicate)

    def can_retry(self, current_attempts: int) -> bool:
        """Whether there were no more than ``max_attempts``."""
        return current_attempts <= self._max_attempts

    def get_backoff_time_millis(self, current_attempts: int) -> int:
        """The delay after so many attempts (from 1), in whole milliseconds."""
        delay = self._initial_delay
        for _ in range(1, current_attempts):
            longer = int(min(delay * self._multiplier, self._max_retry_delay))
            if longer == delay:
                break
            delay = longer
        return delay

    def get_retry_predicate(self) -> AsyncRetryPredicate[OUT]:
        """What it was made with."""
        return self._predicate


def _require_positive(**values: Any) -> None:
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            raise ValueError(f"{name} should be greater than zero, and is {value!r}")


#: One attempt for each value.
NO_RETRY_STRATEGY: AsyncRetryStrategy[Any] = NoRetryStrategy()
