"""Streams with keys."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.typeinfo import PickledBytesTypeInfo, RowTypeInfo, TupleTypeInfo, TypeInformation, type_of
from millstream.datastream.data_stream import DataStream
from millstream.datastream.field_access import field_index, field_names, field_types, is_number, rolling_first, rolling_function
from millstream.datastream.function_adapter import callables_of, checked_function, keyed_process, may_have_state, stage_elements
from millstream.datastream.functions import (
    FilterFunction,
    FlatMapFunction,
    KeyedProcessFunction,
    KeySelector,
    MapFunction,
    ReduceFunction,
)
from millstream.datastream.transformation import JobBuilder, StreamInput, Transformation
from millstream.exceptions import InvalidStateError, PlanError

if TYPE_CHECKING:
    from millstream.datastream.interval_join import IntervalJoin
    from millstream.datastream.windowed_stream import WindowedStream

__all__ = ["KeyedStream"]


class KeyColumns(NamedTuple):
    """Where a stream's key is: columns of the stream itself, or columns that a key selector puts behind them."""

    transformation: Transformation
    side_output: str | None
    keys: tuple[int, ...]
    key_type: TypeInformation


def key_stream(stream: DataStream, selector: Any, key_type: TypeInformation | None) -> KeyedStream:
    """The stream, partitioned by key."""
    stream._env._check_open()
    columns = key_columns(stream, selector, key_type)
    keyed_input = StreamInput(columns.transformation, "HASH", columns.side_output, columns.keys)
    return KeyedStream(stream._env, keyed_input, stream._type_info, columns.key_type, stream)


def key_columns(stream: DataStream, selector: Any, key_type: TypeInformation | None) -> KeyColumns:
    """Finds the key's columns, or adds a key selector that makes them."""
    fields = _fields(selector)
    if fields is not None and field_names(stream._type_info) is not None:
        positions = tuple(field_index(stream._type_info, field, "key_by") for field in fields)
        types = [field_types(stream._type_info)[position] for position in positions]
        found = key_type if key_type is not None else types[0] if len(types) == 1 else TupleTypeInfo(types)
        if stream._input.partitioning == "FORWARD":
            return KeyColumns(stream._transformation, stream._input.side_output, positions, found)
        # The partitioning asked for first stays: the stream passes it, then is partitioned by key.
        stream = stream.map(lambda value: value, stream._type_info).name("Forward")
        return KeyColumns(stream._transformation, None, positions, found)
    if fields is not None:
        for field in fields:
            if not isinstance(plain := stream._type_info, PickledBytesTypeInfo):
                field_index(plain, field, "key_by")
        selector = operator.itemgetter(*fields)
    checked_function(selector, KeySelector, "get_key", "key_by")
    return _selected_key(stream, selector, type_of(key_type, "key_type of key_by"))


def _selected_key(stream: DataStream, selector: Any, key_type: TypeInformation) -> KeyColumns:
    schema = stream._type_info.schema()
    key_schema = key_type.schema()

    def add(builder: JobBuilder, transformation: Transformation, inputs: list[_native.Input]) -> int:
        callables = callables_of(selector, ["get_key"], builder.scope, transformation.name)
        return builder.native.key_selector(inputs[0], _native.transform([("key", callables, transformation.name, key_schema)], schema))

    transformation = Transformation("KeyBy", [stream._input], stream._type_info, add)
    transformation.is_virtual = True
    first = len(field_types(stream._type_info))
    count = len(field_types(key_type))
    return KeyColumns(transformation, None, tuple(range(first, first + count)), key_type)


def _fields(selector: Any) -> list[str | int] | None:
    """The selector as fields; None for functions."""
    if isinstance(selector, (str, int)) and not isinstance(selector, bool):
        return [selector]
    if isinstance(selector, (list, tuple)) and selector and all(isinstance(entry, (str, int)) for entry in selector):
        return list(selector)
    return None


class KeyedStream(DataStream):
    """A stream whose values with one key go to one subtask, in order: for reductions, windows, states and timers."""

    def __init__(
        self, env: Any, stream: StreamInput, type_info: TypeInformation, key_type: TypeInformation, origin_stream: DataStream
    ) -> None:
        super().__init__(env, stream, type_info)
        self._key_type = key_type
        self._origin_stream = origin_stream

    def get_key_type(self) -> TypeInformation:
        """The type of the keys."""
        return self._key_type

    # ---- Functions of values, with states ----

    def map(self, func: Callable[[Any], Any] | MapFunction[Any, Any], output_type: TypeInformation | list[Any] | str | None = None) -> DataStream:
        """One value for each; a :class:`MapFunction` may keep states, which it makes in ``open``."""
        checked_function(func, MapFunction, "map", "map")
        result = type_of(output_type, "output_type of map")
        if not may_have_state(func):
            return self._stage("map", "Map", func, result)
        return self._keyed("Map", func, stage_elements("map"), result)

    def flat_map(
        self, func: Callable[[Any], Any] | FlatMapFunction[Any, Any], output_type: TypeInformation | list[Any] | str | None = None
    ) -> DataStream:
        """Any number of values for each; a :class:`FlatMapFunction` may keep states, which it makes in ``open``."""
        checked_function(func, FlatMapFunction, "flat_map", "flat_map")
        result = type_of(output_type, "output_type of flat_map")
        if not may_have_state(func):
            return self._stage("flat_map", "FlatMap", func, result)
        return self._keyed("FlatMap", func, stage_elements("flat_map"), result)

    def filter(self, func: Any) -> DataStream:
        """Keeps some values; a :class:`FilterFunction` may keep states, which it makes in ``open``."""
        if not isinstance(func, FilterFunction) or not may_have_state(func):
            return super().filter(func)
        return self._keyed("Filter", func, stage_elements("filter"), self._type_info)

    def process(  # type: ignore[override]
        self, func: KeyedProcessFunction[Any, Any, Any], output_type: TypeInformation | list[Any] | str | None = None
    ) -> DataStream:
        """Any number of results and side outputs for each value and timer. Raises ``TypeError`` unless it is a :class:`KeyedProcessFunction`."""
        if not isinstance(func, KeyedProcessFunction):
            raise TypeError(f"process on a KeyedStream takes a KeyedProcessFunction, not {func!r}")

        def elements(instance: Any) -> tuple[Callable[..., Any], Callable[..., Any] | None]:
            has_timers = type(instance).on_timer is not KeyedProcessFunction.on_timer
            return instance.process_element, instance.on_timer if has_timers else None

        return self._keyed("KeyedProcess", func, elements, type_of(output_type, "output_type of process"))

    # ---- Reductions ----

    def reduce(self, func: Callable[[Any, Any], Any] | ReduceFunction[Any]) -> DataStream:
        """For each value, the reduction of all values of its key so far.

        In a batch job only the last one of each key comes out, at the end.
        """
        checked_function(func, ReduceFunction, "reduce", "reduce")
        return self._reduce("Reduce", func)

    def sum(self, position_to_sum: int | str = 0) -> DataStream:
        """For each value, the first value of its key with the sum of a field so far. Numbers of declared types are added without Python.

        >>> from millstream.datastream import StreamExecutionEnvironment
        >>> env = StreamExecutionEnvironment.get_execution_environment()
        >>> words = env.from_collection([("a", 1), ("b", 5), ("a", 2)])
        >>> list(words.key_by(lambda word: word[0]).sum(1).execute_and_collect())
        [('a', 1), ('b', 5), ('a', 3)]
        """
        return self._rolling("SUM", "Sum", position_to_sum)

    def min(self, position_to_min: int | str = 0) -> DataStream:
        """For each value, the first value of its key with the smallest of a field so far."""
        return self._rolling("MIN", "Min", position_to_min)

    def max(self, position_to_max: int | str = 0) -> DataStream:
        """For each value, the first value of its key with the largest of a field so far."""
        return self._rolling("MAX", "Max", position_to_max)

    def min_by(self, position_to_min_by: int | str = 0) -> DataStream:
        """For each value, the value of its key with the smallest field so far; of equal ones the first."""
        return self._rolling("MIN_BY", "MinBy", position_to_min_by)

    def max_by(self, position_to_max_by: int | str = 0) -> DataStream:
        """For each value, the value of its key with the largest field so far; of equal ones the first."""
        return self._rolling("MAX_BY", "MaxBy", position_to_max_by)

    # ---- Joins ----

    def interval_join(self, other_stream: KeyedStream) -> IntervalJoin[Any, Any]:
        """Joins values with those of another keyed stream by key and time. Flink's; PyFlink lacks it. See :class:`IntervalJoin` for an example."""
        from millstream.datastream.interval_join import IntervalJoin

        return IntervalJoin(self, other_stream)

    # ---- Windows ----

    def window(self, window_assigner: Any) -> WindowedStream:
        """Puts the values of each key into windows."""
        from millstream.datastream.windowed_stream import WindowedStream

        return WindowedStream(self, window_assigner)

    def count_window(self, size: int, slide: int = 0) -> WindowedStream:
        """Windows of ``size`` values of a key; with ``slide``, one begins at every ``slide``-th value. Only full windows fire."""
        from millstream.datastream.window import CountSlidingWindowAssigner, CountTumblingWindowAssigner

        return self.window(CountSlidingWindowAssigner.of(size, slide) if slide else CountTumblingWindowAssigner.of(size))

    # ---- What does not go with keys ----

    def key_by(self, key_selector: Any, key_type: TypeInformation | None = None) -> KeyedStream:
        """Takes another key instead."""
        return self._origin_stream.key_by(key_selector, key_type)

    def assign_timestamps_and_watermarks(self, watermark_strategy: Any) -> DataStream:
        """On the stream without keys."""
        return self._origin_stream.assign_timestamps_and_watermarks(watermark_strategy)

    def project(self, *field_indexes: int | str) -> DataStream:
        """On the stream without keys."""
        return self._origin_stream.project(*field_indexes)

    def select(self, *expressions: Any) -> DataStream:
        """On the stream without keys."""
        return self._origin_stream.select(*expressions)

    def _partitioned(self, partitioning: str) -> NoReturn:
        raise InvalidStateError(f"a keyed stream is partitioned by its key: {partitioning.lower()} cannot be applied after key_by")

    def partition_custom(self, partitioner: Any, key_selector: Any) -> NoReturn:
        """A keyed stream is partitioned by its key: raises ``InvalidStateError``."""
        self._partitioned("partition_custom")

    def get_side_output(self, output_tag: Any) -> NoReturn:
        """A keyed stream is no operator: raises ``InvalidStateError``."""
        raise InvalidStateError("get_side_output belongs on an operator's stream, not after key_by")

    # ---- Inside ----

    def _values(self) -> DataStream:
        return self._origin_stream

    def _setting(self, what: str) -> Transformation:
        raise InvalidStateError(f"key_by makes no operator: set the {what} on the operator before or after it")

    def get_name(self) -> str:
        """A keyed stream is no operator: raises ``InvalidStateError``."""
        raise InvalidStateError("key_by makes no operator, so it has no name")

    def _keyed(self, name: str, function: Any, elements: Any, result: TypeInformation) -> DataStream:
        schema, key_schema = self._type_info.schema(), self._key_type.schema()
        stream = self._add(
            name,
            result,
            lambda builder, transformation, inputs: keyed_process(builder, transformation, inputs[0], function, elements, schema, key_schema),
        )
        stream._transformation.takes_dead_letters = True
        return stream

    def _reduce(self, name: str, function: Any, first: Callable[[Any], Any] | None = None) -> DataStream:
        schema = self._type_info.schema()

        def add(builder: JobBuilder, transformation: Transformation, inputs: list[_native.Input]) -> int:
            callables = callables_of(function, ["reduce"], builder.scope, transformation.name)
            return builder.native.reduce(inputs[0], _native.reducer(callables, schema, transformation.name, first))

        return self._add(name, self._type_info, add)

    def _rolling(self, kind: Any, name: str, field: int | str) -> DataStream:
        if isinstance(field, bool) or not isinstance(field, (int, str)):
            raise TypeError(f"{kind.lower()}: a field is a name or a position, not {field!r}")
        if isinstance(self._type_info, PickledBytesTypeInfo):
            return self._reduce(name, rolling_function(kind, field), rolling_first(kind, field))
        position = field_index(self._type_info, field, kind.lower())
        if not is_number(field_types(self._type_info)[position]):
            if kind == "SUM" and isinstance(self._type_info, (RowTypeInfo, TupleTypeInfo)):
                raise PlanError(f"sum: field {field!r} is no number, but {field_types(self._type_info)[position]!r}")
            return self._reduce(name, rolling_function(kind, field), rolling_first(kind, field))
        return self._add(name, self._type_info, lambda builder, _, inputs: builder.native.rolling(inputs[0], kind, position))

    def __repr__(self) -> str:
        return f"<KeyedStream of {self._type_info!r} by {self._key_type!r} from {self._origin_stream._transformation.name!r}>"


guard(globals())
