"""The states of a job."""

from __future__ import annotations

from enum import Enum

__all__ = ["JobStatus"]


class JobStatus(Enum):
    """Where a job is in its life.

    >>> JobStatus.CANCELED.is_terminal_state()
    True
    """

    #: Made, nothing runs yet.
    CREATED = 0
    #: At work.
    RUNNING = 1
    #: An operator has failed; the others are being stopped.
    FAILING = 2
    #: Ended by a failure.
    FAILED = 3
    #: Being stopped on request.
    CANCELLING = 4
    #: Stopped on request.
    CANCELED = 5
    #: Ended because its input did.
    FINISHED = 6
    #: Being started again after a failure.
    RESTARTING = 7
    #: Stopped here, to be taken up elsewhere.
    SUSPENDED = 8
    #: Being taken up again.
    RECONCILING = 9

    def is_globally_terminal_state(self) -> bool:
        """Whether the job has ended for good."""
        return self in (JobStatus.FAILED, JobStatus.CANCELED, JobStatus.FINISHED)

    def is_terminal_state(self) -> bool:
        """Whether the job has ended here."""
        return self.is_globally_terminal_state() or self is JobStatus.SUSPENDED
