"""Window functions in one shape, ``process(key, window, context, input)``, by PyFlink's names. ``millstream.datastream.functions`` exports them.

PyFlink's window operator calls them. Here the engine calls a window function itself; these serve code that was written for PyFlink's shape.
A *single value* function gets one value, an *iterable* one gets all elements of the window; an *all* function has no key.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from millstream.datastream.functions import Function, KeyedStateStore, ProcessWindowFunction, RuntimeContext

__all__ = [
    "InternalIterableAllWindowFunction",
    "InternalIterableProcessAllWindowFunction",
    "InternalIterableProcessWindowFunction",
    "InternalIterableWindowFunction",
    "InternalProcessAllWindowContext",
    "InternalProcessWindowContext",
    "InternalSingleValueAllWindowFunction",
    "InternalSingleValueProcessAllWindowFunction",
    "InternalSingleValueProcessWindowFunction",
    "InternalSingleValueWindowFunction",
    "InternalWindowFunction",
]

IN = TypeVar("IN")
OUT = TypeVar("OUT")
KEY = TypeVar("KEY")
W = TypeVar("W")


class InternalWindowFunction(Function, Generic[IN, OUT, KEY, W]):
    """Makes results of what a window holds."""

    class InternalWindowContext(ABC):
        """Time and states, for the window at hand."""

        @abstractmethod
        def current_processing_time(self) -> int:
            """The clock's time in milliseconds."""

        @abstractmethod
        def current_watermark(self) -> int:
            """How far event time has come, in milliseconds."""

        @abstractmethod
        def window_state(self) -> KeyedStateStore:
            """States of this key and window."""

        @abstractmethod
        def global_state(self) -> KeyedStateStore:
            """States of this key for all windows."""

    @abstractmethod
    def process(self, key: KEY, window: W, context: InternalWindowContext, input_data: IN) -> Iterable[OUT]:
        """The window's results."""

    @abstractmethod
    def clear(self, window: W, context: InternalWindowContext) -> None:
        """Called when the window has expired: the place to clear its states."""


class _Context(ProcessWindowFunction.Context[Any]):
    """What a process window function sees of an internal context."""

    def __init__(self) -> None:
        self._underlying: Any = None
        self._window: Any = None

    def window(self) -> Any:
        return self._window

    def current_processing_time(self) -> int:
        return int(self._underlying.current_processing_time())

    def current_watermark(self) -> int:
        return int(self._underlying.current_watermark())

    def window_state(self) -> KeyedStateStore:
        store: KeyedStateStore = self._underlying.window_state()
        return store

    def global_state(self) -> KeyedStateStore:
        store: KeyedStateStore = self._underlying.global_state()
        return store


class InternalProcessWindowContext(_Context):
    """The context of a :class:`ProcessWindowFunction` over an internal one."""


class InternalProcessAllWindowContext(_Context):
    """The context of a process window function without a key over an internal one."""


class _Wrapping(InternalWindowFunction[Any, Any, Any, Any]):
    """Opens and closes the function that it wraps, and calls its ``apply``."""

    _is_single = False
    _has_key = True

    def __init__(self, wrapped_function: Any) -> None:
        self._wrapped_function = wrapped_function

    def open(self, runtime_context: RuntimeContext) -> None:
        self._wrapped_function.open(runtime_context)

    def close(self) -> None:
        self._wrapped_function.close()

    def process(self, key: Any, window: Any, context: Any, input_data: Any) -> Iterable[Any]:
        elements = [input_data] if self._is_single else input_data
        found: Iterable[Any]
        found = self._wrapped_function.apply(key, window, elements) if self._has_key else self._wrapped_function.apply(window, elements)
        return found

    def clear(self, window: Any, context: Any) -> None:
        """Nothing: the function has no states of its window."""


class _WrappingProcess(_Wrapping):
    """The same for functions with a ``process`` and a context."""

    def __init__(self, wrapped_function: Any) -> None:
        super().__init__(wrapped_function)
        self._internal_context = InternalProcessWindowContext() if self._has_key else InternalProcessAllWindowContext()

    def process(self, key: Any, window: Any, context: Any, input_data: Any) -> Iterable[Any]:
        elements = [input_data] if self._is_single else input_data
        known = self._at(window, context)
        found: Iterable[Any]
        found = self._wrapped_function.process(key, known, elements) if self._has_key else self._wrapped_function.process(known, elements)
        return found

    def clear(self, window: Any, context: Any) -> None:
        """Calls the function's ``clear``."""
        self._wrapped_function.clear(self._at(window, context))

    def _at(self, window: Any, context: Any) -> _Context:
        self._internal_context._window, self._internal_context._underlying = window, context
        return self._internal_context


class InternalSingleValueWindowFunction(_Wrapping):
    """A :class:`WindowFunction` over one value."""

    _is_single = True


class InternalSingleValueAllWindowFunction(_Wrapping):
    """An ``AllWindowFunction`` over one value."""

    _is_single, _has_key = True, False


class InternalIterableWindowFunction(_Wrapping):
    """A :class:`WindowFunction` over all elements."""


class InternalIterableAllWindowFunction(_Wrapping):
    """An ``AllWindowFunction`` over all elements."""

    _has_key = False


class InternalSingleValueProcessWindowFunction(_WrappingProcess):
    """A :class:`ProcessWindowFunction` over one value."""

    _is_single = True


class InternalSingleValueProcessAllWindowFunction(_WrappingProcess):
    """A ``ProcessAllWindowFunction`` over one value."""

    _is_single, _has_key = True, False


class InternalIterableProcessWindowFunction(_WrappingProcess):
    """A :class:`ProcessWindowFunction` over all elements."""


class InternalIterableProcessAllWindowFunction(_WrappingProcess):
    """A ``ProcessAllWindowFunction`` over all elements."""

    _has_key = False
