"""The end of a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from millstream._tracebacks import guard
from millstream.datastream.operator_settings import OperatorSettings
from millstream.datastream.transformation import Transformation

if TYPE_CHECKING:
    from millstream.datastream.stream_execution_environment import StreamExecutionEnvironment

__all__ = ["DataStreamSink"]


class DataStreamSink(OperatorSettings):
    """A sink that reads a stream. What can be set on it is set as on a stream.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> sink = env.from_collection([1, 2]).print().name("Numbers").uid("numbers").set_parallelism(1)
    >>> result = env.execute()
    1
    2
    """

    def __init__(self, env: StreamExecutionEnvironment, transformation: Transformation) -> None:
        self._env = env
        self._transformation = transformation

    def __repr__(self) -> str:
        return f"<DataStreamSink {self._transformation.name!r}>"


guard(globals())
