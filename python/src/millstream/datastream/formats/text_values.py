"""Values as text and JSON values, by their declared types: what CSV and JSON messages have in common."""

from __future__ import annotations

import base64
import datetime
import decimal
from typing import Any

from millstream._tracebacks import guard
from millstream.common.time import Instant
from millstream.common.typeinfo import (
    BasicType,
    BasicTypeInfo,
    DateTypeInfo,
    DecimalTypeInfo,
    InstantTypeInfo,
    MapTypeInfo,
    RowTypeInfo,
    TimestampTypeInfo,
    TimeTypeInfo,
    TupleTypeInfo,
    TypeInformation,
)
from millstream.common.types import Row

_WHOLE = {
    BasicType.BYTE: 8,
    BasicType.SHORT: 16,
    BasicType.INT: 32,
    BasicType.LONG: 64,
    BasicType.BIG_INT: None,
}
_EPOCH = datetime.datetime(1970, 1, 1)


def to_text(value: Any, type_info: TypeInformation) -> Any:
    """A value as JSON has it: numbers and booleans stay, times become ISO text with a ``Z``, bytes base64, rows dicts."""
    if value is None:
        return None
    if isinstance(type_info, (RowTypeInfo, TupleTypeInfo)):
        names = type_info.get_field_names() if isinstance(type_info, RowTypeInfo) else [f"f{i}" for i in range(len(type_info.get_field_types()))]
        types = type_info.get_field_types()
        parts = [value.get(name) for name in names] if isinstance(value, dict) else list(value)
        if len(parts) != len(names):
            raise ValueError(f"{value!r} has {len(parts)} fields, and its type has {len(names)}")
        return {name: to_text(part, field) for name, part, field in zip(names, parts, types, strict=True)}
    if isinstance(type_info, MapTypeInfo):
        return {str(key): to_text(entry, type_info._value_type_info) for key, entry in value.items()}
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode("ascii")
    element = getattr(type_info, "_element_type", None)
    if element is not None:
        return [to_text(entry, element) for entry in value]
    if isinstance(value, Instant):
        moment = _EPOCH + datetime.timedelta(seconds=value.seconds, microseconds=value.nanos // 1_000)
        return _moment_text(moment)
    if isinstance(value, datetime.datetime):
        return _moment_text(value)
    if isinstance(value, datetime.time):
        return value.isoformat() + "Z"
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value


def _moment_text(moment: datetime.datetime) -> str:
    return moment.isoformat(timespec="milliseconds" if moment.microsecond % 1_000 == 0 else "microseconds") + "Z"


def from_text(value: Any, type_info: TypeInformation, fails_on_missing: bool = False) -> Any:
    """The value of what JSON (or one field of CSV, as text) has. Raises ``ValueError`` or ``KeyError`` for what does not fit."""
    if value is None:
        return None
    if isinstance(type_info, (RowTypeInfo, TupleTypeInfo)):
        return _row(value, type_info, fails_on_missing)
    if isinstance(type_info, MapTypeInfo):
        if not isinstance(value, dict):
            raise ValueError(f"{value!r} is no map")
        key_type, value_type = type_info._key_type_info, type_info._value_type_info
        return {from_text(key, key_type): from_text(entry, value_type, fails_on_missing) for key, entry in value.items()}
    if type_info._field_type() == "BYTES":
        return base64.b64decode(value, validate=True)
    element = getattr(type_info, "_element_type", None)
    if element is not None:
        if not isinstance(value, list):
            raise ValueError(f"{value!r} is no array")
        return [from_text(entry, element, fails_on_missing) for entry in value]
    if isinstance(type_info, BasicTypeInfo) and not isinstance(type_info, InstantTypeInfo):
        return _basic(value, type_info._basic_type)
    if isinstance(type_info, DecimalTypeInfo):
        try:
            return decimal.Decimal(str(value))
        except decimal.InvalidOperation:
            raise ValueError(f"{value!r} is no decimal number") from None
    text = str(value).strip()
    if isinstance(type_info, DateTypeInfo):
        return datetime.date.fromisoformat(text)
    if isinstance(type_info, TimeTypeInfo):
        return datetime.time.fromisoformat(text.removesuffix("Z"))
    if isinstance(type_info, (TimestampTypeInfo, InstantTypeInfo)):
        moment = datetime.datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            moment = moment.astimezone(datetime.UTC).replace(tzinfo=None)
        if isinstance(type_info, TimestampTypeInfo):
            return moment
        past = moment - _EPOCH
        return Instant(past.days * 86_400 + past.seconds, past.microseconds * 1_000)
    return value


def _row(value: Any, type_info: RowTypeInfo | TupleTypeInfo, fails_on_missing: bool) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} is no object")
    types = type_info.get_field_types()
    if isinstance(type_info, TupleTypeInfo):
        return tuple(from_text(value.get(f"f{index}"), field, fails_on_missing) for index, field in enumerate(types))
    names = type_info.get_field_names()
    missing = [name for name in names if name not in value]
    if fails_on_missing and missing:
        raise KeyError(missing[0])
    row = Row(*(from_text(value.get(name), field, fails_on_missing) for name, field in zip(names, types, strict=True)))
    row.set_field_names(names)
    return row


def _basic(value: Any, kind: BasicType) -> Any:
    if kind in _WHOLE:
        number = value if isinstance(value, int) and not isinstance(value, bool) else _whole(value)
        bits = _WHOLE[kind]
        if bits is not None and not -(1 << (bits - 1)) <= number < 1 << (bits - 1):
            raise ValueError(f"{value!r} has more than {bits} bits")
        return number
    if kind in (BasicType.FLOAT, BasicType.DOUBLE):
        if isinstance(value, bool):
            raise ValueError(f"{value!r} is no number")
        return float(value)
    if kind is BasicType.BOOLEAN:
        if isinstance(value, bool):
            return value
        if str(value).strip().lower() not in ("true", "false"):
            raise ValueError(f"{value!r} is neither true nor false")
        return str(value).strip().lower() == "true"
    if kind is BasicType.BIG_DEC:
        return decimal.Decimal(str(value))
    if kind in (BasicType.STRING, BasicType.CHAR) and not isinstance(value, str):
        import json

        return json.dumps(value, ensure_ascii=False)
    return value


def _whole(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        return int(value.strip())
    raise ValueError(f"{value!r} is no whole number")


guard(globals())
