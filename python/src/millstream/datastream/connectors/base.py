"""What all connectors have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.typeinfo import TypeInformation
from millstream.datastream.transformation import JobBuilder, Transformation

if TYPE_CHECKING:
    from millstream.datastream.data_stream import DataStream

__all__ = ["DeliveryGuarantee", "Sink", "Source"]

#: Adds a source to the engine's environment and gives its node.
AddSource = Callable[[JobBuilder, Transformation, _native.Watermarks | None], int]
#: Adds a sink to the engine's environment and gives its node.
AddSink = Callable[[JobBuilder, Transformation, list[_native.Input]], int]


class DeliveryGuarantee(Enum):
    """How often a sink delivers a record when a job fails and goes on from a checkpoint."""

    #: Exactly once.
    EXACTLY_ONCE = 0
    #: Once or more.
    AT_LEAST_ONCE = 1
    #: Any number of times.
    NONE = 2


class Source(ABC):
    """Where a stream comes from. ``env.from_source`` takes it. To write one in Python, subclass ``PythonSource``."""

    #: What it is called in plans and messages unless ``from_source`` says otherwise.
    name: str = "Source"

    @property
    @abstractmethod
    def produced_type(self) -> TypeInformation:
        """The type of its values."""

    @abstractmethod
    def lower(self, type_info: TypeInformation) -> AddSource:
        """For the engine; ``type_info`` is the produced type, or what the user declared instead."""

    def finish(self, stream: DataStream) -> DataStream:
        """What must be done in Python to the values, if anything."""
        return stream


class Sink(ABC):
    """Where a stream goes. ``stream.sink_to`` takes it. To write one in Python, subclass ``PythonSink``."""

    #: What it is called in plans and messages.
    name: str = "Sink"

    @abstractmethod
    def lower(self, type_info: TypeInformation) -> AddSink:
        """For the engine; ``type_info`` is the stream's type."""


def source_repr(source: Any, *parts: object) -> str:
    """A short text for notebooks."""
    return f"{type(source).__name__}({', '.join(map(str, parts))})"


guard(globals())
