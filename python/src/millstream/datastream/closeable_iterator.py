"""The values of a running job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from millstream import _native
from millstream._tracebacks import guard

if TYPE_CHECKING:
    from millstream.common.job_client import JobClient

__all__ = ["CloseableIterator"]


class CloseableIterator(Iterator[Any]):
    """Gives the values of a job while it runs, and at the end raises what the job failed with, if it did.

    ``close``, the end of a ``with`` block and losing the last reference cancel a job that still runs.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> with env.from_collection(["a", "b"]).execute_and_collect() as values:
    ...     print(next(values))
    a
    """

    def __init__(self, client: JobClient, values: _native.CollectIterator) -> None:
        self._client = client
        self._values: _native.CollectIterator | None = values

    def next(self) -> Any:
        """The next value; waits for it. Raises ``StopIteration`` at the end."""
        return self.__next__()

    def get_job_client(self) -> JobClient:
        """The job behind the values. Millstream's own."""
        return self._client

    def close(self) -> None:
        """Gives up: cancels the job if it runs. Values that were not taken are lost."""
        values, self._values = self._values, None
        if values is not None:
            values.close()
            if not self._client.status().is_terminal_state():
                self._client._job.cancel()
                self._client.wait()

    def __next__(self) -> Any:
        if self._values is None:
            raise StopIteration
        return next(self._values)

    def __iter__(self) -> Iterator[Any]:
        # It keeps this object alive, and costs less per value than `__next__` does.
        return iter(()) if self._values is None else _native.BorderIterator(self._values, self)

    def __enter__(self) -> CloseableIterator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        values = getattr(self, "_values", None)
        if values is not None:
            values.close()

    def __repr__(self) -> str:
        return f"<CloseableIterator over {self._client!r}>"


guard(globals())
