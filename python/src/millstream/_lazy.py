"""Names of a package that are imported when somebody asks for them: most programs use few of them, and imports cost time at every start."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["lazily"]


def lazily(package: str, modules: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], Iterable[str]]]:
    """A package's ``__getattr__`` and ``__dir__`` (PEP 562). ``modules`` maps each module to its names, separated by blanks."""
    places = {name: module for module, names in modules.items() for name in names.split()}

    def get(name: str) -> Any:
        module = places.get(name)
        if module is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(module), name)
        # The next access finds it without coming here.
        setattr(sys.modules[package], name, value)
        return value

    def names() -> Iterable[str]:
        return sorted({*vars(sys.modules[package]), *places})

    return get, names
