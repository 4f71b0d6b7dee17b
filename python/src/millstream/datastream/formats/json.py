"""JSON, an object per line."""

from __future__ import annotations

from typing import Any

from millstream._tracebacks import guard
from millstream.common.serialization import Encoder
from millstream.common.typeinfo import RowTypeInfo, type_of
from millstream.datastream.connectors.file_system import StreamFormat
from millstream.exceptions import PlanError

__all__ = ["JsonReaderFormat", "JsonRowFormat"]


class JsonReaderFormat(StreamFormat):
    """Rows of files with a JSON object per line, for ``FileSource.for_record_stream_format``. Millstream's own."""

    @staticmethod
    def for_type(type_info: Any) -> JsonReaderFormat:
        """Files whose objects have these fields. Raises ``PlanError`` for a type without fields."""
        found = type_of(type_info, "the type of JSON rows")
        if not isinstance(found, RowTypeInfo):
            raise PlanError(f"JSON files have rows, not {found!r}")
        return JsonReaderFormat(found, {"format": "json"})


class JsonRowFormat(Encoder):
    """A JSON object per line and row, for ``FileSink.for_row_format``. Millstream's own."""

    def __init__(self) -> None:
        super().__init__("json")


guard(globals())
