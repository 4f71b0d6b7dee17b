"""How records become bytes, and bytes records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from millstream.exceptions import DecodeError, TypeMismatchError, UnsupportedError

if TYPE_CHECKING:
    from millstream.common.typeinfo import TypeInformation
    from millstream.datastream.connectors.python_files import PythonFileWriter

from millstream._tracebacks import guard

__all__ = [
    "BulkWriterFactory",
    "ByteArraySchema",
    "DeserializationSchema",
    "Encoder",
    "RowDataBulkWriterFactory",
    "RowFieldExtractorSchema",
    "SerializationSchema",
    "SimpleStringSchema",
]


class SerializationSchema:
    """Makes bytes of records, for connectors that carry messages. One's own gives :meth:`serialize`.

    >>> class Upper(SerializationSchema):
    ...     def serialize(self, element):
    ...         return element.upper().encode()
    >>> Upper().serialize("a")
    b'A'
    """

    def __init__(self, j_serialization_schema: Any = None) -> None:
        _refuse_java(j_serialization_schema)

    def serialize(self, element: Any) -> bytes | None:
        """The message of a record; ``None``: without content. Raises ``UnsupportedError`` unless a subclass gives it."""
        raise UnsupportedError(f"{type(self).__name__} does not say how a record becomes bytes: give it a method serialize(element)")


class DeserializationSchema:
    """Makes records of bytes, for connectors that carry messages. One's own gives :meth:`deserialize` and :meth:`get_produced_type`.

    >>> class Numbers(DeserializationSchema):
    ...     def deserialize(self, message):
    ...         return int(message)
    >>> Numbers().deserialize(b"42")
    42
    """

    def __init__(self, j_deserialization_schema: Any = None) -> None:
        _refuse_java(j_deserialization_schema)

    def deserialize(self, message: bytes) -> Any:
        """The record of a message; ``None``: the message is left out. Raises ``UnsupportedError`` unless a subclass gives it."""
        raise UnsupportedError(f"{type(self).__name__} does not say how bytes become a record: give it a method deserialize(message)")

    def get_produced_type(self) -> TypeInformation:
        """The type of the records: Python objects unless a subclass says otherwise. Millstream's own."""
        from millstream.common.typeinfo import Types

        return Types.PICKLED_BYTE_ARRAY()


class SimpleStringSchema(SerializationSchema, DeserializationSchema):
    """Text, a record each. Raises ``ValueError`` for a character set other than UTF-8.

    >>> SimpleStringSchema().serialize("é"), SimpleStringSchema().deserialize(b"a")
    (b'\\xc3\\xa9', 'a')
    """

    def __init__(self, charset: str = "UTF-8") -> None:
        self.charset = checked_charset(charset)

    def serialize(self, element: str) -> bytes:
        """The text's bytes. Raises ``TypeMismatchError`` for what is no text."""
        if not isinstance(element, str):
            raise TypeMismatchError(f"SimpleStringSchema takes text, not {element!r}")
        return element.encode(self.charset)

    def deserialize(self, message: bytes) -> str:
        """The text. Raises ``DecodeError`` for bytes that are none."""
        try:
            return bytes(message).decode(self.charset)
        except UnicodeDecodeError as error:
            raise DecodeError(f"the message {message[:50]!r} is no {self.charset} text: {error}") from None

    def get_produced_type(self) -> TypeInformation:
        """Text."""
        from millstream.common.typeinfo import Types

        return Types.STRING()


class ByteArraySchema(SerializationSchema, DeserializationSchema):
    """Bytes as they are, a record each.

    >>> ByteArraySchema().deserialize(b"ab"), ByteArraySchema().serialize(bytearray(b"c"))
    (b'ab', b'c')
    """

    def __init__(self) -> None:
        """There is nothing to set."""

    def serialize(self, element: bytes | bytearray | memoryview) -> bytes:
        """The bytes. Raises ``TypeMismatchError`` for anything else."""
        if not isinstance(element, (bytes, bytearray, memoryview)):
            raise TypeMismatchError(f"ByteArraySchema takes bytes, not {element!r}")
        return bytes(element)

    def deserialize(self, message: bytes) -> bytes:
        """The bytes."""
        return bytes(message)

    def get_produced_type(self) -> TypeInformation:
        """Bytes."""
        from millstream.common.typeinfo import Types

        return Types.PRIMITIVE_ARRAY(Types.BYTE())


class RowFieldExtractorSchema(SerializationSchema):
    """One field of a row, which holds bytes: for keys and values of messages that are in a row already.

    >>> from millstream.common import Row
    >>> RowFieldExtractorSchema(1).serialize(Row("name", b"content"))
    b'content'
    """

    def __init__(self, field_index: int) -> None:
        """``field_index`` counts from 0. Raises ``ValueError`` if it is negative."""
        if isinstance(field_index, bool) or not isinstance(field_index, int):
            raise TypeError(f"a field's index is a whole number, not {field_index!r}")
        if field_index < 0:
            raise ValueError(f"Field index must be non-negative, got: {field_index}")
        self._field_index = field_index

    def serialize(self, element: Any) -> bytes:
        """The field's bytes; none for a row or field that is ``None``. Raises ``TypeMismatchError`` for a field that holds something else."""
        if element is None:
            return b""
        if self._field_index >= len(element):
            raise TypeMismatchError(f"the row {element!r} has no field {self._field_index}")
        field = element[self._field_index]
        if field is None:
            return b""
        if not isinstance(field, (bytes, bytearray, memoryview)):
            raise TypeMismatchError(f"field {self._field_index} of {element!r} holds no bytes, but {type(field).__name__}")
        return bytes(field)


class BulkWriterFactory:
    """How a file sink writes whole files: ``FileSink.for_bulk_format`` takes one. The formats package has some.

    One's own gives :meth:`open_writer`.

    >>> from millstream.datastream.formats.csv import CsvBulkWriters, CsvSchema
    >>> factory = CsvBulkWriters.for_schema(CsvSchema.builder().add_string_column("name").build())
    >>> isinstance(factory, BulkWriterFactory)
    True
    """

    def __init__(self, j_bulk_writer_factory: Any = None) -> None:
        _refuse_java(j_bulk_writer_factory)

    def open_writer(self, path: str) -> PythonFileWriter:
        """Begins a file. Raises ``UnsupportedError`` unless a subclass gives it. Millstream's own."""
        raise UnsupportedError(f"{type(self).__name__} does not say how a file is written: give it a method open_writer(path)")


class RowDataBulkWriterFactory(BulkWriterFactory):
    """A factory for rows of one type.

    >>> from millstream.datastream.formats.csv import CsvBulkWriters, CsvSchema
    >>> CsvBulkWriters.for_schema(CsvSchema.builder().add_string_column("name").build()).get_row_type()
    RowTypeInfo(name: String)
    """

    def __init__(self, j_bulk_writer_factory: Any, row_type: TypeInformation) -> None:
        super().__init__(j_bulk_writer_factory)
        self._row_type = row_type

    def get_row_type(self) -> TypeInformation:
        """The type of the rows."""
        return self._row_type


class Encoder:
    """How a file sink writes records.

    >>> Encoder.csv_encoder(delimiter=";", header=True)
    <Encoder csv>
    """

    def __init__(self, format: str, options: dict[str, str] | None = None) -> None:
        self._format = format
        self._options = options or {}

    @staticmethod
    def simple_string_encoder(charset_name: str = "UTF-8") -> Encoder:
        """A line of text per record: the text of a value, as printed. Raises ``ValueError`` for a character set other than UTF-8."""
        checked_charset(charset_name)
        return Encoder("text")

    @staticmethod
    def csv_encoder(delimiter: str = ",", quote: str | None = '"', null_literal: str | None = None, header: bool = False) -> Encoder:
        """A line of comma-separated values per record: ``CsvRowFormat`` of the formats package. Millstream's own."""
        from millstream.datastream.formats.csv import CsvRowFormat

        return CsvRowFormat(delimiter, quote, null_literal, header)

    @staticmethod
    def json_encoder() -> Encoder:
        """A JSON object per line: ``JsonRowFormat`` of the formats package. Millstream's own."""
        from millstream.datastream.formats.json import JsonRowFormat

        return JsonRowFormat()

    def __repr__(self) -> str:
        return f"<Encoder {self._format}>"


def _refuse_java(candidate: Any) -> None:
    if candidate is not None:
        raise UnsupportedError(f"{candidate!r} is no schema that there is: a Java object cannot stand behind it, as there is no JVM here")


def checked_charset(name: str) -> str:
    """The name of a character set that can be read and written: UTF-8, or its part ASCII. Raises ``ValueError`` for others."""
    import codecs

    try:
        found = codecs.lookup(name).name
    except LookupError:
        raise ValueError(f"there is no character set {name!r}") from None
    if found not in ("utf-8", "ascii"):
        raise ValueError(f"text is read and written in UTF-8; {name!r} is not supported")
    return name


guard(globals())
