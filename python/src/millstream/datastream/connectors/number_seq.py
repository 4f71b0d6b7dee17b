"""Numbers in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from millstream._tracebacks import guard
from millstream.common.typeinfo import TypeInformation, Types
from millstream.datastream.connectors.base import AddSource, Source, source_repr

__all__ = ["NumberSequenceSource"]


class NumberSequenceSource(Source):
    """The numbers from ``start`` to ``end``, both included, spread over the subtasks. Raises ``ValueError`` unless ``start <= end``.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> list(env.from_source(NumberSequenceSource(1, 3)).execute_and_collect())
    [1, 2, 3]
    """

    name = "Sequence"

    def __init__(self, start: int, end: int) -> None:
        for number in (start, end):
            if isinstance(number, bool) or not isinstance(number, int):
                raise TypeError(f"a sequence has whole numbers, not {number!r}")
            if not -(2**63) <= number < 2**63:
                raise ValueError(f"a sequence has numbers of 64 bits, and {number} is none")
        if start > end:
            raise ValueError(f"a sequence's start must not be above its end, but {start} is above {end}")
        self._start = start
        self._end = end

    @property
    def produced_type(self) -> TypeInformation:
        return Types.LONG()

    def batches(self) -> Iterator[Sequence[Any] | float]:
        for start in range(self._start, self._end + 1, 4_096):
            yield list(range(start, min(start + 4_096, self._end + 1)))

    def lower(self, type_info: TypeInformation) -> AddSource:
        return lambda builder, _, watermarks: builder.native.source_sequence(self._start, self._end, watermarks)

    def __repr__(self) -> str:
        return source_repr(self, self._start, self._end)


guard(globals())
