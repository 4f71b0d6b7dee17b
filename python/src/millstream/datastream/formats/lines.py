"""Files of lines, read and written by Python: for what the engine's own reader and writer are not used for (hybrid sources, folders by date)."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

from millstream._tracebacks import guard
from millstream.common.serialization import DeserializationSchema, SerializationSchema, SimpleStringSchema
from millstream.common.typeinfo import RowTypeInfo, TypeInformation
from millstream.datastream.connectors.python_files import PythonFileReader, PythonFileWriter
from millstream.exceptions import DecodeError, UnsupportedError

_BATCH_LINES = 4_096
_CSV_OPTIONS = frozenset(
    {"format", "csv.delimiter", "csv.quote", "csv.escape", "csv.null-literal", "csv.header", "csv.comment", "skip-malformed"}
)


def line_reader(options: Mapping[str, str], type_info: TypeInformation, skipped_lines: int = 0) -> PythonFileReader:
    """A reader of text, CSV or JSON lines. Raises ``UnsupportedError`` for options that only the engine's reader knows."""
    from millstream.datastream.formats.csv import CsvRowDeserializationSchema
    from millstream.datastream.formats.json import JsonRowDeserializationSchema

    kind = options.get("format")
    skips = options.get("skip-malformed") == "true"
    if kind == "text":
        return _LineReader(SimpleStringSchema(), 0, False)
    if kind == "json":
        return _LineReader(JsonRowDeserializationSchema(type_info), 0, skips)
    unknown = sorted(set(options) - _CSV_OPTIONS)
    if kind != "csv" or unknown or not isinstance(type_info, RowTypeInfo):
        raise UnsupportedError(f"files of format {kind} with {', '.join(unknown) or 'this type'} are read by the engine alone")
    builder = CsvRowDeserializationSchema.Builder(type_info)
    builder.set_field_delimiter(options.get("csv.delimiter", ",")).set_allow_comments("csv.comment" in options)
    builder._quote = options.get("csv.quote") or None
    if "csv.escape" in options:
        builder.set_escape_character(options["csv.escape"])
    if "csv.null-literal" in options:
        builder.set_null_literal(options["csv.null-literal"])
    return _LineReader(builder.build(), skipped_lines + (1 if options.get("csv.header") == "true" else 0), skips)


def line_writer(
    options: Mapping[str, str], type_info: TypeInformation, line_end: str = "\n", prepare: Callable[[Any], Any] | None = None
) -> Callable[[str], PythonFileWriter]:
    """What begins a file of text, CSV or JSON lines."""
    from millstream.datastream.formats.csv import CsvRowSerializationSchema
    from millstream.datastream.formats.json import JsonRowSerializationSchema

    kind = options["format"]
    if kind == "text":
        return lambda path: _LineWriter(path, lambda value: f"{value}\n".encode(), b"")
    schema: SerializationSchema
    if kind == "json":
        schema = JsonRowSerializationSchema(type_info)
        return lambda path: _LineWriter(path, lambda value: (schema.serialize(value) or b"") + b"\n", b"")
    builder = CsvRowSerializationSchema.Builder(type_info).set_field_delimiter(options.get("csv.delimiter", ","))
    builder._quote = options.get("csv.quote") or None
    builder._null_literal = options.get("csv.null-literal")
    builder.set_line_delimiter(line_end)
    schema = builder.build()
    header = b""
    if options.get("csv.header") == "true" and isinstance(type_info, RowTypeInfo):
        header = (options.get("csv.delimiter", ",").join(type_info.get_field_names()) + line_end).encode()
    if prepare is None:
        return lambda path: _LineWriter(path, schema.serialize, header)
    return lambda path: _LineWriter(path, lambda value: schema.serialize(prepare(value)), header)


class _LineReader(PythonFileReader):
    def __init__(self, schema: DeserializationSchema, skipped_lines: int, skips_malformed: bool) -> None:
        self._schema = schema
        self._skipped_lines = skipped_lines
        self._skips_malformed = skips_malformed

    def read(self, path: str) -> Iterator[list[Any]]:
        opened: Any = gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb")  # noqa: SIM115 - closed by the next line
        with opened as file:
            batch: list[Any] = []
            for number, line in enumerate(file, 1):
                text = line.rstrip(b"\r\n")
                if number <= self._skipped_lines or (not text and not isinstance(self._schema, SimpleStringSchema)):
                    continue
                try:
                    value = self._schema.deserialize(text)
                except DecodeError as error:
                    if self._skips_malformed:
                        continue
                    raise DecodeError(f"{path}, line {number}: {error}") from None
                if value is not None:
                    batch.append(value)
                if len(batch) == _BATCH_LINES:
                    yield batch
                    batch = []
            if batch:
                yield batch


class _LineWriter(PythonFileWriter):
    def __init__(self, path: str, line: Callable[[Any], bytes | None], header: bytes) -> None:
        self._file: IO[bytes] = open(path, "wb")  # noqa: SIM115 - closed in finish()
        self._line = line
        self._file.write(header)

    def write(self, values: list[Any]) -> None:
        line = self._line
        self._file.write(b"".join([line(value) or b"" for value in values]))

    def finish(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def size(self) -> int:
        return self._file.tell()


guard(globals())
