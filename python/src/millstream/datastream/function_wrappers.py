"""Functions around functions, by PyFlink's names. ``millstream.datastream.functions`` exports them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from millstream.datastream.functions import Function, KeySelector, ReduceFunction, WindowFunction
from millstream.exceptions import UnsupportedError

__all__ = [
    "FunctionWrapper",
    "JavaFunctionWrapper",
    "NullByteKeySelector",
    "PassThroughAllWindowFunction",
    "PassThroughWindowFunction",
    "ReduceFunctionWrapper",
    "SourceFunction",
]

IN = TypeVar("IN")
KEY = TypeVar("KEY")
W = TypeVar("W")


class FunctionWrapper(Function):
    """The base of classes that make a function object of a plain callable.

    >>> issubclass(ReduceFunctionWrapper, FunctionWrapper)
    True
    """

    def __init__(self, func: Callable[..., Any]) -> None:
        if not callable(func):
            raise TypeError(f"{type(self).__name__} takes a function, not {func!r}")
        self._func = func


class ReduceFunctionWrapper(FunctionWrapper, ReduceFunction[Any]):
    """A callable of two values as a :class:`ReduceFunction`.

    >>> ReduceFunctionWrapper(max).reduce(3, 5)
    5
    """

    def __init__(self, func: Callable[[Any, Any], Any]) -> None:
        super().__init__(func)

    def reduce(self, value1: Any, value2: Any) -> Any:
        """What the callable gives."""
        return self._func(value1, value2)


class JavaFunctionWrapper:
    """Holds what stands behind a source, sink or function. In PyFlink that is a Java object.

    Raises ``UnsupportedError`` for the name of a Java class: there is no JVM that has it.

    >>> JavaFunctionWrapper("org.example.Function").get_java_function()
    Traceback (most recent call last):
        ...
    millstream.exceptions.UnsupportedError: JavaFunctionWrapper cannot be made of the Java class 'org.example.Function': there is no JVM here
    """

    def __init__(self, j_function: Any) -> None:
        refuse_java_class(j_function, type(self).__name__)
        self._j_function = j_function

    def get_java_function(self) -> Any:
        """What the wrapper was made with."""
        return self._j_function


class SourceFunction(JavaFunctionWrapper):
    """A source for ``env.add_source``: another source, an iterable, or a function without parameters that gives an iterable, once per job.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> list(env.add_source(SourceFunction(lambda: range(3))).execute_and_collect())
    [0, 1, 2]
    """

    def __init__(self, source_func: Any) -> None:
        super().__init__(source_func)


class NullByteKeySelector(KeySelector[Any, int]):
    """The same key, 0, for all values: what makes one partition of a stream.

    >>> NullByteKeySelector().get_key("anything")
    0
    """

    def get_key(self, value: Any) -> int:
        """0."""
        return 0


class PassThroughWindowFunction(WindowFunction[IN, IN, KEY, W]):
    """Gives a window's elements as they are.

    >>> list(PassThroughWindowFunction().apply("key", None, [1, 2]))
    [1, 2]
    """

    def apply(self, key: KEY, window: W, inputs: Iterable[IN]) -> Iterable[IN]:
        """The elements."""
        yield from inputs


class PassThroughAllWindowFunction(Function, Generic[IN, W]):
    """Gives the elements of a window without a key as they are.

    >>> list(PassThroughAllWindowFunction().apply(None, [1, 2]))
    [1, 2]
    """

    def apply(self, window: W, inputs: Iterable[IN]) -> Iterable[IN]:
        """The elements."""
        yield from inputs


def refuse_java_class(candidate: Any, what: str) -> None:
    """Raises ``UnsupportedError`` for the name of a Java class."""
    if isinstance(candidate, str):
        raise UnsupportedError(f"{what} cannot be made of the Java class {candidate!r}: there is no JVM here")
