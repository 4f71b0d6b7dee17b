"""Savepoints made out of tables, and out of other savepoints: ``SavepointWriter`` of :mod:`millstream.state`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from millstream import _native
from millstream._tracebacks import guard

if TYPE_CHECKING:
    from millstream.common.typeinfo import TypeInformation

__all__ = ["SavepointWriter"]


class SavepointWriter:
    """Makes a savepoint that a job can start from: of tables, of what another savepoint has, or of both. As Flink's state processor does.

    Rows are given as :func:`millstream.state.read` gives them: the key in ``key0``, ``key1``, ...; then ``value``, ``element``, or ``map_key`` and
    ``map_value``. Each row goes where the job looks for its key. Methods give the writer itself; nothing is written before :meth:`write`.

    >>> import pyarrow
    >>> writer = SavepointWriter.new_savepoint(max_parallelism=128)
    >>> table = pyarrow.table({"key0": ["a", "b"], "value": [1, 2]})
    >>> writer.with_state("counts", "count", table) is writer
    True
    """

    def __init__(self, base: str | None, max_parallelism: int) -> None:
        self._base = base
        self._max_parallelism = max_parallelism
        self._changes: list[tuple[Any, ...]] = []

    @classmethod
    def new_savepoint(cls, max_parallelism: int = 128) -> SavepointWriter:
        """A savepoint without anything. A job that starts from it has this max parallelism in the operators that have state. 1 to 32768."""
        return cls(None, max_parallelism)

    @classmethod
    def from_existing_savepoint(cls, savepoint: str | os.PathLike[str], max_parallelism: int = 128) -> SavepointWriter:
        """A savepoint with all that another one has, or a checkpoint; that one stays as it is. ``max_parallelism`` is for operators that are new."""
        return cls(_path(savepoint), max_parallelism)

    def with_state(
        self, uid: str, name: str, table: Any, types: Mapping[str, TypeInformation | str] | None = None, operator_name: str | None = None
    ) -> SavepointWriter:
        """Gives the operator ``uid`` the rows of a state, in place of those that it had; the operator is made where it is not there.

        ``table`` is anything with Arrow's stream interface whose columns pyarrow can read. ``name`` is that of a keyed state, or a whole part's:
        ``timers/event`` (``key0``, ..., ``time`` in milliseconds, and ``number``, the order of registration, or none), ``operator/list/<state>`` and
        ``operator/union/<state>`` (``element``), ``operator/broadcast/<state>`` (``map_key``, ``map_value``).

        ``types`` are the columns' types in the job, as the key selector and the state's descriptor declare them; of
        ``Types.PICKLED_BYTE_ARRAY()`` is what
        has none. Else a column has the type that it had in the savepoint, or else that of its Arrow type, if the state processor has one;
        Python objects for
        all others. Raises ``ImportError`` without pyarrow.
        """
        import pyarrow  # type: ignore[import-untyped,unused-ignore]

        part = name if "/" in name else f"keyed/{name}"
        rows = table if isinstance(table, pyarrow.Table) else pyarrow.table(table)
        if part.startswith("timers/") and "number" not in rows.column_names:
            rows = rows.append_column("number", pyarrow.array(range(rows.num_rows), pyarrow.int64()))
        wanted = self._known_types(uid, part)
        wanted.update({column: _text(kind) for column, kind in (types or {}).items()})
        nested = self._known_nested(uid, part)
        nested.update({column: found for column, kind in (types or {}).items() for found in [kind if isinstance(kind, str) else kind.schema()]})
        for column in wanted:
            if column not in rows.column_names and types is not None and column in types:
                raise ValueError(f"the table has no column {column!r}; it has {rows.column_names}")
        texts: list[tuple[str, str]] = []
        for index, column in enumerate(rows.column_names):
            text = wanted.get(column) or _stored(rows.column(index).type)
            texts.append((column, text))
            # Keys of maps are compared as they are.
            declared = nested.get(column, "") if part.startswith("keyed/") and column in ("value", "element", "map_value") else ""
            rows = rows.set_column(index, column, _converted(rows.column(index), text, declared.removesuffix(" NOT NULL")))
        self._changes.append(("put", uid, operator_name, part, texts, rows))
        return self

    def remove_state(self, uid: str, name: str) -> SavepointWriter:
        """Removes a state, or a whole part, of an operator."""
        self._changes.append(("remove", uid, name if "/" in name else f"keyed/{name}"))
        return self

    def remove_operator(self, uid: str) -> SavepointWriter:
        """Removes an operator with all its state."""
        self._changes.append(("remove", uid, None))
        return self

    def change_operator_identifier(self, uid: str, new_uid: str) -> SavepointWriter:
        """Gives an operator another uid, with all its state."""
        self._changes.append(("rename", uid, new_uid))
        return self

    def write(self, path: str | os.PathLike[str]) -> str:
        """Writes the savepoint into a new directory, and gives its path. It is durable then; what is written last makes it one.

        Raises ``InvalidArgumentError`` for an operator, a state or columns that cannot be, ``TypeMismatchError`` for values that are not
        of their types,
        ``InputOutputError``, and ``DecodeError`` for damage in what it is based on.
        """
        target = _path(path)
        _native.savepoint_write(self._base, self._max_parallelism, target, self._changes)
        return target

    def _known_nested(self, uid: str, part: str) -> dict[str, str]:
        """The declared type of a part's values, by the columns that may have it, where all of them are of one."""
        if self._base is None:
            return {}
        from millstream.state import manifest

        former = next((change[1] for change in reversed(self._changes) if change[0] == "rename" and change[2] == uid), uid)
        lines = manifest(self._base).properties.get(f"objects/{former}/{part}", "").split("\n")
        types = [line.removeprefix("= ") for line in lines if line.startswith("= ")]
        return dict.fromkeys(("value", "element", "map_value"), types[0]) if len(types) == 1 else {}

    def _known_types(self, uid: str, part: str) -> dict[str, str]:
        """The types of a part's columns where there is such a part already."""
        if self._base is None:
            return {}
        from millstream.state import describe

        former = next((change[1] for change in reversed(self._changes) if change[0] == "rename" and change[2] == uid), uid)
        for operator in describe(self._base):
            if operator.uid == former:
                for found in operator.parts:
                    if found.name == part:
                        return {column: text.removesuffix(" NOT NULL") for column, text in found.columns.items()}
        return {}


def _text(kind: TypeInformation | str) -> str:
    """The type that a column has in a checkpoint: what is not a number, a time, text or bytes is a Python object there."""
    text = kind if isinstance(kind, str) else kind.schema()
    text = text.removesuffix(" NOT NULL")
    if text == "FLOAT":
        return "DOUBLE"
    head = text.split("<")[0].split("(")[0]
    return "OBJECT" if head in ("ARRAY", "MAP", "MULTISET", "ROW", "TUPLE", "DECIMAL", "OBJECT", "RAW") else text


def _stored(kind: Any) -> str:
    import pyarrow

    try:
        schema = _native.schema_from_arrow(pyarrow.schema([pyarrow.field("value", kind)]))
    except Exception:
        return "OBJECT"
    inner = schema[schema.index("<") + 1 : schema.rindex(">")]
    return _text(inner.partition(" ")[2])


def _converted(values: Any, text: str, declared: str = "") -> Any:
    """A column as the engine takes it."""
    import pyarrow

    from millstream.typed_state_values import is_nested, typed

    if text == "OBJECT" and is_nested(declared):
        held = [None if value is None else _native.encode_value(typed(value, declared)) for value in values.to_pylist()]
        return pyarrow.array(held, pyarrow.binary())
    if text == "OBJECT":
        written = [None if value is None else _native.encode_value(value) for value in values.to_pylist()]
        return pyarrow.array(written, pyarrow.binary())
    schema = pyarrow.Schema._import_from_c_capsule(_native.schema_to_arrow(f"ROW<value {text}>"))
    kind = schema.field(0).type
    try:
        return values.cast(kind)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError):
        # The engine says which types do not fit.
        return values


def _path(path: str | os.PathLike[str]) -> str:
    text = os.fspath(path)
    return text if text.startswith("file:") else os.path.abspath(text)


guard(globals())
