"""Formats and file connectors: messages, Parquet, ORC and Avro files, folders by date, hybrid sources."""

from __future__ import annotations

import datetime
import decimal
import gzip
import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from millstream.common import ByteArraySchema, Configuration, Duration, Encoder, Instant, Row, SimpleStringSchema, Types, WatermarkStrategy
from millstream.common.io import InputFormat
from millstream.common.serialization import BulkWriterFactory, DeserializationSchema, RowFieldExtractorSchema, SerializationSchema
from millstream.datastream import StreamExecutionEnvironment
from millstream.datastream.connectors.base import Sink, Source, StreamTransformer, SupportsPreprocessing
from millstream.datastream.connectors.date_folders import DateFolders
from millstream.datastream.connectors.file_system import (
    BucketAssigner,
    FileCompactor,
    FileCompactStrategy,
    FileEnumeratorProvider,
    FileSink,
    FileSource,
    FileSplitAssignerProvider,
    OutputFileConfig,
    RollingPolicy,
    StreamFormat,
    StreamingFileSink,
)
from millstream.datastream.connectors.hybrid_source import HybridSource
from millstream.datastream.connectors.number_seq import NumberSequenceSource
from millstream.datastream.connectors.python import CallableSource, PythonSink
from millstream.datastream.formats.csv import (
    CsvBulkWriters,
    CsvReaderFormat,
    CsvRowDeserializationSchema,
    CsvRowSerializationSchema,
    CsvSchema,
)
from millstream.datastream.formats.json import JsonReaderFormat, JsonRowDeserializationSchema, JsonRowSerializationSchema
from millstream.exceptions import ConfigurationError, DecodeError, InputOutputError, PlanError, TypeMismatchError, UnsupportedError
from millstream.table.expressions import col

NESTED = Types.ROW_NAMED(
    ["id", "name", "price", "flag", "day", "at", "moment", "tags", "counts", "inner", "raw"],
    [
        Types.LONG(),
        Types.STRING(),
        Types.DECIMAL(10, 2),
        Types.BOOLEAN(),
        Types.SQL_DATE(),
        Types.SQL_TIMESTAMP(),
        Types.INSTANT(),
        Types.LIST(Types.STRING()),
        Types.MAP(Types.STRING(), Types.INT()),
        Types.ROW_NAMED(["x", "y"], [Types.INT(), Types.DOUBLE()]),
        Types.PRIMITIVE_ARRAY(Types.BYTE()),
    ],
)


def nested(number: int) -> Row:
    inner = Row(number, number / 2)
    inner.set_field_names(["x", "y"])
    row = Row(
        number,
        f"näme {number}",
        (decimal.Decimal(number) / 4).quantize(decimal.Decimal("0.01")),
        number % 2 == 0,
        datetime.date(2024, 2, 1 + number % 28),
        datetime.datetime(2024, 3, 10, 2, 30, 0, 123_456),
        Instant(1_700_000_000 + number, 5_000),
        ["a", "b"][: number % 3],
        {"k": number},
        inner,
        bytes([number % 256, 0, 255]),
    )
    row.set_field_names(NESTED.get_field_names())
    return row


NULLS = Row(*[None] * 11)
NULLS.set_field_names(NESTED.get_field_names())

# ---- Messages --------------------------------------------------------------------------------------------------------------------------------


def test_text_and_bytes() -> None:
    text = SimpleStringSchema()
    assert text.deserialize(text.serialize("aé😀")) == "aé😀"
    assert text.get_produced_type() == Types.STRING()
    assert ByteArraySchema().get_produced_type() == Types.PRIMITIVE_ARRAY(Types.BYTE())
    assert ByteArraySchema().deserialize(ByteArraySchema().serialize(memoryview(b"\x00\xff"))) == b"\x00\xff"
    with pytest.raises(DecodeError, match="UTF-8"):
        text.deserialize(b"\xff")
    with pytest.raises(TypeMismatchError, match="takes text"):
        text.serialize(b"x")  # type: ignore[arg-type]
    with pytest.raises(TypeMismatchError, match="takes bytes"):
        ByteArraySchema().serialize("x")  # type: ignore[arg-type]


def test_a_field_of_bytes() -> None:
    schema = RowFieldExtractorSchema(1)
    assert [schema.serialize(row) for row in (Row(1, b"x"), Row(1, None), None, (1, bytearray(b"y")))] == [b"x", b"", b"", b"y"]
    for row, message in ((Row(1, "text"), "holds no bytes"), (Row(1), "no field 1")):
        with pytest.raises(TypeMismatchError, match=message):
            schema.serialize(row)
    with pytest.raises(ValueError, match="non-negative"):
        RowFieldExtractorSchema(-1)
    with pytest.raises(TypeError, match="whole number"):
        RowFieldExtractorSchema("1")  # type: ignore[arg-type]


def test_schemas_without_methods() -> None:
    with pytest.raises(UnsupportedError, match=r"serialize\(element\)"):
        SerializationSchema().serialize(1)
    with pytest.raises(UnsupportedError, match=r"deserialize\(message\)"):
        DeserializationSchema().deserialize(b"")
    with pytest.raises(UnsupportedError, match="no JVM"):
        SerializationSchema(object())
    with pytest.raises(UnsupportedError, match="open_writer"):
        BulkWriterFactory().open_writer("x")


def test_json_messages_come_back() -> None:
    writer = JsonRowSerializationSchema.builder().with_type_info(NESTED).build()
    reader = JsonRowDeserializationSchema.builder().type_info(NESTED).fail_on_missing_field().build()
    for row in (nested(7), nested(0), NULLS):
        assert reader.deserialize(writer.serialize(row)) == row
    assert json.loads(writer.serialize(nested(7)))["price"] == 1.75
    assert b'"price":12345678901234567890.12,' in writer.serialize(Row(*[decimal.Decimal("12345678901234567890.12") if i == 2 else None for i in range(11)]))
    assert reader.get_produced_type() == NESTED


@given(st.text(), st.integers(-(2**31), 2**31 - 1), st.floats(allow_nan=False, allow_infinity=False), st.booleans())
def test_json_and_csv_messages_of_any_content(text: str, number: int, fraction: float, flag: bool) -> None:
    type_info = Types.ROW_NAMED(["s", "i", "d", "b"], [Types.STRING(), Types.INT(), Types.DOUBLE(), Types.BOOLEAN()])
    row = Row(text, number, fraction, flag)
    row.set_field_names(["s", "i", "d", "b"])
    json_writer = JsonRowSerializationSchema.builder().with_type_info(type_info).build()
    json_reader = JsonRowDeserializationSchema.builder().type_info(type_info).build()
    assert json_reader.deserialize(json_writer.serialize(row)) == row
    if "\n" not in text and "\r" not in text:
        csv_writer, csv_reader = CsvRowSerializationSchema.Builder(type_info).build(), CsvRowDeserializationSchema.Builder(type_info).build()
        assert csv_reader.deserialize(csv_writer.serialize(row)) == row


@pytest.mark.parametrize(
    ("message", "what"),
    [
        (b"{", "Expecting"),
        (b"[1]", "no object"),
        (b'{"n": "x", "s": ""}', "invalid literal"),
        (b'{"n": 2147483648, "s": ""}', "more than 32 bits"),
        (b'{"n": 1.5, "s": ""}', "no whole number"),
        (b'{"n": 1}', "no field 's'"),
        (b"\xff", "codec"),
    ],
)
def test_json_messages_that_do_not_fit(message: bytes, what: str) -> None:
    type_info = Types.ROW_NAMED(["n", "s"], [Types.INT(), Types.STRING()])
    with pytest.raises(DecodeError, match=what):
        JsonRowDeserializationSchema.builder().type_info(type_info).fail_on_missing_field().build().deserialize(message)
    lenient = JsonRowDeserializationSchema.builder().type_info(type_info).ignore_parse_errors().build().deserialize(message)
    assert lenient is None or lenient == Row(n=1, s=None)


def test_json_builders() -> None:
    schema = json.dumps(
        {
            "type": "object",
            "properties": {
                "a": {"type": "integer"},
                "b": {"type": ["null", "string"]},
                "c": {"type": "array", "items": {"type": "boolean"}},
                "d": {"type": "string", "format": "date"},
                "e": {"type": "number"},
            },
        }
    )
    reader = JsonRowDeserializationSchema.builder().json_schema(schema).build()
    row = reader.deserialize(b'{"a": 12345678901234567890123, "b": null, "c": [true], "d": "2024-02-29", "e": 1.10}')
    assert row.as_dict() == {"a": 12345678901234567890123, "b": None, "c": [True], "d": datetime.date(2024, 2, 29), "e": decimal.Decimal("1.1")}
    with pytest.raises(TypeError, match="not set"):
        JsonRowDeserializationSchema.builder().build()
    with pytest.raises(TypeError, match="should be set"):
        JsonRowSerializationSchema.builder().build()
    with pytest.raises(PlanError, match="no JSON"):
        JsonRowDeserializationSchema.builder().json_schema("{")
    with pytest.raises(ConfigurationError, match="exclude"):
        JsonRowDeserializationSchema.builder().type_info(NESTED).ignore_parse_errors().fail_on_missing_field().build()
    with pytest.raises(TypeMismatchError, match="has 1 fields"):
        JsonRowSerializationSchema.builder().with_type_info(NESTED).build().serialize(Row(1))


def test_csv_messages() -> None:
    type_info = Types.ROW_NAMED(["n", "s", "l"], [Types.INT(), Types.STRING(), Types.LIST(Types.INT())])
    writer = CsvRowSerializationSchema.Builder(type_info)
    writer.set_field_delimiter("|").set_array_element_delimiter("+").set_null_literal("NULL").set_line_delimiter("")
    reader = CsvRowDeserializationSchema.Builder(type_info).set_field_delimiter("|").set_array_element_delimiter("+").set_null_literal("NULL")
    row = Row(n=1, s="a|b", l=[1, 2])
    assert writer.build().serialize(row) == b'1|"a|b"|1+2'
    assert reader.build().deserialize(b'1|"a|b"|1+2\r\n') == row
    assert reader.build().deserialize(b"NULL||NULL") == Row(n=None, s="", l=None)
    assert reader.set_allow_comments(True).build().deserialize(b"#1|2|3") is None
    for message, what in ((b"1|2", "2 of 3 fields"), (b"1|2|3|4", "4 fields, expected 3"), (b"x|y|1", "invalid literal"), (b'1|"a|1', "unexpected end")):
        with pytest.raises(DecodeError, match=what):
            reader.build().deserialize(message)
    nested = CsvRowDeserializationSchema.Builder(Types.ROW_NAMED(["r"], [Types.ROW_NAMED(["a", "b"], [Types.INT(), Types.INT()])]))
    with pytest.raises(DecodeError, match="in '1': the row has 1 of 2 fields"):
        nested.build().deserialize(b"1")
    strict = reader.build()
    assert reader.set_ignore_parse_errors(True).build().deserialize(b"x") is None
    with pytest.raises(DecodeError):
        strict.deserialize(b"x")
    plain = CsvRowSerializationSchema.Builder(type_info).disable_quote_character().build()
    with pytest.raises(TypeMismatchError, match="escape"):
        plain.serialize(Row(1, "a,b", []))
    escaped = CsvRowSerializationSchema.Builder(type_info).disable_quote_character().set_escape_character("\\").build()
    assert escaped.serialize(Row(1, "a,b", [])) == b"1,a\\,b,\n"
    with pytest.raises(TypeError, match="must not be None"):
        CsvRowSerializationSchema.Builder(None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="single char"):
        writer.set_field_delimiter("||")


def test_csv_schema_builder() -> None:
    builder = CsvSchema.builder().add_string_column("a").add_number_column("b")
    builder.set_array_element_separator("+").disable_array_element_separator().remove_array_element_separator(1).set_any_property_name("rest")
    assert (len(builder), len(builder.build())) == (2, 2)
    with pytest.raises(ConfigurationError, match="no column 2"):
        builder.remove_array_element_separator(2)
    for setter in (builder.set_column_separator, builder.set_quote_char, builder.set_escape_char):
        with pytest.raises(ValueError, match="single char"):
            setter("ab")


# ---- Files of columns ------------------------------------------------------------------------------------------------------------------------


def part_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", ["parquet", "orc"])
@pytest.mark.parametrize("parallelism", [1, 2])
@pytest.mark.parametrize("has_checkpoints", [False, True])
def test_columnar_files_come_back(
    env: StreamExecutionEnvironment, tmp_path: Path, kind: str, parallelism: int, has_checkpoints: bool
) -> None:
    pytest.importorskip("pyarrow")
    module = importlib.import_module(f"millstream.datastream.formats.{kind}")
    writers, reader = (
        (module.ParquetBulkWriters, module.ParquetColumnarRowInputFormat(NESTED, batch_size=7))
        if kind == "parquet"
        else (module.OrcBulkWriters, module.OrcRowInputFormat(NESTED))
    )
    rows = [nested(number) for number in range(50)] + [NULLS]
    config = OutputFileConfig.builder().with_part_prefix("rows").with_part_suffix(f".{kind}").build()
    sink = FileSink.for_bulk_format(str(tmp_path), writers.for_row_type(NESTED)).with_output_file_config(config)
    sink.with_rolling_policy(RollingPolicy.on_checkpoint_rolling_policy())
    # With checkpoints the files get their names by commits.
    if has_checkpoints:
        env.enable_checkpointing(60_000)
    env.set_parallelism(parallelism)
    env.from_collection(rows, NESTED).rebalance().sink_to(sink.build())
    env.execute()
    names = [path.name for path in part_files(tmp_path)]
    assert names == [f"rows-{subtask}-0.{kind}" for subtask in range(parallelism)]
    source = FileSource.for_bulk_file_format(reader, str(tmp_path)).build()
    found = list(env.from_source(source, WatermarkStrategy.no_watermarks(), "files").execute_and_collect())
    assert sorted(map(repr, found)) == sorted(map(repr, rows))


def test_parquet_files_are_whole_and_readable_by_others(env: StreamExecutionEnvironment, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = importlib.import_module("pyarrow.parquet")
    from millstream.datastream.formats.parquet import ParquetBulkWriters, ParquetColumnarRowInputFormat

    text = "ROW<city STRING, n INT>"
    factory = ParquetBulkWriters.for_row_type(text, Configuration.from_dict({"parquet.compression": "gzip"}))
    sink = FileSink.for_bulk_format(str(tmp_path), factory).with_bucket_assigner(BucketAssigner.column_bucket_assigner("city")).build()
    rows = [("oslo", 1), ("rome", 2), ("oslo", 3)]
    for _ in range(2):
        env.from_collection(rows, Types.ROW_NAMED(["city", "n"], [Types.STRING(), Types.INT()])).sink_to(sink)
        env.execute()
    assert [str(path.relative_to(tmp_path)) for path in part_files(tmp_path)] == ["oslo/part-0-0", "oslo/part-0-1", "rome/part-0-0", "rome/part-0-1"]
    file = parquet.ParquetFile(tmp_path / "oslo" / "part-0-0")
    assert file.read().to_pylist() == [{"city": "oslo", "n": 1}, {"city": "oslo", "n": 3}]
    assert file.metadata.row_group(0).column(0).compression == "GZIP"
    # Columns are found by name; one that a file does not have is null.
    parquet.write_table(pyarrow.table({"N": [7], "other": ["x"]}), tmp_path / "foreign.parquet")
    reader = ParquetColumnarRowInputFormat("ROW<n BIGINT, more STRING>", is_case_sensitive=False)
    source = FileSource.for_bulk_file_format(reader, str(tmp_path / "foreign.parquet")).build()
    assert list(env.from_source(source).execute_and_collect()) == [Row(n=7, more=None)]
    with pytest.raises(ValueError, match="OnCheckpointRollingPolicy"):
        FileSink.for_bulk_format(str(tmp_path), factory).with_rolling_policy(RollingPolicy.default_rolling_policy())
    with pytest.raises(TypeError, match="row type"):
        ParquetBulkWriters.for_row_type(Types.INT())
    with pytest.raises(ValueError, match="batch size"):
        ParquetColumnarRowInputFormat(text, batch_size=0)


def test_a_failed_job_leaves_no_visible_file(env: StreamExecutionEnvironment, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    from millstream.datastream.formats.parquet import ParquetBulkWriters

    def check(number: int) -> Row:
        if number == 3_000_000:
            raise ValueError("bad number")
        return Row(n=number)

    sink = FileSink.for_bulk_format(str(tmp_path), ParquetBulkWriters.for_row_type("ROW<n BIGINT>")).build()
    stream = env.from_collection([1, 2, 3_000_000]).map(check, Types.ROW_NAMED(["n"], [Types.LONG()]))
    stream.sink_to(sink)
    with pytest.raises(ValueError, match="bad number"):
        env.execute()
    assert [path.name for path in part_files(tmp_path) if not path.name.startswith(".")] == []


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from millstream.datastream.formats import avro, orc, parquet

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "fastavro", None)
    for make in (
        lambda: parquet.ParquetBulkWriters.for_row_type("ROW<n INT>"),
        lambda: parquet.ParquetColumnarRowInputFormat("ROW<n INT>"),
        lambda: orc.OrcBulkWriters.for_row_type("ROW<n INT>"),
        lambda: orc.OrcRowInputFormat("ROW<n INT>"),
    ):
        with pytest.raises(ImportError, match="pip install pyarrow"):
            make()
    with pytest.raises(ImportError, match="pip install fastavro"):
        avro.AvroBulkWriters.for_generic_record(avro.AvroSchema.parse_string(POINT))


# ---- Avro ------------------------------------------------------------------------------------------------------------------------------------

POINT = json.dumps(
    {
        "type": "record",
        "name": "Point",
        "fields": [
            {"name": "x", "type": "int"},
            {"name": "label", "type": ["null", "string"], "default": None},
            {"name": "day", "type": {"type": "int", "logicalType": "date"}},
            {"name": "tags", "type": {"type": "array", "items": "string"}},
            {"name": "inner", "type": {"type": "record", "name": "Inner", "fields": [{"name": "y", "type": "double"}]}},
            {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}},
        ],
    }
)


def point(number: int) -> dict[str, Any]:
    day = datetime.date(2024, 1, 1 + number)
    return {"x": number, "label": None if number % 2 else "é", "day": day, "tags": ["t"] * number, "inner": {"y": 0.5}, "kind": "B"}


def test_avro_files_come_back(env: StreamExecutionEnvironment, tmp_path: Path) -> None:
    fastavro = pytest.importorskip("fastavro")
    from millstream.datastream.formats.avro import AvroBulkWriters, AvroInputFormat, AvroSchema, GenericRecordAvroTypeInfo

    (tmp_path / "point.avsc").write_text(POINT)
    schema = AvroSchema.parse_file(tmp_path / "point.avsc")
    assert schema == AvroSchema.parse_string(str(schema))
    records = [point(number) for number in range(5)]
    out = tmp_path / "out"
    env.from_collection(records).sink_to(FileSink.for_bulk_format(str(out), AvroBulkWriters.for_generic_record(schema)).build())
    env.execute()
    with open(part_files(out)[0], "rb") as file:
        assert list(fastavro.reader(file)) == records
    stream = env.create_input(AvroInputFormat(str(out), schema))
    assert stream.get_type() == GenericRecordAvroTypeInfo(schema)
    assert list(stream.execute_and_collect()) == records
    narrow = AvroSchema.parse_string('{"type": "record", "name": "Point", "fields": [{"name": "x", "type": "long"}]}')
    found = env.create_input(AvroInputFormat(str(out), narrow)).map(lambda record: record["x"])
    assert list(found.execute_and_collect()) == [0, 1, 2, 3, 4], "another schema reads some fields"


def test_avro_records_in_parquet_files(env: StreamExecutionEnvironment, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    from millstream.datastream.formats.avro import AvroSchema
    from millstream.datastream.formats.parquet import AvroParquetReaders, AvroParquetWriters

    schema = AvroSchema.parse_string(POINT)
    records = [point(number) for number in range(5)]
    env.from_collection(records).sink_to(FileSink.for_bulk_format(str(tmp_path), AvroParquetWriters.for_generic_record(schema)).build())
    env.execute()
    source = FileSource.for_record_stream_format(AvroParquetReaders.for_generic_record(schema), str(tmp_path)).process_static_file_set().build()
    assert list(env.from_source(source).execute_and_collect()) == records


def test_avro_messages() -> None:
    pytest.importorskip("fastavro")
    from millstream.datastream.formats.avro import AvroRowDeserializationSchema, AvroRowSerializationSchema

    writer, reader = AvroRowSerializationSchema(avro_schema_string=POINT), AvroRowDeserializationSchema(avro_schema_string=POINT)
    row = Row(7, "l", datetime.date(2024, 1, 2), ["a"], Row(y=1.5), "A")
    row.set_field_names(["x", "label", "day", "tags", "inner", "kind"])
    assert reader.deserialize(writer.serialize(row)) == row
    assert reader.get_produced_type().get_field_names() == ["x", "label", "day", "tags", "inner", "kind"]
    with pytest.raises(TypeMismatchError, match="does not fit"):
        writer.serialize(Row("x", None, None, [], Row(y=1.0), "A"))
    with pytest.raises(DecodeError, match="no Avro record"):
        reader.deserialize(b"\x02")
    with pytest.raises(TypeError, match="should be specified"):
        AvroRowSerializationSchema()
    with pytest.raises(UnsupportedError, match="no JVM"):
        AvroRowDeserializationSchema("org.Point")
    for text in ("{", '{"type": "nothing"}', '"int"', "7"):
        with pytest.raises(PlanError):
            AvroRowSerializationSchema(avro_schema_string=text)


# ---- File connectors -------------------------------------------------------------------------------------------------------------------------


def test_csv_bulk_writers(env: StreamExecutionEnvironment, tmp_path: Path) -> None:
    schema = CsvSchema.builder().add_string_column("s").add_number_column("n").set_column_separator("|").set_use_header().build()
    rows = [Row(s="a|b", n=1), Row(s="c", n=None)]
    env.from_collection(rows, schema.row_type).sink_to(FileSink.for_bulk_format(str(tmp_path), CsvBulkWriters.for_schema(schema)).build())
    env.execute()
    assert part_files(tmp_path)[0].read_text() == 's|n\n"a|b"|1\nc|\n'
    source = FileSource.for_record_stream_format(CsvReaderFormat.for_schema(schema), str(tmp_path))
    source.set_file_enumerator(FileEnumeratorProvider.default_non_splittable_file_enumerator())
    source.set_split_assigner(FileSplitAssignerProvider.locality_aware_split_assigner())
    assert list(env.from_source(source.build()).execute_and_collect()) == rows
    with pytest.raises(TypeError, match="CsvSchema"):
        CsvBulkWriters.for_schema("a")  # type: ignore[arg-type]
    for call in (lambda: source.set_file_enumerator(None), lambda: source.set_split_assigner(None)):  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="Provider is needed"):
            call()


def test_bulk_files_are_watched_for(env: StreamExecutionEnvironment, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = importlib.import_module("pyarrow.parquet")
    from millstream.datastream.formats.parquet import ParquetColumnarRowInputFormat

    parquet.write_table(pyarrow.table({"n": [1, 2]}), tmp_path / "a.parquet")
    builder = FileSource.for_bulk_file_format(ParquetColumnarRowInputFormat("ROW<n BIGINT>"), str(tmp_path))
    source = builder.monitor_continuously(Duration.of_millis(20)).build()
    with env.from_source(source).map(lambda row: row[0]).execute_and_collect() as values:
        assert [next(values), next(values)] == [1, 2]
        parquet.write_table(pyarrow.table({"n": [3]}), tmp_path / ".b.parquet")
        time.sleep(0.1)
        (tmp_path / ".b.parquet").rename(tmp_path / "b.parquet")
        assert next(values) == 3


def test_a_path_that_there_is_none_of(env: StreamExecutionEnvironment) -> None:
    pytest.importorskip("pyarrow")
    from millstream.datastream.formats.parquet import ParquetColumnarRowInputFormat

    source = FileSource.for_bulk_file_format(ParquetColumnarRowInputFormat("ROW<n BIGINT>"), "/there/is/none").build()
    env.from_source(source).print()
    with pytest.raises(InputOutputError, match="/there/is/none"):
        env.execute()


@pytest.mark.parametrize(
    ("encoder", "expected"),
    [
        (Encoder.simple_string_encoder(), "+I[1, a]\n+I[2, null]\n"),
        (Encoder.csv_encoder(header=True), "n,s\n1,a\n2,\n"),
        (Encoder.json_encoder(), '{"n":1,"s":"a"}\n{"n":2,"s":null}\n'),
    ],
)
def test_folders_by_date(env: StreamExecutionEnvironment, tmp_path: Path, encoder: Encoder, expected: str) -> None:
    assigner = BucketAssigner.date_time_bucket_assigner("'year='yyyy", "UTC")
    sink = FileSink.for_row_format(str(tmp_path), encoder).with_bucket_assigner(assigner).build()
    rows = [Row(n=1, s="a"), Row(n=2, s=None)]
    before = datetime.datetime.now(datetime.UTC).year
    env.from_collection(rows, Types.ROW_NAMED(["n", "s"], [Types.INT(), Types.STRING()])).sink_to(sink)
    env.execute()
    files = part_files(tmp_path)
    assert [file.parent.name for file in files] in ([f"year={before}"], [f"year={before + 1}"])
    assert files[0].read_text() == expected


def test_date_patterns() -> None:
    millis = 1_709_251_384_567
    assert DateFolders("yyyy-MM-dd--HH", "UTC").name_at(millis) == "2024-03-01--00"
    assert DateFolders("yyyy-MM-dd--HH", "America/New_York").name_at(millis) == "2024-02-29--19"
    assert DateFolders("yy/M/d/H:m:s 'o''clock' DDD", "UTC").name_at(millis) == "24/3/1/0:3:4 o'clock 061"
    for pattern, zone, what in (("yyyy-QQ", "UTC", "letter 'Q'"), ("'x", "UTC", "does not end"), ("yyyy", "Mars/Base", "no time zone")):
        with pytest.raises(ConfigurationError, match=what):
            DateFolders(pattern, zone)


def test_compaction_is_checked_and_kept(caplog: pytest.LogCaptureFixture) -> None:
    from millstream import notices

    notices.forget_notices()
    strategy = FileCompactStrategy.builder().enable_compaction_on_checkpoint(2).set_size_threshold(1_024).set_num_compact_threads(3).build()
    assert (strategy.num_checkpoints_before_compaction, strategy.size_threshold, strategy.num_compact_threads) == (2, 1_024, 3)
    builder = FileSink.for_row_format("/tmp/x", Encoder.simple_string_encoder())
    builder.enable_compact(strategy, FileCompactor.concat_file_compactor(b"\n")).enable_compact(strategy, FileCompactor.identical_file_compactor())
    assert isinstance(builder.disable_compact().build(), FileSink)
    assert ["later release" in record.getMessage() for record in caplog.records] == [True]
    with pytest.raises(ConfigurationError, match="needs a condition"):
        FileCompactStrategy.builder().build()
    with pytest.raises(ConfigurationError, match="positive"):
        FileCompactStrategy.builder().set_size_threshold(0)
    with pytest.raises(TypeError, match="FileCompactor"):
        builder.enable_compact(strategy, "concat")  # type: ignore[arg-type]


def test_the_older_file_sink(env: StreamExecutionEnvironment, tmp_path: Path) -> None:
    builder = StreamingFileSink.for_row_format(str(tmp_path), Encoder.simple_string_encoder())
    builder.with_rolling_policy(RollingPolicy.default_rolling_policy()).with_bucket_check_interval(1_000)
    builder.with_output_file_config(OutputFileConfig("lines", ".txt")).with_bucket_assigner(BucketAssigner.base_path_bucket_assigner())
    with pytest.warns(DeprecationWarning, match="FileSink"):
        sink = builder.build()
    env.from_collection(["a", "b"], Types.STRING()).add_sink(sink)
    env.execute()
    assert [(path.name, path.read_text()) for path in part_files(tmp_path)] == [("lines-0-0.txt", "a\nb\n")]


# ---- Base and hybrid -------------------------------------------------------------------------------------------------------------------------


def test_sources_and_sinks_around_others(env: StreamExecutionEnvironment, capsys: pytest.CaptureFixture[str]) -> None:
    class Numbers(Source):
        def __init__(self) -> None:
            super().__init__(NumberSequenceSource(1, 3))

    class Lines(PythonSink):
        def write(self, values: list[Any]) -> None:
            print(*values)

    class Upper(StreamTransformer):
        def apply(self, ds: Any) -> Any:
            return ds.map(lambda number: number * 100)

    class Prepared(Sink, SupportsPreprocessing):
        def get_transformer(self) -> StreamTransformer:
            return Upper()

    env.from_source(Numbers()).sink_to(Prepared(Lines()))
    env.execute()
    assert capsys.readouterr().out.split() == ["100", "200", "300"]
    for make in (lambda: Source("org.Source"), lambda: Sink("org.Sink")):
        with pytest.raises(UnsupportedError, match="no JVM"):
            make()
    with pytest.raises(TypeError, match="another source"):
        Source(3)
    with pytest.raises(TypeError):
        InputFormat()  # type: ignore[abstract]


def test_hybrid_sources(env: StreamExecutionEnvironment, tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_text("a\nb\n")
    with gzip.open(tmp_path / "2.txt.gz", "wt") as file:
        file.write("c\n")
    files = FileSource.for_record_stream_format(StreamFormat.text_line_format(), str(tmp_path)).build()
    later = CallableSource(lambda: (text for text in ("d", "e")), Types.STRING())
    source = HybridSource.builder(files).add_source(later).build()
    for _ in range(2):
        assert list(env.from_source(source, WatermarkStrategy.no_watermarks(), "hybrid").execute_and_collect()) == ["a", "b", "c", "d", "e"]
    nested_source = HybridSource.builder(source).add_source(later).build()
    assert list(env.from_source(nested_source).execute_and_collect()) == ["a", "b", "c", "d", "e", "d", "e"]


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_hybrid_sources_read_rows_as_the_engine_does(env: StreamExecutionEnvironment, tmp_path: Path, kind: str) -> None:
    if kind == "csv":
        (tmp_path / "a").write_text('# comment\n1;"x;y"\n\n2;NULL\n')
        schema = CsvSchema.builder().add_number_column("n").add_string_column("s").set_column_separator(";").set_null_value("NULL")
        stream_format: StreamFormat = CsvReaderFormat.for_schema(schema.set_allow_comments().build())
    else:
        (tmp_path / "a").write_text('{"n": 1, "s": "x;y"}\n\n{"n": 2}\n')
        stream_format = JsonReaderFormat.for_type("ROW<n BIGINT, s STRING>")
    files = FileSource.for_record_stream_format(stream_format, str(tmp_path)).build()
    by_engine = list(env.from_source(files).execute_and_collect())
    assert by_engine == [Row(n=1, s="x;y"), Row(n=2, s=None)]
    assert list(env.from_source(HybridSource.builder(files).add_source(files).build()).execute_and_collect()) == by_engine * 2


def test_hybrid_sources_that_cannot_be(tmp_path: Path) -> None:
    text = FileSource.for_record_stream_format(StreamFormat.text_line_format(), str(tmp_path))
    endless = text.monitor_continuously(100).build()
    with pytest.raises(PlanError, match="does not end"):
        HybridSource.builder(endless).add_source(text.process_static_file_set().build()).build()
    with pytest.raises(PlanError, match="one type"):
        HybridSource.builder(NumberSequenceSource(1, 2)).add_source(endless).build()
    with pytest.raises(TypeError, match="takes sources"):
        HybridSource.builder([1, 2])  # type: ignore[arg-type]

    class Closed(Source):
        def __init__(self) -> None:
            super().__init__(NumberSequenceSource(1, 2))

    with pytest.raises(UnsupportedError, match="engine alone"):
        HybridSource.builder(Closed())


def test_csv_columns_with_lists(env: StreamExecutionEnvironment, tmp_path: Path) -> None:
    builder = CsvSchema.builder().add_string_column("s").add_array_column("l", "+", Types.INT()).add_array_column("t").set_null_value("NULL")
    schema = builder.set_use_header().set_line_separator("\r\n").build()
    assert schema.row_type.schema() == "ROW<s STRING, l ARRAY<INT>, t ARRAY<STRING>>"
    rows = [Row(s="a,b", l=[1, 2], t=["x", "y"]), Row(s="c", l=[], t=None), Row(s="", l=None, t=["z"])]
    env.from_collection(rows, schema.row_type).sink_to(FileSink.for_bulk_format(str(tmp_path), CsvBulkWriters.for_schema(schema)).build())
    env.execute()
    text = part_files(tmp_path)[0].read_bytes()
    assert text == b's,l,t\r\n"a,b",1+2,x;y\r\nc,,NULL\r\n,NULL,z\r\n'
    stream = env.from_source(FileSource.for_record_stream_format(CsvReaderFormat.for_schema(schema), str(tmp_path)).build())
    assert stream.get_type() == schema.row_type
    assert list(stream.execute_and_collect()) == rows
    whole = CsvSchema.builder().add_columns_from(schema).remove_array_element_separator(2).set_use_header().set_null_value("NULL").build()
    found = env.from_source(FileSource.for_record_stream_format(CsvReaderFormat.for_schema(whole), str(tmp_path)).build()).map(lambda row: row[2])
    assert list(found.execute_and_collect()) == [["x;y"], None, ["z"]]


@pytest.mark.parametrize("header", [False, True])
def test_csv_files_whose_first_row_is_left_out(env: StreamExecutionEnvironment, tmp_path: Path, header: bool) -> None:
    (tmp_path / "a").write_text(("n\n" if header else "") + "units\n1\n2\n")
    schema = CsvSchema.builder().add_number_column("n").set_skip_first_data_row().set_use_header(header).build()
    source = FileSource.for_record_stream_format(CsvReaderFormat.for_schema(schema), str(tmp_path)).build()
    assert list(env.from_source(source).execute_and_collect()) == [Row(n=1), Row(n=2)]


# ---- Files of columns, without a Python object for each row -----------------------------------------------------------------------------------

FLAT = "ROW<name STRING, n BIGINT, x DOUBLE, at TIMESTAMP(3), tags ARRAY<STRING>, inner ROW<p INT, q STRING>>"


def by_columns_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers and writers fail where they would look at rows one by one."""
    from millstream.datastream.formats import columnar

    def refuse(*arguments: Any) -> Any:
        raise AssertionError("rows one by one")

    monkeypatch.setattr(columnar.RowsOfBatches, "read", refuse)
    monkeypatch.setattr(columnar.ColumnsWriter, "write", refuse)


@pytest.mark.parametrize("kind", ["parquet", "orc"])
@pytest.mark.parametrize("rows_per_batch", [1, 3_000])
def test_columns_go_through_as_they_are(
    env: StreamExecutionEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, rows_per_batch: int
) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    module = importlib.import_module(f"millstream.datastream.formats.{kind}")
    reader, writers = (
        (module.ParquetColumnarRowInputFormat(FLAT, batch_size=rows_per_batch), module.ParquetBulkWriters)
        if kind == "parquet"
        else (module.OrcRowInputFormat(FLAT), module.OrcBulkWriters)
    )
    by_columns_only(monkeypatch)
    start = datetime.datetime(2024, 1, 1)
    count = 300 if rows_per_batch == 1 else 20_000
    rows = [
        {
            "name": None if number % 7 == 0 else f"name {number}" * (number % 3),
            "n": None if number % 11 == 0 else number,
            "x": number / 3,
            "at": start + datetime.timedelta(milliseconds=number),
            "tags": None if number % 5 == 0 else ["t"] * (number % 4),
            "inner": None if number % 13 == 0 else {"p": number, "q": None if number % 2 else "ä"},
        }
        for number in range(count)
    ]
    inner = pyarrow.struct([("p", pyarrow.int32()), ("q", pyarrow.string())])
    schema = pyarrow.schema(
        [("name", pyarrow.string()), ("n", pyarrow.int64()), ("x", pyarrow.float64()), ("at", pyarrow.timestamp("ms")),
         ("tags", pyarrow.list_(pyarrow.string())), ("inner", inner)]
    )  # fmt: skip
    (tmp_path / "in").mkdir()
    write = importlib.import_module(f"pyarrow.{kind}").write_table
    write(pyarrow.Table.from_pylist(rows[: count // 3], schema=schema), tmp_path / "in" / f"a.{kind}")
    write(pyarrow.Table.from_pylist(rows[count // 3 :], schema=schema), tmp_path / "in" / f"b.{kind}")
    source = FileSource.for_bulk_file_format(reader, str(tmp_path / "in")).build()
    stream = env.from_source(source, WatermarkStrategy.no_watermarks(), "files")
    stream.filter(col("x") >= 10.0).rebalance().sink_to(FileSink.for_bulk_format(str(tmp_path / "out"), writers.for_row_type(FLAT)).build()).set_parallelism(2)
    env.execute()
    read = importlib.import_module(f"pyarrow.{kind}").read_table
    found = [row for path in part_files(tmp_path / "out") for row in read(path).to_pylist()]
    assert sorted(found, key=lambda row: row["x"]) == [row for row in rows if row["x"] >= 10.0]


def test_a_stream_of_tuples_is_written_by_columns(env: StreamExecutionEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By position, as rows are; the file has the names of the writer's type."""
    parquet = pytest.importorskip("pyarrow.parquet")
    by_columns_only(monkeypatch)
    writers = importlib.import_module("millstream.datastream.formats.parquet").ParquetBulkWriters
    pairs = [(f"k{number}", number) for number in range(10_000)]
    stream = env.from_collection(pairs, Types.TUPLE([Types.STRING(), Types.LONG()]))
    stream.sink_to(FileSink.for_bulk_format(str(tmp_path), writers.for_row_type("ROW<name STRING, n BIGINT>")).build())
    env.execute()
    assert [(row["name"], row["n"]) for path in part_files(tmp_path) for row in parquet.read_table(path).to_pylist()] == pairs


def test_other_types_and_folders_are_written_by_rows(env: StreamExecutionEnvironment, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    writers = importlib.import_module("millstream.datastream.formats.parquet").ParquetBulkWriters.for_row_type("ROW<name STRING, n BIGINT>")
    ints = env.from_collection([("a", 1), ("b", 2)], Types.TUPLE([Types.STRING(), Types.INT()]))
    ints.sink_to(FileSink.for_bulk_format(str(tmp_path / "ints"), writers).build())
    objects = env.from_collection([("a", 1), ("b", 2)])
    objects.sink_to(FileSink.for_bulk_format(str(tmp_path / "objects"), writers).build())
    env.execute()
    for folder in ("ints", "objects"):
        rows = [row for path in part_files(tmp_path / folder) for row in parquet.read_table(path).to_pylist()]
        assert rows == [{"name": "a", "n": 1}, {"name": "b", "n": 2}]


def test_a_hybrid_source_reads_rows_of_files_of_columns(env: StreamExecutionEnvironment, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    reader = importlib.import_module("millstream.datastream.formats.parquet").ParquetColumnarRowInputFormat("ROW<n BIGINT>")
    parquet.write_table(pyarrow.table({"n": pyarrow.array(range(5_000), pyarrow.int64())}), tmp_path / "a.parquet")
    files = FileSource.for_bulk_file_format(reader, str(tmp_path)).build()
    stream = env.from_source(HybridSource.builder(files).add_source(files).build(), WatermarkStrategy.no_watermarks(), "both")
    assert [row.n for row in stream.execute_and_collect()] == [*range(5_000), *range(5_000)]


def test_what_the_library_raises_comes_as_itself(env: StreamExecutionEnvironment, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    reader = importlib.import_module("millstream.datastream.formats.parquet").ParquetColumnarRowInputFormat("ROW<n BIGINT>")
    parquet.write_table(pyarrow.table({"n": ["1", "two"]}), tmp_path / "a.parquet")
    source = FileSource.for_bulk_file_format(reader, str(tmp_path)).build()
    with pytest.raises(pyarrow.ArrowInvalid, match="two"):
        list(env.from_source(source, WatermarkStrategy.no_watermarks(), "files").execute_and_collect())
    (tmp_path / "a.parquet").write_bytes(b"no parquet")
    with pytest.raises(pyarrow.ArrowInvalid):
        list(env.from_source(source, WatermarkStrategy.no_watermarks(), "files").execute_and_collect())
