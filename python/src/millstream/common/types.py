"""Rows and the kinds of change that they stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Any

from millstream._native import RowBase, register_row_class
from millstream.notices import without_jvm

__all__ = ["Row", "RowKind"]


class RowKind(Enum):
    """What a row of a changelog does to the table that the changelog describes.

    >>> str(RowKind.UPDATE_BEFORE)
    '-U'
    """

    #: A new row.
    INSERT = 0
    #: The row as it was before an update.
    UPDATE_BEFORE = 1
    #: The row as it is after an update.
    UPDATE_AFTER = 2
    #: The row is gone.
    DELETE = 3

    def to_j_row_kind(self) -> RowKind:
        """The kind itself: there is no Java object behind it, which is said once in the log."""
        without_jvm("to_j_row_kind")
        return self

    def __str__(self) -> str:
        return _SHORT_KINDS[self.value]


_SHORT_KINDS = ("+I", "-U", "+U", "-D")
_KINDS = tuple(RowKind)
_SLOTS = frozenset({"_values", "_fields", "_row_kind"})


class Row(RowBase):
    """A record of positional fields that may also have names, and a :class:`RowKind`.

    Keyword arguments name the fields; positional ones leave them without names. Both at once raise ``ValueError``.

    >>> row = Row(name="Ada", born=1815)
    >>> row.name, row["born"], row[0], len(row)
    ('Ada', 1815, 'Ada', 2)
    >>> "born" in row
    True

    A row of names can be called to make rows with these names:

    >>> Person = Row("name", "born")
    >>> Person("Grace", 1906)
    Row(name='Grace', born=1906)
    """

    # The engine makes rows without a call of Python: the base holds the values, the names (or None) and the kind's number.
    __slots__ = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if kwargs:
            if args:
                raise ValueError("a Row takes either positional values or named ones, not both")
            super().__init__(kwargs.values(), tuple(kwargs))
        else:
            super().__init__(args)

    @staticmethod
    def of_kind(row_kind: RowKind, *args: Any, **kwargs: Any) -> Row:
        """A row of the given kind.

        >>> Row.of_kind(RowKind.DELETE, 1, 2).get_row_kind()
        <RowKind.DELETE: 3>
        """
        row = Row(*args, **kwargs)
        row._row_kind = row_kind.value
        return row

    def get_row_kind(self) -> RowKind:
        """What the row does in a changelog; ``INSERT`` unless said otherwise."""
        return _KINDS[self._row_kind]

    def set_row_kind(self, row_kind: RowKind) -> None:
        """Changes what the row does in a changelog."""
        self._row_kind = row_kind.value

    def set_field_names(self, field_names: Sequence[str]) -> None:
        """Gives the fields names, in order."""
        self._fields = tuple(field_names)

    def get_fields_by_names(self, names: list[str]) -> list[Any]:
        """The values of the named fields; all values if the row has no names.

        Raises ``KeyError`` for a name that the row does not have.
        """
        fields = self._fields
        if fields is None or tuple(names) == fields:
            return self._values
        unknown = [name for name in names if name not in fields]
        if unknown:
            raise KeyError(f"the row has no fields {unknown}; it has {list(fields)}")
        return [self._values[fields.index(name)] for name in names]

    def as_dict(self, recursive: bool = False) -> dict[str, Any]:
        """The fields by name; with ``recursive``, rows inside (also inside lists and dicts) become dicts too.

        Raises ``TypeError`` if the fields have no names.

        >>> Row(key=1, value=Row(a=2)).as_dict(recursive=True)
        {'key': 1, 'value': {'a': 2}}
        """
        fields = self._fields
        if fields is None:
            raise TypeError("a Row without field names cannot become a dict; use set_field_names first")
        if not recursive:
            return dict(zip(fields, self._values, strict=False))
        return {name: _plain(value) for name, value in zip(fields, self._values, strict=False)}

    def __call__(self, *args: Any) -> Row:
        if len(args) > len(self._values):
            raise ValueError(f"{self!r} has {len(self._values)} fields, but {len(args)} values were given")
        return _create_row(self._values, args, self._row_kind)

    def __getitem__(self, item: Any) -> Any:
        if isinstance(item, (int, slice)):
            return self._values[item]
        fields = self._fields
        if fields is None:
            raise KeyError(item)
        try:
            return self._values[fields.index(item)]
        except (IndexError, ValueError):
            raise KeyError(item) from None

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(key, (int, slice)):
            self._values[key] = value
            return
        fields = self._fields
        if fields is None:
            raise KeyError(key)
        try:
            self._values[fields.index(key)] = value
        except (IndexError, ValueError):
            raise KeyError(key) from None

    def __getattr__(self, item: str) -> Any:
        # Only reached for names that are neither slots nor methods.
        if item.startswith("_"):
            raise AttributeError(item)
        fields = self._fields
        if fields is not None and item in fields:
            index = fields.index(item)
            if index < len(self._values):
                return self._values[index]
        raise AttributeError(f"the row has no field {item!r}" + (f"; it has {list(fields)}" if fields else ""))

    def __setattr__(self, key: str, value: Any) -> None:
        if key not in _SLOTS:
            raise AttributeError(f"use row[{key!r}] = ... to change a field")
        super().__setattr__(key, value)

    def __contains__(self, item: Any) -> bool:
        fields = self._fields
        return item in (self._values if fields is None else fields)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Row):
            return False
        if self._row_kind != other._row_kind:
            return False
        mine, theirs = self._fields, other._fields
        if mine is None or theirs is None:
            return mine is theirs and self._values == other._values
        if mine == theirs:
            return self._values == other._values
        return sorted(mine) == sorted(theirs) and all(self[name] == other[name] for name in mine)

    def __hash__(self) -> int:
        return hash(tuple(self._values))

    def __reduce__(self) -> tuple[Callable[..., Row], tuple[Any, ...]]:
        return _create_row, (self._fields, tuple(self._values), self._row_kind)

    def __repr__(self) -> str:
        fields = self._fields
        if fields is None:
            return f"<Row({', '.join(map(repr, self._values))})>"
        return f"Row({', '.join(f'{name}={value!r}' for name, value in zip(fields, self._values, strict=False))})"


def _create_row(fields: Sequence[str] | None, values: Sequence[Any], row_kind: int = 0) -> Row:
    row = Row(*values)
    if fields is not None:
        row._fields = tuple(fields)
    row._row_kind = row_kind
    return row


def _plain(value: Any) -> Any:
    if isinstance(value, Row):
        return value.as_dict(recursive=True)
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return value


register_row_class(Row)
