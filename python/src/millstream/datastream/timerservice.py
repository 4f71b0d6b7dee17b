"""Time and timers, as functions see them."""

from __future__ import annotations

from abc import ABC, abstractmethod

__all__ = ["TimerService"]


class TimerService(ABC):
    """The time now, and timers for the current key. Times are milliseconds since 1970-01-01 UTC.

    A timer is registered once per key and time, however often it is asked for; it calls ``on_timer`` of the process function. Functions get a service
    from their context; it is the engine's own object, with these methods.

    >>> from millstream.datastream import KeyedProcessFunction
    >>> from millstream.testing import KeyedProcessHarness
    >>> class Later(KeyedProcessFunction):
    ...     def process_element(self, value, ctx):
    ...         ctx.timer_service().register_event_time_timer(ctx.timestamp() + 1_000)
    ...     def on_timer(self, timestamp, ctx):
    ...         yield ctx.get_current_key(), timestamp
    >>> with KeyedProcessHarness(Later(), lambda word: word) as harness:
    ...     harness.process_element("a", 500)
    ...     harness.process_watermark(1_500)
    ...     print(harness.take_output())
    [('a', 1500)]
    """

    @abstractmethod
    def current_processing_time(self) -> int:
        """The clock's time."""

    @abstractmethod
    def current_watermark(self) -> int:
        """Event time has come so far; the smallest 64-bit integer before the first watermark."""

    @abstractmethod
    def register_processing_time_timer(self, timestamp: int) -> None:
        """Calls ``on_timer`` when the clock has passed ``timestamp``."""

    @abstractmethod
    def register_event_time_timer(self, timestamp: int) -> None:
        """Calls ``on_timer`` when the watermark reaches ``timestamp``; one for the past fires at the next watermark."""

    @abstractmethod
    def delete_processing_time_timer(self, timestamp: int) -> None:
        """Forgets a timer; does nothing if there is none."""

    @abstractmethod
    def delete_event_time_timer(self, timestamp: int) -> None:
        """Forgets a timer; does nothing if there is none."""
