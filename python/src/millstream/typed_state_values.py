"""Values of states with a declared nested type: rows, lists, maps and decimals.

They are Python objects in a job. In a checkpoint each has its type beside it, so that a job whose type is another one knows it: it takes
the values over where nothing is lost, by the rules of docs/savepoints.md ("Types may become wider"), and says both types where not.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from millstream import _native
from millstream.common.typeinfo import DecimalTypeInfo, MapTypeInfo, RowTypeInfo, TupleTypeInfo, TypeInformation, _ElementsTypeInfo, type_from_schema
from millstream.common.types import Row
from millstream.exceptions import DecodeError, TypeMismatchError

__all__ = ["arrow_values", "changes", "evolved", "is_nested", "typed"]

#: Makes a value of one type out of one of another; None where it is the same one.
Converter = Callable[[Any], Any]

_INTEGERS = ("TINYINT", "SMALLINT", "INT", "BIGINT")
#: The digits of the largest number, in the same order.
_DIGITS = (3, 5, 10, 19)


class Refusal(Exception):
    """Why values of the one type are not all values of the other."""


def is_nested(text: str) -> bool:
    """Whether values of a type are kept as Python objects with their type.

    >>> is_nested("ROW<a BIGINT>"), is_nested("BIGINT")
    (True, False)
    """
    return text.split("<")[0].split("(")[0].strip().upper() in ("ROW", "TUPLE", "ARRAY", "MAP", "MULTISET", "DECIMAL")


def evolved(value: Any, saved: str, wanted: str) -> Any:
    """A value of the type ``saved`` as one of the type ``wanted``. Raises ``TypeMismatchError`` where the one does not become the other.

    >>> from millstream.common import Row
    >>> evolved(Row(n=1), "ROW<n INT>", "ROW<n BIGINT, note STRING>")
    Row(n=1, note=None)
    """
    try:
        convert = _converter(saved, wanted)
    except Refusal as refusal:
        raise TypeMismatchError(f"a value of the state is of type {saved} in the checkpoint, and of type {wanted} in the job: {refusal}") from None
    if convert is None:
        return value
    result = _native.check_value(convert(value), wanted)
    if isinstance(result, Row) and isinstance(value, Row):
        result.set_row_kind(value.get_row_kind())
    return result


def changes(saved: str, wanted: str) -> str:
    """What happens to values between two types, in words; nothing where they are the same. Raises :class:`Refusal`.

    >>> changes("ROW<a INT, b STRING>", "ROW<a BIGINT, c STRING>")
    Traceback (most recent call last):
        ...
    millstream.typed_state_values.Refusal: the field 'b' of type STRING is called 'c' in the job
    >>> changes("ROW<a INT, b STRING>", "ROW<a BIGINT, n BIGINT>")
    "'a' was INT, and is BIGINT; 'n' BIGINT is new, and null; 'b' STRING is dropped"
    """
    first, second = type_from_schema(saved), type_from_schema(wanted)
    if _same(first, second):
        return ""
    _conversion(first, second)
    if not (_has_fields(first) and _has_fields(second)):
        return f"it was {saved}, and is {wanted}"
    before, after = _fields(first), _fields(second)
    found = []
    for name, kind in after.items():
        if name not in before:
            found.append(f"{name!r} {kind._field_type()} is new, and null")
        elif not _same(before[name], kind):
            found.append(f"{name!r} was {before[name]._field_type()}, and is {kind._field_type()}")
    found += [f"{name!r} {kind._field_type()} is dropped" for name, kind in before.items() if name not in after]
    if [name for name in before if name in after] != [name for name in after if name in before]:
        found.append("the fields stand in another order")
    return "; ".join(found) or f"it was {saved}, and is {wanted}"


@functools.lru_cache(maxsize=256)
def _converter(saved: str, wanted: str) -> Converter | None:
    return _conversion(type_from_schema(saved), type_from_schema(wanted))


def _has_fields(kind: TypeInformation) -> bool:
    return isinstance(kind, (RowTypeInfo, TupleTypeInfo))


def _fields(kind: Any) -> dict[str, TypeInformation]:
    types = kind.get_field_types()
    names = kind.get_field_names() if isinstance(kind, RowTypeInfo) else [f"f{index}" for index in range(len(types))]
    return dict(zip(names, types, strict=True))


def _same(first: TypeInformation, second: TypeInformation) -> bool:
    # Equality of rows does not look at their names, and only a schema tells a tuple from a row.
    return first._field_type() == second._field_type() and isinstance(first, TupleTypeInfo) == isinstance(second, TupleTypeInfo)


def _conversion(saved: Any, wanted: Any) -> Converter | None:
    if _same(saved, wanted):
        return None
    if _has_fields(saved) and _has_fields(wanted):
        return _fields_conversion(_fields(saved), _fields(wanted))
    if isinstance(saved, _ElementsTypeInfo) and isinstance(wanted, _ElementsTypeInfo) and _is_array(saved) and _is_array(wanted):
        return _each(_conversion(saved._element_type, wanted._element_type))
    if isinstance(saved, MapTypeInfo) and isinstance(wanted, MapTypeInfo):
        if not _same(saved._key_type_info, wanted._key_type_info):
            raise Refusal("the type of a map's keys cannot change")
        inner = _conversion(saved._value_type_info, wanted._value_type_info)
        return None if inner is None else lambda value: {key: _with(inner, item) for key, item in value.items()}
    return _scalar_conversion(saved._field_type(), wanted._field_type())


def _is_array(kind: TypeInformation) -> bool:
    return kind._field_type().startswith("ARRAY<")


def _with(convert: Converter | None, value: Any) -> Any:
    return value if value is None or convert is None else convert(value)


def _each(convert: Converter | None) -> Converter | None:
    return None if convert is None else lambda value: [_with(convert, item) for item in value]


def _fields_conversion(saved: dict[str, TypeInformation], wanted: dict[str, TypeInformation]) -> Converter:
    dropped = [name for name in saved if name not in wanted]
    plan: list[tuple[int | None, Converter | None]] = []
    places = list(saved)
    for name, kind in wanted.items():
        if name in saved:
            try:
                plan.append((places.index(name), _conversion(saved[name], kind)))
            except Refusal as refusal:
                types = f"of type {saved[name]._field_type()} in the checkpoint, and of type {kind._field_type()} in the job"
                raise Refusal(f"the field {name!r} is {types}: {refusal}") from None
            continue
        former = next((other for other in dropped if _head(saved[other]) == _head(kind)), None)
        if former is not None:
            # Its values would be lost without a word.
            raise Refusal(f"the field {former!r} of type {saved[former]._field_type()} is called {name!r} in the job")
        plan.append((None, None))
    return lambda value: tuple(None if place is None else _with(convert, value[place]) for place, convert in plan)


def _head(kind: TypeInformation) -> str:
    return kind._field_type().split("<")[0].split("(")[0]


def _numbers(text: str) -> list[int]:
    inner = text.partition("(")[2].rpartition(")")[0]
    return [int(number) for number in inner.split(",")] if inner else []


def _scalar_conversion(saved: str, wanted: str) -> Converter | None:
    """As ``TypeEvolution`` of the engine, for values of Python: whole numbers are of one class there, and so are texts."""
    first, second = saved.split("(")[0], wanted.split("(")[0]
    if first in _INTEGERS:
        rank = _INTEGERS.index(first)
        if second in _INTEGERS:
            if rank < _INTEGERS.index(second):
                return None
            raise Refusal("it would become narrower")
        if second == "DECIMAL":
            precision, scale = _numbers(wanted)
            if precision - scale < _DIGITS[rank]:
                raise Refusal("it would lose digits")
            return lambda value: Decimal(value)
        if second in ("FLOAT", "DOUBLE"):
            if rank <= (1 if second == "FLOAT" else 2):
                return float
            raise Refusal("not every number of the one is a number of the other")
    if first == second == "DECIMAL":
        (precision, scale), (wider, finer) = _numbers(saved), _numbers(wanted)
        if finer >= scale and wider - finer >= precision - scale:
            return None
        raise Refusal("it would lose digits")
    if (first, second) == ("FLOAT", "DOUBLE"):
        return None
    if (first, second) == ("DOUBLE", "FLOAT"):
        raise Refusal("it would become narrower")
    for short, long, whole in (("CHAR", "VARCHAR", "STRING"), ("BINARY", "VARBINARY", "BYTES")):
        if first in (short, long, whole) and second in (long, whole):
            lengths = _numbers(saved) or [1 if first == short else 1 << 31]
            if lengths[0] <= (_numbers(wanted) or [1 << 31])[0]:
                return None
            raise Refusal("it would become shorter")
    if first == second and first in ("TIMESTAMP", "TIMESTAMP_LTZ"):
        (precision,), (wider,) = _numbers(saved), _numbers(wanted)
        if wider >= precision:
            return None
        raise Refusal("it would lose digits")
    raise Refusal("the one is not the other")


# ---- Arrow ----


def arrow_values(held: Iterable[Any], kind: str) -> Any:
    """Values of a type as an array of Arrow's; ``None`` where Arrow has no such value.

    What has no type within them (tuples, ``Types.BIG_DEC()``) has the type that Arrow finds for the values, if it finds one.

    >>> from millstream.common import Row
    >>> arrow_values([Row(n=1), None], "ROW<n INT>").to_pylist()
    [{'n': 1}, None]
    """
    import pyarrow  # type: ignore[import-untyped,unused-ignore]

    info = type_from_schema(kind)
    values = [None if value is None else _plain(value, info) for value in held]
    try:
        if _OBJECT.search(info._field_type()):
            return pyarrow.array(values)
        schema = pyarrow.Schema._import_from_c_capsule(_native.schema_to_arrow(f"ROW<value {info._field_type()}>"))
        return pyarrow.array(values, _without_views(schema.field(0).type))
    except (pyarrow.ArrowException, TypeError, ValueError, AttributeError):
        return None


_OBJECT = re.compile(r"\bOBJECT\b")


def _without_views(kind: Any) -> Any:
    """An Arrow type whose texts and bytes are those that all of Arrow's functions know."""
    import pyarrow

    if pyarrow.types.is_struct(kind):
        return pyarrow.struct([pyarrow.field(field.name, _without_views(field.type), field.nullable) for field in kind])
    if pyarrow.types.is_map(kind):
        return pyarrow.map_(_without_views(kind.key_type), _without_views(kind.item_type))
    if pyarrow.types.is_list(kind):
        return pyarrow.list_(_without_views(kind.value_type))
    return {pyarrow.string_view(): pyarrow.string(), pyarrow.binary_view(): pyarrow.binary()}.get(kind, kind)


def _plain(value: Any, kind: Any) -> Any:
    """What Arrow takes for a value: dicts for rows and tuples, pairs for maps."""
    if value is None:
        return None
    if _has_fields(kind):
        return {name: _plain(item, each) for (name, each), item in zip(_fields(kind).items(), value, strict=True)}
    if isinstance(kind, MapTypeInfo):
        return [(_plain(key, kind._key_type_info), _plain(item, kind._value_type_info)) for key, item in value.items()]
    if isinstance(kind, _ElementsTypeInfo) and _is_array(kind):
        return [_plain(item, kind._element_type) for item in value]
    if isinstance(kind, DecimalTypeInfo):
        return value
    convert = getattr(value, "to_datetime", None)
    return value if convert is None else convert()


def typed(value: Any, kind: str) -> Any:
    """A value that came from Arrow as a state of a type keeps it. Raises ``TypeMismatchError`` for one that is none of the type.

    >>> typed({"n": 1}, "ROW<n INT>").value
    Row(n=1)
    """
    return _native.TypedValue(_native.check_value(_made(value, type_from_schema(kind)), kind), kind)


def _made(value: Any, kind: Any) -> Any:
    if value is None:
        return None
    if _has_fields(kind):
        fields = _fields(kind)
        if isinstance(value, dict):
            return tuple(_made(value.get(name), each) for name, each in fields.items())
        return tuple(_made(item, each) for item, each in zip(value, fields.values(), strict=True))
    if isinstance(kind, MapTypeInfo):
        entries = value.items() if isinstance(value, dict) else value
        return {_made(key, kind._key_type_info): _made(item, kind._value_type_info) for key, item in entries}
    if isinstance(kind, _ElementsTypeInfo) and _is_array(kind):
        return [_made(item, kind._element_type) for item in value]
    return value


def refuse_changed(part: str, name: str, saved: Iterable[str], wanted: str) -> None:
    """Raises ``DecodeError`` if a state has values in a checkpoint that are none of its type in the job."""
    for kind in saved:
        try:
            changes(kind, wanted)
        except Refusal as refusal:
            types = f"of type {kind} in the checkpoint, and of type {wanted} in the job"
            raise DecodeError(
                f"the state {part.removeprefix('keyed/')!r} of {name!r} is {types}: {refusal}\n"
                "  hint: Fields may be added that take nulls, dropped, moved, and become wider; for the rest give the state another name, "
                "or write it anew (millstream.state.SavepointWriter)."
            ) from None
