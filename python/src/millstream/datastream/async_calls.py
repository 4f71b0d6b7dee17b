"""Coroutines for the engine: rows that are in flight, the event loop that they run on, and what comes of them.

One event loop in a thread of its own serves all jobs of the process. A subtask's values come to :meth:`AsyncCalls.start` on one of the engine's
threads and go on to the loop; what is done is fetched by :meth:`AsyncCalls.poll`, again on one of the engine's threads, after the loop has called
``notify``. No thread of the engine ever waits for a coroutine, but for the moment at the end in which those that are left are cancelled.

Timeouts and the delays before further attempts run by the event loop's clock, like whatever the coroutines wait for: both start and end with them.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from millstream import _native
from millstream.datastream.async_functions import AsyncFunction, AsyncFunctionDescriptor, AsyncRetryStrategy
from millstream.datastream.checkpointed_function import refuse_checkpointed
from millstream.datastream.function_adapter import SubtaskCopies, overrides
from millstream.datastream.runtime_context import SubtaskContext
from millstream.datastream.transformation import JobScope

_log = logging.getLogger("millstream")

#: How many values, or rows, one crossing takes back.
RESULT_LIMIT = 4_096
#: How long the end of a subtask waits for coroutines that were cancelled, in seconds.
CLOSE_SECONDS = 5.0


# ---- The event loop --------------------------------------------------------------------------------------------------------------------------

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_process = 0


def event_loop() -> asyncio.AbstractEventLoop:
    """The event loop of the process. Its thread is a daemon: it ends with the process, after the engine."""
    global _loop, _process
    with _lock:
        if _loop is None or _loop.is_closed() or _process != os.getpid():
            _loop, _process = asyncio.new_event_loop(), os.getpid()
            threading.Thread(target=_serve, args=(_loop,), name="millstream-asyncio", daemon=True).start()
        return _loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    while True:
        # A task of the user's own that exits, or stops the loop, does so to itself alone.
        try:
            loop.run_forever()
        except BaseException:
            _log.exception("a task on the event loop asked for the end of the process")


# ---- Rows in flight --------------------------------------------------------------------------------------------------------------------------


class Call:
    """One value in flight. Made on the engine's thread; until it is done the loop's own, afterwards the engine's."""

    __slots__ = ("epoch", "failure", "is_done", "record", "results", "slot", "taken", "task", "timer", "value")

    def __init__(self, slot: int, value: Any, epoch: int, record: int) -> None:
        self.slot = slot
        self.value = value
        self.epoch = epoch
        self.record = record
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.is_done = False
        self.results: list[Any] = []
        self.failure: BaseException | None = None
        #: How many results the engine has got.
        self.taken = 0


class AsyncCalls:
    """The values of one subtask that are in flight."""

    def __init__(self, function: AsyncFunction[Any, Any], timeout: float, strategy: AsyncRetryStrategy[Any], is_ordered: bool) -> None:
        self._function = function
        self._timeout = timeout
        self._strategy = strategy
        predicate = strategy.get_retry_predicate()
        self._retries_result = predicate.result_predicate()
        self._retries_failure = predicate.exception_predicate()
        self._is_ordered = is_ordered
        self._loop = event_loop()
        self._notify: Callable[[], None] | None = None
        self._is_notified = False
        #: The first that failed.
        self._failed: Call | None = None
        #: Done, in the order in which that happened: from the loop to the engine.
        self._done: deque[Call] = deque()
        #: Ordered: all in flight. Unordered: those that are done, by epoch. The engine's own.
        self._in_order: deque[Call] = deque()
        self._by_epoch: dict[int, deque[Call]] = {}
        # The loop's own.
        self._tasks: dict[asyncio.Task[None], Call] = {}
        self._opening: asyncio.Task[BaseException | None] | None = None
        self._is_closed = False

    # ---- On the engine's threads ----

    def open(self, opening: Coroutine[Any, Any, Any]) -> None:
        """Coroutines wait until this one is done."""
        self._loop.call_soon_threadsafe(self._open, opening)

    def start(self, notify: Callable[[], None], slots: list[int], values: list[Any], epoch: int, record: int) -> None:
        """Begins with values. Returns at once."""
        self._notify = notify
        calls = [Call(slot, value, epoch, record + place) for place, (slot, value) in enumerate(zip(slots, values, strict=True))]
        if self._is_ordered:
            self._in_order.extend(calls)
        self._loop.call_soon_threadsafe(self._begin, calls)

    def poll(self, epoch: int) -> _native.AsyncResults:
        """What is done of an epoch, as much as one crossing takes."""
        # First: what the loop does from here on, it tells anew.
        self._is_notified = False
        values: list[Any] = []
        slots: list[int] = []
        records: list[_native.AsyncRecord] = []
        free: list[int] = []
        more = False
        ready = self._ready(epoch)
        while ready and ready[0].is_done and ready[0].epoch == epoch and ready[0].failure is None:
            room = RESULT_LIMIT - len(values)
            if room == 0 or len(free) == RESULT_LIMIT:
                more = True
                break
            call = ready[0]
            results = call.results[call.taken : call.taken + room] if call.taken or len(call.results) > room else call.results
            values += results
            slots += [call.slot] * len(results)
            records += [(call.record, call.value)] * len(results)
            call.taken += len(results)
            if call.taken == len(call.results):
                free.append(call.slot)
                ready.popleft()
        failed = None if more or self._failed is None else self._failed
        failure = None if failed is None or failed.failure is None else (failed.failure, failed.slot, (failed.record, failed.value))
        return values, slots, records, free, more, failure

    def close(self, closing: Callable[[], Coroutine[Any, Any, Any]] | None) -> None:
        """Cancels what is in flight, waits for that, and then runs a coroutine of the function's."""
        future = asyncio.run_coroutine_threadsafe(self._end(closing), self._loop)
        try:
            failure = future.result(CLOSE_SECONDS)
        except FutureTimeoutError:
            failure = None
            future.cancel()
            _log.warning("%s: coroutines did not end within %g s of their cancellation", type(self._function).__name__, CLOSE_SECONDS)
        if failure is not None:
            raise failure

    def _ready(self, epoch: int) -> deque[Call]:
        if self._is_ordered:
            return self._in_order
        while self._done:
            call = self._done.popleft()
            self._by_epoch.setdefault(call.epoch, deque()).append(call)
        found = self._by_epoch.get(epoch)
        if found:
            return found
        # The engine asks for no epoch again that it has left.
        for old in [number for number in self._by_epoch if number < epoch]:
            del self._by_epoch[old]
        return found if found is not None else deque()

    # ---- On the event loop ----

    def _open(self, opening: Coroutine[Any, Any, Any]) -> None:
        self._opening = self._loop.create_task(_failure_of(opening))

    def _begin(self, calls: list[Call]) -> None:
        if self._is_closed:
            return
        for call in calls:
            call.task = task = self._loop.create_task(self._run(call))
            self._tasks[task] = call
            task.add_done_callback(self._tasks.pop)
            if self._timeout > 0:
                call.timer = self._loop.call_later(self._timeout, self._time_out, call)

    async def _run(self, call: Call) -> None:
        results: list[Any] = []
        try:
            if self._opening is not None and (failure := await asyncio.shield(self._opening)) is not None:
                raise failure
            results = self._as_list(await self._attempts(call))
        except BaseException as error:  # a coroutine's exit is no end of the loop
            self._finish(call, [], error)
        else:
            self._finish(call, results, None)

    async def _attempts(self, call: Call) -> Any:
        """The result of the last attempt."""
        attempts = 1
        while True:
            try:
                result = await self._function.async_invoke(call.value)
            except Exception as error:
                if call.is_done or self._retries_failure is None or not self._retries_failure(error) or not self._strategy.can_retry(attempts):
                    raise
            else:
                is_wanted = result is not None and self._retries_result is not None and not call.is_done and self._retries_result(result)
                if not is_wanted or not self._strategy.can_retry(attempts):
                    return result
            await asyncio.sleep(max(0, self._strategy.get_backoff_time_millis(attempts)) / 1_000)
            attempts += 1

    def _time_out(self, call: Call) -> None:
        if call.is_done:
            return
        task, results, failure = call.task, [], None
        try:
            results = self._as_list(self._function.timeout(call.value))
        except BaseException as error:
            failure = error
        self._finish(call, results, failure)
        if task is not None:
            task.cancel()

    def _as_list(self, results: Any) -> list[Any]:
        if isinstance(results, Iterable):
            return results if type(results) is list else list(results)
        given = "cannot be none" if results is None else "should be of list type"
        raise RuntimeError(
            f"The result of AsyncFunction {given}, please check the methods 'async_invoke' and 'timeout' of class '{type(self._function)}'."
        )

    def _finish(self, call: Call, results: list[Any], failure: BaseException | None) -> None:
        """What comes after the first end of a call (a result behind its timeout) is nobody's."""
        if call.is_done or self._is_closed:
            return
        if call.timer is not None:
            call.timer.cancel()
        call.timer = call.task = None
        call.results, call.failure = results, failure
        if failure is not None and self._failed is None:
            self._failed = call
        call.is_done = True
        if not self._is_ordered and failure is None:
            self._done.append(call)
        if not self._is_notified and self._notify is not None:
            self._is_notified = True
            self._notify()

    async def _end(self, closing: Callable[[], Coroutine[Any, Any, Any]] | None) -> BaseException | None:
        self._is_closed = True
        for call in self._tasks.values():
            if call.timer is not None:
                call.timer.cancel()
        tasks: list[asyncio.Task[Any]] = list(self._tasks)
        if self._opening is not None and not self._opening.done():
            tasks.append(self._opening)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        return None if closing is None else await _failure_of(closing())


async def _failure_of(coroutine: Coroutine[Any, Any, Any]) -> BaseException | None:
    """What a coroutine fails with; an exit would end the loop, if it left a task."""
    try:
        await coroutine
    except asyncio.CancelledError:
        raise
    except BaseException as failure:
        return failure
    return None


# ---- For the engine --------------------------------------------------------------------------------------------------------------------------


def async_calls(descriptor: AsyncFunctionDescriptor, timeout: float, scope: JobScope, task_name: str) -> _native.PerSubtask:
    """An asynchronous function in the engine's shape: a copy per subtask. ``timeout`` in seconds, 0: none."""
    refuse_checkpointed(descriptor.async_function, task_name)
    copies, strategies = SubtaskCopies(descriptor.async_function), SubtaskCopies(descriptor.async_retry_strategy)
    is_ordered = descriptor.output_mode is AsyncFunctionDescriptor.OutputMode.ORDERED

    def make() -> tuple[Any, Callable[[int, int, int], None], Callable[[], None]]:
        instance = copies.next()
        calls = AsyncCalls(instance, timeout, strategies.next(), is_ordered)

        def open(index: int, parallelism: int, max_parallelism: int) -> None:
            if not overrides(instance, "open"):
                return
            opening = instance.open(SubtaskContext(scope, task_name, index, parallelism, max_parallelism))
            if inspect.iscoroutine(opening):
                calls.open(opening)

        def close() -> None:
            is_coroutine = inspect.iscoroutinefunction(instance.close)
            calls.close(instance.close if is_coroutine else None)
            if not is_coroutine:
                instance.close()

        return (calls.start, calls.poll), open, close

    return _native.PerSubtask(make, descriptor.async_function)
