"""Decorators that say in a docstring how stable a function or class is, by PyFlink's names."""

from __future__ import annotations

import inspect
import textwrap
import warnings
from abc import ABC, abstractmethod
from typing import Any, TypeVar

__all__ = ["Deprecated", "Experimental", "Internal", "Public", "PublicEvolving"]

T = TypeVar("T")


class _Stability(ABC):
    """Appends a directive to the docstring, of a class to those of its public methods and properties too."""

    @abstractmethod
    def get_directive(self, func_or_cls: Any) -> str:
        """What is appended."""

    def __call__(self, func_or_cls: T) -> T:
        _append(func_or_cls, self.get_directive(func_or_cls))
        if inspect.isclass(func_or_cls):
            for name, member in inspect.getmembers(func_or_cls, lambda found: inspect.isfunction(found) or isinstance(found, property)):
                if not name.startswith("_"):
                    _append(member, self.get_directive(func_or_cls))
        return func_or_cls


class Deprecated(_Stability):
    """Marks what is deprecated since a version, and warns with a ``DeprecationWarning`` where it is defined.

    >>> with warnings.catch_warnings(record=True):
    ...     @Deprecated(since="1.0", detail="Use something else.")
    ...     def old():
    ...         '''Does something.'''
    >>> print(old.__doc__)
    Does something.
    .. deprecated:: 1.0
       Use something else.
    """

    def __init__(self, since: str, detail: str | None = None) -> None:
        self.since = since
        self.detail = detail

    def get_directive(self, func_or_cls: Any) -> str:
        """The version and the detail."""
        detail = "" if self.detail is None else "\n" + textwrap.indent(textwrap.dedent(self.detail), "   ")
        return f".. deprecated:: {self.since}{detail}"

    def __call__(self, func_or_cls: T) -> T:
        name = getattr(func_or_cls, "__qualname__", repr(func_or_cls))
        warnings.warn(f"{name} has been deprecated since version {self.since}.", DeprecationWarning, stacklevel=2)
        return super().__call__(func_or_cls)


class _Note(_Stability):
    text = ""

    def get_directive(self, func_or_cls: Any) -> str:
        kind = "class" if inspect.isclass(func_or_cls) else "function"
        return f".. note:: This *{kind}* {self.text}"


class Experimental(_Note):
    """Marks what may change at any time.

    >>> @Experimental()
    ... def fresh():
    ...     "Does something new."
    >>> fresh.__name__
    'fresh'
    """

    text = "is marked as **experimental**: it may change at any time."


class Internal(_Note):
    """Marks what is not for users.

    >>> @Internal()
    ... def inner():
    ...     "Does something inside."
    >>> inner.__name__
    'inner'
    """

    text = "is marked as **internal**: it is not for users."


class PublicEvolving(_Note):
    """Marks what is for users and may change with a minor version.

    >>> @PublicEvolving()
    ... def evolving():
    ...     "May change."
    >>> evolving.__name__
    'evolving'
    """

    text = "is marked as **evolving**: it may change with a minor version."


class Public(_Note):
    """Marks what is for users and stays.

    >>> @Public()
    ... def stable():
    ...     "Stays."
    >>> stable.__name__
    'stable'
    """

    text = "is marked as **public**: it stays."


def _append(target: Any, directive: str) -> None:
    known = textwrap.dedent(target.__doc__ or "")
    if directive not in known:
        target.__doc__ = f"{known}\n{directive}"
