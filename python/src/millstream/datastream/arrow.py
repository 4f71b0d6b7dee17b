"""Batches in and out as Arrow. Loads pyarrow and pandas only when they are used."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from millstream import _native
from millstream._tracebacks import guard
from millstream.datastream.field_access import field_names
from millstream.exceptions import PlanError, UnsupportedError

if TYPE_CHECKING:
    from millstream.datastream.data_stream import DataStream


def import_pyarrow(what: str) -> Any:
    """The module; raises ``ImportError`` with what to install."""
    try:
        import pyarrow  # type: ignore[import-untyped,unused-ignore]
    except ImportError as error:
        raise ImportError(f"{what} needs pyarrow: pip install pyarrow") from error
    return pyarrow


def import_pandas(what: str) -> Any:
    """The module; raises ``ImportError`` with what to install."""
    try:
        import pandas  # type: ignore[import-untyped,unused-ignore]
    except ImportError as error:
        raise ImportError(f"{what} needs pandas: pip install pandas") from error
    return pandas


def collect_table(stream: DataStream, job_name: str | None) -> Any:
    """Runs the job and gives its values as a table."""
    pyarrow = import_pyarrow("to_arrow")
    if "OBJECT" not in stream.get_type().schema():
        with collect_reader(stream, job_name) as reader:
            return reader.read_all()
    values = list(stream.execute_and_collect(job_name))
    names = field_names(stream.get_type())
    if names is None:
        first = values[0] if values else None
        names = getattr(first, "_fields", None)
        if names is None and isinstance(first, tuple):
            names = [f"f{index}" for index in range(len(first))]
    if names is None:
        return pyarrow.table({"value": pyarrow.array(values)})
    return pyarrow.table({name: pyarrow.array([value[index] for value in values]) for index, name in enumerate(names)})


def collect_reader(stream: DataStream, job_name: str | None) -> Any:
    """Runs the job and gives its values while it runs, as a reader of batches."""
    pyarrow = import_pyarrow("to_arrow_reader")
    if "OBJECT" in stream.get_type().schema():
        raise PlanError(f"{stream!r} has values that stay Python objects; declare their type, e.g. with output_type")
    sink = stream._sink("Collect", lambda builder, _, inputs: builder.native.sink_collect(inputs[0]))
    client, builder = stream._env._start(job_name)
    reader = pyarrow.RecordBatchReader.from_stream(client._job.collect_stream(builder.node(sink._transformation)))
    return _without_views(reader)


def _without_views(columns: Any) -> Any:
    """A reader or batch with offsets instead of views in its texts; one that has none as it is."""
    import pyarrow

    plain = pyarrow.schema([field.with_type(_plain_type(field.type)) for field in columns.schema], columns.schema.metadata)
    return columns if plain == columns.schema else columns.cast(plain)


def _plain_type(type: Any) -> Any:
    """The type with offsets instead of views: few of pyarrow's functions, and none of its CSV and join code, take views."""
    import pyarrow
    from pyarrow import types

    if types.is_string_view(type):
        return pyarrow.string()
    if types.is_binary_view(type):
        return pyarrow.binary()
    if types.is_list(type):
        return pyarrow.list_(type.value_field.with_type(_plain_type(type.value_type)))
    if types.is_map(type):
        return pyarrow.map_(type.key_field.with_type(_plain_type(type.key_type)), type.item_field.with_type(_plain_type(type.item_type)))
    if types.is_struct(type):
        return pyarrow.struct([field.with_type(_plain_type(field.type)) for field in type])
    return type


def batch_function(function: Callable[[Any], Any], format: str, schema: str) -> Callable[[Any], Any]:
    """A user's function of a batch in the engine's shape: from one object with Arrow's interface to another."""
    if format not in ("arrow", "pandas"):
        raise UnsupportedError(f"map_batches knows the formats arrow and pandas, not {format!r}")
    pyarrow = import_pyarrow("map_batches")
    if format == "pandas":
        import_pandas("map_batches with pandas")
    target = pyarrow.schema(_ArrowSchema(schema))

    def call(columns: Any) -> Any:
        batch = pyarrow.record_batch(columns)
        if format == "arrow":
            return function(_without_views(batch))
        return pyarrow.RecordBatch.from_pandas(function(batch.to_pandas()), schema=target, preserve_index=False)

    call.__name__ = getattr(function, "__name__", type(function).__name__)
    return call


class _ArrowSchema:
    """A schema's text with Arrow's interface."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __arrow_c_schema__(self) -> Any:
        return _native.schema_to_arrow(self._text)


guard(globals())
