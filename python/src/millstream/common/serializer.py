"""Serializers written in Python."""

from __future__ import annotations

from abc import ABC, abstractmethod
from io import BytesIO
from typing import Any, Generic, TypeVar

__all__ = ["TypeSerializer", "VoidNamespaceSerializer", "void"]

T = TypeVar("T")

#: The namespace of what has none.
void = b""


class TypeSerializer(ABC, Generic[T]):
    """Writes values of one type to a binary stream, and reads them back.

    Windows' namespaces have one in PyFlink. Here windows are values of the engine, so that a window assigner's serializer is not called.

    >>> class Number(TypeSerializer):
    ...     def serialize(self, element, stream):
    ...         stream.write(element.to_bytes(8, "big", signed=True))
    ...     def deserialize(self, stream):
    ...         return int.from_bytes(stream.read(8), "big", signed=True)
    >>> stream = BytesIO()
    >>> Number().serialize(-7, stream)
    >>> Number().deserialize(BytesIO(stream.getvalue()))
    -7
    """

    @abstractmethod
    def serialize(self, element: T, stream: BytesIO) -> None:
        """Writes a value."""

    @abstractmethod
    def deserialize(self, stream: BytesIO) -> T:
        """Reads a value that :meth:`serialize` wrote."""

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, self.__class__) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class VoidNamespaceSerializer(TypeSerializer[bytes]):
    """Writes nothing and reads the void namespace.

    >>> from io import BytesIO
    >>> stream = BytesIO()
    >>> VoidNamespaceSerializer().serialize(b"", stream)
    >>> stream.getvalue()
    b''
    """

    def serialize(self, element: bytes, stream: BytesIO) -> None:
        """Writes nothing."""

    def deserialize(self, stream: BytesIO) -> bytes:
        """The void namespace, ``b""``; reads nothing."""
        return void
