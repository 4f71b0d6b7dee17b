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
from millstream.datastream.connectors.python import PythonSink, PythonSource
from millstream.datastream.field_access import field_names, field_types
from millstream.datastream.function_adapter import endpoint_callables
from millstream.datastream.functions import RuntimeContext
from millstream.exceptions import InputOutputError

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
                self._batches = None
            else:
                self._rest = found
        if self._gives_columns:
            taken, self._rest = self._rest.slice(0, limit), self._rest.slice(limit)
        else:
            taken, self._rest = self._rest[:limit], self._rest[limit:]
        return taken

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
        self._batches = self._reader.read_columns(path) if self._gives_columns else self._reader.read(path)
        return False

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

    After a failure unfinished files stay hidden.
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

    def open(self, runtime_context: RuntimeContext) -> None:
        """Learns which subtask it is."""
        self._subtask = runtime_context.get_index_of_this_subtask()

    def write(self, values: list[Any]) -> None:
        """Writes values to the files of their folders."""
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

        bucket = "" if self._bucket_of is None else self._bucket_of(None)
        (self._open.get(bucket) or self._begin(bucket))[0].write_columns(pyarrow.record_batch(columns))
        self._finish_if_due(bucket)

    def lower(self, type_info: TypeInformation) -> AddSink:
        add_sink = super().lower(type_info)
        schema = type_info.schema()
        if self._columns_type is None or field_names(type_info) is None or _columns_of(type_info) != _columns_of(self._columns_type):
            return add_sink

        def add(builder: Any, transformation: Any, inputs: list[_native.Input]) -> int:
            if builder.is_twin:
                return add_sink(builder, transformation, inputs)
            callables, context = endpoint_callables(
                self, lambda instance: (instance.write_columns, instance.flush), builder.scope, transformation.name
            )
            native: _native.Environment = builder.native
            return native.sink_function(inputs[0], _native.sink(callables, schema, transformation.name, context=context, takes_columns=True))

        return add

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
            number = self._first_number(folder)
        self._numbers[bucket] = number + 1
        name = f"{self._prefix}-{self._subtask}-{number}{self._suffix}"
        hidden = os.path.join(folder, f".{name}.inprogress.{uuid.uuid4().hex}")
        self._open[bucket] = self._make_writer(hidden), hidden, os.path.join(folder, name), time.monotonic()
        return self._open[bucket]

    def _first_number(self, folder: str) -> int:
        """Numbers go on behind those that are there."""
        start, found = f"{self._prefix}-{self._subtask}-", -1
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
        os.rename(hidden, path)
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


guard(globals())
