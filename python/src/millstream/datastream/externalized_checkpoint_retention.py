"""What becomes of the last checkpoint of a job that was cancelled."""

from __future__ import annotations

from enum import Enum

__all__ = ["ExternalizedCheckpointRetention"]


class ExternalizedCheckpointRetention(Enum):
    """Whether the last checkpoint stays when a job ends.

    >>> ExternalizedCheckpointRetention.DELETE_ON_CANCELLATION.name
    'DELETE_ON_CANCELLATION'
    """

    #: Stays after a failure, and is deleted when the job is cancelled.
    DELETE_ON_CANCELLATION = 0
    #: Stays after a failure and after cancelling; whoever started the job deletes it.
    RETAIN_ON_CANCELLATION = 1
    #: Is deleted in any case; the default.
    NO_EXTERNALIZED_CHECKPOINTS = 2
