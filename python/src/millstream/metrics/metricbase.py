"""Counters and gauges that functions keep, seen from outside through the job's client."""

from __future__ import annotations

import threading
import time
from abc import ABC
from collections.abc import Callable

__all__ = ["Counter", "Distribution", "Gauge", "Meter", "Metric", "MetricGroup", "MetricRegistry"]


class Metric(ABC):  # noqa: B024 - the common base of all metrics has nothing to do itself
    """The base of all metrics.

    >>> issubclass(Counter, Metric)
    True
    """


class Counter(Metric):
    """A number that is counted up and down.

    >>> counter = Counter()
    >>> counter.inc(); counter.inc(2); counter.dec(); counter.get_count()
    2
    """

    def __init__(self) -> None:
        self._count = 0

    def inc(self, n: int = 1) -> None:
        """Counts up."""
        self._count += n

    def dec(self, n: int = 1) -> None:
        """Counts down."""
        self._count -= n

    def get_count(self) -> int:
        """The number now."""
        return self._count


class Gauge(Metric):
    """A number that a function tells when it is asked.

    >>> waiting = [1, 2]
    >>> Gauge(lambda: len(waiting)).get_value()
    2
    """

    def __init__(self, read: Callable[[], int]) -> None:
        if not callable(read):
            raise TypeError(f"a gauge takes a function that tells its number, not {read!r}")
        self._read = read

    def get_value(self) -> int:
        """The number now."""
        return self._read()


class Meter(Metric):
    """Events per second over the last ``time_span_in_seconds``.

    >>> from millstream.datastream import MapFunction, StreamExecutionEnvironment
    >>> class Metered(MapFunction):
    ...     def open(self, runtime_context):
    ...         self.rate = runtime_context.get_metrics_group().meter("rate", 60)
    ...     def map(self, value):
    ...         self.rate.mark_event()
    ...         return self.rate.get_count()
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> list(env.from_collection(["a", "b"]).map(Metered()).execute_and_collect())
    [1, 2]
    """

    def __init__(self, time_span_in_seconds: int = 60) -> None:
        if isinstance(time_span_in_seconds, bool) or not isinstance(time_span_in_seconds, int) or time_span_in_seconds < 1:
            raise ValueError(f"a meter's time span is a number of seconds, at least 1, and not {time_span_in_seconds!r}")
        self._span = time_span_in_seconds
        self._count = 0
        # One entry per second that had events, at most `span` of them.
        self._seconds: list[tuple[int, int]] = []

    def mark_event(self, value: int = 1) -> None:
        """So many events now."""
        now = int(time.monotonic())
        self._count += value
        if self._seconds and self._seconds[-1][0] == now:
            self._seconds[-1] = (now, self._seconds[-1][1] + value)
        else:
            self._seconds = [entry for entry in self._seconds if entry[0] > now - self._span] + [(now, value)]

    def get_count(self) -> int:
        """All events so far."""
        return self._count

    def get_rate(self) -> float:
        """Events per second."""
        now = int(time.monotonic())
        return sum(count for second, count in self._seconds if second > now - self._span) / self._span


class Distribution(Metric):
    """The number, sum, smallest and largest of some values.

    >>> from millstream.datastream import MapFunction, StreamExecutionEnvironment
    >>> class Lengths(MapFunction):
    ...     def open(self, runtime_context):
    ...         self.lengths = runtime_context.get_metrics_group().distribution("lengths")
    ...     def map(self, value):
    ...         self.lengths.update(len(value))
    ...         return value
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> list(env.from_collection(["to", "not"]).map(Lengths()).execute_and_collect())
    ['to', 'not']
    """

    def __init__(self) -> None:
        self.count = 0
        self.sum = 0
        self.min: int | None = None
        self.max: int | None = None

    def update(self, value: int) -> None:
        """One more value."""
        self.count += 1
        self.sum += value
        self.min = value if self.min is None else min(self.min, value)
        self.max = value if self.max is None else max(self.max, value)


class MetricRegistry:
    """All metrics that one job's functions have made."""

    def __init__(self) -> None:
        #: By groups and name, then by subtask and owner: operators may have the same name.
        self._metrics: dict[tuple[str, ...], dict[tuple[int, int], Metric]] = {}
        self._owner_count = 0
        self._lock = threading.Lock()

    def new_owner(self) -> int:
        """A number for one subtask of one operator."""
        with self._lock:
            self._owner_count += 1
            return self._owner_count

    def add(self, path: tuple[str, ...], subtask: int, metric: Metric, owner: int = 0) -> None:
        """One subtask's metric by its groups and name; a second one of the same owner takes the first one's place."""
        with self._lock:
            self._metrics.setdefault(path, {})[subtask, owner] = metric

    def accumulators(self) -> dict[str, int]:
        """The counters by name, summed over subtasks and over operators that use the same name."""
        with self._lock:
            found: dict[str, int] = {}
            for path, by_subtask in self._metrics.items():
                counts = [metric.get_count() for metric in by_subtask.values() if isinstance(metric, Counter)]
                if counts:
                    name = ".".join(path[1:])
                    found[name] = found.get(name, 0) + sum(counts)
            return found

    def values(self) -> list[dict[str, object]]:
        """All metrics with their values now, by operator, name and subtask.

        Each is a dict of ``operator``, ``name`` (groups and name joined by dots), ``subtask``, ``type`` and ``value``: a number for counters and
        gauges, a dict of ``count`` and ``rate`` (a second) for meters, of ``count``, ``sum``, ``min``, ``max`` and ``mean`` for distributions. A
        gauge whose function fails has the value ``None``, and the failure's text as ``error``.
        """
        with self._lock:
            metrics = [(path, owner, metric) for path, by_owner in self._metrics.items() for owner, metric in by_owner.items()]
        found: list[dict[str, object]] = []
        for path, (subtask, _), metric in sorted(metrics, key=lambda entry: entry[:2]):
            entry: dict[str, object] = {
                "operator": path[0],
                "name": ".".join(path[1:]),
                "subtask": subtask,
                "type": type(metric).__name__.lower(),
            }
            found.append({**entry, **_value(metric)})
        return found


def _value(metric: Metric) -> dict[str, object]:
    match metric:
        case Counter():
            return {"value": metric.get_count()}
        case Meter():
            return {"value": {"count": metric.get_count(), "rate": metric.get_rate()}}
        case Distribution():
            mean = metric.sum / metric.count if metric.count else None
            return {"value": {"count": metric.count, "sum": metric.sum, "min": metric.min, "max": metric.max, "mean": mean}}
        case Gauge():
            # A user's function runs in the thread that asks, beside the job: what it raises must not end the asking.
            try:
                return {"value": metric.get_value()}
            except Exception as failure:
                return {"value": None, "error": f"{type(failure).__name__}: {failure}"}
    return {"value": None}


class MetricGroup:
    """Where a function makes its metrics: a named group of an operator's subtask, with groups inside.

    >>> from millstream.datastream import MapFunction, StreamExecutionEnvironment
    >>> class Counted(MapFunction):
    ...     def open(self, runtime_context):
    ...         self.seen = runtime_context.get_metrics_group().counter("seen")
    ...     def map(self, value):
    ...         self.seen.inc()
    ...         return self.seen.get_count()
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> list(env.from_collection(["a", "b"]).map(Counted()).execute_and_collect())
    [1, 2]
    """

    def __init__(self, registry: MetricRegistry, path: tuple[str, ...], subtask: int, owner: int = 0) -> None:
        self._registry = registry
        self._path = path
        self._subtask = subtask
        self._owner = owner

    def add_group(self, name: str, extra: str | None = None) -> MetricGroup:
        """A group inside this one; with ``extra``, a key and its value."""
        return MetricGroup(self._registry, self._path + ((name,) if extra is None else (name, extra)), self._subtask, self._owner)

    def counter(self, name: str) -> Counter:
        """A new counter."""
        counter = Counter()
        self._registry.add((*self._path, name), self._subtask, counter, self._owner)
        return counter

    def gauge(self, name: str, obj: Callable[[], int]) -> None:
        """A new gauge that calls ``obj`` when it is read. Raises ``TypeError`` for what cannot be called."""
        self._registry.add((*self._path, name), self._subtask, Gauge(obj), self._owner)

    def meter(self, name: str, time_span_in_seconds: int = 60) -> Meter:
        """A new meter. Raises ``ValueError`` for a time span that is not positive."""
        meter = Meter(time_span_in_seconds)
        self._registry.add((*self._path, name), self._subtask, meter, self._owner)
        return meter

    def distribution(self, name: str) -> Distribution:
        """A new distribution."""
        distribution = Distribution()
        self._registry.add((*self._path, name), self._subtask, distribution, self._owner)
        return distribution
