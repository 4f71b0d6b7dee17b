"""The kind of time that a whole job goes by, as Flink before 1.12 had it."""

from __future__ import annotations

from enum import Enum

__all__ = ["TimeCharacteristic"]


class TimeCharacteristic(Enum):
    """What ``time_window`` and operators without a time of their own go by. Today each window assigner says what time it goes by.

    >>> TimeCharacteristic.EventTime.name
    'EventTime'
    """

    #: The clock.
    ProcessingTime = 0
    #: The clock at the source. It is kept, and means event time by what the watermark strategy assigns.
    IngestionTime = 1
    #: The records' timestamps; the default.
    EventTime = 2
