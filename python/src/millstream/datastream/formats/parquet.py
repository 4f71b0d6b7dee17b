"""Parquet files. They need pyarrow: ``pip install pyarrow``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from millstream._tracebacks import guard
from millstream.common.configuration import Configuration
from millstream.common.serialization import BulkWriterFactory
from millstream.common.typeinfo import RowTypeInfo
from millstream.datastream.arrow import import_pyarrow
from millstream.datastream.connectors.file_system import BulkFormat, StreamFormat
from millstream.datastream.connectors.python_files import PythonFileReader
from millstream.datastream.formats.avro import AvroSchema, GenericRecordAvroTypeInfo, row_type_of_record
from millstream.datastream.formats.columnar import ColumnarWriterFactory, ColumnsWriter, RowsOfBatches, row_type_of

__all__ = ["AvroParquetReaders", "AvroParquetWriters", "ParquetBulkWriters", "ParquetColumnarRowInputFormat"]


class ParquetColumnarRowInputFormat(BulkFormat):
    """Rows of Parquet files, for ``FileSource.for_bulk_file_format``: the columns of ``row_type``, found by name.

    A column that a file does not have is null. With ``is_case_sensitive=False`` names are compared without regard to case.

    >>> format = ParquetColumnarRowInputFormat("ROW<word STRING, n BIGINT>", batch_size=1_000)
    """

    def __init__(
        self,
        row_type: RowTypeInfo | str | Any,
        hadoop_config: Configuration | None = None,
        batch_size: int = 2048,
        is_utc_timestamp: bool = False,
        is_case_sensitive: bool = True,
    ) -> None:
        """``row_type`` is a row type or the text of a schema; ``hadoop_config`` and ``is_utc_timestamp`` have no effect: times are as written.

        Raises ``ImportError`` without pyarrow, ``TypeError`` for what is no row type, ``ValueError`` for a batch size below 1.
        """
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"the batch size is a number of rows, not {batch_size!r}")
        found = row_type_of(row_type, "ParquetColumnarRowInputFormat")
        import_pyarrow("reading Parquet")

        def batches(path: str) -> Iterator[Any]:
            return _batches(path, found, batch_size, is_case_sensitive)

        super().__init__(found, RowsOfBatches(found, batches))


class ParquetBulkWriters:
    """Writes rows of one type to Parquet files, for ``FileSink.for_bulk_format``."""

    @staticmethod
    def for_row_type(row_type: RowTypeInfo | str | Any, hadoop_config: Configuration | None = None, utc_timestamp: bool = False) -> BulkWriterFactory:
        """A factory for rows of this type. Keys of ``hadoop_config`` that are understood: ``parquet.compression``.

        Raises ``ImportError`` without pyarrow, ``TypeError`` for what is no row type.

        >>> ParquetBulkWriters.for_row_type("ROW<name STRING, n BIGINT>").get_row_type()
        RowTypeInfo(name: String, n: Long)
        """
        found = row_type_of(row_type, "ParquetBulkWriters")
        compression = (hadoop_config or Configuration()).get_string("parquet.compression", "snappy") or "snappy"
        return ColumnarWriterFactory(found, "writing Parquet", lambda path: _ParquetWriter(path, found, compression.lower()))


class AvroParquetReaders:
    """Reads Parquet files as Avro records.

    >>> from millstream.datastream.formats.avro import AvroSchema
    >>> schema = AvroSchema.parse_string('{"type": "record", "name": "Word", "fields": [{"name": "word", "type": "string"}]}')
    >>> format = AvroParquetReaders.for_generic_record(schema)
    """

    @staticmethod
    def for_generic_record(schema: AvroSchema) -> StreamFormat:
        """A format for ``FileSource.for_record_stream_format``: each record is a dict by the schema's fields."""
        row_type = row_type_of_record(schema)
        import_pyarrow("reading Parquet")
        return StreamFormat(GenericRecordAvroTypeInfo(schema), {"format": "parquet"}, _RecordsOfParquet(row_type))


class AvroParquetWriters:
    """Writes Avro records to Parquet files.

    >>> from millstream.datastream.formats.avro import AvroSchema
    >>> schema = AvroSchema.parse_string('{"type": "record", "name": "Word", "fields": [{"name": "word", "type": "string"}]}')
    >>> factory = AvroParquetWriters.for_generic_record(schema)
    """

    @staticmethod
    def for_generic_record(schema: AvroSchema) -> BulkWriterFactory:
        """A factory for dicts with the schema's fields."""
        row_type = row_type_of_record(schema)
        return ColumnarWriterFactory(row_type, "writing Parquet", lambda path: _ParquetWriter(path, row_type, "snappy"))


class _ParquetWriter(ColumnsWriter):
    def __init__(self, path: str, row_type: RowTypeInfo, compression: str) -> None:
        super().__init__(row_type, "writing Parquet")
        import pyarrow.parquet  # type: ignore[import-untyped,unused-ignore]

        self._writer = pyarrow.parquet.ParquetWriter(path, self.schema, compression=compression)

    def write_table(self, table: Any) -> None:
        self._writer.write_table(table)

    def finish(self) -> None:
        self._flush()
        self._writer.close()


class _RecordsOfParquet(PythonFileReader):
    def __init__(self, row_type: RowTypeInfo) -> None:
        self._row_type = row_type

    def read(self, path: str) -> Iterator[list[Any]]:
        for batch in _batches(path, self._row_type, 2048, True):
            yield batch.to_pylist()


def _batches(path: str, row_type: RowTypeInfo, batch_size: int, is_case_sensitive: bool) -> Iterator[Any]:
    """The wanted columns of a file, with their declared types."""
    import pyarrow
    import pyarrow.parquet

    from millstream.datastream.formats.columnar import arrow_fields

    wanted = pyarrow.schema(arrow_fields(pyarrow, row_type, "reading Parquet"))
    with pyarrow.parquet.ParquetFile(path) as file:
        names = {name if is_case_sensitive else name.lower(): name for name in reversed(file.schema_arrow.names)}
        there = [names.get(name if is_case_sensitive else name.lower()) for name in wanted.names]
        for batch in file.iter_batches(batch_size, columns=[name for name in there if name is not None]):
            columns = [
                pyarrow.nulls(batch.num_rows, field.type) if name is None else batch.column(name).cast(field.type)
                for name, field in zip(there, wanted, strict=True)
            ]
            yield pyarrow.RecordBatch.from_arrays(columns, schema=wanted)


guard(globals())
