"""Savepoints made and changed outside of jobs, compared with a job's plan, and resolved where a commit's outcome is unknown."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from millstream import state
from millstream.common import RestartStrategies, Time, Types
from millstream.common.watermark_strategy import TimestampAssigner
from millstream.datastream import KeyedProcessFunction, ProcessWindowFunction, ReduceFunction, RuntimeContext, StreamExecutionEnvironment
from millstream.datastream.connectors.number_seq import NumberSequenceSource
from millstream.datastream.connectors.two_phase_commit import CommitOutcome, Committer, CommittingSinkWriter, TwoPhaseCommittingSink
from millstream.datastream.state import ListStateDescriptor, MapStateDescriptor, StateTtlConfig, ValueStateDescriptor
from millstream.datastream.window import EventTimeSessionWindows
from millstream.exceptions import CommitUnknownError, InputOutputError, InvalidArgumentError, MillstreamError, TypeMismatchError, UnsupportedError
from millstream.testing import LiveTestStream

pyarrow = pytest.importorskip("pyarrow")
pytest.importorskip("pyarrow.compute")

PAIR = Types.TUPLE([Types.STRING(), Types.LONG()])
Build = Callable[[StreamExecutionEnvironment], Any]


def new_environment(path: str | Path | None = None, parallelism: int = 2, **settings: str) -> StreamExecutionEnvironment:
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(parallelism)
    if path is not None:
        env.configure({"execution.state-recovery.path": str(path)})
    env.configure({key.replace("__", "."): value for key, value in settings.items()})
    return env


def run(env: StreamExecutionEnvironment, rows: list[Any], kind: Any, build: Callable[[Any], Any]) -> list[Any]:
    """What a job gives for rows."""
    taken: list[Any] = []
    # A test's stream cannot go back to where it was: these are other rows, and its state is left behind.
    env.configure({"execution.state-recovery.ignore-unclaimed-state": "true"})
    build(env.from_collection(rows, kind).uid("other rows").set_parallelism(1)).add_sink(taken.append).set_parallelism(1).uid("out")
    env.execute("a job")
    return taken


def save(env: StreamExecutionEnvironment, rows: list[Any], kind: Any, build: Callable[[Any], Any], folder: Path) -> str:
    """The savepoint that a job stops with when it has taken the rows."""
    taken: list[Any] = []
    stream = LiveTestStream(kind)
    build(env.from_source(stream).uid("rows")).add_sink(taken.append).set_parallelism(1).uid("out")
    client = env.execute_async("a job")
    for row in rows:
        stream.add(row)
    until = time.monotonic() + 30
    while len(taken) < len(rows) and time.monotonic() < until:
        time.sleep(0.01)
    path = client.stop_with_savepoint(False, str(folder)).result()
    client.wait()
    assert len(taken) == len(rows)
    return path


class Count(KeyedProcessFunction):
    """Counts the rows of a key, keeps them, and adds them up by parity."""

    kind: ClassVar[Any] = Types.LONG()

    def open(self, runtime_context: Any) -> None:
        self.count = runtime_context.get_state(ValueStateDescriptor("count", self.kind))
        self.seen = runtime_context.get_list_state(ListStateDescriptor("seen", Types.LONG()))
        self.sums = runtime_context.get_map_state(MapStateDescriptor("sums", Types.STRING(), Types.LONG()))

    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        self.count.update((self.count.value() or 0) + 1)
        self.seen.add(value[1])
        parity = "odd" if value[1] % 2 else "even"
        self.sums.put(parity, (self.sums.get(parity) or 0) + value[1])
        yield (value[0], self.count.value(), sorted(self.seen.get()), sorted(self.sums.items()))


STRING = Types.STRING()


def counting(key: Any = STRING, function: type[Count] = Count) -> Callable[[Any], Any]:
    if key is None:
        return lambda stream: stream.key_by(lambda row: row[0]).process(function()).uid("count")
    return lambda stream: stream.key_by(lambda row: row[0], key).process(function()).uid("count")


def bootstrapped(folder: Path, keys: int, **more: Any) -> str:
    names = [f"k{number}" for number in range(keys)]
    return (
        state.SavepointWriter.new_savepoint(max_parallelism=64)
        .with_state("count", "count", pyarrow.table({"key0": names, "value": list(range(keys))}), **more)
        .with_state("count", "seen", pyarrow.table({"key0": names * 2, "element": [-1] * keys + [-2] * keys}), **more)
        .with_state("count", "sums", pyarrow.table({"key0": names, "map_key": ["odd"] * keys, "map_value": [1000] * keys}), **more)
        .write(folder / "made")
    )


@pytest.mark.parametrize(("key", "parallelism"), [(Types.STRING(), 1), (Types.STRING(), 3), (None, 2)])
def test_a_job_starts_from_a_savepoint_made_of_tables(key: Any, parallelism: int, tmp_path: Path) -> None:
    more = {} if key is not None else {"types": {"key0": Types.PICKLED_BYTE_ARRAY()}}
    path = bootstrapped(tmp_path, 100, **more)
    rows = [(f"k{number}", 7) for number in range(100)]
    found = run(new_environment(path, parallelism), rows, PAIR, counting(key))
    assert sorted(found) == sorted((f"k{number}", number + 1, [-2, -1, 7], [("odd", 1007)]) for number in range(100))
    assert [part.name for part in state.describe(path)[0].parts] == ["keyed/count", "keyed/seen", "keyed/sums"]
    assert state.read(path, "count", "count").num_rows == 100
    with pytest.raises(InputOutputError, match="already"):
        bootstrapped(tmp_path, 1)


def test_timers_and_operator_state_of_tables(tmp_path: Path) -> None:
    class Timed(KeyedProcessFunction):
        def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
            yield ("row", value[0])

        def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Any]:
            yield ("timer", ctx.get_current_key(), timestamp)

    path = (
        state.SavepointWriter.new_savepoint()
        .with_state("timed", "timers/event", pyarrow.table({"key0": ["a", "b", "a"], "time": [300, 200, 100]}))
        .write(tmp_path / "timers")
    )
    found = run(new_environment(path, 1), [("c", 1)], PAIR, lambda stream: stream.key_by(lambda row: row[0], Types.STRING()).process(Timed()).uid("timed"))
    assert found == [("row", "c"), ("timer", "a", 100), ("timer", "b", 200), ("timer", "a", 300)]


def test_a_savepoint_is_changed(tmp_path: Path) -> None:
    rows = [(key, number) for number in range(4) for key in ("a", "b")]
    path = save(new_environment(), rows, PAIR, counting(), tmp_path)
    before = {file.name: file.read_bytes() for file in Path(path).iterdir()}
    raised = state.read(path, "count", "count")
    raised = raised.set_column(raised.column_names.index("value"), "value", pyarrow.compute.add(raised["value"], 100))
    changed = (
        state.SavepointWriter.from_existing_savepoint(path)
        .with_state("count", "count", raised)
        .remove_state("count", "sums")
        .change_operator_identifier("count", "counted")
        .write(tmp_path / "changed")
    )
    assert {file.name: file.read_bytes() for file in Path(path).iterdir()} == before
    again = run(new_environment(changed), [("a", 9)], PAIR, lambda stream: counting()(stream).uid("counted"))
    assert again == [("a", 105, [0, 1, 2, 3, 9], [("odd", 9)])]
    with pytest.raises(InvalidArgumentError, match="no operator with the uid 'cuont'.*\n.*'count'"):
        state.SavepointWriter.from_existing_savepoint(path).remove_operator("cuont").write(tmp_path / "x")
    with pytest.raises(InvalidArgumentError, match="no state 'keyed/nothing'"):
        state.SavepointWriter.from_existing_savepoint(path).remove_state("count", "nothing").write(tmp_path / "x")
    with pytest.raises(TypeMismatchError, match="'value' of the state 'keyed/count' is given as STRING, and is BIGINT"):
        state.SavepointWriter.from_existing_savepoint(path).with_state("count", "count", pyarrow.table({"key0": ["a"], "value": ["x"]})).write(tmp_path / "x")
    assert not (tmp_path / "x" / "_metadata").exists()


def test_plain_python_objects_are_read(tmp_path: Path) -> None:
    path = (
        state.SavepointWriter.new_savepoint()
        .with_state("o", "x", pyarrow.table({"key0": [1, 2], "value": [7, 8]}), types={"value": Types.PICKLED_BYTE_ARRAY()})
        .write(tmp_path / "plain")
    )
    assert state.read(path, "o", "x")["value"].to_pylist() in ([7, 8], [8, 7])
    assert state.manifest(path).properties == {"objects/o/keyed/x": "plain"}


# ---- The plan's diff, and evolution ----


class Wider(Count):
    kind: ClassVar[Any] = Types.LONG()


class Narrow(Count):
    kind: ClassVar[Any] = Types.INT()


class Text(Count):
    kind: ClassVar[Any] = Types.STRING()


class Aging(Count):
    def open(self, runtime_context: Any) -> None:
        descriptor = ValueStateDescriptor("count", Types.LONG())
        descriptor.enable_time_to_live(StateTtlConfig.new_builder(Time.hours(1)).build())
        self.count = runtime_context.get_state(descriptor)
        self.seen = runtime_context.get_list_state(ListStateDescriptor("seen", Types.LONG()))
        self.sums = runtime_context.get_map_state(MapStateDescriptor("sums", Types.STRING(), Types.LONG()))


def outcomes(env: StreamExecutionEnvironment, path: str, kind: Any, build: Callable[[Any], Any]) -> dict[str, tuple[str, str]]:
    """By state: what becomes of it, and why."""
    build(env.from_collection([("a", 1)], kind).uid("rows")).add_sink(print).set_parallelism(1).uid("out")
    diff = env.plan_diff(path)
    assert str(diff).splitlines()[0].split() == ["operator", "outcome", "states", "reason"]
    return {name: (entry.outcome, entry.reason) for entry in diff for name in entry.states if entry.uid != "rows"}


def test_the_diff_of_a_plan(tmp_path: Path) -> None:
    path = save(new_environment(), [("a", 1), ("b", 2)], PAIR, counting(function=Narrow), tmp_path)
    same = outcomes(new_environment(), path, PAIR, counting(function=Narrow))
    assert {same[f"keyed/{name}"] for name in ("count", "seen", "sums")} == {("kept", "as it is")}
    assert outcomes(new_environment(parallelism=3), path, PAIR, counting(function=Narrow))["keyed/seen"] == (
        "kept", "dealt out anew: the parallelism was 2, and is 3",
    )  # fmt: skip
    assert outcomes(new_environment(), path, PAIR, counting(function=Wider))["keyed/count"] == ("migrated", "'value' was INT, and is BIGINT")
    assert run(new_environment(path), [("a", 3)], PAIR, counting(function=Wider)) == [("a", 2, [1, 3], [("odd", 4)])]
    refused = outcomes(new_environment(), path, PAIR, counting(function=Text))
    assert refused["keyed/count"][0] == "refused" and "INT" in refused["keyed/count"][1] and "STRING" in refused["keyed/count"][1]
    with pytest.raises(MillstreamError, match="'count' is of type INT.*and of type STRING"):
        run(new_environment(path), [("a", 3)], PAIR, counting(function=Text))
    aging = outcomes(new_environment(), path, PAIR, counting(function=Aging))
    assert aging["keyed/count"][0] == "refused" and "time-to-live" in aging["keyed/count"][1]
    with pytest.raises(MillstreamError, match="'count' has no time-to-live in the checkpoint"):
        run(new_environment(path), [("a", 3)], PAIR, counting(function=Aging))
    lost = outcomes(new_environment(), path, PAIR, lambda stream: counting()(stream).uid("other"))
    assert {lost[f"keyed/{name}"][0] for name in ("count", "seen", "sums")} == {"refused"}, "the later entry, of what the savepoint has"
    left = outcomes(new_environment(**{"execution__state-recovery__ignore-unclaimed-state": "true"}), path, PAIR, lambda stream: counting()(stream).uid("other"))
    assert left["keyed/count"][0] == "lost"
    keys = outcomes(new_environment(), path, Types.TUPLE([Types.LONG(), Types.LONG()]), counting(key=Types.LONG(), function=Narrow))
    assert keys["keyed/count"] == ("refused", "its key is of the types [STRING] in the savepoint, and [BIGINT] in the job")
    assert outcomes(new_environment(**{"pipeline__max-parallelism": "64"}), path, PAIR, counting(function=Narrow))["keyed/count"][1].startswith("the max parallelism is 128")


def test_the_diff_of_a_plan_knows_what_the_start_says_of_pickles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import platform

    from millstream import pickled_values

    monkeypatch.setattr(pickled_values, "_allowed", set())
    path = save(new_environment(), [("a", 1)], PAIR, ordering, tmp_path)
    mine = f"{Order.__module__}.{Order.__qualname__}"
    outcome, reason = outcomes(new_environment(), path, PAIR, ordering)["keyed/last"]
    assert outcome == "refused" and f"a value of {mine}, which this program has not allowed" in reason and f"env.register_type('{mine}')" in reason
    env = new_environment()
    env.register_type(Order)
    assert outcomes(env, path, PAIR, ordering)["keyed/last"] == ("kept", "as it is")
    monkeypatch.setattr(platform, "python_version", lambda: "4.7.1")
    outcome, reason = outcomes(new_environment(), path, PAIR, ordering)["keyed/last"]
    assert outcome == "refused" and "and this is 4.7" in reason
    anyway = {"state__pickle__other-python-allowed": "true"}
    assert outcomes(new_environment(**anyway), path, PAIR, ordering)["keyed/last"] == ("kept", "as it is")
    monkeypatch.delattr(sys.modules[Order.__module__], "Order")
    outcome, reason = outcomes(new_environment(**anyway), path, PAIR, ordering)["keyed/last"]
    assert outcome == "refused" and f"a value of {mine}, which is not there" in reason


@pytest.mark.parametrize("state_is_rolling", [False, True], ids=["process", "rolling"])
def test_the_diff_of_a_plan_knows_what_the_start_says_of_the_files_of_a_store(state_is_rolling: bool, tmp_path: Path) -> None:
    def build(stream: Any, key: Any = STRING) -> Any:
        keyed = stream.key_by(lambda row: row[0], key)
        return (keyed.sum(1) if state_is_rolling else keyed.process(Narrow())).uid("states")

    settings = {
        "state__backend__type": "rocksdb", "execution__checkpointing__incremental": "true", "execution__checkpointing__interval": "20 ms",
        "execution__checkpointing__dir": f"file://{tmp_path}/points", "millstream__checkpoints__keep-finished": "true",
    }  # fmt: skip
    run(new_environment(**settings), [("a", 1), ("b", 2)], PAIR, build)
    (path,) = [str(place.parent) for place in (tmp_path / "points").glob("*/chk-*/_metadata")]
    names = ["rolling/records"] if state_is_rolling else ["keyed/count", "keyed/seen", "keyed/sums"]
    rocksdb = {"state__backend__type": "rocksdb"}
    kept = outcomes(new_environment(**rocksdb), path, PAIR, build)
    assert {kept[name] for name in names} == {("kept", "as it is")}
    assert not [name for name, (outcome, _) in kept.items() if outcome in ("lost", "rebuilt", "carried")], kept
    refused = outcomes(new_environment(), path, PAIR, build)
    assert {refused[name][0] for name in names} == {"refused"}
    with pytest.raises(MillstreamError) as caught:
        run(new_environment(path), [("a", 1)], PAIR, build)
    assert str(caught.value).partition("\n")[0].partition(" [operator")[0] in refused[names[0]][1]
    keys = outcomes(new_environment(**rocksdb), path, Types.TUPLE([Types.LONG(), Types.LONG()]), lambda stream: build(stream, Types.LONG()))
    assert {keys[name][0] for name in names} == {"refused"} and "STRING" in keys[names[0]][1] and "BIGINT" in keys[names[0]][1]
    if not state_is_rolling:
        assert keys["keyed/count"][1] == "its key is of the types [STRING] in the savepoint, and [BIGINT] in the job"


@pytest.mark.parametrize("part", ["count", "totals"])
def test_a_key_has_one_value_in_a_savepoint(part: str, tmp_path: Path) -> None:
    table = {"key0": ["a", "b", "a"], "map_key": [1, 1, 1], "map_value": [5, 6, 7]} if part == "totals" else {"key0": ["a", "b", "a"], "value": [5, 6, 7]}
    key = "key and map key ('a', 1) come" if part == "totals" else "key 'a' comes"
    with pytest.raises(InvalidArgumentError, match=re.escape(f"the {key} twice in the state 'keyed/{part}', in the rows 0 and 2")):
        state.SavepointWriter.new_savepoint().with_state("counts", part, pyarrow.table(table)).write(tmp_path / "twice")
    table["key0"][2] = "c"
    assert state.SavepointWriter.new_savepoint().with_state("counts", part, pyarrow.table(table)).write(tmp_path / "once")
    elements = pyarrow.table({"key0": ["a", "a"], "element": [1, 1]})
    assert state.SavepointWriter.new_savepoint().with_state("counts", "seen", elements).write(tmp_path / "list")


def test_python_objects_as_keys_come_once_too(tmp_path: Path) -> None:
    types = {"key0": Types.PICKLED_BYTE_ARRAY()}
    table = pyarrow.table({"key0": [1, 2, 1], "value": [5, 6, 7]})
    with pytest.raises(InvalidArgumentError, match="the key 1 comes twice in the state 'keyed/count', in the rows 0 and 2"):
        state.SavepointWriter.new_savepoint().with_state("counts", "count", table, types).write(tmp_path / "twice")


def test_the_states_of_an_operator_have_keys_of_one_type(tmp_path: Path) -> None:
    strings = pyarrow.table({"key0": ["a"], "value": [1]})
    numbers = pyarrow.table({"key0": [1], "value": [1]})
    base = state.SavepointWriter.new_savepoint().with_state("counts", "count", strings).write(tmp_path / "base")
    message = "keys of the state 'keyed/other' are given as BIGINT, and those of 'keyed/count' of the same operator are STRING"
    for writer in (state.SavepointWriter.new_savepoint().with_state("counts", "count", strings), state.SavepointWriter.from_existing_savepoint(base)):
        with pytest.raises(InvalidArgumentError, match=message):
            writer.with_state("counts", "other", numbers).write(tmp_path / "mixed")
    # Another operator, or another type for all that it has.
    assert state.SavepointWriter.from_existing_savepoint(base).with_state("others", "count", numbers).write(tmp_path / "two")
    assert state.SavepointWriter.from_existing_savepoint(base).with_state("counts", "count", strings).write(tmp_path / "same")


def test_a_path_without_a_savepoint_is_told_alike_everywhere(tmp_path: Path) -> None:
    place = str(tmp_path / "nowhere")
    message = f"there is no savepoint or checkpoint at '{place}': it has no file _metadata"
    for look in (
        lambda: state.read(place, "counts", "count"),
        lambda: state.describe(place),
        lambda: state.manifest(place),
        lambda: state.SavepointWriter.from_existing_savepoint(place).write(tmp_path / "new"),
        lambda: outcomes(new_environment(), place, PAIR, ordering),
        lambda: run(new_environment(place), [("a", 2)], PAIR, ordering),
    ):
        with pytest.raises(InputOutputError) as caught:
            look()
        assert message in str(caught.value) and "Name the directory of one" in str(caught.value)


ROW = Types.ROW_NAMED(["key", "n"], [Types.STRING(), Types.INT()])
WIDER_ROW = Types.ROW_NAMED(["n", "note", "key"], [Types.LONG(), Types.STRING(), Types.STRING()])
NARROW_ROW = Types.ROW_NAMED(["key", "n"], [Types.STRING(), Types.SHORT()])
RENAMED_ROW = Types.ROW_NAMED(["key", "m"], [Types.STRING(), Types.INT()])


BACKENDS: list[Any] = [pytest.param({"state__backend__type": name}, id=name) for name in ("hashmap", "rocksdb")]


@pytest.mark.parametrize("backend", BACKENDS)
def test_rows_of_rolling_operators_evolve(backend: dict[str, str], tmp_path: Path) -> None:
    from millstream.common import Row

    def rolling(stream: Any) -> Any:
        return stream.key_by("key").max_by("n").uid("max")

    path = save(new_environment(**backend), [Row(key="a", n=5), Row(key="b", n=6)], ROW, rolling, tmp_path)
    rows = [Row(n=4, note="new", key="a"), Row(n=7, note="newer", key="b")]
    found = run(new_environment(path, **backend), rows, WIDER_ROW, rolling)
    assert sorted(map(repr, found)) == sorted(map(repr, [Row(n=5, note=None, key="a"), Row(n=7, note="newer", key="b")]))
    env = new_environment(**backend)
    rolling(env.from_collection(rows, WIDER_ROW).uid("rows")).add_sink(print).uid("out")
    (entry,) = [entry for entry in env.plan_diff(path) if entry.states == ("rolling/records",)]
    assert entry.outcome == "migrated"
    assert entry.reason == "'record.n' was INT, and is BIGINT; 'record.note' STRING is new, and null; the fields stand in another order"
    for kind, row, text in ((NARROW_ROW, Row(key="a", n=1), "record.n.*INT.*SMALLINT"), (RENAMED_ROW, Row(key="a", m=1), "'record.n' of type INT is called")):
        with pytest.raises(MillstreamError, match=text):
            run(new_environment(path, **backend), [row], kind, lambda stream: stream.key_by("key").max_by(1).uid("max"))


class Elements(ProcessWindowFunction):
    def process(self, key: Any, context: Any, elements: Any) -> Iterator[Any]:
        yield repr(sorted(elements, key=repr))


class Total(ReduceFunction):
    def reduce(self, value1: Any, value2: Any) -> Any:
        return type(value1)(**{**value1.as_dict(), "n": value1["n"] + value2["n"]})


def by_key(stream: Any) -> Any:
    return stream.key_by(lambda row: row["key"], Types.STRING())


KEPT_ROWS: dict[str, Callable[[Any], Any]] = {
    "reduce": lambda stream: by_key(stream).reduce(Total()).uid("op").map(repr),
    "elements": lambda stream: by_key(stream).window(EventTimeSessionWindows.with_gap(Time.days(1_000))).process(Elements()).uid("op"),
    "count elements": lambda stream: by_key(stream).count_window(3).process(Elements()).uid("op"),
}
TOLD = {
    "reduce": ["Row(n=1, note=None, key='a')", "Row(n=6, note=None, key='a')", "Row(n=13, note=None, key='a')"],
    "elements": ["[Row(n=1, note=None, key='a'), Row(n=5, note='x', key='a'), Row(n=7, note='y', key='a')]"],
}
TOLD["count elements"] = TOLD["elements"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", KEPT_ROWS)
def test_rows_of_windows_and_reductions_evolve(name: str, backend: dict[str, str], tmp_path: Path) -> None:
    from millstream.common import Duration, Row, WatermarkStrategy

    def timed(stream: Any) -> Any:
        class Always(TimestampAssigner):
            def extract_timestamp(self, value: Any, record_timestamp: int) -> int:
                return 1_000

        watermarks = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_days(1)).with_timestamp_assigner(Always())
        return stream.assign_timestamps_and_watermarks(watermarks).uid("time").set_parallelism(1)

    # What is taken is seen beside the window, which gives nothing yet.
    def both(stream: Any) -> Any:
        return stream.map(repr).uid("seen").union(KEPT_ROWS[name](timed(stream)).filter(lambda _: False).uid("none"))

    path = save(new_environment(**backend), [Row(key="a", n=1)], ROW, both, tmp_path)
    rows = [Row(n=5, note="x", key="a"), Row(n=7, note="y", key="a")]
    found = run(new_environment(path, **backend), rows, WIDER_ROW, lambda stream: KEPT_ROWS[name](timed(stream)))
    assert found == TOLD[name][-len(found) :] and found
    with pytest.raises(MillstreamError, match="'n' of type INT NOT NULL|n' of type INT is called|.n' is of type INT in the checkpoint"):
        run(new_environment(path, **backend), [Row(key="a", n=1)], NARROW_ROW, lambda stream: KEPT_ROWS[name](timed(stream)))


# ---- Pickles ----


@dataclasses.dataclass
class Order:
    """A class of the program."""

    number: int


class Orders(KeyedProcessFunction):
    def open(self, runtime_context: Any) -> None:
        self.last = runtime_context.get_state(ValueStateDescriptor("last", Types.PICKLED_BYTE_ARRAY()))

    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        before = self.last.value()
        self.last.update(Order(value[1]))
        yield (value[0], None if before is None else before.number)


def ordering(stream: Any) -> Any:
    return stream.key_by(lambda row: row[0], Types.STRING()).process(Orders()).uid("orders")


def test_pickles_are_refused_before_one_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from millstream import pickled_values

    monkeypatch.setattr(pickled_values, "_allowed", set())
    path = save(new_environment(), [("a", 1)], PAIR, ordering, tmp_path)
    mine = f"{Order.__module__}.{Order.__qualname__}"
    properties = state.manifest(path).properties
    assert properties["objects/orders/keyed/last"].splitlines() == ["pickle", mine]
    assert properties["host.python"].count(".") == 2 and properties["host.byte-order"] == sys.byteorder
    read: list[Any] = []
    monkeypatch.setattr(pickled_values, "decode", lambda data: read.append(data))
    with pytest.raises(UnsupportedError, match=f"'keyed/last'.*'orders'.*{mine}.*not allowed"):
        run(new_environment(path), [("a", 2)], PAIR, ordering)
    assert read == []
    monkeypatch.undo()
    monkeypatch.setattr(pickled_values, "_allowed", set())
    assert run(new_environment(path, **{"state__pickle__allowed": mine}), [("a", 2)], PAIR, ordering) == [("a", 1)]
    monkeypatch.delattr(sys.modules[Order.__module__], "Order")
    with pytest.raises(UnsupportedError, match=f"a value of {mine}, which is not there"):
        run(new_environment(path, **{"state__pickle__allowed": mine}), [("a", 2)], PAIR, ordering)


def test_pickles_of_another_python_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import platform

    path = save(new_environment(), [("a", 1)], PAIR, ordering, tmp_path)
    allowed = {"state__pickle__allowed": f"{Order.__module__}.Order"}
    monkeypatch.setattr(platform, "python_version", lambda: "4.7.1")
    with pytest.raises(UnsupportedError, match="Python 3.*, and this is 4.7"):
        run(new_environment(path, **allowed), [("a", 2)], PAIR, ordering)
    assert run(new_environment(path, **allowed, **{"state__pickle__other-python-allowed": "true"}), [("a", 2)], PAIR, ordering) == [("a", 1)]


# ---- COMMIT_UNKNOWN ----


class Ledger(TwoPhaseCommittingSink):
    """Commits into a file, a line for each committable; of the first one with 13 in it, it says that it does not know."""

    def __init__(self, folder: Path, lies: bool) -> None:
        super().__init__()
        self.folder, self.lies = folder, lies

    def create_writer(self, context: Any) -> CommittingSinkWriter:
        class Writer(CommittingSinkWriter):
            values: ClassVar[list[int]] = []

            def __init__(self) -> None:
                self.own: list[int] = []

            def write(self, values: list[Any]) -> None:
                self.own += values

            def prepare_commit(self) -> list[Any]:
                prepared, self.own = [self.own] if self.own else [], []
                return prepared

        return Writer()

    def create_committer(self) -> Committer:
        folder, lies = self.folder, self.lies

        class Files(Committer):
            def commit(self, committables: list[Any]) -> Any:
                answers = []
                for values in committables:
                    mark = folder / "unknown"
                    if 13 in values and not mark.exists():
                        mark.touch()
                        if not lies:
                            self.put(values)
                        answers.append(CommitOutcome.UNKNOWN.because("the reply was lost"))
                    else:
                        self.put(values)
                        answers.append(CommitOutcome.COMMITTED)
                return answers

            def put(self, values: list[int]) -> None:
                """Not idempotent, so that a second commit shows."""
                with open(folder / "rows", "a") as file:
                    file.write("".join(f"{value}\n" for value in values))

        return Files()


class Turn(KeyedProcessFunction):
    """Gives each number on if it is the next one of its key."""

    def open(self, runtime_context: RuntimeContext) -> None:
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))

    def process_element(self, value: int, ctx: KeyedProcessFunction.Context) -> Any:
        time.sleep(0.002)
        count = self.count.value() or 0
        self.count.update(count + 1)
        yield value if count == value // 7 else -1


@pytest.mark.parametrize("was_visible", [True, False])
@pytest.mark.parametrize("backend", ["hashmap", "rocksdb"])
def test_an_unknown_commit_is_resolved_and_the_job_goes_on_exactly_once(backend: str, was_visible: bool, tmp_path: Path) -> None:
    def build(path: str | None) -> StreamExecutionEnvironment:
        env = new_environment(path, 1)
        env.enable_checkpointing(20)
        env.configure({"execution.checkpointing.dir": str(tmp_path / "checkpoints"), "millstream.batch.rows": "4"})
        env.configure({"state.backend.type": backend, "execution.checkpointing.incremental": "true"})
        env.set_restart_strategy(RestartStrategies.fixed_delay_restart(5, 10))
        numbers = env.from_collection(list(range(200)), Types.LONG()).uid("numbers")
        slow = numbers.key_by(lambda n: n % 7, Types.LONG()).process(Turn(), Types.LONG()).uid("slow")
        slow.sink_to(Ledger(tmp_path, lies=not was_visible)).uid("ledger")
        return env

    client = build(None).execute_async("unknown")
    with pytest.raises(CommitUnknownError, match="the reply was lost") as caught:
        client.get_job_execution_result().result()
    assert len(client.failures()) == 1, "no restart tries by itself"
    text = str(caught.value)
    (path,) = [word.strip("'`:") for word in text.split("'") if "/chk-" in word and " " not in word]
    assert "millstream savepoint commits" in text
    found = state.commits(path)
    (unknown,) = [entry for entry in found if 13 in json.loads(entry.description)]
    assert (unknown.uid, unknown.subtask) == ("ledger", 0)
    if backend == "rocksdb":
        assert list(Path(path).parent.glob("shared/*"))
        with pytest.raises(UnsupportedError, match="in files of a store.*\n.*Take a savepoint"):
            state.read(path, "slow", "count")
    listed = subprocess.run([sys.executable, "-m", "millstream", "savepoint", "commits", path], capture_output=True, text=True, timeout=60, check=True)
    assert unknown.id in listed.stdout and unknown.description in listed.stdout
    # Whoever starts it again, as a loop around --ha-dir does, decides nothing by that.
    for _ in range(2):
        with pytest.raises(CommitUnknownError, match="nobody has decided yet.*the reply was lost(.|\n)*savepoint resolve"):
            build(path).execute("unknown")
    files = {file: file.read_bytes() for file in Path(path).iterdir()}
    decision = "--committed" if was_visible else "--retry"
    done = subprocess.run(
        [sys.executable, "-m", "millstream", "savepoint", "resolve", path, decision, unknown.id], capture_output=True, text=True, timeout=60, check=True
    )
    resolved = done.stdout.split()[0]
    assert resolved != path and {file: file.read_bytes() for file in Path(path).iterdir()} == files
    assert (unknown.id in [entry.id for entry in state.commits(resolved)]) is not was_visible
    assert state.manifest(resolved).properties[f"resolved/{unknown.id}"].startswith(decision.removeprefix("--") + ": ")
    # It needs nothing of what it was made of.
    shutil.rmtree(Path(path).parent / "shared", ignore_errors=True)
    build(resolved).execute("unknown")
    rows = [int(line) for line in (tmp_path / "rows").read_text().split()]
    assert sorted(rows) == list(range(200))


def test_what_cannot_be_resolved_is_told(tmp_path: Path) -> None:
    path = save(new_environment(), [("a", 1)], PAIR, counting(), tmp_path)
    assert state.commits(path) == []
    with pytest.raises(InvalidArgumentError, match="no result 'abc'"):
        state.resolve(path, committed=["abc"], output=tmp_path / "x")
    with pytest.raises(ValueError, match="two things"):
        state.resolve(path, committed=["abc"], aborted=["abc"])


# ---- The command ----


def test_the_command(tmp_path: Path) -> None:
    path = bootstrapped(tmp_path, 3)

    def command(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "millstream", *arguments], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path, **more)

    told = command("savepoint", "describe", path)
    assert told.returncode == 0 and "keyed/count: 3 rows of key0 STRING NOT NULL, value BIGINT NOT NULL" in told.stdout
    assert json.loads(command("savepoint", "describe", "--json", path).stdout)["operators"][0]["uid"] == "count"
    assert command("savepoint", "commits", path).stdout == "there are no results to commit\n"
    missing = command("savepoint", "describe", "/nowhere")
    assert missing.returncode == 1 and "/nowhere" in missing.stderr
    script = tmp_path / "job.py"
    script.write_text(
        "from pyflink.common import Types\nfrom pyflink.datastream import *\n"
        "env = StreamExecutionEnvironment.get_execution_environment()\n"
        "pairs = env.from_collection([('a', 1)], Types.TUPLE([Types.STRING(), Types.LONG()]))\n"
        "pairs.key_by(lambda p: p[0], Types.STRING()).reduce(lambda a, b: a).uid('sums').print()\n"
        "env.execute('dry')\nprint('it ran')\n"
    )
    dry = command("run", "-s", os.path.relpath(path, tmp_path), "--dry-run", str(script))
    assert dry.returncode == 1 and "it ran" not in dry.stdout
    assert "job 'dry' from" in dry.stdout and "rebuilt" in dry.stdout and "refused" in dry.stdout
    allowed = command("run", "-n", "-s", path, "--dry-run", str(script))
    assert allowed.returncode == 0 and "lost" in allowed.stdout
    assert "goes with -s" in command("run", "--dry-run", str(script)).stderr


@pytest.mark.parametrize(("builds", "parallelism"), [("the same", 1), ("the same", 2), ("without the last map", 1), ("without the last map", 3)])
def test_operators_without_state_may_be_joined_or_go(builds: str, parallelism: int, tmp_path: Path) -> None:
    """At another parallelism a map stands in the chain before it, or alone; its progress in a savepoint is no state that could be lost."""

    def build(env: StreamExecutionEnvironment, taken: list[int], pause: float, has_last: bool) -> None:
        def pair(n: int) -> tuple[int, int]:
            if pause and n < 2_000 and n % 100 == 0:
                time.sleep(pause)
            return n % 7, n

        numbers = env.from_source(NumberSequenceSource(0, 800_000)).uid("numbers").rebalance().map(pair, Types.TUPLE([Types.LONG(), Types.LONG()])).uid("pairs")
        sums = numbers.key_by(lambda pair: pair[0], Types.LONG()).reduce(lambda a, b: (a[0], a[1] + b[1])).uid("sums")
        stream = sums.map(lambda pair: pair[1], Types.LONG()).uid("values").set_parallelism(1)
        if has_last:
            stream = stream.map(lambda n: n, Types.LONG()).uid("last").set_parallelism(1)
        stream.add_sink(taken.append).set_parallelism(1).uid("out")

    env = new_environment(parallelism=2, execution__checkpointing__interval="1 h")
    build(env, [], 0.01, has_last=True)
    client = env.execute_async("a job")
    path = client.stop_with_savepoint(False, str(tmp_path)).result()
    client.wait()
    taken: list[int] = []
    env = new_environment(path, parallelism, execution__checkpointing__interval="1 h")
    build(env, taken, 0, has_last=builds == "the same")
    assert not [entry for entry in env.plan_diff(path) if entry.outcome in ("lost", "refused")]
    env.execute("a job")
    assert taken and max(taken) == max(sum(range(key, 800_001, 7)) for key in range(7))
