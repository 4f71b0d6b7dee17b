"""Where jobs are built and started."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.configuration import Configuration
from millstream.common.execution_config import ExecutionConfig, checked_parallelism
from millstream.common.job_client import JobClient
from millstream.common.job_execution_result import JobExecutionResult
from millstream.common.job_id import JobID
from millstream.common.restart_strategy import RestartStrategyConfiguration
from millstream.common.serialization import checked_charset
from millstream.common.time import milliseconds_in, milliseconds_of
from millstream.common.typeinfo import PickledBytesTypeInfo, RowTypeInfo, TupleTypeInfo, TypeInformation, Types, type_from_schema, type_of
from millstream.common.watermark_strategy import WatermarkStrategy
from millstream.datastream.checkpoint_config import CheckpointConfig
from millstream.datastream.checkpoint_options import JOB_ID_KEY, RESTORE_KEY, local_path
from millstream.datastream.configuration_keys import check_key, native_options
from millstream.datastream.data_stream import DataStream
from millstream.datastream.environment_configuration import EnvironmentConfiguration
from millstream.datastream.execution_mode import RuntimeExecutionMode
from millstream.datastream.plan_diff import PlanDiff, tell_plan_diff
from millstream.datastream.recovery import default_settings, recover
from millstream.datastream.restored_pickles import check_pickles, check_types, host_properties, with_pickles, with_types
from millstream.datastream.slot_sharing_group import SlotSharingGroup
from millstream.datastream.transformation import JobBuilder, StreamInput, Transformation
from millstream.datastream.watermarks import add_future_output, check_future_output, lower_watermarks
from millstream.exceptions import ConfigurationError, InvalidStateError, PlanError
from millstream.notices import say
from millstream.run_settings import run_settings

if TYPE_CHECKING:
    from millstream.datastream.connectors.base import Source
    from millstream.datastream.recovery import JobDirectory
    from millstream.testing.clock import ManualClock

__all__ = ["StreamExecutionEnvironment"]

DEFAULT_JOB_NAME = "Streaming job"


class StreamExecutionEnvironment(EnvironmentConfiguration):
    """Makes streams, and runs what was made of them.

    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> sink = env.from_collection(["to be", "or not"]).flat_map(str.split).print()
    >>> result = env.execute("words")
    to
    be
    or
    not
    """

    def __init__(self, configuration: Configuration | None = None) -> None:
        self._configuration = Configuration.from_dict(default_settings())
        self._config = ExecutionConfig(self._configuration)
        self._checkpoint_config = CheckpointConfig(self._configuration)
        self._slot_sharing_groups: dict[str, SlotSharingGroup] = {}
        if self._default_local_parallelism is not None:
            self._config.set_parallelism(self._default_local_parallelism)
        #: Operators and sinks that the next job runs; sources come with their readers.
        self._transformations: list[Transformation] = []
        self._is_closed = False
        self._clock: ManualClock | None = None
        if configuration is not None:
            self.configure(configuration)

    @staticmethod
    def get_execution_environment(configuration: Configuration | None = None) -> StreamExecutionEnvironment:
        """A new environment, with the settings given. Raises ``ConfigurationError`` for a key or value that cannot be."""
        return StreamExecutionEnvironment(configuration)

    # ---- Settings ----

    def configure(self, configuration: Configuration | Mapping[str, Any]) -> None:
        """Takes over settings by Flink's keys. Raises ``ConfigurationError`` for unknown keys and values of the wrong form; then nothing changes.

        Keys that only mean something to a cluster or to the JVM are kept without effect.
        """
        self._check_open()
        settings = configuration if isinstance(configuration, Configuration) else Configuration.from_dict(configuration)
        for key, value in settings.to_dict().items():
            check_key(key, value)
        self._configuration.add_all(settings)

    def get_config(self) -> ExecutionConfig:
        """What holds for all operators."""
        return self._config

    def get_configuration(self) -> Configuration:
        """The settings by key, as a copy. Millstream's own."""
        return Configuration(self._configuration)

    def set_parallelism(self, parallelism: int) -> StreamExecutionEnvironment:
        """Sets the number of subtasks of each operator that has none of its own: 1 unless set.

        Raises ``ConfigurationError`` unless it is 1 to 32768 and not above the max parallelism.
        """
        found = checked_parallelism(parallelism, "parallelism")
        if 0 < self.get_max_parallelism() < found:
            raise ConfigurationError(f"the parallelism cannot be {found}: the max parallelism is {self.get_max_parallelism()}")
        self._config.set_parallelism(found)
        return self

    def get_parallelism(self) -> int:
        """The number of subtasks of each operator that has none of its own."""
        return self._config.get_parallelism()

    def set_max_parallelism(self, max_parallelism: int) -> StreamExecutionEnvironment:
        """Sets the number of key groups, 1 to 32768, which bounds every parallelism. Raises ``ConfigurationError`` out of that range."""
        found = checked_parallelism(max_parallelism, "max parallelism")
        if found < self.get_parallelism():
            raise ConfigurationError(f"the max parallelism cannot be {found}: the parallelism is {self.get_parallelism()}")
        self._config.set_max_parallelism(found)
        return self

    def get_max_parallelism(self) -> int:
        """The number of key groups; -1 if it is left to the engine."""
        return self._config.get_max_parallelism()

    def set_buffer_timeout(self, timeout_millis: int) -> StreamExecutionEnvironment:
        """How long a record may wait for a batch to fill, in milliseconds: 100 unless set. 0: not at all; -1: until the batch is full."""
        if isinstance(timeout_millis, bool) or not isinstance(timeout_millis, int) or timeout_millis < -1:
            raise ConfigurationError(f"a buffer timeout is a number of milliseconds, or -1 for none, not {timeout_millis!r}")
        self._configuration.set_string("execution.buffer-timeout.interval", f"{timeout_millis if timeout_millis >= 0 else 1 << 40} ms")
        return self

    def get_buffer_timeout(self) -> int:
        """How long a record may wait for a batch to fill, in milliseconds; -1: until it is full."""
        timeout = milliseconds_in(self._configuration.get_string("execution.buffer-timeout.interval") or "100 ms")
        return -1 if timeout == 1 << 40 else timeout

    def set_runtime_mode(self, execution_mode: RuntimeExecutionMode) -> StreamExecutionEnvironment:
        """Streaming (unless set) or batch."""
        if not isinstance(execution_mode, RuntimeExecutionMode):
            raise TypeError(f"a RuntimeExecutionMode is needed, not {execution_mode!r}")
        self._configuration.set_string("execution.runtime-mode", execution_mode.name)
        return self

    def disable_operator_chaining(self) -> StreamExecutionEnvironment:
        """Runs each operator as a task of its own, for looking at single operators. It costs speed."""
        self._configuration.set_boolean("pipeline.operator-chaining.enabled", False)
        return self

    def is_chaining_enabled(self) -> bool:
        """Whether operators are chained."""
        return bool(self._configuration.get_boolean("pipeline.operator-chaining.enabled", True))

    def set_clock(self, clock: ManualClock | None) -> StreamExecutionEnvironment:
        """Gives the jobs that start from now on a clock that only the program moves, for tests; ``None``: the machine's again. Millstream's own.

        Processing-time timers and windows, state time-to-live, idleness and periodic watermarks follow it. What a source waits for, and buffer
        timeouts, go by the machine's clock.

        >>> from millstream.testing import ManualClock
        >>> env = StreamExecutionEnvironment.get_execution_environment()
        >>> _ = env.set_clock(ManualClock(1_000))
        """
        self._check_open()
        if clock is not None:
            from millstream.testing import clock as clocks

            if not isinstance(clock, clocks.ManualClock):
                raise TypeError(f"set_clock takes a ManualClock of millstream.testing, not {clock!r}")
        self._clock = clock
        return self

    def set_restart_strategy(self, restart_strategy_configuration: RestartStrategyConfiguration) -> StreamExecutionEnvironment:
        """Sets what happens after a failure; unless set, jobs with checkpoints restart after growing delays, those without do not.

        A restarted job goes on from its last checkpoint; without one it begins anew.
        """
        self._config.set_restart_strategy(restart_strategy_configuration)
        return self

    def get_restart_strategy(self) -> RestartStrategyConfiguration:
        """What happens after a failure."""
        return self._config.get_restart_strategy()

    def register_slot_sharing_group(self, slot_sharing_group: SlotSharingGroup) -> StreamExecutionEnvironment:
        """Keeps a group with its resources, by its name; one of the same name takes its place. Here all operators share one pool of threads."""
        if not isinstance(slot_sharing_group, SlotSharingGroup):
            raise TypeError(f"a SlotSharingGroup is needed, not {slot_sharing_group!r}")
        self._slot_sharing_groups[slot_sharing_group.get_name()] = slot_sharing_group
        return self

    # ---- Sources ----

    def from_collection(self, collection: Iterable[Any], type_info: TypeInformation | list[Any] | str | None = None) -> DataStream:
        """A stream of values that are at hand. Without ``type_info`` they stay Python objects, passed by reference.

        Values are taken when the job runs, and piece by piece: a list must not be changed before, and a ``range`` may be long. What is no sequence,
        such as a generator, becomes a list at once. A value that does not fit the type fails the job with
        ``TypeMismatchError``.
        """
        if isinstance(collection, (str, bytes, Mapping)) or not isinstance(collection, Iterable):
            raise TypeError(f"from_collection takes a list of values, not {collection!r}")
        # A deque is slow to look into by position.
        values = collection if isinstance(collection, Sequence) and not isinstance(collection, deque) else list(collection)
        # A range can be longer than anything that can be read.
        len(values)
        found = type_of(type_info, "type_info of from_collection")
        schema = found.schema()

        def add(builder: JobBuilder, transformation: Transformation, _: Any) -> int:
            return builder.native.source_function(_native.collection(values, schema, transformation.name), True)

        return self._source("Source: Collection Source", found, add)

    def from_source(
        self,
        source: Source | Iterator[Any],
        watermark_strategy: WatermarkStrategy | None = None,
        source_name: str | None = None,
        type_info: TypeInformation | None = None,
    ) -> DataStream:
        """A stream from a connector of :mod:`millstream.datastream.connectors`, or from an iterator, with timestamps and watermarks from the start.

        ``type_info`` is only needed for sources that do not know their type, such as iterators.
        """
        from millstream.datastream.connectors.base import Source

        if isinstance(source, Iterator):
            from millstream.datastream.connectors.python import IteratorSource

            source = IteratorSource(source, type_info)
        if not isinstance(source, Source):
            raise TypeError(f"from_source takes a Source, e.g. NumberSequenceSource(1, 10), not {source!r}")
        if watermark_strategy is not None and not isinstance(watermark_strategy, WatermarkStrategy):
            raise TypeError(f"a WatermarkStrategy is needed, not {watermark_strategy!r}")
        found = source.produced_type if type_info is None else type_of(type_info, "type_info of from_source")
        add_source = source.lower(found)

        def add(builder: JobBuilder, transformation: Transformation, _: Any) -> int:
            watermarks = lower_watermarks(watermark_strategy, found, builder.scope, transformation.name)
            return add_source(builder, transformation, watermarks)

        check_future_output(watermark_strategy, found)
        stream = self._source(f"Source: {source_name or source.name}", found, add)
        add_future_output(watermark_strategy, stream._transformation)
        stream._transformation.takes_dead_letters = stream._transformation.decodes_files = source.decodes_files()
        finished = source.finish(stream)
        if finished is not stream and watermark_strategy is not None and watermark_strategy._future_output_tag is not None:
            raise PlanError(
                f"{source!r} makes its values behind the watermark strategy, whose side output has other values than the stream; "
                "give the strategy to assign_timestamps_and_watermarks on the stream instead"
            )
        return finished

    def add_source(self, source_func: Any, source_name: str = "Custom Source", type_info: TypeInformation | None = None) -> DataStream:
        """A stream from a :class:`SourceFunction`, a source, an iterable, or a function without parameters that gives an iterable for each job.

        The older form of :meth:`from_source`. Without ``type_info`` values have the source's type, or stay Python objects.
        """
        from millstream.datastream.function_wrappers import JavaFunctionWrapper

        found = source_func.get_java_function() if isinstance(source_func, JavaFunctionWrapper) else source_func
        return self.from_source(_source_of(found, type_info), None, source_name, type_info)

    def create_input(self, input_format: Any, type_info: TypeInformation | None = None) -> DataStream:
        """A stream from an :class:`InputFormat`, such as an ``AvroInputFormat``: a bounded input."""
        from millstream.common.io import InputFormat

        if not isinstance(input_format, InputFormat):
            raise TypeError(f"create_input takes an InputFormat, e.g. AvroInputFormat(path, schema), not {input_format!r}")
        return self.from_source(input_format.to_source(type_info), None, type(input_format).__name__, type_info)

    def from_arrow(self, data: Any, watermark_strategy: WatermarkStrategy | None = None, *, shape: str = "row") -> DataStream:
        """A stream of an Arrow table, batch, reader, or anything with ``__arrow_c_stream__`` (pandas 2.2, Polars, DuckDB), without copying.

        Values are rows; with ``shape="tuple"`` tuples, with ``"scalar"`` the values of the only column. A reader is read once, so it serves one job.
        Millstream's own.
        """
        from millstream.datastream.connectors.arrow import ArrowSource

        return self.from_source(ArrowSource(data, shape), watermark_strategy, "Arrow")

    def from_pandas(self, data: Any, watermark_strategy: WatermarkStrategy | None = None) -> DataStream:
        """A stream of the rows of a ``pandas.DataFrame``; its index is left out. Needs pyarrow. Millstream's own."""
        from millstream.datastream.arrow import import_pyarrow

        pyarrow = import_pyarrow("from_pandas")
        return self.from_arrow(pyarrow.Table.from_pandas(data, preserve_index=False), watermark_strategy)

    def read_text_file(self, file_path: str | Sequence[str], charset_name: str = "UTF-8") -> DataStream:
        """The lines of a file, of the files of a directory or glob, or of several of them; ``.gz`` and ``.zst`` are unpacked.

        Raises ``ValueError`` for a character set other than UTF-8.
        """
        from millstream.datastream.connectors.file_system import FilesSource

        checked_charset(charset_name)
        return self.from_source(FilesSource(file_path, Types.STRING(), {"format": "text"}), None, "Text files")

    def read_csv(
        self,
        path: str | Sequence[str],
        schema: str | TypeInformation | Mapping[str, TypeInformation],
        *,
        delimiter: str = ",",
        quote: str | None = '"',
        escape: str | None = None,
        header: bool = False,
        null_literal: str | None = None,
        comment: str | None = None,
        ragged: bool = False,
        columns: Sequence[str] | None = None,
        skip_malformed: bool = False,
        watermark_strategy: WatermarkStrategy | None = None,
        monitor_interval: Any = None,
    ) -> DataStream:
        """Rows of CSV files, decoded without Python. Millstream's own.

        ``path`` is a file, directory or glob, or several; ``.gz`` and ``.zst`` are unpacked. ``schema`` names the files' columns and types, e.g.
        ``"ROW<carrier STRING, delay INT>"`` or ``{"carrier": Types.STRING(), "delay": Types.INT()}``. With ``header`` each file's first line names
        its columns, which are found by name. ``columns`` picks some. A line that does not fit, or that has a null where ``schema`` is text that says
        ``NOT NULL``, fails the job with file and line number, or with ``skip_malformed`` is counted and left out, or with ``with_dead_letters`` on
        the stream goes to a side output. ``ragged`` allows lines with fewer (null) or more (dropped) fields. With ``monitor_interval`` new files are
        looked for so often, without end.
        """
        from millstream.datastream.connectors.file_system import FilesSource

        options = {"format": "csv", "csv.delimiter": delimiter, "csv.quote": quote or "", "csv.header": _flag(header), "csv.ragged": _flag(ragged)}
        for key, value in (("csv.escape", escape), ("csv.null-literal", null_literal), ("csv.comment", comment)):
            if value is not None:
                options[key] = value
        options.update(_file_options(columns, skip_malformed, monitor_interval))
        return self.from_source(FilesSource(path, _file_type(schema, "read_csv"), options, columns, schema), watermark_strategy, "CSV files")

    def read_json(
        self,
        path: str | Sequence[str],
        schema: str | TypeInformation | Mapping[str, TypeInformation],
        *,
        columns: Sequence[str] | None = None,
        skip_malformed: bool = False,
        watermark_strategy: WatermarkStrategy | None = None,
        monitor_interval: Any = None,
    ) -> DataStream:
        """Rows of files with a JSON object per line, decoded without Python; parameters as in :meth:`read_csv`. Millstream's own."""
        from millstream.datastream.connectors.file_system import FilesSource

        options = {"format": "json", **_file_options(columns, skip_malformed, monitor_interval)}
        return self.from_source(FilesSource(path, _file_type(schema, "read_json"), options, columns, schema), watermark_strategy, "JSON files")

    def socket_text_stream(self, hostname: str, port: int, delimiter: str = "\n", max_retry: int = 0) -> DataStream:
        """Text from a server, cut at each ``delimiter``. Connects again at most ``max_retry`` times when the connection is lost."""
        from millstream.datastream.connectors.socket import SocketTextSource

        return self.from_source(SocketTextSource(hostname, port, delimiter, max_retry))

    # ---- Jobs ----

    def execute(self, job_name: str | None = None) -> JobExecutionResult:
        """Runs what was made since the last job, waits for its end, and gives the result. Ctrl-C cancels the job.

        Raises what the job fails with: the exception of a user's function is raised as it is, with a note about operator and record. Raises
        ``InvalidStateError`` if there is nothing to run.
        """
        return self.execute_async(job_name).get_job_execution_result().result()

    def execute_async(self, job_name: str | None = None) -> JobClient:
        """Starts what was made since the last job, and gives its client at once. A failure that nobody asks the client for is printed."""
        return self._start(job_name)[0]._watch()

    def get_execution_plan(self) -> str:
        """The job as JSON, in Flink's form; nothing runs. Raises ``InvalidStateError`` if there is nothing to run."""
        builder = self._build(for_plan=True)
        plan = builder.native.plan_json()
        builder.native.close()
        return plan

    def plan_diff(self, savepoint: str | os.PathLike[str]) -> PlanDiff:
        """What would become of the state in a savepoint or checkpoint if the job were started from it. Nothing runs, and nothing is
        changed; but functions with keyed state are opened and closed again, as they say only then which states they have.

        Raises ``InvalidStateError`` if there is nothing to run, ``InputOutputError`` where there is no savepoint, ``DecodeError`` for a damaged one.
        """
        builder = self._build(for_plan=True, tells_states=True)
        try:
            path = local_path(os.fspath(savepoint))
            diff = with_pickles(PlanDiff.from_json(builder.native.plan_diff(path)), path, self._configuration.to_dict())
            return with_types(diff, path, builder.declared)
        finally:
            builder.native.close()

    def close(self) -> None:
        """Ends the use of the environment: later calls raise ``InvalidStateError``. Jobs that run go on."""
        self._is_closed = True
        self._transformations.clear()

    def __enter__(self) -> StreamExecutionEnvironment:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- Inside ----

    def _source(self, name: str, type_info: TypeInformation, add: Any) -> DataStream:
        self._check_open()
        return DataStream(self, StreamInput(Transformation(name, (), type_info, add)), type_info)

    def _register(self, transformation: Transformation) -> Transformation:
        """An operator or sink that the next job runs."""
        self._check_open()
        self._transformations.append(transformation)
        return transformation

    def _check_open(self) -> None:
        if self._is_closed:
            raise InvalidStateError("the environment is closed; get_execution_environment makes a new one")

    def _build(self, for_plan: bool = False, settings: dict[str, str] | None = None, tells_states: bool = False) -> JobBuilder:
        self._check_open()
        if not self._transformations:
            raise InvalidStateError("there is nothing to execute: no operator or sink was added since the last job")
        builder = JobBuilder(self, for_plan, "" if settings is None else settings[JOB_ID_KEY])
        builder.tells_states = tells_states
        try:
            for key, value in native_options(self._configuration.to_dict() if settings is None else settings):
                builder.native.configure(key, value)
                builder.is_restored |= key == RESTORE_KEY
            allowed = self._configuration.get_string("state.pickle.allowed")
            if allowed:
                from millstream.pickled_values import allow

                allow(*filter(None, map(str.strip, allowed.split(";"))))
            builder.native.set_text_output(_write_text)
            if not for_plan:
                builder.native.configure("millstream.host", host_properties())
            if self._clock is not None:
                builder.native.set_clock(self._clock._of_jobs())
            builder.add_all(self._transformations)
            if settings is not None:
                check_types(settings, builder.declared)
        except BaseException:
            builder.native.close()
            raise
        return builder

    def _start(self, job_name: str | None) -> tuple[JobClient, JobBuilder]:
        name = job_name or self._configuration.get_string("pipeline.name") or DEFAULT_JOB_NAME
        settings = self._configuration.to_dict()
        directory: JobDirectory | None = None
        try:
            if self._transformations:
                if run_settings.is_dry:
                    tell_plan_diff(self, settings, name)
                directory = recover(settings, name)
                check_pickles(settings)
            settings.setdefault(JOB_ID_KEY, str(JobID()))
            builder = self._build(settings=settings)
            job = builder.job = builder.native.execute(name, builder.places())
            builder.release()
        except BaseException:
            if directory is not None:
                directory.release()
            raise
        finally:
            # As in Flink, what was made belongs to one job, also if it could not start.
            self._transformations = []
        if directory is not None:
            directory.follow(job)
        return JobClient(job, name, builder.scope.metrics, builder.scope.accumulators, directory, builder.scope.job_id), builder

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else f"{len(self._transformations)} operators to run"
        return f"<StreamExecutionEnvironment, parallelism {self.get_parallelism()}, {state}>"


def _write_text(stream: int, text: str) -> None:
    """Where print sinks write: what Python's standard output is just now, as pytest and Jupyter expect. ``None`` takes nothing, as with ``print``.

    What the engine tells of a job goes to the log, which is standard error's unless the program says otherwise.
    """
    if stream == 3:
        say(text)
        return
    target = sys.stdout if stream == 1 else sys.stderr
    if target is None:
        return
    target.write(text)
    # `print` asks a stream for nothing but `write`.
    flush = getattr(target, "flush", None)
    if flush is not None:
        flush()


def _source_of(candidate: Any, type_info: TypeInformation | None) -> Source:
    """What `add_source` takes, as a source."""
    from millstream.datastream.connectors.base import Source
    from millstream.datastream.connectors.python import CallableSource

    if isinstance(candidate, Source):
        return candidate
    if callable(candidate):
        return CallableSource(candidate, type_info)
    if isinstance(candidate, Iterable) and not isinstance(candidate, (str, bytes, Mapping)):
        values = candidate
        # An iterator serves one job; anything else is read anew by each.
        return CallableSource(lambda: iter(values), type_info)
    raise TypeError(f"add_source takes a SourceFunction, a source, an iterable or a function that gives one, not {candidate!r}")


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _file_type(schema: str | TypeInformation | Mapping[str, TypeInformation], what: str) -> TypeInformation:
    if isinstance(schema, Mapping):
        return RowTypeInfo([type_of(field, f"{what}, field {name!r}") for name, field in schema.items()], list(schema))
    found = type_from_schema(schema) if isinstance(schema, str) else schema
    if not isinstance(found, (RowTypeInfo, TupleTypeInfo)):
        raise PlanError(f"{what} needs a schema of rows, e.g. 'ROW<name STRING, n BIGINT>', not {schema!r}")
    if any(isinstance(field, PickledBytesTypeInfo) for field in found.get_field_types()):
        raise PlanError(f"{what}: a file has no Python objects; give each column a type")
    return found


def _file_options(columns: Sequence[str] | None, skip_malformed: bool, monitor_interval: Any) -> dict[str, str]:
    options = {"skip-malformed": _flag(skip_malformed)}
    if columns is not None:
        options["projection"] = ",".join(columns)
    if monitor_interval is not None:
        options["monitor-interval"] = f"{milliseconds_of(monitor_interval, 'monitor_interval')} ms"
    return options


guard(globals())
