"""A sink that keeps nothing."""

from __future__ import annotations

from millstream._tracebacks import guard
from millstream.common.typeinfo import TypeInformation
from millstream.datastream.connectors.base import AddSink, Sink

__all__ = ["DiscardingSink"]


class DiscardingSink(Sink):
    """Drops everything, for measurements and for jobs whose functions do the work. Flink has one of this name in Java.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> seen = []
    >>> sink = env.from_collection([1, 2]).map(seen.append).sink_to(DiscardingSink())
    >>> result = env.execute()
    >>> seen
    [1, 2]
    """

    name = "Discarding sink"

    def lower(self, type_info: TypeInformation) -> AddSink:
        return lambda builder, _, inputs: builder.native.sink_blackhole(inputs[0])


guard(globals())
