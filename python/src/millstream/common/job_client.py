"""A running job, as its owner sees it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, TextIO

from millstream._tracebacks import guard
from millstream.common.completable_future import CompletableFuture, in_background
from millstream.common.job_execution_result import JobExecutionResult
from millstream.common.job_history import CheckpointInfo, JobFailure
from millstream.common.job_id import JobID
from millstream.common.job_status import JobStatus
from millstream.common.unasked import Unasked

if TYPE_CHECKING:
    from millstream import _native
    from millstream.common.accumulators import AccumulatorRegistry
    from millstream.datastream.recovery import JobDirectory
    from millstream.datastream.time_explanation import TimeExplanation
    from millstream.metrics import MetricRegistry

__all__ = ["JobClient"]


class JobClient:
    """A job that was started with ``execute_async``. The job goes on when nobody holds the client.

    A failure that nobody asks for, by its result or status, is printed to standard error: when the client is gone, or at the interpreter's exit.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> found = []
    >>> sink = env.from_collection([1, 2, 3]).map(lambda n: n * n).add_sink(found.append)
    >>> client = env.execute_async("squares")
    >>> client.get_job_execution_result().result()  # doctest: +ELLIPSIS
    <JobExecutionResult of 'squares', ...>
    >>> client.status().name, found
    ('FINISHED', [1, 4, 9])
    """

    def __init__(
        self,
        job: _native.Job,
        job_name: str,
        metrics: MetricRegistry | None = None,
        accumulators: AccumulatorRegistry | None = None,
        directory: JobDirectory | None = None,
        job_id: str | None = None,
    ) -> None:
        self._job = job
        self._job_name = job_name
        self._job_id = JobID(job_id)
        self._metrics = metrics
        self._accumulator_registry = accumulators
        #: Where the job's checkpoints are with ``millstream run --ha-dir``.
        self._directory = directory
        #: A job whose values are collected says by these how it ended.
        self._unasked: Unasked | None = None

    def get_job_id(self) -> JobID:
        """The job's identifier."""
        return self._job_id

    def get_job_name(self) -> str:
        """The name that the job was started with."""
        return self._job_name

    def status(self) -> JobStatus:
        """Where the job is in its life, at once: what ``get_job_status().result()`` gives."""
        status = self._status()
        if status is JobStatus.FAILED:
            self._asked()
        return status

    def get_job_status(self) -> CompletableFuture[JobStatus]:
        """Where the job is in its life, as a future that is done."""
        return CompletableFuture.completed(self.status())

    def state(self, uid: str, name: str, timeout: float | None = None) -> Any:
        """The state ``name`` of the operator ``uid`` as a ``pyarrow.Table``, all keys at one moment, while the job goes on.

        The answer waits behind the rows in flight, as a savepoint does: under backpressure, or while a function does not return, it takes as long as
        those take. ``timeout`` is in seconds (``None``: for ever); ``TimeoutError`` when it is over, and the job goes on as if nobody had asked.

        Columns and errors are those of :func:`millstream.state.read`; ``InvalidStateError`` if the job has ended.
        """
        from millstream.state import table_of

        if timeout is None:
            return table_of(lambda part: self._job.state(uid, part), name)
        return in_background(lambda: table_of(lambda part: self._job.state(uid, part), name), f"state of {self._job_name}").result(timeout)

    def cancel(self) -> CompletableFuture[None]:
        """Asks the job to stop; the future is done when it has. Does nothing for a job that has ended."""
        self._job.cancel()
        return CompletableFuture(self._wait, lambda: None)

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for the end at most ``timeout`` seconds (``None``: for ever), and tells whether it has come. Raises no failure of the job.

        Ctrl-C cancels the job.
        """
        return self._wait(timeout)

    def get_job_execution_result(self) -> CompletableFuture[JobExecutionResult]:
        """The job's result when it has finished. ``result()`` raises what the job failed with, such as the exception of a user's function itself."""
        return CompletableFuture(self._wait, self._execution_result, self._failure, self._is_canceled, self._cancel)

    def get_accumulators(self) -> CompletableFuture[dict[str, Any]]:
        """The accumulators that functions have made, merged over the subtasks, as they are now; and the counters of their metrics groups, summed."""
        return CompletableFuture.completed(self._accumulators())

    def get_metrics(self) -> dict[str, Any]:
        """The engine's counters for each operator and subtask, as they are now: records in and out, watermarks, busy and waiting times.

        Under ``"functions"`` are the metrics that functions have made with ``RuntimeContext.get_metrics_group()``, each a dict of ``operator``,
        ``name``, ``subtask``, ``type`` and ``value``.
        """
        metrics: dict[str, Any] = json.loads(self._job.metrics_json())
        if metrics.get("status") == "FAILED":
            self._asked()
        metrics["functions"] = [] if self._metrics is None else self._metrics.values()
        return metrics

    def explain_time(self) -> TimeExplanation:
        """Why event time stands where it stands, and so why a window has not fired.

        The watermark of each source and task, who holds it back, rows that wait and rows that were late; ``print()`` shows it in some lines.
        Answers at once, also while a function does not return.
        """
        from millstream.datastream.time_explanation import TimeExplanation

        return TimeExplanation(self._job.explain_time(), json.loads(self._job.explain_time(True)))

    def print_progress(self, file: TextIO | None = None, interval: float = 0.25) -> JobStatus:
        """Waits for the job's end and meanwhile shows one line with rows per second, watermark and lag; on anything but a terminal it only waits.

        ``interval`` is in seconds. Gives the status at the end; raises no failure of the job. Ctrl-C cancels the job.
        """
        from millstream.progress import show_progress

        return show_progress(self, file, interval)

    def stop_with_savepoint(self, advance_to_end_of_event_time: bool, savepoint_directory: str | None = None) -> CompletableFuture[str]:
        """Ends the job with a savepoint, from which a later job goes on. The future gives the savepoint's path.

        With ``advance_to_end_of_event_time`` the input ends before the savepoint: windows and timers fire, which is for a job that is not to be
        resumed. ``None``: the configured directory. Fails as :meth:`trigger_savepoint` does; then the job goes on.
        """
        return self._savepoint(savepoint_directory, "DRAIN" if advance_to_end_of_event_time else "STOP")

    def trigger_savepoint(self, savepoint_directory: str | None = None) -> CompletableFuture[str]:
        """Saves the job's state into a new directory below ``savepoint_directory``, while the job goes on. The future gives its path.

        ``None``: the directory that ``env.set_default_savepoint_directory`` has set. The future fails with ``ConfigurationError`` without a
        directory, ``InvalidStateError`` if the job does not run, ``InputOutputError`` if the savepoint cannot be written.
        """
        return self._savepoint(savepoint_directory, "CONTINUE")

    def checkpoints(self) -> list[CheckpointInfo]:
        """The last 64 checkpoints and savepoints, the oldest first, also those that failed. Millstream's own."""
        return [CheckpointInfo.of(entry) for entry in json.loads(self._job.checkpoints_json())]

    def failures(self) -> list[JobFailure]:
        """What the job's last 16 attempts failed with, the oldest first: also what it was restarted after. Millstream's own."""
        return [JobFailure.of(entry) for entry in json.loads(self._job.failures_json())]

    def _savepoint(self, directory: str | None, mode: Literal["CONTINUE", "STOP", "DRAIN"]) -> CompletableFuture[str]:
        if directory is not None and not isinstance(directory, str):
            raise TypeError(f"a savepoint's directory is a path, not {directory!r}")
        from millstream.datastream.checkpoint_options import local_path

        path = None if directory is None else local_path(directory)
        return in_background(lambda: self._job.savepoint(path, mode), f"savepoint of {self._job_name}")

    def _watch(self) -> JobClient:
        """Has a failure printed that nobody asks for."""
        self._unasked = Unasked(self, self._job, self._job_name)
        return self

    def _asked(self) -> None:
        if self._unasked is not None:
            self._unasked.asked()

    def _wait(self, timeout: float | None = None) -> bool:
        status = self._job.wait(-1 if timeout is None else max(0, int(timeout * 1_000)))
        has_ended = JobStatus[status].is_terminal_state()
        if has_ended and self._directory is not None:
            self._directory.release()
        return has_ended

    def _failure(self) -> BaseException | None:
        failure = self._job.failure()
        if failure is not None:
            self._asked()
        elif self._is_canceled():
            from millstream.exceptions import CancelledError

            return CancelledError(f"the job {self._job_name!r} was canceled")
        return failure

    def _is_canceled(self) -> bool:
        return self._status() is JobStatus.CANCELED

    def _status(self) -> JobStatus:
        return JobStatus[self._job.status()]

    def _cancel(self) -> bool:
        self._job.cancel()
        return True

    def _accumulators(self) -> dict[str, Any]:
        counters = {} if self._metrics is None else self._metrics.accumulators()
        return {**counters, **({} if self._accumulator_registry is None else self._accumulator_registry.results())}

    def _execution_result(self) -> JobExecutionResult:
        return JobExecutionResult(self._job_id, self._job_name, int(self.get_metrics().get("durationMillis", 0)), self._accumulators())

    def __repr__(self) -> str:
        return f"<JobClient {self._job_name!r}, {self._job_id}, {self._status().name}>"


guard(globals())
