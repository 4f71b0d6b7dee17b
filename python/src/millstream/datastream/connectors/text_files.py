"""Files written line by line, as ``write_as_text`` and ``write_as_csv`` of older scripts do. New ones write with a ``FileSink``."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import IO, Any

from millstream.datastream.connectors.file_system import checked_paths
from millstream.datastream.connectors.python import PythonSink
from millstream.datastream.functions import RuntimeContext
from millstream.exceptions import InputOutputError

__all__ = ["LineFileSink"]


class LineFileSink(PythonSink):
    """Writes a line per value to one file; where there are several subtasks, to files ``1``, ``2``, ... of a directory.

    Raises ``InputOutputError`` when the job starts if the file is there and ``overwrite`` is false.

    >>> import pathlib, tempfile
    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "words.txt"
    ...     sink = env.from_collection(["to", "be"]).write_as_text(str(file))
    ...     result = env.execute()
    ...     print(file.read_text().split())
    ['to', 'be']
    """

    name = "Line files"

    def __init__(self, path: str, overwrite: bool, line: Callable[[Any], str], line_delimiter: str = "\n") -> None:
        self._path = checked_paths(path)[0]
        self._overwrite = overwrite
        self._line = line
        self._delimiter = line_delimiter
        self._file: IO[str] | None = None

    def open(self, runtime_context: RuntimeContext) -> None:
        """Makes the file."""
        path = self._path
        if runtime_context.get_number_of_parallel_subtasks() > 1:
            os.makedirs(path, exist_ok=True)
            path = os.path.join(path, str(runtime_context.get_index_of_this_subtask() + 1))
        try:
            self._file = open(path, "w" if self._overwrite else "x", encoding="utf-8", newline="")  # noqa: SIM115 - closed in close()
        except FileExistsError:
            raise InputOutputError(f"{path} is there already; WriteMode.OVERWRITE takes its place") from None

    def write(self, values: list[Any]) -> None:
        """Writes some values."""
        assert self._file is not None
        line, delimiter = self._line, self._delimiter
        self._file.write("".join([line(value) + delimiter for value in values]))

    def flush(self, end_of_input: bool) -> None:
        """Hands what was written to the operating system."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
