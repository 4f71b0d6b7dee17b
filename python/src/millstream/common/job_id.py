"""Identifiers of jobs."""

from __future__ import annotations

__all__ = ["JobID"]


class JobID:
    """A job's identifier, unique at least within the machine: 32 hexadecimal digits.

    >>> JobID("0123456789abcdef0123456789abcdef") == JobID("0123456789abcdef0123456789abcdef")
    True
    """

    __slots__ = ("_text",)

    def __init__(self, text: str | None = None) -> None:
        if text is None:
            import uuid

            text = uuid.uuid4().hex
        self._text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JobID) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"JobID({self._text})"
