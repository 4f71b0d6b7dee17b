"""Rows as columns of pyarrow: what Parquet and ORC have in common."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Any

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.serialization import RowDataBulkWriterFactory
from millstream.common.time import Instant
from millstream.common.typeinfo import (
    InstantTypeInfo,
    ListTypeInfo,
    MapTypeInfo,
    RowTypeInfo,
    TypeInformation,
    type_from_schema,
)
from millstream.common.types import Row
from millstream.datastream.arrow import _without_views, import_pyarrow
from millstream.datastream.connectors.python_files import PythonFileReader, PythonFileWriter
from millstream.exceptions import PlanError

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
#: How many rows are gathered for a row group of a file.
ROW_GROUP_ROWS = 65_536


def row_type_of(row_type: Any, what: str) -> RowTypeInfo:
    """A row type, given as one or as the text of a schema. Raises ``TypeError`` for anything else."""
    found = type_from_schema(row_type) if isinstance(row_type, str) else row_type
    if isinstance(found, TypeInformation):
        if not isinstance(found, RowTypeInfo):
            raise TypeError(f"{what} needs a row type, e.g. Types.ROW_NAMED(['n'], [Types.INT()]), not {row_type!r}")
        return found
    to_type_info = getattr(row_type, "to_type_info", None)
    if to_type_info is None:
        raise TypeError(f"{what} needs a row type, e.g. Types.ROW_NAMED(['n'], [Types.INT()]), not {row_type!r}")
    return row_type_of(to_type_info(), what)


def arrow_type(pyarrow: Any, type_info: TypeInformation, where: str) -> Any:
    """The pyarrow type of a field. Raises ``PlanError`` for one that a file cannot have."""
    if isinstance(type_info, RowTypeInfo):
        return pyarrow.struct(arrow_fields(pyarrow, type_info, where))
    if isinstance(type_info, MapTypeInfo):
        return pyarrow.map_(arrow_type(pyarrow, type_info._key_type_info, where), arrow_type(pyarrow, type_info._value_type_info, where))
    text = type_info._field_type()
    element = getattr(type_info, "_element_type", None)
    if isinstance(element, TypeInformation) and text.startswith("ARRAY"):
        return pyarrow.list_(arrow_type(pyarrow, element, where))
    simple = {
        "BOOLEAN": pyarrow.bool_(),
        "TINYINT": pyarrow.int8(),
        "SMALLINT": pyarrow.int16(),
        "INT": pyarrow.int32(),
        "BIGINT": pyarrow.int64(),
        "FLOAT": pyarrow.float32(),
        "DOUBLE": pyarrow.float64(),
        "STRING": pyarrow.string(),
        "BYTES": pyarrow.binary(),
        "DATE": pyarrow.date32(),
    }
    if text in simple:
        return simple[text]
    match = re.fullmatch(r"(DECIMAL|TIME|TIMESTAMP|TIMESTAMP_LTZ|CHAR|VARCHAR)\(?(\d+)?(?:, *(\d+))?\)?", text)
    if match is None:
        raise PlanError(f"{where}: a file cannot have values of type {type_info!r}")
    kind, first, second = match.group(1), int(match.group(2) or 6), int(match.group(3) or 0)
    if kind == "DECIMAL":
        return pyarrow.decimal128(first, second)
    if kind in ("CHAR", "VARCHAR"):
        return pyarrow.string()
    unit = "ms" if first <= 3 else "us" if first <= 6 else "ns"
    if kind == "TIME":
        return pyarrow.time32("ms") if first <= 3 else pyarrow.time64("ns" if first > 6 else "us")
    return pyarrow.timestamp(unit, tz="UTC" if kind == "TIMESTAMP_LTZ" else None)


def arrow_fields(pyarrow: Any, row_type: RowTypeInfo, where: str) -> list[Any]:
    """The pyarrow fields of a row type."""
    return [
        pyarrow.field(name, arrow_type(pyarrow, field, f"{where}, field {name!r}"))
        for name, field in zip(row_type.get_field_names(), row_type.get_field_types(), strict=True)
    ]


def has_columns(row_type: RowTypeInfo) -> bool:
    """Whether the engine's columns of a row type are those of a file as they are."""
    if "OBJECT" in row_type.schema():
        return False
    import pyarrow  # type: ignore[import-untyped,unused-ignore]

    try:
        return _native.schema_from_arrow(pyarrow.schema(arrow_fields(pyarrow, row_type, "columns"))) == _native.parse_schema(row_type.schema())
    except PlanError:
        return False


def plain(value: Any, type_info: TypeInformation) -> Any:
    """A value as pyarrow takes it: rows as dicts, by the names of their type."""
    if value is None:
        return None
    if isinstance(value, Instant):
        return _EPOCH + datetime.timedelta(seconds=value.seconds, microseconds=value.nanos // 1_000)
    if isinstance(type_info, RowTypeInfo):
        names = type_info.get_field_names()
        if isinstance(value, dict):
            return {name: plain(value.get(name), field) for name, field in zip(names, type_info.get_field_types(), strict=True)}
        return {name: plain(part, field) for name, part, field in zip(names, value, type_info.get_field_types(), strict=True)}
    if isinstance(type_info, MapTypeInfo):
        return [(plain(key, type_info._key_type_info), plain(entry, type_info._value_type_info)) for key, entry in value.items()]
    element = getattr(type_info, "_element_type", None)
    if element is not None and isinstance(element, (RowTypeInfo, MapTypeInfo, ListTypeInfo)):
        return [plain(entry, element) for entry in value]
    return value


def shaped(value: Any, type_info: TypeInformation) -> Any:
    """What pyarrow gives, as a value of the type: dicts as rows, pairs as dicts."""
    if value is None:
        return None
    if isinstance(type_info, InstantTypeInfo):
        past = value - _EPOCH
        return Instant(past.days * 86_400 + past.seconds, past.microseconds * 1_000)
    if isinstance(type_info, RowTypeInfo):
        names = type_info.get_field_names()
        fields = [shaped(value[name], field) for name, field in zip(names, type_info.get_field_types(), strict=True)]
        row = Row(*fields)
        row.set_field_names(names)
        return row
    if isinstance(type_info, MapTypeInfo):
        pairs = value.items() if isinstance(value, dict) else value
        return {shaped(key, type_info._key_type_info): shaped(entry, type_info._value_type_info) for key, entry in pairs}
    element = getattr(type_info, "_element_type", None)
    if element is not None and isinstance(element, (RowTypeInfo, MapTypeInfo, ListTypeInfo)):
        return [shaped(entry, element) for entry in value]
    return value


class ColumnsWriter(PythonFileWriter):
    """Gathers rows and hands them on as batches of columns."""

    def __init__(self, row_type: RowTypeInfo, what: str) -> None:
        self._pyarrow = import_pyarrow(what)
        self._row_type = row_type
        self.schema = self._pyarrow.schema(arrow_fields(self._pyarrow, row_type, what))
        self._rows: list[Any] = []
        self._columns: list[Any] = []
        self._column_rows = 0

    def write(self, values: list[Any]) -> None:
        """Takes some rows."""
        self._rows += values
        if len(self._rows) >= ROW_GROUP_ROWS:
            self._flush()

    def write_columns(self, batch: Any) -> None:
        """Takes some rows as a ``pyarrow.RecordBatch``, without looking at them one by one."""
        self._columns.append(_without_views(batch))
        self._column_rows += batch.num_rows
        if self._column_rows >= ROW_GROUP_ROWS:
            self._flush()

    def write_table(self, table: Any) -> None:
        """Writes some rows as a ``pyarrow.Table``."""
        raise TypeError(f"{type(self).__name__} does not say how a table is written")

    def _flush(self) -> None:
        if self._columns:
            batches, self._columns, self._column_rows = self._columns, [], 0
            self.write_table(self._pyarrow.Table.from_batches(batches).rename_columns(self.schema.names).cast(self.schema))
        rows, self._rows = self._rows, []
        if not rows:
            return
        types, width = self._row_type.get_field_types(), len(self._row_type.get_field_names())
        names = self._row_type.get_field_names()
        columns = []
        for index in range(width):
            field = types[index]
            values = [plain(row[names[index]] if isinstance(row, dict) else row[index], field) for row in rows]
            columns.append(self._pyarrow.array(values, self.schema.field(index).type))
        self.write_table(self._pyarrow.Table.from_arrays(columns, schema=self.schema))


class ColumnarWriterFactory(RowDataBulkWriterFactory):
    """Makes writers of one columnar format."""

    def __init__(self, row_type: RowTypeInfo, what: str, make: Any) -> None:
        import_pyarrow(what)
        super().__init__(None, row_type)
        self._make = make
        #: Streams of this type are written by columns.
        self.columns_type = row_type if has_columns(row_type) else None

    def open_writer(self, path: str) -> PythonFileWriter:
        """Begins a file."""
        writer: PythonFileWriter = self._make(path)
        return writer


class RowsOfBatches(PythonFileReader):
    """Rows of files that a library reads as batches of columns."""

    def __init__(self, row_type: RowTypeInfo, batches: Any) -> None:
        self._row_type = row_type
        self._batches = batches
        self.has_columns = has_columns(row_type)

    def read_columns(self, path: str) -> Iterator[Any]:
        """The columns of a file."""
        batches: Iterator[Any] = self._batches(path)
        return batches

    def read(self, path: str) -> Iterator[list[Any]]:
        """The rows of a file."""
        types, names = self._row_type.get_field_types(), self._row_type.get_field_names()
        for batch in self._batches(path):
            columns = [[shaped(value, field) for value in batch.column(name).to_pylist()] for name, field in zip(names, types, strict=True)]
            rows = []
            for fields in zip(*columns, strict=True):
                row = Row(*fields)
                row.set_field_names(names)
                rows.append(row)
            yield rows


guard(globals())
