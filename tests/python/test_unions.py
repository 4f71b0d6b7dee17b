"""Unions of streams whose types differ in what can be null alone, and what stands behind them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from millstream.common import Types, WatermarkStrategy
from millstream.common.typeinfo import widened
from millstream.datastream import KeyedProcessFunction, StreamExecutionEnvironment, WindowFunction
from millstream.datastream.aggregates import count, max_, sum_
from millstream.datastream.connectors.number_seq import NumberSequenceSource
from millstream.datastream.data_stream import DataStream
from millstream.datastream.state import ValueStateDescriptor
from millstream.exceptions import PlanError
from millstream.table.expressions import col

pyarrow = pytest.importorskip("pyarrow")


def nested(nullable: bool) -> Any:
    """A table's schema whose fields can all be null, at every level, or none."""
    item = pyarrow.field("item", pyarrow.string(), nullable)
    inner = pyarrow.struct([pyarrow.field("x", pyarrow.int64(), nullable), pyarrow.field("names", pyarrow.list_(item), nullable)])
    entry = pyarrow.map_(pyarrow.string(), pyarrow.field("value", pyarrow.int64(), nullable))
    fields = [("id", pyarrow.int64()), ("inner", inner), ("counts", entry), ("text", pyarrow.string())]
    return pyarrow.schema([pyarrow.field(name, type_, nullable) for name, type_ in fields])


def drawn(seed: int, count_: int, first: int, nullable: bool) -> list[dict[str, Any]]:
    """Rows of `nested(nullable)`; the ids are never null."""
    chance = random.Random(seed)

    def maybe(make: Callable[[], Any]) -> Any:
        return None if nullable and chance.random() < 0.3 else make()

    def names() -> list[Any]:
        return [maybe(lambda: chance.choice(["a", "some longer text than a view has room for", ""])) for _ in range(chance.randrange(4))]

    return [
        {
            "id": first + place,
            "inner": maybe(lambda: {"x": maybe(lambda: chance.randrange(1 << 40)), "names": maybe(names)}),
            "counts": maybe(lambda: [(key, maybe(lambda: chance.randrange(9))) for key in sorted(chance.sample("abcdef", chance.randrange(4)))]),
            "text": maybe(lambda: "x" * chance.randrange(30)),
        }
        for place in range(count_)
    ]


def plain(row: dict[str, Any]) -> str:
    """A drawn row as `shown` gives it."""
    inner = row["inner"] and (row["inner"]["x"], row["inner"]["names"])
    return repr((row["id"], inner, None if row["counts"] is None else dict(row["counts"]), row["text"]))


def shown(row: Any) -> str:
    inner = row.inner and (row.inner.x, row.inner.names)
    return repr((row.id, inner, row.counts, row.text))


def values(stream: DataStream) -> list[Any]:
    with stream.execute_and_collect() as found:
        return list(found)


class Last(KeyedProcessFunction[Any, Any, Any]):
    """Gives the row back that it has kept."""

    def open(self, runtime_context: Any) -> None:
        self.row = runtime_context.get_state(ValueStateDescriptor("row", Types.PICKLED_BYTE_ARRAY()))

    def process_element(self, value: Any, ctx: Any) -> Any:
        self.row.update(value)
        yield self.row.value()


class Elements(WindowFunction[Any, Any, Any, Any]):
    def apply(self, key: Any, window: Any, inputs: Any) -> Any:
        return list(inputs)


BEHIND: dict[str, Callable[[DataStream], DataStream]] = {
    "nothing": lambda both: both,
    "map": lambda both: both.map(lambda row: row),
    "typed map": lambda both: both.map(lambda row: row, both.get_type()),
    "exchange": lambda both: both.rebalance().map(lambda row: row, both.get_type()).set_parallelism(3),
    "filter": lambda both: both.filter(col("id") >= 0),
    "column key": lambda both: both.key_by("id").reduce(lambda one, other: other),
    "nested key": lambda both: both.key_by(lambda row: row.id, Types.LONG()).max_by("id"),
    "process": lambda both: both.key_by(lambda row: row.id % 5, Types.LONG()).process(Last(), both.get_type()),
    "window": lambda both: both.key_by("id").count_window(1).reduce(lambda one, other: other),
    "window of all": lambda both: both.key_by(lambda row: 0, Types.LONG()).count_window(70).apply(Elements()),
    "partitioner": lambda both: both.partition_custom(lambda key, channels: key % channels, "id").map(lambda row: row, both.get_type()),
    "union": lambda both: both.union(both.filter(col("id") < 0)),
}


@pytest.mark.parametrize("strict_first", [True, False])
@pytest.mark.parametrize("behind", BEHIND)
def test_nested_rows(env: StreamExecutionEnvironment, behind: str, strict_first: bool) -> None:
    env.set_parallelism(2)
    env.set_buffer_timeout(5)
    rows = [drawn(seed, 35, 35 * seed, nullable=bool(seed)) for seed in range(2)]
    whole, holes = (env.from_arrow(pyarrow.Table.from_pylist(rows[index], nested(bool(index)))) for index in range(2))
    both = whole.union(holes) if strict_first else holes.union(whole)
    assert both.get_type().schema() == holes.get_type().schema()
    assert Counter(shown(row) for row in values(BEHIND[behind](both))) == Counter(plain(row) for part in rows for row in part)


def test_tables_of_a_union_take_nulls(env: StreamExecutionEnvironment) -> None:
    rows = [drawn(seed, 20, 20 * seed, nullable=bool(seed)) for seed in range(2)]
    tables = [pyarrow.Table.from_pylist(rows[index], nested(bool(index))) for index in range(2)]
    found = env.from_arrow(tables[0]).union(env.from_arrow(tables[1])).to_arrow()
    assert all(field.nullable for field in found.schema)
    assert found.sort_by("id").to_pylist() == rows[0] + rows[1]


def test_a_number_sequence_and_a_stream_with_none(env: StreamExecutionEnvironment) -> None:
    env.set_parallelism(2)
    numbers = env.from_source(NumberSequenceSource(1, 100), WatermarkStrategy.no_watermarks(), "numbers")
    others = env.from_collection([None, 7, None], Types.LONG())
    expected = Counter([*range(1, 101), None, 7, None])
    for both in (numbers.union(others), others.union(numbers), numbers.union(numbers.filter(lambda n: False), others)):
        assert Counter(values(both)) == expected
        assert Counter(values(both.map(lambda n: n, Types.LONG()))) == expected
        sums = both.map(lambda n: ((n or 0) % 4, n), Types.TUPLE([Types.LONG(), Types.LONG()])).key_by(0).count_window(25).agg(sum_(1), max_(1), count(1))
        assert {row[0]: tuple(row)[1:] for row in values(sums)}[1] == (sum(range(1, 101, 4)), 97, 25)
    both = numbers.union(others).key_by(lambda n: 0, Types.LONG()).sum(0)
    assert max(n for n in values(both) if n is not None) == 5050 + 7


def test_elements_of_arrays(env: StreamExecutionEnvironment) -> None:
    arrays = env.from_collection([[1, 2]], Types.PRIMITIVE_ARRAY(Types.LONG()))
    lists = env.from_collection([[3, None]], Types.LIST(Types.LONG()))
    for both in (arrays.union(lists), lists.union(arrays)):
        assert both.get_type() == Types.LIST(Types.LONG())
        assert sorted(map(list, values(both.key_by(lambda numbers: numbers[0]).reduce(lambda one, other: other)))) == [[1, 2], [3, None]]


def test_what_stays_different(env: StreamExecutionEnvironment) -> None:
    def row(*types: Any, names: tuple[str, ...] = ("a", "b")) -> Any:
        return Types.ROW_NAMED(list(names), list(types))

    array, listed = Types.PRIMITIVE_ARRAY(Types.INT()), Types.LIST(Types.INT())
    assert widened(row(array, Types.INT()), row(listed, Types.INT())) == row(listed, Types.INT())
    assert widened(Types.TUPLE([array]), Types.TUPLE([listed])) == Types.TUPLE([listed])
    assert widened(Types.MAP(Types.INT(), array), Types.MAP(Types.INT(), listed)) == Types.MAP(Types.INT(), listed)
    assert widened(Types.LIST(array), Types.LIST(listed)) == Types.LIST(listed)
    for one, other in [
        (array, Types.LIST(Types.LONG())),
        (Types.PRIMITIVE_ARRAY(Types.BYTE()), Types.LIST(Types.BYTE())),
        (row(array, Types.INT()), row(listed, Types.INT(), names=("a", "c"))),
        (row(array, Types.INT()), row(listed, Types.LONG())),
        (Types.TUPLE([array]), Types.TUPLE([listed, listed])),
        (Types.LONG(), Types.PICKLED_BYTE_ARRAY()),
    ]:
        assert widened(one, other) is None and widened(other, one) is None
        with pytest.raises(PlanError, match="union: the types differ"):
            env.from_collection([], one).union(env.from_collection([], other))
