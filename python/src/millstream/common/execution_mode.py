"""How the stages of a batch job exchange their data."""

from __future__ import annotations

from enum import Enum

__all__ = ["ExecutionMode"]


class ExecutionMode(Enum):
    """A setting of Flink's batch jobs; kept, without effect here.

    >>> ExecutionMode.PIPELINED.name
    'PIPELINED'
    """

    PIPELINED = 0
    PIPELINED_FORCED = 1
    BATCH = 2
    BATCH_FORCED = 3
