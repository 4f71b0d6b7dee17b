"""Data types of tables: what PyFlink's scripts declare columns of CSV, Parquet and ORC with."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
from millstream import _native
from millstream.common import Types
from millstream.datastream import StreamExecutionEnvironment
from millstream.datastream.connectors.file_system import FileSource
from millstream.datastream.formats.columnar import row_type_of
from millstream.datastream.formats.csv import CsvReaderFormat, CsvSchema
from millstream.table import DataTypes
from millstream.table.types import DataType, RowType

SCALARS = [
    (DataTypes.NULL(), "NULL", "NullType(true)"),
    (DataTypes.CHAR(3), "CHAR(3)", "CharType(3, true)"),
    (DataTypes.VARCHAR(20), "VARCHAR(20)", "VarCharType(20, true)"),
    (DataTypes.STRING(), "STRING", "VarCharType(2147483647, true)"),
    (DataTypes.BOOLEAN(), "BOOLEAN", "BooleanType(true)"),
    (DataTypes.BINARY(3), "BINARY(3)", "BinaryType(3, true)"),
    (DataTypes.VARBINARY(3), "VARBINARY(3)", "VarBinaryType(3, true)"),
    (DataTypes.BYTES(), "BYTES", "VarBinaryType(2147483647, true)"),
    (DataTypes.DECIMAL(5, 2), "DECIMAL(5, 2)", "DecimalType(5, 2, true)"),
    (DataTypes.TINYINT(), "TINYINT", "TinyIntType(true)"),
    (DataTypes.SMALLINT(), "SMALLINT", "SmallIntType(true)"),
    (DataTypes.INT(), "INT", "IntType(true)"),
    (DataTypes.BIGINT(), "BIGINT", "BigIntType(true)"),
    (DataTypes.FLOAT(), "FLOAT", "FloatType(true)"),
    (DataTypes.DOUBLE(False), "DOUBLE", "DoubleType(false)"),
    (DataTypes.DATE(), "DATE", "DateType(true)"),
    (DataTypes.TIME(), "TIME(0)", "TimeType(0, true)"),
    (DataTypes.TIMESTAMP(3), "TIMESTAMP(3)", "TimestampType(3, true)"),
    (DataTypes.TIMESTAMP_LTZ(3), "TIMESTAMP_LTZ(3)", "LocalZonedTimestampType(3, true)"),
    (DataTypes.TIMESTAMP_WITH_LOCAL_TIME_ZONE(), "TIMESTAMP_LTZ(6)", "LocalZonedTimestampType(6, true)"),
    (DataTypes.INTERVAL(DataTypes.YEAR(3), DataTypes.MONTH()), "INTERVAL YEAR TO MONTH", "YearMonthIntervalType(true)"),
    (DataTypes.INTERVAL(DataTypes.MONTH()), "INTERVAL YEAR TO MONTH", "YearMonthIntervalType(true)"),
    (DataTypes.INTERVAL(DataTypes.DAY(), DataTypes.HOUR()), "INTERVAL DAY TO SECOND(6)", "DayTimeIntervalType(true)"),
    (DataTypes.INTERVAL(DataTypes.MINUTE(), DataTypes.SECOND(3)), "INTERVAL DAY TO SECOND(3)", "DayTimeIntervalType(true)"),
    (DataTypes.ARRAY(DataTypes.INT()), "ARRAY<INT>", "ArrayType(IntType(true), true)"),
    (DataTypes.MULTISET(DataTypes.INT()), "MULTISET<INT>", "MultisetType(IntType(true), true)"),
    (
        DataTypes.MAP(DataTypes.STRING(), DataTypes.INT(), False), "MAP<STRING NOT NULL, INT>",
        "MapType(VarCharType(2147483647, true), IntType(true), false)",
    ),
    (
        DataTypes.ROW([DataTypes.FIELD("a b`c", DataTypes.INT()), DataTypes.FIELD("d", DataTypes.STRING(), "text")]), "ROW<`a b``c` INT, d STRING>",
        "RowType(RowField(a b`c, IntType(true), ...),RowField(d, VarCharType(2147483647, true), text))",
    ),
]  # fmt: skip


@pytest.mark.parametrize("data_type, schema, shown", SCALARS)
def test_each_type(data_type: DataType, schema: str, shown: str) -> None:
    assert repr(data_type) == shown
    assert data_type.to_type_info().schema() == schema
    # The engine takes it, and says the same.
    assert _native.parse_schema(f"ROW<f {schema}>") == _native.parse_schema(row_type_of(DataTypes.ROW([DataTypes.FIELD("f", data_type)]), "f").schema())
    assert data_type.not_null() != data_type.nullable() and data_type.not_null().nullable() == data_type.nullable()
    assert hash(data_type) == hash(data_type.nullable()) and {data_type: 1}[data_type] == 1


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: DataTypes.DECIMAL(39, 0), ValueError, "the precision of a decimal is from 1 to 38, but is 39"),
        (lambda: DataTypes.DECIMAL(5, 6), ValueError, "the scale of a decimal is from 0 to 5, but is 6"),
        (lambda: DataTypes.VARCHAR(0), ValueError, "a length is from 1 to 2147483647, but is 0"),
        (lambda: DataTypes.CHAR("3"), TypeError, "a length is an int, not '3'"),
        (lambda: DataTypes.TIMESTAMP(10), ValueError, "the precision of a time is from 0 to 9, but is 10"),
        (lambda: DataTypes.ARRAY(int), TypeError, "an element's type is a type such as DataTypes.INT"),
        (lambda: DataTypes.MAP(DataTypes.INT, DataTypes.INT()), TypeError, "a key's type is a type such as"),
        (lambda: DataTypes.ROW(["a"]), TypeError, "a field of a row is one of DataTypes.FIELD, not 'a'"),
        (lambda: DataTypes.FIELD(1, DataTypes.INT()), TypeError, "a field's name is a text, not 1"),
        (lambda: RowType().add("a"), ValueError, "field 'a' needs a type"),
        (lambda: RowType().add("a", DataTypes.INT()).add("a", DataTypes.INT()), ValueError, "two fields of the row are called 'a'"),
        (lambda: RowType()["a"], KeyError, "no field is called 'a'"),
        (lambda: DataTypes.INTERVAL(DataTypes.HOUR(), DataTypes.MONTH()), ValueError, "there is no interval of HOUR to MONTH"),
        (lambda: CsvSchema.builder().add_number_column("n", DataTypes.BIGINT), TypeError, "the type of column 'n'"),
        (lambda: row_type_of(DataTypes.INT(), "Parquet"), TypeError, "Parquet needs a row type"),
    ],
)
def test_mistakes(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_streams_take_them_too() -> None:
    env = StreamExecutionEnvironment.get_execution_environment()
    declared = DataTypes.ROW([DataTypes.FIELD("id", DataTypes.BIGINT()), DataTypes.FIELD("name", DataTypes.STRING())])
    stream = env.from_collection([(1, "ann"), (2, None)], declared)  # type: ignore[arg-type]
    assert stream.get_type() == Types.ROW_NAMED(["id", "name"], [Types.LONG(), Types.STRING()])
    assert [(row.id, row.name) for row in stream.execute_and_collect()] == [(1, "ann"), (2, None)]


def test_columns_of_csv(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.csv").write_text("1;ann;1.5;a#b\n2;bob;;c\n")
    schema = (
        CsvSchema.builder()
        .add_number_column("id", number_type=DataTypes.BIGINT())
        .add_string_column("name")
        .add_number_column("price", number_type=DataTypes.DECIMAL(10, 2))
        .add_array_column("tags", separator="#", element_type=DataTypes.STRING())
        .set_column_separator(";")
        .set_null_value("")
        .build()
    )
    env = StreamExecutionEnvironment.get_execution_environment()
    from millstream.common import WatermarkStrategy

    source = FileSource.for_record_stream_format(CsvReaderFormat.for_schema(schema), str(tmp_path)).build()
    rows = env.from_source(source, WatermarkStrategy.no_watermarks(), "csv").map(lambda row: (row.id, row.name, str(row.price), row.tags))
    assert list(rows.execute_and_collect()) == [(1, "ann", "1.50", ["a", "b"]), (2, "bob", "None", ["c"])]


def test_rows_of_parquet(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("pyarrow")
    from millstream.common import WatermarkStrategy
    from millstream.datastream.connectors.file_system import FileSink
    from millstream.datastream.formats.parquet import ParquetBulkWriters, ParquetColumnarRowInputFormat

    row_type = DataTypes.ROW([DataTypes.FIELD("id", DataTypes.BIGINT()), DataTypes.FIELD("price", DataTypes.DECIMAL(10, 2))])
    env = StreamExecutionEnvironment.get_execution_environment()
    rows = env.from_collection([(1, None), (2, None)], row_type)  # type: ignore[arg-type]
    rows.sink_to(FileSink.for_bulk_format(str(tmp_path / "out"), ParquetBulkWriters.for_row_type(row_type)).build())
    env.execute()
    source = FileSource.for_bulk_file_format(ParquetColumnarRowInputFormat(row_type, batch_size=1), str(tmp_path / "out")).build()
    read = env.from_source(source, WatermarkStrategy.no_watermarks(), "parquet")
    assert sorted((row.id, row.price) for row in read.execute_and_collect()) == [(1, None), (2, None)]
