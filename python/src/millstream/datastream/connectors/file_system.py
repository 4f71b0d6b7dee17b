"""Files: read as streams, written from streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from os import PathLike, fspath
from typing import Any

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.serialization import Encoder, checked_charset
from millstream.common.time import Duration, Time, milliseconds_of
from millstream.common.typeinfo import RowTypeInfo, TypeInformation, Types
from millstream.datastream.connectors.base import AddSink, AddSource, Sink, Source, source_repr
from millstream.datastream.field_access import field_index, field_names, field_types
from millstream.exceptions import ConfigurationError, PlanError, UnsupportedError

__all__ = [
    "BucketAssigner",
    "FileSink",
    "FileSource",
    "FileSourceBuilder",
    "OutputFileConfig",
    "RollingPolicy",
    "StreamFormat",
]

Paths = str | PathLike[str] | Sequence[str | PathLike[str]]


# ---- Sources ---------------------------------------------------------------------------------------------------------------------------------


class FilesSource(Source):
    """Files, directories and globs in one of the engine's formats."""

    name = "Files"

    def __init__(self, paths: Paths, type_info: TypeInformation, options: Mapping[str, str], columns: Sequence[str] | None = None) -> None:
        self._paths = checked_paths(paths)
        self._file_schema = None if options.get("format") == "text" else type_info.schema()
        self._options = dict(options)
        self._type = type_info
        if columns is not None:
            positions = [field_index(type_info, column, "columns") for column in columns]
            self._type = RowTypeInfo([field_types(type_info)[position] for position in positions], list(columns))

    @property
    def produced_type(self) -> TypeInformation:
        return self._type

    def lower(self, type_info: TypeInformation) -> AddSource:
        return lambda builder, _, watermarks: builder.native.source_files(self._paths, self._file_schema, self._options, watermarks)

    def __repr__(self) -> str:
        return source_repr(self, self._options.get("format"), *self._paths)


class StreamFormat:
    """How a file's bytes become values: :meth:`text_line_format`, or ``CsvReaderFormat`` and ``JsonReaderFormat`` of the formats package."""

    def __init__(self, type_info: TypeInformation, options: Mapping[str, str]) -> None:
        self.type_info = type_info
        self.options = dict(options)

    @staticmethod
    def text_line_format(charset_name: str = "UTF-8") -> StreamFormat:
        """A line of text per value. Raises ``ValueError`` for a character set other than UTF-8."""
        checked_charset(charset_name)
        return StreamFormat(Types.STRING(), {"format": "text"})


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
    def for_bulk_file_format(bulk_format: Any, *paths: str) -> FileSourceBuilder:
        """Not there yet: raises ``UnsupportedError``. Parquet files can be read with pyarrow and ``env.from_arrow``."""
        raise UnsupportedError("bulk formats are not there yet; read Parquet with pyarrow and env.from_arrow")


class FileSourceBuilder:
    """Says how files are found."""

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
        return FileSource(self._paths, self._format.type_info, {**self._format.options, **self._options})


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
    """When a file is finished and the next one begun."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = dict(options)

    @staticmethod
    def default_rolling_policy(
        part_size: int = 128 << 20,
        rollover_interval: int | Time | Duration | timedelta = 60_000,
        inactivity_interval: int | Time | Duration | timedelta = 60_000,
    ) -> RollingPolicy:
        """When it is so large (bytes), so old, or so long without rows (numbers: milliseconds).

        Raises ``ConfigurationError`` unless all are positive.
        """
        age = milliseconds_of(rollover_interval, "rollover_interval")
        idle = milliseconds_of(inactivity_interval, "inactivity_interval")
        if part_size <= 0 or age <= 0 or idle <= 0:
            raise ConfigurationError(f"a rolling policy needs positive numbers, not {part_size} bytes, {age} ms and {idle} ms")
        return RollingPolicy({"rolling.size": f"{part_size} b", "rolling.interval": f"{age} ms", "rolling.inactivity": f"{idle} ms"})

    @staticmethod
    def on_checkpoint_rolling_policy() -> RollingPolicy:
        """At checkpoints; there are none yet, so at the end of the input."""
        never = f"{1 << 40} ms"
        return RollingPolicy({"rolling.size": f"{1 << 50} b", "rolling.interval": never, "rolling.inactivity": never})


class BucketAssigner:
    """Tells which folder below the sink's a row goes to."""

    def __init__(self, column: str | int | None) -> None:
        self.column = column

    @staticmethod
    def base_path_bucket_assigner() -> BucketAssigner:
        """All rows to the sink's own folder; the default."""
        return BucketAssigner(None)

    @staticmethod
    def column_bucket_assigner(column: str | int) -> BucketAssigner:
        """A folder per value of a STRING column, by name or position. Millstream's own."""
        return BucketAssigner(column)

    @staticmethod
    def date_time_bucket_assigner(format_str: str = "yyyy-MM-dd--HH", timezone_id: str | None = None) -> BucketAssigner:
        """Not there yet: raises ``UnsupportedError``."""
        raise UnsupportedError("folders by date are not there yet; make a column with the folder's name and use column_bucket_assigner")


class FileSink(Sink):
    """Writes rows to files of a directory. Files have a hidden name while they are written, and get their own when they are finished.

    >>> from millstream.common import Encoder
    >>> FileSink.for_row_format("/tmp/delays", Encoder.simple_string_encoder()).build()
    FileSink(text, /tmp/delays)
    """

    name = "File sink"

    def __init__(self, base_path: str, options: Mapping[str, str], bucket: str | int | None) -> None:
        self._base_path = base_path
        self._options = dict(options)
        self._bucket = bucket

    @staticmethod
    def for_row_format(base_path: str | PathLike[str], encoder: Encoder) -> FileSink.RowFormatBuilder:
        """Lines as the encoder makes them."""
        if not isinstance(encoder, Encoder):
            raise TypeError(f"an Encoder is needed, e.g. Encoder.simple_string_encoder(), not {encoder!r}")
        return FileSink.RowFormatBuilder(checked_paths(base_path)[0], encoder)

    @staticmethod
    def for_bulk_format(base_path: str, writer_factory: Any) -> FileSink.RowFormatBuilder:
        """Not there yet: raises ``UnsupportedError``. ``to_arrow`` gives a table that pyarrow writes as Parquet."""
        raise UnsupportedError("bulk formats are not there yet; to_arrow gives a table that pyarrow writes as Parquet")

    class RowFormatBuilder:
        """Says where and how files are written."""

        def __init__(self, base_path: str, encoder: Encoder) -> None:
            self._base_path = base_path
            self._options = {"format": encoder._format, **encoder._options}
            self._bucket: str | int | None = None

        def with_rolling_policy(self, policy: RollingPolicy) -> FileSink.RowFormatBuilder:
            """When a file is finished."""
            self._options.update(policy._options)
            return self

        def with_output_file_config(self, output_file_config: OutputFileConfig) -> FileSink.RowFormatBuilder:
            """How files are called."""
            self._options.update({"prefix": output_file_config.get_part_prefix(), "suffix": output_file_config.get_part_suffix()})
            return self

        def with_bucket_assigner(self, assigner: BucketAssigner) -> FileSink.RowFormatBuilder:
            """Which folder a row goes to."""
            self._bucket = assigner.column
            return self

        def with_bucket_check_interval(self, interval: int) -> FileSink.RowFormatBuilder:
            """Only kept: files are looked at with each batch."""
            return self

        def build(self) -> FileSink:
            """The sink."""
            return FileSink(self._base_path, self._options, self._bucket)

    def lower(self, type_info: TypeInformation) -> AddSink:
        bucket = None
        if self._bucket is not None:
            bucket = _native.Expression.column(field_index(type_info, self._bucket, "the folder's column"))
        if self._options["format"] in ("csv", "json") and field_names(type_info) is None:
            raise PlanError(f"a file sink of format {self._options['format']} needs rows or tuples of declared types, not {type_info!r}")
        return lambda builder, _, inputs: builder.native.sink_files(inputs[0], self._base_path, self._options, bucket)

    def __repr__(self) -> str:
        return source_repr(self, self._options["format"], self._base_path)


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
