"""Names of side outputs."""

from __future__ import annotations

from typing import Any

from millstream._native import register_output_tag_class
from millstream._tracebacks import guard
from millstream.common.typeinfo import TypeInformation, type_of
from millstream.notices import without_jvm

__all__ = ["OutputTag"]


class OutputTag:
    """The name and type of a side output. A process function yields ``tag, value`` to send a value there.

    Without a type, values stay Python objects; a list of types stands for a row. Two tags with one name are the same output and must have the same
    type. Raises ``ValueError`` for an empty name and ``TypeError`` for what is no type.

    >>> from millstream.common import Types
    >>> OutputTag("late", Types.STRING())
    OutputTag('late', String)
    """

    def __init__(self, tag_id: str, type_info: TypeInformation | list[Any] | None = None) -> None:
        if not tag_id or not isinstance(tag_id, str):
            raise ValueError(f"an OutputTag needs a name, not {tag_id!r}")
        self.tag_id = tag_id
        self.type_info = type_of(type_info, f"the type of OutputTag {tag_id!r}")

    def get_java_output_tag(self) -> OutputTag:
        """The tag itself: there is no Java object behind it, which is said once in the log."""
        without_jvm("get_java_output_tag")
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OutputTag) and self.tag_id == other.tag_id

    def __hash__(self) -> int:
        return hash(self.tag_id)

    def __repr__(self) -> str:
        return f"OutputTag({self.tag_id!r}, {self.type_info!r})"


register_output_tag_class(OutputTag)


guard(globals())
