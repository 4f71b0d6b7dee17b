"""Native aggregates for windows: computed by the engine over columns of declared types, without a call of Python.

:meth:`WindowedStream.agg <millstream.datastream.windowed_stream.WindowedStream.agg>` takes them. Nulls do not count.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["Aggregate", "avg", "count", "max_", "min_", "sum_"]

Kind = Literal["COUNT_ALL", "COUNT", "SUM", "MIN", "MAX", "AVERAGE"]


class Aggregate(NamedTuple):
    """An aggregate of a field, by name or position, and the name of the result's field."""

    kind: Kind
    field: str | int | None
    name: str

    def alias(self, name: str) -> Aggregate:
        """The same, with another name for the result.

        >>> sum_("price").alias("total").name
        'total'
        """
        return self._replace(name=name)


def count(field: str | int | None = None) -> Aggregate:
    """How many elements there are, or how many whose field is not null; a BIGINT named ``count`` or ``count_<field>``.

    >>> count()
    Aggregate(kind='COUNT_ALL', field=None, name='count')
    """
    return Aggregate("COUNT_ALL", None, "count") if field is None else _aggregate("COUNT", "count", field)


def sum_(field: str | int) -> Aggregate:
    """The sum of a field, of its type, named ``sum_<field>``. Integers wrap around on overflow, as in Flink.

    >>> sum_("price")
    Aggregate(kind='SUM', field='price', name='sum_price')
    """
    return _aggregate("SUM", "sum", field)


def min_(field: str | int) -> Aggregate:
    """The smallest of a field, named ``min_<field>``.

    >>> min_("price").alias("cheapest")
    Aggregate(kind='MIN', field='price', name='cheapest')
    """
    return _aggregate("MIN", "min", field)


def max_(field: str | int) -> Aggregate:
    """The largest of a field, named ``max_<field>``.

    >>> max_("price")
    Aggregate(kind='MAX', field='price', name='max_price')
    """
    return _aggregate("MAX", "max", field)


def avg(field: str | int) -> Aggregate:
    """The mean of a field, named ``avg_<field>``. As in Flink, the mean of integers is an integer, cut off towards zero; cast to DOUBLE before.

    >>> avg("price")
    Aggregate(kind='AVERAGE', field='price', name='avg_price')
    """
    return _aggregate("AVERAGE", "avg", field)


def _aggregate(kind: Kind, prefix: str, field: str | int) -> Aggregate:
    if isinstance(field, bool) or not isinstance(field, (str, int)):
        raise TypeError(f"{prefix} takes a field's name or position, not {field!r}")
    return Aggregate(kind, field, f"{prefix}_{field}")
