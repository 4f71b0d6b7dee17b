"""Streams: caches, older sinks and sources, identifiers; functions: accumulators, metrics, wrappers."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from millstream import notices
from millstream.common import AssignerWithPeriodicWatermarksWrapper, InputDependencyConstraint, RowKind, Types, WatermarkStrategy
from millstream.common.accumulators import (
    Accumulator,
    AverageAccumulator,
    DoubleMaximum,
    DoubleMinimum,
    Histogram,
    IntCounter,
    IntMaximum,
    IntMinimum,
    ListAccumulator,
    LongCounter,
    LongMaximum,
    LongMinimum,
)
from millstream.common.serializer import VoidNamespaceSerializer, void
from millstream.datastream import (
    KeyedProcessFunction,
    MapFunction,
    OutputTag,
    ProcessFunction,
    RuntimeContext,
    SourceFunction,
    StreamExecutionEnvironment,
    functions,
)
from millstream.datastream.connectors.number_seq import NumberSequenceSource
from millstream.datastream.write_mode import WriteMode
from millstream.exceptions import ConfigurationError, InputOutputError, InvalidStateError, UnsupportedError

# ---- Caches ----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parallelism", [1, 3])
@pytest.mark.parametrize("type_info", [None, Types.LONG()])
def test_a_cache_serves_later_jobs(env: StreamExecutionEnvironment, parallelism: int, type_info: Any) -> None:
    env.set_parallelism(parallelism)
    calls: list[int] = []

    def counted(number: int) -> int:
        calls.append(number)
        return number * number

    cached = env.from_collection(list(range(20)), Types.LONG()).map(counted, type_info).cache()
    assert not cached.is_cached()
    expected = sorted(n * n for n in range(20))
    assert sorted(cached.execute_and_collect()) == expected
    assert cached.is_cached()
    assert sorted(cached.map(lambda n: n + 1).execute_and_collect()) == [n + 1 for n in expected]
    assert len(calls) == 20, "the second job read the cache"
    cached.invalidate()
    assert sorted(cached.execute_and_collect()) == expected
    assert len(calls) == 40


def test_a_cache_read_twice_in_one_job_and_with_its_origin(env: StreamExecutionEnvironment) -> None:
    origin = env.from_collection([3, 1, 2]).map(lambda n: n)
    cached = origin.cache()
    for _ in range(2):
        found = list(cached.union(cached.map(lambda n: -n)).execute_and_collect())
        assert sorted(found) == [-3, -2, -1, 1, 2, 3]
    assert list(origin.execute_and_collect()) == [3, 1, 2]


class Timestamped(ProcessFunction):  # type: ignore[type-arg]
    def process_element(self, value: Any, ctx: ProcessFunction.Context) -> Any:
        yield value, ctx.timestamp()


def test_a_cache_keeps_timestamps(env: StreamExecutionEnvironment) -> None:
    timed = env.from_collection([5, 7]).assign_timestamps_and_watermarks(
        WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(lambda value, _: value * 10)
    )
    cached = timed.cache()
    for _ in range(2):
        assert list(cached.process(Timestamped()).execute_and_collect()) == [(5, 50), (7, 70)]


def test_a_failed_job_fills_no_cache(env: StreamExecutionEnvironment) -> None:
    broken = [True]

    def check(number: int) -> int:
        if broken[0] and number == 3:
            raise ValueError("three")
        return number

    cached = env.from_collection([1, 2, 3]).cache()
    with pytest.raises(ValueError, match="three"):
        list(cached.map(check).execute_and_collect())
    assert not cached.is_cached()
    broken[0] = False
    assert list(cached.map(check).execute_and_collect()) == [1, 2, 3]
    assert cached.is_cached()


def test_looking_at_a_plan_fills_no_cache(env: StreamExecutionEnvironment) -> None:
    cached = env.from_collection([1]).cache()
    cached.print()
    assert "Cache" in env.get_execution_plan()
    assert not cached.is_cached()


# ---- Identifiers -----------------------------------------------------------------------------------------------------------------------------


def test_uid_hashes(env: StreamExecutionEnvironment) -> None:
    stream = env.from_collection([1]).map(abs)
    for wrong in ("0" * 31, "g" * 32, ""):
        with pytest.raises(ConfigurationError, match="32 hexadecimal digits"):
            stream.set_uid_hash(wrong)
    assert stream.set_uid_hash("0123456789abcdefABCDEF0123456789") is stream
    again = stream.map(abs).set_uid_hash("0123456789ABCDEFabcdef0123456789")
    with pytest.raises(ConfigurationError, match="uid hash '0123456789abcdefabcdef0123456789' is given to two operators"):
        again.execute_and_collect()


def test_slot_sharing_groups_have_names(env: StreamExecutionEnvironment) -> None:
    stream = env.from_collection([1]).map(abs)
    assert list(stream.slot_sharing_group("one").execute_and_collect()) == [1]
    with pytest.raises(TypeError, match="takes a name or a SlotSharingGroup, not 5"):
        stream.slot_sharing_group(5)  # type: ignore[arg-type]


def test_operators_need_a_uid_where_none_is_generated(env: StreamExecutionEnvironment) -> None:
    env.get_config().disable_auto_generated_uids()
    source = env.from_collection([1, 2]).uid("source")
    mapped = source.map(lambda n: n + 1).name("unnamed")
    with pytest.raises(ConfigurationError, match=r"'unnamed' \(.*test_stream_extras.py:\d+\) has no uid"):
        list(mapped.execute_and_collect())
    mapped.set_uid_hash("0" * 32)
    assert list(mapped.execute_and_collect()) == [2, 3]
    keyed = mapped.key_by(lambda n: n % 2).map(lambda n: n).uid("keyed")
    assert sorted(keyed.union(mapped).execute_and_collect()) == [2, 2, 3, 3], "key selectors and unions are no operators"


# ---- Sources and sinks of older scripts ------------------------------------------------------------------------------------------------------


def test_add_source(env: StreamExecutionEnvironment) -> None:
    for source in (
        SourceFunction(NumberSequenceSource(1, 3)),
        SourceFunction([1, 2, 3]),
        SourceFunction(lambda: (n for n in (1, 2, 3))),
        NumberSequenceSource(1, 3),
        range(1, 4),
    ):
        stream = env.add_source(source, "numbers")
        for _ in range(2):
            assert list(stream.map(lambda n: n).execute_and_collect()) == [1, 2, 3]
    assert env.add_source([1], type_info=Types.INT()).get_type() == Types.INT()
    with pytest.raises(UnsupportedError, match=r"org\.Source.*no JVM"):
        SourceFunction("org.Source")
    with pytest.raises(TypeError, match="add_source takes"):
        env.add_source("text")
    with pytest.raises(TypeError, match="InputFormat"):
        env.create_input([1, 2])


def test_print_to_err(env: StreamExecutionEnvironment, capsys: pytest.CaptureFixture[str]) -> None:
    env.from_collection(["a"]).print_to_err()
    env.from_collection([(1, "b")], Types.TUPLE([Types.INT(), Types.STRING()])).print_to_err("typed")
    env.execute()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert sorted(captured.err.splitlines()) == ["a", "typed> (1,b)"]


def test_write_as_text_and_csv(env: StreamExecutionEnvironment, tmp_path: Path) -> None:
    rows = [(1, "a", None), (2, "b", 0.5)]
    env.from_collection(rows).write_as_csv(str(tmp_path / "rows.csv"), field_delimiter="|")
    env.from_collection(["é", "x"]).write_as_text(str(tmp_path / "lines"))
    env.from_collection([1, 2, 3, 4]).rebalance().write_as_text(str(tmp_path / "many")).set_parallelism(2)
    env.execute()
    assert (tmp_path / "rows.csv").read_text() == "1|a|\n2|b|0.5\n"
    assert (tmp_path / "lines").read_text(encoding="utf-8") == "é\nx\n"
    assert sorted(file.name for file in (tmp_path / "many").iterdir()) == ["1", "2"]
    assert sorted("".join(file.read_text() for file in (tmp_path / "many").iterdir()).split()) == ["1", "2", "3", "4"]
    env.from_collection(["new"]).write_as_text(str(tmp_path / "lines"))
    with pytest.raises(InputOutputError, match="WriteMode.OVERWRITE"):
        env.execute()
    env.from_collection(["new"]).write_as_text(str(tmp_path / "lines"), WriteMode.OVERWRITE)
    env.execute()
    assert (tmp_path / "lines").read_text() == "new\n"


def test_split_and_select(env: StreamExecutionEnvironment) -> None:
    numbers = env.from_collection(list(range(6))).split(lambda n: ["even"] if n % 2 == 0 else ["odd", "strange"])
    assert list(numbers.select("even").execute_and_collect()) == [0, 2, 4]
    assert list(numbers.select("odd", "strange").execute_and_collect()) == [1, 3, 5]
    assert list(numbers.execute_and_collect()) == [0, 1, 2, 3, 4, 5]
    with pytest.raises(TypeError, match="select takes names"):
        numbers.select()
    assert list(env.from_collection([1]).split(lambda n: []).select("one").execute_and_collect()) == []


@pytest.mark.parametrize("names", ["one", None, 5])
def test_a_selector_of_split_gives_a_list(env: StreamExecutionEnvironment, names: Any) -> None:
    with pytest.raises(TypeError, match=f"the selector of split gave {names!r}; a list of names was expected") as caught:
        list(env.from_collection([1]).split(lambda n: names).select("one").execute_and_collect())
    assert "in operator 'Select one'" in caught.value.__notes__[0] and "record 0: 1" in caught.value.__notes__[0]


# ---- Accumulators ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (IntCounter, 10),
        (LongCounter, 10),
        (IntMaximum, 7),
        (IntMinimum, -2),
        (LongMaximum, 7),
        (LongMinimum, -2),
        (DoubleMaximum, 7),
        (DoubleMinimum, -2),
        (AverageAccumulator, 2.0),
        (Histogram, {-2: 1, 1: 2, 3: 1, 7: 1}),
        (ListAccumulator, [7, -2, 1, 1, 3]),
    ],
)
def test_accumulators_merge_as_if_they_were_one(make: Any, expected: object) -> None:
    values = [7, -2, 1, 1, 3]
    for cut in range(len(values) + 1):
        first, second = make(), make()
        for value in values[:cut]:
            first.add(value)
        for value in values[cut:]:
            second.add(value)
        whole: Accumulator[Any, Any] = first.clone()
        whole.merge(second)
        assert whole.get_local_value() == expected
        if cut == 0:
            assert first.get_local_value() == make().get_local_value(), "merging changes only one"
    whole.reset_local()
    assert whole.get_local_value() == make().get_local_value()


class Counting(MapFunction):  # type: ignore[type-arg]
    def open(self, runtime_context: RuntimeContext) -> None:
        self.seen = runtime_context.get_int_counter("seen")
        self.lengths = runtime_context.get_histogram("lengths")
        self.longest = IntMaximum()
        runtime_context.add_accumulator("longest", self.longest)
        assert runtime_context.get_int_counter("seen") is self.seen
        assert runtime_context.get_accumulator("longest") is self.longest
        assert runtime_context.get_accumulator("none") is None
        with pytest.raises(InvalidStateError, match="already"):
            runtime_context.add_accumulator("longest", IntMaximum())
        with pytest.raises(InvalidStateError, match="Histogram, not a LongCounter"):
            runtime_context.get_long_counter("lengths")
        with pytest.raises(TypeError, match="Accumulator is needed"):
            runtime_context.add_accumulator("wrong", 3)  # type: ignore[arg-type]

    def map(self, value: str) -> str:
        self.seen.add(1)
        self.lengths.add(len(value))
        self.longest.add(len(value))
        return value


def test_accumulators_are_in_the_jobs_result(env: StreamExecutionEnvironment) -> None:
    env.set_parallelism(3)
    words = ["a", "to", "be", "not"] * 10
    # Two operators of one name: what they count goes together, as in Flink.
    env.from_collection(words).rebalance().map(Counting()).map(Counting()).add_sink(lambda _: None)
    result = env.execute()
    assert result.get_accumulator_result("seen") == 80
    assert result.get_accumulator_result("lengths") == {1: 20, 2: 40, 3: 20}
    assert result.get_all_accumulator_results()["longest"] == 3
    assert "- longest: 3" in str(result)


class KeyedCounting(KeyedProcessFunction):  # type: ignore[type-arg]
    def open(self, runtime_context: RuntimeContext) -> None:
        self.values: ListAccumulator[Any] = ListAccumulator()
        runtime_context.add_accumulator("values", self.values)

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Any:
        self.values.add(value)


def test_accumulators_of_keyed_functions(env: StreamExecutionEnvironment) -> None:
    env.set_parallelism(2)
    env.from_collection(list(range(10))).key_by(lambda n: n).process(KeyedCounting()).print()
    assert sorted(env.execute().get_accumulator_result("values")) == list(range(10))


def test_an_accumulator_of_two_classes(env: StreamExecutionEnvironment) -> None:
    class Other(MapFunction):  # type: ignore[type-arg]
        def open(self, runtime_context: RuntimeContext) -> None:
            runtime_context.get_double_counter("seen")

        def map(self, value: Any) -> Any:
            return value

    env.from_collection(["a"]).map(Counting()).map(Other()).print()
    with pytest.raises(InvalidStateError, match=r"accumulator 'seen' is an? \w+ in Map"):
        env.execute()


# ---- Metrics ---------------------------------------------------------------------------------------------------------------------------------


class Measuring(MapFunction):  # type: ignore[type-arg]
    def open(self, runtime_context: RuntimeContext) -> None:
        group = runtime_context.get_metrics_group().add_group("mine")
        self.counter = group.counter("counter")
        self.meter = group.add_group("key", "value").meter("meter")
        self.distribution = group.distribution("distribution")
        self.last = 0
        group.gauge("gauge", lambda: self.last)
        group.gauge("broken", lambda: 1 // 0)

    def map(self, value: int) -> int:
        self.counter.inc(2)
        self.meter.mark_event(3)
        self.distribution.update(value)
        self.last = value
        return value


def test_metrics_through_the_jobs_client(env: StreamExecutionEnvironment) -> None:
    env.from_collection([5, 1, 9]).map(Measuring()).name("first").map(Measuring()).name("second").add_sink(lambda _: None)
    client = env.execute_async()
    client.get_job_execution_result().result()
    found = client.get_metrics()["functions"]
    assert [(entry["operator"], entry["name"], entry["type"]) for entry in found] == [
        (operator, name, kind)
        for operator in ("first", "second")
        for name, kind in (
            ("mine.broken", "gauge"),
            ("mine.counter", "counter"),
            ("mine.distribution", "distribution"),
            ("mine.gauge", "gauge"),
            ("mine.key.value.meter", "meter"),
        )
    ]
    values = {entry["name"]: entry["value"] for entry in found if entry["operator"] == "second"}
    assert (values["mine.counter"], values["mine.gauge"], values["mine.broken"]) == (6, 9, None)
    assert values["mine.distribution"] == {"count": 3, "sum": 15, "min": 1, "max": 9, "mean": 5.0}
    assert values["mine.key.value.meter"]["count"] == 9
    assert values["mine.key.value.meter"]["rate"] > 0
    assert found[0]["error"] == "ZeroDivisionError: integer division or modulo by zero"


def test_operators_of_one_name_do_not_hide_each_others_metrics(env: StreamExecutionEnvironment) -> None:
    env.from_collection([1, 2]).map(Measuring()).map(Measuring()).add_sink(lambda _: None)
    client = env.execute_async()
    client.get_job_execution_result().result()
    counters = [entry["value"] for entry in client.get_metrics()["functions"] if entry["type"] == "counter"]
    assert counters == [4, 4]
    assert client.get_accumulators().result()["mine.counter"] == 8


# ---- Wrappers --------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def _said_again() -> Iterator[None]:
    notices.forget_notices()
    yield
    notices.forget_notices()


@pytest.mark.usefixtures("_said_again")
def test_java_objects_that_there_are_none_of(caplog: pytest.LogCaptureFixture) -> None:
    tag = OutputTag("late")
    with caplog.at_level(logging.INFO, "millstream"):
        assert Types.STRING().get_java_type_info() == Types.STRING()
        assert Types.LIST(Types.INT()).get_java_type_info() == Types.LIST(Types.INT())
        assert RowKind.INSERT.to_j_row_kind() is RowKind.INSERT
        assert tag.get_java_output_tag() is tag
        AssignerWithPeriodicWatermarksWrapper(object())
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "get_java_type_info",
        "to_j_row_kind",
        "get_java_output_tag",
        "AssignerWithPeriodicWatermarksWrapper",
    ]


def test_small_wrappers(env: StreamExecutionEnvironment) -> None:
    numbers = env.from_collection([3, 1, 2]).key_by(functions.NullByteKeySelector())
    assert list(numbers.reduce(functions.ReduceFunctionWrapper(max)).execute_and_collect()) == [3, 3, 3]
    assert list(functions.PassThroughWindowFunction().apply("k", None, [1, 2])) == [1, 2]
    assert list(functions.PassThroughAllWindowFunction().apply(None, [1, 2])) == [1, 2]
    with pytest.raises(TypeError, match="takes a function"):
        functions.ReduceFunctionWrapper(3)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = functions.Nothing
    assert InputDependencyConstraint["ANY"].value == 0
    assert VoidNamespaceSerializer().deserialize(None) == void  # type: ignore[arg-type]


class Recorder:
    """Stands for a window function of each kind, and for an internal context."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def open(self, runtime_context: Any) -> None:
        self.calls.append(("open", runtime_context))

    def close(self) -> None:
        self.calls.append("close")

    def apply(self, *arguments: Any) -> list[Any]:
        return ["apply", *arguments]

    def process(self, *arguments: Any) -> list[Any]:
        return ["process", *arguments]

    def clear(self, context: Any) -> None:
        self.calls.append(("clear", context.window(), context.current_watermark(), context.window_state()))

    def current_processing_time(self) -> int:
        return 1

    def current_watermark(self) -> int:
        return 2

    def window_state(self) -> Any:
        return "window state"

    def global_state(self) -> Any:
        return "global state"


@pytest.mark.parametrize("elements", ["SingleValue", "Iterable"])
@pytest.mark.parametrize("kind", ["", "Process"])
@pytest.mark.parametrize("scope", ["", "All"])
def test_internal_window_functions(elements: str, kind: str, scope: str) -> None:
    recorder = Recorder()
    wrapped = getattr(functions, f"Internal{elements}{kind}{scope}WindowFunction")(recorder)
    wrapped.open("context")
    found = wrapped.process("key", "window", recorder, 7 if elements == "SingleValue" else [7])
    arguments = found[1:]
    if scope == "":
        assert arguments.pop(0) == "key"
    if kind == "Process":
        context = arguments.pop(0)
        known = context.window(), context.current_processing_time(), context.current_watermark(), context.window_state(), context.global_state()
        assert known == ("window", 1, 2, "window state", "global state")
    else:
        assert arguments.pop(0) == "window"
    assert arguments == [[7]]
    wrapped.clear("later", recorder)
    wrapped.close()
    cleared = [("clear", "later", 2, "window state")] if kind == "Process" else []
    assert recorder.calls == [("open", "context"), *cleared, "close"]


def test_values_of_a_slow_generator_do_not_wait_for_the_next(env: StreamExecutionEnvironment) -> None:
    """The first value, and those of a burst, are there before the generator goes on."""
    from millstream.datastream.connectors.python import IteratorSource

    seen: list[int] = []
    arrived: list[int] = []

    def bursts() -> Iterator[int]:
        for number in range(3):
            yield number
            yield number + 10
            deadline = time.monotonic() + 10
            while len(seen) < 2 * (number + 1) and time.monotonic() < deadline:
                time.sleep(0.005)
            arrived.append(len(seen))

    env.from_source(IteratorSource(bursts())).add_sink(seen.append)
    env.execute()
    assert arrived == [2, 4, 6]
    assert list(env.from_source(IteratorSource(iter(range(100_000)))).filter(lambda number: number % 10_000 == 0).execute_and_collect()) == list(
        range(0, 100_000, 10_000)
    )
