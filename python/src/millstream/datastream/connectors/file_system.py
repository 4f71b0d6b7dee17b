"""Files: read as streams, written from streams."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Self

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.serialization import BulkWriterFactory, Encoder, checked_charset
from millstream.common.time import Duration, Time, milliseconds_in, milliseconds_of
from millstream.common.typeinfo import RowTypeInfo, TypeInformation, Types, normal_schema
from millstream.datastream.connectors.base import AddSink, AddSource, Sink, Source, StreamTransformer, SupportsPreprocessing, source_repr
from millstream.datastream.field_access import field_index, field_names, field_types
from millstream.datastream.functions import SinkFunction
from millstream.exceptions import ConfigurationError, PlanError, UnsupportedError
from millstream.notices import say_once

if TYPE_CHECKING:
    from millstream.datastream.connectors.date_folders import DateFolders
    from millstream.datastream.connectors.python_files import PythonFileReader, PythonFilesSource
    from millstream.datastream.data_stream import DataStream

__all__ = [
    "BucketAssigner",
    "BulkFormat",
    "DefaultRollingPolicy",
    "FileCompactStrategy",
    "FileCompactor",
    "FileEnumeratorProvider",
    "FileSink",
    "FileSource",
    "FileSourceBuilder",
    "FileSplitAssignerProvider",
    "OnCheckpointRollingPolicy",
    "OutputFileConfig",
    "RollingPolicy",
    "StreamFormat",
    "StreamingFileSink",
]

Paths = str | PathLike[str] | Sequence[str | PathLike[str]]


# ---- Sources ---------------------------------------------------------------------------------------------------------------------------------


class FilesSource(Source):
    """Files, directories and globs in one of the engine's formats.

    ``declared`` is what the type was given as: a schema's text also says which columns have no nulls.
    """

    name = "Files"

    def __init__(
        self, paths: Paths, type_info: TypeInformation, options: Mapping[str, str], columns: Sequence[str] | None = None, declared: object = None
    ) -> None:
        self._paths = checked_paths(paths)
        schema = normal_schema(declared) if isinstance(declared, str) else type_info.schema()
        self._file_schema = None if options.get("format") == "text" else schema
        self._options = dict(options)
        self._type = type_info
        if columns is not None:
            positions = [field_index(type_info, column, "columns") for column in columns]
            self._type = RowTypeInfo([field_types(type_info)[position] for position in positions], list(columns))

    @property
    def produced_type(self) -> TypeInformation:
        return self._type

    def decodes_files(self) -> bool:
        return True

    def lower(self, type_info: TypeInformation) -> AddSource:
        return lambda builder, _, watermarks: builder.native.source_files(self._paths, self._file_schema, self._options, watermarks)

    def __repr__(self) -> str:
        return source_repr(self, self._options.get("format"), *self._paths)


class StreamFormat:
    """How a file's bytes become values: :meth:`text_line_format`, or ``CsvReaderFormat`` and ``JsonReaderFormat`` of the formats package.

    >>> format = StreamFormat.text_line_format("UTF-8")
    """

    def __init__(self, type_info: TypeInformation, options: Mapping[str, str], reader: PythonFileReader | None = None) -> None:
        self.type_info = type_info
        self.options = dict(options)
        #: What reads the files, where the engine does not.
        self.reader = reader
        #: What is done in Python to the values that were read, if anything, and their type then.
        self.convert: Callable[[Any], Any] | None = None
        self.final_type: TypeInformation | None = None

    @staticmethod
    def text_line_format(charset_name: str = "UTF-8") -> StreamFormat:
        """A line of text per value. Raises ``ValueError`` for a character set other than UTF-8."""
        checked_charset(charset_name)
        return StreamFormat(Types.STRING(), {"format": "text"})


class BulkFormat:
    """How files of columns become rows: ``ParquetColumnarRowInputFormat`` and ``OrcRowInputFormat`` of the formats package.

    >>> from millstream.datastream.formats.parquet import ParquetColumnarRowInputFormat
    >>> isinstance(ParquetColumnarRowInputFormat("ROW<name STRING>"), BulkFormat)
    True
    """

    def __init__(self, type_info: TypeInformation, reader: PythonFileReader) -> None:
        self.type_info = type_info
        self.reader = reader


class FileEnumeratorProvider:
    """Which files are read, and whether a large one is read in parts. Only kept: formats that can be read in parts are, others are not.

    >>> provider = FileEnumeratorProvider.default_splittable_file_enumerator()
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind

    @staticmethod
    def default_splittable_file_enumerator() -> FileEnumeratorProvider:
        """All files but hidden ones; large ones in parts, where the format allows it. The default."""
        return FileEnumeratorProvider("splittable")

    @staticmethod
    def default_non_splittable_file_enumerator() -> FileEnumeratorProvider:
        """All files but hidden ones, each as a whole. Here large ones are read in parts all the same, which changes no value."""
        return FileEnumeratorProvider("non-splittable")

    def __repr__(self) -> str:
        return f"<FileEnumeratorProvider {self._kind}>"


class FileSplitAssignerProvider:
    """Which subtask reads which file. Only kept: on one machine all files are near.

    >>> provider = FileSplitAssignerProvider.locality_aware_split_assigner()
    """

    @staticmethod
    def locality_aware_split_assigner() -> FileSplitAssignerProvider:
        """Near files first; the default."""
        return FileSplitAssignerProvider()


class FileSource(FilesSource):
    """Reads files.

    >>> source = FileSource.for_record_stream_format(StreamFormat.text_line_format(), "/var/log").process_static_file_set().build()
    >>> source
    FileSource(text, /var/log)
    """

    @staticmethod
    def for_record_stream_format(stream_format: StreamFormat, *paths: str | PathLike[str]) -> FileSourceBuilder:
        """Files, directories (with what is in them, but for names that start with ``.`` or ``_``) and globs; ``.gz`` and ``.zst`` are unpacked."""
        if not isinstance(stream_format, StreamFormat):
            raise TypeError(f"a StreamFormat is needed, e.g. StreamFormat.text_line_format(), not {stream_format!r}")
        return FileSourceBuilder(stream_format, checked_paths(list(paths)))

    @staticmethod
    def for_bulk_file_format(bulk_format: BulkFormat, *paths: str | PathLike[str]) -> FileSourceBuilder:
        """Files of columns, such as Parquet; paths as in :meth:`for_record_stream_format`. One subtask reads them, by pyarrow.

        ``env.from_arrow`` with a dataset's reader of pyarrow is faster: nothing is made a Python object.
        """
        if not isinstance(bulk_format, BulkFormat):
            raise TypeError(f"a BulkFormat is needed, e.g. ParquetColumnarRowInputFormat(row_type), not {bulk_format!r}")
        stream_format = StreamFormat(bulk_format.type_info, {"format": "bulk"}, bulk_format.reader)
        return FileSourceBuilder(stream_format, checked_paths(list(paths)))

    def __init__(
        self, paths: Paths, type_info: TypeInformation, options: Mapping[str, str], reader: PythonFileReader | None = None
    ) -> None:
        super().__init__(paths, type_info, options)
        self._reader = reader
        self._format: StreamFormat | None = None

    def finish(self, stream: DataStream) -> DataStream:
        if self._format is None or self._format.convert is None:
            return stream
        return stream.map(self._format.convert, self._format.final_type).name("CSV lists")

    def ends(self) -> bool:
        return "monitor-interval" not in self._options

    def decodes_files(self) -> bool:
        return self._reader is None

    def batches(self) -> Iterator[Sequence[Any] | float]:
        from millstream.datastream.formats.lines import line_reader

        if self._format is not None and self._format.convert is not None:
            raise UnsupportedError(f"{self!r} has columns of lists, and cannot be part of a hybrid source")
        reader = self._reader or line_reader(self._options, self._type)
        return self._python_source(reader).batches()

    def lower(self, type_info: TypeInformation) -> AddSource:
        if self._reader is None:
            return super().lower(type_info)
        return self._python_source(self._reader).lower(type_info)

    def _python_source(self, reader: PythonFileReader) -> PythonFilesSource:
        from millstream.datastream.connectors.python_files import PythonFilesSource

        interval = self._options.get("monitor-interval")
        return PythonFilesSource(self._paths, reader, self._type, None if interval is None else milliseconds_in(interval))


class FileSourceBuilder:
    """Says how files are found.

    >>> builder = FileSource.for_record_stream_format(StreamFormat.text_line_format(), "/tmp/in")
    >>> builder.monitor_continuously(Duration.of_seconds(1)).process_static_file_set().build()
    FileSource(text, /tmp/in)
    """

    def __init__(self, stream_format: StreamFormat, paths: list[str]) -> None:
        self._format = stream_format
        self._paths = paths
        self._options: dict[str, str] = {}

    def monitor_continuously(self, discovery_interval: Duration | Time | timedelta | int) -> FileSourceBuilder:
        """Looks for new files so often, without end."""
        interval = milliseconds_of(discovery_interval, "discovery_interval")
        if interval <= 0:
            raise ConfigurationError(f"the discovery interval must be positive, but is {interval} ms")
        self._options["monitor-interval"] = f"{interval} ms"
        return self

    def process_static_file_set(self) -> FileSourceBuilder:
        """Reads the files that are there when the job starts; the default."""
        self._options.pop("monitor-interval", None)
        return self

    def skip_malformed(self, skip: bool = True) -> FileSourceBuilder:
        """Leaves out what does not decode, and counts it, instead of failing the job. Millstream's own."""
        self._options["skip-malformed"] = "true" if skip else "false"
        return self

    def build(self) -> FileSource:
        """The source."""
        source = FileSource(self._paths, self._format.type_info, {**self._format.options, **self._options}, self._format.reader)
        source._format = self._format
        return source

    def set_file_enumerator(self, file_enumerator: FileEnumeratorProvider) -> FileSourceBuilder:
        """Only kept: see :class:`FileEnumeratorProvider`."""
        if not isinstance(file_enumerator, FileEnumeratorProvider):
            raise TypeError(f"a FileEnumeratorProvider is needed, not {file_enumerator!r}")
        return self

    def set_split_assigner(self, split_assigner: FileSplitAssignerProvider) -> FileSourceBuilder:
        """Only kept: see :class:`FileSplitAssignerProvider`."""
        if not isinstance(split_assigner, FileSplitAssignerProvider):
            raise TypeError(f"a FileSplitAssignerProvider is needed, not {split_assigner!r}")
        return self


# ---- Sinks -----------------------------------------------------------------------------------------------------------------------------------


class OutputFileConfig:
    """What the names of written files begin and end with.

    >>> config = OutputFileConfig.builder().with_part_prefix("delays").with_part_suffix(".csv").build()
    >>> config.get_part_prefix(), config.get_part_suffix()
    ('delays', '.csv')
    """

    def __init__(self, part_prefix: str, part_suffix: str) -> None:
        self._part_prefix = part_prefix
        self._part_suffix = part_suffix

    def get_part_prefix(self) -> str:
        """The beginning."""
        return self._part_prefix

    def get_part_suffix(self) -> str:
        """The end."""
        return self._part_suffix

    @staticmethod
    def builder() -> OutputFileConfig.OutputFileConfigBuilder:
        """Starts with ``part`` and no suffix."""
        return OutputFileConfig.OutputFileConfigBuilder()

    class OutputFileConfigBuilder:
        """Builds an :class:`OutputFileConfig`."""

        def __init__(self) -> None:
            self._prefix = "part"
            self._suffix = ""

        def with_part_prefix(self, prefix: str) -> OutputFileConfig.OutputFileConfigBuilder:
            """Sets the beginning."""
            self._prefix = prefix
            return self

        def with_part_suffix(self, suffix: str) -> OutputFileConfig.OutputFileConfigBuilder:
            """Sets the end."""
            self._suffix = suffix
            return self

        def build(self) -> OutputFileConfig:
            """The names."""
            return OutputFileConfig(self._prefix, self._suffix)


class RollingPolicy:
    """When a file is finished and the next one begun.

    >>> policy = RollingPolicy.default_rolling_policy(part_size=1 << 20)
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = dict(options)

    @staticmethod
    def default_rolling_policy(
        part_size: int = 128 << 20,
        rollover_interval: int | Time | Duration | timedelta = 60_000,
        inactivity_interval: int | Time | Duration | timedelta = 60_000,
    ) -> DefaultRollingPolicy:
        """When it is so large (bytes), so old, or so long without rows (numbers: milliseconds).

        Raises ``ConfigurationError`` unless all are positive.
        """
        age = milliseconds_of(rollover_interval, "rollover_interval")
        idle = milliseconds_of(inactivity_interval, "inactivity_interval")
        if part_size <= 0 or age <= 0 or idle <= 0:
            raise ConfigurationError(f"a rolling policy needs positive numbers, not {part_size} bytes, {age} ms and {idle} ms")
        return DefaultRollingPolicy({"rolling.size": f"{part_size} b", "rolling.interval": f"{age} ms", "rolling.inactivity": f"{idle} ms"})

    @staticmethod
    def on_checkpoint_rolling_policy() -> OnCheckpointRollingPolicy:
        """At checkpoints; there are none yet, so at the end of the input."""
        never = f"{1 << 40} ms"
        return OnCheckpointRollingPolicy({"rolling.size": f"{1 << 50} b", "rolling.interval": never, "rolling.inactivity": never})


class DefaultRollingPolicy(RollingPolicy):
    """By size and age: ``RollingPolicy.default_rolling_policy()``.

    >>> policy = RollingPolicy.default_rolling_policy(part_size=1 << 20, rollover_interval=60_000)
    >>> isinstance(policy, DefaultRollingPolicy)
    True
    """


class OnCheckpointRollingPolicy(RollingPolicy):
    """At checkpoints only: ``RollingPolicy.on_checkpoint_rolling_policy()``, the one for whole files such as Parquet.

    >>> isinstance(RollingPolicy.on_checkpoint_rolling_policy(), OnCheckpointRollingPolicy)
    True
    """


class FileCompactStrategy:
    """When small files are put together. It takes effect with checkpoints, which this release does not take.

    >>> strategy = FileCompactStrategy.builder().set_size_threshold(1 << 20).build()
    """

    def __init__(self, num_checkpoints_before_compaction: int, size_threshold: int, num_compact_threads: int) -> None:
        self.num_checkpoints_before_compaction = num_checkpoints_before_compaction
        self.size_threshold = size_threshold
        self.num_compact_threads = num_compact_threads

    @staticmethod
    def builder() -> FileCompactStrategy.Builder:
        """Starts without a condition."""
        return FileCompactStrategy.Builder()

    class Builder:
        """Builds a :class:`FileCompactStrategy`: it needs at least one condition."""

        def __init__(self) -> None:
            self._checkpoints, self._size, self._threads = -1, -1, 1

        def enable_compaction_on_checkpoint(self, num_checkpoints_before_compaction: int) -> FileCompactStrategy.Builder:
            """After so many checkpoints. Raises ``ConfigurationError`` unless the number is positive."""
            self._checkpoints = _positive(num_checkpoints_before_compaction, "number of checkpoints before compaction")
            return self

        def set_size_threshold(self, size_threshold: int) -> FileCompactStrategy.Builder:
            """When the files have so many bytes together. Raises ``ConfigurationError`` unless the number is positive."""
            self._size = _positive(size_threshold, "size threshold")
            return self

        def set_num_compact_threads(self, num_compact_threads: int) -> FileCompactStrategy.Builder:
            """With so many threads: 1 unless set. Raises ``ConfigurationError`` unless the number is positive."""
            self._threads = _positive(num_compact_threads, "number of compacting threads")
            return self

        def build(self) -> FileCompactStrategy:
            """The strategy. Raises ``ConfigurationError`` without a condition."""
            if self._checkpoints < 0 and self._size < 0:
                raise ConfigurationError("a compaction needs a condition: enable_compaction_on_checkpoint, set_size_threshold, or both")
            return FileCompactStrategy(self._checkpoints, self._size, self._threads)


class FileCompactor:
    """How small files are put together.

    >>> compactor = FileCompactor.concat_file_compactor(b",")
    """

    def __init__(self, kind: str, file_delimiter: bytes = b"") -> None:
        self.kind = kind
        self.file_delimiter = file_delimiter

    @staticmethod
    def concat_file_compactor(file_delimiter: bytes | None = None) -> FileCompactor:
        """One behind the other, with these bytes between two."""
        return FileCompactor("concat", bytes(file_delimiter or b""))

    @staticmethod
    def identical_file_compactor() -> FileCompactor:
        """Each file as it is."""
        return FileCompactor("identical")


class BucketAssigner:
    """Tells which folder below the sink's a row goes to.

    >>> assigner = BucketAssigner.date_time_bucket_assigner("yyyy-MM-dd", "UTC")
    """

    def __init__(self, column: str | int | None, pattern: str | None = None, zone: str | None = None) -> None:
        self.column = column
        #: Names folders after the time instead.
        self.pattern = pattern
        self.zone = zone

    def folders(self) -> DateFolders | None:
        """Names folders for sinks that Python writes."""
        from millstream.datastream.connectors.date_folders import DateFolders

        return None if self.pattern is None else DateFolders(self.pattern, self.zone)

    @staticmethod
    def base_path_bucket_assigner() -> BucketAssigner:
        """All rows to the sink's own folder."""
        return BucketAssigner(None)

    @staticmethod
    def column_bucket_assigner(column: str | int) -> BucketAssigner:
        """A folder per value of a STRING column, by name or position. Millstream's own."""
        return BucketAssigner(column)

    @staticmethod
    def date_time_bucket_assigner(format_str: str = "yyyy-MM-dd--HH", timezone_id: str | None = None) -> BucketAssigner:
        """A folder per hour, or what the pattern says, of the time by the clock at which a row is written: the default, as in Flink.

        The pattern is Java's, of the letters y, M, d, D, H, m and s; other text may be quoted (``'``). The time zone is this machine's unless given;
        with another one than UTC Python writes the files. Raises ``ConfigurationError`` for a pattern or time zone that there is none of.
        """
        from millstream.datastream.connectors.date_folders import DateFolders

        DateFolders(format_str, timezone_id)
        return BucketAssigner(None, format_str, timezone_id)


class FileSink(Sink, SupportsPreprocessing):
    """Writes rows to files of a directory. Files have a hidden name while they are written, and get their own when they are finished.

    >>> from millstream.common import Encoder
    >>> FileSink.for_row_format("/tmp/delays", Encoder.simple_string_encoder()).build()
    FileSink(text, /tmp/delays)
    """

    name = "File sink"

    def __init__(
        self,
        base_path: str,
        options: Mapping[str, str],
        bucket: BucketAssigner,
        writer_factory: BulkWriterFactory | None = None,
        transformer: StreamTransformer | None = None,
    ) -> None:
        self._base_path = base_path
        self._options = dict(options)
        self._bucket = bucket
        self._writer_factory = writer_factory
        self._transformer = transformer

    def get_transformer(self) -> StreamTransformer | None:
        """What changes the stream before it is written: nothing, ``None``, as rows are written as they are."""
        return self._transformer

    @property
    def writes_java_text(self) -> bool:
        return self._writer_factory is None and self._options["format"] == "text"

    @staticmethod
    def for_row_format(base_path: str | PathLike[str], encoder: Encoder) -> FileSink.RowFormatBuilder:
        """Lines as the encoder makes them."""
        if not isinstance(encoder, Encoder):
            raise TypeError(f"an Encoder is needed, e.g. Encoder.simple_string_encoder(), not {encoder!r}")
        return FileSink.RowFormatBuilder(checked_paths(base_path)[0], {"format": encoder._format, **encoder._options})

    @staticmethod
    def for_bulk_format(base_path: str | PathLike[str], writer_factory: BulkWriterFactory) -> FileSink.BulkFormatBuilder:
        """Whole files as the factory makes them: ``ParquetBulkWriters``, ``OrcBulkWriters``, ``AvroBulkWriters``, ``CsvBulkWriters``."""
        if not isinstance(writer_factory, BulkWriterFactory):
            raise TypeError(f"a BulkWriterFactory is needed, e.g. ParquetBulkWriters.for_row_type(type), not {writer_factory!r}")
        path = checked_paths(base_path)[0]
        encoder = getattr(writer_factory, "encoder", None)
        if isinstance(encoder, Encoder):
            return FileSink.BulkFormatBuilder(path, {"format": encoder._format, **encoder._options}, None)
        return FileSink.BulkFormatBuilder(path, {"format": "bulk"}, writer_factory)

    class BaseBuilder:
        """Says where and how files are written."""

        def __init__(self, base_path: str, options: Mapping[str, str], writer_factory: BulkWriterFactory | None = None) -> None:
            self._base_path = base_path
            self._options = dict(options)
            self._writer_factory = writer_factory
            self._bucket = BucketAssigner(None, "yyyy-MM-dd--HH")

        def with_rolling_policy(self, rolling_policy: RollingPolicy) -> Self:
            """When a file is finished."""
            if not isinstance(rolling_policy, RollingPolicy):
                raise TypeError(f"a RollingPolicy is needed, not {rolling_policy!r}")
            self._options.update(rolling_policy._options)
            return self

        def with_output_file_config(self, output_file_config: OutputFileConfig) -> Self:
            """How files are called."""
            self._options.update({"prefix": output_file_config.get_part_prefix(), "suffix": output_file_config.get_part_suffix()})
            return self

        def with_bucket_assigner(self, bucket_assigner: BucketAssigner) -> Self:
            """Which folder a row goes to."""
            self._bucket = bucket_assigner
            return self

        def with_bucket_check_interval(self, interval: int) -> Self:
            """Only kept: files are looked at with each batch."""
            return self

        def enable_compact(self, strategy: FileCompactStrategy, compactor: FileCompactor) -> Self:
            """Puts small files together when the strategy says so. It takes effect with checkpoints, and is said once in the log."""
            if not isinstance(strategy, FileCompactStrategy) or not isinstance(compactor, FileCompactor):
                raise TypeError(f"a FileCompactStrategy and a FileCompactor are needed, not {strategy!r} and {compactor!r}")
            say_once("the compaction of a FileSink", "is kept, and takes effect with a later release")
            return self

        def disable_compact(self) -> Self:
            """Leaves files as they are; the default."""
            return self

        def build(self) -> FileSink:
            """The sink."""
            return FileSink(self._base_path, self._options, self._bucket, self._writer_factory)

    class RowFormatBuilder(BaseBuilder):
        """Says where and how files of lines are written."""

    class BulkFormatBuilder(BaseBuilder):
        """Says where and how whole files are written. Without checkpoints a file ends with the input."""

        def with_rolling_policy(self, rolling_policy: RollingPolicy) -> Self:
            """Raises ``ValueError`` for another policy than ``RollingPolicy.on_checkpoint_rolling_policy()``."""
            if not isinstance(rolling_policy, OnCheckpointRollingPolicy):
                raise ValueError("rolling_policy must be OnCheckpointRollingPolicy for bulk format")
            return super().with_rolling_policy(rolling_policy)

    def lower(self, type_info: TypeInformation) -> AddSink:
        format_name = self._options["format"]
        if format_name in ("csv", "json") and field_names(type_info) is None:
            raise PlanError(f"a file sink of format {format_name} needs rows or tuples of declared types, not {type_info!r}")
        column = None if self._bucket.column is None else field_index(type_info, self._bucket.column, "the folder's column")
        if self._writer_factory is None and self._bucket.zone in (None, "UTC"):
            bucket = None if column is None else _native.Expression.column(column)
            options = self._options
            if self._bucket.pattern is not None:
                options = {**options, "time-folders": self._bucket.pattern, "time-folders.zone": self._bucket.zone or "local"}
            return lambda builder, _, inputs: builder.native.sink_files(inputs[0], self._base_path, options, bucket)
        return self._lower_in_python(type_info, column)

    def _lower_in_python(self, type_info: TypeInformation, column: int | None) -> AddSink:
        from millstream.datastream.connectors.python_files import PythonFilesSink
        from millstream.datastream.formats.lines import line_writer

        folders = self._bucket.folders()
        bucket_of: Callable[[Any], str] | None = None
        if folders is not None:
            bucket_of = folders.name_of
        elif column is not None:
            bucket_of = FolderByColumn(column)
        factory = self._writer_factory
        make_writer = factory.open_writer if factory is not None else line_writer(self._options, type_info)
        size, age = self._options.get("rolling.size"), self._options.get("rolling.interval")
        sink = PythonFilesSink(
            self._base_path,
            make_writer,
            bucket_of,
            self._options.get("prefix", "part"),
            self._options.get("suffix", ""),
            int(size.split()[0]) if size is not None else None,
            milliseconds_in(age) if age is not None else None,
            # Folders by the clock are the same for all rows of a batch.
            getattr(factory, "columns_type", None) if column is None else None,
        )
        return sink.lower(type_info)

    def __repr__(self) -> str:
        return source_repr(self, self._options["format"], self._base_path)


class StreamingFileSink(SinkFunction[Any]):
    """A :class:`FileSink` for ``add_sink``, as older scripts write it. Gives a ``DeprecationWarning``, as PyFlink does.

    >>> from millstream.common import Encoder
    >>> import warnings
    >>> warnings.simplefilter("ignore", DeprecationWarning)
    >>> sink = StreamingFileSink.for_row_format("/tmp/out", Encoder.simple_string_encoder()).build()
    """

    def __init__(self, file_sink: FileSink) -> None:
        warnings.warn("StreamingFileSink is the older form of FileSink, which sink_to takes", DeprecationWarning, stacklevel=3)
        super().__init__()
        self.file_sink = file_sink

    @staticmethod
    def for_row_format(base_path: str | PathLike[str], encoder: Encoder) -> StreamingFileSink.DefaultRowFormatBuilder:
        """Lines as the encoder makes them."""
        return StreamingFileSink.DefaultRowFormatBuilder(FileSink.for_row_format(base_path, encoder))

    @staticmethod
    def for_bulk_format(base_path: str | PathLike[str], writer_factory: BulkWriterFactory) -> StreamingFileSink.DefaultBulkFormatBuilder:
        """Whole files as the factory makes them."""
        return StreamingFileSink.DefaultBulkFormatBuilder(FileSink.for_bulk_format(base_path, writer_factory))

    class BaseBuilder:
        """Says where and how files are written."""

        def __init__(self, builder: FileSink.BaseBuilder) -> None:
            self._builder = builder

        def with_rolling_policy(self, policy: RollingPolicy) -> Self:
            """When a file is finished."""
            self._builder.with_rolling_policy(policy)
            return self

        def with_output_file_config(self, output_file_config: OutputFileConfig) -> Self:
            """How files are called."""
            self._builder.with_output_file_config(output_file_config)
            return self

        def with_bucket_assigner(self, bucket_assigner: BucketAssigner) -> Self:
            """Which folder a row goes to."""
            self._builder.with_bucket_assigner(bucket_assigner)
            return self

        def with_bucket_check_interval(self, interval: int) -> Self:
            """Only kept: files are looked at with each batch."""
            return self

        def build(self) -> StreamingFileSink:
            """The sink."""
            return StreamingFileSink(self._builder.build())

    class DefaultRowFormatBuilder(BaseBuilder):
        """For files of lines."""

    class DefaultBulkFormatBuilder(BaseBuilder):
        """For whole files."""


class FolderByColumn:
    """The folder of a row: the text in one of its columns."""

    def __init__(self, column: int) -> None:
        self._column = column

    def __call__(self, value: Any) -> str:
        found = str(value[self._column])
        if found in ("", ".", "..") or "/" in found or "\0" in found:
            raise PlanError(f"the text {found[:200]!r} cannot be the name of a bucket's folder")
        return found


def _positive(number: Any, what: str) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ConfigurationError(f"the {what} must be a positive number, not {number!r}")
    return number


def checked_paths(paths: Paths) -> list[str]:
    """Paths as text, without ``file://``. Raises ``PlanError`` if there are none, and for other schemes."""
    entries = [paths] if isinstance(paths, (str, PathLike)) else list(paths)
    found = []
    for entry in entries:
        path = fspath(entry)
        if path.startswith("file:"):
            path = "/" + path.removeprefix("file:").lstrip("/")
        elif "://" in path:
            raise UnsupportedError(f"only local files can be read and written, not {path}")
        if not path:
            raise PlanError("a path is empty")
        found.append(path)
    if not found:
        raise PlanError("no path is given")
    return found


guard(globals())
