"""Arrow tables and readers as sources."""

from __future__ import annotations

from typing import Any, Literal, cast

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.typeinfo import TypeInformation, type_from_schema
from millstream.datastream.connectors.base import AddSource, Source
from millstream.datastream.field_access import field_types
from millstream.exceptions import InvalidStateError, PlanError

__all__ = ["ArrowSource"]


class ArrowSource(Source):
    """Reads what has ``__arrow_c_stream__`` (or ``__arrow_c_array__``) once per job. Raises ``TypeError`` for anything else.

    Tables can be read by several jobs, and again from a checkpoint on; a reader only by one job, and once: another one raises ``InvalidStateError``.

    >>> import pyarrow
    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> rows = env.from_arrow(pyarrow.table({"word": ["to", "be"], "n": [1, 2]}))
    >>> [row.n for row in rows.execute_and_collect()]
    [1, 2]
    """

    name = "Arrow"

    def __init__(self, data: Any, shape: str = "row") -> None:
        if shape not in ("row", "tuple", "scalar"):
            raise PlanError(f"the shape of values is row, tuple or scalar, not {shape!r}")
        if not hasattr(data, "__arrow_c_stream__") and hasattr(data, "__arrow_c_array__"):
            from millstream.datastream.arrow import import_pyarrow

            pyarrow = import_pyarrow("from_arrow with a single batch")
            data = pyarrow.Table.from_batches([pyarrow.record_batch(data)])
        if not hasattr(data, "__arrow_c_stream__"):
            raise TypeError(f"from_arrow takes a table or reader with __arrow_c_stream__, not {data!r} of type {type(data).__name__}")
        self._data = data
        self._shape = cast(Literal["row", "tuple", "scalar"], shape)
        # Readers are iterators: what they gave is gone.
        self._is_once = hasattr(data, "read_next_batch") or hasattr(data, "__next__")
        self._is_read = False
        row_type = type_from_schema(_native.schema_from_arrow(_schema_of(data)))
        types = field_types(row_type)
        if shape == "scalar" and len(types) != 1:
            raise PlanError(f"the shape scalar needs one column, but there are {len(types)}")
        if shape == "row":
            self._type: TypeInformation = row_type
        else:
            from millstream.common.typeinfo import TupleTypeInfo

            self._type = types[0] if shape == "scalar" else TupleTypeInfo(types)

    @property
    def produced_type(self) -> TypeInformation:
        return self._type

    def lower(self, type_info: TypeInformation) -> AddSource:
        def add(builder: Any, transformation: Any, watermarks: _native.Watermarks | None) -> int:
            native: _native.Environment = builder.native
            if builder.for_plan:
                return native.source_function(_native.collection([], type_info.schema(), transformation.name), True, watermarks)
            if self._is_once and self._is_read:
                raise InvalidStateError("the Arrow reader has been read by an earlier job; read it into a table to use it again")
            self._is_read = True
            return native.source_arrow(self._data, self._shape, watermarks, not self._is_once)

        return add


def _schema_of(data: Any) -> Any:
    schema = getattr(data, "schema", None)
    if hasattr(schema, "__arrow_c_schema__"):
        return schema
    if hasattr(data, "__arrow_c_schema__"):
        return data
    from millstream.datastream.arrow import import_pyarrow

    # Others (Polars, DuckDB, pandas) only tell their schema by being read; pyarrow's reader looks without reading.
    return import_pyarrow("from_arrow with this kind of data").RecordBatchReader.from_stream(data).schema


guard(globals())
