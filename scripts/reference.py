"""Writes the API reference, one page of Markdown per public module, from signatures and docstrings: `make reference`, or `reference.py FOLDER`.

The pages are made on demand and are not kept in the repository. The same walk serves the documentation gate, `tests/python/test_reference.py`.
"""

from __future__ import annotations

import enum
import functools
import importlib
import inspect
import pkgutil
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

import millstream

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "reference"
# What stands in the stubs of C and has no place of its own.
NATIVE = "millstream._native"


class Member(NamedTuple):
    """A method, property or nested class of a class."""

    name: str
    value: Any
    """As it stands in the class: with its descriptor."""
    owner: type
    kind: str
    """"method", "static method", "class method", "property" or "class"."""


class Entry(NamedTuple):
    """A public name on the page where it is described."""

    module: str
    name: str
    value: Any


# ---- What there is -------------------------------------------------------------------------------------------------------------------------------


@functools.cache
def modules() -> tuple[str, ...]:
    """The modules that programs may import from: those with public names of their own."""
    names = ["millstream"]
    for module in pkgutil.walk_packages(millstream.__path__, "millstream."):
        parts = module.name.split(".")
        if not any(part.startswith("_") for part in parts) and not parts[-1].startswith("libmillstream") and public_names(module.name):
            names.append(module.name)
    return tuple(sorted(names))


def public_names(module: str) -> list[str]:
    """The names that a module gives."""
    return list(getattr(importlib.import_module(module), "__all__", ()))


@functools.cache
def entries() -> tuple[Entry, ...]:
    """Each public name of the package's own once: in the module that defines it, or else in the first one that gives it."""
    known = modules()
    homes: dict[int, Entry] = {}
    for module in sorted(known, key=lambda name: (-name.count("."), name)):
        for name in public_names(module):
            value = getattr(importlib.import_module(module), name)
            if not is_own(value):
                continue
            before = homes.get(id(value))
            if before is None or (before.module != value.__module__ and module == value.__module__):
                homes[id(value)] = Entry(module, name, value)
    return tuple(sorted(homes.values(), key=lambda entry: (entry.module, entry.name)))


def is_own(value: Any) -> bool:
    """Whether a value is a class or function of the package."""
    return callable(value) and str(getattr(value, "__module__", "")).startswith("millstream")


def members(owner: type) -> list[Member]:
    """The public methods, properties and nested classes of a class, and those of bases that are described nowhere else."""
    pages = {entry.value for entry in entries() if isinstance(entry.value, type)}
    described = {base for page in owner.__mro__[1:] if page in pages for base in page.__mro__}
    found: dict[str, Member] = {}
    for base in owner.__mro__:
        if base is not owner and (base in described or not base.__module__.startswith("millstream") or base.__module__ == NATIVE):
            continue
        for name, value in vars(base).items():
            kind = kind_of(value)
            if kind is not None and not name.startswith("_"):
                found.setdefault(name, Member(name, value, base, kind))
    return sorted(found.values(), key=lambda member: member.name)


def kind_of(value: Any) -> str | None:
    """What a member is; `None` for what needs no description, such as attributes."""
    if isinstance(value, staticmethod):
        return "static method"
    if isinstance(value, classmethod):
        return "class method"
    if isinstance(value, property):
        return "property"
    if isinstance(value, type):
        return "class"
    return "method" if inspect.isfunction(function_of(value)) else None


def function_of(value: Any) -> Any:
    """The function behind a member or name: without descriptor, border and decorators."""
    if isinstance(value, property):
        value = value.fget
    value = getattr(value, "__func__", value)
    return inspect.unwrap(value) if callable(value) else value


def docstring(owner: type | None, name: str, value: Any) -> str:
    """The description of a name, for methods that of the base that describes it first; "" if there is none."""
    for base in owner.__mro__ if owner is not None else ():
        own = vars(base).get(name)
        text = None if own is None else getattr(own, "__doc__", None) or getattr(function_of(own), "__doc__", None)
        if text:
            return inspect.cleandoc(text)
    if owner is not None:
        return ""
    text = vars(value).get("__doc__") if isinstance(value, type) else getattr(value, "__doc__", None)
    return inspect.cleandoc(text) if isinstance(text, str) else ""


def untyped(value: Any) -> list[str]:
    """The parameters of a function that have no type, and "return" if its result has none."""
    function = function_of(value)
    if not inspect.isfunction(function):
        return []
    is_method = "." in function.__qualname__.rpartition("<locals>.")[2] and not isinstance(value, staticmethod)
    signature = inspect.signature(function)
    found = [
        parameter.name
        for index, parameter in enumerate(signature.parameters.values())
        if parameter.annotation is parameter.empty and not (index == 0 and is_method)
    ]
    return found if signature.return_annotation is not signature.empty else [*found, "return"]


#: Names without an example, by module: what only the package itself, or PyFlink inside, calls.
PLUMBING = (
    "millstream.common.unasked",
    "millstream.datastream.internal_window_functions",
    "millstream.metrics.metricbase.MetricRegistry",
    "millstream.notices",
    "millstream.progress",
    "millstream.pyflink.check.check_command",
    "millstream.pyflink.check.Finding",
    "millstream.pyflink.check.Report",
    "millstream.pyflink.modules_beside",
    "millstream.pyflink.names",
    "millstream.pyflink.program",
    "millstream.pyflink.run",
    "millstream.pyflink.sql_statements",
)


def has_example(value: Any) -> bool:
    """Whether there is an example in the description of a function, or of a class or one of its members. Exceptions need none: a call raises them."""
    if isinstance(value, type) and issubclass(value, BaseException):
        return True
    own = [value]
    if isinstance(value, type):
        for found in vars(value).values():
            own += [found, *vars(found).values()] if isinstance(found, type) and is_nested(found, value) else [found]
    return any(">>> " in (getattr(function_of(found), "__doc__", None) or "") for found in own if found is value or kind_of(found) is not None)


def gaps() -> list[str]:
    """Every public name that lacks a description, types or an example, with what it lacks."""
    found = [f"{module}: no docstring" for module in modules() if not importlib.import_module(module).__doc__]
    for entry in entries():
        title = f"{entry.module}.{entry.name}"
        if not docstring(None, entry.name, entry.value):
            found.append(f"{title}: no docstring")
        if not f"{title}.".startswith(tuple(f"{name}." for name in PLUMBING)) and not has_example(entry.value):
            found.append(f"{title}: no example")
        if isinstance(entry.value, type):
            found += class_gaps(title, entry.value)
        else:
            found += [f"{title}: no type for {name!r}" for name in untyped(entry.value)]
    return found


def class_gaps(title: str, owner: type) -> list[str]:
    """What the members of a class lack, and those of the classes in it."""
    found: list[str] = []
    constructor = vars(owner).get("__init__")
    if constructor is not None:
        found += [f"{title}.__init__: no type for {name!r}" for name in untyped(constructor)]
    for member in members(owner):
        if not docstring(member.owner, member.name, member.value):
            found.append(f"{title}.{member.name}: no docstring")
        if member.kind != "class":
            found += [f"{title}.{member.name}: no type for {name!r}" for name in untyped(member.value)]
        elif is_nested(member.value, owner):
            found += class_gaps(f"{title}.{member.name}", member.value)
    return found


def is_nested(value: type, owner: type) -> bool:
    """Whether a class is made in another one, and does not only have a name there."""
    return value.__qualname__ == f"{owner.__qualname__}.{value.__name__}"


# ---- Pages ---------------------------------------------------------------------------------------------------------------------------------------


def write(folder: Path) -> list[Path]:
    """Writes all pages into a folder, and takes away those of modules that are gone; gives what it wrote."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"index.md": index(), **{f"{module}.md": page(module) for module in modules()}}
    for old in folder.glob("*.md"):
        if old.name not in texts:
            old.unlink()
    for name, text in texts.items():
        (folder / name).write_text(text)
    return [folder / name for name in sorted(texts)]


def index() -> str:
    """The list of all modules."""
    lines = ["# Millstream's API", ""]
    lines += [f"- [{module}]({module}.md): {summary(importlib.import_module(module).__doc__)}" for module in modules()]
    return "\n".join(lines) + "\n"


def summary(text: str | None) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(markdown(inspect.cleandoc(text or "")).partition("\n\n")[0].split())


def page(module: str) -> str:
    """A module's page."""
    own = [entry for entry in entries() if entry.module == module]
    homes = {id(entry.value): entry for entry in entries()}
    lines = [f"# {module}", "", markdown(inspect.cleandoc(importlib.import_module(module).__doc__ or "")), ""]
    for entry in own:
        lines += class_lines(entry) if isinstance(entry.value, type) else function_lines(entry.name, entry.value, "##")
    elsewhere = []
    for name in public_names(module):
        value = getattr(importlib.import_module(module), name)
        home = homes.get(id(value))
        if home is None:
            elsewhere.append(f"- `{name}`" + (f" = `{value!r}`" if isinstance(value, (str, int, float)) else ""))
        elif home.module != module:
            elsewhere.append(f"- [{name}]({home.module}.md#{anchor(home.name)}): {summary(docstring(None, name, value))}")
    if elsewhere:
        lines += ["## Also here", "", *elsewhere, ""]
    return "\n".join(lines).rstrip() + "\n"


def class_lines(entry: Entry) -> list[str]:
    """A class with its members."""
    owner = entry.value
    constructor = vars(owner).get("__init__")
    takes = signature_text(constructor, skip_first=True).rpartition(" -> ")[0] if inspect.isfunction(function_of(constructor)) else ""
    bases = [base for base in owner.__bases__ if base.__module__.startswith("millstream") and base.__module__ != NATIVE]
    lines = [f"## {entry.name}", "", f"```python\nclass {entry.name}{takes}\n```", ""]
    if bases:
        known = {each.value: each for each in entries() if isinstance(each.value, type)}
        links = [f"[{base.__name__}]({known[base].module}.md#{anchor(known[base].name)})" if base in known else f"`{base.__name__}`" for base in bases]
        lines += [f"Of {', '.join(links)}.", ""]
    lines += [markdown(docstring(None, entry.name, owner)), ""]
    if constructor is not None and (text := function_of(constructor).__doc__) and constructor is not object.__init__:
        lines += [markdown(inspect.cleandoc(text)), ""]
    if issubclass(owner, enum.Enum):
        lines += [*(f"- `{name}`" for name in owner.__members__), ""]
    fields = getattr(owner, "_fields", None)
    if isinstance(fields, tuple) and issubclass(owner, tuple):
        lines += [*(f"- `{name}: {owner.__annotations__.get(name, 'Any')}`" for name in fields), ""]
    return lines + member_lines(entry.name, owner, "###")


def member_lines(prefix: str, owner: type, level: str) -> list[str]:
    """The members of a class, and those of the classes in it."""
    lines: list[str] = []
    for member in members(owner):
        title = f"{prefix}.{member.name}"
        if member.kind == "class":
            lines += [f"{level} {title}", "", markdown(docstring(member.owner, member.name, member.value)), ""]
            if is_nested(member.value, owner):
                lines += member_lines(title, member.value, f"{level}#")
        elif member.kind == "property":
            returned = inspect.signature(function_of(member.value)).return_annotation
            lines += [f"{level} {title}", "", f"```python\n{member.name}: {type_text(returned)}\n```", ""]
            lines += [markdown(docstring(owner, member.name, member.value)), ""]
        else:
            lines += function_lines(title, member.value, level, docstring(owner, member.name, member.value), member.kind)
    return lines


def function_lines(title: str, value: Any, level: str, text: str | None = None, kind: str = "function") -> list[str]:
    """A function or method."""
    name = title.rpartition(".")[2]
    mark = {"static method": "@staticmethod\n", "class method": "@classmethod\n"}.get(kind, "")
    shown = signature_text(value, skip_first=kind in ("method", "class method"))
    return [f"{level} {title}", "", f"```python\n{mark}{name}{shown}\n```", "", markdown(docstring(None, name, value) if text is None else text), ""]


def signature_text(value: Any, skip_first: bool = False) -> str:
    """Parameters and result, as they stand in the source."""
    function = function_of(value)
    if not callable(function):
        return "()"
    signature = inspect.signature(function)
    texts, star = [], False
    for parameter in list(signature.parameters.values())[int(skip_first) :]:
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            texts.append("*")
            star = True
        star = star or parameter.kind is parameter.VAR_POSITIONAL
        text = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "") + parameter.name
        if parameter.annotation is not parameter.empty:
            text += f": {type_text(parameter.annotation)}"
        if parameter.default is not parameter.empty:
            text += (" = " if ":" in text else "=") + default_text(parameter.default)
        texts.append(text)
    flat = f"({', '.join(texts)})"
    shown = flat if len(flat) <= 120 else "(\n" + "".join(f"    {text},\n" for text in texts) + ")"
    return shown if signature.return_annotation is signature.empty else f"{shown} -> {type_text(signature.return_annotation)}"


def default_text(value: Any) -> str:
    """A default value: without addresses, which differ from run to run."""
    return f"{type(value).__name__}.{value.name}" if isinstance(value, enum.Enum) else re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def type_text(annotation: Any) -> str:
    """A type as it stands in the source."""
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", None) or repr(annotation)


def anchor(name: str) -> str:
    """The name of a heading in a link."""
    return re.sub(r"[^a-z0-9_-]", "", name.lower())


def markdown(text: str) -> str:
    """A docstring in Markdown: roles and double backticks become code, examples become blocks."""
    lines: list[str] = []
    is_example = False
    for line in text.splitlines():
        begins = line.lstrip().startswith(">>>")
        if begins and not is_example:
            lines += ["", "```python"] if lines and lines[-1] else ["```python"]
            is_example = True
        elif is_example and not line.strip():
            lines.append("```")
            is_example = False
        lines.append(line if is_example else _inline(line))
    return "\n".join([*lines, "```"] if is_example else lines)


def _inline(line: str) -> str:
    line = re.sub(r":(?:class|meth|func|mod|attr|data|exc):`~?([^`]*)`", lambda found: f"`{found[1]}`", line)
    return line.replace("``", "`")


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    pages = write(folder)
    print(f"{len(pages)} pages in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
