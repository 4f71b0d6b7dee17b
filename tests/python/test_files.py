"""Files in and out."""

from __future__ import annotations

import gzip
import json
import pathlib
import re
from decimal import Decimal
from typing import Any

import pytest
from millstream.common import Encoder, Row, TypeInformation, Types
from millstream.datastream import StreamExecutionEnvironment
from millstream.datastream.connectors.file_system import (
    BucketAssigner,
    FileSink,
    FileSource,
    OutputFileConfig,
    RollingPolicy,
    StreamFormat,
)
from millstream.datastream.data_stream import DataStream
from millstream.datastream.formats.csv import CsvReaderFormat, CsvSchema
from millstream.datastream.formats.json import JsonReaderFormat
from millstream.exceptions import ConfigurationError, PlanError, UnsupportedError

FLIGHTS = "ROW<carrier STRING, delay INT, distance DOUBLE>"


def collect(stream: DataStream) -> list[Any]:
    with stream.execute_and_collect() as values:
        return list(values)


def written(folder: pathlib.Path) -> list[str]:
    """The lines of all finished files."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    assert not [file for file in files if file.name.startswith(".")], "no file is left unfinished"
    return [line for file in files for line in file.read_text().splitlines()]


# ---- Reading -------------------------------------------------------------------------------------------------------------------------------


def test_text_files_directories_and_globs(env: StreamExecutionEnvironment, tmp_path: pathlib.Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_text("one\ntwo")
    (tmp_path / "sub" / "b.txt").write_text("ä\r\n\nlast\n")
    (tmp_path / "_hidden").write_text("no")
    with gzip.open(tmp_path / "c.txt.gz", "wt") as file:
        file.write("packed\n")
    assert collect(env.read_text_file(str(tmp_path / "a.txt"))) == ["one", "two"]
    assert sorted(collect(env.read_text_file(str(tmp_path)))) == ["", "last", "one", "packed", "two", "ä"]
    assert sorted(collect(env.read_text_file(f"{tmp_path}/*.txt"))) == ["one", "two"]
    assert sorted(collect(env.read_text_file([f"file://{tmp_path}/a.txt", str(tmp_path / "c.txt.gz")]))) == ["one", "packed", "two"]
    source = FileSource.for_record_stream_format(StreamFormat.text_line_format(), str(tmp_path / "sub")).process_static_file_set().build()
    assert collect(env.from_source(source)) == ["ä", "", "last"]


def test_csv(env: StreamExecutionEnvironment, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "flights.csv"
    file.write_text('UA,5,1400.5\n"A, ""B""",-3,0\n')
    expected = [Row(carrier="UA", delay=5, distance=1400.5), Row(carrier='A, "B"', delay=-3, distance=0.0)]
    assert collect(env.read_csv(str(file), FLIGHTS)) == expected
    assert collect(env.read_csv(str(file), {"carrier": Types.STRING(), "delay": Types.INT(), "distance": Types.DOUBLE()})) == expected
    assert collect(env.read_csv(str(file), FLIGHTS, columns=["distance", "carrier"])) == [
        Row(distance=1400.5, carrier="UA"), Row(distance=0.0, carrier='A, "B"'),
    ]


def test_csv_with_a_header_and_other_signs(env: StreamExecutionEnvironment, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "flights.csv"
    file.write_text("distance;delay;carrier\n# nothing\n7;NA;'x;y'\n")
    options: dict[str, Any] = {"delimiter": ";", "quote": "'", "header": True, "null_literal": "NA", "comment": "#"}
    assert collect(env.read_csv(str(file), FLIGHTS, **options)) == [Row(carrier="x;y", delay=None, distance=7.0)]


def test_csv_by_flinks_classes(env: StreamExecutionEnvironment, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "flights.csv"
    file.write_text("UA|5|true\n")
    builder = CsvSchema.builder().add_string_column("carrier").add_number_column("delay", Types.SHORT()).add_boolean_column("late")
    schema = builder.set_column_separator("|").build()
    assert (schema.size(), builder.size()) == (3, 3)
    source = FileSource.for_record_stream_format(CsvReaderFormat.for_schema(schema), str(file)).build()
    assert collect(env.from_source(source)) == [Row(carrier="UA", delay=5, late=True)]


def test_malformed_lines_can_be_left_out(env: StreamExecutionEnvironment, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "flights.csv"
    file.write_text("UA,5,1\nUA,x,1\nUA,6\nUA,7,2\n")
    assert [row.delay for row in collect(env.read_csv(str(file), FLIGHTS, skip_malformed=True))] == [5, 7]
    assert [row.distance for row in collect(env.read_csv(str(file), FLIGHTS.replace("INT", "STRING"), ragged=True))] == [1.0, 1.0, None, 2.0]


def test_json(env: StreamExecutionEnvironment, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "flights.jsonl"
    file.write_text('{"carrier": "UA", "delay": 5, "distance": 1.5, "more": [1]}\n{"distance": null, "carrier": "\\u00e4"}\n')
    expected = [Row(carrier="UA", delay=5, distance=1.5), Row(carrier="ä", delay=None, distance=None)]
    assert collect(env.read_json(str(file), FLIGHTS)) == expected
    source = FileSource.for_record_stream_format(JsonReaderFormat.for_type(FLIGHTS), str(file)).build()
    assert collect(env.from_source(source)) == expected


# ---- Writing -------------------------------------------------------------------------------------------------------------------------------


def test_text_sink(env: StreamExecutionEnvironment, tmp_path: pathlib.Path) -> None:
    names = OutputFileConfig.builder().with_part_prefix("words").with_part_suffix(".txt").build()
    sink = FileSink.for_row_format(str(tmp_path), Encoder.simple_string_encoder()).with_output_file_config(names).build()
    env.from_collection(["a", "ä"], Types.STRING()).sink_to(sink)
    env.execute()
    assert written(tmp_path) == ["a", "ä"]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(path.name.startswith("words-") and path.suffix == ".txt" for path in files)
    # A folder per hour, as in Flink.
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d--\d\d", path.parent.name) for path in files)


def test_text_of_tuples_and_rows(env: StreamExecutionEnvironment, tmp_path: pathlib.Path) -> None:
    def write(name: str, values: list[Any], type_info: TypeInformation) -> None:
        sink = FileSink.for_row_format(tmp_path / name, Encoder.simple_string_encoder())
        env.from_collection(values, type_info).sink_to(sink.with_bucket_assigner(BucketAssigner.base_path_bucket_assigner()).build())

    write("tuples", [("hi", 1, 1.5, None, True)], Types.TUPLE([Types.STRING(), Types.INT(), Types.DOUBLE(), Types.STRING(), Types.BOOLEAN()]))
    write("rows", [Row(1, "x")], Types.ROW_NAMED(["a", "b"], [Types.INT(), Types.STRING()]))
    write("lists", [[1, 2]], Types.LIST(Types.INT()))
    env.execute()
    # What Flink's SimpleStringEncoder writes.
    assert written(tmp_path / "tuples") == ["(hi,1,1.5,null,true)"]
    assert written(tmp_path / "rows") == ["+I[1, x]"]
    assert written(tmp_path / "lists") == ["[1, 2]"]


def test_csv_and_json_sinks(env: StreamExecutionEnvironment, tmp_path: pathlib.Path) -> None:
    rows = env.from_collection([("UA", 5, 0.5), ('x,"y"', None, None)], FLIGHTS)
    rows.sink_to(FileSink.for_row_format(str(tmp_path / "csv"), Encoder.csv_encoder(null_literal="NA")).build())
    rows.sink_to(FileSink.for_row_format(str(tmp_path / "json"), Encoder.json_encoder()).build())
    env.execute()
    assert written(tmp_path / "csv") == ["UA,5,0.5", '"x,""y""",NA,NA']
    assert [json.loads(line) for line in written(tmp_path / "json")] == [
        {"carrier": "UA", "delay": 5, "distance": 0.5}, {"carrier": 'x,"y"', "delay": None, "distance": None},
    ]


def test_folders_by_column_and_small_files(env: StreamExecutionEnvironment, tmp_path: pathlib.Path) -> None:
    rows = env.from_collection([("a" if n % 2 else "b", n) for n in range(1_000)], "ROW<k STRING, n INT>")
    policy = RollingPolicy.default_rolling_policy(part_size=500)
    builder = FileSink.for_row_format(str(tmp_path), Encoder.csv_encoder()).with_rolling_policy(policy)
    rows.sink_to(builder.with_bucket_assigner(BucketAssigner.column_bucket_assigner("k")).build())
    env.execute()
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["a", "b"]
    assert sorted(written(tmp_path)) == sorted(f"{'a' if n % 2 else 'b'},{n}" for n in range(1_000))


# ---- Building ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda env: env.read_csv("x", "BIGINT"), PlanError, "a schema of rows"),
        (lambda env: env.read_csv("x", "ROW<a OBJECT>"), PlanError, "no Python objects"),
        (lambda env: env.read_csv("x", "ROW<a NUMBER>"), ValueError, "there is no type NUMBER"),
        (lambda env: env.read_csv("x", FLIGHTS, columns=["carier"]), PlanError, "did you mean 'carrier'"),
        (lambda env: env.read_csv([], FLIGHTS), PlanError, "no path"),
        (lambda env: env.read_text_file("hdfs://x/y"), UnsupportedError, "only local files"),
        (lambda env: env.read_text_file("x", "latin-1"), ValueError, "UTF-8"),
        (lambda env: FileSource.for_record_stream_format("text", "x"), TypeError, "StreamFormat"),
        (lambda env: FileSink.for_row_format("x", "text"), TypeError, "Encoder"),
        (lambda env: RollingPolicy.default_rolling_policy(part_size=0), ConfigurationError, "positive"),
        (lambda env: env.from_collection([1]).sink_to(FileSink.for_row_format("x", Encoder.csv_encoder()).build()), PlanError, "needs rows"),
        (lambda env: env.from_collection([1]).sink_to(print), TypeError, "add_sink takes a function"),
    ],
)
def test_mistakes(env: StreamExecutionEnvironment, make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(env)


@pytest.mark.parametrize(
    ("value", "type_info", "line"),
    [
        ([Decimal("1.50"), None], Types.LIST(Types.BIG_DEC()), "[1.50, null]"),
        ({"a": [Decimal("1.50")]}, Types.MAP(Types.STRING(), Types.LIST(Types.BIG_DEC())), "{a=[1.50]}"),
        (("a", [Decimal("1.50")], 1.0), Types.TUPLE([Types.STRING(), Types.LIST(Types.BIG_DEC()), Types.DOUBLE()]), "(a,[1.50],1.0)"),
        (Row("a", [Decimal("1.50")]), Types.ROW([Types.STRING(), Types.LIST(Types.BIG_DEC())]), "+I[a, [1.50]]"),
        (Row("a", None), Types.ROW([Types.STRING(), Types.LIST(Types.BIG_DEC())]), "+I[a, null]"),
        ([(Decimal(1), 5e-324, -5e-324, 5e-323, 1e-05, 1.25e-300)],
         Types.LIST(Types.TUPLE([Types.BIG_DEC(), *[Types.DOUBLE()] * 5])), "[(1,4.9E-324,-4.9E-324,4.9E-323,1.0E-5,1.25E-300)]"),
        ([(Decimal(1), 1.401298464324817e-45, 2.942726775082116e-44, 0.1, 3e10)],
         Types.LIST(Types.TUPLE([Types.BIG_DEC(), *[Types.FLOAT()] * 4])), "[(1,1.4E-45,2.9E-44,0.1,3.0E10)]"),
        ([(1e7, True, b"\x01\xff")], Types.LIST(Types.TUPLE([Types.DOUBLE(), Types.BOOLEAN(), Types.PRIMITIVE_ARRAY(Types.BYTE())])), "[(1.0E7,true,[1, -1])]"),
    ],
)
def test_text_of_what_is_held_as_python_objects(env: StreamExecutionEnvironment, tmp_path: pathlib.Path, value: Any, type_info: Any, line: str) -> None:
    sink = FileSink.for_row_format(tmp_path, Encoder.simple_string_encoder()).with_bucket_assigner(BucketAssigner.base_path_bucket_assigner())
    env.set_parallelism(1)
    env.from_collection([value], type_info).sink_to(sink.build())
    env.execute()
    assert [path.read_text() for path in tmp_path.iterdir()] == [line + "\n"]
