"""Tables of SQLite databases as sinks: exactly once by transactions, or by key."""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from millstream._tracebacks import guard
from millstream.common.types import Row, RowKind
from millstream.datastream.connectors.python import PythonSink
from millstream.datastream.connectors.two_phase_commit import (
    CommitAnswer,
    CommitOutcome,
    Committer,
    CommittingSinkWriter,
    SinkContext,
    TwoPhaseCommittingSink,
)
from millstream.datastream.functions import RuntimeContext
from millstream.exceptions import ConfigurationError, InputOutputError, InvalidStateError, UnsupportedError

__all__ = ["SqliteSink", "SqliteUpsertSink"]

#: Rows are given to the database in pieces of so many.
_PIECE = 1_000
#: How many commits of a writer are remembered. A checkpoint holds those of its own, and of the ones before it that were given up.
_REMEMBERED = 1_000
_COMMITS = "millstream_commits"
#: Who has staged rows, by sink and subtask: what a run left that came to no checkpoint is found by it.
_WRITERS = "millstream_writers"


class SqliteSink(TwoPhaseCommittingSink):
    """Inserts rows into a table of an SQLite database, each exactly once.

    Rows are staged in the table ``<table>__staged`` of the same database, and moved when their checkpoint is complete; the table
    ``millstream_commits`` remembers what was moved, in the same transaction, so that a commit that is repeated after a failure does nothing, and
    ``millstream_writers`` who staged rows, so that what a crash left is removed. They are made where they are not there. Readers see whole
    checkpoints.

    A value is a ``Row`` or tuple with one field per column, a dict by column, or for a single column the bare value.

    >>> import sqlite3, tempfile
    >>> from millstream.common import Types
    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> path = tempfile.mkdtemp() + "/flights.db"
    >>> connection = sqlite3.connect(path)
    >>> _ = connection.execute("create table delays (flight text, minutes integer)")
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> stream = env.from_collection([("LH1", 4), ("BA2", 0)], Types.TUPLE([Types.STRING(), Types.LONG()]))
    >>> sink = stream.sink_to(SqliteSink(path, "delays"))
    >>> result = env.execute()
    >>> connection.execute("select * from delays").fetchall()
    [('LH1', 4), ('BA2', 0)]
    """

    name = "SQLite sink"

    def __init__(self, database: str | os.PathLike[str], table: str, columns: Sequence[str] | None = None, busy_timeout_millis: int = 30_000) -> None:
        """``columns``: those that the values' fields are for, in their order; ``None``: all of the table's. ``busy_timeout_millis``: how long to
        wait for other writers of the database."""
        super().__init__()
        self._table = _Table(database, table, columns, busy_timeout_millis)

    def create_writer(self, context: RuntimeContext) -> CommittingSinkWriter:
        return _StagingWriter(self._table, context)

    def create_committer(self) -> Committer:
        return _Mover(self._table)


class SqliteUpsertSink(PythonSink):
    """Puts rows into a table of an SQLite database by their key: a row takes the place of the one with its key.

    What is written twice after a failure is the same as once, so that the table is right after recovery; while rows are replayed, readers may see
    older ones again. Rows of the kind ``-D`` are deleted, ``-U`` does nothing. The table needs a primary key or a unique index of the key's
    columns.

    >>> import sqlite3, tempfile
    >>> from millstream.common import Types
    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> path = tempfile.mkdtemp() + "/counts.db"
    >>> connection = sqlite3.connect(path)
    >>> _ = connection.execute("create table counts (word text primary key, n integer)")
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> stream = env.from_collection([("to", 1), ("be", 1), ("to", 2)], Types.TUPLE([Types.STRING(), Types.LONG()]))
    >>> sink = stream.sink_to(SqliteUpsertSink(path, "counts", ["word"]))
    >>> result = env.execute()
    >>> connection.execute("select * from counts order by word").fetchall()
    [('be', 1), ('to', 2)]
    """

    name = "SQLite upsert sink"

    def __init__(
        self,
        database: str | os.PathLike[str],
        table: str,
        key_columns: Sequence[str],
        columns: Sequence[str] | None = None,
        busy_timeout_millis: int = 30_000,
    ) -> None:
        """``key_columns``: those of the primary key or of a unique index. The others as in :class:`SqliteSink`."""
        self._table = _Table(database, table, columns, busy_timeout_millis)
        self._keys = [key_columns] if isinstance(key_columns, str) else list(key_columns)
        if not self._keys:
            raise ConfigurationError("an upsert sink needs the columns of a key")
        self._connection: sqlite3.Connection | None = None
        self._changes: list[tuple[bool, tuple[Any, ...]]] = []
        self._put = self._delete = ""
        self._key_places: list[int] = []

    def open(self, runtime_context: RuntimeContext) -> None:
        """Connects to the database, and checks that the columns are there, and that a row of the table can be found by its key.

        Raises ``ConfigurationError`` if not.
        """
        self._connection = self._table.connect()
        columns = self._table.columns(self._connection)
        for key in self._keys:
            if key not in columns:
                raise ConfigurationError(f"the key's column {key!r} is not one of {columns}")
        self._table.require_unique(self._connection, self._keys)
        others = [column for column in columns if column not in self._keys]
        change = f"do update set {', '.join(f'{_quoted(name)} = excluded.{_quoted(name)}' for name in others)}" if others else "do nothing"
        self._put = f"{self._table.insert(columns)} on conflict ({_list(self._keys)}) {change}"
        self._delete = f"delete from {_quoted(self._table.name)} where {' and '.join(f'{_quoted(key)} is ?' for key in self._keys)}"
        self._key_places = [columns.index(key) for key in self._keys]

    def write(self, values: list[Any]) -> None:
        """Takes rows, and writes full pieces."""
        for value in values:
            kind = value.get_row_kind() if isinstance(value, Row) else RowKind.INSERT
            if kind is not RowKind.UPDATE_BEFORE:
                self._changes.append((kind is RowKind.DELETE, self._table.fields(value)))
        if len(self._changes) >= _PIECE:
            self._apply()

    def flush(self, end_of_input: bool) -> None:
        """Writes what is left; it is on the disk afterwards."""
        self._apply()

    def _apply(self) -> None:
        connection = self._connection
        if connection is None or not self._changes:
            return
        with _Transaction(connection):
            for is_deletion, fields in self._changes:
                if is_deletion:
                    connection.execute(self._delete, [fields[place] for place in self._key_places])
                else:
                    connection.execute(self._put, fields)
        self._changes = []

    def close(self) -> None:
        """Lets go of the database."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Table:
    """A table, and the two beside it."""

    def __init__(self, database: str | os.PathLike[str], table: str, columns: Sequence[str] | None, busy_timeout_millis: int) -> None:
        if not isinstance(table, str) or not table or "\0" in table:
            raise ConfigurationError(f"{table!r} is no name of a table")
        path = os.fspath(database)
        if not path or path == ":memory:":
            raise ConfigurationError("a sink needs a database in a file: one in memory is gone with its connection")
        self._path = os.path.abspath(path)
        self._wanted = None if columns is None else list(columns)
        self._timeout = busy_timeout_millis / 1_000
        self._names: list[str] = []
        self.name = table
        self.staged = table + "__staged"

    def connect(self) -> sqlite3.Connection:
        """A connection whose transactions are begun by hand, and are on the disk when they are committed."""
        try:
            # The engine's threads take turns.
            connection = sqlite3.connect(self._path, timeout=self._timeout, isolation_level=None, check_same_thread=False)
            connection.execute("pragma synchronous = full")
        except sqlite3.Error as error:
            raise InputOutputError(f"cannot open the database {self._path!r}: {error}") from error
        return connection

    def columns(self, connection: sqlite3.Connection) -> list[str]:
        """The columns that are written. Raises ``ConfigurationError`` for a table or column that is not there."""
        found = [str(row[1]) for row in connection.execute(f"pragma table_info({_quoted(self.name)})")]
        if not found:
            raise ConfigurationError(f"there is no table {self.name!r} in {self._path!r}")
        for name in self._wanted or []:
            if name not in found:
                raise ConfigurationError(f"the table {self.name!r} has no column {name!r}, but {found}")
        self._names = self._wanted or found
        return self._names

    def require_unique(self, connection: sqlite3.Connection, keys: Sequence[str]) -> None:
        """Raises ``ConfigurationError`` unless some columns are those of the primary key, or of a unique index of the whole table."""
        wanted = sorted(key.lower() for key in keys)
        primary = [str(row[1]).lower() for row in connection.execute(f"pragma table_info({_quoted(self.name)})") if row[5]]
        found = [sorted(primary)] if primary else []
        for row in connection.execute(f"pragma index_list({_quoted(self.name)})").fetchall():
            # A partial index says nothing of the rows that it leaves out.
            if row[2] and not row[4]:
                columns = [column[2] for column in connection.execute(f"pragma index_info({_quoted(str(row[1]))})")]
                # An expression has no name.
                found.append(sorted(str(column).lower() for column in columns) if None not in columns else [])
        if wanted not in found:
            index = "_".join([self.name, *keys])
            raise ConfigurationError(
                f"the table {self.name!r} has neither a primary key nor a unique index of the column{'s' * (len(keys) > 1)} {', '.join(keys)}, "
                f"by which rows take the place of others\n"
                f"  hint: create unique index {_quoted(index)} on {_quoted(self.name)} ({_list(keys)})"
            )

    def insert(self, columns: Sequence[str]) -> str:
        return f"insert into {_quoted(self.name)} ({_list(columns)}) values ({', '.join('?' * len(columns))})"

    def prepare(self, connection: sqlite3.Connection) -> None:
        """Makes what is missing beside the table."""
        columns = self.columns(connection)
        with _Transaction(connection):
            connection.execute(
                f"create table if not exists {_quoted(self.staged)} as select '' as millstream_writer, 0 as millstream_number, {_list(columns)} "
                f"from {_quoted(self.name)} where 0"
            )
            staged = [str(row[1]) for row in connection.execute(f"pragma table_info({_quoted(self.staged)})")][2:]
            if staged != columns:
                raise InvalidStateError(
                    f"the table {self.staged!r} has rows of {staged}, not of {columns}: it belongs to another sink, or to "
                    "an earlier form of the table"
                )
            connection.execute(
                f"create index if not exists {_quoted(self.staged + '__by_commit')} on {_quoted(self.staged)} (millstream_writer, millstream_number)"
            )
            connection.execute(
                f"create table if not exists {_COMMITS} (sink text, writer text, number integer, row_count integer, "
                "primary key (sink, writer, number)) without rowid"
            )
            connection.execute(
                f"create table if not exists {_WRITERS} (sink text, subtask integer, writer text, staged text, "
                "primary key (writer, staged)) without rowid"
            )

    def missing(self, connection: sqlite3.Connection) -> str | None:
        """A table beside it that is not there."""
        for name in (self.staged, _COMMITS):
            if connection.execute("select 1 from sqlite_master where type = 'table' and name = ?", (name,)).fetchone() is None:
                return name
        return None

    def fields(self, value: Any) -> tuple[Any, ...]:
        """A value as one field per column. Raises ``TypeError`` for one that has more or fewer."""
        names = self._names
        if isinstance(value, Mapping):
            if value.keys() != set(names):
                raise TypeError(f"a row of {self.name!r} has the columns {names}, and {value!r:.200} has not")
            return tuple(value[name] for name in names)
        fields = tuple(value) if isinstance(value, (Row, tuple, list)) else (value,)
        if len(fields) != len(names):
            raise TypeError(f"a row of {self.name!r} has {len(names)} columns, {names}, and {value!r:.200} has {len(fields)} field(s)")
        return fields


class _Transaction:
    """``with`` a connection: one transaction, which is undone where it fails."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("begin immediate")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            try:
                self._connection.execute("commit")
                return
            except BaseException:
                _undo(self._connection)
                raise
        _undo(self._connection)


def _undo(connection: sqlite3.Connection) -> None:
    try:
        if connection.in_transaction:
            connection.execute("rollback")
    except sqlite3.Error:
        pass


class _StagingWriter(CommittingSinkWriter):
    """Stages rows under its own name and the number of the next commit."""

    def __init__(self, table: _Table, context: RuntimeContext) -> None:
        self._table = table
        self._connection = table.connect()
        table.prepare(self._connection)
        self._sink = context.sink_id if isinstance(context, SinkContext) else ""
        self._subtask, self._parallelism = context.get_index_of_this_subtask(), context.get_number_of_parallel_subtasks()
        columns = table._names
        names = f"millstream_writer, millstream_number, {_list(columns)}"
        self._stage = f"insert into {_quoted(table.staged)} ({names}) values ({', '.join('?' * (len(columns) + 2))})"
        self._name = uuid.uuid4().hex
        #: The number of the next commit.
        self._number = 1
        self._rows: list[tuple[Any, ...]] = []
        self._staged = 0
        #: The writers of earlier runs that this one follows, with the numbers of what they would have prepared next.
        self._former: list[tuple[str, int]] = []
        self._is_clean = False

    def restore_state(self, state: Any) -> None:
        name, number = state["writer"], state["next"]
        found = self._connection.execute(
            f"select max(number) from {_COMMITS} where sink = ? and writer = ? and number >= ?", (self._table.name, name, number)
        ).fetchone()
        if found[0] is not None:
            raise InvalidStateError(
                f"rows of the table {self._table.name!r} were committed after this checkpoint: going on from here would insert them once more. "
                "Go on from the last checkpoint, or take these rows and the table's entries in millstream_commits away"
            )
        if not self._former:
            self._name, self._number = name, number
        self._former.append((name, number))

    def _remove_orphans(self) -> None:
        """What a crashed run staged after the checkpoint, or before its first one. What the checkpoint has was committed before."""
        if self._is_clean:
            return
        self._is_clean = True
        connection, staged = self._connection, _quoted(self._table.staged)
        with _Transaction(connection):
            for name, number in self._former:
                connection.execute(f"delete from {staged} where millstream_writer = ? and millstream_number >= ?", (name, number))
            if not self._sink:
                return
            # The writers that no checkpoint knows. Those of an old subtask are this one's where its state would be.
            found = connection.execute(
                f"select writer from {_WRITERS} where sink = ? and staged = ? and subtask % ? = ?",
                (self._sink, self._table.staged, self._parallelism, self._subtask),
            ).fetchall()
            for (name,) in found:
                if name != self._name:
                    connection.execute(f"delete from {staged} where millstream_writer = ?", (name,))
                    connection.execute(f"delete from {_WRITERS} where writer = ? and staged = ?", (name, self._table.staged))
            connection.execute(
                f"insert or replace into {_WRITERS} values (?, ?, ?, ?)", (self._sink, self._subtask, self._name, self._table.staged)
            )

    def write(self, values: list[Any]) -> None:
        for value in values:
            if isinstance(value, Row) and value.get_row_kind() in (RowKind.UPDATE_BEFORE, RowKind.DELETE):
                raise UnsupportedError("this sink takes no retractions (-U, -D); SqliteUpsertSink does, by a key")
            self._rows.append(self._table.fields(value))
        if len(self._rows) >= _PIECE:
            self._put()

    def _put(self) -> None:
        self._remove_orphans()
        if not self._rows:
            return
        with _Transaction(self._connection):
            self._connection.executemany(self._stage, ((self._name, self._number, *fields) for fields in self._rows))
        self._staged += len(self._rows)
        self._rows = []

    def prepare_commit(self) -> Sequence[Any]:
        self._put()
        if self._staged == 0:
            return []
        committable = {"table": self._table.name, "writer": self._name, "number": self._number, "rows": self._staged}
        self._number += 1
        self._staged = 0
        return [committable]

    def snapshot_state(self) -> Any:
        return {"writer": self._name, "next": self._number}

    def close(self) -> None:
        self._connection.close()


class _Mover(Committer):
    """Moves staged rows into the table, and notes it, in one transaction."""

    def __init__(self, table: _Table) -> None:
        self._table = table
        self._connection = table.connect()
        table.columns(self._connection)

    def commit(self, committables: list[Any]) -> Sequence[CommitOutcome | CommitAnswer]:
        return [self._move(each) for each in committables]

    def _move(self, committable: Any) -> CommitOutcome | CommitAnswer:
        try:
            with _Transaction(self._connection):
                missing = self._table.missing(self._connection)
                if missing is not None:
                    return CommitOutcome.FAILED.because(f"the table {missing!r} with what was prepared is gone")
                return self._moved(committable)
        except sqlite3.Error as error:
            return self._after(committable, error)

    def _moved(self, committable: Any) -> CommitOutcome | CommitAnswer:
        connection, staged = self._connection, _quoted(self._table.staged)
        writer, number, rows = committable["writer"], committable["number"], committable["rows"]
        if self._is_committed(connection, committable):
            return CommitOutcome.ALREADY_COMMITTED
        found = connection.execute(
            f"select count(*) from {staged} where millstream_writer = ? and millstream_number = ?", (writer, number)
        ).fetchone()[0]
        if found != rows:
            return CommitOutcome.FAILED.because(f"{found} of {rows} rows are in the table {self._table.staged!r}; somebody removed them")
        columns = _list(self._table._names)
        connection.execute(
            f"insert into {_quoted(self._table.name)} ({columns}) select {columns} from {staged} "
            "where millstream_writer = ? and millstream_number = ? order by rowid",
            (writer, number),
        )
        connection.execute(f"delete from {staged} where millstream_writer = ? and millstream_number = ?", (writer, number))
        connection.execute(f"insert into {_COMMITS} values (?, ?, ?, ?)", (self._table.name, writer, number, rows))
        connection.execute(f"delete from {_COMMITS} where sink = ? and writer = ? and number <= ?", (self._table.name, writer, number - _REMEMBERED))
        return CommitOutcome.COMMITTED

    def _is_committed(self, connection: sqlite3.Connection, committable: Any) -> bool:
        key = (self._table.name, committable["writer"], committable["number"])
        return connection.execute(f"select 1 from {_COMMITS} where sink = ? and writer = ? and number = ?", key).fetchone() is not None

    def _after(self, committable: Any, error: sqlite3.Error) -> CommitAnswer:
        """What became of a commit that failed: another connection sees what is in the file."""
        if isinstance(error, sqlite3.IntegrityError):
            return CommitOutcome.FAILED.because(str(error))
        try:
            other = self._table.connect()
            try:
                is_committed = self._is_committed(other, committable)
            finally:
                other.close()
        except (sqlite3.Error, InputOutputError) as second:
            return CommitOutcome.UNKNOWN.because(f"{error}; and whether it is in the database cannot be seen: {second}")
        return CommitOutcome.COMMITTED.because(str(error)) if is_committed else CommitOutcome.RETRY.because(str(error))

    def close(self) -> None:
        self._connection.close()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(_quoted, names))


guard(globals())
