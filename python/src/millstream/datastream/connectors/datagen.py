"""Rows made by rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.typeinfo import TypeInformation, Types, type_from_schema, type_of
from millstream.datastream.connectors.base import AddSource, Source, source_repr
from millstream.datastream.transformation import infer_type
from millstream.exceptions import ConfigurationError

if TYPE_CHECKING:
    from millstream.datastream.data_stream import DataStream
    from millstream.table.expression import Expression

__all__ = ["DataGeneratorSource"]

_INDEX = Types.ROW_NAMED(["index"], [Types.LONG()])


class DataGeneratorSource(Source):
    """Rows made from their number: 0, 1, 2, ...

    ``columns`` maps names to expressions over ``col("index")``, computed without Python; or it is a function of the number, whose results have
    ``output_type``. ``count`` rows are made, without it for ever. ``rows_per_second`` bounds the rate over all subtasks.

    Raises ``ConfigurationError`` for a negative count or a rate that is not positive.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> from millstream.table.expressions import col
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> source = DataGeneratorSource({"id": col("index"), "even": col("index") % 2 == 0}, count=2)
    >>> list(env.from_source(source).execute_and_collect())
    [Row(id=0, even=True), Row(id=1, even=False)]
    """

    name = "Data generator"

    def __init__(
        self,
        columns: Mapping[str, Expression] | Callable[[int], Any],
        count: int | None = None,
        rows_per_second: float | None = None,
        output_type: TypeInformation | list[Any] | str | None = None,
    ) -> None:
        if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 0):
            raise ConfigurationError(f"a generator's count is a number of rows, not {count!r}")
        if rows_per_second is not None and not rows_per_second > 0:
            raise ConfigurationError(f"a generator's rate must be positive, but is {rows_per_second!r} rows per second")
        self._count = -1 if count is None else count
        self._rate = 0.0 if rows_per_second is None else float(rows_per_second)
        self._function: Callable[[int], Any] | None = None
        if isinstance(columns, Mapping):
            self._columns = [expression.bind(_INDEX, f"column {name!r}").alias(name) for name, expression in columns.items()]
            # The generator's number is a bare value to the engine; expressions see it as its only column.
            self._type = type_from_schema(infer_type(_INDEX, lambda native, stream: native.project(stream, self._columns)))
        elif callable(columns):
            self._columns = [_native.Expression.column(0)]
            self._function = columns
            self._type = type_of(output_type, "output_type of a generator")
        else:
            raise TypeError(f"a generator takes expressions by name, or a function of the row's number, not {columns!r}")

    @property
    def produced_type(self) -> TypeInformation:
        return self._type if self._function is None else Types.LONG()

    def lower(self, type_info: TypeInformation) -> AddSource:
        return lambda builder, _, watermarks: builder.native.source_generator(self._columns, self._count, self._rate, watermarks)

    def finish(self, stream: DataStream) -> DataStream:
        return stream if self._function is None else stream.map(self._function, self._type)

    def __repr__(self) -> str:
        return source_repr(self, "without end" if self._count < 0 else f"{self._count} rows")


guard(globals())
