"""State outside of jobs: what is in a savepoint or a checkpoint.

A savepoint holds the state of each operator by its ``uid``, in parts: ``keyed/<state>`` for the states of keys, ``timers/event`` and
``timers/processing``, ``operator/list/<state>`` and so on, ``window/contents``, and others (docs/state-format.md). Each part is a table.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from millstream import _native
from millstream._tracebacks import guard
from millstream.pickled_values import decode

__all__ = ["OperatorParts", "StatePart", "describe", "read"]


@dataclass(frozen=True)
class StatePart:
    """A part of an operator's state: its name, how many rows it has, and its columns with their types in SQL's words.

    >>> StatePart("keyed/count", 2, {"key0": "STRING", "value": "BIGINT"}).rows
    2
    """

    name: str
    rows: int
    columns: dict[str, str]


@dataclass(frozen=True)
class OperatorParts:
    """What a savepoint has of an operator.

    >>> OperatorParts("counts", "count", 4, 128, []).max_parallelism
    128
    """

    uid: str
    name: str
    parallelism: int
    max_parallelism: int
    parts: list[StatePart]


def describe(savepoint: str | os.PathLike[str]) -> list[OperatorParts]:
    """What is in a savepoint or checkpoint, by the path of its directory. Every file is read and checked.

    Raises ``InputOutputError`` where there is none, ``DecodeError`` for damaged files.

    >>> from millstream import state
    >>> from millstream.exceptions import MillstreamError
    >>> try:
    ...     state.describe("/nowhere")
    ... except MillstreamError as error:
    ...     print(type(error).__name__)
    InputOutputError
    """
    found = json.loads(_native.savepoint_describe(_path(savepoint)))
    return [
        OperatorParts(
            entry["uid"],
            entry["name"],
            entry["parallelism"],
            entry["maxParallelism"],
            [StatePart(part["name"], part["rows"], _columns(part["columns"])) for part in entry["parts"]],
        )
        for entry in found
    ]


def read(savepoint: str | os.PathLike[str], uid: str, name: str) -> Any:
    """The state ``name`` of the operator ``uid`` in a savepoint, as a ``pyarrow.Table``.

    The key is in ``key0``, ``key1``, ..., behind it are the columns of the state: ``value``; ``element``; ``map_key`` and ``map_value``.
    ``name`` is that of a keyed state, or a whole part's (``timers/event``).

    Python objects are given as Arrow's own types where Arrow has one for all of them, else as the bytes that
    :func:`millstream.pickled_values.decode` reads. Raises ``InvalidArgumentError`` for an operator or state that is not there,
    ``InputOutputError``, and ``DecodeError`` for damaged files.

    >>> from millstream import state
    >>> from millstream.exceptions import MillstreamError
    >>> try:
    ...     state.read("/nowhere", "counts", "count")
    ... except MillstreamError as error:
    ...     print(type(error).__name__)
    InputOutputError
    """
    path = _path(savepoint)
    return table_of(lambda part: _native.savepoint_read(path, uid, part), name)


def table_of(rows: Callable[[str], tuple[Any, str]], name: str) -> Any:
    """The table of a state, by a function that reads a part."""
    import pyarrow  # type: ignore[import-untyped,unused-ignore]

    capsule, columns = rows(name if "/" in name else f"keyed/{name}")
    table = pyarrow.RecordBatchReader._import_from_c_capsule(capsule).read_all()
    for index, (column, kind) in enumerate(_columns(json.loads(columns)).items()):
        if kind.split()[0] == "OBJECT":
            written = table.column(index)
            table = table.set_column(index, column, _values(written))
    return table


def _values(written: Any) -> Any:
    import pyarrow  # type: ignore[import-untyped,unused-ignore]

    values = [None if data is None else decode(data) for data in written.to_pylist()]
    try:
        return pyarrow.array(values)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, pyarrow.ArrowNotImplementedError):
        return written


def _columns(found: list[dict[str, str]]) -> dict[str, str]:
    return {entry["name"]: entry["type"] for entry in found}


def _path(savepoint: str | os.PathLike[str]) -> str:
    text = os.fspath(savepoint)
    return text if text.startswith("file:") else os.path.abspath(text)


guard(globals())
