"""Ready-made answers to what calls for another attempt, for the strategies of :mod:`millstream.datastream.async_retry_strategies`."""

from __future__ import annotations

from typing import Any


def empty_result_predicate(result: list[Any]) -> bool:
    """Whether an attempt gave nothing.

    >>> empty_result_predicate([]), empty_result_predicate([1])
    (True, False)
    """
    return result is None or len(result) == 0


def has_exception_predicate(error: BaseException | None) -> bool:
    """Whether an attempt failed.

    >>> has_exception_predicate(OSError())
    True
    """
    return error is not None


def exception_type_predicate(error: BaseException | None, expected_error_type: type[BaseException]) -> bool:
    """Whether an attempt failed in a certain way; a strategy takes it with its type bound.

    >>> from functools import partial
    >>> is_network_error = partial(exception_type_predicate, expected_error_type=OSError)
    >>> is_network_error(ConnectionResetError()), is_network_error(ValueError())
    (True, False)
    """
    return isinstance(error, expected_error_type)
