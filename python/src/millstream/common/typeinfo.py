"""Types of streams and of their fields.

A declared type makes a native column: numbers and text lie in memory as in Arrow, and native operators work on them without Python. Values
without a declared type are kept as Python objects, by reference. :class:`Types` makes the types.
"""

from __future__ import annotations

import calendar
import datetime
import decimal
import re
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

from millstream._tracebacks import guard
from millstream.exceptions import nearest
from millstream.notices import without_jvm

__all__ = [
    "BasicArrayTypeInfo",
    "BasicType",
    "BasicTypeInfo",
    "DateTypeInfo",
    "DecimalTypeInfo",
    "ExternalTypeInfo",
    "InstantTypeInfo",
    "ListTypeInfo",
    "LocalTimeTypeInfo",
    "MapTypeInfo",
    "NativeTypeInfo",
    "ObjectArrayTypeInfo",
    "PickledBytesTypeInfo",
    "PrimitiveArrayTypeInfo",
    "RowTypeInfo",
    "SqlTimeTypeInfo",
    "TimeTypeInfo",
    "TimestampTypeInfo",
    "TupleTypeInfo",
    "TypeInformation",
    "Types",
    "normal_schema",
    "type_from_schema",
]

#: The schema text of values that stay Python objects.
OBJECT = "OBJECT"


class TypeInformation:
    """The type of a stream's values, or of a field of them."""

    def schema(self) -> str:
        """The schema of a stream of this type, in Flink's type syntax, e.g. ``ROW<word STRING, n BIGINT>``.

        ``OBJECT`` where the values stay Python objects.

        >>> Types.LIST(Types.INT()).schema()
        'ARRAY<INT>'
        """
        return self._field_type()

    def _field_type(self) -> str:
        """The type's text as a field of a row."""
        return OBJECT

    def get_java_type_info(self) -> TypeInformation:
        """The type itself: there is no Java object behind it, which is said once in the log."""
        without_jvm("get_java_type_info")
        return self

    def need_conversion(self) -> bool:
        """Whether :meth:`to_internal_type` changes values."""
        return False

    def to_internal_type(self, obj: Any) -> Any:
        """A value in its plainest form: numbers, text, tuples."""
        return obj

    def from_internal_type(self, obj: Any) -> Any:
        """The value of a plain form."""
        return obj

    def __hash__(self) -> int:
        return hash(repr(self))


class BasicType(Enum):
    """The basic types, by Flink's names.

    >>> BasicType.LONG.name
    'LONG'
    """

    STRING = "String"
    BYTE = "Byte"
    BOOLEAN = "Boolean"
    SHORT = "Short"
    INT = "Integer"
    LONG = "Long"
    FLOAT = "Float"
    DOUBLE = "Double"
    CHAR = "Char"
    BIG_INT = "BigInteger"
    BIG_DEC = "BigDecimal"
    INSTANT = "Instant"


# BIG_INT and BIG_DEC have no bounds, which no native column has: they stay Python's int and Decimal.
_BASIC_SCHEMAS = {
    BasicType.STRING: "STRING",
    BasicType.BYTE: "TINYINT",
    BasicType.BOOLEAN: "BOOLEAN",
    BasicType.SHORT: "SMALLINT",
    BasicType.INT: "INT",
    BasicType.LONG: "BIGINT",
    BasicType.FLOAT: "FLOAT",
    BasicType.DOUBLE: "DOUBLE",
    BasicType.CHAR: "CHAR(1)",
    BasicType.BIG_INT: OBJECT,
    BasicType.BIG_DEC: OBJECT,
    BasicType.INSTANT: "TIMESTAMP_LTZ(6)",
}


class BasicTypeInfo(TypeInformation):
    """Numbers, booleans, text and instants.

    >>> Types.LONG() == BasicTypeInfo(BasicType.LONG)
    True
    """

    def __init__(self, basic_type: BasicType) -> None:
        self._basic_type = basic_type

    def _field_type(self) -> str:
        return _BASIC_SCHEMAS[self._basic_type]

    @staticmethod
    def STRING_TYPE_INFO() -> BasicTypeInfo:
        """Text."""
        return BasicTypeInfo(BasicType.STRING)

    @staticmethod
    def BOOLEAN_TYPE_INFO() -> BasicTypeInfo:
        """True or false."""
        return BasicTypeInfo(BasicType.BOOLEAN)

    @staticmethod
    def BYTE_TYPE_INFO() -> BasicTypeInfo:
        """Integers of 8 bits."""
        return BasicTypeInfo(BasicType.BYTE)

    @staticmethod
    def SHORT_TYPE_INFO() -> BasicTypeInfo:
        """Integers of 16 bits."""
        return BasicTypeInfo(BasicType.SHORT)

    @staticmethod
    def INT_TYPE_INFO() -> BasicTypeInfo:
        """Integers of 32 bits."""
        return BasicTypeInfo(BasicType.INT)

    @staticmethod
    def LONG_TYPE_INFO() -> BasicTypeInfo:
        """Integers of 64 bits."""
        return BasicTypeInfo(BasicType.LONG)

    @staticmethod
    def FLOAT_TYPE_INFO() -> BasicTypeInfo:
        """Floating-point numbers of 32 bits."""
        return BasicTypeInfo(BasicType.FLOAT)

    @staticmethod
    def DOUBLE_TYPE_INFO() -> BasicTypeInfo:
        """Floating-point numbers of 64 bits."""
        return BasicTypeInfo(BasicType.DOUBLE)

    @staticmethod
    def CHAR_TYPE_INFO() -> BasicTypeInfo:
        """One character."""
        return BasicTypeInfo(BasicType.CHAR)

    @staticmethod
    def BIG_INT_TYPE_INFO() -> BasicTypeInfo:
        """Integers without bounds."""
        return BasicTypeInfo(BasicType.BIG_INT)

    @staticmethod
    def BIG_DEC_TYPE_INFO() -> BasicTypeInfo:
        """Decimal numbers without bounds."""
        return BasicTypeInfo(BasicType.BIG_DEC)

    @staticmethod
    def INSTANT_TYPE_INFO() -> BasicTypeInfo:
        """Points in time."""
        return InstantTypeInfo(BasicType.INSTANT)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BasicTypeInfo) and self._basic_type is other._basic_type

    __hash__ = TypeInformation.__hash__

    def __repr__(self) -> str:
        return self._basic_type.value


class InstantTypeInfo(BasicTypeInfo):
    """Points in time: :class:`~millstream.common.Instant`; ``precision`` is the number of digits after the second.

    Microseconds are the default: the engine's nanoseconds only reach from 1677 to 2262.

    >>> Types.INSTANT().schema()
    'TIMESTAMP_LTZ(6)'
    """

    def __init__(self, basic_type: BasicType = BasicType.INSTANT, precision: int = 6) -> None:
        super().__init__(basic_type)
        self._precision = precision

    def _field_type(self) -> str:
        return f"TIMESTAMP_LTZ({self._precision})"

    def need_conversion(self) -> bool:
        return True

    def to_internal_type(self, obj: Any) -> int | None:
        """Microseconds since the epoch."""
        return None if obj is None else obj.seconds * 1_000_000 + obj.nanos // 1_000

    def from_internal_type(self, obj: Any) -> Any:
        """The instant so many microseconds after the epoch."""
        if obj is None:
            return None
        from millstream.common.time import Instant

        seconds, micros = divmod(obj, 1_000_000)
        return Instant(seconds, micros * 1_000)


class SqlTimeTypeInfo(TypeInformation):
    """Makes the types of dates and times without a zone.

    >>> Types.SQL_TIMESTAMP().schema()
    'TIMESTAMP(6)'
    """

    @staticmethod
    def DATE() -> DateTypeInfo:
        """``datetime.date``."""
        return DateTypeInfo()

    @staticmethod
    def TIME() -> TimeTypeInfo:
        """``datetime.time``."""
        return TimeTypeInfo()

    @staticmethod
    def TIMESTAMP() -> TimestampTypeInfo:
        """``datetime.datetime`` without a zone."""
        return TimestampTypeInfo()


class DateTypeInfo(TypeInformation):
    """``datetime.date``.

    >>> Types.SQL_DATE().schema()
    'DATE'
    """

    EPOCH_ORDINAL = datetime.date(1970, 1, 1).toordinal()

    def _field_type(self) -> str:
        return "DATE"

    def need_conversion(self) -> bool:
        return True

    def to_internal_type(self, d: datetime.date | None) -> int | None:
        """Days since 1970-01-01."""
        return None if d is None else d.toordinal() - self.EPOCH_ORDINAL

    def from_internal_type(self, v: int | None) -> datetime.date | None:
        """The date so many days after 1970-01-01."""
        return None if v is None else datetime.date.fromordinal(v + self.EPOCH_ORDINAL)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DateTypeInfo)

    __hash__ = TypeInformation.__hash__

    def __repr__(self) -> str:
        return "DateTypeInfo"


class TimeTypeInfo(TypeInformation):
    """``datetime.time``; ``precision`` is the number of digits after the second.

    >>> type_from_schema("TIME(3)").schema()
    'TIME(3)'
    """

    EPOCH_ORDINAL = 0

    def __init__(self, precision: int = 6) -> None:
        self._precision = precision

    def _field_type(self) -> str:
        return f"TIME({self._precision})"

    def need_conversion(self) -> bool:
        return True

    def to_internal_type(self, t: datetime.time | None) -> int | None:
        """Microseconds since midnight."""
        if t is None:
            return None
        offset = t.utcoffset() or datetime.timedelta()
        whole = datetime.timedelta(hours=t.hour, minutes=t.minute, seconds=t.second, microseconds=t.microsecond) - offset
        return whole // datetime.timedelta(microseconds=1)

    def from_internal_type(self, t: int | None) -> datetime.time | None:
        """The time so many microseconds after midnight."""
        if t is None:
            return None
        return (datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=t)).time()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TimeTypeInfo) and self._precision == other._precision

    __hash__ = TypeInformation.__hash__

    def __repr__(self) -> str:
        return "TimeTypeInfo" if self._precision == 6 else f"TimeTypeInfo({self._precision})"


class TimestampTypeInfo(TypeInformation):
    """``datetime.datetime`` without a zone; ``precision`` is the number of digits after the second.

    >>> type_from_schema("TIMESTAMP(3)").schema()
    'TIMESTAMP(3)'
    """

    def __init__(self, precision: int = 6) -> None:
        self._precision = precision

    def _field_type(self) -> str:
        return f"TIMESTAMP({self._precision})"

    def need_conversion(self) -> bool:
        return True

    def to_internal_type(self, dt: datetime.datetime | None) -> int | None:
        """Microseconds from 1970-01-01 00:00:00 of the same clock."""
        return None if dt is None else calendar.timegm(dt.utctimetuple()) * 1_000_000 + dt.microsecond

    def from_internal_type(self, ts: int | None) -> datetime.datetime | None:
        """The wall-clock time so many microseconds after 1970-01-01 00:00:00."""
        return None if ts is None else datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=ts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TimestampTypeInfo) and self._precision == other._precision

    __hash__ = TypeInformation.__hash__

    def __repr__(self) -> str:
        return "TimestampTypeInfo" if self._precision == 6 else f"TimestampTypeInfo({self._precision})"


class LocalTimeTypeInfo(TypeInformation):
    """Dates and times by the names of ``java.time``.

    >>> Types.SQL_TIME()
    TimeTypeInfo
    """

    class TimeType(Enum):
        """Which of the three."""

        LOCAL_DATE = 0
        LOCAL_TIME = 1
        LOCAL_DATE_TIME = 2

    def __init__(self, time_type: TimeType) -> None:
        self._time_type = time_type

    def _field_type(self) -> str:
        return ("DATE", "TIME(9)", "TIMESTAMP(9)")[self._time_type.value]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LocalTimeTypeInfo) and self._time_type is other._time_type

    __hash__ = TypeInformation.__hash__

    def __repr__(self) -> str:
        return f"LocalTimeTypeInfo<{self._time_type.name}>"


class DecimalTypeInfo(TypeInformation):
    """``decimal.Decimal`` with a fixed number of digits, 1 to 38, and of digits after the point. Millstream's own.

    Raises ``ValueError`` for digits out of range.

    >>> type_from_schema("DECIMAL(10, 2)")
    Decimal(10, 2)
    """

    def __init__(self, precision: int, scale: int) -> None:
        if not 1 <= precision <= 38 or not 0 <= scale <= precision:
            raise ValueError(f"DECIMAL({precision}, {scale}): 1 <= precision <= 38 and 0 <= scale <= precision must hold")
        self.precision = precision
        self.scale = scale

    def _field_type(self) -> str:
        return f"DECIMAL({self.precision}, {self.scale})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DecimalTypeInfo) and (self.precision, self.scale) == (other.precision, other.scale)

    __hash__ = TypeInformation.__hash__

    def __repr__(self) -> str:
        return f"Decimal({self.precision}, {self.scale})"


class PickledBytesTypeInfo(TypeInformation):
    """Values of any kind, which stay Python objects. The name is PyFlink's; nothing is pickled within a process.

    >>> Types.PICKLED_BYTE_ARRAY() == PickledBytesTypeInfo()
    True
    """

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PickledBytesTypeInfo)

    __hash__ = TypeInformation.__hash__

    def __repr__(self) -> str:
        return "PickledByteArrayTypeInfo"


class NativeTypeInfo(TypeInformation):
    """A type of the engine that PyFlink has no name for, e.g. ``INTERVAL DAY TO SECOND(3)``.

    >>> type_from_schema("VARCHAR(20)").schema()
    'VARCHAR(20)'
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def _field_type(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NativeTypeInfo) and self._text == other._text

    __hash__ = TypeInformation.__hash__

    def __repr__(self) -> str:
        return self._text


class _ElementsTypeInfo(TypeInformation):
    """What the array and list types share."""

    def __init__(self, element_type: TypeInformation) -> None:
        _check_type(element_type, "an element type")
        self._element_type = element_type

    def _field_type(self) -> str:
        element = self._element_type._field_type()
        # A list with Python objects in it is itself a Python object: nothing is gained by taking it apart.
        return OBJECT if element == OBJECT else f"ARRAY<{element}>"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._element_type == other._element_type

    __hash__ = TypeInformation.__hash__

    def __repr__(self) -> str:
        return f"{type(self).__name__}<{self._element_type!r}>"


_PRIMITIVES = frozenset(
    {BasicType.BOOLEAN, BasicType.BYTE, BasicType.SHORT, BasicType.INT, BasicType.LONG, BasicType.FLOAT, BasicType.DOUBLE, BasicType.CHAR}
)


class PrimitiveArrayTypeInfo(_ElementsTypeInfo):
    """Arrays of numbers, booleans or characters; of ``BYTE``: ``bytes``. Raises ``TypeError`` for other elements.

    >>> Types.PRIMITIVE_ARRAY(Types.BYTE()).schema()
    'BYTES'
    """

    def __init__(self, element_type: TypeInformation) -> None:
        super().__init__(element_type)
        if not isinstance(element_type, BasicTypeInfo) or element_type._basic_type not in _PRIMITIVES:
            raise TypeError(f"PRIMITIVE_ARRAY takes numbers, BOOLEAN or CHAR, not {element_type!r}")

    def _field_type(self) -> str:
        element = self._element_type._field_type()
        return "BYTES" if element == "TINYINT" else f"ARRAY<{element} NOT NULL>"


class BasicArrayTypeInfo(_ElementsTypeInfo):
    """Arrays of numbers, booleans or text that may be ``None``. Raises ``TypeError`` for other elements.

    >>> Types.BASIC_ARRAY(Types.INT())
    BasicArrayTypeInfo<Integer>
    """

    def __init__(self, element_type: TypeInformation) -> None:
        super().__init__(element_type)
        if not isinstance(element_type, BasicTypeInfo) or element_type._basic_type not in _PRIMITIVES | {BasicType.STRING}:
            raise TypeError(f"BASIC_ARRAY takes numbers, BOOLEAN, CHAR or STRING, not {element_type!r}")


class ObjectArrayTypeInfo(_ElementsTypeInfo):
    """Arrays of any one type.

    >>> Types.OBJECT_ARRAY(Types.STRING())
    ObjectArrayTypeInfo<String>
    """


class ListTypeInfo(_ElementsTypeInfo):
    """Lists of any one type.

    >>> Types.LIST(Types.STRING()).schema()
    'ARRAY<STRING>'
    """

    @property
    def elem_type(self) -> TypeInformation:
        """The elements' type."""
        return self._element_type


class MapTypeInfo(TypeInformation):
    """``dict`` with keys of one type and values of one type.

    >>> Types.MAP(Types.STRING(), Types.LONG()).schema()
    'MAP<STRING NOT NULL, BIGINT>'
    """

    def __init__(self, key_type_info: TypeInformation, value_type_info: TypeInformation) -> None:
        _check_type(key_type_info, "a key type")
        _check_type(value_type_info, "a value type")
        self._key_type_info = key_type_info
        self._value_type_info = value_type_info

    def _field_type(self) -> str:
        key, value = self._key_type_info._field_type(), self._value_type_info._field_type()
        return OBJECT if OBJECT in (key, value) else f"MAP<{key} NOT NULL, {value}>"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, MapTypeInfo)
            and self._key_type_info == other._key_type_info
            and self._value_type_info == other._value_type_info
        )

    __hash__ = TypeInformation.__hash__

    def __repr__(self) -> str:
        return f"MapTypeInfo<{self._key_type_info!r}, {self._value_type_info!r}>"


class _FieldsTypeInfo(TypeInformation):
    """What rows and tuples share."""

    def __init__(self, field_types: Sequence[TypeInformation]) -> None:
        if isinstance(field_types, TypeInformation) or not isinstance(field_types, Iterable):
            raise TypeError(f"a list of the fields' types is needed, e.g. [Types.STRING(), Types.LONG()], not {field_types!r}")
        self._field_types = list(field_types)
        for field_type in self._field_types:
            _check_type(field_type, "a field's type")

    def get_field_types(self) -> list[TypeInformation]:
        """The fields' types, in order."""
        return self._field_types

    def need_conversion(self) -> bool:
        return True

    def from_internal_type(self, obj: Any) -> Any:
        """A tuple of the fields' values."""
        if obj is None or isinstance(obj, (tuple, list)):
            return obj
        return tuple(field.from_internal_type(value) for field, value in zip(self._field_types, obj, strict=False))

    def _plain_fields(self, values: Iterable[Any]) -> tuple[Any, ...]:
        return tuple(field.to_internal_type(value) for field, value in zip(self._field_types, values, strict=False))


class RowTypeInfo(_FieldsTypeInfo):
    """:class:`~millstream.common.Row` with fields of the given types; named f0, f1, ... unless names are given.

    Raises ``ValueError`` where the numbers of names and types differ, or a name comes twice.

    >>> Types.ROW_NAMED(["word", "n"], [Types.STRING(), Types.LONG()]).schema()
    'ROW<word STRING, n BIGINT>'
    """

    def __init__(self, field_types: Sequence[TypeInformation], field_names: Sequence[str] | None = None) -> None:
        super().__init__(field_types)
        self._field_names = None if field_names is None else [str(name) for name in field_names]
        if self._field_names is not None:
            if len(self._field_names) != len(self._field_types):
                raise ValueError(f"{len(self._field_types)} field types need as many names, but {len(self._field_names)} were given")
            twice = sorted({name for name in self._field_names if self._field_names.count(name) > 1})
            if twice:
                raise ValueError(f"field names must differ, but {', '.join(twice)} comes more than once")

    def get_field_names(self) -> list[str]:
        """The fields' names, in order."""
        if self._field_names is None:
            return [f"f{index}" for index in range(len(self._field_types))]
        return self._field_names

    def get_field_index(self, field_name: str) -> int:
        """A field's position; -1 if the type has no names. Raises ``ValueError`` for an unknown name."""
        return -1 if self._field_names is None else self._field_names.index(field_name)

    def _field_type(self) -> str:
        fields = zip(self.get_field_names(), self._field_types, strict=True)
        return f"ROW<{', '.join(f'{quoted(name)} {field._field_type()}' for name, field in fields)}>"

    def to_internal_type(self, obj: Any) -> tuple[Any, ...] | None:
        """The row kind's number, then the fields' values."""
        if obj is None:
            return None
        from millstream.common.types import Row

        names = self.get_field_names()
        if isinstance(obj, dict):
            return (0, *self._plain_fields(obj.get(name) for name in names))
        if isinstance(obj, Row):
            values = [obj[name] for name in names] if obj._fields is not None else list(obj)
            return (obj.get_row_kind().value, *self._plain_fields(values))
        if isinstance(obj, (tuple, list)):
            return (0, *self._plain_fields(obj))
        if hasattr(obj, "__dict__"):
            return (0, *self._plain_fields(obj.__dict__.get(name) for name in names))
        raise ValueError(f"{obj!r} is no row of type {self!r}")

    def __eq__(self, other: object) -> bool:
        # As in Flink, names are no part of a row type's identity.
        return isinstance(other, RowTypeInfo) and self._field_types == other._field_types

    def __hash__(self) -> int:
        return hash(("Row", *map(hash, self._field_types)))

    def __repr__(self) -> str:
        if self._field_names is None:
            return f"RowTypeInfo({', '.join(map(repr, self._field_types))})"
        fields = zip(self._field_names, self._field_types, strict=True)
        return f"RowTypeInfo({', '.join(f'{name}: {field!r}' for name, field in fields)})"


class TupleTypeInfo(_FieldsTypeInfo):
    """``tuple`` with fields of the given types.

    >>> Types.TUPLE([Types.STRING(), Types.LONG()]).schema()
    'TUPLE<STRING, BIGINT>'
    """

    def schema(self) -> str:
        return f"TUPLE<{', '.join(field._field_type() for field in self._field_types)}>"

    def _field_type(self) -> str:
        # Rows are the engine's only nested records, and a tuple must come back as a tuple: inside others it stays a Python object.
        return OBJECT

    def to_internal_type(self, obj: Any) -> tuple[Any, ...] | None:
        """A tuple of the fields' plain values."""
        if obj is None:
            return None
        from millstream.common.types import Row

        if isinstance(obj, (list, tuple, Row)):
            return self._plain_fields(obj)
        raise ValueError(f"{obj!r} is no tuple of type {self!r}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TupleTypeInfo) and self._field_types == other._field_types

    __hash__ = TypeInformation.__hash__

    def __repr__(self) -> str:
        return f"TupleTypeInfo({', '.join(map(repr, self._field_types))})"


class ExternalTypeInfo(TypeInformation):
    """A type seen from outside the table runtime; the same as the type that it wraps.

    >>> ExternalTypeInfo(Types.ROW([Types.INT()])).schema()
    'ROW<f0 INT>'
    """

    def __init__(self, type_info: TypeInformation) -> None:
        _check_type(type_info, "a type")
        self._type_info = type_info

    def schema(self) -> str:
        return self._type_info.schema()

    def _field_type(self) -> str:
        return self._type_info._field_type()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExternalTypeInfo) and self._type_info == other._type_info

    __hash__ = TypeInformation.__hash__

    def __repr__(self) -> str:
        return f"ExternalTypeInfo<{self._type_info!r}>"


class Types:
    """Makes the types.

    >>> Types.ROW_NAMED(["word", "n"], [Types.STRING(), Types.LONG()])
    RowTypeInfo(word: String, n: Long)
    """

    @staticmethod
    def STRING() -> TypeInformation:
        """``str``, Unicode text without lone surrogates."""
        return BasicTypeInfo.STRING_TYPE_INFO()

    @staticmethod
    def BYTE() -> TypeInformation:
        """``int`` of 8 bits, -128 to 127."""
        return BasicTypeInfo.BYTE_TYPE_INFO()

    @staticmethod
    def BOOLEAN() -> TypeInformation:
        """``bool``."""
        return BasicTypeInfo.BOOLEAN_TYPE_INFO()

    @staticmethod
    def SHORT() -> TypeInformation:
        """``int`` of 16 bits."""
        return BasicTypeInfo.SHORT_TYPE_INFO()

    @staticmethod
    def INT() -> TypeInformation:
        """``int`` of 32 bits."""
        return BasicTypeInfo.INT_TYPE_INFO()

    @staticmethod
    def LONG() -> TypeInformation:
        """``int`` of 64 bits."""
        return BasicTypeInfo.LONG_TYPE_INFO()

    @staticmethod
    def FLOAT() -> TypeInformation:
        """``float``, kept in 32 bits."""
        return BasicTypeInfo.FLOAT_TYPE_INFO()

    @staticmethod
    def DOUBLE() -> TypeInformation:
        """``float``."""
        return BasicTypeInfo.DOUBLE_TYPE_INFO()

    @staticmethod
    def CHAR() -> TypeInformation:
        """``str`` of one character."""
        return BasicTypeInfo.CHAR_TYPE_INFO()

    @staticmethod
    def BIG_INT() -> TypeInformation:
        """``int`` without bounds; stays a Python object."""
        return BasicTypeInfo.BIG_INT_TYPE_INFO()

    @staticmethod
    def BIG_DEC() -> TypeInformation:
        """``Decimal`` without bounds; stays a Python object. :meth:`DECIMAL` makes a native column."""
        return BasicTypeInfo.BIG_DEC_TYPE_INFO()

    @staticmethod
    def INSTANT() -> TypeInformation:
        """:class:`~millstream.common.Instant`."""
        return BasicTypeInfo.INSTANT_TYPE_INFO()

    @staticmethod
    def SQL_DATE() -> TypeInformation:
        """``datetime.date``."""
        return SqlTimeTypeInfo.DATE()

    @staticmethod
    def SQL_TIME() -> TypeInformation:
        """``datetime.time``."""
        return SqlTimeTypeInfo.TIME()

    @staticmethod
    def SQL_TIMESTAMP() -> TypeInformation:
        """``datetime.datetime`` without a zone."""
        return SqlTimeTypeInfo.TIMESTAMP()

    @staticmethod
    def DECIMAL(precision: int, scale: int) -> TypeInformation:
        """``Decimal`` with so many digits (1 to 38), ``scale`` of them after the point. Millstream's own."""
        return DecimalTypeInfo(precision, scale)

    @staticmethod
    def PICKLED_BYTE_ARRAY() -> TypeInformation:
        """Any value, kept as a Python object: the type of whatever has no declared type."""
        return PickledBytesTypeInfo()

    @staticmethod
    def ROW(field_types: Sequence[TypeInformation]) -> RowTypeInfo:
        """:class:`~millstream.common.Row` with fields f0, f1, ... of the given types."""
        return RowTypeInfo(field_types)

    @staticmethod
    def ROW_NAMED(field_names: Sequence[str], field_types: Sequence[TypeInformation]) -> RowTypeInfo:
        """:class:`~millstream.common.Row` with named fields."""
        return RowTypeInfo(field_types, field_names)

    @staticmethod
    def TUPLE(field_types: Sequence[TypeInformation]) -> TupleTypeInfo:
        """``tuple`` with fields of the given types."""
        return TupleTypeInfo(field_types)

    @staticmethod
    def PRIMITIVE_ARRAY(element_type: TypeInformation) -> TypeInformation:
        """A list of numbers, booleans or characters, none of them ``None``; of ``BYTE``: ``bytes``."""
        return PrimitiveArrayTypeInfo(element_type)

    @staticmethod
    def BASIC_ARRAY(element_type: TypeInformation) -> TypeInformation:
        """A list of numbers, booleans or text."""
        return BasicArrayTypeInfo(element_type)

    @staticmethod
    def OBJECT_ARRAY(element_type: TypeInformation) -> TypeInformation:
        """A list of any one type."""
        return ObjectArrayTypeInfo(element_type)

    @staticmethod
    def LIST(element_type_info: TypeInformation) -> TypeInformation:
        """A list of any one type."""
        return ListTypeInfo(element_type_info)

    @staticmethod
    def MAP(key_type_info: TypeInformation, value_type_info: TypeInformation) -> TypeInformation:
        """``dict`` with keys of one type, never ``None``, and values of one type."""
        return MapTypeInfo(key_type_info, value_type_info)


def quoted(name: str) -> str:
    """A field's name as schemas write it: in backquotes unless it is made of letters, digits and ``_``.

    >>> quoted("two words")
    '`two words`'
    """
    if name.isascii() and name.isidentifier():
        return name
    return "`" + name.replace("`", "``") + "`"


def widened(one: TypeInformation, other: TypeInformation) -> TypeInformation | None:
    """The type that takes the values of both, where at most elements of arrays differ in whether they may be ``None``; otherwise ``None``.

    >>> widened(Types.PRIMITIVE_ARRAY(Types.INT()), Types.LIST(Types.INT()))
    ListTypeInfo<Integer>
    """
    if one.schema() == other.schema():
        return one
    if type(one) is not type(other) and not (isinstance(one, _ElementsTypeInfo) and isinstance(other, _ElementsTypeInfo)):
        return None
    parts = _parts(one), _parts(other)
    types = [part for pair in zip(*parts, strict=False) if (part := widened(*pair)) is not None]
    if not types or len(types) != len(parts[0]) or len(types) != len(parts[1]):
        return None
    found: TypeInformation | None = None
    if isinstance(one, RowTypeInfo) and isinstance(other, RowTypeInfo):
        found = RowTypeInfo(types, one.get_field_names()) if one.get_field_names() == other.get_field_names() else None
    elif isinstance(one, TupleTypeInfo):
        found = TupleTypeInfo(types)
    elif isinstance(one, MapTypeInfo):
        found = MapTypeInfo(*types)
    elif isinstance(one, _ElementsTypeInfo):
        found = type(one if isinstance(other, PrimitiveArrayTypeInfo) else other)(*types)
    plain = one.schema().replace(" NOT NULL", "")
    is_same = found is not None and found.schema().replace(" NOT NULL", "") == plain == other.schema().replace(" NOT NULL", "")
    return found if is_same else None


def _parts(type_info: TypeInformation) -> list[TypeInformation]:
    if isinstance(type_info, _FieldsTypeInfo):
        return type_info.get_field_types()
    if isinstance(type_info, MapTypeInfo):
        return [type_info._key_type_info, type_info._value_type_info]
    return [type_info._element_type] if isinstance(type_info, _ElementsTypeInfo) else []


def type_of(declared: Any, what: str) -> TypeInformation:
    """A type as users give it: a :class:`TypeInformation`, a list of them (a row), a schema's text, one of DataTypes, or None (any Python object).

    Raises ``TypeError`` for anything else, naming ``what`` it was given for.
    """
    if declared is None:
        return PickledBytesTypeInfo()
    if isinstance(declared, list) and all(isinstance(entry, TypeInformation) for entry in declared):
        return RowTypeInfo(declared)
    if isinstance(declared, str):
        return type_from_schema(declared)
    to_type_info = getattr(declared, "to_type_info", None)
    if to_type_info is not None and not isinstance(declared, type):
        declared = to_type_info()
    _check_type(declared, what)
    found: TypeInformation = declared
    return found


_PYTHON_TYPES: dict[type, str] = {
    int: "LONG",
    float: "DOUBLE",
    str: "STRING",
    bool: "BOOLEAN",
    decimal.Decimal: "BIG_DEC",
    datetime.date: "SQL_DATE",
    datetime.time: "SQL_TIME",
    datetime.datetime: "SQL_TIMESTAMP",
}


def _check_type(declared: Any, what: str) -> None:
    if isinstance(declared, TypeInformation):
        return
    # `Types.STRING` without parentheses is the mistake that is made most.
    name = getattr(declared, "__name__", "")
    meant = _PYTHON_TYPES.get(declared, name) if isinstance(declared, type) else name
    hint = f"; did you mean Types.{meant}()?" if callable(declared) and hasattr(Types, meant) else ""
    raise TypeError(f"{what} must be a type of Types, e.g. Types.STRING(), not {declared!r}{hint}")


# ---- Reading schemas -------------------------------------------------------------------------------------------------------------------------

_SIMPLE_TYPES: dict[str, BasicType] = {
    "STRING": BasicType.STRING,
    "VARCHAR": BasicType.STRING,
    "TINYINT": BasicType.BYTE,
    "BOOLEAN": BasicType.BOOLEAN,
    "SMALLINT": BasicType.SHORT,
    "INT": BasicType.INT,
    "INTEGER": BasicType.INT,
    "BIGINT": BasicType.LONG,
    "FLOAT": BasicType.FLOAT,
    "DOUBLE": BasicType.DOUBLE,
}

#: For hints.
_OTHER_TYPES = "ROW TUPLE ARRAY MULTISET MAP INTERVAL OBJECT BYTES VARBINARY BINARY CHAR DECIMAL DATE TIME TIMESTAMP TIMESTAMP_LTZ RAW"
_KNOWN_TYPES = (*_SIMPLE_TYPES, *_OTHER_TYPES.split())

_TOKEN = r"\s*(?:`((?:[^`]|``)*)`|'((?:[^']|'')*)'|([A-Za-z_][A-Za-z0-9_]*)|(\d+)|([<>(),]))"


def type_from_schema(schema: str) -> TypeInformation:
    """The type that a schema's text describes; the opposite of :meth:`TypeInformation.schema`, which knows no ``NOT NULL``.

    Raises ``ValueError`` for text that is no schema.

    >>> type_from_schema("ROW<word STRING, n BIGINT NOT NULL>")
    RowTypeInfo(word: String, n: Long)
    """
    return _SchemaReader(schema).read()


def normal_schema(schema: str) -> str:
    """A schema's text as :meth:`TypeInformation.schema` would give it, but with ``NOT NULL`` where the text has it.

    Raises ``ValueError`` for text that is no schema.

    >>> normal_schema("row<word VARCHAR, n DOUBLE PRECISION NOT NULL, l ARRAY<INTEGER NOT NULL>>")
    'ROW<word STRING, n DOUBLE NOT NULL, l ARRAY<INT NOT NULL>>'
    """
    return _SchemaReader(schema, keeps_not_null=True).read().schema()


class _NotNullTypeInfo(ExternalTypeInfo):
    """The type of a column that has no nulls: only seen while a schema's text is made."""

    def schema(self) -> str:
        return self._field_type()

    def _field_type(self) -> str:
        return f"{self._type_info._field_type()} NOT NULL"


class _SchemaReader:
    """A reader by recursive descent; the engine checks the same text again, this one only finds the types."""

    # Schemas come from people and from Arrow; nobody nests deeper, and Python's own stack ends at about 1,000 calls.
    depth_limit = 64

    def __init__(self, text: str, keeps_not_null: bool = False) -> None:
        self.text = text
        self.keeps_not_null = keeps_not_null
        self.position = 0
        self.tokens: list[tuple[str, str, int]] = []
        # Compiled here, not on import: most programs have no schema's text.
        token = re.compile(_TOKEN)
        position = 0
        while position < len(text.rstrip()):
            match = token.match(text, position)
            if match is None:
                raise self._error(position, "unexpected character")
            backquoted, single_quoted, word, number, sign = match.groups()
            for kind, value in (("name", backquoted), ("text", single_quoted), ("word", word), ("number", number), ("sign", sign)):
                if value is not None:
                    self.tokens.append((kind, value.replace("``", "`") if kind == "name" else value, match.start(match.lastindex or 0)))
            position = match.end()

    def read(self) -> TypeInformation:
        found = self._type(0)
        if self.position < len(self.tokens):
            raise self._error(self.tokens[self.position][2], "the schema should end")
        return found

    def _type(self, depth: int) -> TypeInformation:
        if depth > self.depth_limit:
            raise ValueError(f"the schema is nested deeper than {self.depth_limit} levels")
        name = self._word("a type").upper()
        found = self._named(name, depth)
        if self._next_is("word", "NOT"):
            self.position += 1
            self._expect_word("NULL")
            # A stream's rows are never null, which its schema must not say.
            is_stream_of_rows = depth == 0 and isinstance(found, (RowTypeInfo, TupleTypeInfo))
            if self.keeps_not_null and not is_stream_of_rows and found._field_type() != OBJECT:
                return _NotNullTypeInfo(found)
        elif self._next_is("word", "NULL"):
            self.position += 1
        return found

    def _named(self, name: str, depth: int) -> TypeInformation:
        if name == "ROW":
            names, types = self._fields(depth, named=True)
            return RowTypeInfo(types, names)
        if name == "TUPLE":
            return TupleTypeInfo(self._fields(depth, named=False)[1])
        if name in ("ARRAY", "MULTISET"):
            self._expect("<")
            element = self._type(depth + 1)
            self._expect(">")
            return ListTypeInfo(element) if name == "ARRAY" else NativeTypeInfo(f"MULTISET<{element._field_type()}>")
        if name == "MAP":
            self._expect("<")
            key = self._type(depth + 1)
            # Maps say of their keys themselves that they are never null.
            key = key._type_info if isinstance(key, _NotNullTypeInfo) else key
            self._expect(",")
            value = self._type(depth + 1)
            self._expect(">")
            return MapTypeInfo(key, value)
        if name == "DOUBLE" and self._next_is("word", "PRECISION"):
            self.position += 1
        if name == "INTERVAL":
            return self._interval()
        numbers = self._numbers()
        if numbers and name in ("VARCHAR", "VARBINARY"):
            return NativeTypeInfo(f"{name}({numbers[0]})")
        if name in _SIMPLE_TYPES:
            return BasicTypeInfo(_SIMPLE_TYPES[name])
        if name == "OBJECT":
            return PickledBytesTypeInfo()
        if name in ("BYTES", "VARBINARY"):
            return PrimitiveArrayTypeInfo(BasicTypeInfo(BasicType.BYTE))
        if name == "CHAR" and numbers in ([], [1]):
            return BasicTypeInfo(BasicType.CHAR)
        if name in ("DECIMAL", "NUMERIC", "DEC"):
            return DecimalTypeInfo(*(numbers + [10, 0][len(numbers):]))
        if name == "DATE":
            return DateTypeInfo()
        if name == "TIME":
            return TimeTypeInfo(int(numbers[0]) if numbers else 0)
        if name == "TIMESTAMP_LTZ":
            return InstantTypeInfo(precision=int(numbers[0]) if numbers else 6)
        if name == "TIMESTAMP":
            return self._timestamp(numbers)
        if name in ("BINARY", "CHAR", "RAW", "NULL"):
            return NativeTypeInfo(name + (f"({', '.join(map(str, numbers))})" if numbers else ""))
        raise self._error(self.tokens[self.position - 1][2], f"there is no type {name}{nearest(name, _KNOWN_TYPES)}")

    def _timestamp(self, numbers: list[Any]) -> TypeInformation:
        if self._next_is("word", "WITH") or self._next_is("word", "WITHOUT"):
            local = self._word("WITH").upper() == "WITH" and self._next_is("word", "LOCAL")
            while self._next_is("word", "LOCAL") or self._next_is("word", "TIME") or self._next_is("word", "ZONE"):
                self.position += 1
            if local:
                return InstantTypeInfo(precision=int(numbers[0]) if numbers else 6)
        return TimestampTypeInfo(int(numbers[0]) if numbers else 6)

    def _interval(self) -> TypeInformation:
        words = ["INTERVAL", self._word("a unit").upper()]
        first = self._numbers()
        text = " ".join(words) + (f"({first[0]})" if first else "")
        if self._next_is("word", "TO"):
            self.position += 1
            text += " TO " + self._word("a unit").upper()
            second = self._numbers()
            text += f"({second[0]})" if second else ""
        return NativeTypeInfo(text)

    def _fields(self, depth: int, named: bool) -> tuple[list[str], list[TypeInformation]]:
        close = ")" if self._next_is("sign", "(") else ">"
        self._expect("(" if close == ")" else "<")
        names: list[str] = []
        types: list[TypeInformation] = []
        while not self._next_is("sign", close):
            if types and not self._next_is("sign", ","):
                raise self._error(None, f"',' or '{close}' is missing")
            if types:
                self._expect(",")
            if named:
                names.append(self._field_name())
            types.append(self._type(depth + 1))
        self._expect(close)
        return names, types

    def _field_name(self) -> str:
        if self.position < len(self.tokens) and self.tokens[self.position][0] in ("name", "word"):
            self.position += 1
            return self.tokens[self.position - 1][1]
        raise self._error(None, "a field name is missing")

    def _numbers(self) -> list[Any]:
        if not self._next_is("sign", "("):
            return []
        self.position += 1
        numbers: list[Any] = []
        while not self._next_is("sign", ")"):
            if numbers:
                self._expect(",")
            if self.position >= len(self.tokens) or self.tokens[self.position][0] not in ("number", "text"):
                raise self._error(None, "a number is missing")
            kind, value, _ = self.tokens[self.position]
            numbers.append(int(value) if kind == "number" else f"'{value}'")
            self.position += 1
        self.position += 1
        return numbers

    def _word(self, what: str) -> str:
        if self.position >= len(self.tokens) or self.tokens[self.position][0] != "word":
            raise self._error(None, f"{what} is missing")
        self.position += 1
        return self.tokens[self.position - 1][1]

    def _expect_word(self, word: str) -> None:
        if self._word(word).upper() != word:
            raise self._error(self.tokens[self.position - 1][2], f"{word} is missing")

    def _expect(self, sign: str) -> None:
        if not self._next_is("sign", sign):
            raise self._error(None, f"'{sign}' is missing")
        self.position += 1

    def _next_is(self, kind: str, value: str) -> bool:
        if self.position >= len(self.tokens):
            return False
        found = self.tokens[self.position]
        return found[0] == kind and (found[1].upper() if kind == "word" else found[1]) == value

    def _error(self, position: int | None, what: str) -> ValueError:
        if position is None:
            position = self.tokens[self.position][2] if self.position < len(self.tokens) else len(self.text)
        return ValueError(f"schema {self.text!r}, character {position + 1}: {what}")


guard(globals())
