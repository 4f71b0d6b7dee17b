"""Expressions: values computed from fields by the engine, a column at a time."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.typeinfo import DecimalTypeInfo, TypeInformation, Types, type_of
from millstream.datastream.field_access import field_index

__all__ = ["Expression"]

#: Makes the engine's expression for a stream of a type; the text says who asks, for messages.
Lower = Callable[[TypeInformation, str], _native.Expression]


class Expression:
    """A value computed from a row's fields. ``+ - * / %``, comparisons, ``& | ~`` and methods make bigger ones.

    Python's ``and``, ``or`` and ``not`` cannot be taken over: write ``&``, ``|`` and ``~``, with parentheses around comparisons.

    >>> from millstream.table.expressions import col
    >>> (col("price") * 2 > 10) & ~col("sold")
    <Expression (((price * 2) > 10) AND NOT sold)>
    """

    __slots__ = ("_lower", "_text")

    def __init__(self, lower: Lower, text: str) -> None:
        self._lower = lower
        self._text = text

    def bind(self, type_info: TypeInformation, what: str) -> _native.Expression:
        """The engine's expression for a stream of this type. Raises ``PlanError`` for a field that there is none of, naming the nearest."""
        return self._lower(type_info, what)

    # ---- Methods ----

    def alias(self, name: str, *extra_names: str) -> Expression:
        """Names the result."""
        return Expression(lambda types, what: self._lower(types, what).alias(name), f"{self._text} AS {name}")

    def cast(self, data_type: TypeInformation | str) -> Expression:
        """The value as another type, by Flink's rules: a type of Types, or text such as ``"DECIMAL(10, 2)"``."""
        text = data_type if isinstance(data_type, str) else type_of(data_type, "cast")._field_type()
        return Expression(lambda types, what: self._lower(types, what).cast(text), f"CAST({self._text} AS {text})")

    @property
    def is_null(self) -> Expression:
        """Whether there is no value."""
        return self._unary("IS_NULL", f"({self._text} IS NULL)")

    @property
    def is_not_null(self) -> Expression:
        """Whether there is a value."""
        return self._unary("IS_NOT_NULL", f"({self._text} IS NOT NULL)")

    @property
    def abs(self) -> Expression:
        """The value without its sign."""
        return self._unary("ABSOLUTE", f"ABS({self._text})")

    # ---- Operators ----

    def __add__(self, other: Any) -> Expression:
        return binary("ADD", "+", self, other)

    def __radd__(self, other: Any) -> Expression:
        return binary("ADD", "+", other, self)

    def __sub__(self, other: Any) -> Expression:
        return binary("SUBTRACT", "-", self, other)

    def __rsub__(self, other: Any) -> Expression:
        return binary("SUBTRACT", "-", other, self)

    def __mul__(self, other: Any) -> Expression:
        return binary("MULTIPLY", "*", self, other)

    def __rmul__(self, other: Any) -> Expression:
        return binary("MULTIPLY", "*", other, self)

    def __truediv__(self, other: Any) -> Expression:
        return binary("DIVIDE", "/", self, other)

    def __rtruediv__(self, other: Any) -> Expression:
        return binary("DIVIDE", "/", other, self)

    def __mod__(self, other: Any) -> Expression:
        return binary("REMAINDER", "%", self, other)

    def __rmod__(self, other: Any) -> Expression:
        return binary("REMAINDER", "%", other, self)

    def __eq__(self, other: Any) -> Expression:  # type: ignore[override]
        return binary("EQUAL", "=", self, other)

    def __ne__(self, other: Any) -> Expression:  # type: ignore[override]
        return binary("NOT_EQUAL", "<>", self, other)

    def __lt__(self, other: Any) -> Expression:
        return binary("LESS", "<", self, other)

    def __le__(self, other: Any) -> Expression:
        return binary("LESS_OR_EQUAL", "<=", self, other)

    def __gt__(self, other: Any) -> Expression:
        return binary("GREATER", ">", self, other)

    def __ge__(self, other: Any) -> Expression:
        return binary("GREATER_OR_EQUAL", ">=", self, other)

    def __and__(self, other: Any) -> Expression:
        return binary("AND", "AND", self, other)

    def __rand__(self, other: Any) -> Expression:
        return binary("AND", "AND", other, self)

    def __or__(self, other: Any) -> Expression:
        return binary("OR", "OR", self, other)

    def __ror__(self, other: Any) -> Expression:
        return binary("OR", "OR", other, self)

    def __invert__(self) -> Expression:
        return self._unary("NOT", f"NOT {self._text}")

    def __neg__(self) -> Expression:
        return self._unary("NEGATE", f"-{self._text}")

    def __abs__(self) -> Expression:
        return self.abs

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise TypeError("an expression has no truth of its own: write & for and, | for or, ~ for not, with parentheses around comparisons")

    def _unary(self, operation: Any, text: str) -> Expression:
        return Expression(lambda types, what: _native.Expression.unary(operation, self._lower(types, what)), text)

    def __repr__(self) -> str:
        return f"<Expression {self._text}>"


def binary(operation: Any, sign: str, left: Any, right: Any) -> Expression:
    """Two operands, of which one may be a plain value."""
    first, second = as_expression(left), as_expression(right)

    def lower(types: TypeInformation, what: str) -> _native.Expression:
        return _native.Expression.binary(operation, first._lower(types, what), second._lower(types, what))

    return Expression(lower, f"({first._text} {sign} {second._text})")


def as_expression(value: Any) -> Expression:
    """An expression as it is, any other value as a constant."""
    return value if isinstance(value, Expression) else literal(value, None)


def column(name: str | int) -> Expression:
    """A field by name or position."""

    def lower(types: TypeInformation, what: str) -> _native.Expression:
        return _native.Expression.column(field_index(types, name, what))

    return Expression(lower, str(name))


def literal(value: Any, data_type: TypeInformation | str | None) -> Expression:
    """A constant. Raises ``TypeError`` for a value that is none."""
    text = None if data_type is None else data_type if isinstance(data_type, str) else type_of(data_type, "lit")._field_type()
    if isinstance(value, Decimal):
        return _cast_text(str(value), text or _decimal_type(value))
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        constant, found = _time_text(value)
        return _cast_text(constant, text or found)
    if value is not None and not isinstance(value, (bool, int, float, str, bytes)):
        raise TypeError(f"{value!r} of type {type(value).__name__} is no constant; there are bool, int, float, str, bytes, Decimal, dates and times")
    return Expression(lambda types, what: _native.Expression.literal(value, text), repr(value))


def _cast_text(constant: str, data_type: str) -> Expression:
    """A constant that the engine reads from text."""
    return Expression(lambda types, what: _native.Expression.literal(constant).cast(data_type), f"{data_type} '{constant}'")


def _decimal_type(value: Decimal) -> str:
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise TypeError(f"{value!r} is no decimal number")
    scale = max(0, -exponent)
    precision = max(len(digits) + max(0, exponent), scale, 1)
    return DecimalTypeInfo(precision, scale)._field_type()


def _time_text(value: datetime.datetime | datetime.date | datetime.time) -> tuple[str, str]:
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            raise TypeError(f"{value!r} has a time zone; compare with a time without one")
        return value.isoformat(" "), Types.SQL_TIMESTAMP()._field_type()
    if isinstance(value, datetime.date):
        return value.isoformat(), "DATE"
    return value.isoformat(), Types.SQL_TIME()._field_type()


guard(globals())
