"""Streams whose values are kept for later jobs of the same environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from millstream import _native
from millstream.common.job_status import JobStatus
from millstream.common.typeinfo import PickledBytesTypeInfo, TypeInformation
from millstream.datastream.data_stream import DataStream
from millstream.datastream.transformation import JobBuilder, StreamInput, Transformation
from millstream.exceptions import InvalidStateError

if TYPE_CHECKING:
    from millstream.datastream.stream_execution_environment import StreamExecutionEnvironment

__all__ = ["CachedDataStream"]


class CachedDataStream(DataStream):
    """A stream whose values stay in memory after the first job that reads it has finished: later jobs read those, and run nothing before them.

    Flink does this in batch mode only; here it works in both. Values keep their timestamps. Python objects are kept themselves, so a later job sees
    what an earlier one has changed in them. A job that fails, or is cancelled, leaves nothing.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> calls = []
    >>> squares = env.from_collection([1, 2, 3]).map(lambda n: calls.append(n) or n * n).cache()
    >>> list(squares.execute_and_collect()), list(squares.map(lambda n: -n).execute_and_collect()), calls
    ([1, 4, 9], [-1, -4, -9], [1, 2, 3])
    """

    def __init__(self, env: StreamExecutionEnvironment, transformation: CachingTransformation, type_info: TypeInformation) -> None:
        super().__init__(env, StreamInput(transformation), type_info)
        self._cache = transformation

    def invalidate(self) -> None:
        """Forgets the values: the next job runs everything again. Raises ``InvalidStateError`` while a job that fills the cache runs."""
        self._cache.invalidate()

    def is_cached(self) -> bool:
        """Whether the values are there. Millstream's own."""
        return self._cache.is_filled()


def cached_stream(stream: DataStream) -> CachedDataStream:
    """The stream with a cache behind it."""
    transformation = CachingTransformation(stream._values()._input, stream._type_info)
    return CachedDataStream(stream._env, transformation, stream._type_info)


class CachingTransformation(Transformation):
    """Passes values on and keeps them, or reads what was kept."""

    __slots__ = ("_filling", "_origin", "_values")

    def __init__(self, stream: StreamInput, type_info: TypeInformation) -> None:
        super().__init__("Cache", [stream], type_info, self._add)
        self._origin = (stream,)
        #: Values with their timestamps, by subtask, once they are there.
        self._values: list[list[tuple[Any, int | None]]] | None = None
        self._filling: tuple[JobBuilder, list[list[tuple[Any, int | None]]]] | None = None

    def prepare(self) -> None:
        """Called before a job is built: finds out whether the values have come meanwhile."""
        self._take()
        self.inputs = self._origin if self._values is None else ()

    def is_filled(self) -> bool:
        """Whether the values are there."""
        self._take()
        return self._values is not None

    def invalidate(self) -> None:
        """Forgets the values."""
        self._take()
        if self._filling is not None:
            raise InvalidStateError("a job that fills the cache is running: wait for its end, or cancel it")
        self._values = None

    def _take(self) -> None:
        if self._filling is None:
            return
        builder, values = self._filling
        job = builder.job
        status = None if job is None else JobStatus[job.status()]
        if status is not None and not status.is_terminal_state():
            return
        self._filling = None
        if status is JobStatus.FINISHED:
            self._values = values

    def _add(self, builder: JobBuilder, transformation: Transformation, inputs: list[_native.Input]) -> int:
        return self._add_reader(builder) if self._values is not None else self._add_writer(builder, inputs[0])

    def _add_writer(self, builder: JobBuilder, stream: _native.Input) -> int:
        kept: list[list[tuple[Any, int | None]]] = []
        schema = self.type_info.schema()

        def make(_: _native.Context) -> tuple[Any, Any, Any]:
            mine: list[tuple[Any, int | None]] = []
            append = mine.append

            def keep(value: Any, context: _native.Context) -> tuple[Any]:
                append((value, context.timestamp()))
                return (value,)

            def open(index: int, parallelism: int, max_parallelism: int) -> None:
                # Subtasks start in any order; values come back in the order of the subtasks.
                while len(kept) < parallelism:
                    kept.append([])
                kept[index] = mine

            return (keep, None), open, None

        if not builder.for_plan and self._filling is None:
            self._filling = (builder, kept)
        return builder.native.process(stream, _native.process(make, schema, schema, self.name, describe=keep_values))

    def _add_reader(self, builder: JobBuilder) -> int:
        pairs = [pair for values in self._values or () for pair in values]
        native, schema, objects = builder.native, self.type_info.schema(), PickledBytesTypeInfo().schema()
        if all(timestamp is None for _, timestamp in pairs):
            return native.source_function(_native.collection([value for value, _ in pairs], schema, self.name), True)
        source = native.source_function(_native.collection(pairs, objects, self.name), True)
        times = _native.extract_timestamps(lambda pair, _: pair[1], objects, self.name)
        timed = native.assign_timestamps(_native.Input(source), _native.Watermarks(timestamps=times))
        stage: _native.Stage = ("map", lambda pair: pair[0], self.name, schema)
        return native.transform(_native.Input(timed), _native.transform([stage], objects))


def keep_values(value: Any) -> Any:
    """What errors call the function that fills a cache."""
    return value
