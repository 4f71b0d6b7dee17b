"""Comma-separated values."""

from __future__ import annotations

from typing import Any

from millstream._tracebacks import guard
from millstream.common.serialization import Encoder
from millstream.common.typeinfo import RowTypeInfo, TypeInformation, Types, type_of
from millstream.datastream.connectors.file_system import StreamFormat
from millstream.exceptions import UnsupportedError

__all__ = ["CsvReaderFormat", "CsvRowFormat", "CsvSchema", "CsvSchemaBuilder"]


class CsvSchema:
    """The columns of CSV files, and how they are written.

    >>> schema = CsvSchema.builder().add_string_column("name").add_number_column("age").set_use_header().build()
    >>> schema.size(), schema.row_type
    (2, RowTypeInfo(name: String, age: Long))
    """

    def __init__(self, row_type: RowTypeInfo, options: dict[str, str]) -> None:
        self.row_type = row_type
        self.options = options

    @staticmethod
    def builder() -> CsvSchemaBuilder:
        """Starts without columns."""
        return CsvSchemaBuilder()

    def size(self) -> int:
        """How many columns there are."""
        return len(self.row_type.get_field_types())

    def __len__(self) -> int:
        return self.size()

    def __repr__(self) -> str:
        return f"CsvSchema({self.row_type.schema()})"


class CsvSchemaBuilder:
    """Builds a :class:`CsvSchema`, column by column."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._types: list[TypeInformation] = []
        self._options: dict[str, str] = {"format": "csv", "csv.quote": '"'}

    def add_string_column(self, name: str) -> CsvSchemaBuilder:
        """A column of text."""
        return self.add_column(name, Types.STRING())

    def add_boolean_column(self, name: str) -> CsvSchemaBuilder:
        """A column of ``true`` and ``false``."""
        return self.add_column(name, Types.BOOLEAN())

    def add_number_column(self, name: str, number_type: Any = None) -> CsvSchemaBuilder:
        """A column of numbers: whole ones of 64 bits unless ``number_type`` (a type of Types) says otherwise."""
        return self.add_column(name, Types.LONG() if number_type is None else type_of(number_type, f"the type of column {name!r}"))

    def add_column(self, name: str, type_info: TypeInformation) -> CsvSchemaBuilder:
        """A column of any type that can be read from text. Millstream's own."""
        self._names.append(name)
        self._types.append(type_info)
        return self

    def add_array_column(self, name: str, separator: str = ";", element_type: Any = None) -> CsvSchemaBuilder:
        """Not there yet: raises ``UnsupportedError``."""
        raise UnsupportedError("CSV columns with lists are not there yet; read the column as text and split it")

    def add_columns_from(self, schema: CsvSchema) -> CsvSchemaBuilder:
        """All columns of another schema."""
        self._names += schema.row_type.get_field_names()
        self._types += schema.row_type.get_field_types()
        return self

    def clear_columns(self) -> CsvSchemaBuilder:
        """Forgets the columns."""
        self._names.clear()
        self._types.clear()
        return self

    def set_column_separator(self, char: str) -> CsvSchemaBuilder:
        """What stands between columns, a comma unless set."""
        return self._set("csv.delimiter", char)

    def set_quote_char(self, char: str) -> CsvSchemaBuilder:
        """What stands around a field, ``"`` unless set."""
        return self._set("csv.quote", char)

    def disable_quote_char(self) -> CsvSchemaBuilder:
        """Takes quotes as they are."""
        return self._set("csv.quote", "")

    def set_escape_char(self, char: str) -> CsvSchemaBuilder:
        """What stands before a character that would mean something else; none unless set."""
        return self._set("csv.escape", char)

    def disable_escape_char(self) -> CsvSchemaBuilder:
        """No character is an escape."""
        self._options.pop("csv.escape", None)
        return self

    def set_null_value(self, null_value: str) -> CsvSchemaBuilder:
        """The text that stands for null; without it an empty field is empty text."""
        return self._set("csv.null-literal", null_value)

    def set_use_header(self, use: bool = True) -> CsvSchemaBuilder:
        """The first line of each file names its columns, which are found by name."""
        return self._set("csv.header", "true" if use else "false")

    def set_allow_comments(self, allow: bool = True) -> CsvSchemaBuilder:
        """Leaves out lines that start with ``#``."""
        if allow:
            return self._set("csv.comment", "#")
        self._options.pop("csv.comment", None)
        return self

    def set_strict_headers(self, strict: bool = True) -> CsvSchemaBuilder:
        """Headers are always checked: does nothing."""
        return self

    def set_line_separator(self, separator: str) -> CsvSchemaBuilder:
        """Lines end with a line feed, with or without a carriage return: does nothing for these, raises ``UnsupportedError`` for others."""
        if separator not in ("\n", "\r\n"):
            raise UnsupportedError(f"lines end with \\n or \\r\\n, not with {separator!r}")
        return self

    def set_skip_first_data_row(self, skip: bool = True) -> CsvSchemaBuilder:
        """Not there yet: raises ``UnsupportedError``; ``set_use_header`` takes a first line that names the columns."""
        if skip:
            raise UnsupportedError("skipping the first line is not there yet; set_use_header takes one that names the columns")
        return self

    def size(self) -> int:
        """How many columns there are."""
        return len(self._names)

    def build(self) -> CsvSchema:
        """The schema. Raises ``ValueError`` for two columns of one name."""
        return CsvSchema(RowTypeInfo(list(self._types), list(self._names)), dict(self._options))

    def _set(self, key: str, value: str) -> CsvSchemaBuilder:
        self._options[key] = value
        return self


class CsvReaderFormat(StreamFormat):
    """Rows of CSV files, for ``FileSource.for_record_stream_format``."""

    @staticmethod
    def for_schema(schema: CsvSchema) -> CsvReaderFormat:
        """Files with these columns."""
        return CsvReaderFormat(schema.row_type, schema.options)


class CsvRowFormat(Encoder):
    """A line of comma-separated values per row or tuple, for ``FileSink.for_row_format``. Millstream's own.

    Fields are quoted where they must be. Nulls are written as ``null_literal``, or as nothing; with ``header`` each file starts with the names.
    """

    def __init__(self, delimiter: str = ",", quote: str | None = '"', null_literal: str | None = None, header: bool = False) -> None:
        options = {"csv.delimiter": delimiter, "csv.quote": quote or "", "csv.header": "true" if header else "false"}
        if null_literal is not None:
            options["csv.null-literal"] = null_literal
        super().__init__("csv", options)


guard(globals())
