"""State outside of jobs: what is in a savepoint or a checkpoint.

A savepoint holds the state of each operator by its ``uid``, in parts: ``keyed/<state>`` for the states of keys, ``timers/event`` and
``timers/processing``, ``operator/list/<state>`` and so on, ``window/contents``, and others (docs/state-format.md). Each part is a table.
:class:`SavepointWriter` makes savepoints, out of tables and of others; :func:`commits` and :func:`resolve` are for results of which nobody
knows whether they
became visible (COMMIT_UNKNOWN).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from millstream import _native
from millstream._tracebacks import guard
from millstream.exceptions import InvalidArgumentError
from millstream.savepoint_writer import SavepointWriter

__all__ = ["Manifest", "OperatorParts", "PreparedResult", "SavepointWriter", "StatePart", "commits", "describe", "manifest", "read", "resolve"]


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

    Values of declared nested types (``Types.ROW_NAMED`` and so on) are given in Arrow's types for those. Other Python objects are given as
    Arrow's own types where Arrow has one for all of them, else as the bytes that
    :func:`millstream.pickled_values.decode` reads (those that begin with ``p``). Raises ``InvalidArgumentError`` for an operator or state
    that is not there,
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


@dataclass(frozen=True)
class Manifest:
    """What a savepoint says of itself: the job's name, the checkpoint's number, when it was triggered (milliseconds since the epoch), and properties.

    The property ``objects/<uid>/<part>`` is there for each part with Python objects: ``plain``, or ``pickle`` and a line for each class; then a line
    ``= <type>`` for each declared type of its values.

    >>> Manifest("counting", 7, True, 0, {}).checkpoint
    7
    """

    job: str
    checkpoint: int
    is_savepoint: bool
    triggered: int
    properties: dict[str, str]


def manifest(savepoint: str | os.PathLike[str]) -> Manifest:
    """The manifest of a savepoint or checkpoint; no other file is read. Raises ``InputOutputError`` and ``DecodeError``.

    >>> from millstream import state
    >>> from millstream.exceptions import MillstreamError
    >>> try:
    ...     state.manifest("/nowhere")
    ... except MillstreamError as error:
    ...     print(type(error).__name__)
    InputOutputError
    """
    found = json.loads(_native.savepoint_manifest(_path(savepoint)))
    return Manifest(found["job"], found["checkpoint"], found["savepoint"], found["triggered"], found["properties"])


@dataclass(frozen=True)
class PreparedResult:
    """A result that a sink has prepared, and that a job commits when it starts from the savepoint: its id, the sink, its subtask, the
    first checkpoint
    that has it, its size in bytes, and what it is in the sink's words.

    >>> PreparedResult("5f3a", "out", "sink", 0, 7, 12, "12 rows for orders").description
    '12 rows for orders'
    """

    id: str
    uid: str
    name: str
    subtask: int
    checkpoint: int
    bytes: int
    description: str


def commits(savepoint: str | os.PathLike[str]) -> list[PreparedResult]:
    """The results that sinks have prepared in a savepoint or checkpoint, in the order of their preparation. Raises ``InputOutputError``,
    ``DecodeError``.

    >>> from millstream import state
    >>> from millstream.exceptions import MillstreamError
    >>> try:
    ...     state.commits("/nowhere")
    ... except MillstreamError as error:
    ...     print(type(error).__name__)
    InputOutputError
    """
    return [PreparedResult(**entry) for entry in json.loads(_native.savepoint_commits(_path(savepoint)))]


def resolve(
    savepoint: str | os.PathLike[str],
    *,
    committed: Iterable[str] = (),
    retry: Iterable[str] = (),
    aborted: Iterable[str] = (),
    output: str | os.PathLike[str] | None = None,
) -> str:
    """Decides about prepared results, by their ids (:func:`commits`), in a copy of a savepoint or checkpoint, and gives the copy's path;
    the original stays.

    A job that starts from the copy commits no result that is ``committed`` (it is visible: somebody has looked) or ``aborted`` (it is
    given up); it commits
    those to ``retry``, and all others, once more. What was decided is in the copy's manifest. ``output`` is a directory that is not there
    yet; by default it is
    beside the original: ``chk-8`` for ``chk-7``, so that ``--ha-dir`` goes on from it; else with ``-resolved`` behind the name.

    Raises ``InvalidArgumentError`` for an id that is not there or comes twice, ``InputOutputError``, ``DecodeError``.

    >>> from millstream import state
    >>> from millstream.exceptions import MillstreamError
    >>> try:
    ...     state.resolve("/nowhere", committed=["5f3a"], output="/nowhere/else")
    ... except MillstreamError as error:
    ...     print(type(error).__name__)
    InputOutputError
    """
    path = _path(savepoint)
    target = _path(output) if output is not None else _beside(path)
    decisions = [(number, what) for what, numbers in (("committed", committed), ("retry", retry), ("aborted", aborted)) for number in numbers]
    for number in {number for number, _ in decisions}:
        if sum(other == number for other, _ in decisions) > 1:
            raise ValueError(f"two things are said about the result {number!r}")
    _native.savepoint_resolve(path, target, decisions)
    return target


def _beside(path: str) -> str:
    """Where a copy goes: the next number of a checkpoint's, or a name of its own."""
    root = path.removeprefix("file://").removeprefix("file:").removesuffix("/_metadata").rstrip("/")
    parent, name = os.path.split(root)
    number = name.removeprefix("chk-")
    if name.startswith("chk-") and number.isdecimal():
        return os.path.join(parent, f"chk-{int(number) + 1}")
    return root + "-resolved"


def table_of(rows: Callable[[str], tuple[Any, str]], name: str) -> Any:
    """The table of a state, by a function that reads a part."""
    import pyarrow  # type: ignore[import-untyped,unused-ignore]

    try:
        capsule, columns = rows(name if "/" in name else f"keyed/{name}")
    except InvalidArgumentError:
        # The one part whose name has no slash.
        if name != "watermarks":
            raise
        capsule, columns = rows(name)
    table = pyarrow.RecordBatchReader._import_from_c_capsule(capsule).read_all()
    for index, (column, kind) in enumerate(_columns(json.loads(columns)).items()):
        if kind.split()[0] == "OBJECT":
            written = table.column(index)
            table = table.set_column(index, column, _values(written))
    return table


def _values(written: Any) -> Any:
    import pyarrow  # type: ignore[import-untyped,unused-ignore]

    values = [None if data is None else _native.decode_value(data) for data in written.to_pylist()]
    types = {value.type for value in values if isinstance(value, _native.TypedValue)}
    if len(types) == 1 and all(value is None or isinstance(value, _native.TypedValue) for value in values):
        from millstream.typed_state_values import arrow_values

        array = arrow_values((None if value is None else value.value for value in values), types.pop())
        if array is not None:
            return array
    values = [value.value if isinstance(value, _native.TypedValue) else value for value in values]
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
