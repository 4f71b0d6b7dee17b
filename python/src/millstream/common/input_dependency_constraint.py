"""When a batch task may start, as Flink up to 1.17 had it."""

from __future__ import annotations

from enum import Enum

__all__ = ["InputDependencyConstraint"]


class InputDependencyConstraint(Enum):
    """How many inputs a task waits for before it starts. Here tasks start together, and each runs when it has input: the setting is only kept.

    >>> [constraint.name for constraint in InputDependencyConstraint]
    ['ANY', 'ALL']
    """

    #: One input with data is enough; the default.
    ANY = 0
    #: All inputs must have data.
    ALL = 1
