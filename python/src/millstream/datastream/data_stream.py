"""Streams, and what can be done with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.typeinfo import (
    PickledBytesTypeInfo,
    RowTypeInfo,
    TupleTypeInfo,
    TypeInformation,
    Types,
    type_from_schema,
    type_of,
    widened,
)
from millstream.common.types import Row
from millstream.common.watermark_strategy import WatermarkStrategy
from millstream.datastream.checkpointed_function import CheckpointedFunction
from millstream.datastream.closeable_iterator import CloseableIterator
from millstream.datastream.data_stream_sink import DataStreamSink
from millstream.datastream.dead_letters import checked_tag, type_of_side_output
from millstream.datastream.field_access import field_index, field_names, field_types, plain_type
from millstream.datastream.function_adapter import callables_of, checked_function, plain_process, stage_elements
from millstream.datastream.functions import (
    FilterFunction,
    FlatMapFunction,
    Function,
    KeySelector,
    MapFunction,
    Partitioner,
    ProcessFunction,
    SinkFunction,
)
from millstream.datastream.java_text import printed_as
from millstream.datastream.operator_settings import OperatorSettings, warn_no_operator
from millstream.datastream.output_tag import OutputTag
from millstream.datastream.transformation import JobBuilder, JobScope, StreamInput, Transformation, call_site, infer_type
from millstream.datastream.watermarks import add_future_output, check_future_output, lower_watermarks
from millstream.exceptions import PlanError
from millstream.notices import say_once

if TYPE_CHECKING:
    from millstream.datastream.all_windowed_stream import AllWindowedStream
    from millstream.datastream.cached_data_stream import CachedDataStream
    from millstream.datastream.connected_streams import BroadcastStream
    from millstream.datastream.connectors.base import Sink
    from millstream.datastream.joined_streams import CoGroupedStreams, JoinedStreams
    from millstream.datastream.keyed_stream import KeyedStream
    from millstream.datastream.split_stream import SplitStream
    from millstream.datastream.state import MapStateDescriptor
    from millstream.datastream.stream_execution_environment import StreamExecutionEnvironment
    from millstream.datastream.write_mode import WriteMode
    from millstream.table.expression import Expression

__all__ = [  # noqa: F822 - some come lazily
    "AllWindowedStream",
    "BroadcastConnectedStream",
    "BroadcastStream",
    "CachedDataStream",
    "CloseableIterator",
    "ConnectedStreams",
    "DataStream",
    "DataStreamSink",
    "KeyedStream",
    "WindowedStream",
]


class DataStream(OperatorSettings):
    """A stream of values. Methods describe what is to be done; nothing runs before the environment's ``execute``.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> numbers = env.from_collection([1, 2, 3])
    >>> list(numbers.map(lambda n: n * n).filter(lambda n: n > 1).execute_and_collect())
    [4, 9]
    """

    def __init__(self, env: StreamExecutionEnvironment, stream: StreamInput, type_info: TypeInformation) -> None:
        self._env = env
        self._input = stream
        self._transformation = stream.transformation
        self._type_info = type_info

    # ---- What it is ----

    def get_type(self) -> TypeInformation:
        """The type of the values."""
        return self._type_info

    def get_execution_environment(self) -> StreamExecutionEnvironment:
        """The environment that the stream belongs to."""
        return self._env

    def get_execution_config(self) -> Any:
        """The environment's configuration."""
        return self._env.get_config()

    # ---- Functions of values ----

    def map(self, func: Callable[[Any], Any] | MapFunction[Any, Any], output_type: TypeInformation | list[Any] | str | None = None) -> DataStream:
        """One value for each. Without ``output_type`` results stay Python objects.

        Raises ``TypeError`` if ``func`` is neither a MapFunction nor callable.
        """
        checked_function(func, MapFunction, "map", "map")
        return self._stage("map", "Map", func, type_of(output_type, "output_type of map"))

    def flat_map(
        self, func: Callable[[Any], Any] | FlatMapFunction[Any, Any], output_type: TypeInformation | list[Any] | str | None = None
    ) -> DataStream:
        """Any number of values for each: ``func`` yields them, or gives an iterable or ``None``."""
        checked_function(func, FlatMapFunction, "flat_map", "flat_map")
        return self._stage("flat_map", "FlatMap", func, type_of(output_type, "output_type of flat_map"))

    def filter(self, func: Callable[[Any], bool] | FilterFunction[Any] | Expression) -> DataStream:
        """Keeps the values for which ``func`` is true, or, on a stream with declared fields, an expression is, which runs without Python.

        >>> from millstream.common import Types
        >>> from millstream.datastream import StreamExecutionEnvironment
        >>> from millstream.table.expressions import col
        >>> env = StreamExecutionEnvironment.get_execution_environment()
        >>> orders = env.from_collection([("a", 5), ("b", 50)], Types.ROW_NAMED(["id", "price"], [Types.STRING(), Types.INT()]))
        >>> list(orders.filter(col("price") > 10).execute_and_collect())
        [Row(id='b', price=50)]
        """
        expression = _expression(func)
        if expression is not None:
            condition = expression.bind(self._type_info, "filter")
            infer_type(self._type_info, lambda native, stream: native.filter(stream, condition))
            return self._add("Filter", self._type_info, lambda builder, _, inputs: builder.native.filter(inputs[0], condition))
        checked_function(func, FilterFunction, "filter", "filter")
        return self._stage("filter", "Filter", func, self._type_info)

    def process(self, func: ProcessFunction[Any, Any], output_type: TypeInformation | list[Any] | str | None = None) -> DataStream:
        """Any number of results and side outputs for each value. Raises ``TypeError`` unless it is a :class:`ProcessFunction`."""
        if not isinstance(func, ProcessFunction):
            raise TypeError(f"process takes a ProcessFunction, not {func!r}; key_by comes before a KeyedProcessFunction")
        schema = self._type_info.schema()
        stream = self._add(
            "Process",
            type_of(output_type, "output_type of process"),
            lambda builder, transformation, inputs: plain_process(builder, transformation, inputs[0], func, schema),
        )
        stream._transformation.takes_dead_letters = True
        return stream

    def map_batches(
        self, func: Callable[[Any], Any], output_type: TypeInformation | list[Any] | str, format: Literal["arrow", "pandas"] = "arrow"
    ) -> DataStream:
        """Calls ``func`` with a whole batch: a ``pyarrow.RecordBatch``, or with ``format="pandas"`` a ``DataFrame``; it gives one with as many rows.

        Text columns are copied into the form that pyarrow's functions take, others are not. Needs a stream of declared types, and pyarrow.
        Millstream's own.
        """
        if not callable(func):
            raise TypeError(f"map_batches takes a function of a batch, not {func!r}")
        result_type = type_of(output_type, "output_type of map_batches")
        from millstream.datastream.arrow import batch_function

        return self._stage("map_arrow", "Map batches", batch_function(func, format, result_type.schema()), result_type)

    # ---- Native projections ----

    def project(self, *field_indexes: int | str) -> DataStream:
        """Some of the fields, in the order given, by position or name. Raises ``PlanError`` for a field that there is none of."""
        if not field_indexes:
            raise PlanError("project: no field is given")
        if field_names(self._type_info) is None:
            raise PlanError(f"project: values of type {self._type_info!r} have no fields; only tuples and rows with declared types can be projected")
        positions = [field_index(self._type_info, field, "project") for field in field_indexes]
        types = [field_types(self._type_info)[position] for position in positions]
        names = [(field_names(self._type_info) or [])[position] for position in positions]
        is_tuple = isinstance(plain_type(self._type_info), TupleTypeInfo)
        # A field that comes twice needs a name of its own.
        unique = [name if names.index(name) == index else f"{name}_{index}" for index, name in enumerate(names)]
        columns = [
            _native.Expression.column(position).alias(f"f{index}" if is_tuple else unique[index]) for index, position in enumerate(positions)
        ]
        result: TypeInformation = TupleTypeInfo(types) if is_tuple else RowTypeInfo(types, unique)
        stream = self._add("Projection", result, lambda builder, _, inputs: builder.native.project(inputs[0], columns))
        stream._transformation.gives_rows = is_tuple
        return stream

    def select(self, *expressions: Expression | str) -> DataStream:
        """Rows of expressions over the fields, computed without Python. Text is a field's name. Millstream's own.

        >>> from millstream.common import Types
        >>> from millstream.datastream import StreamExecutionEnvironment
        >>> from millstream.table.expressions import col
        >>> env = StreamExecutionEnvironment.get_execution_environment()
        >>> orders = env.from_collection([("a", 5)], Types.ROW_NAMED(["id", "price"], [Types.STRING(), Types.INT()]))
        >>> list(orders.select("id", (col("price") * 2).alias("twice")).execute_and_collect())
        [Row(id='a', twice=10)]
        """
        from millstream.table.expressions import col

        if not expressions:
            raise PlanError("select: no expression is given")
        bound = []
        for entry in expressions:
            expression = col(entry) if isinstance(entry, str) else _expression(entry)
            if expression is None:
                raise TypeError(f"select takes expressions such as col('price') * 2, and names, not {entry!r}")
            bound.append(expression.bind(self._type_info, "select"))
        schema = infer_type(self._type_info, lambda native, stream: native.project(stream, bound))
        return self._add("Select", type_from_schema(schema), lambda builder, _, inputs: builder.native.project(inputs[0], bound))

    # ---- Time ----

    def assign_timestamps_and_watermarks(self, watermark_strategy: WatermarkStrategy) -> DataStream:
        """Gives the values timestamps and the stream watermarks. Raises ``PlanError`` for a timestamp column that there is none of, and for a tag of
        :meth:`WatermarkStrategy.with_max_future_drift` of another type than the stream's.
        """
        if not isinstance(watermark_strategy, WatermarkStrategy):
            raise TypeError(f"a WatermarkStrategy is needed, not {watermark_strategy!r}")
        type_info = self._type_info
        if watermark_strategy._timestamp_column is not None:
            field_index(type_info, watermark_strategy._timestamp_column, "assign_timestamps_and_watermarks")

        def add(builder: JobBuilder, transformation: Transformation, inputs: list[_native.Input]) -> int:
            watermarks = lower_watermarks(watermark_strategy, type_info, builder.scope, transformation.name)
            return builder.native.assign_timestamps(inputs[0], watermarks or _native.Watermarks())

        check_future_output(watermark_strategy, type_info)
        stream = self._add("Timestamps/Watermarks", type_info, add)
        add_future_output(watermark_strategy, stream._transformation)
        return stream

    # ---- Keys and partitions ----

    def key_by(
        self, key_selector: Callable[[Any], Any] | KeySelector[Any, Any] | str | int | Sequence[str | int], key_type: TypeInformation | None = None
    ) -> KeyedStream:
        """Partitions the stream by key: by a function, a :class:`KeySelector`, a field's name or position, or several of them.

        Fields of declared types are compared and hashed without Python. Raises ``PlanError`` for a field that there is none of.

        >>> from millstream.datastream import StreamExecutionEnvironment
        >>> env = StreamExecutionEnvironment.get_execution_environment()
        >>> words = env.from_collection([("a", 1), ("b", 1), ("a", 1)])
        >>> list(words.key_by(lambda word: word[0]).reduce(lambda x, y: (x[0], x[1] + y[1])).execute_and_collect())
        [('a', 1), ('b', 1), ('a', 2)]
        """
        from millstream.datastream.keyed_stream import key_stream

        return key_stream(self, key_selector, key_type)

    def partition_custom(
        self, partitioner: Callable[[Any, int], int] | Partitioner[Any], key_selector: Callable[[Any], Any] | KeySelector[Any, Any] | str | int
    ) -> DataStream:
        """Sends each value to the subtask that ``partitioner(key, number_of_subtasks)`` names."""
        from millstream.datastream.keyed_stream import key_columns

        checked_function(partitioner, Partitioner, "partition", "partition_custom")
        columns = key_columns(self, key_selector, None)
        key_schema, schema, place = columns.key_type.schema(), self._type_info.schema(), call_site()

        def lower(scope: JobScope) -> _native.Function:
            function = callables_of(partitioner, ["partition"], scope, "Custom partitioning")
            # Not where the operator behind it was made.
            _native.set_call_site(place)
            return _native.partitioner(function, key_schema, "Custom partitioning", schema)

        stream = StreamInput(columns.transformation, "CUSTOM", columns.side_output, columns.keys, lower)
        return DataStream(self._env, stream, self._type_info)

    def rebalance(self) -> DataStream:
        """Spreads the values evenly over the subtasks of the next operator, in turn."""
        return self._partitioned("REBALANCE")

    def rescale(self) -> DataStream:
        """Spreads the values of each subtask in turn over its share of the next operator's subtasks."""
        return self._partitioned("RESCALE")

    def shuffle(self) -> DataStream:
        """Sends each value to a subtask of the next operator at random."""
        return self._partitioned("SHUFFLE")

    def broadcast(
        self, broadcast_state_descriptor: MapStateDescriptor | None = None, *other_broadcast_state_descriptors: MapStateDescriptor
    ) -> Any:
        """Sends each value to every subtask of the next operator.

        With descriptors it gives a :class:`BroadcastStream` with one broadcast state for each, to which another stream can be connected.
        """
        stream = self._partitioned("BROADCAST")
        if broadcast_state_descriptor is None:
            return stream
        from millstream.datastream.connected_streams import BroadcastStream
        from millstream.datastream.state import MapStateDescriptor

        descriptors = [broadcast_state_descriptor, *other_broadcast_state_descriptors]
        for descriptor in descriptors:
            if not isinstance(descriptor, MapStateDescriptor):
                raise TypeError(f"broadcast takes MapStateDescriptors, not {descriptor!r}")
            if descriptor.get_ttl_config() is not None:
                say_once(f"the time-to-live of broadcast state {descriptor.name!r}", "has no effect, as in Flink: only keyed state expires")
        return BroadcastStream(stream, descriptors)

    def connect(self, ds: DataStream | BroadcastStream) -> Any:
        """Lets one function read this stream and another, which may be of another type: gives :class:`ConnectedStreams`.

        With a :class:`BroadcastStream` it gives a :class:`BroadcastConnectedStream`. Raises ``PlanError`` for a stream of another environment.
        """
        from millstream.datastream.connected_streams import BroadcastConnectedStream, BroadcastStream, ConnectedStreams

        self._env._check_open()
        if isinstance(ds, BroadcastStream):
            return BroadcastConnectedStream(self, ds, ds.broadcast_state_descriptors)
        if not isinstance(ds, DataStream):
            raise TypeError(f"connect takes a DataStream or a BroadcastStream, not {ds!r}")
        return ConnectedStreams(self, ds)

    def forward(self) -> DataStream:
        """Sends each value to the same subtask of the next operator. Unless that one has the same parallelism, the job raises ``PlanError``."""
        return DataStream(self._env, self._partitioned("FORWARD")._input._replace(must_forward=True), self._type_info)

    def global_(self) -> DataStream:
        """Sends all values to the first subtask of the next operator."""
        return self._partitioned("GLOBAL")

    # ---- Windows without keys, and of two streams ----

    def window_all(self, window_assigner: Any) -> AllWindowedStream:
        """Puts all values into windows; one subtask sees them all."""
        from millstream.datastream.all_windowed_stream import AllWindowedStream

        return AllWindowedStream(self, window_assigner)

    def count_window_all(self, size: int, slide: int = 0) -> AllWindowedStream:
        """Windows of ``size`` values; with ``slide``, one begins at every ``slide``-th value. Only full windows fire."""
        from millstream.datastream.window import CountSlidingWindowAssigner, CountTumblingWindowAssigner

        return self.window_all(CountSlidingWindowAssigner.of(size, slide) if slide else CountTumblingWindowAssigner.of(size))

    def join(self, other_stream: DataStream) -> JoinedStreams:
        """Pairs of values of the two streams with one key and window: ``a.join(b).where(...).equal_to(...).window(...).apply(...)``."""
        from millstream.datastream.joined_streams import JoinedStreams

        return JoinedStreams(self, other_stream)

    def co_group(self, other_stream: DataStream) -> CoGroupedStreams:
        """Values of the two streams with one key and window together: ``a.co_group(b).where(...).equal_to(...).window(...).apply(...)``."""
        from millstream.datastream.joined_streams import CoGroupedStreams

        return CoGroupedStreams(self, other_stream)

    # ---- Several streams ----

    def union(self, *streams: DataStream) -> DataStream:
        """One stream of the values of several of the same type. Raises ``PlanError`` where types differ.

        They may differ in what can be null, as those of Arrow tables and of arrays do: the union's type takes the nulls of all.
        """
        others = [stream._values() for stream in streams]
        type_info = self._type_info
        for other in others:
            if other._env is not self._env:
                raise PlanError("union: the streams belong to different environments")
            taken = widened(type_info, other._type_info)
            if taken is None:
                raise PlanError(f"union: the types differ: {type_info.schema()} and {other._type_info.schema()}")
            type_info = taken
        if not others:
            return self
        inputs = [self._values()._input, *(other._input for other in others)]
        transformation = Transformation("Union", inputs, type_info, lambda builder, _, inputs: builder.native.union(inputs))
        transformation.is_virtual = True
        return DataStream(self._env, StreamInput(transformation), type_info)

    def cache(self) -> CachedDataStream:
        """The stream with its values kept in memory by the first job that reads it, for later jobs of the environment."""
        from millstream.datastream.cached_data_stream import cached_stream

        return cached_stream(self)

    def split(self, output_selector: Callable[[Any], Iterable[str]]) -> SplitStream:
        """Gives values names, by which ``select`` takes some: the older form of side outputs, which Flink had in Java until 1.11."""
        from millstream.datastream.split_stream import SplitStream

        return SplitStream(self._values(), output_selector)

    def get_side_output(self, output_tag: OutputTag) -> DataStream:
        """What the operator has sent to a tag. Raises ``PlanError`` if the tag's name was used with another type."""
        if not isinstance(output_tag, OutputTag):
            raise TypeError(f"an OutputTag is needed, not {output_tag!r}")
        self._env._check_open()
        wanted = type_of_side_output(output_tag, self._transformation.decodes_files)
        known = self._transformation.side_outputs.setdefault(output_tag.tag_id, wanted)
        if known.schema() != wanted.schema():
            raise PlanError(f"side output {output_tag.tag_id!r} of {self._transformation.name!r} has type {known!r}, but is asked for as {wanted!r}")
        return DataStream(self._env, StreamInput(self._transformation, side_output=output_tag.tag_id), wanted)

    def with_dead_letters(self, output_tag: OutputTag) -> DataStream:
        """Sends each record that the operator's function fails with to a side output, instead of failing the job. Millstream's own.

        The tag is a :class:`~millstream.datastream.dead_letters.DeadLetterTag`; :meth:`get_side_output` gives the letters, rows of ``operator``,
        ``place``, ``error_type``, ``error`` and ``record``. A record fails if the function raises an ``Exception``, or gives something that is not of
        its declared type. Nothing that it gave for that record goes on, not even what a flat map had yielded before: so a record's results are kept
        until there are all of them. The records before and behind it are processed as ever, each once. What the function did to states and timers
        before it failed stays. A timer whose function fails gives a letter with the key as its record. ``numRecordsFailed`` of
        ``JobClient.get_metrics()`` counts the letters, whether anybody reads them or not, and ``explain_time`` tells of them.

        Operators: ``map``, ``flat_map``, ``filter`` and ``process``, of streams with and without keys, connected or not; not key selectors,
        reductions, windows, joins and sinks. Such an operator is not joined with its neighbours into one crossing. Raises ``PlanError`` for another
        operator and ``TypeError`` for a tag of another type. :mod:`millstream.datastream.dead_letters` has an example.

        A source of text, CSV or JSON files has letters too, of the records that do not decode: rows of ``file``, ``line``, ``column``, ``offset``,
        ``length``, ``field``, ``text`` and ``error``, the type of :func:`~millstream.datastream.dead_letters.undecoded_type`.
        """
        transformation = self._setting("dead letters")
        if not transformation.takes_dead_letters:
            raise PlanError(
                f"with_dead_letters: {transformation.name!r} is none of map, flat_map, filter and process, and no source of text, CSV or JSON files; "
                "catch what its function raises in the function"
            )
        tag = checked_tag(output_tag, transformation.side_outputs, transformation.decodes_files)
        transformation.side_outputs[tag.tag_id] = tag.type_info
        transformation.dead_letters = tag
        return self

    # ---- Sinks and results ----

    def print(self, sink_identifier: str | None = None) -> DataStreamSink:
        """Prints each value as a line on Python's standard output.

        Before it stands the identifier, if there is one, and the subtask's number, where there are several: ``identifier:2> value``.
        """
        prefix = None if sink_identifier is None else str(sink_identifier)
        if isinstance(plain_type(self._type_info), PickledBytesTypeInfo):
            # The engine describes objects as errors do, with quotes around text; users expect what Python's print gives.
            return self._as_text().print(sink_identifier)
        if (printed := self._printed()) is not self:
            return printed.print(sink_identifier)
        return self._sink("Print to Std. Out", lambda builder, _, inputs: builder.native.sink_print(inputs[0], prefix))

    def print_to_err(self, sink_identifier: str | None = None) -> DataStreamSink:
        """Prints as :meth:`print` does, on Python's standard error. Flink has it in Java only."""
        prefix = None if sink_identifier is None else str(sink_identifier)
        if isinstance(plain_type(self._type_info), PickledBytesTypeInfo):
            return self._as_text().print_to_err(sink_identifier)
        if (printed := self._printed()) is not self:
            return printed.print_to_err(sink_identifier)
        return self._sink("Print to Std. Err", lambda builder, _, inputs: builder.native.sink_print(inputs[0], prefix, True))

    def write_as_text(self, path: str, write_mode: WriteMode | None = None) -> DataStreamSink:
        """Writes the text of each value as a line of a file, or of files ``1``, ``2``, ... of a directory where there are several subtasks.

        The job fails with ``InputOutputError`` if a file is there, unless the mode is ``WriteMode.OVERWRITE``. Flink has it in Java only; a
        ``FileSink`` rolls files and writes columns.
        """
        from millstream.datastream.connectors.text_files import LineFileSink
        from millstream.datastream.write_mode import WriteMode

        return self.sink_to(LineFileSink(path, write_mode is WriteMode.OVERWRITE, str))

    def write_as_csv(
        self, path: str, write_mode: WriteMode | None = None, row_delimiter: str = "\n", field_delimiter: str = ","
    ) -> DataStreamSink:
        """Writes the fields of each tuple or row as a line, without quotes; ``None`` is empty text. Otherwise as :meth:`write_as_text`."""
        from millstream.datastream.connectors.text_files import LineFileSink
        from millstream.datastream.write_mode import WriteMode

        def line(value: Any) -> str:
            return field_delimiter.join(["" if field is None else str(field) for field in value])

        return self.sink_to(LineFileSink(path, write_mode is WriteMode.OVERWRITE, line, row_delimiter))

    def sink_to(self, sink: Sink) -> DataStreamSink:
        """Writes the values to a sink of :mod:`millstream.datastream.connectors`."""
        from millstream.datastream.connectors.base import SupportsPreprocessing

        transformer = sink.get_transformer() if isinstance(sink, SupportsPreprocessing) else None
        if transformer is not None:
            return transformer.apply(self._values())._sink_to(sink)
        return self._sink_to(sink)

    def _sink_to(self, sink: Sink) -> DataStreamSink:
        from millstream.datastream.connectors.base import Sink

        if not isinstance(sink, Sink):
            raise TypeError(f"sink_to takes a Sink, e.g. a FileSink or a PythonSink, not {sink!r}; add_sink takes a function")
        stream = self._in_java_text() if sink.writes_java_text else self
        return stream._sink(sink.name, sink.lower(stream._type_info))

    def add_sink(self, sink_func: SinkFunction[Any] | Callable[[Any], Any]) -> DataStreamSink:
        """Calls a function, or a :class:`SinkFunction`'s ``invoke``, with each value."""
        from millstream.datastream.connectors.file_system import StreamingFileSink
        from millstream.datastream.connectors.python import lower_sink_function

        if isinstance(sink_func, StreamingFileSink):
            return self.sink_to(sink_func.file_sink)
        checked_function(sink_func, SinkFunction, "invoke", "add_sink")
        return self._sink("Sink", lower_sink_function(sink_func, self._type_info))

    def execute_and_collect(self, job_execution_name: str | None = None, limit: int | None = None) -> Any:
        """Runs the job and gives its values while it runs: a :class:`CloseableIterator`; with ``limit``, a list of at most so many.

        The iterator raises what the job fails with. Closing it cancels the job.
        """
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
            raise ValueError(f"limit is a number of values, not {limit!r}")
        values = self._collect(job_execution_name)
        if limit is None:
            return values
        with values:
            return [value for _, value in zip(range(limit), values, strict=False)]

    def to_arrow(self, job_execution_name: str | None = None) -> Any:
        """Runs the job and gives its values as a ``pyarrow.Table``, for declared types without copying. Millstream's own; needs pyarrow.

        Values that are Python objects are converted, each to a column ``value`` unless they are rows or tuples.
        """
        from millstream.datastream.arrow import collect_table

        return collect_table(self, job_execution_name)

    def to_arrow_reader(self, job_execution_name: str | None = None) -> Any:
        """Runs the job and gives its values while it runs, as a ``pyarrow.RecordBatchReader``. Needs declared types and pyarrow."""
        from millstream.datastream.arrow import collect_reader

        return collect_reader(self, job_execution_name)

    def to_pandas(self, job_execution_name: str | None = None) -> Any:
        """Runs the job and gives its values as a ``pandas.DataFrame``. Millstream's own; needs pyarrow and pandas."""
        return self.to_arrow(job_execution_name).to_pandas()

    # ---- Inside ----

    def _values(self) -> DataStream:
        """The stream without keys."""
        return self

    def _printed(self) -> DataStream:
        """What print sinks print of rows: as in PyFlink, their fields as Python shows them."""
        if isinstance(plain_type(self._type_info), RowTypeInfo):
            stream = self._values().map(_row_text, Types.STRING()).name("To text")
        elif (stream := self._in_java_text()) is not self:
            return stream
        elif self._transformation.gives_rows:
            stream = self._values().map(_same, self._type_info).name("To tuple")
        else:
            return self
        stream._transformation.is_virtual = True
        return stream

    def _in_java_text(self) -> DataStream:
        """With text in place of what the engine holds as Python objects and Java prints in its own way."""
        printed = printed_as(self._type_info)
        if printed is None:
            return self
        stream = self._values().map(printed[1], printed[0]).name("To text")
        stream._transformation.is_virtual = True
        return stream

    def _as_text(self) -> DataStream:
        """The values as Python's print shows them."""
        stream = self._values().map(str, Types.STRING()).name("To text")
        stream._transformation.is_virtual = True
        return stream

    def _setting(self, what: str) -> Transformation:
        if self._input.partitioning != "FORWARD" or self._input.side_output is not None:
            warn_no_operator(what, f"{self._input.partitioning.lower()}()" if self._input.side_output is None else "get_side_output()")
            # A name or parallelism of what is no operator changes nothing: it goes to one that nobody reads.
            return Transformation(self._transformation.name, (), self._type_info, self._transformation.add)
        return super()._setting(what)

    def _partitioned(self, partitioning: _native.Partitioning) -> DataStream:
        self._env._check_open()
        stream = StreamInput(self._transformation, partitioning, self._input.side_output)
        return DataStream(self._env, stream, self._type_info)

    def _stage(self, kind: _native.StageKind, name: str, function: Any, result: TypeInformation) -> DataStream:
        """One host function from rows to rows; the engine joins neighbours."""
        schema = self._type_info.schema()
        if isinstance(function, CheckpointedFunction):
            elements = stage_elements(kind)
            stream = self._add(
                name, result, lambda builder, transformation, inputs: plain_process(builder, transformation, inputs[0], function, schema, elements)
            )
            stream._transformation.takes_dead_letters = True
            return stream
        output = None if kind == "filter" else result.schema()
        method = {"map": "map", "flat_map": "flat_map", "filter": "filter"}.get(kind, "map")

        def add(builder: JobBuilder, transformation: Transformation, inputs: list[_native.Input]) -> int:
            if transformation.dead_letters is not None:
                return plain_process(builder, transformation, inputs[0], function, schema, stage_elements(kind))
            callables = callables_of(function, [method], builder.scope, transformation.name)
            stage: _native.Stage = (kind, callables, transformation.name, output)
            return builder.native.transform(inputs[0], _native.transform([stage], schema))

        stream = self._add(name, result, add)
        stream._transformation.takes_dead_letters = kind in ("map", "flat_map", "filter")
        return stream

    def _add(self, name: str, type_info: TypeInformation, add: Callable[[JobBuilder, Transformation, list[_native.Input]], int]) -> DataStream:
        """An operator that reads this stream."""
        transformation = self._env._register(Transformation(name, [self._input], type_info, add))
        return DataStream(self._env, StreamInput(transformation), type_info)

    def _sink(self, name: str, add: Callable[[JobBuilder, Transformation, list[_native.Input]], int]) -> DataStreamSink:
        stream = self._values()
        transformation = self._env._register(Transformation(name, [stream._input], PickledBytesTypeInfo(), add, is_sink=True))
        return DataStreamSink(self._env, transformation)

    def _collect(self, job_name: str | None) -> CloseableIterator:
        sink = self._sink("Collect", lambda builder, _, inputs: builder.native.sink_collect(inputs[0]))
        sink._transformation.is_virtual = True
        client, builder = self._env._start(job_name)
        return CloseableIterator(client, client._job.collect(builder.node(sink._transformation), self._type_info.schema()))

    def __repr__(self) -> str:
        side = f", side output {self._input.side_output!r}" if self._input.side_output is not None else ""
        return f"<{type(self).__name__} of {self._type_info!r} from {self._transformation.name!r}{side}>"


def _row_text(row: Row) -> str:
    return f"{row.get_row_kind()}[{','.join(map(str, row))}]"


def _same(value: Any) -> Any:
    return value


def _expression(candidate: Any) -> Expression | None:
    """The argument if it is an expression; functions do not load the expression module."""
    if isinstance(candidate, Function) or not hasattr(candidate, "bind"):
        return None
    from millstream.table.expression import Expression

    return candidate if isinstance(candidate, Expression) else None


def __getattr__(name: str) -> Any:
    # These modules import this one.
    if name == "AllWindowedStream":
        from millstream.datastream.all_windowed_stream import AllWindowedStream

        return AllWindowedStream
    if name in ("BroadcastConnectedStream", "BroadcastStream", "ConnectedStreams"):
        from millstream.datastream import connected_streams

        return getattr(connected_streams, name)
    if name == "KeyedStream":
        from millstream.datastream.keyed_stream import KeyedStream

        return KeyedStream
    if name == "WindowedStream":
        from millstream.datastream.windowed_stream import WindowedStream

        return WindowedStream
    if name == "CachedDataStream":
        from millstream.datastream.cached_data_stream import CachedDataStream

        return CachedDataStream
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


guard(globals())
