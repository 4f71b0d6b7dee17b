"""Groups of operators that may share resources."""

from __future__ import annotations

__all__ = ["SlotSharingGroup"]


class SlotSharingGroup:
    """A named group of operators. On one machine all operators share one pool of threads: the name is kept and shown in the plan.

    >>> SlotSharingGroup.builder("heavy").build().get_name()
    'heavy'
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def get_name(self) -> str:
        """The group's name."""
        return self._name

    @staticmethod
    def builder(name: str) -> SlotSharingGroup.Builder:
        """Starts with a name."""
        return SlotSharingGroup.Builder(name)

    class Builder:
        """Has a name."""

        def __init__(self, name: str) -> None:
            self._name = name

        def build(self) -> SlotSharingGroup:
            """The group."""
            return SlotSharingGroup(self._name)
