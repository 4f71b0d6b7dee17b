"""Jobs without keys: functions, projections, partitions, side outputs, sinks."""

from __future__ import annotations

import datetime
import decimal
import json
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from millstream.common import Instant, Row, Time, Types, WatermarkStrategy
from millstream.datastream import (
    FilterFunction,
    FlatMapFunction,
    MapFunction,
    OutputTag,
    Partitioner,
    ProcessFunction,
    RuntimeContext,
    RuntimeExecutionMode,
    SinkFunction,
    StreamExecutionEnvironment,
)
from millstream.datastream.connectors.datagen import DataGeneratorSource
from millstream.datastream.connectors.number_seq import NumberSequenceSource
from millstream.datastream.connectors.python import PythonSink, PythonSource
from millstream.datastream.data_stream import DataStream
from millstream.datastream.window import TumblingEventTimeWindows
from millstream.exceptions import EventTimeError, InvalidStateError, PlanError, UserFunctionError
from millstream.table.expressions import and_, col, lit, not_, or_

ROWS = Types.ROW_NAMED(["id", "n", "x"], [Types.STRING(), Types.LONG(), Types.DOUBLE()])


def collect(stream: DataStream) -> list[Any]:
    with stream.execute_and_collect() as values:
        return list(values)


class Objects:
    """A value of no declared type."""


# ---- Values --------------------------------------------------------------------------------------------------------------------------------


def test_undeclared_values_are_the_same_objects(env: StreamExecutionEnvironment) -> None:
    values = [Objects(), None, {"a": [1]}, 2**100, "\ud800", (1, 2)]
    found = collect(env.from_collection(values).map(lambda value: value))
    assert all(one is other for one, other in zip(found, values, strict=True))


@pytest.mark.parametrize(
    ("type_info", "values"),
    [
        (Types.STRING(), ["", "ä😀", None, "a\0b"]),
        (Types.BOOLEAN(), [True, False, None]),
        (Types.BYTE(), [-128, 127, None]),
        (Types.SHORT(), [-(2**15), 2**15 - 1]),
        (Types.INT(), [-(2**31), 2**31 - 1]),
        (Types.LONG(), [-(2**63), 2**63 - 1, None]),
        (Types.FLOAT(), [0.5, float("inf"), None]),
        (Types.DOUBLE(), [0.1, -0.0, 1e308]),
        (Types.BIG_INT(), [2**200, -1]),
        (Types.BIG_DEC(), [decimal.Decimal("1.50"), decimal.Decimal("1E+30")]),
        (Types.DECIMAL(5, 2), [decimal.Decimal("123.45"), decimal.Decimal("-0.01"), None]),
        (Types.SQL_DATE(), [datetime.date(1, 1, 1), datetime.date(9999, 12, 31), None]),
        (Types.SQL_TIME(), [datetime.time(0), datetime.time(23, 59, 59, 999_999)]),
        (Types.SQL_TIMESTAMP(), [datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31, 23, 59, 59, 999_999), None]),
        (Types.INSTANT(), [Instant(0, 0), Instant(-1, 999_999_000), Instant(253_402_300_799, 0), None]),
        (Types.PRIMITIVE_ARRAY(Types.BYTE()), [b"", b"\x00\xff", None]),
        (Types.PRIMITIVE_ARRAY(Types.INT()), [[], [1, 2]]),
        (Types.LIST(Types.STRING()), [[], ["a", None], None]),
        (Types.MAP(Types.STRING(), Types.LIST(Types.INT())), [{}, {"a": [1], "b": None}]),
        (Types.TUPLE([Types.INT(), Types.STRING()]), [(1, "a"), (None, None)]),
        (ROWS, [Row(id="a", n=1, x=0.5), Row(id=None, n=None, x=None)]),
        (Types.ROW([Types.ROW_NAMED(["b"], [Types.INT()])]), [Row(f0=Row(b=1)), Row(f0=None)]),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_declared_values_come_back(env: StreamExecutionEnvironment, type_info: Any, values: list[Any]) -> None:
    assert collect(env.from_collection(values, type_info)) == values
    assert collect(env.from_collection(values).map(lambda value: value, type_info).map(lambda value: value, type_info)) == values


def test_rows_are_taken_by_name(env: StreamExecutionEnvironment) -> None:
    named = Types.ROW_NAMED(["a", "b"], [Types.INT(), Types.STRING()])
    values = [Row(b="x", a=1), Row(1, "x"), (1, "x"), [1, "x"], {"b": "x", "a": 1, "c": 0}, Row(c=0, b="x", a=1)]
    assert collect(env.from_collection(values, named)) == [Row(a=1, b="x")] * 6
    assert collect(env.from_collection([Row(x=1, y="z")], Types.ROW([Types.INT(), Types.STRING()]))) == [Row(f0=1, f1="z")]


def test_types_of_streams(env: StreamExecutionEnvironment) -> None:
    numbers = env.from_collection([1], Types.INT())
    assert numbers.get_type() == Types.INT()
    assert numbers.map(str).get_type() == Types.PICKLED_BYTE_ARRAY()
    assert numbers.map(str, Types.STRING()).filter(len).get_type() == Types.STRING()
    assert numbers.map(lambda n: (n, n), [Types.INT(), Types.INT()]).get_type() == Types.ROW([Types.INT(), Types.INT()])
    assert numbers.map(lambda n: (n, n), "TUPLE<INT, INT>").get_type() == Types.TUPLE([Types.INT(), Types.INT()])


# ---- Functions -----------------------------------------------------------------------------------------------------------------------------


def test_chain_of_functions(env: StreamExecutionEnvironment) -> None:
    stream = env.from_collection(range(10)).map(lambda n: n + 1).filter(lambda n: n % 2 == 0).flat_map(lambda n: [n] * (n // 4)).map(str)
    assert collect(stream) == ["4", "6", "8", "8", "10", "10"]


def test_flat_map_gives_nothing_lists_or_generators(env: StreamExecutionEnvironment) -> None:
    def some(n: int) -> Iterator[int] | list[int] | None:
        return None if n == 0 else [n, n] if n == 1 else (k for k in range(n))

    assert collect(env.from_collection([0, 1, 2]).flat_map(some)) == [1, 1, 0, 1]


class Life(MapFunction[Any, Any], FlatMapFunction[Any, Any], FilterFunction[Any]):
    """Tells when it is opened and closed."""

    log: ClassVar[list[str]] = []

    def open(self, runtime_context: RuntimeContext) -> None:
        self.name = f"{runtime_context.get_index_of_this_subtask()}/{runtime_context.get_number_of_parallel_subtasks()}"
        self.greeting = runtime_context.get_job_parameter("greeting", "none")
        self.counter = runtime_context.get_metrics_group().counter("seen")
        Life.log.append(f"open {self.name}")

    def close(self) -> None:
        Life.log.append(f"close {self.name}")

    def map(self, value: Any) -> Any:
        self.counter.inc()
        return self.greeting, value

    def flat_map(self, value: Any) -> Any:
        yield value
        yield value

    def filter(self, value: Any) -> bool:
        return bool(value)


@pytest.mark.parametrize(
    ("method", "expected"), [("map", [("hello", 0), ("hello", 1)]), ("flat_map", [0, 0, 1, 1]), ("filter", [1])]
)
def test_function_objects_are_opened_and_closed(env: StreamExecutionEnvironment, method: str, expected: list[Any]) -> None:
    Life.log.clear()
    env.get_config().set_global_job_parameters({"greeting": "hello"})
    assert collect(getattr(env.from_collection([0, 1]), method)(Life())) == expected
    assert Life.log == ["open 0/1", "close 0/1"]


def test_each_subtask_has_its_own_copy(env: StreamExecutionEnvironment) -> None:
    Life.log.clear()
    stream = env.from_source(NumberSequenceSource(1, 100)).set_parallelism(1).rebalance().map(Life()).set_parallelism(4)
    assert sorted(value for _, value in collect(stream)) == list(range(1, 101))
    assert sorted(Life.log) == sorted(f"{what} {index}/4" for what in ("open", "close") for index in range(4))


def test_counters_are_accumulators(env: StreamExecutionEnvironment) -> None:
    env.from_collection(range(7)).map(Life()).add_sink(lambda value: None)
    assert env.execute().get_accumulator_result("seen") == 7


def test_close_after_a_failure(env: StreamExecutionEnvironment) -> None:
    Life.log.clear()
    stream = env.from_collection([1]).map(Life()).map(lambda value: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        collect(stream)
    assert Life.log == ["open 0/1", "close 0/1"]


def test_what_cannot_be_copied_serves_one_subtask(env: StreamExecutionEnvironment) -> None:
    class Locked(MapFunction[int, int]):
        def __init__(self) -> None:
            self.lock = threading.Lock()

        def map(self, value: int) -> int:
            with self.lock:
                return value

    assert collect(env.from_collection([1, 2]).map(Locked())) == [1, 2]
    env.from_collection([1, 2]).rebalance().map(Locked()).set_parallelism(2).add_sink(lambda value: None)
    with pytest.raises(TypeError, match="Locked cannot be copied for each subtask"):
        env.execute()


# ---- Native operators ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def rows(env: StreamExecutionEnvironment) -> DataStream:
    return env.from_collection([("a", 1, 0.5), ("b", 20, None), ("c", None, 2.5)], ROWS)


def test_select(rows: DataStream) -> None:
    selected = rows.select("id", (col("n") * 2 + 1).alias("m"), col("x").is_null.alias("missing"), lit("k").alias("k"))
    assert selected.get_type().get_field_names() == ["id", "m", "missing", "k"]  # type: ignore[attr-defined]
    assert collect(selected) == [
        Row(id="a", m=3, missing=False, k="k"),
        Row(id="b", m=41, missing=True, k="k"),
        Row(id="c", m=None, missing=False, k="k"),
    ]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (col("n") > 10, ["b"]),
        ((col("n") < 10) | (col("x") > 2.0), ["a", "c"]),
        (and_(col("id") != "a", not_(col("n").is_null)), ["b"]),
        (or_(col("id") == "a", col("id") == lit("c")), ["a", "c"]),
        (col(1) > 10, ["b"]),
        (~(col("id") == "a"), ["b", "c"]),
        (-col("n") <= -20, ["b"]),
        (col("n").cast("STRING") == "1", ["a"]),
        (abs(col("n") - 21) == 1, ["b"]),
    ],
)
def test_filter_by_expression(rows: DataStream, condition: Any, expected: list[str]) -> None:
    assert [row.id for row in collect(rows.filter(condition))] == expected


def test_project(env: StreamExecutionEnvironment, rows: DataStream) -> None:
    assert collect(rows.project(1, "id")) == [Row(n=1, id="a"), Row(n=20, id="b"), Row(n=None, id="c")]
    tuples = env.from_collection([(1, "a", 2.0)], Types.TUPLE([Types.INT(), Types.STRING(), Types.DOUBLE()]))
    projected = tuples.project(2, 0)
    assert (collect(projected), projected.get_type()) == ([(2.0, 1)], Types.TUPLE([Types.DOUBLE(), Types.INT()]))


def test_expressions_have_no_truth() -> None:
    with pytest.raises(TypeError, match="write & for and"):
        bool(col("a") > 1 and col("b") > 1)


# ---- Partitions, unions, side outputs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("partition", ["rebalance", "rescale", "shuffle", "global_"])
def test_partitions_keep_every_value(env: StreamExecutionEnvironment, partition: str) -> None:
    stream = getattr(env.from_source(NumberSequenceSource(1, 1_000)), partition)().map(lambda n: n).set_parallelism(3)
    assert sorted(collect(stream)) == list(range(1, 1_001))


def test_broadcast_reaches_every_subtask(env: StreamExecutionEnvironment) -> None:
    stream = env.from_collection([1, 2]).broadcast().map(lambda n: n).set_parallelism(3)
    assert sorted(collect(stream)) == [1, 1, 1, 2, 2, 2]


def test_forward_needs_one_parallelism(env: StreamExecutionEnvironment) -> None:
    env.set_parallelism(2)
    numbers = env.from_collection([1, 2, 3], Types.LONG())
    # A collection has one subtask, whatever the environment says.
    forwarded = numbers.forward().map(lambda n: n, Types.LONG()).name("After")
    with pytest.raises(PlanError, match=r"forward\(\) .*'Source: Collection Source' \(.*\) has 1 and 'After' \(.*\) has 2: give both one parallelism"):
        forwarded.execute_and_collect()
    assert sorted(forwarded.set_parallelism(1).execute_and_collect()) == [1, 2, 3]
    both = numbers.rebalance().map(lambda n: n, Types.LONG()).forward().filter(lambda n: n > 1)
    assert sorted(both.execute_and_collect()) == [2, 3]


def test_partition_custom(env: StreamExecutionEnvironment) -> None:
    class Mark(MapFunction[int, Any]):
        def open(self, runtime_context: RuntimeContext) -> None:
            self.index = runtime_context.get_index_of_this_subtask()

        def map(self, value: int) -> Any:
            return self.index, value

    class ByTens(Partitioner[int]):
        def partition(self, key: int, num_partitions: int) -> int:
            return key % num_partitions

    for partitioner in (ByTens(), lambda key, count: key % count):
        stream = env.from_collection(range(0, 60, 5), Types.LONG()).partition_custom(partitioner, lambda n: n // 10)
        found = collect(stream.map(Mark()).set_parallelism(3))
        assert sorted(found) == sorted((n // 10 % 3, n) for n in range(0, 60, 5))


@pytest.mark.parametrize(("given", "shown"), [(3, "3"), (-1, "-1"), (1 << 70, str(1 << 70)), (None, "None"), ("x", "'x'"), (1.0, "1.0")])
@pytest.mark.parametrize("selector", [1, lambda pair: pair[1]])
def test_a_wrong_partition_number_names_partitioner_and_record(env: StreamExecutionEnvironment, selector: Any, given: Any, shown: str) -> None:
    def choose(key: int, channels: int) -> Any:
        return given if key == 57 else key % channels

    pairs = env.from_collection([("a", number) for number in range(100)], Types.TUPLE([Types.STRING(), Types.LONG()]))
    with pytest.raises(UserFunctionError) as caught:
        collect(pairs.partition_custom(choose, selector).map(lambda pair: pair).name("After").set_parallelism(3))
    assert caught.value.message == f"the partitioner gave {shown} for 3 partitions, whose numbers are 0 to 2"
    assert (caught.value.operator, caught.value.record) == ("Custom partitioning", 57)
    place = f"{choose.__code__.co_filename}:{choose.__code__.co_firstlineno}"
    assert caught.value.__notes__ == [f"in operator 'Custom partitioning' ({place}), record 57: ('a', 57), key 57"]


def test_a_failing_partitioner_shows_the_record(env: StreamExecutionEnvironment) -> None:
    rows = env.from_collection([Row("a", 1), Row("b", 0)], Types.ROW_NAMED(["name", "n"], [Types.STRING(), Types.LONG()]))
    with pytest.raises(ZeroDivisionError) as caught:
        collect(rows.filter(col("n") < 5).partition_custom(lambda key, channels: 0 // key, "n").map(lambda row: row).set_parallelism(2))
    assert caught.value.__notes__[0].endswith("record 1: Row(name='b', n=0), key 0")
    # A function without a line of its own: the line that asked for the partitioning.
    stream, line = rows.partition_custom(max, "n"), sys._getframe().f_lineno
    with pytest.raises(UserFunctionError) as caught:
        collect(stream.map(lambda row: row).set_parallelism(2))
    assert f"({__file__}:{line})" in caught.value.__notes__[0]


def test_union(env: StreamExecutionEnvironment) -> None:
    one, two, three = (env.from_collection([n, n * 10], Types.LONG()) for n in (1, 2, 3))
    assert sorted(collect(one.union(two, three).map(lambda n: n))) == [1, 2, 3, 10, 20, 30]
    with pytest.raises(PlanError, match="types differ: BIGINT and STRING"):
        one.union(env.from_collection([""], Types.STRING()))


def test_side_outputs_of_two_types(env: StreamExecutionEnvironment) -> None:
    odd, text, unread = OutputTag("odd", Types.LONG()), OutputTag("text"), OutputTag("unread")

    class Split(ProcessFunction[Any, Any]):
        def process_element(self, value: Any, ctx: ProcessFunction.Context) -> Any:
            yield unread, value
            if isinstance(value, str):
                yield text, [value]
            elif value % 2:
                yield odd, value
            else:
                yield value

    main = env.from_collection([1, 2, "x", 3, 4]).process(Split())
    found: dict[str, list[Any]] = {"main": [], "odd": [], "text": []}
    main.add_sink(found["main"].append)
    main.get_side_output(odd).add_sink(found["odd"].append)
    main.get_side_output(text).add_sink(found["text"].append)
    env.execute()
    assert found == {"main": [2, 4], "odd": [1, 3], "text": [["x"]]}
    with pytest.raises(PlanError, match="asked for as"):
        main.get_side_output(OutputTag("odd", Types.STRING()))


def test_timestamps_reach_process_functions(env: StreamExecutionEnvironment) -> None:
    class Stamp(ProcessFunction[Any, Any]):
        def process_element(self, value: Any, ctx: ProcessFunction.Context) -> Any:
            yield value, ctx.timestamp()

    strategy = WatermarkStrategy.for_bounded_out_of_orderness(Time.seconds(1))
    plain = env.from_collection([5_000, 3_000], Types.LONG())
    assert collect(plain.process(Stamp())) == [(5_000, None), (3_000, None)]
    stamped = plain.assign_timestamps_and_watermarks(strategy.with_timestamp_assigner(lambda value, old: value + 1))
    assert collect(stamped.process(Stamp())) == [(5_000, 5_001), (3_000, 3_001)]
    pairs = env.from_collection([("a", 7)], Types.ROW_NAMED(["k", "t"], [Types.STRING(), Types.LONG()]))
    assert collect(pairs.assign_timestamps_and_watermarks(strategy.with_timestamp_column("t")).process(Stamp())) == [(Row(k="a", t=7), 7)]


# ---- Sources and sinks -----------------------------------------------------------------------------------------------------------------------


def test_generator(env: StreamExecutionEnvironment) -> None:
    by_expression = DataGeneratorSource({"id": col("index"), "twice": col("index") * 2}, count=3)
    assert collect(env.from_source(by_expression)) == [Row(id=0, twice=0), Row(id=1, twice=2), Row(id=2, twice=4)]
    by_function = DataGeneratorSource(lambda index: f"<{index}>", count=2, output_type=Types.STRING())
    assert collect(env.from_source(by_function)) == ["<0>", "<1>"]


def test_print_goes_to_pythons_standard_output(env: StreamExecutionEnvironment, capsys: pytest.CaptureFixture[str]) -> None:
    env.from_collection(["a", ("b", 1), 2.5, None]).print()
    env.from_collection([1], Types.LONG()).print("out")
    env.execute()
    assert sorted(capsys.readouterr().out.splitlines()) == sorted(["a", "('b', 1)", "2.5", "None", "out> 1"])


def test_python_source_and_sink(env: StreamExecutionEnvironment) -> None:
    class Letters(PythonSource):
        def __init__(self) -> None:
            super().__init__(Types.STRING())
            self.position = 0

        def open(self, runtime_context: RuntimeContext) -> None:
            self.letters = "abc"

        def read(self, limit: int) -> Any:
            assert limit > 0
            if self.position == 3:
                return None
            self.position += 1
            return 0.001 if self.position == 2 else [self.letters[self.position - 1]]

    written: list[Any] = []

    class Sink(PythonSink):
        def write(self, values: list[Any]) -> None:
            written.extend(values)

        def flush(self, end_of_input: bool) -> None:
            written.append(("flush", end_of_input))

    env.from_source(Letters()).sink_to(Sink())
    env.execute()
    assert written == ["a", "c", ("flush", True)]


def test_iterators_as_sources(env: StreamExecutionEnvironment) -> None:
    def slowly() -> Iterator[int]:
        for n in range(5):
            time.sleep(0.02)
            yield n

    stream = env.from_source(slowly(), None, "slow", Types.LONG())
    assert stream.get_type() == Types.LONG()
    assert "Source: slow" in stream.map(abs)._env.get_execution_plan()
    assert collect(stream) == [0, 1, 2, 3, 4]
    with pytest.raises(InvalidStateError, match="taken by an earlier job"):
        collect(stream)


def test_sink_functions(env: StreamExecutionEnvironment) -> None:
    found: list[Any] = []

    class Sink(SinkFunction[Any]):
        def invoke(self, value: Any) -> None:
            found.append(value)

    env.from_collection([1, 2]).add_sink(Sink())
    env.from_collection([3]).add_sink(found.append)
    env.execute()
    assert sorted(found) == [1, 2, 3]


def test_operators_without_a_sink_run_too(env: StreamExecutionEnvironment) -> None:
    seen: list[int] = []
    env.from_collection([1, 2]).map(seen.append)
    env.execute()
    assert seen == [1, 2]


# ---- Building ---------------------------------------------------------------------------------------------------------------------------------


def test_each_job_runs_what_was_made_since_the_last(env: StreamExecutionEnvironment) -> None:
    numbers, seen = env.from_collection([1]), []
    numbers.map(lambda n: seen.append(("first", n)))
    env.execute()
    numbers.map(lambda n: seen.append(("second", n)))
    env.execute()
    assert seen == [("first", 1), ("second", 1)]
    with pytest.raises(InvalidStateError, match="nothing to execute"):
        env.execute()


def test_plan(env: StreamExecutionEnvironment) -> None:
    import json

    env.from_collection([1]).map(abs, Types.LONG()).name("Absolute").uid("a").print()
    plan = json.loads(env.get_execution_plan())
    assert [node["type"] for node in plan["nodes"]] == ["Source: Collection Source", "Absolute", "Print to Std. Out"]
    assert env.execute() is not None, "looking at the plan does not use it up"


def test_batch_mode_runs(env: StreamExecutionEnvironment) -> None:
    env.set_runtime_mode(RuntimeExecutionMode.BATCH)
    assert collect(env.from_collection([1, 2]).map(lambda n: n * 2)) == [2, 4]


def test_settings_where_there_is_no_operator_are_told(env: StreamExecutionEnvironment) -> None:
    stream = env.from_collection([1])
    with pytest.warns(UserWarning, match=r"parallelism of a stream after rebalance\(\) has no effect"):
        stream.rebalance().set_parallelism(2)
    assert stream._transformation.settings == {}


def test_long_chains(env: StreamExecutionEnvironment) -> None:
    stream = env.from_collection([0])
    for _ in range(2_000):
        stream = stream.map(lambda n: n + 1)
    assert collect(stream) == [2_000]


def test_reprs_for_notebooks(env: StreamExecutionEnvironment) -> None:
    stream = env.from_collection([("a", 1)], ROWS).map(lambda row: row).name("Parse")
    assert repr(stream) == "<DataStream of PickledByteArrayTypeInfo from 'Parse'>"
    assert "KeyedStream" in repr(stream.key_by(lambda row: row[0]))
    assert repr(env) == "<StreamExecutionEnvironment, parallelism 1, 1 operators to run>"


@pytest.mark.parametrize("parallelism", [2, 4])
def test_rows_of_a_key_keep_the_order_of_a_source_of_one_subtask(env: StreamExecutionEnvironment, parallelism: int) -> None:
    env.set_parallelism(parallelism)
    # Several times, since an order may be kept by luck.
    for _ in range(5):
        keyed = env.from_collection([(n % 3, n) for n in range(20_000)]).key_by(lambda pair: pair[0])
        last = {}
        for key, n in collect(keyed.reduce(lambda _, new: new)):
            assert n > last.get(key, -1)
            last[key] = n


def test_watermarks_follow_a_source_of_one_subtask(env: StreamExecutionEnvironment) -> None:
    plan = (
        env.set_parallelism(4)
        .from_collection([1])
        .assign_timestamps_and_watermarks(WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(lambda value, _: value))
        .key_by(lambda value: value)
    )
    plan.reduce(lambda old, _: old).print()
    nodes = {node["type"]: node["parallelism"] for node in json.loads(env.get_execution_plan())["nodes"]}
    assert nodes["Timestamps/Watermarks"] == 1
    assert nodes["KeyBy"] == 1
    assert nodes["Reduce"] == 4


# ---- What jobs may not do ------------------------------------------------------------------------------------------------------------------


def test_a_function_cannot_start_a_job_and_does_not_hang(env: StreamExecutionEnvironment) -> None:
    def nested(value: int) -> list[int]:
        inner = StreamExecutionEnvironment.get_execution_environment()
        return collect(inner.from_collection([value]).map(lambda other: other + 1))

    env.set_parallelism(8).from_collection(list(range(100))).rebalance().map(nested).print()
    with pytest.raises(InvalidStateError, match="a function that runs in a job cannot start a job"):
        env.execute()


def test_a_function_cannot_wait_for_its_own_job(env: StreamExecutionEnvironment) -> None:
    clients: list[Any] = []
    started = threading.Event()

    def wait(value: int) -> int:
        started.wait(10)
        clients[0].wait()
        return value

    env.from_collection([1]).map(wait).print()
    clients.append(env.execute_async())
    started.set()
    with pytest.raises(InvalidStateError, match="cannot wait for a job"):
        clients[0].get_job_execution_result().result()


class FailingClose(MapFunction):
    def map(self, value: int) -> int:
        return value

    def close(self) -> None:
        raise OSError("not flushed")


def test_a_failure_to_close_fails_the_job(env: StreamExecutionEnvironment) -> None:
    env.from_collection([1]).map(FailingClose()).name("buffer").print()
    client = env.execute_async()
    with pytest.raises(OSError, match="not flushed") as caught:
        client.get_job_execution_result().result()
    assert client.status().name == "FAILED"
    (note,) = caught.value.__notes__
    assert note.startswith(f"in operator 'buffer' ({__file__}:") and note.endswith("), while it was closed")


class Failing(FailingClose):
    def map(self, value: int) -> int:
        raise ValueError(value)


@pytest.mark.parametrize("chaining", ["true", "false"])
def test_a_failure_to_close_is_attached_to_the_first_failure(env: StreamExecutionEnvironment, chaining: str) -> None:
    env.configure({"pipeline.operator-chaining.enabled": chaining})
    # More numbers than there is time for: the first function is still open when the second fails.
    env.from_source(NumberSequenceSource(1, 10**12)).set_parallelism(1).map(FailingClose()).name("first").map(Failing()).name("second").print()
    client = env.execute_async()
    for _ in range(2):
        with pytest.raises(ValueError, match="1") as caught:
            client.get_job_execution_result().result()
    # Asked twice, told once.
    suppressed = [note for note in caught.value.__notes__ if "suppressed" in note]
    assert all("not flushed" in note for note in suppressed)
    # Joined into one function, or two of their own.
    assert [name for name in ("first", "second") if any(name in note for note in suppressed)] == ["first", "second"]
    assert len(suppressed) == (1 if chaining == "true" else 2)


class FailingWriter(SinkFunction[int]):
    def invoke(self, value: int) -> None:
        pass

    def close(self) -> None:
        raise OSError("not flushed")


def test_a_sink_that_does_not_close_fails_the_job_while_others_are_closed(env: StreamExecutionEnvironment) -> None:
    Life.log.clear()
    numbers = env.from_collection([1, 2])
    numbers.map(Life()).print()
    numbers.add_sink(FailingWriter()).name("store")
    client = env.execute_async()
    with pytest.raises(OSError, match="not flushed") as caught:
        client.get_job_execution_result().result()
    notes = "".join(caught.value.__notes__)
    assert "in operator 'store' (" in notes and "), while it was closed" in notes
    assert client.status().name == "FAILED"
    assert sorted(Life.log) == ["close 0/1", "open 0/1"]
    assert sum(entry["numCloseFailures"] for entry in client.get_metrics()["operators"]) == 1


def test_a_failing_sink_function_is_placed_in_the_users_file(env: StreamExecutionEnvironment) -> None:
    def store(value: int) -> None:
        raise ValueError(value)

    def values() -> Iterator[int]:
        yield 1
        raise LookupError("no more")

    env.from_collection([1]).add_sink(store)
    with pytest.raises(ValueError) as caught:
        env.execute()
    assert f"in operator 'Sink' ({__file__}:{store.__code__.co_firstlineno})" in caught.value.__notes__[0]
    env.from_source(values()).print()
    with pytest.raises(LookupError) as caught_source:
        env.execute()
    assert f"({__file__}:{values.__code__.co_firstlineno})" in caught_source.value.__notes__[0]


def test_an_error_of_the_engine_names_its_operator(env: StreamExecutionEnvironment) -> None:
    windows = env.from_collection([1]).key_by(lambda value: value).window(TumblingEventTimeWindows.of(Time.seconds(1)))
    windows.reduce(lambda old, _: old).name("per second").print()
    with pytest.raises(EventTimeError) as caught:
        env.execute()
    assert caught.value.operator == "per second"
    line = test_an_error_of_the_engine_names_its_operator.__code__.co_firstlineno + 2
    assert caught.value.__notes__ == [f"in operator 'per second' ({__file__}:{line})"]
