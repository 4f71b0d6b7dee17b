"""The data types of tables, as PyFlink's ``pyflink.table.types`` has them: row types of formats and columns of CSV are declared with them.

>>> from millstream.table import DataTypes
>>> DataTypes.ROW([DataTypes.FIELD("id", DataTypes.BIGINT()), DataTypes.FIELD("name", DataTypes.STRING())]).to_type_info()
RowTypeInfo(id: Long, name: String)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from enum import Enum
from typing import Any, Self, overload

from millstream.common.typeinfo import TypeInformation, type_from_schema

__all__ = [
    "ArrayType",
    "AtomicType",
    "BigIntType",
    "BinaryType",
    "BooleanType",
    "CharType",
    "DataType",
    "DataTypes",
    "DateType",
    "DayTimeIntervalType",
    "DecimalType",
    "DoubleType",
    "FloatType",
    "FractionalType",
    "IntType",
    "IntegralType",
    "LocalZonedTimestampType",
    "MapType",
    "MultisetType",
    "NullType",
    "NumericType",
    "Resolution",
    "RowField",
    "RowType",
    "SmallIntType",
    "TimeType",
    "TimestampType",
    "TinyIntType",
    "VarBinaryType",
    "VarCharType",
    "YearMonthIntervalType",
]

#: The length of STRING and BYTES.
_UNBOUNDED = 0x7FFFFFFF


def _flag(nullable: bool) -> str:
    return "true" if nullable else "false"


def _within(number: int, lowest: int, highest: int, what: str) -> int:
    if not isinstance(number, int) or isinstance(number, bool):
        raise TypeError(f"{what} is an int, not {number!r}")
    if not lowest <= number <= highest:
        raise ValueError(f"{what} is from {lowest} to {highest}, but is {number}")
    return number


def _type(declared: Any, what: str) -> DataType:
    if not isinstance(declared, DataType):
        raise TypeError(f"{what} is a type such as DataTypes.INT(), not {declared!r}")
    return declared


class DataType:
    """The type of a column. Types are equal if their classes, parameters and nullability are.

    Parameters:
        nullable: Whether values may be ``None``.

    >>> DataTypes.INT().not_null() == DataTypes.INT(nullable=False)
    True
    """

    def __init__(self, nullable: bool = True) -> None:
        self._nullable = nullable
        self._conversion_cls = ""

    def not_null(self) -> Self:
        """The same type without nulls."""
        other = copy(self)
        other._nullable = False
        return other

    def nullable(self) -> Self:
        """The same type with nulls."""
        other = copy(self)
        other._nullable = True
        return other

    @classmethod
    def type_name(cls) -> str:
        """The class's name without ``Type``, in capital letters."""
        return cls.__name__.removesuffix("Type").upper()

    def bridged_to(self, conversion_cls: str) -> Self:
        """Keeps the name of a Java class, which has no meaning here."""
        self._conversion_cls = conversion_cls
        return self

    def to_type_info(self) -> TypeInformation:
        """The type of a stream's values or fields that this is. Millstream's own.

        >>> DataTypes.DECIMAL(10, 2).to_type_info()
        Decimal(10, 2)
        """
        return type_from_schema(self._sql())

    def _sql(self) -> str:
        raise NotImplementedError(f"{type(self).__name__} is the type of no column")

    def _sql_with_null(self) -> str:
        return self._sql() if self._nullable else f"{self._sql()} NOT NULL"

    def _parameters(self) -> tuple[Any, ...]:
        """What stands between the brackets of ``repr``, in front of the nullability."""
        return ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join([*map(str, self._parameters()), _flag(self._nullable)])})"

    def __str__(self) -> str:
        return self.type_name()

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(str(self))


class AtomicType(DataType):
    """A type that is no array, row or map.

    >>> isinstance(IntType(), AtomicType)
    True
    """


class NullType(AtomicType):
    """The type of ``None`` alone.

    >>> NullType().to_type_info().schema()
    'NULL'
    """

    def __init__(self) -> None:
        super().__init__(True)

    def _sql(self) -> str:
        return "NULL"


class NumericType(AtomicType):
    """A type of numbers.

    >>> isinstance(DoubleType(), NumericType)
    True
    """


class IntegralType(NumericType):
    """A type of whole numbers.

    >>> isinstance(SmallIntType(), IntegralType)
    True
    """

    def _sql(self) -> str:
        return self.type_name()


class FractionalType(NumericType):
    """A type of numbers with a fraction.

    >>> isinstance(DecimalType(10, 2), FractionalType)
    True
    """

    def _sql(self) -> str:
        return self.type_name()


class BooleanType(AtomicType):
    """``True`` and ``False``.

    >>> BooleanType().to_type_info()
    Boolean
    """

    def _sql(self) -> str:
        return "BOOLEAN"


class TinyIntType(IntegralType):
    """Whole numbers of 8 bits.

    >>> TinyIntType().to_type_info()
    Byte
    """


class SmallIntType(IntegralType):
    """Whole numbers of 16 bits.

    >>> SmallIntType().to_type_info()
    Short
    """


class IntType(IntegralType):
    """Whole numbers of 32 bits.

    >>> IntType().to_type_info()
    Integer
    """


class BigIntType(IntegralType):
    """Whole numbers of 64 bits.

    >>> BigIntType().to_type_info()
    Long
    """


class FloatType(FractionalType):
    """Floating-point numbers of 32 bits.

    >>> FloatType().to_type_info()
    Float
    """


class DoubleType(FractionalType):
    """Floating-point numbers of 64 bits.

    >>> DoubleType().to_type_info()
    Double
    """


class DecimalType(FractionalType):
    """``decimal.Decimal`` of ``precision`` digits, ``scale`` of them behind the point. Raises ``ValueError`` for ones that cannot be.

    >>> DecimalType(5, 2)
    DecimalType(5, 2, true)
    """

    def __init__(self, precision: int = 10, scale: int = 0, nullable: bool = True) -> None:
        super().__init__(nullable)
        self.precision = _within(precision, 1, 38, "the precision of a decimal")
        self.scale = _within(scale, 0, precision, "the scale of a decimal")

    def _parameters(self) -> tuple[Any, ...]:
        return self.precision, self.scale

    def _sql(self) -> str:
        return f"DECIMAL({self.precision}, {self.scale})"


class _OfLength(AtomicType):
    _word: str
    _unbounded: str | None = None

    def __init__(self, length: int = 1, nullable: bool = True) -> None:
        super().__init__(nullable)
        self.length = _within(length, 1, _UNBOUNDED, "a length")

    def _parameters(self) -> tuple[Any, ...]:
        return (self.length,)

    def _sql(self) -> str:
        return self._unbounded if self._unbounded is not None and self.length == _UNBOUNDED else f"{self._word}({self.length})"


class CharType(_OfLength):
    """Text of ``length`` characters.

    >>> CharType(3).to_type_info()
    CHAR(3)
    """

    _word = "CHAR"


class VarCharType(_OfLength):
    """Text of at most ``length`` characters.

    >>> VarCharType(20).to_type_info().schema()
    'VARCHAR(20)'
    """

    _word, _unbounded = "VARCHAR", "STRING"


class BinaryType(_OfLength):
    """``length`` bytes.

    >>> BinaryType(16).to_type_info()
    BINARY(16)
    """

    _word = "BINARY"


class VarBinaryType(_OfLength):
    """At most ``length`` bytes.

    >>> VarBinaryType(16).to_type_info().schema()
    'VARBINARY(16)'
    """

    _word, _unbounded = "VARBINARY", "BYTES"


class DateType(AtomicType):
    """``datetime.date``.

    >>> DateType().to_type_info()
    DateTypeInfo
    """

    def _sql(self) -> str:
        return "DATE"


class _OfPrecision(AtomicType):
    _word: str

    def __init__(self, precision: int = 6, nullable: bool = True) -> None:
        super().__init__(nullable)
        self.precision = _within(precision, 0, 9, "the precision of a time")

    def _parameters(self) -> tuple[Any, ...]:
        return (self.precision,)

    def _sql(self) -> str:
        return f"{self._word}({self.precision})"


class TimeType(_OfPrecision):
    """``datetime.time`` with ``precision`` digits of a second, none unless it is given.

    >>> TimeType(3).to_type_info().schema()
    'TIME(3)'
    """

    _word = "TIME"

    def __init__(self, precision: int = 0, nullable: bool = True) -> None:
        super().__init__(precision, nullable)


class TimestampType(_OfPrecision):
    """``datetime.datetime`` without a time zone, with ``precision`` digits of a second.

    >>> TimestampType(3).to_type_info().schema()
    'TIMESTAMP(3)'
    """

    _word = "TIMESTAMP"


class LocalZonedTimestampType(_OfPrecision):
    """A moment, with ``precision`` digits of a second.

    >>> LocalZonedTimestampType(3).to_type_info().schema()
    'TIMESTAMP_LTZ(3)'
    """

    _word = "TIMESTAMP_LTZ"


class Resolution:
    """A unit of time with its digits, for :meth:`DataTypes.INTERVAL`.

    >>> DataTypes.SECOND(3).precision
    3
    """

    class IntervalUnit(Enum):
        """The units."""

        SECOND = 0
        MINUTE = 1
        HOUR = 2
        DAY = 3
        MONTH = 4
        YEAR = 5

    def __init__(self, unit: Resolution.IntervalUnit, precision: int = -1) -> None:
        self._unit = unit
        self._precision = precision

    @property
    def unit(self) -> Resolution.IntervalUnit:
        """The unit."""
        return self._unit

    @property
    def precision(self) -> int:
        """Its digits; -1 if it has none."""
        return self._precision

    def __str__(self) -> str:
        return f"{self._unit}({self._precision})"


class YearMonthIntervalType(AtomicType):
    """A length of time in years and months, with ``precision`` digits of years (1 to 4).

    >>> DataTypes.INTERVAL(DataTypes.YEAR(), DataTypes.MONTH()).to_type_info().schema()
    'INTERVAL YEAR TO MONTH'
    """

    class YearMonthResolution:
        """The units that it has."""

        YEAR = 1
        MONTH = 2
        YEAR_TO_MONTH = 3

    DEFAULT_PRECISION = 2

    def __init__(self, resolution: int, precision: int = DEFAULT_PRECISION, nullable: bool = True) -> None:
        super().__init__(nullable)
        self._resolution = _within(resolution, 1, 3, "a YearMonthResolution")
        self._precision = _within(precision, 1, 4, "the digits of years")

    @property
    def resolution(self) -> int:
        """The units, of ``YearMonthResolution``."""
        return self._resolution

    @property
    def precision(self) -> int:
        """The digits of years."""
        return self._precision

    def _sql(self) -> str:
        # Values are months, whatever the units.
        return "INTERVAL YEAR TO MONTH"


class DayTimeIntervalType(AtomicType):
    """A length of time in days to seconds: ``datetime.timedelta``, with digits of days (1 to 6) and of a second (0 to 9).

    >>> DataTypes.INTERVAL(DataTypes.HOUR(), DataTypes.SECOND(3)).resolution
    <DayTimeResolution.HOUR_TO_SECOND: 7>
    """

    class DayTimeResolution(Enum):
        """The units that it has."""

        DAY = 1
        DAY_TO_HOUR = 2
        DAY_TO_MINUTE = 3
        DAY_TO_SECOND = 4
        HOUR = 5
        HOUR_TO_MINUTE = 6
        HOUR_TO_SECOND = 7
        MINUTE = 8
        MINUTE_TO_SECOND = 9
        SECOND = 10

    DEFAULT_DAY_PRECISION = 2
    DEFAULT_FRACTIONAL_PRECISION = 6

    def __init__(
        self,
        resolution: DayTimeIntervalType.DayTimeResolution,
        day_precision: int = DEFAULT_DAY_PRECISION,
        fractional_precision: int = DEFAULT_FRACTIONAL_PRECISION,
        nullable: bool = True,
    ) -> None:
        super().__init__(nullable)
        self._resolution = DayTimeIntervalType.DayTimeResolution(resolution)
        self._day_precision = _within(day_precision, 1, 6, "the digits of days")
        self._fractional_precision = _within(fractional_precision, 0, 9, "the digits of a second")

    @property
    def resolution(self) -> DayTimeIntervalType.DayTimeResolution:
        """The units."""
        return self._resolution

    @property
    def day_precision(self) -> int:
        """The digits of days."""
        return self._day_precision

    @property
    def fractional_precision(self) -> int:
        """The digits behind the point of seconds."""
        return self._fractional_precision

    def _sql(self) -> str:
        # Values are lengths of time, whatever the units.
        return f"INTERVAL DAY TO SECOND({self._fractional_precision})"


class ArrayType(DataType):
    """Lists of ``element_type``.

    >>> ArrayType(BigIntType()).to_type_info()
    ListTypeInfo<Long>
    """

    def __init__(self, element_type: DataType, nullable: bool = True) -> None:
        super().__init__(nullable)
        self.element_type = _type(element_type, "an element's type")

    def _parameters(self) -> tuple[Any, ...]:
        return (repr(self.element_type),)

    def _sql(self) -> str:
        return f"ARRAY<{self.element_type._sql_with_null()}>"


class MultisetType(DataType):
    """Bags of ``element_type``: elements that may be there several times.

    >>> MultisetType(IntType()).to_type_info().schema()
    'MULTISET<INT>'
    """

    def __init__(self, element_type: DataType, nullable: bool = True) -> None:
        super().__init__(nullable)
        self.element_type = _type(element_type, "an element's type")

    def _parameters(self) -> tuple[Any, ...]:
        return (repr(self.element_type),)

    def _sql(self) -> str:
        return f"MULTISET<{self.element_type._sql_with_null()}>"


class MapType(DataType):
    """Maps from ``key_type`` to ``value_type``. No key is ``None``.

    >>> MapType(VarCharType(20), BigIntType())
    MapType(VarCharType(20, true), BigIntType(true), true)
    """

    def __init__(self, key_type: DataType, value_type: DataType, nullable: bool = True) -> None:
        super().__init__(nullable)
        self.key_type = _type(key_type, "a key's type")
        self.value_type = _type(value_type, "a value's type")

    def _parameters(self) -> tuple[Any, ...]:
        return repr(self.key_type), repr(self.value_type)

    def _sql(self) -> str:
        return f"MAP<{self.key_type._sql_with_null()}, {self.value_type._sql_with_null()}>"


class RowField:
    """A field of a :class:`RowType`: its name, type and description.

    >>> RowField("id", BigIntType())
    RowField(id, BigIntType(true), ...)
    """

    def __init__(self, name: str, data_type: DataType, description: str | None = None) -> None:
        if not isinstance(name, str):
            raise TypeError(f"a field's name is a text, not {name!r}")
        self.name = name
        self.data_type = _type(data_type, f"the type of field {name!r}")
        self.description = "..." if description is None else description

    def __repr__(self) -> str:
        return f"RowField({self.name}, {self.data_type!r}, {self.description})"

    def __str__(self) -> str:
        return f"RowField({self.name}, {self.data_type})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(self.name)


class RowType(DataType):
    """Rows of named fields.

    >>> row_type = RowType().add("id", DataTypes.BIGINT()).add(DataTypes.FIELD("name", DataTypes.STRING()))
    >>> row_type.field_names(), row_type["id"].data_type, len(row_type[:1])
    (['id', 'name'], BigIntType(true), 1)
    """

    def __init__(self, fields: Sequence[RowField] | None = None, nullable: bool = True) -> None:
        super().__init__(nullable)
        self.fields: list[RowField] = []
        for field in fields or ():
            if not isinstance(field, RowField):
                raise TypeError(f"a field of a row is one of DataTypes.FIELD, not {field!r}")
            self.add(field)

    def add(self, field: RowField | str, data_type: DataType | None = None) -> Self:
        """Adds a field, given as one or as its name and type. Raises ``ValueError`` for a name that there is, or one without a type."""
        if isinstance(field, str) and data_type is None:
            raise ValueError(f"field {field!r} needs a type")
        added = field if isinstance(field, RowField) else RowField(field, data_type)  # type: ignore[arg-type]
        if added.name in self.names:
            raise ValueError(f"two fields of the row are called {added.name!r}")
        self.fields.append(added)
        return self

    @property
    def names(self) -> list[str]:
        """The fields' names."""
        return [field.name for field in self.fields]

    def field_names(self) -> list[str]:
        """The fields' names."""
        return self.names

    def field_types(self) -> list[DataType]:
        """The fields' types."""
        return [field.data_type for field in self.fields]

    def __iter__(self) -> Iterator[RowField]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    @overload
    def __getitem__(self, key: str | int) -> RowField: ...
    @overload
    def __getitem__(self, key: slice) -> RowType: ...
    def __getitem__(self, key: str | int | slice) -> RowField | RowType:
        if isinstance(key, slice):
            return RowType(self.fields[key])
        if isinstance(key, str):
            for field in self.fields:
                if field.name == key:
                    return field
            raise KeyError(f"no field is called {key!r}")
        return self.fields[key]

    def __repr__(self) -> str:
        return f"RowType({','.join(map(repr, self.fields))})"

    __hash__ = DataType.__hash__

    def __eq__(self, other: object) -> bool:
        return DataType.__eq__(self, other)

    def _sql(self) -> str:
        fields = (f"`{name.replace('`', '``')}` {kind._sql_with_null()}" for name, kind in zip(self.names, self.field_types(), strict=True))
        return f"ROW<{', '.join(fields)}>"


class DataTypes:
    """Makes the types of columns.

    >>> from millstream.datastream.formats.csv import CsvSchema
    >>> CsvSchema.builder().add_number_column("id", DataTypes.BIGINT()).add_array_column("tags", "#", DataTypes.STRING()).build()
    CsvSchema(ROW<id BIGINT, tags ARRAY<STRING>>)
    """

    @staticmethod
    def NULL() -> NullType:
        """``None`` alone."""
        return NullType()

    @staticmethod
    def CHAR(length: int, nullable: bool = True) -> CharType:
        """Text of ``length`` characters."""
        return CharType(length, nullable)

    @staticmethod
    def VARCHAR(length: int, nullable: bool = True) -> VarCharType:
        """Text of at most ``length`` characters."""
        return VarCharType(length, nullable)

    @staticmethod
    def STRING(nullable: bool = True) -> VarCharType:
        """Text."""
        return VarCharType(_UNBOUNDED, nullable)

    @staticmethod
    def BOOLEAN(nullable: bool = True) -> BooleanType:
        """``True`` and ``False``."""
        return BooleanType(nullable)

    @staticmethod
    def BINARY(length: int, nullable: bool = True) -> BinaryType:
        """``length`` bytes."""
        return BinaryType(length, nullable)

    @staticmethod
    def VARBINARY(length: int, nullable: bool = True) -> VarBinaryType:
        """At most ``length`` bytes."""
        return VarBinaryType(length, nullable)

    @staticmethod
    def BYTES(nullable: bool = True) -> VarBinaryType:
        """Bytes."""
        return VarBinaryType(_UNBOUNDED, nullable)

    @staticmethod
    def DECIMAL(precision: int, scale: int, nullable: bool = True) -> DecimalType:
        """``decimal.Decimal`` of ``precision`` digits (1 to 38), ``scale`` of them behind the point."""
        return DecimalType(precision, scale, nullable)

    @staticmethod
    def TINYINT(nullable: bool = True) -> TinyIntType:
        """Whole numbers of 8 bits."""
        return TinyIntType(nullable)

    @staticmethod
    def SMALLINT(nullable: bool = True) -> SmallIntType:
        """Whole numbers of 16 bits."""
        return SmallIntType(nullable)

    @staticmethod
    def INT(nullable: bool = True) -> IntType:
        """Whole numbers of 32 bits."""
        return IntType(nullable)

    @staticmethod
    def BIGINT(nullable: bool = True) -> BigIntType:
        """Whole numbers of 64 bits."""
        return BigIntType(nullable)

    @staticmethod
    def FLOAT(nullable: bool = True) -> FloatType:
        """Floating-point numbers of 32 bits."""
        return FloatType(nullable)

    @staticmethod
    def DOUBLE(nullable: bool = True) -> DoubleType:
        """Floating-point numbers of 64 bits."""
        return DoubleType(nullable)

    @staticmethod
    def DATE(nullable: bool = True) -> DateType:
        """``datetime.date``."""
        return DateType(nullable)

    @staticmethod
    def TIME(precision: int = 0, nullable: bool = True) -> TimeType:
        """``datetime.time`` with ``precision`` digits of a second (0 to 9)."""
        return TimeType(precision, nullable)

    @staticmethod
    def TIMESTAMP(precision: int = 6, nullable: bool = True) -> TimestampType:
        """``datetime.datetime`` without a time zone, with ``precision`` digits of a second (0 to 9)."""
        return TimestampType(precision, nullable)

    @staticmethod
    def TIMESTAMP_WITH_LOCAL_TIME_ZONE(precision: int = 6, nullable: bool = True) -> LocalZonedTimestampType:
        """A moment, with ``precision`` digits of a second (0 to 9)."""
        return LocalZonedTimestampType(precision, nullable)

    @staticmethod
    def TIMESTAMP_LTZ(precision: int = 6, nullable: bool = True) -> LocalZonedTimestampType:
        """The same as :meth:`TIMESTAMP_WITH_LOCAL_TIME_ZONE`."""
        return LocalZonedTimestampType(precision, nullable)

    @staticmethod
    def ARRAY(element_type: DataType, nullable: bool = True) -> ArrayType:
        """Lists of ``element_type``."""
        return ArrayType(element_type, nullable)

    @staticmethod
    def MAP(key_type: DataType, value_type: DataType, nullable: bool = True) -> MapType:
        """Maps from ``key_type`` to ``value_type``."""
        return MapType(key_type, value_type, nullable)

    @staticmethod
    def MULTISET(element_type: DataType, nullable: bool = True) -> MultisetType:
        """Bags of ``element_type``."""
        return MultisetType(element_type, nullable)

    @staticmethod
    def ROW(row_fields: Sequence[RowField] = (), nullable: bool = True) -> RowType:
        """Rows of fields, each of :meth:`FIELD`."""
        return RowType(row_fields, nullable)

    @staticmethod
    def FIELD(name: str, data_type: DataType, description: str | None = None) -> RowField:
        """A field of a row."""
        return RowField(name, data_type, description)

    @staticmethod
    def SECOND(precision: int = DayTimeIntervalType.DEFAULT_FRACTIONAL_PRECISION) -> Resolution:
        """Seconds with ``precision`` digits behind the point (0 to 9)."""
        return Resolution(Resolution.IntervalUnit.SECOND, precision)

    @staticmethod
    def MINUTE() -> Resolution:
        """Minutes."""
        return Resolution(Resolution.IntervalUnit.MINUTE)

    @staticmethod
    def HOUR() -> Resolution:
        """Hours."""
        return Resolution(Resolution.IntervalUnit.HOUR)

    @staticmethod
    def DAY(precision: int = DayTimeIntervalType.DEFAULT_DAY_PRECISION) -> Resolution:
        """Days with ``precision`` digits (1 to 6)."""
        return Resolution(Resolution.IntervalUnit.DAY, precision)

    @staticmethod
    def MONTH() -> Resolution:
        """Months."""
        return Resolution(Resolution.IntervalUnit.MONTH)

    @staticmethod
    def YEAR(precision: int = YearMonthIntervalType.DEFAULT_PRECISION) -> Resolution:
        """Years with ``precision`` digits (1 to 4)."""
        return Resolution(Resolution.IntervalUnit.YEAR, precision)

    @staticmethod
    def INTERVAL(upper_resolution: Resolution, lower_resolution: Resolution | None = None) -> DayTimeIntervalType | YearMonthIntervalType:
        """A length of time. Raises ``ValueError`` for units that no interval has together.

        >>> DataTypes.INTERVAL(DataTypes.DAY(3), DataTypes.SECOND(0)).to_type_info().schema()
        'INTERVAL DAY TO SECOND(0)'
        """
        units = [upper_resolution.unit] if lower_resolution is None else [upper_resolution.unit, lower_resolution.unit]
        digits = {resolution.unit: resolution.precision for resolution in (upper_resolution, lower_resolution) if resolution is not None}
        name = "_TO_".join(unit.name for unit in units)
        if hasattr(YearMonthIntervalType.YearMonthResolution, name):
            years = digits.get(Resolution.IntervalUnit.YEAR, YearMonthIntervalType.DEFAULT_PRECISION)
            return YearMonthIntervalType(getattr(YearMonthIntervalType.YearMonthResolution, name), years)
        if name not in DayTimeIntervalType.DayTimeResolution.__members__:
            raise ValueError(f"there is no interval of {' to '.join(unit.name for unit in units)}")
        days = digits.get(Resolution.IntervalUnit.DAY, DayTimeIntervalType.DEFAULT_DAY_PRECISION)
        seconds = digits.get(Resolution.IntervalUnit.SECOND, DayTimeIntervalType.DEFAULT_FRACTIONAL_PRECISION)
        return DayTimeIntervalType(DayTimeIntervalType.DayTimeResolution[name], days, seconds)
