"""Comma-separated values."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, Self

from millstream._tracebacks import guard
from millstream.common.serialization import BulkWriterFactory, DeserializationSchema, Encoder, RowDataBulkWriterFactory, SerializationSchema
from millstream.common.typeinfo import RowTypeInfo, TypeInformation, Types, type_of
from millstream.datastream.connectors.file_system import StreamFormat
from millstream.datastream.connectors.python_files import PythonFileWriter
from millstream.datastream.formats.text_values import from_text, to_text
from millstream.exceptions import ConfigurationError, DecodeError, TypeMismatchError

__all__ = [
    "CsvBulkWriters",
    "CsvReaderFormat",
    "CsvRowDeserializationSchema",
    "CsvRowFormat",
    "CsvRowSerializationSchema",
    "CsvSchema",
    "CsvSchemaBuilder",
]


class CsvSchema:
    """The columns of CSV files, and how they are written.

    >>> schema = CsvSchema.builder().add_string_column("name").add_number_column("age").set_use_header().build()
    >>> schema.size(), schema.row_type
    (2, RowTypeInfo(name: String, age: Long))
    """

    def __init__(
        self,
        row_type: RowTypeInfo,
        options: dict[str, str],
        array_separators: dict[int, str] | None = None,
        line_separator: str = "\n",
        skips_first_row: bool = False,
    ) -> None:
        self.row_type = row_type
        self.options = options
        #: What stands between the elements of a list, by the column's position.
        self.array_separators = array_separators or {}
        self.line_separator = line_separator
        self.skips_first_row = skips_first_row

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
    """Builds a :class:`CsvSchema`, column by column.

    >>> CsvSchema.builder().add_string_column("word").add_number_column("n").set_column_separator(";").build()
    CsvSchema(ROW<word STRING, n BIGINT>)
    """

    def __init__(self) -> None:
        self._names: list[str] = []
        self._types: list[TypeInformation] = []
        self._options: dict[str, str] = {"format": "csv", "csv.quote": '"'}
        self._array_separators: dict[int, str] = {}
        self._line_separator = "\n"
        self._skips_first_row = False
        self._any_property_name: str | None = None

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
        """A column of lists, whose elements are text unless ``element_type`` (a type of Types) says otherwise. Python takes the lists apart."""
        element = Types.STRING() if element_type is None else type_of(element_type, f"the element type of column {name!r}")
        self._array_separators[len(self._names)] = separator
        return self.add_column(name, Types.LIST(element))

    def set_array_element_separator(self, separator: str) -> CsvSchemaBuilder:
        """Sets what stands between the elements of all lists that are columns so far."""
        self._array_separators = dict.fromkeys(self._array_separators, separator)
        return self

    def disable_array_element_separator(self) -> CsvSchemaBuilder:
        """Takes the text of a column of lists as its only element, for all that are columns so far."""
        return self.set_array_element_separator("")

    def remove_array_element_separator(self, index: int) -> CsvSchemaBuilder:
        """As :meth:`disable_array_element_separator`, for one column. Raises ``ConfigurationError`` if there is no column ``index``."""
        if not 0 <= index < len(self._names):
            raise ConfigurationError(f"there is no column {index}: the schema has {len(self._names)}")
        if index in self._array_separators:
            self._array_separators[index] = ""
        return self

    def set_any_property_name(self, name: str) -> CsvSchemaBuilder:
        """Only kept, as in Flink: rows have the schema's columns, and no place for others."""
        self._any_property_name = name
        return self

    def add_columns_from(self, schema: CsvSchema) -> CsvSchemaBuilder:
        """All columns of another schema."""
        for index, separator in schema.array_separators.items():
            self._array_separators[len(self._names) + index] = separator
        self._names += schema.row_type.get_field_names()
        self._types += schema.row_type.get_field_types()
        return self

    def clear_columns(self) -> CsvSchemaBuilder:
        """Forgets the columns."""
        self._names.clear()
        self._array_separators.clear()
        self._types.clear()
        return self

    def set_column_separator(self, char: str) -> CsvSchemaBuilder:
        """What stands between columns, a comma unless set."""
        return self._set("csv.delimiter", _one_char(char, "Column separator"))

    def set_quote_char(self, char: str) -> CsvSchemaBuilder:
        """What stands around a field, ``"`` unless set."""
        return self._set("csv.quote", _one_char(char, "Quote char"))

    def disable_quote_char(self) -> CsvSchemaBuilder:
        """Takes quotes as they are."""
        return self._set("csv.quote", "")

    def set_escape_char(self, char: str) -> CsvSchemaBuilder:
        """What stands before a character that would mean something else; none unless set."""
        return self._set("csv.escape", _one_char(char, "Escape char"))

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
        """What written lines end with, a line feed unless set. Lines that are read may end with ``\\n``, ``\\r`` or ``\\r\\n`` in any case."""
        self._line_separator = separator
        return self

    def set_skip_first_data_row(self, skip: bool = True) -> CsvSchemaBuilder:
        """Leaves out each file's first line, or with a header the one behind it. Such files are read by Python, a record per line."""
        self._skips_first_row = bool(skip)
        return self

    def size(self) -> int:
        """How many columns there are."""
        return len(self._names)

    def __len__(self) -> int:
        return self.size()

    def build(self) -> CsvSchema:
        """The schema. Raises ``ValueError`` for two columns of one name."""
        row_type = RowTypeInfo(list(self._types), list(self._names))
        return CsvSchema(row_type, dict(self._options), dict(self._array_separators), self._line_separator, self._skips_first_row)

    def _set(self, key: str, value: str) -> CsvSchemaBuilder:
        self._options[key] = value
        return self


class CsvReaderFormat(StreamFormat):
    """Rows of CSV files, for ``FileSource.for_record_stream_format``.

    >>> schema = CsvSchema.builder().add_string_column("word").add_number_column("n").build()
    >>> format = CsvReaderFormat.for_schema(schema)
    """

    @staticmethod
    def for_schema(schema: CsvSchema) -> CsvReaderFormat:
        """Files with these columns."""
        found = CsvReaderFormat(_text_columns(schema), schema.options)
        if schema.skips_first_row:
            from millstream.datastream.formats.lines import line_reader

            found.reader = line_reader(schema.options, found.type_info, 1)
        if schema.array_separators:
            found.final_type = schema.row_type
            found.convert = _Lists(schema)
        return found


def _text_columns(schema: CsvSchema) -> RowTypeInfo:
    """The schema's columns as they are in the file: lists are text."""
    names, types = schema.row_type.get_field_names(), schema.row_type.get_field_types()
    return RowTypeInfo([Types.STRING() if index in schema.array_separators else field for index, field in enumerate(types)], names)


class _Lists:
    """Takes the texts of columns of lists apart, and puts them together."""

    def __init__(self, schema: CsvSchema) -> None:
        self._names = schema.row_type.get_field_names()
        types = schema.row_type.get_field_types()
        self._columns = {index: (separator, getattr(types[index], "_element_type")) for index, separator in schema.array_separators.items()}  # noqa: B009

    def __call__(self, row: Any) -> Any:
        """The row with lists."""
        from millstream.common.types import Row

        fields = list(row)
        for index, (separator, element) in self._columns.items():
            text = fields[index]
            if text is not None:
                parts = text.split(separator) if separator else [text]
                fields[index] = [] if text == "" else [from_text(part, element) for part in parts]
        found = Row(*fields)
        found.set_field_names(self._names)
        return found

    def joined(self, row: Any) -> list[Any]:
        """The fields with texts."""
        fields = [row.get(name) for name in self._names] if isinstance(row, dict) else list(row)
        for index, (separator, element) in self._columns.items():
            if fields[index] is not None:
                elements: Any = fields[index]
                fields[index] = separator.join(str(to_text(part, element)) for part in elements)
        return fields


class CsvRowFormat(Encoder):
    """A line of comma-separated values per row or tuple, for ``FileSink.for_row_format``. Millstream's own.

    Fields are quoted where they must be. Nulls are written as ``null_literal``, or as nothing; with ``header`` each file starts with the names.

    >>> CsvRowFormat(delimiter=";", header=True)
    <Encoder csv>
    """

    def __init__(self, delimiter: str = ",", quote: str | None = '"', null_literal: str | None = None, header: bool = False) -> None:
        options = {"csv.delimiter": delimiter, "csv.quote": quote or "", "csv.header": "true" if header else "false"}
        if null_literal is not None:
            options["csv.null-literal"] = null_literal
        super().__init__("csv", options)


class CsvBulkWriters:
    """Writes rows to CSV files, for ``FileSink.for_bulk_format``: by the engine, without Python.

    >>> factory = CsvBulkWriters.for_schema(CsvSchema.builder().add_string_column("word").add_number_column("n").build())
    """

    @staticmethod
    def for_schema(schema: CsvSchema) -> BulkWriterFactory:
        """A factory for rows with the schema's columns."""
        if not isinstance(schema, CsvSchema):
            raise TypeError(f"a CsvSchema is needed, not {schema!r}")
        return CsvBulkWriterFactory(schema)


class CsvBulkWriterFactory(RowDataBulkWriterFactory):
    """What :class:`CsvBulkWriters` makes: an encoder of the engine's."""

    def __init__(self, schema: CsvSchema) -> None:
        super().__init__(None, schema.row_type)
        options = schema.options
        self._schema = schema
        #: The engine's encoder, where it can write such files.
        self.encoder: CsvRowFormat | None = None
        if schema.array_separators or schema.line_separator != "\n":
            return
        self.encoder = CsvRowFormat(
            options.get("csv.delimiter", ","), options.get("csv.quote"), options.get("csv.null-literal"), options.get("csv.header") == "true"
        )

    def open_writer(self, path: str) -> PythonFileWriter:
        """Begins a file that Python writes: with lists, or with another line separator than a line feed."""
        from millstream.datastream.formats.lines import line_writer

        lists = _Lists(self._schema)
        return line_writer(self._schema.options, _text_columns(self._schema), self._schema.line_separator, lists.joined)(path)


class _CsvBuilder:
    """What the builders of both schemas for CSV messages set."""

    def __init__(self, type_info: TypeInformation) -> None:
        if type_info is None:
            raise TypeError("Type information must not be None")
        found = type_of(type_info, "the type of CSV rows")
        if not isinstance(found, RowTypeInfo):
            raise TypeError(f"CSV messages have rows, not {found!r}")
        self._type_info = found
        self._delimiter = ","
        self._quote: str | None = '"'
        self._escape: str | None = None
        self._null_literal: str | None = None
        self._array_delimiter = ";"

    def set_field_delimiter(self, delimiter: str) -> Self:
        """Sets what stands between fields: a comma unless set."""
        self._delimiter = _one_char(delimiter, "Field delimiter")
        return self

    def set_array_element_delimiter(self, delimiter: str) -> Self:
        """Sets what stands between the elements of a list: a semicolon unless set."""
        self._array_delimiter = delimiter
        return self

    def set_quote_character(self, c: str) -> Self:
        """Sets what stands around a field: ``"`` unless set."""
        self._quote = _one_char(c, "Quote character")
        return self

    def set_escape_character(self, c: str) -> Self:
        """Sets what stands before a character that would mean something else; none unless set."""
        self._escape = _one_char(c, "Escape character")
        return self

    def set_null_literal(self, null_literal: str) -> Self:
        """Sets the text that stands for null."""
        self._null_literal = null_literal
        return self


class CsvRowDeserializationSchema(DeserializationSchema):
    """Lines of comma-separated values as rows, for connectors that carry messages.

    >>> from millstream.common import Types
    >>> schema = CsvRowDeserializationSchema.Builder(Types.ROW_NAMED(["id", "name"], [Types.INT(), Types.STRING()])).build()
    >>> schema.deserialize(b'7,"a, b"')
    Row(id=7, name='a, b')
    """

    def __init__(self, builder: CsvRowDeserializationSchema.Builder) -> None:
        super().__init__()
        self._settings = builder

    def deserialize(self, message: bytes) -> Any:
        """The row of a message. Raises ``DecodeError`` for one that does not fit; with ``set_ignore_parse_errors`` it is left out: ``None``.

        A comment is left out too. An empty field is null, but for text.
        """
        settings = self._settings
        try:
            text = bytes(message).decode()
            if settings._allow_comments and text.startswith("#"):
                return None
            return self._row(text)
        except (ValueError, TypeError, ArithmeticError, csv.Error) as error:
            if settings._ignore_parse_errors:
                return None
            raise DecodeError(f"the message {bytes(message[:100])!r} does not fit {settings._type_info!r}: {error}") from None

    def get_produced_type(self) -> RowTypeInfo:
        """The type of the rows."""
        return self._settings._type_info

    def _row(self, text: str) -> Any:
        from millstream.common.types import Row

        settings = self._settings
        reader = csv.reader(
            io.StringIO(text.rstrip("\r\n"), newline=""),
            delimiter=settings._delimiter,
            quotechar=settings._quote,
            quoting=csv.QUOTE_MINIMAL if settings._quote else csv.QUOTE_NONE,
            escapechar=settings._escape,
            strict=True,
        )
        lines = list(reader)
        fields, types = lines[0] if lines else [""], settings._type_info.get_field_types()
        if len(lines) > 1 or len(fields) != len(types):
            raise ValueError(_wrong_count(len(fields), len(types)))
        row = Row(*(self._field(field, type_info) for field, type_info in zip(fields, types, strict=True)))
        row.set_field_names(settings._type_info.get_field_names())
        return row

    def _field(self, text: str, type_info: TypeInformation) -> Any:
        if text == self._settings._null_literal or (not text and type_info != Types.STRING()):
            return None
        element = getattr(type_info, "_element_type", None)
        if element is not None and type_info._field_type() != "BYTES":
            return [from_text(part, element) for part in text.split(self._settings._array_delimiter)]
        if isinstance(type_info, RowTypeInfo):
            parts, names = text.split(self._settings._array_delimiter), type_info.get_field_names()
            if len(parts) != len(names):
                raise ValueError(f"in {text!r}: {_wrong_count(len(parts), len(names))}")
            return from_text(dict(zip(names, parts, strict=True)), type_info)
        return from_text(text, type_info)

    class Builder(_CsvBuilder):
        """Builds a :class:`CsvRowDeserializationSchema` for rows of a type."""

        def __init__(self, type_info: TypeInformation) -> None:
            super().__init__(type_info)
            self._allow_comments = False
            self._ignore_parse_errors = False

        def set_allow_comments(self, allow_comments: bool) -> Self:
            """Whether messages that start with ``#`` are left out."""
            self._allow_comments = bool(allow_comments)
            return self

        def set_ignore_parse_errors(self, ignore_parse_errors: bool) -> Self:
            """Whether messages that do not fit are left out."""
            self._ignore_parse_errors = bool(ignore_parse_errors)
            return self

        def build(self) -> CsvRowDeserializationSchema:
            """The schema."""
            import copy

            return CsvRowDeserializationSchema(copy.copy(self))


class CsvRowSerializationSchema(SerializationSchema):
    """Rows as lines of comma-separated values, for connectors that carry messages. Fields are quoted where they must be.

    >>> from millstream.common import Row, Types
    >>> schema = CsvRowSerializationSchema.Builder(Types.ROW_NAMED(["id", "name"], [Types.INT(), Types.STRING()])).build()
    >>> schema.serialize(Row(7, "a, b"))
    b'7,"a, b"\\n'
    """

    def __init__(self, builder: CsvRowSerializationSchema.Builder) -> None:
        super().__init__()
        self._settings = builder

    def serialize(self, element: Any) -> bytes:
        """The message of a row, tuple or dict. Raises ``TypeMismatchError`` for one that does not fit."""
        settings = self._settings
        buffer = io.StringIO(newline="")
        writer = csv.writer(
            buffer,
            delimiter=settings._delimiter,
            quotechar=settings._quote,
            quoting=csv.QUOTE_MINIMAL if settings._quote else csv.QUOTE_NONE,
            escapechar=settings._escape,
            doublequote=settings._escape is None,
            lineterminator=settings._line_delimiter,
        )
        try:
            fields = to_text(element, settings._type_info)
            writer.writerow([self._text(value) for value in fields.values()])
        except (ValueError, TypeError, AttributeError, csv.Error) as error:
            raise TypeMismatchError(f"{element!r} does not fit {settings._type_info!r}: {error}") from None
        return buffer.getvalue().encode()

    def _text(self, value: Any) -> str:
        if value is None:
            return self._settings._null_literal or ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, list):
            return self._settings._array_delimiter.join(self._text(part) for part in value)
        if isinstance(value, dict):
            return self._settings._array_delimiter.join(self._text(part) for part in value.values())
        return value if isinstance(value, str) else json.dumps(value) if isinstance(value, (int, float)) else str(value)

    class Builder(_CsvBuilder):
        """Builds a :class:`CsvRowSerializationSchema` for rows of a type."""

        def __init__(self, type_info: TypeInformation) -> None:
            super().__init__(type_info)
            self._line_delimiter = "\n"

        def set_line_delimiter(self, delimiter: str) -> Self:
            """Sets what a message ends with: a line feed unless set; may be nothing."""
            self._line_delimiter = delimiter
            return self

        def disable_quote_character(self) -> Self:
            """Writes fields without quotes; one that would need them is an error."""
            self._quote = None
            return self

        def build(self) -> CsvRowSerializationSchema:
            """The schema."""
            import copy

            return CsvRowSerializationSchema(copy.copy(self))


def _wrong_count(found: int, expected: int) -> str:
    """As the engine's CSV reader says it."""
    return f"the row has {found} of {expected} fields" if found < expected else f"the row has {found} fields, expected {expected}"


def _one_char(char: str, what: str) -> str:
    if not isinstance(char, str) or len(char) != 1:
        raise ValueError(f"{what} must be a single char, got {char}")
    return char



guard(globals())
