"""The beginnings of expressions."""

from __future__ import annotations

from typing import Any

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.typeinfo import TypeInformation
from millstream.table.expression import Expression, as_expression, column, literal

__all__ = ["and_", "col", "lit", "not_", "or_", "row_time"]


def col(name: str | int) -> Expression:
    """A field by name (or position).

    >>> col("price") * 2
    <Expression (price * 2)>
    """
    if isinstance(name, bool) or not isinstance(name, (str, int)):
        raise TypeError(f"col takes a field's name or position, not {name!r}")
    return column(name)


def lit(v: Any, data_type: TypeInformation | str | None = None) -> Expression:
    """A constant, of a type if one is given. Raises ``TypeError`` for a value that is none.

    >>> lit(1, "SMALLINT") + col("n")
    <Expression (1 + n)>
    """
    return literal(v, data_type)


def row_time() -> Expression:
    """The row's event time, as an instant. Millstream's own.

    >>> row_time()
    <Expression ROWTIME>
    """
    return Expression(lambda types, what: _native.Expression.row_time(), "ROWTIME")


def and_(predicate0: Any, predicate1: Any, *predicates: Any) -> Expression:
    """Whether all are true.

    >>> and_(col("price") > 1, col("n") < 5)
    <Expression ((price > 1) AND (n < 5))>
    """
    found = as_expression(predicate0)
    for predicate in (predicate1, *predicates):
        found = found & as_expression(predicate)
    return found


def or_(predicate0: Any, predicate1: Any, *predicates: Any) -> Expression:
    """Whether one is true.

    >>> or_(col("price") > 1, col("n") < 5)
    <Expression ((price > 1) OR (n < 5))>
    """
    found = as_expression(predicate0)
    for predicate in (predicate1, *predicates):
        found = found | as_expression(predicate)
    return found


def not_(expression: Expression) -> Expression:
    """Whether it is false.

    >>> not_(col("price") > 1)
    <Expression NOT (price > 1)>
    """
    return ~expression


guard(globals())
