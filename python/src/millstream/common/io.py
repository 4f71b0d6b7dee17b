"""Input formats: bounded inputs as ``env.create_input`` takes them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from millstream.common.typeinfo import TypeInformation
    from millstream.datastream.connectors.base import Source

__all__ = ["InputFormat"]


class InputFormat(ABC):
    """A bounded input. ``AvroInputFormat`` is one; one's own says which source reads it.

    >>> from millstream.datastream.formats.avro import AvroInputFormat
    >>> issubclass(AvroInputFormat, InputFormat)
    True
    """

    @abstractmethod
    def to_source(self, type_info: TypeInformation | None) -> Source:
        """The source that reads the input; ``type_info`` is what ``create_input`` was given, or ``None``."""
