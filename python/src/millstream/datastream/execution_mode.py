"""Streaming or batch."""

from __future__ import annotations

from enum import Enum

__all__ = ["RuntimeExecutionMode"]


class RuntimeExecutionMode(Enum):
    """How a job runs.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment().set_runtime_mode(RuntimeExecutionMode.BATCH)
    >>> list(env.from_collection([1, 2]).key_by(lambda n: 0).reduce(lambda a, b: a + b).execute_and_collect())
    [3]
    """

    #: Results as soon as they are there, with every update.
    STREAMING = 0
    #: Final results only; all sources must end.
    BATCH = 1
    #: ``BATCH`` if all sources end, else ``STREAMING``.
    AUTOMATIC = 2
