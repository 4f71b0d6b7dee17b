"""Numbers and lists that functions add to while a job runs, and that its result gives as a whole.

``RuntimeContext.add_accumulator`` names one; each subtask has its own, and ``JobExecutionResult.get_accumulator_result`` gives all of one name
merged. Flink has them in Java only.
"""

from __future__ import annotations

import copy
import threading
from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

from millstream.exceptions import InvalidStateError, with_article

__all__ = [
    "Accumulator",
    "AccumulatorRegistry",
    "AverageAccumulator",
    "DoubleCounter",
    "DoubleMaximum",
    "DoubleMinimum",
    "Histogram",
    "IntCounter",
    "IntMaximum",
    "IntMinimum",
    "ListAccumulator",
    "LongCounter",
    "LongMaximum",
    "LongMinimum",
]

V = TypeVar("V")
R = TypeVar("R")


class Accumulator(ABC, Generic[V, R]):
    """Takes values one at a time. ``V`` is the type of what is added, ``R`` that of the result.

    >>> class Longest(Accumulator):
    ...     def __init__(self):
    ...         self.text = ""
    ...     def add(self, value):
    ...         self.text = max(self.text, value, key=len)
    ...     def get_local_value(self):
    ...         return self.text
    ...     def reset_local(self):
    ...         self.text = ""
    ...     def merge(self, other):
    ...         self.add(other.text)
    >>> longest = Longest()
    >>> longest.add("to"); longest.add("be"); longest.add("not"); longest.get_local_value()
    'not'
    """

    @abstractmethod
    def add(self, value: V) -> None:
        """One more value."""

    @abstractmethod
    def get_local_value(self) -> R:
        """The result of what this subtask has added."""

    @abstractmethod
    def reset_local(self) -> None:
        """Forgets what was added."""

    @abstractmethod
    def merge(self, other: Any) -> None:
        """Takes in another accumulator of the same class."""

    def clone(self) -> Accumulator[V, R]:
        """A copy that changes apart from this one."""
        return copy.deepcopy(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.get_local_value()!r})"


class _Number(Accumulator[float, Any]):
    """One number, into which others go."""

    _start: float = 0

    def __init__(self, value: float | None = None) -> None:
        self._value = self._start if value is None else value

    def get_local_value(self) -> Any:
        return self._value

    def reset_local(self) -> None:
        self._value = self._start

    def merge(self, other: Any) -> None:
        self.add(other._value)


class _Sum(_Number):
    def add(self, value: float) -> None:
        self._value += value


class _Max(_Number):
    def add(self, value: float) -> None:
        self._value = max(self._value, value)


class _Min(_Number):
    def add(self, value: float) -> None:
        self._value = min(self._value, value)


class IntCounter(_Sum):
    """The sum of whole numbers: 0 at first. Python's integers have no bound, so it does not overflow as Java's does.

    >>> one, other = IntCounter(), IntCounter()
    >>> one.add(2)
    >>> other.add(3)
    >>> one.merge(other)
    >>> one.get_local_value()
    5
    """


class LongCounter(_Sum):
    """The sum of whole numbers: 0 at first.

    >>> rows = LongCounter()
    >>> rows.add(2**40)
    >>> rows.get_local_value()
    1099511627776
    """


class DoubleCounter(_Sum):
    """The sum of floating point numbers: 0.0 at first.

    >>> total = DoubleCounter()
    >>> total.add(0.5)
    >>> total.get_local_value()
    0.5
    """

    _start = 0.0


class IntMaximum(_Max):
    """The largest whole number: -2147483648 at first.

    >>> largest = IntMaximum()
    >>> largest.add(3)
    >>> largest.get_local_value()
    3
    """

    _start = -(2**31)


class IntMinimum(_Min):
    """The smallest whole number: 2147483647 at first.

    >>> smallest = IntMinimum()
    >>> smallest.add(3)
    >>> smallest.get_local_value()
    3
    """

    _start = 2**31 - 1


class LongMaximum(_Max):
    """The largest whole number: -2 ** 63 at first.

    >>> latest = LongMaximum()
    >>> latest.add(1_700_000_000_000)
    >>> latest.get_local_value()
    1700000000000
    """

    _start = -(2**63)


class LongMinimum(_Min):
    """The smallest whole number: 2 ** 63 - 1 at first.

    >>> first = LongMinimum()
    >>> first.add(1_700_000_000_000)
    >>> first.get_local_value()
    1700000000000
    """

    _start = 2**63 - 1


class DoubleMaximum(_Max):
    """The largest number: minus infinity at first.

    >>> largest = DoubleMaximum()
    >>> largest.add(1.5)
    >>> largest.add(0.5)
    >>> largest.get_local_value()
    1.5
    """

    _start = float("-inf")


class DoubleMinimum(_Min):
    """The smallest number: infinity at first.

    >>> smallest = DoubleMinimum()
    >>> smallest.add(1.5)
    >>> smallest.add(0.5)
    >>> smallest.get_local_value()
    0.5
    """

    _start = float("inf")


class AverageAccumulator(Accumulator[float, float]):
    """The mean of numbers: 0.0 without any.

    >>> average = AverageAccumulator()
    >>> average.add(1)
    >>> average.add(4)
    >>> average.get_local_value()
    2.5
    """

    def __init__(self) -> None:
        self._count = 0
        self._sum = 0.0

    def add(self, value: float) -> None:
        self._count += 1
        self._sum += value

    def get_local_value(self) -> float:
        return self._sum / self._count if self._count else 0.0

    def reset_local(self) -> None:
        self._count, self._sum = 0, 0.0

    def merge(self, other: Any) -> None:
        self._count += other._count
        self._sum += other._sum


class Histogram(Accumulator[int, dict[int, int]]):
    """How often each whole number came, in ascending order of the numbers.

    >>> lengths = Histogram()
    >>> for word in ("to", "be", "not"):
    ...     lengths.add(len(word))
    >>> lengths.get_local_value()
    {2: 2, 3: 1}
    """

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def add(self, value: int) -> None:
        self._counts[value] = self._counts.get(value, 0) + 1

    def get_local_value(self) -> dict[int, int]:
        return dict(sorted(self._counts.items()))

    def reset_local(self) -> None:
        self._counts = {}

    def merge(self, other: Any) -> None:
        for value, count in other._counts.items():
            self._counts[value] = self._counts.get(value, 0) + count


class ListAccumulator(Accumulator[V, list[V]]):
    """All values. They are kept in memory: for small lists.

    >>> words = ListAccumulator()
    >>> words.add("to")
    >>> words.add("be")
    >>> words.get_local_value()
    ['to', 'be']
    """

    def __init__(self) -> None:
        self._values: list[V] = []

    def add(self, value: V) -> None:
        self._values.append(value)

    def get_local_value(self) -> list[V]:
        return list(self._values)

    def reset_local(self) -> None:
        self._values = []

    def merge(self, other: Any) -> None:
        self._values += other._values


class AccumulatorRegistry:
    """The accumulators of one job by name.

    >>> registry = AccumulatorRegistry()
    >>> for subtask in (0, 1):
    ...     counter = IntCounter()
    ...     counter.add(subtask + 1)
    ...     registry.add("rows", "Map", subtask, counter)
    >>> registry.results()
    {'rows': 3}
    """

    def __init__(self) -> None:
        self._by_name: dict[str, list[tuple[str, int, Accumulator[Any, Any]]]] = {}
        self._lock = threading.Lock()

    def add(self, name: str, task_name: str, subtask: int, accumulator: Accumulator[Any, Any]) -> None:
        """One subtask's accumulator. Raises ``InvalidStateError`` if another of this name is of another class."""
        with self._lock:
            known = self._by_name.setdefault(name, [])
            kind = type(accumulator)
            if known and type(known[0][2]) is not kind:
                raise InvalidStateError(
                    f"accumulator {name!r} is {with_article(type(known[0][2]))} in {known[0][0]}, and cannot be {with_article(kind)} in {task_name}"
                )
            known.append((task_name, subtask, accumulator))

    def results(self) -> dict[str, Any]:
        """The results by name, merged by operator's name and subtask."""
        with self._lock:
            snapshot = {name: sorted(entries, key=lambda entry: entry[:2]) for name, entries in self._by_name.items()}
        found: dict[str, Any] = {}
        for name, entries in snapshot.items():
            try:
                whole = entries[0][2].clone()
                for _, _, other in entries[1:]:
                    whole.merge(other)
                found[name] = whole.get_local_value()
            except Exception as failure:
                failure.add_note(f"in accumulator {name!r} of operator {entries[0][0]!r}, while the subtasks' values were merged")
                raise
        return found
