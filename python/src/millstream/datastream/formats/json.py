"""JSON, an object per line."""

from __future__ import annotations

import decimal
import json
from typing import Any, Self

from millstream._tracebacks import guard
from millstream.common.serialization import DeserializationSchema, Encoder, SerializationSchema
from millstream.common.typeinfo import RowTypeInfo, TypeInformation, Types, type_of
from millstream.datastream.connectors.file_system import StreamFormat
from millstream.datastream.formats.text_values import from_text, to_text
from millstream.exceptions import DecodeError, PlanError, TypeMismatchError

__all__ = ["JsonReaderFormat", "JsonRowDeserializationSchema", "JsonRowFormat", "JsonRowSerializationSchema"]


class JsonReaderFormat(StreamFormat):
    """Rows of files with a JSON object per line, for ``FileSource.for_record_stream_format``. Millstream's own.

    >>> format = JsonReaderFormat.for_type("ROW<word STRING, n BIGINT>")
    """

    @staticmethod
    def for_type(type_info: Any) -> JsonReaderFormat:
        """Files whose objects have these fields. Raises ``PlanError`` for a type without fields."""
        found = type_of(type_info, "the type of JSON rows")
        if not isinstance(found, RowTypeInfo):
            raise PlanError(f"JSON files have rows, not {found!r}")
        return JsonReaderFormat(found, {"format": "json"})


class JsonRowFormat(Encoder):
    """A JSON object per line and row, for ``FileSink.for_row_format``. Millstream's own.

    >>> JsonRowFormat()
    <Encoder json>
    """

    def __init__(self) -> None:
        super().__init__("json")


class JsonRowDeserializationSchema(DeserializationSchema):
    """JSON objects as rows, for connectors that carry messages.

    >>> from millstream.common import Types
    >>> schema = JsonRowDeserializationSchema.builder().type_info(Types.ROW_NAMED(["id", "tags"], [Types.LONG(), Types.LIST(Types.STRING())])).build()
    >>> schema.deserialize(b'{"id": 7, "tags": ["a"], "other": true}')
    Row(id=7, tags=['a'])
    """

    def __init__(self, type_info: TypeInformation, fail_on_missing_field: bool = False, ignore_parse_errors: bool = False) -> None:
        super().__init__()
        self._type_info = type_info
        self._fail_on_missing_field = fail_on_missing_field
        self._ignore_parse_errors = ignore_parse_errors

    @staticmethod
    def builder() -> JsonRowDeserializationSchema.Builder:
        """Starts without a type."""
        return JsonRowDeserializationSchema.Builder()

    def deserialize(self, message: bytes) -> Any:
        """The row of a message. Raises ``DecodeError`` for one that does not fit; with ``ignore_parse_errors`` it is left out: ``None``."""
        try:
            return from_text(json.loads(message), self._type_info, self._fail_on_missing_field)
        except (ValueError, KeyError, TypeError, ArithmeticError) as error:
            if self._ignore_parse_errors:
                return None
            what = f"there is no field {error}" if isinstance(error, KeyError) else str(error)
            raise DecodeError(f"the message {bytes(message[:100])!r} does not fit {self._type_info!r}: {what}") from None

    def get_produced_type(self) -> TypeInformation:
        """The type of the rows."""
        return self._type_info

    class Builder:
        """Builds a :class:`JsonRowDeserializationSchema`."""

        def __init__(self) -> None:
            self._type_info: TypeInformation | None = None
            self._fail_on_missing_field = False
            self._ignore_parse_errors = False

        def type_info(self, type_info: TypeInformation) -> Self:
            """Sets the type of the rows."""
            self._type_info = type_of(type_info, "the type of JSON rows")
            return self

        def json_schema(self, json_schema: str) -> Self:
            """Takes the type from a JSON schema: objects, arrays, strings, numbers, booleans, and unions of a type with null.

            Raises ``PlanError`` for text that is none.
            """
            if json_schema is None:
                raise TypeError("The json_schema must not be None.")
            try:
                definition = json.loads(json_schema)
            except ValueError as error:
                raise PlanError(f"the JSON schema is no JSON: {error}") from None
            self._type_info = _type_of_json_schema(definition, "the JSON schema")
            return self

        def fail_on_missing_field(self) -> Self:
            """A message without one of the fields is an error; unless set, the field is null."""
            self._fail_on_missing_field = True
            return self

        def ignore_parse_errors(self) -> Self:
            """A message that does not fit is left out."""
            self._ignore_parse_errors = True
            return self

        def build(self) -> JsonRowDeserializationSchema:
            """The schema. Raises ``TypeError`` without a type, ``ConfigurationError`` if errors are ignored and missing fields are errors."""
            if self._type_info is None:
                raise TypeError("the type of JSON rows is not set: call type_info or json_schema")
            if self._fail_on_missing_field and self._ignore_parse_errors:
                from millstream.exceptions import ConfigurationError

                raise ConfigurationError("fail_on_missing_field and ignore_parse_errors exclude each other")
            return JsonRowDeserializationSchema(self._type_info, self._fail_on_missing_field, self._ignore_parse_errors)


class JsonRowSerializationSchema(SerializationSchema):
    """Rows as JSON objects, for connectors that carry messages.

    >>> from millstream.common import Row, Types
    >>> schema = JsonRowSerializationSchema.builder().with_type_info(Types.ROW_NAMED(["id", "name"], [Types.LONG(), Types.STRING()])).build()
    >>> schema.serialize(Row(7, None))
    b'{"id":7,"name":null}'
    """

    def __init__(self, type_info: TypeInformation) -> None:
        super().__init__()
        self._type_info = type_info

    @staticmethod
    def builder() -> JsonRowSerializationSchema.Builder:
        """Starts without a type."""
        return JsonRowSerializationSchema.Builder()

    def serialize(self, element: Any) -> bytes:
        """The message of a row, tuple or dict. Raises ``TypeMismatchError`` for one that does not fit."""
        try:
            text = _json_text(to_text(element, self._type_info))
        except (ValueError, TypeError, AttributeError) as error:
            raise TypeMismatchError(f"{element!r} does not fit {self._type_info!r}: {error}") from None
        return text.encode()

    class Builder:
        """Builds a :class:`JsonRowSerializationSchema`."""

        def __init__(self) -> None:
            self._type_info: TypeInformation | None = None

        def with_type_info(self, type_info: TypeInformation) -> Self:
            """Sets the type of the rows."""
            self._type_info = type_of(type_info, "the type of JSON rows")
            return self

        def build(self) -> JsonRowSerializationSchema:
            """The schema. Raises ``TypeError`` without a type."""
            if self._type_info is None:
                raise TypeError("Typeinfo should be set.")
            return JsonRowSerializationSchema(self._type_info)


def _json_text(value: Any) -> str:
    """A value as JSON without spaces; decimal numbers with all their digits, which Python's encoder does not know."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(key), ensure_ascii=False)}:{_json_text(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_json_text(entry) for entry in value) + "]"
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _type_of_json_schema(definition: Any, where: str) -> TypeInformation:
    kind = definition.get("type") if isinstance(definition, dict) else None
    if isinstance(kind, list):
        kinds = [each for each in kind if each != "null"]
        if len(kinds) != 1:
            raise PlanError(f"{where}: a union of {kind} has no type")
        return _type_of_json_schema({**definition, "type": kinds[0]}, where)
    match kind:
        case "object":
            fields = definition.get("properties", {})
            types = [_type_of_json_schema(field, f"{where}, field {name!r}") for name, field in fields.items()]
            return RowTypeInfo(types, list(fields))
        case "array":
            return Types.LIST(_type_of_json_schema(definition.get("items", {}), where))
        case "string":
            formats = {"date-time": Types.SQL_TIMESTAMP(), "date": Types.SQL_DATE(), "time": Types.SQL_TIME()}
            if definition.get("contentEncoding") == "base64":
                return Types.PRIMITIVE_ARRAY(Types.BYTE())
            return formats.get(definition.get("format", ""), Types.STRING())
        case "number":
            return Types.BIG_DEC()
        case "integer":
            return Types.BIG_INT()
        case "boolean":
            return Types.BOOLEAN()
    raise PlanError(f"{where} has no type: {definition!r}")



guard(globals())
