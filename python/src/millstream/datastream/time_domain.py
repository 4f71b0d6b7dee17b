"""Event time and processing time."""

from __future__ import annotations

from enum import Enum

__all__ = ["TimeDomain"]


class TimeDomain(Enum):
    """Which time a timer goes by.

    >>> [domain.name for domain in TimeDomain]
    ['EVENT_TIME', 'PROCESSING_TIME']
    """

    EVENT_TIME = 0
    PROCESSING_TIME = 1
