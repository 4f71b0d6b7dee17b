"""Sinks that commit, in jobs without checkpoints and by hand: snapshots, failures, restarts at other parallelisms."""

from __future__ import annotations

import itertools
import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from millstream.common import Row, RowKind, Types
from millstream.datastream import StreamExecutionEnvironment
from millstream.datastream.connectors.plain_values import decode, encode
from millstream.datastream.connectors.sqlite import SqliteSink, SqliteUpsertSink
from millstream.datastream.connectors.two_phase_commit import (
    CommitAnswer,
    CommitOutcome,
    Committer,
    CommittingSinkWriter,
    SinkContext,
    TwoPhaseCommittingSink,
    _Subtask,
)
from millstream.exceptions import CommitUnknownError, ConfigurationError, InputOutputError, InvalidStateError, UnsupportedError

PAIRS = Types.TUPLE([Types.LONG(), Types.STRING()])


class Writer(CommittingSinkWriter):
    def __init__(self) -> None:
        self.values: list[Any] = []

    def write(self, values: list[Any]) -> None:
        self.values += values

    def prepare_commit(self) -> list[Any]:
        prepared, self.values = [self.values], []
        return prepared


class Answering(TwoPhaseCommittingSink):
    """Its committer gives the answers of a script, one call after the other, and notes what it was asked."""

    def __init__(self, script: Callable[[int, Any], Any]) -> None:
        super().__init__()
        self.script = script

    def create_writer(self, context: Any) -> CommittingSinkWriter:
        return Writer()

    def create_committer(self) -> Committer:
        script = self.script

        class Scripted(Committer):
            calls = 0

            def commit(self, committables: list[Any]) -> Any:
                Scripted.calls += 1
                return script(Scripted.calls, committables)

        return Scripted()


def run(env: StreamExecutionEnvironment, script: Callable[[int, Any], Any]) -> None:
    sink = env.from_collection([1, 2, 3], Types.LONG()).sink_to(Answering(script))
    sink.set_parallelism(1)
    env.execute()


def test_the_five_answers(env: StreamExecutionEnvironment) -> None:
    seen: list[Any] = []

    def remember(outcome: Any) -> Callable[[int, Any], Any]:
        return lambda call, committables: seen.append((call, committables)) or [outcome]  # type: ignore[func-returns-value]

    run(env, remember(CommitOutcome.COMMITTED))
    run(env, remember(CommitOutcome.ALREADY_COMMITTED))
    assert seen == [(1, [[1, 2, 3]])] * 2
    seen.clear()
    run(env, lambda call, committables: [CommitOutcome.RETRY if call < 4 else CommitOutcome.COMMITTED])
    with pytest.raises(InputOutputError, match="busy"):
        run(env, remember(CommitOutcome.RETRY.because("busy")))
    assert [call for call, _ in seen] == list(range(1, 11))
    with pytest.raises(InputOutputError, match="the table is gone"):
        run(env, lambda *_: [CommitOutcome.FAILED.because("the table is gone")])
    with pytest.raises(CommitUnknownError, match="COMMIT_UNKNOWN: .*1 result.*\\[1,2,3\\].*the reply was lost") as caught:
        run(env, lambda *_: [CommitAnswer(CommitOutcome.UNKNOWN, "the reply was lost")])
    assert caught.value.code == "COMMIT_UNKNOWN"
    with pytest.raises(ZeroDivisionError):
        run(env, lambda *_: [1 // 0])
    for wrong in ([], [CommitOutcome.COMMITTED] * 2, [True], ["COMMITTED"], None):
        with pytest.raises(TypeError):
            run(env, lambda *_, wrong=wrong: wrong)  # type: ignore[misc]


@pytest.mark.parametrize("has_checkpoints", [False, True])
def test_a_commit_is_tried_again_after_a_pause_and_the_job_waits_for_it(has_checkpoints: bool, env: StreamExecutionEnvironment) -> None:
    times: list[float] = []

    def busy(call: int, committables: list[Any]) -> list[CommitOutcome]:
        times.append(time.monotonic())
        return [CommitOutcome.RETRY if len(times) < 5 else CommitOutcome.COMMITTED]

    if has_checkpoints:
        env.enable_checkpointing(60_000)
    run(env, busy)
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(pauses) == 4 and all(pause >= least for pause, least in zip(pauses, (0.009, 0.019, 0.039, 0.079), strict=True)), pauses


def test_what_a_committable_is_made_of(env: StreamExecutionEnvironment) -> None:
    values = [None, True, 1 << 80, 0.1, float("inf"), "é\ud800", b"\0\xff", (1, (2,)), [], {"a": {"$tuple": 1}}, {1: {(2, "x"): b""}}]
    for value in values:
        assert decode(encode(value, "x")) == value
        assert type(decode(encode(value, "x"))) is type(value)
    deep: Any = []
    for _ in range(100):
        deep = [deep]
    for bad in (object(), {1, 2}, Row(1), deep, [object]):
        with pytest.raises(TypeError, match="a committable"):
            encode(bad, "a committable")


# ---- SQLite ----


def table_of(path: Path, text: str = "create table t (n integer, word text)") -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(text)
    return connection


@pytest.mark.parametrize("parallelism", [1, 3])
def test_a_job_into_sqlite(env: StreamExecutionEnvironment, tmp_path: Path, parallelism: int) -> None:
    connection = table_of(tmp_path / "a.db")
    rows = [(number, f"word {number}") for number in range(5_000)]
    env.from_collection(rows, PAIRS).rebalance().sink_to(SqliteSink(tmp_path / "a.db", "t")).set_parallelism(parallelism)
    env.execute()
    assert sorted(connection.execute("select * from t").fetchall()) == rows
    assert connection.execute("select count(*) from t__staged").fetchone() == (0,)
    assert connection.execute("select sum(row_count), count(*) from millstream_commits").fetchone() == (5_000, parallelism)


def test_nothing_of_a_failed_job_is_seen(env: StreamExecutionEnvironment, tmp_path: Path) -> None:
    connection = table_of(tmp_path / "a.db")

    def fail(row: Any) -> Any:
        if row[0] == 4_000:
            raise ValueError("no more")
        return row

    env.from_collection([(number, "x") for number in range(5_000)], PAIRS).map(fail, PAIRS).sink_to(SqliteSink(tmp_path / "a.db", "t"))
    with pytest.raises(ValueError, match="no more"):
        env.execute()
    assert connection.execute("select count(*) from t").fetchone() == (0,)


class Checkpoint:
    """What a durable checkpoint holds of a sink: the state and the committables of each subtask."""

    def __init__(self, next_row: int) -> None:
        self.next_row = next_row
        self.states: list[bytes | None] = []
        self.committables: list[list[bytes]] = []


class Context(SinkContext):
    def __init__(self, index: int, parallelism: int, sink_id: str) -> None:
        self._index, self._parallelism, self.sink_id = index, parallelism, sink_id


def start(sink: TwoPhaseCommittingSink, parallelism: int, checkpoint: Checkpoint | None, job: str = "job") -> list[_Subtask]:
    """Subtasks as the engine runs them: opened, restored, and the checkpoint's committables committed, before the first row."""
    subtasks = [_Subtask(sink, None, "sink", job) for _ in range(parallelism)]
    for index, subtask in enumerate(subtasks):
        subtask._writer = sink.create_writer(Context(index, parallelism, job))
        if checkpoint is not None:
            mine = range(index, len(checkpoint.states), parallelism)
            for former in mine:
                subtask.restore(0, checkpoint.states[former])
            held = [payload for former in mine for payload in checkpoint.committables[former]]
            assert all(outcome in (0, 1) for outcome, _ in subtask.commit(held))
    return subtasks


@pytest.mark.parametrize("seed", range(60))
def test_each_row_is_in_the_table_once(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    connection = table_of(tmp_path / "a.db")
    sink = SqliteSink(tmp_path / "a.db", "t")
    total = draw.randrange(1, 120)
    durable: Checkpoint | None = None
    for attempt in range(60):
        parallelism = draw.randint(1, 3)
        subtasks = start(sink, parallelism, durable)
        row = durable.next_row if durable else 0
        held: list[list[bytes]] = [[] for _ in subtasks]
        crashed = done = False
        while not crashed and not done:
            action = draw.random()
            if action < 0.5 and row < total:
                count = min(draw.randint(1, 9), total - row)
                subtasks[row % parallelism].write([(number, f"w{number}") for number in range(row, row + count)])
                row += count
            elif action < 0.8:
                checkpoint = Checkpoint(row)
                for index, subtask in enumerate(subtasks):
                    held[index] += subtask.flush(False)
                    checkpoint.states.append(subtask.snapshot())
                    checkpoint.committables.append(list(held[index]))
                if draw.random() < 0.3:
                    continue  # Given up: what it has belongs to the next one.
                durable = checkpoint
                # Some subtasks may not come to their commits.
                told = parallelism if draw.random() < 0.7 else draw.randrange(parallelism)
                for index in range(told):
                    assert all(outcome == 0 for outcome, _ in subtasks[index].commit(held[index]))
                    held[index] = []
                crashed = told < parallelism
                done = not crashed and row == total
            elif attempt < 55 and action > 0.93:
                crashed = True
        for subtask in subtasks:
            subtask.close()
        rows = connection.execute("select n from t").fetchall()
        assert len(set(rows)) == len(rows), "committed twice"
        if done:
            break
    assert sorted(connection.execute("select * from t").fetchall()) == [(number, f"w{number}") for number in range(total)]
    # A subtask that comes to rows again takes away what crashed runs staged, at whatever parallelism, whether they came to a checkpoint or not.
    for index, subtask in enumerate(start(sink, 2, durable)):
        subtask.write([(index, "more")])
        subtask.flush(False)
        subtask.close()
    assert connection.execute("select count(*), count(distinct millstream_writer) from t__staged").fetchone() == (2, 2)
    assert connection.execute("select count(*) from millstream_writers").fetchone() == (2,)


def test_an_older_checkpoint_than_the_last_commit_is_refused(tmp_path: Path) -> None:
    connection = table_of(tmp_path / "a.db")
    sink = SqliteSink(tmp_path / "a.db", "t")
    (subtask,) = start(sink, 1, None)
    checkpoints = []
    for number in range(3):
        subtask.write([(number, "x")])
        checkpoint = Checkpoint(number + 1)
        checkpoint.committables = [subtask.flush(False)]
        checkpoint.states = [subtask.snapshot()]
        checkpoints.append(checkpoint)
        assert subtask.commit(checkpoint.committables[0]) == [(0, None)]
    subtask.close()
    with pytest.raises(InvalidStateError, match="committed after this checkpoint"):
        start(sink, 1, checkpoints[1])
    (again,) = start(sink, 1, checkpoints[2])
    assert again.commit(checkpoints[2].committables[0]) == [(1, None)]
    assert connection.execute("select n from t").fetchall() == [(0,), (1,), (2,)]


def test_what_a_crashed_run_staged_is_removed(tmp_path: Path) -> None:
    connection = table_of(tmp_path / "a.db")
    sink = SqliteSink(tmp_path / "a.db", "t")
    (subtask,) = start(sink, 1, None)
    checkpoint = Checkpoint(0)
    checkpoint.committables, checkpoint.states = [subtask.flush(False)], [subtask.snapshot()]
    (other,) = start(sink, 1, None, "another job")
    other.write([(7, "another job's")])
    (theirs,) = other.flush(False)
    for _ in range(3):
        (crashing,) = start(sink, 1, checkpoint)
        crashing.write([(1, "lost")])
        crashing.flush(False)
    assert connection.execute("select count(*) from t__staged").fetchone() == (2,)
    assert other.commit([theirs]) == [(0, None)]
    assert connection.execute("select * from t").fetchall() == [(7, "another job's")]


def test_outcomes_of_a_database_that_is_in_the_way(tmp_path: Path) -> None:
    connection = table_of(tmp_path / "a.db", "create table t (n integer primary key, word text)")
    sink = SqliteSink(tmp_path / "a.db", "t", busy_timeout_millis=10)
    (subtask,) = start(sink, 1, None)
    subtask.write([(1, "a"), (2, "b")])
    committables = subtask.flush(False)
    connection.execute("begin immediate")
    ((outcome, reason),) = subtask.commit(committables)
    assert CommitOutcome(outcome) is CommitOutcome.RETRY and "locked" in str(reason)
    connection.execute("insert into t values (2, 'taken')")
    connection.execute("commit")
    ((outcome, reason),) = subtask.commit(committables)
    assert CommitOutcome(outcome) is CommitOutcome.FAILED and "UNIQUE" in str(reason)
    assert connection.execute("select * from t").fetchall() == [(2, "taken")]
    connection.execute("delete from t__staged")
    ((outcome, reason),) = subtask.commit(committables)
    assert CommitOutcome(outcome) is CommitOutcome.FAILED and "0 of 2 rows" in str(reason)
    connection.execute("drop table t__staged")
    ((outcome, reason),) = subtask.commit(committables)
    assert CommitOutcome(outcome) is CommitOutcome.FAILED and "'t__staged'" in str(reason)


def test_columns_and_values(env: StreamExecutionEnvironment, tmp_path: Path) -> None:
    connection = table_of(tmp_path / "a.db", 'create table "odd ""name" (a integer, "b c" text default \'x\')')
    sink = SqliteSink(tmp_path / "a.db", 'odd "name', ["b c"])
    env.from_collection(["p", "q"], Types.STRING()).sink_to(sink).set_parallelism(1)
    env.execute()
    assert connection.execute('select * from "odd ""name"').fetchall() == [(None, "p"), (None, "q")]
    (subtask,) = start(SqliteSink(tmp_path / "a.db", 'odd "name', ["b c"]), 1, None)
    subtask.write([{"b c": "r"}, Row("s"), ("t",)])
    subtask.commit(subtask.flush(True))
    assert connection.execute('select "b c" from "odd ""name"').fetchall()[2:] == [("r",), ("s",), ("t",)]
    for wrong in ({"b": 1}, (1, 2), Row()):
        with pytest.raises(TypeError):
            subtask.write([wrong])
    with pytest.raises(UnsupportedError, match="retractions"):
        subtask.write([Row.of_kind(RowKind.DELETE, "s")])
    with pytest.raises(ConfigurationError, match="no table 'missing'"):
        start(SqliteSink(tmp_path / "a.db", "missing"), 1, None)
    with pytest.raises(ConfigurationError, match="no column 'z'"):
        start(SqliteSink(tmp_path / "a.db", 'odd "name', ["z"]), 1, None)
    with pytest.raises(InvalidStateError, match="another sink"):
        start(SqliteSink(tmp_path / "a.db", 'odd "name'), 1, None)
    with pytest.raises(InputOutputError, match="cannot open"):
        start(SqliteSink(tmp_path / "no" / "a.db", "t"), 1, None)
    with pytest.raises(ConfigurationError, match="in memory"):
        SqliteSink(":memory:", "t")


@pytest.mark.parametrize("seed", range(20))
def test_upserts_are_the_same_twice(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    connection = table_of(tmp_path / "a.db", "create table t (k integer, n integer, primary key (k))")
    changes: list[Row] = []
    expected: dict[int | None, int] = {}
    for number in range(300):
        key = draw.randrange(20)
        if draw.random() < 0.2:
            changes += [Row.of_kind(RowKind.UPDATE_BEFORE, key, expected.get(key)), Row.of_kind(RowKind.DELETE, key, number)]
            expected.pop(key, None)
        else:
            changes.append(Row.of_kind(draw.choice([RowKind.INSERT, RowKind.UPDATE_AFTER]), key, number))
            expected[key] = number
    position = 0
    for _ in range(30):
        sink = SqliteUpsertSink(tmp_path / "a.db", "t", ["k"])
        sink.open(None)  # type: ignore[arg-type]
        row = position
        while row < len(changes):
            count = draw.randint(1, 40)
            sink.write(changes[row : row + count])
            row += count
            if draw.random() < 0.3:
                sink.flush(False)
                position = min(row, len(changes))
            if draw.random() < 0.1:
                break
        else:
            sink.flush(True)
            break
        sink.close()
    else:
        pytest.skip("never came to the end")
    assert dict(connection.execute("select k, n from t").fetchall()) == expected


def test_an_upsert_job(env: StreamExecutionEnvironment, tmp_path: Path) -> None:
    connection = table_of(tmp_path / "a.db", "create table t (n integer, word text unique)")
    rows = [(number, f"w{number % 50}") for number in range(3_000)]
    env.from_collection(rows, PAIRS).sink_to(SqliteUpsertSink(tmp_path / "a.db", "t", ["word"])).set_parallelism(1)
    env.execute()
    assert sorted(connection.execute("select n, word from t").fetchall()) == [(2_950 + number, f"w{number}") for number in range(50)]
    env.from_collection(rows, PAIRS).sink_to(SqliteUpsertSink(tmp_path / "a.db", "t", ["missing"]))
    with pytest.raises(ConfigurationError, match="the key's column 'missing'"):
        env.execute()


@pytest.mark.parametrize(
    ("made", "keys", "is_found"),
    [
        ("create table t (n integer, word text unique)", ["word"], True),
        ("create table t (n integer, word text, primary key (word, n))", ["n", "word"], True),
        ("create table t (word text primary key, n integer) without rowid", ["word"], True),
        ("create table t (word integer primary key, n integer)", ["word"], True),
        ("create table t (n integer, word text); create unique index i on t (word)", ["word"], True),
        ("create table t (n integer, word text)", ["word"], False),
        ("create table t (n integer, word text); create index i on t (word)", ["word"], False),
        ("create table t (n integer, word text); create unique index i on t (word) where n > 1", ["word"], False),
        ("create table t (n integer, word text); create unique index i on t (lower(word))", ["word"], False),
        ("create table t (n integer, word text, primary key (word, n))", ["word"], False),
        ("create table t (n integer, word text unique)", ["word", "n"], False),
    ],
)
def test_an_upsert_needs_a_unique_key(made: str, keys: list[str], is_found: bool, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "a.db")
    connection.executescript(made)
    sink = SqliteUpsertSink(tmp_path / "a.db", "t", keys)
    if not is_found:
        with pytest.raises(ConfigurationError, match="the table 't' has neither a primary key nor a unique index of the column") as caught:
            sink.open(None)  # type: ignore[arg-type]
        # What it says to do is what helps.
        connection.executescript(str(caught.value).partition("hint: ")[2])
    sink.open(None)  # type: ignore[arg-type]
    sink.write([(1, "1"), (1, "1")])
    sink.flush(True)
    sink.close()
    assert connection.execute("select count(*) from t").fetchone() == (1,)
