"""Streaming or batch."""

from __future__ import annotations

from enum import Enum

__all__ = ["RuntimeExecutionMode"]


class RuntimeExecutionMode(Enum):
    """How a job runs."""

    #: Results as soon as they are there, with every update.
    STREAMING = 0
    #: Final results only; all sources must end.
    BATCH = 1
    #: ``BATCH`` if all sources end, else ``STREAMING``.
    AUTOMATIC = 2
