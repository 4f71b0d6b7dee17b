"""A result that may not be there yet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from millstream._tracebacks import guard

__all__ = ["CompletableFuture"]

T = TypeVar("T")


class CompletableFuture(Generic[T]):
    """A result that comes later. :meth:`result` waits for it; the other methods do not wait.

    The work behind it is not started or driven by the future: it only looks.
    """

    def __init__(
        self,
        wait: Callable[[float | None], bool],
        value: Callable[[], T],
        failure: Callable[[], BaseException | None] = lambda: None,
        cancelled: Callable[[], bool] = lambda: False,
        cancel: Callable[[], bool] = lambda: False,
    ) -> None:
        """``wait`` takes seconds (None: for ever) and tells whether the result is there; the other functions are only asked then."""
        self._wait = wait
        self._value = value
        self._failure = failure
        self._cancelled = cancelled
        self._cancel = cancel

    @staticmethod
    def completed(value: T) -> CompletableFuture[T]:
        """A future whose result is there already.

        >>> CompletableFuture.completed(7).result()
        7
        """
        return CompletableFuture(lambda _: True, lambda: value)

    def cancel(self) -> bool:
        """Gives up what the future waits for; false if that is not possible or too late."""
        return False if self.done() else self._cancel()

    def cancelled(self) -> bool:
        """Whether it ended by being cancelled."""
        return self.done() and self._cancelled()

    def done(self) -> bool:
        """Whether it ended, in whichever way."""
        return self._wait(0)

    def result(self, timeout: float | None = None) -> T:
        """The result, after waiting for it at most ``timeout`` seconds (``None``: for ever).

        Raises the failure if there was one, and ``TimeoutError`` if the time is over.
        """
        if not self._wait(timeout):
            raise TimeoutError(f"no result after {timeout} s")
        failure = self._failure()
        if failure is not None:
            raise failure
        return self._value()

    def exception(self) -> BaseException | None:
        """The failure, or ``None`` if there is none (yet)."""
        return self._failure() if self.done() else None

    def __repr__(self) -> str:
        if not self.done():
            return "<CompletableFuture, not done>"
        failure = self._failure()
        return f"<CompletableFuture, failed: {failure!r}>" if failure else f"<CompletableFuture, {self._value()!r}>"


def in_background(work: Callable[[], T], name: str) -> CompletableFuture[T]:
    """Does work in a thread of its own, which no exit of the interpreter waits for; the future gives its result or failure. Millstream's own."""
    done = threading.Event()
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as failure:
            failures.append(failure)
        finally:
            done.set()

    threading.Thread(target=run, name=name, daemon=True).start()
    return CompletableFuture(done.wait, lambda: results[0], lambda: failures[0] if failures else None)


guard(globals())
