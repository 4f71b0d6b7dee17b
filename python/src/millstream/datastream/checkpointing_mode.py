"""What a checkpoint promises."""

from __future__ import annotations

from enum import Enum

__all__ = ["CheckpointingMode"]


class CheckpointingMode(Enum):
    """How often each record has an effect on state, when a job goes on from a checkpoint.

    >>> CheckpointingMode.EXACTLY_ONCE.name
    'EXACTLY_ONCE'
    """

    #: Exactly once; the default.
    EXACTLY_ONCE = 0
    #: Once or more.
    AT_LEAST_ONCE = 1
