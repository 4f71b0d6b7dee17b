"""What becomes of a savepoint's state in a job, known before the job starts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from millstream.exceptions import ConfigurationError

if TYPE_CHECKING:
    from millstream.datastream.stream_execution_environment import StreamExecutionEnvironment

__all__ = ["PlanDiff", "PlanDiffEntry"]


@dataclass(frozen=True)
class PlanDiffEntry:
    """States of one operator that have the same fate.

    ``outcome`` is ``kept``; ``migrated``: kept, in other types or with other fields; ``carried``: no operator asks for it, and it is written again;
    ``rebuilt``: the savepoint has none of it, so that it begins empty; ``lost``: left behind, as is allowed; ``refused``: the job would not start.

    >>> PlanDiffEntry("totals", "reduce", ("reduce/accumulators",), "kept", "as it is").outcome
    'kept'
    """

    uid: str
    name: str
    states: tuple[str, ...]
    outcome: str
    reason: str


class PlanDiff(tuple[PlanDiffEntry, ...]):
    """The entries, in the order of the job's operators; printed, a table.

    >>> diff = PlanDiff([PlanDiffEntry("totals", "reduce", ("reduce/accumulators",), "kept", "as it is")])
    >>> print(diff)
    operator         outcome  states               reason
    totals (reduce)  kept     reduce/accumulators  as it is
    >>> diff.is_refused
    False
    """

    @classmethod
    def from_json(cls, text: str) -> PlanDiff:
        """The engine's answer."""
        return cls(
            PlanDiffEntry(entry["uid"], entry["name"], tuple(entry["states"]), entry["outcome"], entry["reason"]) for entry in json.loads(text)
        )

    @property
    def is_refused(self) -> bool:
        """Whether the job would not start."""
        return any(entry.outcome == "refused" for entry in self)

    def __str__(self) -> str:
        rows = [("operator", "outcome", "states", "reason")]
        for entry in self:
            named = entry.uid if entry.uid == entry.name else f"{entry.uid} ({entry.name})"
            rows.append((named, entry.outcome, ", ".join(entry.states), entry.reason))
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        return "\n".join("  ".join([*(row[column].ljust(widths[column]) for column in range(3)), row[3]]).rstrip() for row in rows)


def tell_plan_diff(env: StreamExecutionEnvironment, settings: Mapping[str, str], job_name: str) -> None:
    """For ``millstream run --dry-run``: prints the table, and ends the script."""
    from millstream.datastream.checkpoint_options import RESTORE_KEY, checkpoint_options

    path = dict(checkpoint_options(settings)).get(RESTORE_KEY)
    if path is None:
        raise ConfigurationError("--dry-run needs a savepoint, and a job that does not run in BATCH mode: -s PATH")
    diff = env.plan_diff(path)
    print(f"job {job_name!r} from {path}:")
    print(diff if diff else "neither the job nor the savepoint has state")
    raise SystemExit(1 if diff.is_refused else 0)
