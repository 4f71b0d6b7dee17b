"""What all connectors have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.typeinfo import TypeInformation
from millstream.datastream.transformation import JobBuilder, Transformation
from millstream.exceptions import UnsupportedError

if TYPE_CHECKING:
    from millstream.datastream.data_stream import DataStream

__all__ = ["DeliveryGuarantee", "Sink", "Source", "StreamTransformer", "SupportsPreprocessing"]

#: Adds a source to the engine's environment and gives its node.
AddSource = Callable[[JobBuilder, Transformation, _native.Watermarks | None], int]
#: Adds a sink to the engine's environment and gives its node.
AddSink = Callable[[JobBuilder, Transformation, list[_native.Input]], int]


class DeliveryGuarantee(Enum):
    """How often a sink delivers a record when a job fails and goes on from a checkpoint.

    >>> [guarantee.name for guarantee in DeliveryGuarantee]
    ['EXACTLY_ONCE', 'AT_LEAST_ONCE', 'NONE']
    """

    #: Exactly once.
    EXACTLY_ONCE = 0
    #: Once or more.
    AT_LEAST_ONCE = 1
    #: Any number of times.
    NONE = 2


class Source:
    """Where a stream comes from. ``env.from_source`` takes it. To write one in Python, subclass ``PythonSource``.

    ``Source(source)`` reads as another source does. Raises ``UnsupportedError`` for the name of a Java class: there is no JVM here.

    >>> from millstream.datastream.connectors.number_seq import NumberSequenceSource
    >>> isinstance(NumberSequenceSource(1, 3), Source)
    True
    """

    #: What it is called in plans and messages unless ``from_source`` says otherwise.
    name: str = "Source"

    def __init__(self, source: Source | Any = None) -> None:
        self._source: Source = _behind(source, Source, self)

    @property
    def produced_type(self) -> TypeInformation:
        """The type of its values."""
        return self._source.produced_type

    def lower(self, type_info: TypeInformation) -> AddSource:
        """For the engine; ``type_info`` is the produced type, or what the user declared instead."""
        return self._source.lower(type_info)

    def ends(self) -> bool:
        """Whether it ends by itself."""
        return True

    def decodes_files(self) -> bool:
        """Whether the engine decodes records of files, so that those that it cannot decode may be dead letters."""
        source = getattr(self, "_source", None)
        return source is not None and bool(source.decodes_files())

    def batches(self) -> Iterator[Sequence[Any] | float]:
        """The values, in batches, for whoever reads them in Python; a number: ask again in so many seconds. Sources of the engine have none."""
        raise UnsupportedError(f"{self!r} is read by the engine alone")

    def finish(self, stream: DataStream) -> DataStream:
        """What must be done in Python to the values, if anything."""
        return stream


class Sink:
    """Where a stream goes. ``stream.sink_to`` takes it. To write one in Python, subclass ``PythonSink``.

    ``Sink(sink)`` writes as another sink does. Raises ``UnsupportedError`` for the name of a Java class: there is no JVM here.

    >>> from millstream.common import Encoder
    >>> from millstream.datastream.connectors.file_system import FileSink
    >>> isinstance(FileSink.for_row_format("/tmp/out", Encoder.simple_string_encoder()).build(), Sink)
    True
    """

    #: What it is called in plans and messages.
    name: str = "Sink"

    @property
    def writes_java_text(self) -> bool:
        """Whether it writes values as they are printed."""
        return False

    def __init__(self, sink: Sink | Any = None) -> None:
        self._sink: Sink = _behind(sink, Sink, self)

    def lower(self, type_info: TypeInformation) -> AddSink:
        """For the engine; ``type_info`` is the stream's type."""
        return self._sink.lower(type_info)


class StreamTransformer(ABC):
    """Changes a stream before a sink gets it.

    >>> class Upper(StreamTransformer):
    ...     def apply(self, ds):
    ...         return ds.map(str.upper)
    """

    @abstractmethod
    def apply(self, ds: DataStream) -> DataStream:
        """The stream that the sink gets."""


class SupportsPreprocessing(ABC):
    """A sink that wants its stream changed before: ``sink_to`` applies the transformer.

    >>> from millstream.datastream.connectors.file_system import FileSink
    >>> issubclass(FileSink, SupportsPreprocessing)
    True
    """

    @abstractmethod
    def get_transformer(self) -> StreamTransformer | None:
        """What changes the stream; ``None``: nothing does."""


def _behind(candidate: Any, kind: Any, around: Any) -> Any:
    what = kind.__name__
    # One with a way of its own needs no other.
    if isinstance(candidate, kind) or (candidate is None and type(around).lower is not kind.lower):
        return candidate
    if isinstance(candidate, str):
        raise UnsupportedError(f"{what} cannot be made of the Java class {candidate!r}: there is no JVM here")
    raise TypeError(f"{what} takes another {what.lower()}, not {candidate!r}")


def source_repr(source: Any, *parts: object) -> str:
    """A short text for notebooks."""
    return f"{type(source).__name__}({', '.join(map(str, parts))})"


guard(globals())
