"""Avro files and messages. They need fastavro: ``pip install fastavro``. A record is a dict."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from os import PathLike
from typing import Any

from millstream._tracebacks import guard
from millstream.common.io import InputFormat
from millstream.common.serialization import BulkWriterFactory, DeserializationSchema, SerializationSchema
from millstream.common.typeinfo import RowTypeInfo, TypeInformation, Types
from millstream.datastream.connectors.base import Source
from millstream.datastream.connectors.file_system import checked_paths
from millstream.datastream.connectors.python_files import PythonFileReader, PythonFilesSource, PythonFileWriter
from millstream.datastream.formats.columnar import plain, shaped
from millstream.exceptions import DecodeError, PlanError, TypeMismatchError, UnsupportedError

__all__ = [
    "AvroBulkWriters",
    "AvroInputFormat",
    "AvroRowDeserializationSchema",
    "AvroRowSerializationSchema",
    "AvroSchema",
    "GenericRecordAvroTypeInfo",
]

#: How many records an Avro file's reader gives at once.
_BATCH_RECORDS = 1_024


class AvroSchema:
    """A schema, as JSON describes it.

    >>> str(AvroSchema.parse_string('{"type": "record", "name": "Point", "fields": [{"name": "x", "type": "int"}]}'))
    '{"type": "record", "name": "Point", "fields": [{"name": "x", "type": "int"}]}'
    """

    def __init__(self, definition: Any) -> None:
        """``definition`` is what JSON gives for the schema."""
        self._definition = definition

    @staticmethod
    def parse_string(json_schema: str) -> AvroSchema:
        """The schema of a text. Raises ``PlanError`` for text that is no JSON, or no Avro schema."""
        try:
            definition = json.loads(json_schema)
        except ValueError as error:
            raise PlanError(f"the Avro schema is no JSON: {error}") from None
        if not isinstance(definition, (dict, list, str)):
            raise PlanError(f"{json_schema!r} is no Avro schema")
        return AvroSchema(definition)

    @staticmethod
    def parse_file(file_path: str | PathLike[str]) -> AvroSchema:
        """The schema of a file. Raises ``OSError`` if it cannot be read."""
        with open(file_path, encoding="utf-8") as file:
            return AvroSchema.parse_string(file.read())

    def parsed(self) -> Any:
        """The schema as fastavro takes it. Raises ``PlanError`` for a schema that is none. Millstream's own."""
        fastavro = import_fastavro("an Avro schema")
        try:
            return fastavro.parse_schema(json.loads(json.dumps(self._definition)))
        except Exception as error:
            raise PlanError(f"{self} is no Avro schema: {error}") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AvroSchema) and self._definition == other._definition

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        return json.dumps(self._definition)

    def __repr__(self) -> str:
        return f"AvroSchema({self})"


class GenericRecordAvroTypeInfo(TypeInformation):
    """The type of a stream of records with one schema: dicts by the names of the fields, passed by reference.

    >>> schema = AvroSchema.parse_string('{"type": "record", "name": "Word", "fields": [{"name": "word", "type": "string"}]}')
    >>> GenericRecordAvroTypeInfo(schema).get_schema() == schema
    True
    """

    def __init__(self, schema: AvroSchema) -> None:
        self._schema = _checked_schema(schema)

    def get_schema(self) -> AvroSchema:
        """The schema. Millstream's own."""
        return self._schema

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GenericRecordAvroTypeInfo) and self._schema == other._schema

    def __hash__(self) -> int:
        return hash(self._schema)

    def __repr__(self) -> str:
        return f"GenericRecordAvroTypeInfo({self._schema})"


class AvroInputFormat(InputFormat):
    """Records of Avro files, for ``env.create_input``; ``schema`` is what the records are read as, by Avro's rules of schema resolution.

    >>> schema = AvroSchema.parse_string('{"type": "record", "name": "Word", "fields": [{"name": "word", "type": "string"}]}')
    >>> AvroInputFormat("/tmp/words.avro", schema).get_produced_type()
    GenericRecordAvroTypeInfo({"type": "record", "name": "Word", "fields": [{"name": "word", "type": "string"}]})
    """

    def __init__(self, path: str | PathLike[str], schema: AvroSchema) -> None:
        self._paths = checked_paths(path)
        self._type_info = GenericRecordAvroTypeInfo(schema)

    def get_produced_type(self) -> GenericRecordAvroTypeInfo:
        """The type of the records."""
        return self._type_info

    def to_source(self, type_info: TypeInformation | None) -> Source:
        """The source that reads the files."""
        reader = _RecordsOfAvro(self._type_info.get_schema().parsed())
        return PythonFilesSource(self._paths, reader, type_info or self._type_info, None)


class AvroBulkWriters:
    """Writes records to Avro files, for ``FileSink.for_bulk_format``.

    >>> schema = AvroSchema.parse_string('{"type": "record", "name": "Word", "fields": [{"name": "word", "type": "string"}]}')
    >>> factory = AvroBulkWriters.for_generic_record(schema)
    """

    @staticmethod
    def for_generic_record(schema: AvroSchema) -> BulkWriterFactory:
        """A factory for dicts with the schema's fields. Raises ``ImportError`` without fastavro."""
        return _AvroWriterFactory(_checked_schema(schema).parsed())


class AvroRowSerializationSchema(SerializationSchema):
    r"""Rows as Avro messages, without a file's header. Raises ``UnsupportedError`` for a Java record class: there is no JVM here.

    >>> import json
    >>> from millstream.common import Row
    >>> schema = {"type": "record", "name": "Word", "fields": [{"name": "word", "type": "string"}]}
    >>> AvroRowSerializationSchema(avro_schema_string=json.dumps(schema)).serialize(Row(word="to"))
    b'\x04to'
    """

    def __init__(self, record_class: str | None = None, avro_schema_string: str | None = None) -> None:
        self._schema, self._row_type = _schema_and_type(record_class, avro_schema_string)

    def serialize(self, element: Any) -> bytes:
        """The message of a row, tuple or dict. Raises ``TypeMismatchError`` for one that does not fit the schema."""
        fastavro = import_fastavro("AvroRowSerializationSchema")
        buffer = io.BytesIO()
        try:
            fastavro.schemaless_writer(buffer, self._schema, plain(element, self._row_type))
        except Exception as error:
            raise TypeMismatchError(f"{element!r} does not fit the Avro schema: {error}") from None
        return buffer.getvalue()


class AvroRowDeserializationSchema(DeserializationSchema):
    """Avro messages as rows. Raises ``UnsupportedError`` for a Java record class: there is no JVM here.

    >>> text = '{"type": "record", "name": "Point", "fields": [{"name": "x", "type": "int"}, {"name": "label", "type": ["null", "string"]}]}'
    >>> from millstream.common import Row
    >>> message = AvroRowSerializationSchema(avro_schema_string=text).serialize(Row(7, None))
    >>> AvroRowDeserializationSchema(avro_schema_string=text).deserialize(message)
    Row(x=7, label=None)
    """

    def __init__(self, record_class: str | None = None, avro_schema_string: str | None = None) -> None:
        self._schema, self._row_type = _schema_and_type(record_class, avro_schema_string)

    def deserialize(self, message: bytes) -> Any:
        """The row of a message. Raises ``DecodeError`` for bytes that are none."""
        fastavro = import_fastavro("AvroRowDeserializationSchema")
        try:
            record = fastavro.schemaless_reader(io.BytesIO(message), self._schema, None)
        except Exception as error:
            raise DecodeError(f"the message {bytes(message[:50])!r} is no Avro record of the schema: {type(error).__name__} {error}") from None
        return shaped(record, self._row_type)

    def get_produced_type(self) -> RowTypeInfo:
        """The type of the rows."""
        return self._row_type


class _RecordsOfAvro(PythonFileReader):
    def __init__(self, schema: Any) -> None:
        self._schema = schema

    def read(self, path: str) -> Iterator[list[Any]]:
        fastavro = import_fastavro("reading Avro")
        with open(path, "rb") as file:
            batch = []
            for record in fastavro.reader(file, self._schema):
                batch.append(record)
                if len(batch) == _BATCH_RECORDS:
                    yield batch
                    batch = []
            if batch:
                yield batch


class _AvroWriterFactory(BulkWriterFactory):
    def __init__(self, schema: Any) -> None:
        super().__init__()
        self._schema = schema

    def open_writer(self, path: str) -> PythonFileWriter:
        return _AvroWriter(path, self._schema)


class _AvroWriter(PythonFileWriter):
    def __init__(self, path: str, schema: Any) -> None:
        from fastavro.write import Writer  # type: ignore[import-not-found,unused-ignore]

        self._file = open(path, "wb")  # noqa: SIM115 - closed in finish()
        self._writer = Writer(self._file, schema)

    def write(self, values: list[Any]) -> None:
        for value in values:
            self._writer.write(value)

    def finish(self) -> None:
        self._writer.flush()
        self._file.close()

    def size(self) -> int:
        return self._file.tell()


def import_fastavro(what: str) -> Any:
    """The module; raises ``ImportError`` with what to install."""
    try:
        import fastavro  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise ImportError(f"{what} needs fastavro: pip install fastavro") from error
    return fastavro


def row_type_of_record(schema: AvroSchema) -> RowTypeInfo:
    """The row type of a record schema, as Flink converts it. Raises ``PlanError`` for other schemas, and for types that a row cannot have."""
    definition = _checked_schema(schema)._definition
    found = _type_of(definition, str(schema)[:80], {})
    if not isinstance(found, RowTypeInfo):
        raise PlanError(f"rows need an Avro record, and {schema} is none")
    return found


_SIMPLE = {
    "boolean": Types.BOOLEAN(),
    "int": Types.INT(),
    "long": Types.LONG(),
    "float": Types.FLOAT(),
    "double": Types.DOUBLE(),
    "string": Types.STRING(),
    "bytes": Types.PRIMITIVE_ARRAY(Types.BYTE()),
    "null": Types.PICKLED_BYTE_ARRAY(),
}


def _type_of(definition: Any, where: str, named: dict[str, TypeInformation]) -> TypeInformation:
    if isinstance(definition, list):
        branches = [branch for branch in definition if branch != "null"]
        # A union of several types has no type of its own: its values stay Python objects.
        return _type_of(branches[0], where, named) if len(branches) == 1 else Types.PICKLED_BYTE_ARRAY()
    if isinstance(definition, str):
        found = _SIMPLE.get(definition) or named.get(definition)
        if found is None:
            raise PlanError(f"{where}: there is no Avro type {definition!r}, or it contains itself")
        return found
    kind, logical = definition.get("type"), definition.get("logicalType")
    if logical == "decimal":
        return Types.DECIMAL(int(definition["precision"]), int(definition.get("scale", 0)))
    if logical == "date":
        return Types.SQL_DATE()
    if logical in ("time-millis", "time-micros"):
        return Types.SQL_TIME()
    if logical in ("timestamp-millis", "timestamp-micros", "local-timestamp-millis", "local-timestamp-micros"):
        return Types.SQL_TIMESTAMP()
    if kind == "record":
        fields = definition["fields"]
        types = [_type_of(field["type"], f"{where}, field {field['name']!r}", named) for field in fields]
        found = named[definition["name"]] = RowTypeInfo(types, [field["name"] for field in fields])
        return found
    if kind == "array":
        return Types.LIST(_type_of(definition["items"], where, named))
    if kind == "map":
        return Types.MAP(Types.STRING(), _type_of(definition["values"], where, named))
    if kind == "enum":
        named[definition["name"]] = Types.STRING()
        return Types.STRING()
    if kind == "fixed":
        named[definition["name"]] = _SIMPLE["bytes"]
        return _SIMPLE["bytes"]
    return _type_of(kind, where, named)


def _checked_schema(schema: Any) -> AvroSchema:
    if not isinstance(schema, AvroSchema):
        raise TypeError(f"an AvroSchema is needed, e.g. AvroSchema.parse_string(text), not {schema!r}")
    return schema


def _schema_and_type(record_class: str | None, avro_schema_string: str | None) -> tuple[Any, RowTypeInfo]:
    if record_class is None and avro_schema_string is None:
        raise TypeError("record_class or avro_schema_string should be specified.")
    if avro_schema_string is None:
        raise UnsupportedError(f"the Java class {record_class!r} cannot be loaded: there is no JVM here; give avro_schema_string")
    schema = AvroSchema.parse_string(avro_schema_string)
    return schema.parsed(), row_type_of_record(schema)


guard(globals())
