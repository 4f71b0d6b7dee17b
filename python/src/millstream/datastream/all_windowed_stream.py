"""Streams in windows, without keys."""

from __future__ import annotations

from typing import Any

from millstream._tracebacks import guard
from millstream.common.typeinfo import TypeInformation, Types
from millstream.datastream.data_stream import DataStream
from millstream.datastream.functions import AggregateFunction, AllWindowFunction, ProcessAllWindowFunction
from millstream.datastream.window import WindowAssigner
from millstream.datastream.windowed_stream import WindowedStream

__all__ = ["AllWindowedStream"]


class AllWindowedStream(WindowedStream):
    """A stream whose values are in windows, without keys: one subtask sees them all.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> list(env.from_collection([1, 2, 3, 4]).count_window_all(2).reduce(lambda x, y: x + y).execute_and_collect())
    [3, 7]
    """

    _function_classes = (AllWindowFunction, ProcessAllWindowFunction)

    def __init__(self, data_stream: DataStream, window_assigner: WindowAssigner[Any, Any]) -> None:
        super().__init__(data_stream._values().key_by(_one_key, Types.BYTE()), window_assigner)

    def reduce(  # type: ignore[override]
        self,
        reduce_function: Any,
        window_function: AllWindowFunction[Any, Any, Any] | ProcessAllWindowFunction[Any, Any, Any] | None = None,
        output_type: TypeInformation | list[Any] | str | None = None,
    ) -> DataStream:
        """Reduces each window's elements to one, as they come; a window function may then make results of that one."""
        return super().reduce(reduce_function, window_function, output_type)  # type: ignore[arg-type]

    def aggregate(  # type: ignore[override]
        self,
        aggregate_function: AggregateFunction[Any, Any, Any],
        window_function: AllWindowFunction[Any, Any, Any] | ProcessAllWindowFunction[Any, Any, Any] | None = None,
        accumulator_type: TypeInformation | list[Any] | None = None,
        output_type: TypeInformation | list[Any] | str | None = None,
    ) -> DataStream:
        """Adds each window's elements to an accumulator, as they come; a window function may then make results of the aggregate's one."""
        return super().aggregate(aggregate_function, window_function, accumulator_type, output_type)  # type: ignore[arg-type]

    def apply(  # type: ignore[override]
        self, window_function: AllWindowFunction[Any, Any, Any], output_type: TypeInformation | list[Any] | str | None = None
    ) -> DataStream:
        """Makes results of each window's elements, which are kept until it is complete."""
        return super().apply(window_function, output_type)  # type: ignore[arg-type]

    def process(  # type: ignore[override]
        self, process_window_function: ProcessAllWindowFunction[Any, Any, Any], output_type: TypeInformation | list[Any] | str | None = None
    ) -> DataStream:
        """Makes results of each window's elements, which are kept until it is complete, with window and time at hand."""
        return super().process(process_window_function, output_type)  # type: ignore[arg-type]

    def agg(self, *aggregates: Any) -> DataStream:
        """Counts, sums and the like of fields of declared types, as :meth:`WindowedStream.agg` has them; results begin with the key's field, 0."""
        return super().agg(*aggregates)

    def _add(self, result: TypeInformation, add: Any) -> DataStream:
        stream = super()._add(result, add)
        stream._transformation.name = stream._transformation.name.replace("Window(", "AllWindow(", 1)
        stream._transformation.settings.update({"parallelism": "1", "max-parallelism": "1"})
        return stream


def _one_key(value: Any) -> int:
    return 0


guard(globals())
