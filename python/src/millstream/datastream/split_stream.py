"""Streams split by name, as Flink before 1.12 had them; side outputs took their place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from millstream.datastream.data_stream import DataStream

__all__ = ["SplitStream"]


class SplitStream(DataStream):
    """A stream whose values have names; :meth:`select` takes those of some names. Without it, it is the whole stream.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> numbers = env.from_collection([1, 2, 3, 6]).split(lambda n: [name for name, divisor in (("two", 2), ("three", 3)) if n % divisor == 0])
    >>> list(numbers.select("three").execute_and_collect())
    [3, 6]
    """

    def __init__(self, stream: DataStream, output_selector: Callable[[Any], Iterable[str]]) -> None:
        if not callable(output_selector):
            raise TypeError(f"split takes a function from a value to its names, not {output_selector!r}")
        super().__init__(stream._env, stream._values()._input, stream._type_info)
        self._output_selector = output_selector

    def select(self, *output_names: str) -> DataStream:  # type: ignore[override]
        """The values that have one of the names. Each comes once. A selector that gives no list of names fails the job with ``TypeError``."""
        if not output_names or not all(isinstance(name, str) for name in output_names):
            raise TypeError(f"select takes names, not {output_names!r}")
        selector, wanted = self._output_selector, frozenset(output_names)

        def is_wanted(value: Any) -> bool:
            names = selector(value)
            # A text is an iterable of its letters, which are hardly meant.
            if isinstance(names, (str, bytes)) or not isinstance(names, Iterable):
                raise TypeError(f"the selector of split gave {names!r}; a list of names was expected")
            return not wanted.isdisjoint(names)

        return self.filter(is_wanted).name(f"Select {', '.join(output_names)}")
