"""The statements of an SQL file: where each begins, and what it is by its first words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Statement", "statements"]

#: A comment, a quoted text or name, a semicolon, or anything else; what does not end goes to the end of the text.
_PART = re.compile(
    r"--[^\n]*|/\*.*?(?:\*/|\Z)|'(?:[^']|'')*(?:'|\Z)|`(?:[^`]|``)*(?:`|\Z)|\"(?:[^\"]|\"\")*(?:\"|\Z)|;|\s+|[^\s;'`\"/-]+|.", re.DOTALL
)
#: Words that stand between CREATE, ALTER or DROP and what is created.
_BETWEEN = {"TEMPORARY", "SYSTEM", "OR", "REPLACE", "IF", "NOT", "EXISTS"}
#: Words that say with the one behind them what a statement is.
_PAIRED = {"ADD", "ALTER", "ANALYZE", "CREATE", "DROP", "INSERT", "LOAD", "REMOVE", "SHOW", "STOP", "TRUNCATE", "UNLOAD", "USE"}


class Statement(NamedTuple):
    """One statement: its place (from 1), its kind such as ``CREATE TABLE``, and whether its quotes and comments end."""

    line: int
    column: int
    kind: str
    is_whole: bool


def statements(text: str) -> Iterator[Statement]:
    """The statements of a text, in order. Those of a statement set and of what EXPLAIN and EXECUTE take count with it, if no semicolon divides them.

    >>> list(statements("-- words\\nCREATE TEMPORARY TABLE `a;b` (s STRING);\\n INSERT INTO t SELECT 'x;'"))
    [Statement(line=2, column=1, kind='CREATE TABLE', is_whole=True), Statement(line=3, column=2, kind='INSERT INTO', is_whole=True)]
    """
    begin: int | None = None
    words: list[str] = []
    is_whole = True
    for part in _PART.finditer(text):
        found = part.group()
        if found == ";":
            # END ends a statement set.
            if begin is not None and words != ["END"]:
                yield _statement(text, begin, words, is_whole)
            begin, words, is_whole = None, [], True
        elif found.startswith("/*"):
            is_whole = is_whole and found.endswith("*/") and len(found) > 3
        elif not found.isspace() and not found.startswith("--"):
            begin = part.start() if begin is None else begin
            if found[0] in "'`\"":
                is_whole = is_whole and len(found) > 1 and found.endswith(found[0])
            if len(words) < 8:
                words.append(found.upper())
    if begin is not None:
        yield _statement(text, begin, words, is_whole)


def _statement(text: str, begin: int, words: list[str], is_whole: bool) -> Statement:
    line = text.count("\n", 0, begin) + 1
    column = begin - (text.rfind("\n", 0, begin) + 1) + 1
    first, *rest = words
    second = next((word for word in rest if word not in _BETWEEN and word.isalpha()), "") if first in _PAIRED else ""
    if first in ("BEGIN", "EXECUTE") and rest[:1] == ["STATEMENT"]:
        second = "STATEMENT SET"
    kind = f"{first} {second}".strip()
    return Statement(line, column, kind if len(kind) <= 40 else f"{kind[:37]}...", is_whole)
