"""What a statement of SQL gave."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING, Any

from millstream._tracebacks import guard
from millstream.common.types import Row, RowKind

if TYPE_CHECKING:
    from millstream import _native
    from millstream.common.job_client import JobClient

__all__ = ["CloseableIterator", "ResultKind", "TableResult"]


class ResultKind(Enum):
    """Whether a statement was merely done, or has rows.

    >>> from millstream.table import TableEnvironment
    >>> TableEnvironment.create().execute_sql("USE default_database").get_result_kind()
    <ResultKind.SUCCESS: 0>
    """

    SUCCESS = 0
    SUCCESS_WITH_CONTENT = 1


class TableResult:
    """The result of ``TableEnvironment.execute_sql``: rows that can be taken once, and the job that makes them.

    >>> from millstream.table import TableEnvironment
    >>> result = TableEnvironment.create().execute_sql("SELECT n, n * n AS square FROM (VALUES (1), (2)) AS t(n)")
    >>> result.get_column_names()
    ['n', 'square']
    >>> with result.collect() as rows:
    ...     list(rows)
    [<Row(1, 1)>, <Row(2, 4)>]
    """

    def __init__(self, description: str, job: _native.Job | None, name: str, is_streaming: bool) -> None:
        self._description: dict[str, Any] = json.loads(description)
        self._job = job
        self._name = name
        self._is_streaming = is_streaming
        self._client: JobClient | None = None

    def get_job_client(self) -> JobClient | None:
        """The statement's job; None if it started none."""
        if self._job is not None and self._client is None:
            from millstream.common.job_client import JobClient

            self._client = JobClient(self._job, self._name)
        return self._client

    def wait(self, timeout_ms: int | None = None) -> None:
        """Waits for the job's end, at most so many milliseconds. Raises the job's failure, and ``TimeoutError`` if it has not ended by then."""
        if self._job is None:
            return
        if timeout_ms is not None and self._job.wait(timeout_ms) not in ("FINISHED", "FAILED", "CANCELED"):
            raise TimeoutError(f"the job {self._name!r} has not ended after {timeout_ms} ms")
        self._job.result()

    def get_result_kind(self) -> ResultKind:
        """SUCCESS for statements that merely were done."""
        return ResultKind.SUCCESS_WITH_CONTENT if self._description["kind"] == "SUCCESS_WITH_CONTENT" else ResultKind.SUCCESS

    def get_column_names(self) -> list[str]:
        """The names of the result's columns. Millstream's own."""
        return [column["name"] for column in self._description["columns"]]

    def get_column_types(self) -> list[str]:
        """The types of the result's columns, as Flink prints them: ``TIMESTAMP(3) *ROWTIME*``. Millstream's own."""
        return [column["text"] for column in self._description["columns"]]

    def collect(self) -> CloseableIterator:
        """The rows, as ``Row`` with their kinds; closing the iterator cancels the job. They can be taken once."""
        return CloseableIterator(self._rows(), self._job if self._sink >= 0 else None)

    @property
    def _sink(self) -> int:
        return int(self._description["sink"])

    def _rows(self) -> Iterator[Row]:
        if self._job is None:
            for values in self._description.get("rows", []):
                yield Row(*values)
        elif self._sink < 0:
            self._job.result()
            yield Row(*([-1] * len(self._description["columns"])))
        else:
            fields = ", ".join(f"f{index} {column['type']}" for index, column in enumerate(self._description["columns"]))
            for row, kind in self._job.collect(self._sink, f"ROW<{fields}>", row_kinds=True):
                plain = Row(*row)
                plain.set_row_kind(RowKind(kind))
                yield plain


class CloseableIterator:
    """Rows of a result, one after the other.

    >>> from millstream.table import TableEnvironment
    >>> with TableEnvironment.create().execute_sql("SELECT 1 AS n").collect() as rows:
    ...     next(rows)
    <Row(1)>
    """

    def __init__(self, rows: Iterator[Row], job: _native.Job | None) -> None:
        self._rows = rows
        self._job = job

    def __iter__(self) -> CloseableIterator:
        return self

    def __next__(self) -> Row:
        return next(self._rows)

    def next(self) -> Row:
        """The next row; raises ``StopIteration`` at the end."""
        return next(self)

    def close(self) -> None:
        """Cancels the job that makes the rows."""
        if self._job is not None:
            self._job.cancel()

    def __enter__(self) -> CloseableIterator:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()


guard(globals())
