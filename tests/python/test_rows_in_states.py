"""Values of declared nested types in states of process functions: what a checkpoint says of them, and what becomes of them where the type has changed."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from millstream import state
from millstream.common import Row, RowKind, Types
from millstream.datastream import KeyedProcessFunction, StreamExecutionEnvironment
from millstream.datastream.state import ListStateDescriptor, MapStateDescriptor, ReducingStateDescriptor, ValueStateDescriptor
from millstream.exceptions import DecodeError, MillstreamError
from millstream.testing import LiveTestStream
from millstream.typed_state_values import Refusal, changes, evolved

pyarrow = pytest.importorskip("pyarrow")

PAIR = Types.TUPLE([Types.STRING(), Types.LONG()])
ROW = Types.ROW_NAMED(["a", "b"], [Types.INT(), Types.STRING()])


class Keeps(KeyedProcessFunction):
    """Keeps values of a type in states of all kinds, and gives back what was there before."""

    def __init__(self, kind: Any, made: Any) -> None:
        self.kind, self.made = kind, made

    def open(self, runtime_context: Any) -> None:
        self.value = runtime_context.get_state(ValueStateDescriptor("value", self.kind))
        self.seen = runtime_context.get_list_state(ListStateDescriptor("seen", self.kind))
        self.named = runtime_context.get_map_state(MapStateDescriptor("named", Types.STRING(), self.kind))
        self.last = runtime_context.get_reducing_state(ReducingStateDescriptor("last", lambda before, now: now, self.kind))

    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        yield self.value.value(), list(self.seen.get()), dict(self.named.items()), self.last.get()
        made = self.made(value[1])
        self.value.update(made)
        self.seen.add(made)
        self.named.put("one", made)
        self.last.add(made)


def environment(path: str | None = None, **settings: str) -> StreamExecutionEnvironment:
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    env.configure({name.replace("__", "."): value for name, value in settings.items()})
    if path is not None:
        env.configure({"execution.state-recovery.path": path, "execution.state-recovery.ignore-unclaimed-state": "true"})
    return env


def build(env: StreamExecutionEnvironment, stream: Any, function: Any, found: list[Any]) -> StreamExecutionEnvironment:
    stream.key_by(lambda row: row[0], Types.STRING()).process(function).uid("keeps").add_sink(found.append).uid("out")
    return env


def save(kind: Any, made: Any, folder: Path, rows: int = 2, **settings: str) -> str:
    """A savepoint of a job that has taken so many rows of the key 'a'."""
    env, found, stream = environment(**settings), [], LiveTestStream(PAIR)
    build(env, env.from_source(stream).uid("rows"), Keeps(kind, made), found)
    client = env.execute_async("keeps")
    for number in range(rows):
        stream.add(("a", number))
    until = time.monotonic() + 30
    while len(found) < rows and time.monotonic() < until:
        time.sleep(0.01)
    assert len(found) == rows
    path = client.stop_with_savepoint(False, str(folder)).result(30)
    client.wait()
    return path


def restored(path: str, kind: Any, made: Any, **settings: str) -> Any:
    """What is in the states of the key 'a' where the job goes on."""
    found: list[Any] = []
    env = environment(path, **settings)
    build(env, env.from_collection([("a", 7)], PAIR).uid("other rows"), Keeps(kind, made), found).execute()
    return found[0]


def diff(path: str, kind: Any) -> dict[str, tuple[str, str]]:
    env = environment(path)
    build(env, env.from_collection([("a", 7)], PAIR).uid("other rows"), Keeps(kind, None), [])
    return {name: (entry.outcome, entry.reason) for entry in env.plan_diff(path) for name in entry.states if entry.uid == "keeps"}


STATES = ["keyed/value", "keyed/seen", "keyed/named", "keyed/last"]
NESTED = Types.ROW_NAMED(
    ["rows", "by_name", "pair", "price", "day"],
    [Types.LIST(ROW), Types.MAP(Types.STRING(), Types.LONG()), Types.TUPLE([Types.LONG(), Types.STRING()]), Types.BIG_DEC(), Types.SQL_DATE()],
)


def nested(number: int) -> Row:
    rows = [Row(a=number, b="x"), None]
    return Row(rows=rows, by_name={"n": number}, pair=(number, None), price=Decimal(number), day=datetime.date(2024, 1, 1 + number))


@pytest.mark.parametrize("backend", ["hashmap", "rocksdb"])
def test_values_of_the_same_type_come_back(backend: str, tmp_path: Path) -> None:
    settings = {"state__backend__type": backend}
    path = save(NESTED, nested, tmp_path, **settings)
    assert state.manifest(path).properties["objects/keeps/keyed/value"].splitlines()[-1] == f"= {NESTED.schema()}"
    for other in ("hashmap", "rocksdb"):
        value, seen, named, last = restored(path, NESTED, nested, state__backend__type=other)
        assert (value, seen, named, last) == (nested(1), [nested(0), nested(1)], {"one": nested(1)}, nested(1))
        assert isinstance(value, Row) and isinstance(value.rows[0], Row) and type(value.pair) is tuple and value.rows[1] is None
    assert {diff(path, NESTED)[name] for name in STATES} == {("kept", "as it is")}


def test_a_kind_of_row_comes_back(tmp_path: Path) -> None:
    def deleted(number: int) -> Row:
        return Row.of_kind(RowKind.DELETE, a=number, b="x")

    path = save(ROW, deleted, tmp_path)
    before = restored(path, ROW, deleted)[0]
    wider = Types.ROW_NAMED(["a", "b"], [Types.LONG(), Types.STRING()])
    assert restored(path, wider, deleted)[0].get_row_kind() is before.get_row_kind()


@pytest.mark.parametrize("backend", ["hashmap", "rocksdb"])
@pytest.mark.parametrize(
    ("saved", "wanted", "made", "expected", "reason"),
    [
        (
            ROW, Types.ROW_NAMED(["b", "n", "a"], [Types.STRING(), Types.LONG(), Types.LONG()]), lambda n: Row(a=n, b="x"),
            Row(b="x", n=None, a=1), "'n' BIGINT is new, and null; 'a' was INT, and is BIGINT; the fields stand in another order",
        ),
        (ROW, Types.ROW_NAMED(["b"], [Types.STRING()]), lambda n: Row(n, "x"), Row(b="x"), "'a' INT is dropped"),
        (
            Types.ROW([Types.INT(), Types.SHORT()]), Types.ROW([Types.LONG(), Types.DOUBLE(), Types.STRING()]), lambda n: Row(n, n),
            Row(f0=1, f1=1.0, f2=None), "'f0' was INT, and is BIGINT; 'f1' was SMALLINT, and is DOUBLE; 'f2' STRING is new, and null",
        ),
        (Types.LIST(Types.INT()), Types.LIST(Types.LONG()), lambda n: [n, None], [1, None], "it was ARRAY<INT>, and is ARRAY<BIGINT>"),
        (
            Types.MAP(Types.STRING(), ROW), Types.MAP(Types.STRING(), Types.ROW_NAMED(["a", "c"], [Types.INT(), Types.INT()])),
            lambda n: {"k": Row(a=n, b="x"), "none": None}, {"k": Row(a=1, c=None), "none": None},
            "it was MAP<STRING NOT NULL, ROW<a INT, b STRING>>, and is MAP<STRING NOT NULL, ROW<a INT, c INT>>",
        ),
    ],
    ids=["row", "positional-row", "unnamed-row", "list", "map"],
)  # fmt: skip
def test_types_may_become_wider(saved: Any, wanted: Any, made: Any, expected: Any, reason: str, backend: str, tmp_path: Path) -> None:
    path = save(saved, made, tmp_path, state__backend__type=backend)
    found = diff(path, wanted)
    assert {found[name] for name in STATES} == {("migrated", reason)}
    value, seen, named, last = restored(path, wanted, lambda n: expected, state__backend__type=backend)
    assert value == last == named["one"] == seen[1] == expected
    assert repr(value) == repr(expected) and len(seen) == 2


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (Types.ROW_NAMED(["a", "b"], [Types.SHORT(), Types.STRING()]), "the field 'a' is of type INT in the checkpoint, and of type SMALLINT in the job: it would become narrower"),
        (Types.ROW_NAMED(["a", "c"], [Types.INT(), Types.STRING()]), "the field 'b' of type STRING is called 'c' in the job"),
        (Types.ROW_NAMED(["a", "b"], [Types.STRING(), Types.STRING()]), "the field 'a' is of type INT .* and of type STRING in the job: the one is not the other"),
        (Types.LIST(Types.INT()), "the one is not the other"),
    ],
    ids=["narrower", "renamed", "other", "no-row"],
)  # fmt: skip
def test_what_would_lose_values_is_refused_before_the_start(wanted: Any, reason: str, tmp_path: Path) -> None:
    path = save(ROW, lambda n: Row(a=n, b="x"), tmp_path)
    import re

    found = diff(path, wanted)
    assert {found[name][0] for name in STATES} == {"refused"}
    assert re.search(reason, found["keyed/value"][1]) and found["keyed/value"][1].startswith("it is of type ROW<a INT, b STRING> in the savepoint, and of type ")
    with pytest.raises(DecodeError, match=f"the state '[a-z]+' of '.*' is of type ROW<a INT, b STRING> in the checkpoint.*{reason}"):
        restored(path, wanted, None)


def test_a_state_without_a_uid_says_it_at_the_first_value(tmp_path: Path) -> None:
    with pytest.raises(MillstreamError, match="a value of the state is of type ROW<a INT, b STRING> in the checkpoint, and of type ROW<a SMALLINT> in the job"):
        evolved(Row(a=1, b="x"), ROW.schema(), "ROW<a SMALLINT>")


COLUMNS = Types.ROW_NAMED(
    ["rows", "by_name", "day", "at"], [Types.LIST(ROW), Types.MAP(Types.STRING(), Types.LONG()), Types.SQL_DATE(), Types.SQL_TIMESTAMP()]
)


def columns(number: int) -> Row:
    return Row(rows=[Row(a=number, b="x"), None], by_name={"n": number}, day=datetime.date(2024, 1, 1 + number), at=datetime.datetime(2024, 1, 1, number))


@pytest.mark.parametrize("backend", ["hashmap", "rocksdb"])
def test_states_with_types_are_read_and_written_as_columns(backend: str, tmp_path: Path) -> None:
    path = save(COLUMNS, columns, tmp_path, state__backend__type=backend)
    table = state.read(path, "keeps", "value")
    kind = table.schema.field("value").type
    row = pyarrow.struct([("a", pyarrow.int32()), ("b", pyarrow.string())])
    assert kind == pyarrow.struct([
        ("rows", pyarrow.list_(row)), ("by_name", pyarrow.map_(pyarrow.string(), pyarrow.int64())), ("day", pyarrow.date32()), ("at", pyarrow.timestamp("us")),
    ])  # fmt: skip
    assert table["value"].to_pylist() == [
        {"rows": [{"a": 1, "b": "x"}, None], "by_name": [("n", 1)], "day": datetime.date(2024, 1, 2), "at": datetime.datetime(2024, 1, 1, 1)}
    ]
    assert state.read(path, "keeps", "seen")["element"].to_pylist()[0]["rows"] == [{"a": 0, "b": "x"}, None]
    assert state.read(path, "keeps", "named")["map_value"].type == kind
    # What was read can be written again, and is what the job kept.
    writer = state.SavepointWriter.from_existing_savepoint(path)
    for name in ("value", "seen", "named", "last"):
        writer.with_state("keeps", name, state.read(path, "keeps", name))
    again = writer.write(tmp_path / "again")
    assert repr(restored(again, COLUMNS, columns)) == repr(restored(path, COLUMNS, columns))
    assert state.manifest(again).properties["objects/keeps/keyed/value"] == state.manifest(path).properties["objects/keeps/keyed/value"]
    # Also without a savepoint that says the types.
    made = state.SavepointWriter.new_savepoint(128).with_state("keeps", "value", table, types={"value": COLUMNS}).write(tmp_path / "made")
    assert restored(made, COLUMNS, columns)[0] == columns(1)


def test_values_without_a_type_within_a_row_are_read_where_arrow_has_one(tmp_path: Path) -> None:
    kind = Types.ROW_NAMED(["price", "pair"], [Types.BIG_DEC(), Types.TUPLE([Types.LONG(), Types.LONG()])])
    path = save(kind, lambda number: Row(price=Decimal("1.25"), pair=(number, 2)), tmp_path)
    assert state.read(path, "keeps", "value")["value"].to_pylist() == [{"price": Decimal("1.25"), "pair": [1, 2]}]


def test_the_state_of_a_running_job_has_columns(tmp_path: Path) -> None:
    env, found, stream = environment(), [], LiveTestStream(PAIR)
    build(env, env.from_source(stream).uid("rows"), Keeps(ROW, lambda n: Row(a=n, b="x")), found)
    client = env.execute_async("keeps")
    stream.add(("a", 3))
    while not found:
        time.sleep(0.01)
    assert client.state("keeps", "value")["value"].to_pylist() == [{"a": 3, "b": "x"}]
    stream.end()
    client.get_job_execution_result().result(30)


@pytest.mark.parametrize(
    ("saved", "wanted", "expected"),
    [
        ("DECIMAL(5, 2)", "DECIMAL(7, 3)", ""), ("DECIMAL(5, 2)", "DECIMAL(5, 3)", "it would lose digits"), ("DECIMAL(5, 2)", "DECIMAL(38, 18)", ""),
        ("ROW<a FLOAT>", "ROW<a DOUBLE>", ""), ("ROW<a DOUBLE>", "ROW<a FLOAT>", "narrower"), ("ROW<a BIGINT>", "ROW<a DOUBLE>", "not every number"),
        ("ROW<a INT>", "ROW<a DECIMAL(10, 0)>", ""), ("ROW<a INT>", "ROW<a DECIMAL(11, 2)>", "it would lose digits"),
        ("ROW<a VARCHAR(3)>", "ROW<a STRING>", ""), ("ROW<a STRING>", "ROW<a VARCHAR(3)>", "shorter"), ("ROW<a BYTES>", "ROW<a STRING>", "the one is not the other"),
        ("MAP<INT, INT>", "MAP<BIGINT, INT>", "the type of a map's keys"), ("ROW<a TIMESTAMP(3)>", "ROW<a TIMESTAMP(6)>", ""),
    ],
)  # fmt: skip
def test_the_rules(saved: str, wanted: str, expected: str) -> None:
    if not expected:
        assert changes(saved, wanted)
        return
    with pytest.raises(Refusal, match=expected):
        changes(saved, wanted)
