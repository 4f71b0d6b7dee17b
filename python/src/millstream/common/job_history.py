"""What a job has been through: its checkpoints, and what its attempts failed with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["CheckpointInfo", "JobFailure"]


@dataclass(frozen=True, slots=True)
class CheckpointInfo:
    """A checkpoint or savepoint of a job, of :meth:`JobClient.checkpoints`.

    >>> CheckpointInfo(7, False, 1_700_000_000_000, 3, 4_711, True, None, "/var/checkpoints/0a1b/chk-7").is_completed
    True
    """

    #: Counts up, also over restarts.
    checkpoint_id: int
    is_savepoint: bool
    #: When it was begun, in milliseconds since the epoch.
    triggered: int
    #: How long it took.
    duration_millis: int
    #: How much was written.
    size_bytes: int
    is_completed: bool
    #: Why it is not complete, else ``None``.
    failure: str | None
    #: Its directory. Checkpoints that newer ones have taken the place of are gone.
    location: str
    #: Whether its barriers overtook rows somewhere.
    is_unaligned: bool = False
    #: How much room the rows that they overtook took in memory.
    in_flight_bytes: int = 0

    @staticmethod
    def of(entry: Mapping[str, Any]) -> CheckpointInfo:
        """From what the engine says."""
        size, place = entry["bytes"], entry["location"]
        return CheckpointInfo(
            entry["id"],
            entry["savepoint"],
            entry["triggered"],
            entry["millis"],
            size,
            entry["completed"],
            entry["failure"],
            place,
            entry["unaligned"],
            entry["inFlightBytes"],
        )


@dataclass(frozen=True, slots=True)
class JobFailure:
    """What an attempt failed with, of :meth:`JobClient.failures`.

    >>> JobFailure(1_700_000_000_000, "ValueError: no", "map").operator
    'map'
    """

    #: When, in milliseconds since the epoch.
    time: int
    message: str
    #: The name of the operator that failed, if one did.
    operator: str | None

    @staticmethod
    def of(entry: Mapping[str, Any]) -> JobFailure:
        """From what the engine says."""
        return JobFailure(entry["time"], entry["message"], entry["operator"])
