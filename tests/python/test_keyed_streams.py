"""Jobs with keys: reductions, windows, states, timers."""

from __future__ import annotations

import copy
import pickle
import time
from collections import Counter
from typing import Any

import pytest
from millstream.common import Duration, Instant, Row, Time, Types, WatermarkGenerator, WatermarkStrategy
from millstream.datastream import (
    AggregateFunction,
    KeyedProcessFunction,
    KeySelector,
    MapFunction,
    OutputTag,
    ProcessWindowFunction,
    ReduceFunction,
    RuntimeContext,
    StreamExecutionEnvironment,
    TimeDomain,
    TimeWindow,
    WindowFunction,
)
from millstream.datastream.aggregates import avg, count, max_, min_, sum_
from millstream.datastream.connectors.datagen import DataGeneratorSource
from millstream.datastream.connectors.number_seq import NumberSequenceSource
from millstream.datastream.data_stream import DataStream
from millstream.datastream.state import (
    ListStateDescriptor,
    MapStateDescriptor,
    ValueStateDescriptor,
)
from millstream.datastream.window import (
    EventTimeSessionWindows,
    SlidingEventTimeWindows,
    TumblingEventTimeWindows,
)
from millstream.exceptions import InvalidStateError, KeyValueError, PlanError
from millstream.testing import StreamHarness

SALES = Types.ROW_NAMED(["shop", "city", "t", "euros"], [Types.STRING(), Types.STRING(), Types.LONG(), Types.LONG()])
VALUES = [("a", "Ulm", 1_000, 5), ("b", "Bonn", 2_000, 7), ("a", "Ulm", 9_000, 1), ("a", "Bonn", 12_000, 2), ("b", "Bonn", 21_000, 4)]


def collect(stream: DataStream) -> list[Any]:
    with stream.execute_and_collect() as values:
        return list(values)


@pytest.fixture
def sales(env: StreamExecutionEnvironment) -> DataStream:
    strategy = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_seconds(60)).with_timestamp_column("t")
    return env.from_collection(VALUES, SALES).assign_timestamps_and_watermarks(strategy)


@pytest.mark.parametrize("window", ["time", "sliding", "session", "count"])
def test_a_null_key_is_refused_in_a_chain_too(env: StreamExecutionEnvironment, window: str) -> None:
    """With parallelism 1 no exchange stands before the window, which refuses null keys elsewhere."""
    env.set_parallelism(1)
    pair = Types.TUPLE([Types.STRING(), Types.LONG()])
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_column("f1")
    pairs = env.from_collection([("a", 1), (None, 2), ("b", 3)], pair).map(lambda value: value, pair).assign_timestamps_and_watermarks(strategy)
    keyed = pairs.map(lambda value: value, pair).key_by(0)
    windows = {
        "time": lambda: keyed.window(TumblingEventTimeWindows.of(Time.milliseconds(10))),
        "sliding": lambda: keyed.window(SlidingEventTimeWindows.of(Time.milliseconds(10), Time.milliseconds(5))),
        "session": lambda: keyed.window(EventTimeSessionWindows.with_gap(Time.milliseconds(10))),
        "count": lambda: keyed.count_window(1),
    }
    with pytest.raises(KeyValueError, match="the key of a record is null") as caught:
        collect(windows[window]().reduce(lambda one, other: one))
    # The same advice as from an exchange.
    env.set_parallelism(2)
    spread = env.from_collection([("a", 1), (None, 2)], pair).key_by(0).map(lambda value: value)
    with pytest.raises(KeyValueError, match="the key of a record is null") as other:
        collect(spread)
    assert (caught.value.hint, other.value.hint) == ("Filter such records out before key_by, or give them a key of their own.",) * 2


class ByShop(KeySelector[Any, str]):
    def get_key(self, value: Any) -> str:
        return str(value[0])


# ---- Keys and reductions -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["shop", 0, lambda row: row.shop, ByShop(), ["shop"]], ids=["name", "position", "function", "selector", "list"])
def test_sums_by_every_kind_of_key(sales: DataStream, key: Any) -> None:
    found = collect(sales.key_by(key).sum("euros"))
    assert sorted((row.shop, row.euros) for row in found) == [("a", 5), ("a", 6), ("a", 8), ("b", 7), ("b", 11)]


def test_keys_of_several_fields(sales: DataStream) -> None:
    found = collect(sales.key_by(["shop", "city"]).sum("euros"))
    assert sorted((row.shop, row.city, row.euros) for row in found) == [
        ("a", "Bonn", 2), ("a", "Ulm", 5), ("a", "Ulm", 6), ("b", "Bonn", 7), ("b", "Bonn", 11),
    ]


@pytest.mark.parametrize(
    ("selector", "key_type", "key"),
    [
        (lambda sale: (sale[0],), None, ("a",)),
        (lambda sale: (sale[0],), Types.TUPLE([Types.STRING()]), ("a",)),
        (lambda sale: Row(sale[0]), Types.ROW_NAMED(["shop"], [Types.STRING()]), Row(shop="a")),
        (lambda sale: (sale[0], 1), Types.TUPLE([Types.STRING(), Types.INT()]), ("a", 1)),
    ],
)
def test_a_key_of_one_field_is_not_the_field(env: StreamExecutionEnvironment, selector: Any, key_type: Any, key: Any) -> None:
    class Key(KeyedProcessFunction):
        def process_element(self, value: Any, context: Any) -> Any:
            yield context.get_current_key()

    assert collect(env.from_collection([("a", 1)]).key_by(selector, key_type).process(Key())) == [key]


def test_undeclared_values_take_positions_and_names(env: StreamExecutionEnvironment) -> None:
    tuples = env.from_collection([("a", 1), ("a", 2)])
    assert collect(tuples.key_by(0).sum(1)) == [("a", 1), ("a", 3)]
    dicts = env.from_collection([{"k": "a", "n": 1}, {"k": "a", "n": 2}])
    assert collect(dicts.key_by("k").sum("n")) == [{"k": "a", "n": 1}, {"k": "a", "n": 3}]


@pytest.mark.parametrize("field", [2, -1, -3])
@pytest.mark.parametrize("name", ["sum", "min", "max", "min_by", "max_by"])
@pytest.mark.parametrize("value", [("a", 1), ["a", 1], Row("a", 1)])
def test_a_rolling_field_is_looked_for_in_the_first_record(env: StreamExecutionEnvironment, name: str, field: int, value: Any) -> None:
    kind = "".join(part.capitalize() for part in name.split("_"))
    for is_window, operator in ((False, kind), (True, "Window")):
        keyed = env.from_collection([value]).key_by(lambda one: one[0], Types.STRING())
        stream = getattr(keyed.count_window(1) if is_window else keyed, name)(field)
        with pytest.raises(IndexError) as caught:
            collect(stream.map(lambda one: one))
        assert str(caught.value) == f"{name}: there is no field {field} in a record of 2; positions are 0 to 1"
        assert f"in operator '{operator}" in caught.value.__notes__[0] and "record 0: " in caught.value.__notes__[0]
    typed = env.from_collection([("a", 1)], Types.TUPLE([Types.STRING(), Types.LONG()])).key_by(0)
    with pytest.raises(PlanError, match=f"{name}: there is no field {field}; positions are 0 to 1"):
        getattr(typed, name)(field)


def test_a_rolling_name_is_looked_for_in_the_first_record(env: StreamExecutionEnvironment) -> None:
    with pytest.raises(KeyError, match="m"):
        collect(env.from_collection([{"k": "a", "n": 1}]).key_by("k").sum("m"))
    with pytest.raises(TypeError, match="has no field 1; of a bare value only field 0"):
        collect(env.from_collection([5]).key_by(lambda n: n, Types.LONG()).max(1))
    assert collect(env.from_collection([{-1: 5}, {-1: 6}]).key_by(lambda one: 0, Types.LONG()).max_by(-1)) == [{-1: 5}, {-1: 6}]
    with StreamHarness(lambda pairs: pairs.key_by(0).sum(2), None) as harness, pytest.raises(IndexError, match="no field 2 in a record of 2"):
        harness.process_element(("a", 1))


def test_rolling_keeps_the_values_that_came_in(env: StreamExecutionEnvironment) -> None:
    values = [["a", 1], ["a", 2]]
    assert collect(env.from_collection(values).key_by(0).sum(1)) == [["a", 1], ["a", 3]]
    assert values == [["a", 1], ["a", 2]]


def test_reduce_by_object(env: StreamExecutionEnvironment) -> None:
    class Longest(ReduceFunction[str]):
        def reduce(self, value1: str, value2: str) -> str:
            return max(value1, value2, key=len)

    words = env.from_collection(["a", "bb", "ab", "bbb", "aaa"], Types.STRING())
    assert sorted(collect(words.key_by(lambda word: word[0]).reduce(Longest()))) == ["a", "aaa", "ab", "bb", "bbb"]


def test_the_same_key_goes_to_the_same_subtask(env: StreamExecutionEnvironment) -> None:
    class Where(MapFunction[int, Any]):
        def open(self, runtime_context: RuntimeContext) -> None:
            self.index = runtime_context.get_index_of_this_subtask()

        def map(self, value: int) -> Any:
            return value % 50, self.index

    stream = env.from_source(NumberSequenceSource(0, 999)).set_parallelism(2).key_by(lambda n: n % 50).map(Where()).set_parallelism(4)
    places = Counter(collect(stream))
    assert len(places) == 50
    assert set(places.values()) == {20}
    assert len({index for _, index in places}) > 1


# ---- States and timers -----------------------------------------------------------------------------------------------------------------------


class Remember(KeyedProcessFunction[Any, Any, Any]):
    def open(self, runtime_context: RuntimeContext) -> None:
        self.total = runtime_context.get_state(ValueStateDescriptor("total", Types.LONG()))
        self.seen = runtime_context.get_list_state(ListStateDescriptor("seen"))
        self.by_city = runtime_context.get_map_state(MapStateDescriptor("by_city", Types.STRING(), Types.LONG()))
        assert runtime_context.get_state(ValueStateDescriptor("total", Types.LONG())) is self.total

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Any:
        self.total.update((self.total.value() or 0) + value.euros)
        self.seen.add(value)
        self.by_city[value.city] = (self.by_city[value.city] or 0) + value.euros
        yield ctx.get_current_key(), self.total.value(), len(list(self.seen)), dict(self.by_city.items()), value.city in self.by_city


@pytest.mark.parametrize("parallelism", [1, 3])
def test_states_belong_to_keys(sales: DataStream, parallelism: int) -> None:
    found = collect(sales.key_by("shop").process(Remember()).set_parallelism(parallelism))
    assert [entry for entry in found if entry[0] == "a"] == [
        ("a", 5, 1, {"Ulm": 5}, True), ("a", 6, 2, {"Ulm": 6}, True), ("a", 8, 3, {"Ulm": 6, "Bonn": 2}, True),
    ]
    assert [entry for entry in found if entry[0] == "b"] == [("b", 7, 1, {"Bonn": 7}, True), ("b", 11, 2, {"Bonn": 11}, True)]


def test_open_is_called_once_per_subtask(sales: DataStream) -> None:
    opened: list[int] = []

    class Open(Remember):
        def open(self, runtime_context: RuntimeContext) -> None:
            super().open(runtime_context)
            opened.append(runtime_context.get_index_of_this_subtask())

        def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Any:
            return None

    collect(sales.key_by("shop").process(Open()).set_parallelism(2))
    assert sorted(opened) == [0, 1]


class Idle(KeyedProcessFunction[Any, Any, Any]):
    """Tells when a key has been silent for a second."""

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Any:
        ctx.timer_service().register_event_time_timer(ctx.timestamp() + 1_000)  # type: ignore[operator]

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Any:
        assert ctx.time_domain() is TimeDomain.EVENT_TIME
        assert ctx.timestamp() == timestamp
        yield ctx.get_current_key(), timestamp


def test_timers(sales: DataStream) -> None:
    found = collect(sales.key_by("shop").process(Idle()))
    assert found == [("a", 2_000), ("b", 3_000), ("a", 10_000), ("a", 13_000), ("b", 22_000)]


def test_states_cannot_be_used_without_a_key(sales: DataStream) -> None:
    class Wrong(KeyedProcessFunction[Any, Any, Any]):
        def open(self, runtime_context: RuntimeContext) -> None:
            runtime_context.get_state(ValueStateDescriptor("total")).value()

        def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Any: ...

    sales.key_by("shop").process(Wrong())
    with pytest.raises(InvalidStateError, match="outside process_element"):
        sales.get_execution_environment().execute()

    class Plain(MapFunction[Any, Any]):
        def open(self, runtime_context: RuntimeContext) -> None:
            runtime_context.get_state(ValueStateDescriptor("total"))

        def map(self, value: Any) -> Any: ...

    sales.map(Plain())
    with pytest.raises(InvalidStateError, match="call key_by before"):
        sales.get_execution_environment().execute()


def test_a_state_asked_for_in_two_ways(sales: DataStream) -> None:
    class Wrong(KeyedProcessFunction[Any, Any, Any]):
        def open(self, runtime_context: RuntimeContext) -> None:
            runtime_context.get_state(ValueStateDescriptor("total", Types.LONG()))
            runtime_context.get_state(ValueStateDescriptor("total", Types.STRING()))

        def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Any: ...

    sales.key_by("shop").process(Wrong())
    with pytest.raises(InvalidStateError, match="state 'total' is asked for as a value state of STRING, but was made as a value state of BIGINT"):
        sales.get_execution_environment().execute()


# ---- Windows ---------------------------------------------------------------------------------------------------------------------------------


class Describe(ProcessWindowFunction[Any, Any, Any, TimeWindow]):
    def process(self, key: Any, context: ProcessWindowFunction.Context, elements: Any) -> Any:
        window = context.window()
        yield key, window.start, window.end, [element[3] for element in elements]


def test_tumbling_windows(sales: DataStream) -> None:
    windowed = sales.key_by("shop").window(TumblingEventTimeWindows.of(Time.seconds(10)))
    assert sorted(collect(windowed.process(Describe()))) == [("a", 0, 10_000, [5, 1]), ("a", 10_000, 20_000, [2]), ("b", 0, 10_000, [7]), ("b", 20_000, 30_000, [4])]
    assert sorted((row.shop, row.euros) for row in collect(windowed.sum("euros"))) == [("a", 2), ("a", 6), ("b", 4), ("b", 7)]


def test_window_functions_of_every_kind(sales: DataStream) -> None:
    class Apply(WindowFunction[Any, Any, Any, TimeWindow]):
        def apply(self, key: Any, window: TimeWindow, inputs: Any) -> Any:
            yield key, window.max_timestamp(), len(list(inputs))

    class Mean(AggregateFunction[Any, Any, Any]):
        def create_accumulator(self) -> Any:
            return 0, 0

        def add(self, value: Any, accumulator: Any) -> Any:
            return accumulator[0] + value.euros, accumulator[1] + 1

        def get_result(self, accumulator: Any) -> Any:
            return accumulator[0] / accumulator[1]

        def merge(self, acc_a: Any, acc_b: Any) -> Any:
            return acc_a[0] + acc_b[0], acc_a[1] + acc_b[1]

    windowed = sales.key_by("shop").window(EventTimeSessionWindows.with_gap(Time.seconds(9)))
    assert sorted(collect(windowed.apply(Apply()))) == [("a", 20_999, 3), ("b", 10_999, 1), ("b", 29_999, 1)]
    assert sorted(collect(windowed.aggregate(Mean(), output_type=Types.DOUBLE()))) == [8 / 3, 4.0, 7.0]
    found = collect(windowed.reduce(lambda x, y: Row(x.shop, x.city, x.t, x.euros + y.euros), Apply()))
    assert sorted(found) == [("a", 20_999, 1), ("b", 10_999, 1), ("b", 29_999, 1)]


def test_native_aggregates(sales: DataStream) -> None:
    windowed = sales.key_by("shop").window(TumblingEventTimeWindows.of(Time.seconds(10)))
    stream = windowed.agg(count().alias("n"), sum_("euros"), min_("euros"), max_("euros"), avg("euros").alias("mean"), count("city"))
    names = ["shop", "window_start", "window_end", "n", "sum_euros", "min_euros", "max_euros", "mean", "count_city"]
    assert stream.get_type().get_field_names() == names  # type: ignore[attr-defined]
    start, end = Instant.of_epoch_milli(0), Instant.of_epoch_milli(10_000)
    found = {(row.shop, row.window_end.to_epoch_milli()): list(row) for row in collect(stream)}
    assert found["a", 10_000] == ["a", start, end, 2, 6, 1, 5, 3, 2]
    assert len(found) == 4


def test_native_aggregates_of_a_selected_key(sales: DataStream) -> None:
    windowed = sales.key_by(lambda row: row.city.upper(), Types.STRING()).window(SlidingEventTimeWindows.of(Time.seconds(20), Time.seconds(10)))
    found = collect(windowed.agg(sum_("euros").alias("total")))
    assert sorted((row.key, row.window_start.to_epoch_milli(), row.total) for row in found) == [
        ("BONN", -10_000, 7), ("BONN", 0, 9), ("BONN", 10_000, 6), ("BONN", 20_000, 4), ("ULM", -10_000, 6), ("ULM", 0, 6),
    ]


def test_native_aggregates_that_cannot_be(sales: DataStream) -> None:
    windowed = sales.key_by("shop").count_window(2)
    with pytest.raises(PlanError, match="did you mean 'euros'"):
        windowed.agg(sum_("euro"))
    with pytest.raises(PlanError, match="two aggregates are called"):
        windowed.agg(count(), count())
    with pytest.raises(TypeError, match="agg takes aggregates"):
        windowed.agg("count")  # type: ignore[arg-type]


def test_late_values(env: StreamExecutionEnvironment) -> None:
    late = OutputTag("late", Types.TUPLE([Types.STRING(), Types.LONG()]))
    values = [("a", 1_000), ("a", 25_000), ("a", 2_000), ("a", 26_000)]
    env.set_buffer_timeout(0).configure({"millstream.batch.rows": 1})
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_column(1)
    stream = env.from_collection(values, late.type_info).assign_timestamps_and_watermarks(strategy)
    windowed = stream.key_by(0).window(TumblingEventTimeWindows.of(Time.seconds(10))).side_output_late_data(late)
    on_time, too_late = [], []
    main = windowed.reduce(lambda x, y: (x[0], x[1] + y[1]))
    main.add_sink(on_time.append)
    main.get_side_output(late).add_sink(too_late.append)
    env.execute()
    assert (on_time, too_late) == ([("a", 1_000), ("a", 51_000)], [("a", 2_000)])


def test_count_windows(env: StreamExecutionEnvironment) -> None:
    numbers = env.from_collection(range(1, 8), Types.LONG()).key_by(lambda n: 0)
    assert collect(numbers.count_window(3).reduce(lambda x, y: x + y)) == [6, 15]
    assert collect(numbers.count_window(3, 2).reduce(lambda x, y: x + y)) == [6, 12, 18]


def test_the_elements_of_a_window_are_a_sequence(env: StreamExecutionEnvironment) -> None:
    """They are made when they are asked for, as often as they are asked for, and may be kept."""
    kept: list[Any] = []

    class Look(ProcessWindowFunction[Any, Any, Any, Any]):
        def process(self, key: Any, context: ProcessWindowFunction.Context, elements: Any) -> Any:
            kept.append(elements)
            values = list(elements)
            assert list(elements) == values == elements == elements[:]
            assert len(elements) == len(values) == 12_000 and elements
            assert elements[0] == values[0] and elements[-1] == values[-1] == elements[11_999]
            assert elements[2:9:3] == values[2:9:3] and elements[:-11_998] == values[:2] and elements[::-4_000] == values[::-4_000]
            assert values[5] in elements and ("no", None) not in elements and elements != values[1:]
            assert next(reversed(elements)) == values[-1] and sorted(elements) == sorted(values)
            assert pickle.loads(pickle.dumps(elements)) == values and copy.deepcopy(elements) == values
            assert repr(elements) == f"<12000 elements: {values[:10]}...>" and repr(elements[:3]) == repr(values[:3])
            with pytest.raises(IndexError):
                elements[12_000]
            with pytest.raises(IndexError):
                elements[-12_001]
            with pytest.raises(TypeError):
                elements["first"]
            with pytest.raises(TypeError):
                elements[0] = 1
            with pytest.raises(TypeError):
                hash(elements)
            # More results than a batch has, between which the engine goes on with other things.
            for first, second in zip(elements, elements, strict=True):
                assert first == second
                yield first

    values = [(f"a text of some length {number}", None if number % 7 == 0 else number) for number in range(24_000)]
    stream = env.from_collection(values, Types.TUPLE([Types.STRING(), Types.LONG()]))
    windows = stream.key_by(lambda value: 0).count_window(12_000)
    assert collect(windows.process(Look(), Types.TUPLE([Types.STRING(), Types.LONG()]))) == values
    # The job is over.
    assert [list(elements) for elements in kept] == [values[:12_000], values[12_000:]]
    iterator = iter(kept.pop())
    assert next(iterator) == values[12_000] and list(iterator) == values[12_001:] and next(iterator, None) is None


def test_elements_that_are_objects_may_be_kept(env: StreamExecutionEnvironment) -> None:
    class Value:
        def __init__(self, number: int) -> None:
            self.number = number

    kept: list[Any] = []

    class Keep(ProcessWindowFunction[Any, Any, Any, Any]):
        def process(self, key: Any, context: ProcessWindowFunction.Context, elements: Any) -> Any:
            kept.append(elements)
            yield key, elements

    stream = env.from_collection(range(100), Types.LONG()).map(Value, Types.PICKLED_BYTE_ARRAY()).key_by(lambda value: value.number % 2)
    results = collect(stream.count_window(10).process(Keep()))
    for found in (kept, [elements for _, elements in results]):
        assert sorted(element.number for elements in found for element in elements) == list(range(100))
    # An array of elements is an array.
    stream = env.from_collection(range(20), Types.LONG()).key_by(lambda n: 0)
    arrays = stream.count_window(10).process(Keep(), Types.TUPLE([Types.LONG(), Types.LIST(Types.LONG())]))
    assert collect(arrays) == [(0, list(range(10))), (0, list(range(10, 20)))]


def test_side_outputs_of_windows(sales: DataStream) -> None:
    big = OutputTag("big", Types.LONG())

    class Split(ProcessWindowFunction[Any, Any, Any, TimeWindow]):
        def process(self, key: Any, context: ProcessWindowFunction.Context, elements: Any) -> Any:
            total = sum(element.euros for element in elements)
            yield (big, total) if total > 5 else total

    main = sales.key_by("shop").window(TumblingEventTimeWindows.of(Time.seconds(10))).process(Split(), Types.LONG())
    both = main.map(lambda n: ("small", n)).union(main.get_side_output(big).map(lambda n: ("big", n)))
    assert sorted(collect(both)) == [("big", 6), ("big", 7), ("small", 2), ("small", 4)]


# ---- Building --------------------------------------------------------------------------------------------------------------------------------


def test_keyed_streams_are_no_operators(sales: DataStream) -> None:
    keyed = sales.key_by("shop")
    for mistake in (lambda: keyed.name("x"), lambda: keyed.set_parallelism(2), keyed.rebalance, keyed.shuffle, lambda: keyed.uid("x")):
        with pytest.raises(InvalidStateError, match="key"):
            mistake()
    assert keyed.key_by("city").get_key_type() == Types.STRING()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda sales: sales.key_by("sop"), PlanError, "did you mean 'shop'"),
        (lambda sales: sales.key_by(9), PlanError, "positions are 0 to 3"),
        (lambda sales: sales.key_by(None), TypeError, "key_by takes a KeySelector or a function"),
        (lambda sales: sales.key_by("shop").sum("euro"), PlanError, "did you mean 'euros'"),
        (lambda sales: sales.key_by("shop").sum("city"), PlanError, "'city' is no number"),
        (lambda sales: sales.key_by("shop").sum(1.5), TypeError, "a name or a position"),
        (lambda sales: sales.key_by("shop").process(lambda value, ctx: None), TypeError, "KeyedProcessFunction"),
        (lambda sales: sales.process(Remember()), TypeError, "key_by comes before"),
        (lambda sales: sales.key_by("shop").window(TumblingEventTimeWindows), TypeError, r"TumblingEventTimeWindows.of\(\.\.\.\)"),
        (lambda sales: sales.key_by("shop").count_window(2).aggregate(sum), TypeError, "AggregateFunction"),
        (lambda sales: sales.key_by("shop").count_window(2).process(Remember()), TypeError, "ProcessWindowFunction"),
        (lambda sales: sales.key_by("shop").count_window(2).trigger(None), TypeError, "Trigger such as"),
        (lambda sales: sales.key_by(ByShop), TypeError, r"write ByShop\(\)"),
        (lambda sales: sales.select("euro"), PlanError, "did you mean 'euros'"),
        (lambda sales: sales.project(4), PlanError, "positions are 0 to 3"),
        (lambda sales: sales.map(7), TypeError, "map takes a MapFunction or a function, not 7 of type int"),
    ],
)
def test_mistakes_are_told_where_they_are_made(sales: DataStream, make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(sales)


@pytest.mark.parametrize("assigner", ["column", "function", "generator"])
@pytest.mark.parametrize("tag", [None, OutputTag("ahead"), OutputTag("ahead", Types.TUPLE([Types.STRING(), Types.LONG()]))])
def test_a_far_future_timestamp_does_not_poison_the_watermark(env: StreamExecutionEnvironment, tag: OutputTag | None, assigner: str) -> None:
    class Monotonous(WatermarkGenerator):
        def __init__(self) -> None:
            self.last = -1

        def on_event(self, timestamp: int) -> None:
            self.last = max(self.last, timestamp)

        def on_periodic_emit(self) -> int:
            return self.last - 1

    now, year = time.time_ns() // 1_000_000, 365 * 86_400_000
    values = [("a", 1_000), ("a", now + 10 * year), ("a", 2_000), ("a", 2**63 - 1), ("a", 12_000), ("a", 3_000)]
    strategy = WatermarkStrategy.for_monotonous_timestamps()
    if assigner == "generator":
        strategy = WatermarkStrategy.for_generator(Monotonous)
    strategy = strategy.with_timestamp_assigner(lambda value, _: value[1]) if assigner == "function" else strategy.with_timestamp_column(1)
    timed = env.from_collection(values, Types.TUPLE([Types.STRING(), Types.LONG()])).assign_timestamps_and_watermarks(
        strategy.with_max_future_drift(Duration.of_minutes(5), tag)
    )
    window = timed.key_by(0).window(TumblingEventTimeWindows.of(Time.seconds(10)))
    sums: list[Any] = []
    ahead: list[Any] = []
    window.reduce(lambda a, b: (a[0], a[1] + b[1])).add_sink(sums.append)
    if tag is not None:
        timed.get_side_output(tag).add_sink(ahead.append)
    client = env.execute_async()
    client.get_job_execution_result().result()
    # A generator of the host's own sees the batch as a whole, and its watermark stands behind it: nothing is late there.
    assert sums == ([("a", 6_000), ("a", 12_000)] if assigner == "generator" else [("a", 3_000), ("a", 12_000)])
    assert ahead == ([] if tag is None else [values[1], values[3]])
    counted = [entry for entry in client.get_metrics()["operators"] if entry["numFutureRecords"]]
    assert [(entry["numFutureRecords"], entry["numFutureRecordsDropped"]) for entry in counted] == [(2, 2 if tag is None else 0)]


def test_the_output_of_records_ahead_of_the_clock_has_the_streams_type(env: StreamExecutionEnvironment) -> None:
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_column(0)
    texts = strategy.with_max_future_drift(Duration.of_minutes(5), OutputTag("ahead", Types.STRING()))
    with pytest.raises(PlanError, match="ahead of the clock"):
        env.from_collection([1], Types.LONG()).assign_timestamps_and_watermarks(texts)
    with pytest.raises(PlanError, match="ahead of the clock"):
        env.from_source(NumberSequenceSource(1, 2), texts)
    with pytest.raises(PlanError, match="assign_timestamps_and_watermarks"):
        env.from_source(DataGeneratorSource(str, 1, output_type=Types.STRING()), strategy.with_max_future_drift(1, OutputTag("ahead")))
    ahead = OutputTag("ahead")
    numbers = env.from_source(NumberSequenceSource(2**62, 2**62 + 2), strategy.with_max_future_drift(Duration.of_minutes(5), ahead))
    assert list(numbers.get_side_output(ahead).execute_and_collect()) == [2**62, 2**62 + 1, 2**62 + 2]


def test_allowed_lateness_fires_again(env: StreamExecutionEnvironment) -> None:
    values = [("a", 1_000), ("a", 11_000), ("a", 2_000), ("a", 16_000), ("a", 3_000)]
    env.set_buffer_timeout(0).configure({"millstream.batch.rows": 1})
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_column(1)
    stream = env.from_collection(values, Types.TUPLE([Types.STRING(), Types.LONG()])).assign_timestamps_and_watermarks(strategy)
    windowed = stream.key_by(0).window(TumblingEventTimeWindows.of(Time.seconds(10))).allowed_lateness(Duration.of_seconds(5))
    found = collect(windowed.reduce(lambda x, y: (x[0], x[1] + y[1])))
    # 2,000 comes at watermark 10,999: late, but allowed. 3,000 comes at 15,999, when the window is gone.
    assert found == [("a", 1_000), ("a", 3_000), ("a", 27_000)]
