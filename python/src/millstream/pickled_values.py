"""Python objects in checkpoints: how values of states without a type of the engine's are written and read.

Numbers, text and bytes need no pickle. Everything else is pickled, classes by their import paths; no code is written. What is read back may have been
put there by anybody who can write to the disk, and a pickle can name any function to be called: so only classes are looked up that are plain data of
Python or Millstream, and those that the program has allowed, by :func:`allow` (``StreamExecutionEnvironment.register_type``) or in the setting
``state.pickle.allowed``. Anything else is refused before it is imported.
"""

from __future__ import annotations

import importlib
import io
import pickle
import sys
from typing import Any

__all__ = ["allow", "decode", "encode"]

#: The form of a pickle; those of plain values are written by the engine's extension.
_PICKLE = b"p"

#: By module the names that stand for data: to make one of these has no effect but to have it.
_DATA: dict[str, frozenset[str]] = {
    "builtins": frozenset(
        ("bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object", "range", "set", "slice", "str", "tuple")
    ),
    "collections": frozenset(("Counter", "OrderedDict", "defaultdict", "deque")),
    "datetime": frozenset(("date", "datetime", "time", "timedelta", "timezone")),
    "decimal": frozenset(("Decimal",)),
    "fractions": frozenset(("Fraction",)),
    "uuid": frozenset(("SafeUUID", "UUID")),
    "zoneinfo": frozenset(("ZoneInfo",)),
    "numpy": frozenset(("dtype",)),
    "numpy.core.multiarray": frozenset(("scalar",)),
    "numpy._core.multiarray": frozenset(("scalar",)),
    "millstream.common.time": frozenset(("Duration", "Instant", "Time")),
    "millstream.common.types": frozenset(("Row", "RowKind", "_create_row")),
    "millstream.datastream.evictors": frozenset(("TimestampedValue",)),
    "millstream.datastream.window": frozenset(("CountWindow", "GlobalWindow", "TimeWindow")),
    "millstream.datastream.window_operator": frozenset(("KeyWindows", "Pane")),
}

#: Import paths that the program allows; those that end in ``.*`` stand for all that a module, or what is below it, defines.
_allowed: set[str] = set()


class RefusedValue(pickle.UnpicklingError):
    """A value that is not written or read. The text's second line says what to do."""


def allow(*types: type | str) -> None:
    """Allows classes in checkpoints, for the whole process: a class, its import path (``"shop.orders.Order"``), or ``"shop.*"``.

    ``"*"`` allows everything, and with it whatever code somebody has put into the checkpoint. Raises ``TypeError`` for anything else.

    >>> allow("shop.orders.Order")
    """
    for entry in types:
        if isinstance(entry, type):
            entry = f"{entry.__module__}.{entry.__qualname__}"
        if not isinstance(entry, str) or not entry.strip():
            raise TypeError(f"a class or its import path is needed, not {entry!r}")
        _allowed.add(entry.strip())


def encode(value: Any) -> bytes:
    """A value that is no plain one, as bytes. Raises ``RefusedValue`` for one that cannot be pickled.

    >>> encode({1.5})[:1]
    b'p'
    """
    try:
        return _PICKLE + pickle.dumps(value, 5)
    except Exception as failure:
        if "*" in _allowed:
            try:
                pickled: bytes = importlib.import_module("cloudpickle").dumps(value)
                return _PICKLE + pickled
            except ImportError:
                pass
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        raise RefusedValue(
            f"a value of type {kind} in a state cannot be written to a checkpoint: {failure}\n"
            "Keep data in states, of classes that are defined at the top of a module; what cannot be written, make anew in open()."
        ) from failure


def decode(data: bytes) -> Any:
    """The value that :func:`encode` wrote. Raises ``RefusedValue`` for a class that is not allowed, or is not there, and for damaged bytes.

    >>> decode(encode({"tags": {"a"}}))
    {'tags': {'a'}}
    """
    if data[:1] != _PICKLE:
        raise RefusedValue(f"a value of a state begins with {data[:1]!r}, which Millstream does not read\nIf a newer one wrote it, use that.")
    try:
        return _Unpickler(io.BytesIO(data[1:])).load()
    except RefusedValue:
        raise
    except Exception as failure:
        raise RefusedValue(f"a pickled value of a state cannot be read: {type(failure).__name__}: {failure}") from failure


def check(path: str) -> None:
    """Whether a value of the class at an import path may be read, and can be. Raises ``RefusedValue`` as :func:`decode` does for such a value.

    >>> check("decimal.Decimal")
    """
    for place in range(len(path) - 1, 0, -1):
        # Modules have no capital letters more often than not, but nothing says so: the longest name that is a module's, by what is allowed, wins.
        if path[place] == "." and path[place + 1 :] in _DATA.get(path[:place], ()):
            return
    if path == "builtins.getattr":
        return
    module, _, name = path.rpartition(".")
    if not (path in _allowed or "*" in _allowed or any(path.startswith(entry[:-1]) for entry in _allowed if entry.endswith(".*"))):
        raise RefusedValue(_not_allowed(path))
    _Unpickler(io.BytesIO()).look_up(module, name)


def _not_allowed(path: str) -> str:
    return (
        f"the checkpoint has a value of {path}, which this program has not allowed\n"
        f"If it is a class of yours, allow it before the job starts: env.register_type({path!r}), or the setting state.pickle.allowed."
    )


class _Unpickler(pickle.Unpickler):
    """Looks up what is allowed, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if name in _DATA.get(module, ()):
            return super().find_class(module, name)
        if (module, name) == ("builtins", "getattr"):
            return _zone_reader
        path = f"{module}.{name}"
        if path in _allowed or "*" in _allowed:
            return self._found(module, name)
        if any(path.startswith(entry[:-1]) for entry in _allowed if entry.endswith(".*")):
            found = self._found(module, name)
            # What a module merely imports is not its own: "shop.*" does not mean shop.os.system.
            if getattr(found, "__module__", None) == module and getattr(found, "__qualname__", None) == name:
                return found
        raise RefusedValue(_not_allowed(path))

    def look_up(self, module: str, name: str) -> None:
        """Finds a class that is allowed, whose module may be any part of the name: those of nested classes have points."""
        first: RefusedValue | None = None
        while module:
            try:
                self._found(module, name)
                return
            except RefusedValue as refusal:
                first = first or refusal
            module, _, last = module.rpartition(".")
            name = f"{last}.{name}"
        if first is not None:
            raise first

    def _found(self, module: str, name: str) -> Any:
        try:
            # An unpickler that has read nothing yet takes a nested class's name for that of an attribute with points in it.
            first, *rest = name.split(".")
            found = super().find_class(module, first)
            for part in rest:
                found = getattr(found, part)
            return found
        except (ImportError, AttributeError) as failure:
            where = "in the script that runs" if module == "__main__" else f"on the module path ({len(sys.path)} entries)"
            raise RefusedValue(
                f"the checkpoint has a value of {module}.{name}, which is not there: {failure}\n"
                f"It was looked for {where}. Keep classes whose objects are in states where they were, or leave the old name in their place."
            ) from failure


def _zone_reader(owner: Any, name: str) -> Any:
    """The one attribute that pickles of plain data ask for: how a ``ZoneInfo`` is made."""
    from zoneinfo import ZoneInfo

    if owner is ZoneInfo and name == "_unpickle":
        return ZoneInfo._unpickle  # type: ignore[attr-defined]
    raise RefusedValue(f"the checkpoint asks for the attribute {name!r} of {owner!r}, which is no data")
