"""What is left of a job that has finished."""

from __future__ import annotations

from typing import Any

from millstream.common.job_id import JobID

__all__ = ["JobExecutionResult"]


class JobExecutionResult:
    """A finished job's identifier, run time and accumulators.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> sink = env.from_collection([1, 2]).print()
    >>> result = env.execute("two numbers")
    1
    2
    >>> result.get_net_runtime() < 60_000, result.get_all_accumulator_results()
    (True, {})
    """

    def __init__(self, job_id: JobID, job_name: str, net_runtime: int, accumulators: dict[str, Any]) -> None:
        self._job_id = job_id
        self._job_name = job_name
        self._net_runtime = net_runtime
        self._accumulators = accumulators

    def get_job_id(self) -> JobID:
        """The job's identifier."""
        return self._job_id

    def get_net_runtime(self) -> int:
        """How long the job ran, in milliseconds."""
        return self._net_runtime

    def get_accumulator_result(self, accumulator_name: str) -> Any:
        """One accumulator, or ``None`` if the job made none of this name."""
        return self._accumulators.get(accumulator_name)

    def get_all_accumulator_results(self) -> dict[str, Any]:
        """All accumulators by name."""
        return dict(self._accumulators)

    def __str__(self) -> str:
        lines = [
            f"Program execution finished: {self._job_name}",
            f"Job with JobID {self._job_id} has finished.",
            f"Job Runtime: {self._net_runtime} ms",
        ]
        if self._accumulators:
            lines.append("Accumulator Results:")
            lines += [f"- {name}: {value}" for name, value in sorted(self._accumulators.items())]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<JobExecutionResult of {self._job_name!r}, {self._net_runtime} ms>"
