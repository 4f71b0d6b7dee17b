"""Records of files that do not decode, as dead letters of the source: every record is a row or a letter, and each letter says where it is."""

from __future__ import annotations

import gzip
import json
import pathlib
import random
from typing import Any

import pytest
from millstream.common import Duration, Types, WatermarkStrategy
from millstream.common.watermark_strategy import TimestampAssigner
from millstream.datastream import OutputTag, StreamExecutionEnvironment
from millstream.datastream.connectors.file_system import FileSource, StreamFormat
from millstream.datastream.connectors.hybrid_source import HybridSource
from millstream.datastream.connectors.number_seq import NumberSequenceSource
from millstream.datastream.data_stream import DataStream
from millstream.datastream.dead_letters import DeadLetterTag, undecoded_type
from millstream.datastream.formats.csv import CsvReaderFormat, CsvSchema
from millstream.exceptions import ConfigurationError, DecodeError, PlanError

BAD = DeadLetterTag("bad")
FLIGHTS = "ROW<carrier STRING, delay INT, distance DOUBLE>"


def both(stream: DataStream, tag: OutputTag = BAD) -> tuple[list[Any], list[Any]]:
    """The rows and the letters of a stream, each in their order."""
    stream.with_dead_letters(tag)
    merged = stream.map(lambda value: ("row", value)).union(stream.get_side_output(tag).map(lambda letter: ("letter", letter)))
    found = list(merged.execute_and_collect())
    return [value for kind, value in found if kind == "row"], [value for kind, value in found if kind == "letter"]


def csv_record(numbers: random.Random) -> tuple[bytes, tuple[Any, ...] | None]:
    """A record's bytes, and its values if it decodes."""
    delay = numbers.randrange(1_000)
    kind = numbers.randrange(12)
    if kind == 0:
        return f"UA,{delay}x,1".encode(), None
    if kind == 1:
        return f"UA,{delay}".encode(), None
    if kind == 2:
        return f"\xe9,{delay},1".encode("latin-1"), None
    if kind == 3:
        # To a number the line feed in quotes is a space: the field is empty, which is null.
        return f'"a\r\nb",{delay},"\n"'.encode(), ("a\r\nb", delay, None)
    if kind == 4:
        return f'"a "" b\n\n",{delay},1.5'.encode(), ('a " b\n\n', delay, 1.5)
    distance = numbers.choice([None, 2.5])
    return f"é {delay},{delay},{distance or ''}".encode(), (f"é {delay}", delay, distance)


@pytest.mark.parametrize("parallelism", [1, 4])
@pytest.mark.parametrize("seed", range(6))
def test_every_record_of_csv_is_a_row_or_a_letter(env: StreamExecutionEnvironment, tmp_path: pathlib.Path, seed: int, parallelism: int) -> None:
    numbers = random.Random(seed)
    env.set_parallelism(parallelism)
    rows: list[tuple[Any, ...]] = []
    letters: dict[tuple[str, int], bytes] = {}
    for part in range(3):
        path = tmp_path / f"{part}.csv"
        data = bytearray(b"\xef\xbb\xbf" * (part == 1))
        for _ in range(numbers.choice([0, 300, 10_000])):
            record, values = csv_record(numbers)
            if values is None:
                letters[str(path), len(data)] = record
            else:
                rows.append(values)
            data += record + numbers.choice([b"\n", b"\r\n", b"\r"])
        path.write_bytes(data if part else data.rstrip(b"\r\n"))
    found, dead = both(env.read_csv(str(tmp_path), FLIGHTS))
    assert sorted(map(repr, (tuple(row) for row in found))) == sorted(map(repr, rows))
    assert {(letter.file, letter.offset): letter.text for letter in dead} == {
        place: record.decode("utf-8", "backslashreplace").replace("\\xe9", "\\xE9") for place, record in letters.items()
    }
    assert len(dead) == len(letters)
    for letter in dead:
        data = pathlib.Path(letter.file).read_bytes()
        before = data[: letter.offset].replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n")
        within = data[letter.offset : letter.offset + letter.length].replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n")
        assert before + 1 <= letter.line <= before + 1 + within
        assert letter.length == len(letters[letter.file, letter.offset])


def test_ranges_of_a_large_file(env: StreamExecutionEnvironment, tmp_path: pathlib.Path) -> None:
    """A file that is read by four subtasks in ranges: each letter has its line of the whole file."""
    numbers = random.Random(3)
    lines = [b'{"carrier": "UA", "delay": %d, "more": "%s"}' % (number, b"x" * (number % 4_000)) for number in range(70_000)]
    bad = sorted(numbers.sample(range(len(lines)), 300))
    for place in bad:
        lines[place] = b'{"carrier": "UA", "delay": "?%d"}' % place
    file = tmp_path / "large.jsonl"
    file.write_bytes(b"\r\n".join(lines))
    assert file.stat().st_size > 64 << 20
    env.set_parallelism(4)
    stream = env.read_json(str(file), FLIGHTS, columns=["delay"]).with_dead_letters(BAD)
    letters = stream.get_side_output(BAD).map(lambda letter: (letter.line, letter.column, letter.offset, letter.field, letter.text))
    delays = stream.map(lambda row: row.delay)
    found = list(letters.union(delays).execute_and_collect())
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line) + 2)
    assert sorted(each for each in found if isinstance(each, tuple)) == [
        (place + 1, 1, offsets[place], "delay", lines[place].decode()) for place in bad
    ]
    assert sorted(each for each in found if isinstance(each, int)) == sorted(set(range(len(lines))) - set(bad))


def test_text_and_packed_files(env: StreamExecutionEnvironment, tmp_path: pathlib.Path) -> None:
    with gzip.open(tmp_path / "a.gz", "wb") as file:
        file.write(b"one\r\ncaf\xe9\rtwo\n\xff")
    (tmp_path / "empty").write_bytes(b"")
    rows, letters = both(env.read_text_file(str(tmp_path)))
    assert rows == ["one", "two"]
    assert [tuple(letter) for letter in letters] == [
        (str(tmp_path / "a.gz"), 2, 1, 5, 4, None, "caf\\xE9", "the line is not UTF-8: 'caf�'"),
        (str(tmp_path / "a.gz"), 4, 1, 14, 1, None, "\\xFF", "the line is not UTF-8: '�'"),
    ]
    assert letters[0].as_dict() == dict(zip(undecoded_type().get_field_names(), letters[0], strict=True))


def test_letters_name_column_and_field(env: StreamExecutionEnvironment, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "flights.csv"
    file.write_text('carrier,delay,distance\nUA,5,1\n"U\nA",6, x\nUA\n')
    rows, letters = both(env.read_csv(str(file), FLIGHTS, header=True, columns=["distance"]))
    assert [row.distance for row in rows] == [1.0]
    assert [(letter.line, letter.column, letter.offset, letter.field, letter.text, letter.error) for letter in letters] == [
        (4, 6, 30, "distance", '"U\nA",6, x', "field 'distance': ' x' is not a value of type DOUBLE"),
        (5, 1, 41, None, "UA", "the row has 1 of 3 fields: 'UA'"),
    ]


class Delay(TimestampAssigner):
    def extract_timestamp(self, value: Any, record_timestamp: int) -> int:
        return int(value.delay)


@pytest.mark.parametrize("parallelism", [1, 4])
@pytest.mark.parametrize("strategy", [None, WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_millis(5)).with_timestamp_assigner(Delay())])
def test_counters_and_explain_time(
    env: StreamExecutionEnvironment, tmp_path: pathlib.Path, strategy: WatermarkStrategy | None, parallelism: int
) -> None:
    """Letters are counted, read or not; with a watermark strategy of the source's own too."""
    env.set_parallelism(parallelism)
    for part in range(3):
        (tmp_path / f"{part}.csv").write_text("".join(f"UA,{number if number % 5 else 'x'},1\n" for number in range(1_000)))
    for is_read in (True, False):
        stream = env.read_csv(str(tmp_path), FLIGHTS, watermark_strategy=strategy).name("Flights").with_dead_letters(BAD)
        good: list[Any] = []
        letters: list[Any] = []
        stream.add_sink(good.append)
        if is_read:
            stream.get_side_output(BAD).add_sink(letters.append)
        client = env.execute_async()
        client.wait()
        assert (len(good), len(letters)) == (2_400, 600 * is_read)
        operators = [operator for operator in client.get_metrics()["operators"] if operator["name"] == "Flights"]
        assert sum(operator["numMalformedRecords"] for operator in operators) == 600
        assert sum(operator["numRecordsFailed"] for operator in operators) == 600
        text = str(client.explain_time())
        assert "rows could not be decoded and went to its dead letters" in text and "skipped" not in text
        assert sum(step.num_malformed_records for subtask in client.explain_time().subtasks for step in subtask.operators) == 600


def test_watermarks_reach_the_letters(env: StreamExecutionEnvironment, tmp_path: pathlib.Path) -> None:
    """A union of rows and letters has the rows' event time: nobody waits for a side output without watermarks."""
    file = tmp_path / "flights.csv"
    file.write_text("".join(f"UA,{number},{'' if number % 3 else 'x'}\n" for number in range(30_000)))
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Delay())
    stream = env.read_csv(str(file), FLIGHTS, watermark_strategy=strategy).with_dead_letters(BAD)
    seen: list[int] = []

    from millstream.datastream import ProcessFunction

    class Watermarks(ProcessFunction):
        def process_element(self, value: Any, ctx: Any) -> Any:
            seen.append(ctx.timer_service().current_watermark())
            return ()

    stream.get_side_output(BAD).process(Watermarks()).add_sink(lambda value: None)
    env.execute()
    assert len(seen) == 10_000 and seen == sorted(seen)
    assert max(seen) > 0


def test_a_file_source_and_its_formats(env: StreamExecutionEnvironment, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("1,x\ny,z\n")
    schema = CsvSchema.builder().add_number_column("id").add_string_column("name").build()
    source = FileSource.for_record_stream_format(CsvReaderFormat.for_schema(schema), str(file)).build()
    rows, letters = both(env.from_source(source, WatermarkStrategy.no_watermarks(), "numbers"))
    assert [tuple(row) for row in rows] == [(1, "x")] and [letter.line for letter in letters] == [2]
    text = FileSource.for_record_stream_format(StreamFormat.text_line_format(), str(file)).build()
    assert both(env.from_source(text)) == (["1,x", "y,z"], [])


def test_letters_can_be_written_and_named(env: StreamExecutionEnvironment, tmp_path: pathlib.Path) -> None:
    """The letters are a stream of rows like others: keyed, mapped, or to be got before the source says that it has them."""
    file = tmp_path / "in.jsonl"
    file.write_text('{"delay": 1}\n{"delay": "x"}\n{"delay": [1]}\n')
    stream = env.read_json(str(file), FLIGHTS)
    letters = stream.get_side_output(BAD)
    stream.with_dead_letters(BAD)
    counted = letters.map(lambda letter: (letter.field, 1), Types.TUPLE([Types.STRING(), Types.LONG()])).key_by(lambda pair: pair[0]).sum(1)
    assert list(counted.execute_and_collect())[-1] == ("delay", 2)
    as_json = letters.map(lambda letter: json.dumps(letter.as_dict()), Types.STRING())
    assert [json.loads(line)["line"] for line in as_json.execute_and_collect()] == [2, 3]


def test_what_has_no_letters(env: StreamExecutionEnvironment, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text("UA,x,1\n")
    with pytest.raises(PlanError, match="no source of text, CSV or JSON files"):
        env.from_source(NumberSequenceSource(1, 2)).with_dead_letters(BAD)
    hybrid = HybridSource.builder(FileSource.for_record_stream_format(StreamFormat.text_line_format(), str(file)).build()).build()
    with pytest.raises(PlanError, match="no source of text"):
        env.from_source(hybrid).with_dead_letters(BAD)
    with pytest.raises(TypeError, match="another type"):
        env.read_csv(str(file), FLIGHTS).with_dead_letters(OutputTag("bad", Types.STRING()))
    skipping = env.read_csv(str(file), FLIGHTS, skip_malformed=True).with_dead_letters(BAD)
    skipping.print()
    with pytest.raises(ConfigurationError, match="skips what does not decode"):
        env.execute()


def test_without_letters_the_job_fails_as_ever(env: StreamExecutionEnvironment, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text("UA,1,1\nUA,x,1\n")
    stream = env.read_csv(str(file), FLIGHTS)
    # Asking for the output alone is no wish to have it filled.
    stream.get_side_output(OutputTag("other", Types.STRING()))
    with pytest.raises(DecodeError, match=r"in\.csv:2:4: field 'delay'"):
        list(stream.execute_and_collect())
