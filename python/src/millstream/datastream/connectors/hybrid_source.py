"""Several sources, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from millstream._tracebacks import guard
from millstream.common.typeinfo import PickledBytesTypeInfo, TypeInformation
from millstream.datastream.connectors.base import AddSource, Source, source_repr
from millstream.datastream.connectors.python import PythonSource
from millstream.exceptions import InvalidStateError, PlanError, UnsupportedError

__all__ = ["HybridSource", "HybridSourceBuilder"]


class HybridSource(Source):
    """Reads one source to its end, then the next: history from files, then what is live. All but the last must end by themselves.

    The values are read in one subtask, by Python: so it takes sources that Python can read (numbers, files, iterables, sources written in Python).

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> from millstream.datastream.connectors.number_seq import NumberSequenceSource
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> source = HybridSource.builder(NumberSequenceSource(1, 2)).add_source(NumberSequenceSource(10, 11)).build()
    >>> list(env.from_source(source).execute_and_collect())
    [1, 2, 10, 11]
    """

    name = "Hybrid source"

    def __init__(self, sources: Sequence[Source]) -> None:
        """Raises ``PlanError`` without sources, for sources of different types, and for one that does not end before another."""
        if not sources:
            raise PlanError("a hybrid source needs at least one source")
        for source in sources:
            if source.produced_type.schema() != sources[0].produced_type.schema():
                types = f"{sources[0].produced_type!r} and {source.produced_type!r}"
                raise PlanError(f"the sources of a hybrid source have one type, but there are {types}")
        for source in sources[:-1]:
            if not source.ends():
                raise PlanError(f"{source!r} does not end, so that what comes behind it would never be read: only the last source may go on for ever")
        self._sources = list(sources)

    @staticmethod
    def builder(first_source: Source) -> HybridSourceBuilder:
        """Starts with the source that is read first."""
        return HybridSourceBuilder(first_source)

    @property
    def produced_type(self) -> TypeInformation:
        return self._sources[0].produced_type

    def ends(self) -> bool:
        return self._sources[-1].ends()

    def batches(self) -> Iterator[Sequence[Any] | float]:
        for source in self._sources:
            yield from source.batches()

    def lower(self, type_info: TypeInformation) -> AddSource:
        return _OneAfterTheOther(self._sources, type_info, self.ends()).lower(type_info)

    def __repr__(self) -> str:
        return source_repr(self, *self._sources)


class HybridSourceBuilder:
    """Builds a :class:`HybridSource`.

    >>> from millstream.datastream.connectors.number_seq import NumberSequenceSource
    >>> HybridSource.builder(NumberSequenceSource(1, 3)).add_source(NumberSequenceSource(10, 11)).build()
    HybridSource(NumberSequenceSource(1, 3), NumberSequenceSource(10, 11))
    """

    def __init__(self, first_source: Source) -> None:
        self._sources: list[Source] = []
        self.add_source(first_source)

    def add_source(self, source: Source) -> HybridSourceBuilder:
        """Reads a source behind those before. Raises ``UnsupportedError`` for one that Python cannot read."""
        if not isinstance(source, Source):
            raise TypeError(f"a hybrid source takes sources, not {source!r}")
        if type(source).batches is Source.batches:
            raise UnsupportedError(f"{source!r} is read by the engine alone, and cannot be part of a hybrid source")
        self._sources.append(source)
        return self

    def build(self) -> HybridSource:
        """The source."""
        return HybridSource(self._sources)


class _OneAfterTheOther(PythonSource):
    def __init__(self, sources: list[Source], type_info: TypeInformation, is_bounded: bool) -> None:
        super().__init__(None if isinstance(type_info, PickledBytesTypeInfo) else type_info, is_bounded)
        self._sources = sources
        self._batches: Iterator[Sequence[Any] | float] | None = None
        self._rest: Sequence[Any] = ()
        self._given = 0

    def snapshot_position(self) -> Any:
        return self._given

    def restore_position(self, position: Any) -> None:
        # The sources give the same values each time.
        while self._given < position:
            found = self.read(min(4_096, position - self._given))
            if found is None or isinstance(found, (int, float)):
                raise InvalidStateError(f"the sources have {self._given} value(s) now, and {position} had been read before the checkpoint")

    def read(self, limit: int) -> Sequence[Any] | float | None:
        if self._batches is None:
            self._batches = (batch for source in self._sources for batch in source.batches())
        while not self._rest:
            found = next(self._batches, None)
            if found is None or isinstance(found, (int, float)):
                return found
            self._rest = found
        taken, self._rest = self._rest[:limit], self._rest[limit:]
        self._given += len(taken)
        return taken


guard(globals())
