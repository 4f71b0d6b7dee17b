"""Bad input gets a clear error and loses nothing: each case fails by its own name, and jobs after it run as before."""

from __future__ import annotations

import datetime
import decimal
import errno
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from millstream.common import Encoder, Row, Types, WatermarkStrategy
from millstream.datastream import (
    MapFunction,
    OutputTag,
    ProcessFunction,
    StreamExecutionEnvironment,
)
from millstream.datastream.connectors.file_system import FileSink
from millstream.datastream.connectors.number_seq import NumberSequenceSource
from millstream.datastream.connectors.python import PythonSource
from millstream.datastream.dead_letters import DeadLetterTag
from millstream.exceptions import (
    ConfigurationError,
    DecodeError,
    EventTimeError,
    InputOutputError,
    KeyValueError,
    MillstreamError,
    PlanError,
    TypeMismatchError,
)

Environment = StreamExecutionEnvironment


@pytest.fixture(autouse=True)
def _the_engine_goes_on() -> Any:
    """After each case, whatever it did, the same small job gives the same results."""
    yield
    env = Environment.get_execution_environment()
    words = env.from_collection([("a", 1), ("b", 2), ("a", 3)], Types.TUPLE([Types.STRING(), Types.LONG()]))
    assert list(words.key_by(0).sum(1).map(lambda word: word[1]).execute_and_collect()) == [1, 2, 4]


# ---- Values that do not fit their declared type ----------------------------------------------------------------------------------------------

HUGE = 2**70
MISFITS: list[tuple[Any, Any, str]] = [
    (Types.LONG(), "x", "BIGINT.*str"),
    (Types.LONG(), 1.5, "BIGINT.*float"),
    (Types.LONG(), decimal.Decimal("1.5"), "BIGINT.*Decimal"),
    (Types.LONG(), float("nan"), "BIGINT.*float"),
    (Types.LONG(), float("inf"), "BIGINT.*float"),
    (Types.LONG(), 2.0**63, "BIGINT"),
    (Types.LONG(), HUGE, "BIGINT"),
    (Types.INT(), 2**31, "INT"),
    (Types.SHORT(), -(2**15) - 1, "SMALLINT"),
    (Types.BYTE(), 128, "TINYINT"),
    (Types.BOOLEAN(), 1, "BOOLEAN.*int"),
    (Types.STRING(), b"x", "STRING.*bytes"),
    (Types.STRING(), "\ud800", "STRING"),
    (Types.DOUBLE(), "1.5", "DOUBLE.*str"),
    (Types.DECIMAL(5, 2), decimal.Decimal("NaN"), "DECIMAL"),
    (Types.DECIMAL(5, 2), decimal.Decimal("Infinity"), "DECIMAL"),
    (Types.DECIMAL(5, 2), decimal.Decimal(1000), "DECIMAL"),
    (Types.SQL_DATE(), "2024-01-01", "DATE.*str"),
    (Types.SQL_TIMESTAMP(), datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC), "TIMESTAMP"),
    (Types.SQL_TIME(), datetime.timedelta(1), "TIME"),
    (Types.INSTANT(), datetime.datetime(2024, 1, 1), "TIMESTAMP_LTZ"),
    (Types.PRIMITIVE_ARRAY(Types.BYTE()), "x", "BYTES|VARBINARY"),
    (Types.PRIMITIVE_ARRAY(Types.INT()), [1, None], "INT"),
    (Types.LIST(Types.INT()), 5, "ARRAY"),
    (Types.LIST(Types.INT()), [1, "x"], "INT.*str"),
    (Types.MAP(Types.STRING(), Types.INT()), {"a": "x"}, "INT.*str"),
    (Types.MAP(Types.STRING(), Types.INT()), {None: 1}, "STRING|key"),
    (Types.TUPLE([Types.INT(), Types.STRING()]), (1,), "too few fields"),
    (Types.TUPLE([Types.INT(), Types.STRING()]), (1, 2), "f1.*STRING.*int"),
    (Types.TUPLE([Types.INT(), Types.STRING()]), 5, "int"),
    (Types.ROW_NAMED(["a", "b"], [Types.INT(), Types.STRING()]), Row(a=1, c="x"), "b|c"),
    (Types.ROW_NAMED(["a", "b"], [Types.INT(), Types.STRING()]), (1, "x", 2), "too many fields"),
    (Types.ROW_NAMED(["a"], [Types.ROW_NAMED(["b"], [Types.INT()])]), Row(a=Row(b="x")), "a.b.*INT.*str"),
]


@pytest.mark.parametrize(("type_info", "value", "message"), MISFITS, ids=lambda value: repr(value)[:40])
@pytest.mark.parametrize("where", ["source", "function"])
def test_value_of_the_wrong_type(env: Environment, type_info: Any, value: Any, message: str, where: str) -> None:
    if where == "source":
        stream = env.from_collection([value], type_info)
        name = "Collection Source"
    else:
        stream = env.from_collection([value]).map(lambda v: v, type_info).name("Parse it")
        name = "Parse it"
    with pytest.raises(TypeMismatchError, match=f"(?s){message}") as caught:
        list(stream.execute_and_collect())
    told = str(caught.value) + "".join(getattr(caught.value, "__notes__", []))
    assert name in told or name in (caught.value.operator or ""), told
    assert len(told) < 1_500, "a value's text is cut off"


def test_a_misfit_names_its_record(env: Environment) -> None:
    env.from_collection(range(1_000)).map(lambda n: "x" if n == 777 else n, Types.LONG()).name("Parse")
    with pytest.raises(TypeMismatchError) as caught:
        env.execute()
    assert caught.value.record == 777


def test_a_long_value_is_cut_off(env: Environment) -> None:
    with pytest.raises(TypeMismatchError) as caught:
        list(env.from_collection(["x" * 100_000], Types.LONG()).execute_and_collect())
    assert len(str(caught.value)) < 1_000


# ---- Functions --------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [None, 7, "abs", [abs], MapFunction])
def test_what_is_no_function(env: Environment, wrong: Any) -> None:
    numbers = env.from_collection([1])
    for method in (numbers.map, numbers.flat_map, numbers.filter, numbers.add_sink, numbers.key_by(lambda n: n).reduce):
        with pytest.raises(TypeError):
            method(wrong)
    with pytest.raises(TypeError):
        numbers.process(wrong)
    with pytest.raises(TypeError):
        numbers.partition_custom(wrong, lambda n: n)
    with pytest.raises(TypeError):
        numbers.key_by(None if wrong == [abs] else wrong if wrong not in (7, "abs") else None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("function", "value"),
    [(lambda n: n, 5), (lambda n: True, 5), (lambda n: 1.5, 5)],
    ids=["int", "bool", "float"],
)
def test_flat_map_needs_something_to_iterate(env: Environment, function: Any, value: int) -> None:
    env.from_collection([value]).flat_map(function).name("Split")
    with pytest.raises(TypeError, match="iter"):
        env.execute()


def test_a_filter_whose_answer_has_no_truth(env: Environment) -> None:
    class Sulky:
        def __bool__(self) -> bool:
            raise ValueError("no answer")

    env.from_collection([1]).filter(lambda n: Sulky())
    with pytest.raises(ValueError, match="no answer"):
        env.execute()


def test_a_function_with_the_wrong_number_of_arguments(env: Environment) -> None:
    env.from_collection([1]).map(lambda: 1)
    with pytest.raises(TypeError, match="positional argument"):
        env.execute()


def test_a_partition_out_of_range(env: Environment) -> None:
    for number in (-1, 3, "x", None):
        env.from_collection([1], Types.LONG()).partition_custom(lambda key, count, number=number: number, lambda n: n).map(abs).set_parallelism(3)
        with pytest.raises((MillstreamError, TypeError)):
            env.execute()


def test_what_cannot_be_pickled_is_no_problem(env: Environment) -> None:
    server = socket.socket()
    generator = (n for n in range(3))
    found = list(env.from_collection([server]).map(lambda s: (s.fileno() > 0, next(generator), server is s)).execute_and_collect())
    server.close()
    assert found == [(True, 0, True)]


def test_a_source_that_gives_too_much_or_nonsense(env: Environment) -> None:
    for answer in ("text", object(), -1.0, float("nan")):

        class Nonsense(PythonSource):
            def read(self, limit: int, answer: Any = answer) -> Any:
                return answer

        env.from_source(Nonsense(Types.LONG())).print()
        with pytest.raises((MillstreamError, TypeError, ValueError)):
            env.execute()


def test_yielding_to_what_is_no_tag(env: Environment) -> None:
    class Wrong(ProcessFunction[Any, Any]):
        def process_element(self, value: Any, ctx: ProcessFunction.Context) -> Any:
            yield OutputTag("text", Types.STRING()), 5

    main = env.from_collection([1]).process(Wrong())
    main.get_side_output(OutputTag("text", Types.STRING())).print()
    with pytest.raises(TypeMismatchError, match="STRING"):
        env.execute()


# ---- Keys ---------------------------------------------------------------------------------------------------------------------------------------


class Unhashable:
    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    "key", [None, [1], {"a": 1}, {1}, bytearray(b"x"), Unhashable(), ("a", [1])], ids=lambda key: type(key).__name__
)
def test_keys_that_cannot_be(env: Environment, key: Any) -> None:
    env.from_collection(["fine", key]).key_by(lambda value: value).reduce(lambda x, y: x).name("Reduce")
    with pytest.raises(KeyValueError):
        env.execute()


def test_a_null_key_field(env: Environment) -> None:
    rows = env.from_collection([("a", 1), (None, 2)], Types.ROW_NAMED(["k", "n"], [Types.STRING(), Types.LONG()]))
    rows.key_by("k").sum("n").print()
    with pytest.raises(KeyValueError, match="(?i)null|None"):
        env.execute()


def test_nan_is_one_key(env: Environment) -> None:
    for type_info in (Types.DOUBLE(), None):
        values = [float("nan"), -float("nan"), 0.0, -0.0, 1.0]
        counts = env.from_collection(values, type_info).key_by(lambda x: x, type_info).map(lambda x: (repr(abs(x)), 1))
        assert sorted(counts.key_by(0).sum(1).execute_and_collect()) == [("0.0", 1), ("0.0", 2), ("1.0", 1), ("nan", 1), ("nan", 2)]
        sums = env.from_collection([(x, 1) for x in values], Types.TUPLE([Types.DOUBLE(), Types.LONG()])).key_by(0).sum(1)
        assert sorted(n for _, n in sums.execute_and_collect()) == [1, 1, 1, 2, 2]


# ---- Event time -----------------------------------------------------------------------------------------------------------------------------------

LIMITS = [-(2**63), -(2**63) + 1, -1, 0, 2**63 - 2, 2**63 - 1]


@pytest.mark.parametrize("timestamp", LIMITS)
def test_timestamps_at_the_limits_do_not_end_the_process(env: Environment, timestamp: int) -> None:
    strategy = WatermarkStrategy.for_bounded_out_of_orderness(10_000).with_timestamp_assigner(lambda value, old: value)
    stream = env.from_collection([timestamp, 5], Types.LONG()).assign_timestamps_and_watermarks(strategy)
    assert list(stream.execute_and_collect()) == [timestamp, 5]


@pytest.mark.parametrize("timestamp", [2**63, -(2**63) - 1, HUGE, 1.5, "x", None])
def test_timestamps_that_cannot_be(env: Environment, timestamp: Any) -> None:
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(lambda value, old: timestamp)
    env.from_collection([1]).assign_timestamps_and_watermarks(strategy).name("Clock")
    with pytest.raises((EventTimeError, TypeError, OverflowError)):
        env.execute()


def test_a_null_in_the_timestamp_column(env: Environment) -> None:
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_column("t")
    rows = env.from_collection([("a", None)], Types.ROW_NAMED(["k", "t"], [Types.STRING(), Types.LONG()]))
    rows.assign_timestamps_and_watermarks(strategy).print()
    with pytest.raises(EventTimeError, match="(?i)null"):
        env.execute()


def test_timestamp_columns_that_cannot_be(env: Environment) -> None:
    rows = env.from_collection([("a", 1)], Types.ROW_NAMED(["k", "time"], [Types.STRING(), Types.LONG()]))
    with pytest.raises(PlanError, match="did you mean 'time'"):
        rows.assign_timestamps_and_watermarks(WatermarkStrategy.for_monotonous_timestamps().with_timestamp_column("tim"))
    rows.assign_timestamps_and_watermarks(WatermarkStrategy.for_monotonous_timestamps().with_timestamp_column("k")).print()
    with pytest.raises(MillstreamError, match="STRING"):
        env.execute()


# ---- Parallelism and uids ---------------------------------------------------------------------------------------------------------------------------


def test_two_operators_of_one_uid(env: Environment) -> None:
    first = env.from_collection([1]).map(abs).uid("same")
    with pytest.raises(ConfigurationError, match=f"'same'.*{pathlib.Path(__file__).name}"):
        first.map(abs).uid("same")


def test_a_parallelism_that_the_max_does_not_allow_starts_nothing(env: Environment) -> None:
    seen: list[int] = []
    env.from_source(NumberSequenceSource(1, 3)).map(seen.append).set_parallelism(5)
    env.set_max_parallelism(4)
    with pytest.raises(ConfigurationError, match="5.*4|4.*5"):
        env.execute()
    assert seen == []


# ---- Files ------------------------------------------------------------------------------------------------------------------------------------------

FLIGHTS = "ROW<carrier STRING, delay INT>"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("UA,1\nUA\n", r"flights\.csv:2"),
        ("UA,1\nUA,2,3\n", r"flights\.csv:2"),
        ("UA,1\nUA,x\n", r"flights\.csv:2.*(INT|delay)"),
        ("UA,99999999999\n", r"flights\.csv:1.*(INT|delay)"),
        ('UA,1\n"UA,2\n', r"flights\.csv:2"),
        ("UA,1\nUA,1.5\n", r"flights\.csv:2"),
    ],
    ids=["missing column", "extra column", "no number", "too large", "open quote", "no whole number"],
)
def test_csv_lines_that_cannot_be(env: Environment, tmp_path: pathlib.Path, content: str, message: str) -> None:
    file = tmp_path / "flights.csv"
    file.write_text(content)
    with pytest.raises(DecodeError, match=f"(?s){message}"):
        list(env.read_csv(str(file), FLIGHTS).execute_and_collect())


@pytest.mark.parametrize("content", [b"UA,1\n\xff\xfe,2\n", b"\x80"], ids=["in a field", "alone"])
def test_a_file_that_is_not_utf_8(env: Environment, tmp_path: pathlib.Path, content: bytes) -> None:
    file = tmp_path / "flights.csv"
    file.write_bytes(content)
    with pytest.raises(DecodeError, match=r"(?s)flights\.csv.*UTF-8"):
        list(env.read_csv(str(file), FLIGHTS, ragged=True).execute_and_collect())
    with pytest.raises(DecodeError, match=r"(?s)flights\.csv.*UTF-8"):
        list(env.read_text_file(str(file)).execute_and_collect())


@pytest.mark.parametrize(
    "line", ['{"carrier": "UA"', '{"delay": 1.7}', '{"delay": 99999999999}', '{"delay": "x"}', "[1]", "null", '{"delay": 1e999}', "[" * 100_000],
    ids=lambda line: line[:20],
)
def test_json_lines_that_cannot_be(env: Environment, tmp_path: pathlib.Path, line: str) -> None:
    file = tmp_path / "flights.jsonl"
    file.write_text('{"carrier": "UA", "delay": 1}\n' + line + "\n")
    with pytest.raises(DecodeError, match=r"flights\.jsonl:2"):
        list(env.read_json(str(file), FLIGHTS).execute_and_collect())
    assert len(list(env.read_json(str(file), FLIGHTS, skip_malformed=True).execute_and_collect())) == 1


@pytest.mark.parametrize(
    ("read", "content", "place"),
    [
        ("read_csv", "UA,1,NA\nUA,NA,2.5\nUA,3,0.5\n", "2:1"),
        ("read_csv", "UA,1,\nUA,,2.5\nUA,3,0.5\n", "2:4"),
        ("read_csv", "UA,1\nUA\nUA,3,0.5\n", "2:1"),
        ("read_json", '{"delay": 1, "distance": null}\n{"delay": null}\n{"delay": 3}\n', "2:1"),
        ("read_json", '{"delay": 1}\n{"distance": 2.5}\n{"delay": 3}\n', "2:1"),
    ],
    ids=["null literal", "empty field", "ragged CSV", "null of JSON", "not in JSON"],
)
def test_a_null_where_the_schema_says_not_null(env: Environment, tmp_path: pathlib.Path, read: str, content: str, place: str) -> None:
    file = tmp_path / "flights"
    file.write_text(content)
    schema = "ROW<carrier VARCHAR, delay DOUBLE PRECISION NOT NULL, distance DOUBLE>"

    def rows(schema: str = schema, **options: Any) -> Any:
        options |= {"null_literal": "NA", "ragged": True} if read == "read_csv" else {}
        return getattr(env, read)(str(file), schema, **options)

    assert [row.delay for row in rows(schema.replace(" NOT NULL", "")).execute_and_collect()] == [1.0, None, 3.0]
    with pytest.raises(DecodeError, match=f"flights:{place}: field 'delay': .*declared DOUBLE NOT NULL"):
        list(rows().execute_and_collect())
    assert [row.delay for row in rows(skip_malformed=True).execute_and_collect()] == [1.0, 3.0]
    assert len(list(rows(columns=["distance"]).execute_and_collect())) == 3
    letters = rows().with_dead_letters(DeadLetterTag("bad")).get_side_output(DeadLetterTag("bad"))
    assert [(letter.line, letter.field) for letter in letters.execute_and_collect()] == [(2, "delay")]
    # What is computed of such rows may be null.
    reduced = rows(skip_malformed=True).key_by(lambda row: 1).reduce(lambda one, other: Row(carrier=None, delay=None, distance=None))
    assert list(reduced.execute_and_collect())[-1].delay is None


def test_files_that_are_not_there(env: Environment, tmp_path: pathlib.Path) -> None:
    for path in (tmp_path / "no.txt", tmp_path / "no*.txt"):
        with pytest.raises((InputOutputError, PlanError), match=r"no"):
            list(env.read_text_file(str(path)).execute_and_collect())


def test_empty_files_have_no_rows(env: Environment, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "empty.csv"
    file.touch()
    assert list(env.read_csv(str(file), FLIGHTS).execute_and_collect()) == []
    assert list(env.read_text_file(str(tmp_path)).execute_and_collect()) == []


def test_a_truncated_packed_file(env: Environment, tmp_path: pathlib.Path) -> None:
    import gzip

    file = tmp_path / "a.txt.gz"
    file.write_bytes(gzip.compress(os.urandom(100_000).hex().encode())[:-2_000])
    with pytest.raises((DecodeError, InputOutputError), match=r"a\.txt\.gz"):
        list(env.read_text_file(str(file)).execute_and_collect())


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(env: Environment, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "secret.txt"
    file.write_text("x")
    file.chmod(0)
    with pytest.raises(InputOutputError, match="secret"):
        list(env.read_text_file(str(file)).execute_and_collect())


def test_a_folder_that_cannot_be_written(env: Environment, tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("in the way")
    env.from_collection(["x"], Types.STRING()).sink_to(FileSink.for_row_format(str(tmp_path / "file" / "sub"), Encoder.simple_string_encoder()).build())
    with pytest.raises(InputOutputError, match="file"):
        env.execute()
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_at_a_python_sink(env: Environment) -> None:
    def write(value: Any) -> None:
        with open("/dev/full", "w") as file:
            file.write("x")

    env.from_collection([1]).add_sink(write)
    with pytest.raises(OSError) as caught:
        env.execute()
    assert caught.value.errno == errno.ENOSPC


# ---- Standard output, deep values, odd places ---------------------------------------------------------------------------------------------------------


def test_printing_into_a_closed_pipe_fails_the_job() -> None:
    script = (
        "from millstream.datastream import StreamExecutionEnvironment as E\n"
        "env = E.get_execution_environment()\nenv.from_collection(['x' * 1000] * 10_000).print()\n"
        "try:\n    env.execute()\nexcept OSError:\n    import os; os._exit(7)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(30) == 7


@pytest.mark.parametrize("to_error", [False, True])
def test_printing_asks_a_stream_for_what_print_does(env: Environment, monkeypatch: pytest.MonkeyPatch, to_error: bool) -> None:
    """Nothing but ``write``; and ``None`` takes all and shows nothing."""

    class Stream:
        def __init__(self) -> None:
            self.texts: list[str] = []

        def write(self, text: str) -> None:
            self.texts.append(text)

    stream = Stream()
    for target in (None, stream):
        monkeypatch.setattr(sys, "stderr" if to_error else "stdout", target)
        env.from_collection(["a", "b"]).print_to_err() if to_error else env.from_collection(["a", "b"]).print()
        env.execute()
    assert "".join(stream.texts) == "a\nb\n"


def test_an_exception_of_c_without_a_traceback(env: Environment) -> None:
    """What C code raises again may have its traceback set to None, which is not the same as none in CPython."""
    import asyncio
    import operator

    kept = KeyError("mine").with_traceback(None)
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    future.set_exception(kept)
    env.from_collection([future]).map(operator.methodcaller("result")).print()
    with pytest.raises(KeyError, match="mine"):
        env.execute()
    loop.close()


def test_values_nested_deeper_than_a_stack(env: Environment) -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert next(iter(env.from_collection([deep]).map(lambda v: v).execute_and_collect())) is deep
    nested: Callable[[int], Any] = lambda n: Types.INT() if n == 0 else Types.LIST(nested(n - 1))
    with pytest.raises((MillstreamError, ValueError)):
        list(env.from_collection([deep], nested(200)).execute_and_collect())


def test_a_function_that_changes_its_input(env: Environment) -> None:
    rows = env.from_collection([Row(a=1), Row(a=2)], Types.ROW_NAMED(["a"], [Types.INT()]))

    def change(row: Row) -> Row:
        row["a"] = 10
        return row

    assert [row.a for row in rows.map(change).execute_and_collect()] == [10, 10]
    assert [row.a for row in rows.execute_and_collect()] == [1, 2]


def test_a_second_interrupt_does_not_wait_for_a_function_that_does_not_return() -> None:
    script = (
        "import time\n"
        "from millstream.datastream import StreamExecutionEnvironment as E\n"
        "env = E.get_execution_environment()\n"
        "env.from_collection([1]).map(lambda value: [print('go', flush=True), time.sleep(60)]).print()\n"
        "env.execute()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "go\n"
        for _ in range(2):
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=15)
    assert process.returncode == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")
