"""Fields of a stream's values, by name or position."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from millstream.common.typeinfo import (
    BasicType,
    BasicTypeInfo,
    DecimalTypeInfo,
    ExternalTypeInfo,
    PickledBytesTypeInfo,
    RowTypeInfo,
    TupleTypeInfo,
    TypeInformation,
)
from millstream.common.types import Row
from millstream.exceptions import PlanError, nearest

_NUMBERS = frozenset({BasicType.BYTE, BasicType.SHORT, BasicType.INT, BasicType.LONG, BasicType.FLOAT, BasicType.DOUBLE})


def plain_type(type_info: TypeInformation) -> TypeInformation:
    """The type itself, without an external type around it."""
    return type_info._type_info if isinstance(type_info, ExternalTypeInfo) else type_info


def field_names(type_info: TypeInformation) -> list[str] | None:
    """The names of a record's fields; None for a type without fields."""
    type_info = plain_type(type_info)
    if isinstance(type_info, RowTypeInfo):
        return type_info.get_field_names()
    if isinstance(type_info, TupleTypeInfo):
        return [f"f{index}" for index in range(len(type_info.get_field_types()))]
    return None


def field_types(type_info: TypeInformation) -> list[TypeInformation]:
    """The types of the engine's columns: a record's fields, or the one value."""
    type_info = plain_type(type_info)
    return type_info.get_field_types() if isinstance(type_info, (RowTypeInfo, TupleTypeInfo)) else [type_info]


def field_index(type_info: TypeInformation, field: str | int, what: str) -> int:
    """A field's position in a record's type. Raises ``PlanError`` for a field that there is none of, naming the nearest."""
    names = field_names(type_info)
    if names is None:
        if field == 0 and not isinstance(field, (bool, str)):
            return 0
        hint = "; declare the type, e.g. with output_type, or use a function" if isinstance(plain_type(type_info), PickledBytesTypeInfo) else ""
        raise PlanError(f"{what}: values of type {type_info!r} have no field {field!r}{hint}")
    if isinstance(field, bool) or not isinstance(field, (int, str)):
        raise TypeError(f"{what}: a field is a name or a position, not {field!r}")
    if isinstance(field, str):
        if field not in names:
            raise PlanError(f"{what}: there is no field {field!r}{nearest(field, names)}")
        return names.index(field)
    if not 0 <= field < len(names):
        raise PlanError(f"{what}: there is no field {field}; positions are 0 to {len(names) - 1}")
    return field


def is_number(type_info: TypeInformation) -> bool:
    """Whether the engine can add values of the type."""
    return isinstance(type_info, DecimalTypeInfo) or (isinstance(type_info, BasicTypeInfo) and type_info._basic_type in _NUMBERS)


def rolling_function(kind: str, field: str | int) -> Callable[[Any, Any], Any]:
    """Flink's sum, min, max, min_by and max_by as a reduce function, for values that stay Python objects.

    ``field`` is a position or name in tuples, lists, rows and dicts; 0 for bare values.
    """
    if kind in ("MIN_BY", "MAX_BY"):
        smallest = kind == "MIN_BY"

        def choose(value1: Any, value2: Any) -> Any:
            old, new = part_of(value1, field), part_of(value2, field)
            return value2 if (new < old if smallest else new > old) else value1

        return choose

    def combine(value1: Any, value2: Any) -> Any:
        old, new = part_of(value1, field), part_of(value2, field)
        if kind == "SUM":
            return _with_part(value1, field, old + new)
        better = new < old if kind == "MIN" else new > old
        return _with_part(value1, field, new) if better else value1

    return combine


def rolling_first(kind: str, field: str | int) -> Callable[[Any], Any]:
    """A look at a key's first value, which :func:`rolling_function` is not called with: raises ``IndexError`` where it has no such field.

    Positions in tuples, lists and rows begin at 0; a negative one is none.
    """
    name = kind.lower()

    def check(value: Any) -> Any:
        if isinstance(value, (tuple, list, Row)) and isinstance(field, int):
            if not 0 <= field < len(value):
                raise IndexError(f"{name}: there is no field {field} in a record of {len(value)}; positions are 0 to {len(value) - 1}")
        else:
            part_of(value, field)
        return value

    return check


def part_of(value: Any, field: str | int) -> Any:
    """A field of a value that is a Python object, by name or position; of a bare value field 0 is the value."""
    if isinstance(value, (tuple, list, Row, dict)):
        return value[field]  # type: ignore[index]
    if field != 0:
        raise TypeError(f"{value!r} has no field {field!r}; of a bare value only field 0 can be taken, which is the value")
    return value


def _with_part(value: Any, field: Any, part: Any) -> Any:
    if isinstance(value, tuple):
        index = range(len(value))[field]
        return (*value[:index], part, *value[index + 1 :])
    if isinstance(value, (list, dict)):
        changed = value.copy()
        changed[field] = part
        return changed
    if isinstance(value, Row):
        changed_row = Row(*value)
        changed_row._fields = value._fields
        changed_row._row_kind = value._row_kind
        changed_row[field] = part
        return changed_row
    return part
