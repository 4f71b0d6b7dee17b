"""States of every declared type: values come back as they were, in jobs and in harnesses; others are refused; rows may be keys of a map."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import pytest
from millstream.common import Instant, Row, Types
from millstream.datastream import AggregateFunction, BroadcastProcessFunction, KeyedProcessFunction, StreamExecutionEnvironment
from millstream.datastream.state import (
    AggregatingStateDescriptor,
    ListStateDescriptor,
    MapStateDescriptor,
    ReducingStateDescriptor,
    ValueStateDescriptor,
)
from millstream.exceptions import KeyValueError, MillstreamError, TypeMismatchError
from millstream.testing import StreamHarness

ROW = Types.ROW_NAMED(["a", "b"], [Types.INT(), Types.LIST(Types.STRING())])
TYPES: dict[str, tuple[Any, Any, Any, Any]] = {
    # The type, two values, and one that is not of the type (None: anything is).
    "boolean": (Types.BOOLEAN(), True, False, 1),
    "byte": (Types.BYTE(), 5, -5, 300),
    "int": (Types.INT(), 1, 2, "x"),
    "long": (Types.LONG(), 1, -(2**63), 2**63),
    "float": (Types.FLOAT(), 1.5, 2.5, "x"),
    "double": (Types.DOUBLE(), 0.1, float("inf"), "x"),
    "string": (Types.STRING(), "", "é\U0001f600\0", 5),
    "char": (Types.CHAR(), "x", "y", 5),
    "big int": (Types.BIG_INT(), 10**30, -1, None),
    "big dec": (Types.BIG_DEC(), decimal.Decimal("1.50"), decimal.Decimal(0), None),
    "decimal": (Types.DECIMAL(5, 2), decimal.Decimal("1.50"), decimal.Decimal("-0.01"), decimal.Decimal(1000)),
    "instant": (Types.INSTANT(), Instant(5, 6_000_000), Instant(0, 0), 5),
    "date": (Types.SQL_DATE(), datetime.date(2020, 1, 2), datetime.date(1, 1, 1), "2020-01-02"),
    "time": (Types.SQL_TIME(), datetime.time(1, 2, 3), datetime.time(0), 5),
    "timestamp": (Types.SQL_TIMESTAMP(), datetime.datetime(2020, 1, 2, 3, 4, 5, 6_000), datetime.datetime(1970, 1, 1), 5),
    "bytes": (Types.PRIMITIVE_ARRAY(Types.BYTE()), b"ab", b"", "ab"),
    "list": (Types.LIST(Types.INT()), [1, None], [], ["x"]),
    "list of lists": (Types.LIST(Types.LIST(Types.STRING())), [["a"], []], [[None]], [["a"], 5]),
    "basic array": (Types.BASIC_ARRAY(Types.STRING()), ["a", None], [], [5]),
    "primitive array": (Types.PRIMITIVE_ARRAY(Types.DOUBLE()), [1.5], [], [None]),
    "object array": (Types.OBJECT_ARRAY(Types.ROW_NAMED(["a"], [Types.INT()])), [Row(a=1)], [], [5]),
    "map": (Types.MAP(Types.STRING(), Types.LIST(Types.INT())), {"a": [1]}, {}, {"a": 1}),
    "row": (ROW, Row(a=1, b=["x"]), Row(a=None, b=None), Row(a="x", b=[])),
    "row of rows": (Types.ROW_NAMED(["r"], [ROW]), Row(r=Row(a=1, b=[])), Row(r=None), Row(r=Row(a=1, b=[5]))),
    "row with an object": (Types.ROW_NAMED(["o"], [Types.PICKLED_BYTE_ARRAY()]), Row(o={1: {2}}), Row(o=None), 5),
    "tuple": (Types.TUPLE([Types.INT(), Types.STRING()]), (1, "x"), (2, None), None),
    "object": (Types.PICKLED_BYTE_ARRAY(), {1: {2}}, [None], None),
}


class Last(AggregateFunction[Any, Any, Any]):
    def create_accumulator(self) -> Any:
        return self.empty

    def __init__(self, empty: Any) -> None:
        self.empty = empty

    def add(self, value: Any, accumulator: Any) -> Any:
        return value

    def get_result(self, accumulator: Any) -> Any:
        return accumulator

    def merge(self, acc_a: Any, acc_b: Any) -> Any:
        return acc_b


class AllKinds(KeyedProcessFunction[Any, Any, Any]):
    """Puts two values into a state of each kind, and gives whether they come back."""

    def __init__(self, type_info: Any, first: Any, second: Any) -> None:
        self.type_info, self.first, self.second = type_info, first, second

    def open(self, runtime_context: Any) -> None:
        self.value = runtime_context.get_state(ValueStateDescriptor("value", self.type_info))
        self.list = runtime_context.get_list_state(ListStateDescriptor("list", self.type_info))
        self.map = runtime_context.get_map_state(MapStateDescriptor("map", Types.LONG(), self.type_info))
        self.reducing = runtime_context.get_reducing_state(ReducingStateDescriptor("reducing", lambda one, other: other, self.type_info))
        self.aggregating = runtime_context.get_aggregating_state(AggregatingStateDescriptor("aggregating", Last(self.first), self.type_info))

    def process_element(self, value: Any, ctx: Any) -> Any:
        first, second = self.first, self.second
        yield "empty", self.value.value() is None and list(self.list) == [] and self.map.is_empty() and self.reducing.get() is None
        for given in (first, second):
            self.value.update(given)
            self.reducing.add(given)
            self.aggregating.add(given)
        self.list.add_all([first, second])
        self.list.add(first)
        self.map.put_all({1: first, 2: second})
        yield "value", self.value.value() == second
        yield "list", list(self.list) == [first, second, first]
        yield "map", dict(self.map.items()) == {1: first, 2: second} and self.map[1] == first and list(self.map.values()) == [first, second]
        yield "reducing", self.reducing.get() == second
        yield "aggregating", self.aggregating.get() == second
        self.list.update([second])
        self.map.remove(1)
        yield "update", list(self.list) == [second] and 1 not in self.map
        for state in (self.value, self.list, self.map, self.reducing, self.aggregating):
            state.clear()
        yield "clear", self.value.value() is None and list(self.list) == [] and len(self.map) == 0 and self.aggregating.get() is None


@pytest.mark.parametrize("where", ["job", "harness"])
@pytest.mark.parametrize("name", TYPES)
def test_values_come_back(env: StreamExecutionEnvironment, name: str, where: str) -> None:
    type_info, first, second, _ = TYPES[name]
    function = AllKinds(type_info, first, second)
    if where == "job":
        found = list(env.from_collection([1]).key_by(lambda value: value).process(function).execute_and_collect())
    else:
        with StreamHarness(lambda stream: stream.key_by(lambda value: value).process(function)) as harness:
            harness.process_element(1)
            found = harness.extract_output_values()
    assert found == [(step, True) for step in ("empty", "value", "list", "map", "reducing", "aggregating", "update", "clear")]


class Puts(KeyedProcessFunction[Any, Any, Any]):
    def __init__(self, descriptor: Any, put: Any) -> None:
        self.descriptor, self.put = descriptor, put

    def open(self, runtime_context: Any) -> None:
        kind = type(self.descriptor).__name__.removesuffix("StateDescriptor").lower()
        self.state = getattr(runtime_context, "get_state" if kind == "value" else f"get_{kind}_state")(self.descriptor)

    def process_element(self, value: Any, ctx: Any) -> Any:
        return self.put(self.state)


@pytest.mark.parametrize("kind", ["value", "list", "map"])
@pytest.mark.parametrize("name", [name for name, entry in TYPES.items() if entry[3] is not None])
def test_values_of_another_type(env: StreamExecutionEnvironment, name: str, kind: str) -> None:
    type_info, _, _, wrong = TYPES[name]
    descriptor, put = {
        "value": (ValueStateDescriptor("s", type_info), lambda state: state.update(wrong)),
        "list": (ListStateDescriptor("s", type_info), lambda state: state.add(wrong)),
        "map": (MapStateDescriptor("s", Types.LONG(), type_info), lambda state: state.put(1, wrong)),
    }[kind]
    with pytest.raises(TypeMismatchError) as caught:
        list(env.from_collection([1]).key_by(lambda value: value).process(Puts(descriptor, put)).execute_and_collect())
    assert "in operator 'KeyedProcess'" in "\n".join(caught.value.__notes__)


def test_none_is_no_element_of_a_list(env: StreamExecutionEnvironment) -> None:
    for type_info in (ROW, Types.LIST(Types.INT()), Types.LONG()):
        with pytest.raises(MillstreamError, match="null is not allowed"):
            list(
                env.from_collection([1])
                .key_by(lambda value: value)
                .process(Puts(ListStateDescriptor("s", type_info), lambda state: state.add(None)))
                .execute_and_collect()
            )


def test_rows_are_keys_of_maps(env: StreamExecutionEnvironment) -> None:
    type_info = Types.ROW_NAMED(["a", "b"], [Types.INT(), Types.STRING()])

    def put(state: Any) -> Any:
        state.put(Row(a=1, b="x"), 1)
        state.put(Row(a=2, b=None), 2)
        state.put(Row(a=1, b="x"), 3)
        return [state.get(Row(a=1, b="x")), Row(a=2, b=None) in state, list(state.keys()), state.get(Row(a=3, b="x"))]

    stream = env.from_collection([1]).key_by(lambda value: value)
    found = list(stream.process(Puts(MapStateDescriptor("s", type_info, Types.LONG()), put)).execute_and_collect())
    assert found == [3, True, [Row(a=1, b="x"), Row(a=2, b=None)], None]
    with pytest.raises(TypeMismatchError):
        list(stream.process(Puts(MapStateDescriptor("s", type_info), lambda state: state.get(Row(a="x", b="x")))).execute_and_collect())
    with pytest.raises(KeyValueError):
        list(stream.process(Puts(MapStateDescriptor("s", Types.LIST(Types.INT())), lambda state: state.put([1], 1))).execute_and_collect())


def test_broadcast_state_of_rows(env: StreamExecutionEnvironment) -> None:
    rules = MapStateDescriptor("rules", Types.STRING(), ROW)

    class Keep(BroadcastProcessFunction[Any, Any, Any]):
        def process_element(self, value: Any, ctx: Any) -> Any:
            return []

        def process_broadcast_element(self, value: Any, ctx: Any) -> Any:
            state = ctx.get_broadcast_state(rules)
            state.put(value, Row(a=1, b=[value]))
            yield dict(state.items())

    stream = env.from_collection([1]).connect(env.from_collection(["x"]).broadcast(rules)).process(Keep())
    assert list(stream.execute_and_collect()) == [{"x": Row(a=1, b=["x"])}]


def test_one_name_for_two_nested_types(env: StreamExecutionEnvironment) -> None:
    class Twice(KeyedProcessFunction[Any, Any, Any]):
        def open(self, runtime_context: Any) -> None:
            for type_info in (Types.LIST(Types.INT()), Types.LIST(Types.LONG())):
                runtime_context.get_state(ValueStateDescriptor("s", type_info))

        def process_element(self, value: Any, ctx: Any) -> Any:
            return []

    with pytest.raises(MillstreamError, match=r"'s' is asked for as a value state of ARRAY<BIGINT>, but was made as a value state of ARRAY<INT>"):
        list(env.from_collection([1]).key_by(lambda value: value).process(Twice()).execute_and_collect())
