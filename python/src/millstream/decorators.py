"""Decorators of PyFlink's root module."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["add_version_doc", "keyword"]

R = TypeVar("R")


def keyword(func: Callable[..., R]) -> Callable[..., R]:
    """Makes a method take keyword arguments only, and keeps them in ``self._input_kwargs``.

    >>> class Point:
    ...     @keyword
    ...     def __init__(self, *, x, y=0):
    ...         self.x, self.y = x, y
    >>> Point(x=3)._input_kwargs
    {'x': 3}
    """

    @functools.wraps(func)
    def wrapper(self: Any, **kwargs: Any) -> R:
        self._input_kwargs = kwargs
        return func(self, **kwargs)

    return wrapper


def add_version_doc(f: Any, version: str) -> None:
    """Appends the version that a function was added in to its docstring.

    >>> def greet():
    ...     "Greets."
    >>> add_version_doc(greet, "1.0")
    >>> "1.0" in greet.__doc__
    True
    """
    import re

    known = f.__doc__ or ""
    indents = re.findall(r"\n( *)[^\n ]", known)
    indent = min(indents, key=len, default="")
    f.__doc__ = f"{known.rstrip()}\n\n{indent}.. versionadded:: {version}"
