"""ORC files. They need pyarrow: ``pip install pyarrow``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from millstream._tracebacks import guard
from millstream.common.configuration import Configuration
from millstream.common.serialization import BulkWriterFactory
from millstream.common.typeinfo import RowTypeInfo
from millstream.datastream.arrow import import_pyarrow
from millstream.datastream.connectors.file_system import BulkFormat
from millstream.datastream.formats.columnar import ColumnarWriterFactory, ColumnsWriter, RowsOfBatches, arrow_fields, row_type_of

__all__ = ["OrcBulkWriters", "OrcRowInputFormat"]


class OrcBulkWriters:
    """Writes rows of one type to ORC files, for ``FileSink.for_bulk_format``.

    >>> factory = OrcBulkWriters.for_row_type("ROW<word STRING, n BIGINT>")
    """

    @staticmethod
    def for_row_type(
        row_type: RowTypeInfo | str | Any, writer_properties: Configuration | None = None, hadoop_config: Configuration | None = None
    ) -> BulkWriterFactory:
        """A factory for rows of this type. Keys of ``writer_properties`` that are understood: ``orc.compress``; ``hadoop_config`` has no effect.

        Raises ``ImportError`` without pyarrow, ``TypeError`` for what is no row type.
        """
        found = row_type_of(row_type, "OrcBulkWriters")
        compression = (writer_properties or Configuration()).get_string("orc.compress", "ZLIB") or "ZLIB"
        return ColumnarWriterFactory(found, "writing ORC", lambda path: _OrcWriter(path, found, compression.lower()))


class OrcRowInputFormat(BulkFormat):
    """Rows of ORC files, for ``FileSource.for_bulk_file_format``: the columns of ``row_type``, found by name. Only Java has it in Flink.

    >>> format = OrcRowInputFormat("ROW<word STRING, n BIGINT>")
    """

    def __init__(self, row_type: RowTypeInfo | str | Any) -> None:
        """Raises ``ImportError`` without pyarrow, ``TypeError`` for what is no row type."""
        found = row_type_of(row_type, "OrcRowInputFormat")
        import_pyarrow("reading ORC")

        def batches(path: str) -> Iterator[Any]:
            import pyarrow  # type: ignore[import-untyped,unused-ignore]
            import pyarrow.orc  # type: ignore[import-untyped,unused-ignore]

            wanted = pyarrow.schema(arrow_fields(pyarrow, found, "reading ORC"))
            file = pyarrow.orc.ORCFile(path)
            for stripe in range(file.nstripes):
                batch = file.read_stripe(stripe, columns=wanted.names)
                columns = [batch.column(field.name).cast(field.type) for field in wanted]
                yield pyarrow.RecordBatch.from_arrays(columns, schema=wanted)

        super().__init__(found, RowsOfBatches(found, batches))


class _OrcWriter(ColumnsWriter):
    def __init__(self, path: str, row_type: RowTypeInfo, compression: str) -> None:
        super().__init__(row_type, "writing ORC")
        import pyarrow.orc

        self._writer = pyarrow.orc.ORCWriter(path, compression="uncompressed" if compression == "none" else compression)
        self._is_empty = True

    def write_table(self, table: Any) -> None:
        # pyarrow's writer takes the fields of a struct from the array's start where it has an offset and nulls: a copy has no offset.
        if any(self._pyarrow.types.is_nested(field.type) for field in self.schema):
            table = table.take(self._pyarrow.array(range(table.num_rows)))
        self._writer.write(table)
        self._is_empty = False

    def finish(self) -> None:
        self._flush()
        if self._is_empty:
            # A file without rows has its columns all the same.
            self._writer.write(self.schema.empty_table())
        self._writer.close()


guard(globals())
