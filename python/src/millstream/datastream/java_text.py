"""The text of values that the engine holds as Python objects although their types are declared: as Java prints them, which is what Flink does."""

from __future__ import annotations

import datetime
import struct
from collections.abc import Callable
from typing import Any

from millstream.common.typeinfo import (
    OBJECT,
    BasicType,
    BasicTypeInfo,
    ExternalTypeInfo,
    MapTypeInfo,
    PickledBytesTypeInfo,
    RowTypeInfo,
    TupleTypeInfo,
    TypeInformation,
    Types,
    _ElementsTypeInfo,
)

__all__ = ["printed_as"]

Text = Callable[[Any], str]


def printed_as(type_info: TypeInformation) -> tuple[TypeInformation, Callable[[Any], Any]] | None:
    """The type that the engine prints in a type's place, and what makes its values; None where it prints the values as they are.

    Lists, maps and tuples within others that are Python objects become text; a tuple's or a row's other fields stay what they are.

    >>> from decimal import Decimal
    >>> _, make = printed_as(Types.MAP(Types.STRING(), Types.LIST(Types.BIG_DEC())))
    >>> make({"a": [Decimal("1.50"), None]})
    '{a=[1.50, null]}'
    >>> printed_as(Types.LIST(Types.LONG())) is None
    True
    """
    type_info = _plain(type_info)
    if not isinstance(type_info, (TupleTypeInfo, RowTypeInfo)):
        return (Types.STRING(), _or_none(_text_of(type_info))) if _is_held_whole(type_info) else None
    fields = type_info.get_field_types()
    texts = [_or_none(_text_of(_plain(field))) if _is_held_whole(_plain(field)) else None for field in fields]
    if not any(texts):
        return None
    types = [Types.STRING() if text is not None else field for text, field in zip(texts, fields, strict=True)]
    places = [(place, text) for place, text in enumerate(texts) if text is not None]
    if isinstance(type_info, TupleTypeInfo):
        return Types.TUPLE(types), lambda value: _replaced(value, places)
    return Types.ROW_NAMED(type_info.get_field_names(), types), lambda row: _row_with(row, places)


def _is_held_whole(type_info: TypeInformation) -> bool:
    """Whether a value with values within it is one Python object for the engine."""
    return isinstance(type_info, (_ElementsTypeInfo, MapTypeInfo, TupleTypeInfo)) and type_info._field_type() == OBJECT


def _replaced(value: Any, places: list[tuple[int, Callable[[Any], Any]]]) -> tuple[Any, ...]:
    fields = list(value)
    for place, text in places:
        fields[place] = text(fields[place])
    return tuple(fields)


def _row_with(row: Any, places: list[tuple[int, Callable[[Any], Any]]]) -> Any:
    from millstream.common.types import Row

    changed = Row(*_replaced(row, places))
    changed.set_row_kind(row.get_row_kind())
    return changed


def _or_none(text: Text) -> Callable[[Any], str | None]:
    return lambda value: None if value is None else text(value)


def _or_null(text: Text) -> Text:
    return lambda value: "null" if value is None else text(value)


def _plain(type_info: TypeInformation) -> TypeInformation:
    return type_info._type_info if isinstance(type_info, ExternalTypeInfo) else type_info


def _text_of(type_info: TypeInformation) -> Text:
    """What makes the text of a value that is not None."""
    type_info = _plain(type_info)
    if isinstance(type_info, (TupleTypeInfo, RowTypeInfo)):
        return _fields_text(type_info)
    if isinstance(type_info, MapTypeInfo):
        key, value = _or_null(_text_of(type_info._key_type_info)), _or_null(_text_of(type_info._value_type_info))
        return lambda entries: "{" + ", ".join(f"{key(name)}={value(entries[name])}" for name in entries) + "}"
    if isinstance(type_info, _ElementsTypeInfo) and type_info._field_type() != "BYTES":
        element = _or_null(_text_of(type_info._element_type))
        return lambda elements: "[" + ", ".join(map(element, elements)) + "]"
    if isinstance(type_info, PickledBytesTypeInfo):
        return repr
    if isinstance(type_info, BasicTypeInfo) and type_info._basic_type is BasicType.FLOAT:
        return _float_text
    return _value_text


def _fields_text(type_info: TupleTypeInfo | RowTypeInfo) -> Text:
    fields = [_or_null(_text_of(field)) for field in type_info.get_field_types()]
    if isinstance(type_info, TupleTypeInfo):
        return lambda value: "(" + ",".join(text(field) for text, field in zip(fields, value, strict=True)) + ")"

    def row_text(value: Any) -> str:
        kind, *parts = type_info.to_internal_type(value) or ()
        return _ROW_KINDS[kind] + "[" + ", ".join(text(field) for text, field in zip(fields, parts, strict=True)) + "]"

    return row_text


_ROW_KINDS = ("+I", "-U", "+U", "-D")


def _value_text(value: Any) -> str:
    """A value without others in it, by what it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _double_text(value)
    if isinstance(value, (bytes, bytearray)):
        return "[" + ", ".join(str(byte - 256 if byte > 127 else byte) for byte in value) + "]"
    if isinstance(value, datetime.datetime):
        return _timestamp_text(value)
    return str(value)


def _timestamp_text(value: datetime.datetime) -> str:
    """``java.sql.Timestamp``'s; with a zone, ``java.time.Instant``'s."""
    micros = f"{value.microsecond:06}"
    if value.tzinfo is None:
        return f"{value:%Y-%m-%d %H:%M:%S}.{micros.rstrip('0') or '0'}"
    value = value.astimezone(datetime.UTC)
    fraction = "" if micros == "000000" else f".{micros[:3]}" if micros.endswith("000") else f".{micros}"
    return f"{value:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def _double_text(value: float) -> str:
    """``java.lang.Double``'s: the fewest digits that give the same number, but of the numbers of two digits the nearest.

    >>> _double_text(5e-324), _double_text(1e23), _double_text(0.5)
    ('4.9E-324', '1.0E23', '0.5')
    """
    text = repr(value)
    # One digit is all that is needed of 5e-324, whose neighbour is 1e-323; but it is 4.94e-324.
    return _digits_text(f"{value:.1e}" if "e-" in text and "." not in text else text)


def _float_text(value: Any) -> str:
    """``java.lang.Float``'s: the fewest digits that give the same number of four bytes, but of the numbers of two digits the nearest."""
    try:
        wanted = struct.pack("f", value)
    except OverflowError:
        return _value_text(value)
    for digits in range(2, 10):
        text = f"{value:.{digits - 1}e}"
        if struct.pack("f", float(text)) == wanted:
            return _digits_text(text)
    return _value_text(value)


def _digits_text(text: str) -> str:
    """A number's text in Java's form: plain from 0.001 up to ten million, with an exponent elsewhere."""
    sign, text = ("-", text[1:]) if text.startswith("-") else ("", text)
    if text in ("inf", "nan"):
        return {"inf": sign + "Infinity", "nan": "NaN"}[text]
    number, _, exponent = text.partition("e")
    whole, _, fraction = number.partition(".")
    digits = (whole + fraction).lstrip("0")
    # The place of the point behind the first digit that counts.
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if not digits:
        return sign + "0.0"
    if not -2 <= point <= 7:
        return f"{sign}{digits[0]}.{digits[1:] or '0'}E{point - 1}"
    padded = digits.ljust(point, "0") if point > 0 else "0" * (1 - point) + digits
    point = max(point, 1)
    return f"{sign}{padded[:point]}.{padded[point:] or '0'}"
