"""Files in formats that Python reads and writes: Parquet, ORC, Avro. The formats package makes the readers and writers."""

from __future__ import annotations

import copy
import glob
import os
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.typeinfo import TypeInformation
from millstream.datastream.connectors.base import AddSink, AddSource
from millstream.datastream.connectors.plain_values import decode, encode
from millstream.datastream.connectors.python import PythonSink, PythonSource
from millstream.datastream.connectors.two_phase_commit import CommitOutcome
from millstream.datastream.field_access import field_names, field_types
from millstream.datastream.function_adapter import endpoint_callables
from millstream.datastream.functions import RuntimeContext
from millstream.exceptions import InputOutputError, InvalidStateError

#: How long a monitoring source waits before it is asked again, in seconds, at most.
_PATIENCE = 0.05


class PythonFileReader(ABC):
    """Reads one kind of files."""

    #: Whether :meth:`read_columns` can be used.
    has_columns = False

    @abstractmethod
    def read(self, path: str) -> Iterator[list[Any]]:
        """The values of a file, in batches. Raises what the file's library raises."""

    def read_columns(self, path: str) -> Iterator[Any]:
        """The same as ``pyarrow.RecordBatch`` es, whose types are those of the stream."""
        raise TypeError(f"{type(self).__name__} gives no columns")


class PythonFileWriter(ABC):
    """Writes one file."""

    @abstractmethod
    def write(self, values: list[Any]) -> None:
        """Takes some values, in order."""

    @abstractmethod
    def finish(self) -> None:
        """Completes and closes the file."""

    def write_columns(self, batch: Any) -> None:
        """Takes some values as a ``pyarrow.RecordBatch`` of the stream's type."""
        raise TypeError(f"{type(self).__name__} takes no columns")

    def size(self) -> int:
        """How large the file is so far, in bytes; 0 where that is not known."""
        return 0


class PythonFilesSource(PythonSource):
    """Files, directories and globs, read one after the other, in the order of their names; with an interval new ones are looked for without end.

    Names that start with ``.`` or ``_`` are left out.
    """

    name = "Files"

    def __init__(self, paths: Sequence[str], reader: PythonFileReader, type_info: TypeInformation, interval_millis: int | None) -> None:
        super().__init__(type_info, is_bounded=interval_millis is None)
        self._paths = list(paths)
        self._reader = reader
        self._interval = interval_millis
        self._files: list[str] | None = None
        self._seen: set[str] = set()
        self._batches: Iterator[Any] | None = None
        self._rest: Any = []
        #: The file that is being read, as it was when it was opened, and how many of its values were given.
        self._current: list[Any] | None = None
        self._given = 0
        self._look_at = 0.0
        #: Whether ``read`` gives columns; Python's own readers (a hybrid source) want values.
        self._gives_columns = False

    def read(self, limit: int) -> Any:
        """The next values, or columns with as many rows."""
        while len(self._rest) == 0:
            if self._batches is None:
                waiting = self._next_file()
                if waiting is not False:
                    return waiting
            assert self._batches is not None
            found = next(self._batches, None)
            if found is None:
                self._batches = self._current = None
            else:
                self._rest = found
        taken, self._rest = self._split(limit)
        self._given += len(taken)
        return taken

    def _split(self, count: int) -> tuple[Any, Any]:
        if self._gives_columns:
            return self._rest.slice(0, count), self._rest.slice(count)
        return self._rest[:count], self._rest[count:]

    def snapshot_position(self) -> Any:
        seen = sorted(self._seen) if self._interval is not None else []
        return {"files": self._files, "seen": seen, "current": self._current, "given": self._given}

    def restore_position(self, position: Any) -> None:
        self._files, self._seen, self._batches, self._rest = position["files"], set(position["seen"]), None, []
        self._current, self._given = position["current"], position["given"]
        if self._current is None:
            return
        path, size, modified = self._current
        now = _identity(path)
        if now[1:] != [size, modified]:
            raise InputOutputError(f"{path!r} was changed since {self._given} of its values were read: it had {size} bytes, and has {now[1]}")
        self._open(path)
        left = self._given
        while left > 0:
            found = next(self._batches or iter(()), None)
            if found is None:
                raise InputOutputError(f"{path!r} has {self._given - left} values, and {self._given} had been read")
            self._rest = found
            passed = min(left, len(found))
            left -= passed
            self._rest = self._split(passed)[1]
        self._given = position["given"]

    def _next_file(self) -> float | bool | None:
        """Opens the next file: False. Else what ``read`` gives: None at the end, or seconds to wait."""
        if not self._files:
            now = time.monotonic()
            if self._files is not None and self._interval is None:
                return None
            if now < self._look_at:
                return min(self._look_at - now, _PATIENCE)
            self._files = [path for path in list_files(self._paths, self._interval is None) if path not in self._seen]
            self._look_at = now + (self._interval or 0) / 1_000
            if not self._files:
                return None if self._interval is None else min(self._interval / 1_000, _PATIENCE)
        path = self._files.pop(0)
        self._seen.add(path)
        self._current, self._given = _identity(path), 0
        self._open(path)
        return False

    def _open(self, path: str) -> None:
        self._batches = self._reader.read_columns(path) if self._gives_columns else self._reader.read(path)

    def lower(self, type_info: TypeInformation) -> AddSource:
        add_source = super().lower(type_info)
        columns = copy.copy(self)
        columns._gives_columns = True
        add_columns = super(PythonFilesSource, columns).lower(type_info)

        def add(builder: Any, transformation: Any, watermarks: Any) -> int:
            if not builder.for_plan:
                # A missing path is told when the job starts, as for the engine's formats.
                list_files(self._paths, self._interval is None)
            has_columns = self._reader.has_columns and not builder.is_twin
            return (add_columns if has_columns else add_source)(builder, transformation, watermarks)

        return add


def _identity(path: str) -> list[Any]:
    """A path, and what tells whether its file is still the same."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise InputOutputError(f"cannot read {path!r}: {error.strerror}") from error
    return [path, status.st_size, status.st_mtime_ns]


def _columns_of(type_info: TypeInformation) -> list[str]:
    return [field.schema() for field in field_types(type_info)]


def list_files(paths: Sequence[str], must_exist: bool = True) -> list[str]:
    """The files that paths, directories and globs stand for, by the order of their names. Raises ``InputOutputError`` where there are none."""
    found: set[str] = set()
    for path in paths:
        if os.path.isfile(path):
            found.add(path)
        elif os.path.isdir(path):
            found.update(_below(path))
        elif glob.has_magic(path):
            for match in glob.glob(path, recursive=True):
                found.update([match] if os.path.isfile(match) else _below(match))
        elif must_exist:
            raise InputOutputError(f"there is no file or directory {path!r}")
    return sorted(found, key=os.fsencode)


def _below(directory: str) -> Iterator[str]:
    for folder, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        yield from (os.path.join(folder, name) for name in names if not name.startswith((".", "_")))


class PythonFilesSink(PythonSink):
    """Writes files in folders. A file has a hidden name while it is written, and gets its own, on the disk, when it is finished.

    With checkpoints each of them finishes the files, as these formats cannot be gone on with, and they get their names when it is complete. After
    a failure without checkpoints unfinished files stay hidden.
    """

    name = "File sink"

    def __init__(
        self,
        base_path: str,
        make_writer: Callable[[str], PythonFileWriter],
        bucket_of: Callable[[Any], str] | None,
        prefix: str,
        suffix: str,
        size_limit: int | None = None,
        age_limit_millis: int | None = None,
        columns_type: TypeInformation | None = None,
    ) -> None:
        """``columns_type``: streams of this type are written by columns; then ``bucket_of`` may not look at the value."""
        self._base_path = base_path
        self._make_writer = make_writer
        self._bucket_of = bucket_of
        self._prefix, self._suffix = prefix, suffix
        self._size_limit, self._age_limit = size_limit, age_limit_millis
        self._open: dict[str, tuple[PythonFileWriter, str, str, float]] = {}
        self._numbers: dict[str, int] = {}
        self._subtask = 0
        self._columns_type = columns_type
        #: With checkpoints: what is finished and waits for its commit.
        self._commits = False
        self._prepared: list[dict[str, Any]] = []
        #: What this writer's unfinished files are marked with, and those of the writers that it follows.
        self._mark = uuid.uuid4().hex
        self._former: list[str] = []
        #: The numbers of a checkpoint, for folders that were not looked at since.
        self._restored_numbers: dict[str, int] = {}

    def open(self, runtime_context: RuntimeContext) -> None:
        """Learns which subtask it is."""
        self._subtask = runtime_context.get_index_of_this_subtask()

    def write(self, values: list[Any]) -> None:
        """Writes values to the files of their folders."""
        self._remove_orphans()
        by_bucket: dict[str, list[Any]] = {}
        if self._bucket_of is None:
            by_bucket[""] = values
        else:
            for value in values:
                by_bucket.setdefault(self._bucket_of(value), []).append(value)
        for bucket, some in by_bucket.items():
            (self._open.get(bucket) or self._begin(bucket))[0].write(some)
            self._finish_if_due(bucket)

    def write_columns(self, columns: Any) -> None:
        """Writes what has Arrow's interface."""
        import pyarrow  # type: ignore[import-untyped,unused-ignore]

        self._remove_orphans()
        bucket = "" if self._bucket_of is None else self._bucket_of(None)
        (self._open.get(bucket) or self._begin(bucket))[0].write_columns(pyarrow.record_batch(columns))
        self._finish_if_due(bucket)

    def lower(self, type_info: TypeInformation) -> AddSink:
        add_sink = super().lower(type_info)
        schema = type_info.schema()
        has_columns = (
            self._columns_type is not None and field_names(type_info) is not None and _columns_of(type_info) == _columns_of(self._columns_type)
        )

        def add(builder: Any, transformation: Any, inputs: list[_native.Input]) -> int:
            commits = bool(builder.env.get_checkpoint_config().is_checkpointing_enabled())
            if builder.is_twin or not (has_columns or commits):
                return add_sink(builder, transformation, inputs)

            def choose(instance: Any) -> tuple[Any, ...]:
                write = instance.write_columns if has_columns else instance.write
                if not commits:
                    return write, instance.flush
                instance._commits, instance._mark = True, uuid.uuid4().hex
                return write, instance.prepare, instance.snapshot, instance.restore, commit_files

            callables, context = endpoint_callables(self, choose, builder.scope, transformation.name)
            native: _native.Environment = builder.native
            function = _native.sink(callables, schema, transformation.name, context=context, takes_columns=has_columns, commits=commits)
            return native.sink_function(inputs[0], function)

        return add

    def prepare(self, end_of_input: bool) -> list[bytes]:
        """Finishes all files; what makes them visible."""
        for bucket in list(self._open):
            self._finish(bucket)
        prepared, self._prepared = self._prepared, []
        return [encode(each, "a committable") for each in prepared]

    def snapshot(self) -> bytes:
        """Whose unfinished files are this writer's, and the next file's number in each folder."""
        numbers = {**self._restored_numbers, **self._numbers}
        return encode({"mark": self._mark, "subtask": self._subtask, "next": numbers}, "a writer's state")

    def restore(self, _: int, payload: bytes | None) -> None:
        """Takes a former writer's state. Raises ``InvalidStateError`` for a checkpoint behind which more has been committed."""
        if payload is None:
            return
        state = decode(payload)
        for bucket, number in state["next"].items():
            folder = os.path.join(self._base_path, bucket) if bucket else self._base_path
            if os.path.isdir(folder) and (found := self._first_number(folder, state["subtask"]) - 1) >= number:
                raise InvalidStateError(
                    f"file {found} of subtask {state['subtask']} in {folder!r} was committed after this checkpoint: going on from here would write "
                    "its rows once more. Go on from the last checkpoint, or move the files that were committed after this one away"
                )
        if state["subtask"] == self._subtask:
            self._restored_numbers = state["next"]
        if not self._former:
            self._mark = state["mark"]
        self._former.append(state["mark"])

    def _remove_orphans(self) -> None:
        """What crashed runs left. What the checkpoint has was committed before the first row."""
        if not self._former:
            return
        marks, self._former = tuple(f".inprogress.{mark}" for mark in self._former), []
        for folder, _, names in os.walk(self._base_path):
            for name in names:
                if name.startswith(".") and name.endswith(marks):
                    os.unlink(os.path.join(folder, name))

    def _finish_if_due(self, bucket: str) -> None:
        writer, _, _, started = self._open[bucket]
        is_large = self._size_limit is not None and writer.size() >= self._size_limit
        is_old = self._age_limit is not None and (time.monotonic() - started) * 1_000 >= self._age_limit
        if is_large or is_old:
            self._finish(bucket)

    def flush(self, end_of_input: bool) -> None:
        """Finishes all files at the end of the input."""
        if end_of_input:
            for bucket in list(self._open):
                self._finish(bucket)

    def _begin(self, bucket: str) -> tuple[PythonFileWriter, str, str, float]:
        folder = os.path.join(self._base_path, bucket) if bucket else self._base_path
        os.makedirs(folder, exist_ok=True)
        number = self._numbers.get(bucket)
        if number is None:
            number = max(self._first_number(folder), self._restored_numbers.get(bucket, 0))
        self._numbers[bucket] = number + 1
        name = f"{self._prefix}-{self._subtask}-{number}{self._suffix}"
        hidden = os.path.join(folder, f".{name}.inprogress.{self._mark}")
        self._open[bucket] = self._make_writer(hidden), hidden, os.path.join(folder, name), time.monotonic()
        return self._open[bucket]

    def _first_number(self, folder: str, subtask: int | None = None) -> int:
        """Numbers go on behind those that are there."""
        start, found = f"{self._prefix}-{self._subtask if subtask is None else subtask}-", -1
        for name in os.listdir(folder):
            if name.startswith(start):
                digits = name[len(start) :].removesuffix(self._suffix) if self._suffix else name[len(start) :]
                if digits.isdigit():
                    found = max(found, int(digits))
        return found + 1

    def _finish(self, bucket: str) -> None:
        writer, hidden, path, _ = self._open.pop(bucket)
        writer.finish()
        with open(hidden, "rb") as file:
            os.fsync(file.fileno())
        if self._commits:
            _sync_folder(path)
            self._prepared.append({"hidden": os.path.abspath(hidden), "path": os.path.abspath(path), "size": os.path.getsize(hidden)})
        else:
            os.rename(hidden, path)
            _sync_folder(path)


def commit_files(payloads: list[bytes]) -> list[tuple[int, str | None]]:
    """Gives finished files their names."""
    return [_commit_file(decode(payload)) for payload in payloads]


def _commit_file(committable: Any) -> tuple[int, str | None]:
    hidden, path, size = committable["hidden"], committable["path"], committable["size"]
    if not os.path.exists(hidden):
        if not os.path.exists(path):
            return CommitOutcome.FAILED.value, f"the data of {path!r}, {hidden!r}, is gone; somebody removed it"
        if os.path.getsize(path) != size:
            return CommitOutcome.FAILED.value, f"the data of {path!r} is gone, and the file of that name has not {size} bytes"
        # The run that renamed it may have ended before the name was on the disk.
        outcome = CommitOutcome.ALREADY_COMMITTED
    elif os.path.exists(path):
        return CommitOutcome.FAILED.value, f"there is a file {path!r} already; do two jobs write to one directory? The data is in {hidden!r}"
    else:
        try:
            os.rename(hidden, path)
        except OSError as error:
            return CommitOutcome.RETRY.value, f"cannot rename {hidden!r} to {path!r}: {error.strerror}"
        outcome = CommitOutcome.COMMITTED
    try:
        _sync_folder(path)
    except OSError as error:
        return CommitOutcome.UNKNOWN.value, f"whether the name {path!r} is on the disk is not known: {error.strerror}"
    return outcome.value, None


def _sync_folder(path: str) -> None:
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


guard(globals())
