"""What is left out of a window when it fires.

PyFlink has no evictors; these are those of Flink's Java API, with its names in Python's spelling. A window with an evictor keeps all its elements:
reduce and aggregate functions run when it fires, over those that are left.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from millstream._tracebacks import guard_factories
from millstream.common.time import Duration, Time, milliseconds_of
from millstream.datastream.triggers import delta_of, reaches

if TYPE_CHECKING:
    from datetime import timedelta

    from millstream.metrics import MetricGroup

__all__ = ["CountEvictor", "DeltaEvictor", "Evictor", "TimeEvictor", "TimestampedValue"]

T = TypeVar("T")
W = TypeVar("W")


class TimestampedValue(Generic[T]):
    """An element in a window with an evictor, and its timestamp.

    >>> TimestampedValue("a", 1_000)
    TimestampedValue('a', 1000)
    """

    __slots__ = ("timestamp", "value")

    def __init__(self, value: T, timestamp: int | None) -> None:
        self.value = value
        self.timestamp = timestamp

    def get_value(self) -> T:
        """The element."""
        return self.value

    def get_timestamp(self) -> int:
        """Its timestamp in milliseconds. Raises ``ValueError`` if it has none."""
        if self.timestamp is None:
            raise ValueError(f"{self.value!r} has no timestamp; assign_timestamps_and_watermarks gives one")
        return self.timestamp

    def has_timestamp(self) -> bool:
        """Whether it has a timestamp."""
        return self.timestamp is not None

    def __repr__(self) -> str:
        return f"TimestampedValue({self.value!r}, {self.timestamp!r})"


class Evictor(ABC, Generic[T, W]):
    """Removes elements from a window when it fires, before its function is called, or after it.

    ``elements`` is the list of all :class:`TimestampedValue` of the window in the order in which they came; what is removed from it is forgotten.

    >>> class WithoutNegative(Evictor):
    ...     def evict_before(self, elements, size, window, evictor_context):
    ...         elements[:] = [element for element in elements if element.value >= 0]
    ...     def evict_after(self, elements, size, window, evictor_context):
    ...         pass
    """

    class EvictorContext(ABC):
        """The time. Only valid during the call."""

        @abstractmethod
        def get_current_processing_time(self) -> int:
            """The clock's time in milliseconds."""

        @abstractmethod
        def get_metric_group(self) -> MetricGroup:
            """Where to make counters and gauges."""

        @abstractmethod
        def get_current_watermark(self) -> int:
            """Event time has come so far, in milliseconds."""

    @abstractmethod
    def evict_before(self, elements: list[TimestampedValue[T]], size: int, window: W, evictor_context: Evictor.EvictorContext) -> None:
        """Removes elements before the window's function is called. ``size`` is their number."""

    @abstractmethod
    def evict_after(self, elements: list[TimestampedValue[T]], size: int, window: W, evictor_context: Evictor.EvictorContext) -> None:
        """Removes elements after the window's function was called. ``size`` is their number."""


class _EvictorOfOneRule(Evictor[Any, Any]):
    """One rule, that is applied before or after the window's function."""

    def __init__(self, do_evict_after: bool) -> None:
        self._do_evict_after = do_evict_after

    def evict_before(self, elements: list[TimestampedValue[Any]], size: int, window: Any, evictor_context: Evictor.EvictorContext) -> None:
        if not self._do_evict_after:
            self._evict(elements)

    def evict_after(self, elements: list[TimestampedValue[Any]], size: int, window: Any, evictor_context: Evictor.EvictorContext) -> None:
        if self._do_evict_after:
            self._evict(elements)

    @abstractmethod
    def _evict(self, elements: list[TimestampedValue[Any]]) -> None:
        """Applies the rule."""


class CountEvictor(_EvictorOfOneRule):
    """Keeps the last so many elements.

    >>> CountEvictor.of(100)
    CountEvictor(100)
    """

    def __init__(self, max_count: int, do_evict_after: bool = False) -> None:
        super().__init__(do_evict_after)
        if isinstance(max_count, bool) or not isinstance(max_count, int) or max_count < 0:
            raise ValueError(f"CountEvictor: the number of elements must be an int of 0 or more, but is {max_count!r}")
        self._max_count = max_count

    @staticmethod
    def of(max_count: int, do_evict_after: bool = False) -> CountEvictor:
        """Keeps the last ``max_count``."""
        return CountEvictor(max_count, do_evict_after)

    def _evict(self, elements: list[TimestampedValue[Any]]) -> None:
        if len(elements) > self._max_count:
            del elements[: len(elements) - self._max_count]

    def __repr__(self) -> str:
        return f"CountEvictor({self._max_count})"


class TimeEvictor(_EvictorOfOneRule):
    """Keeps the elements that are less than a time older than the newest one. Without timestamps it keeps all.

    >>> from millstream.common import Time
    >>> TimeEvictor.of(Time.seconds(5))
    TimeEvictor(5000 ms)
    """

    def __init__(self, window_size: int, do_evict_after: bool = False) -> None:
        super().__init__(do_evict_after)
        self._window_size = window_size

    @staticmethod
    def of(window_size: Time | Duration | timedelta | int, do_evict_after: bool = False) -> TimeEvictor:
        """Keeps what is less than ``window_size`` older than the newest."""
        return TimeEvictor(milliseconds_of(window_size, "TimeEvictor's size"), do_evict_after)

    def _evict(self, elements: list[TimestampedValue[Any]]) -> None:
        if not elements or elements[0].timestamp is None:
            return
        cut = max(element.get_timestamp() for element in elements) - self._window_size
        elements[:] = [element for element in elements if element.get_timestamp() > cut]

    def __repr__(self) -> str:
        return f"TimeEvictor({self._window_size} ms)"


class DeltaEvictor(_EvictorOfOneRule):
    """Removes the elements that are as far as a threshold, or further, from the last one.

    >>> DeltaEvictor.of(5.0, lambda element, last: abs(last - element))
    DeltaEvictor(5.0)
    """

    def __init__(self, threshold: float, delta_function: Any, do_evict_after: bool = False) -> None:
        super().__init__(do_evict_after)
        delta_of(delta_function, "DeltaEvictor")
        self._threshold = threshold
        self._delta_function = delta_function

    @staticmethod
    def of(threshold: float, delta_function: Any, do_evict_after: bool = False) -> DeltaEvictor:
        """Removes elements for which ``delta_function(element, last) >= threshold``."""
        return DeltaEvictor(threshold, delta_function, do_evict_after)

    def _evict(self, elements: list[TimestampedValue[Any]]) -> None:
        if not elements:
            return
        last, delta = elements[-1].value, delta_of(self._delta_function, "DeltaEvictor")
        elements[:] = [element for element in elements if not reaches(delta(element.value, last), self._threshold, "DeltaEvictor")]

    def __repr__(self) -> str:
        return f"DeltaEvictor({self._threshold})"


guard_factories(globals())
