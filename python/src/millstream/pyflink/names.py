"""The names of PyFlink's public API, read from ``names.json``, and what this package has of them.

``modules`` has, by module and name, a text for a function and a table of texts for a class: its bases under the empty name, then its
members. A text is a kind (i: constructor, m: method, s: static or class method, p: property, c: constant, f: function), "!" where only
PyFlink 1.17 has it, the parameters (``x=`` has a default, ``x:T`` is given with that type to a user's method), and behind ``>`` the class
of the result. ``scripts/pyflink_names.py`` writes the file.
"""

from __future__ import annotations

import dis
import importlib
import inspect
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from millstream.pyflink.imports import our_name, without_jvm

__all__ = ["Absence", "Member", "Names", "names"]


@dataclass(frozen=True, slots=True)
class Member:
    """A function, method, property or constant of PyFlink."""

    name: str
    kind: str
    parameters: tuple[str, ...]
    #: Classes that are given to a user's method, by parameter.
    given: dict[str, str]
    #: The class of the result, or "".
    result: str
    is_gone: bool


@dataclass(frozen=True, slots=True)
class Absence:
    """Why a name cannot be used here, or is accepted and does nothing: ``missing``, ``differs`` or ``no effect``, and in words."""

    kind: str
    text: str


class Names:
    """What there is, by full names such as ``datastream.data_stream.DataStream``."""

    def __init__(self) -> None:
        read = json.loads(Path(__file__).with_name("names.json").read_text())
        self.release: str = read["release"]
        self.modules: dict[str, dict[str, Any]] = read["modules"]
        self.exports: dict[str, dict[str, str]] = read["exports"]
        self.packages = {"", *self.exports}
        for module in self.modules:
            parts = module.split(".")
            self.packages.update(".".join(parts[:count]) for count in range(1, len(parts)))
        self._homes: dict[str, str] = {}
        for module, found in self.modules.items():
            self._homes.update({name: module for name, entry in found.items() if isinstance(entry, dict)})

    # ---- PyFlink's side ----

    def is_module(self, module: str) -> bool:
        """Whether PyFlink has the module or package, written without ``pyflink.``."""
        return module in self.modules or module in self.packages

    def find(self, module: str, name: str) -> tuple[str, str] | None:
        """The module and name of what a module has or exports."""
        if name in self.modules.get(module, {}):
            return module, name
        home = self.exports.get(module, {}).get(name)
        return None if home is None else (home or module, name)

    def class_of(self, name: str) -> str | None:
        """The full name of a class given by its full or its bare name."""
        module, _, bare = name.rpartition(".")
        while module and module not in self.modules:
            module, _, outer = module.rpartition(".")
            bare = f"{outer}.{bare}"
        if not module:
            module = self._homes.get(name, "-")
            bare = name
        return f"{module}.{bare}" if isinstance(self.modules.get(module, {}).get(bare), dict) else None

    def split(self, full: str) -> tuple[str, str]:
        """A class's module and its name in it."""
        module, name = full, ""
        while module not in self.modules:
            module, _, last = module.rpartition(".")
            name = f"{last}.{name}" if name else last
        return module, name

    def members(self, full: str) -> dict[str, str]:
        """The texts of a class's own members."""
        module, name = self.split(full)
        found = self.modules[module].get(name, {})
        return found if isinstance(found, dict) else {}

    def bases(self, full: str) -> list[str]:
        """A class and those it derives from, first itself."""
        found = [full]
        for base in self.members(full).get("", "").split():
            known = self.class_of(base)
            if known is not None and known not in found:
                found += [entry for entry in self.bases(known) if entry not in found]
        return found

    def member(self, full: str, name: str) -> Member | None:
        """A member of a class or of its bases."""
        for owner in self.bases(full):
            text = self.members(owner).get(name)
            if text is not None and name:
                return read_member(name, text)
        return None

    def function(self, module: str, name: str) -> Member | None:
        """A function of a module."""
        text = self.modules.get(module, {}).get(name)
        return read_member(name, text) if isinstance(text, str) else None

    # ---- This package's side ----

    @cache  # noqa: B019 - there is one instance
    def absent_module(self, module: str) -> Absence | None:
        """None where the module is here."""
        theirs = f"pyflink.{module}" if module else "pyflink"
        if _our_module(module) is not None:
            return None
        reason = without_jvm(theirs)
        return Absence("missing", f"{theirs} is not here: {reason}" if reason else f"{theirs} is not here yet")

    def absent(self, module: str, name: str) -> Absence | None:
        """None where a module's name is here and works."""
        gone = self.absent_module(module)
        if gone is not None:
            return gone
        found = getattr(_our_module(module), name, None)
        if found is None and self.is_module(f"{module}.{name}".lstrip(".")):
            return self.absent_module(f"{module}.{name}".lstrip("."))
        if found is None:
            return Absence("missing", f"pyflink.{module}.{name} is not here yet".replace("..", "."))
        return _stub(found, name)

    def absent_member(self, full: str, name: str) -> Absence | None:
        """None where a class's member is here and works."""
        ours = self.our_class(full)
        bare = self.split(full)[1]
        if ours is None:
            return None
        if not hasattr(ours, name):
            return Absence("missing", f"{bare}.{name} is not here yet")
        return _stub(inspect.getattr_static(ours, name), f"{bare}.{name}")

    @cache  # noqa: B019 - there is one instance
    def without_effect(self, full: str, name: str = "") -> Absence | None:
        """What is said of a class's member, or of the class itself, if it is accepted and does nothing; None if it does something."""
        bare = self.split(full)[1]
        label = f"{bare}.{name}" if name else bare
        for owner in self.bases(full):
            reason = _SILENT.get(f"{self.split(owner)[1]}.{name}" if name else self.split(owner)[1])
            if reason is not None:
                return Absence("no effect", f"{label} is accepted without effect: {reason}")
        ours = self.our_class(full)
        if ours is None or (name and not hasattr(ours, name)):
            return None
        if full == _ENVIRONMENT and name in _DELEGATED:
            return _relabelled(self.without_effect(*_DELEGATED[name]), label)
        said = _said_by(inspect.getattr_static(ours, name or "__init__", None))
        return None if said is None else Absence("no effect", f"{label} {said}")

    def our_class(self, full: str) -> Any:
        """The class here that PyFlink's is, or None."""
        module, name = self.split(full)
        found: Any = _our_module(module)
        for part in name.split("."):
            found = getattr(found, part, None)
        return found

    def our_module(self, module: str) -> ModuleType | None:
        """The module here that PyFlink's is, or None."""
        return _our_module(module)

    def differing_call(self, function: Any, label: str, positional: int | None, keywords: list[str]) -> Absence | None:
        """None where the function here takes so many arguments, and those names. ``positional`` is None where the number is not known."""
        try:
            parameters = inspect.signature(function).parameters
        except (TypeError, ValueError):
            return None
        kinds = [parameter.kind for parameter in parameters.values()]
        for keyword in keywords:
            found = parameters.get(keyword)
            takes = found is not None and found.kind not in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)
            if not takes and inspect.Parameter.VAR_KEYWORD not in kinds:
                return Absence("differs", f"{label} has no parameter {keyword!r} here")
        plain = [kind for kind in kinds if kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)]
        if positional is not None and inspect.Parameter.VAR_POSITIONAL not in kinds and positional > len(plain):
            return Absence("differs", f"{label} takes {len(plain)} arguments here, not {positional}")
        return None


@cache
def names() -> Names:
    """The names, read once."""
    return Names()


def read_member(name: str, text: str) -> Member:
    """A member from its text.

    >>> read_member("on_timer", "m timestamp,ctx:KeyedProcessFunction.OnTimerContext > Row").given
    {'ctx': 'KeyedProcessFunction.OnTimerContext'}
    """
    head, _, result = text.partition(" > ")
    kind, _, parameters = head.partition(" ")
    listed = [entry.partition(":") for entry in parameters.split(",") if entry]
    given = {parameter: known for parameter, _, known in listed if known}
    return Member(name, kind[0], tuple(parameter for parameter, _, _ in listed), given, result, kind.endswith("!"))


@cache
def _our_module(module: str) -> ModuleType | None:
    try:
        return importlib.import_module(our_name(f"pyflink.{module}" if module else "pyflink"))
    except ImportError:
        return None


#: What is kept or dropped in silence; docs/pyflink-differences.md has the same. The rest says so in the log, which its code shows.
_SILENT = {
    "ExecutionConfig.set_task_cancellation_interval": "a subtask ends between two batches",
    "ExecutionConfig.set_task_cancellation_timeout": "a subtask ends between two batches, and nobody ends your process",
    "ExecutionConfig.set_execution_mode": "set_runtime_mode chooses between streaming and batch",
    "ExecutionConfig.set_default_input_dependency_constraint": "a task runs when it has input",
    "DataStream.slot_sharing_group": "on one machine all operators share one pool of threads",
    "DataStreamSink.slot_sharing_group": "on one machine all operators share one pool of threads",
    "StreamExecutionEnvironment.register_slot_sharing_group": "on one machine all operators share one pool of threads",
    "StateTtlConfig.Builder.cleanup_in_rocksdb_compact_filter": "timers remove what is expired",
}
_ENVIRONMENT = "datastream.stream_execution_environment.StreamExecutionEnvironment"
_EXECUTION = "common.execution_config.ExecutionConfig"
#: Methods of the environment that another class's do the work of.
_DELEGATED = {
    "add_default_kryo_serializer": (_EXECUTION, "add_default_kryo_serializer"),
    "register_type_with_kryo_serializer": (_EXECUTION, "register_type_with_kryo_serializer"),
}
_NOTICES = {
    "without_jvm": "has no effect: there is no JVM here",
}


def _said_by(found: Any) -> str | None:
    """What a function tells the log that it does not do (see ``notices.py``); None if it tells nothing."""
    code = _code_of(found)
    for name in () if code is None else code.co_names:
        if name in _NOTICES:
            return _NOTICES[name]
        if name == "say_once" and code is not None:
            return next((text for text in code.co_consts if isinstance(text, str) and text.startswith(("has no effect", "is kept"))), None)
    return None


def _relabelled(absence: Absence | None, label: str) -> Absence | None:
    return None if absence is None else Absence(absence.kind, f"{label} {absence.text.partition(' ')[2]}")


def _code_of(found: Any) -> CodeType | None:
    function = inspect.unwrap(getattr(found, "fget", None) or getattr(found, "__func__", None) or found) if not isinstance(found, type) else None
    return getattr(function, "__code__", None)


def _stub(found: Any, label: str) -> Absence | None:
    """Whether a function does nothing but say that it is not there yet."""
    function = inspect.unwrap(getattr(found, "fget", None) or getattr(found, "__func__", None) or found) if not isinstance(found, type) else None
    code = _code_of(found)
    if code is None:
        return None
    steps = list(dis.get_instructions(code))
    raises = any(step.opname in ("LOAD_GLOBAL", "LOAD_NAME") and step.argval in ("UnsupportedError", "NotImplementedError") for step in steps)
    if not raises or len(steps) > 16 or not any(step.opname == "RAISE_VARARGS" for step in steps) or getattr(function, "__isabstractmethod__", False):
        return None
    return Absence("missing", f"{label} is not here yet")
