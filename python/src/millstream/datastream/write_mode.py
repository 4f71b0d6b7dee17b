"""What becomes of a file that is there already."""

from __future__ import annotations

from enum import Enum

__all__ = ["WriteMode"]


class WriteMode(Enum):
    """For ``write_as_text`` and ``write_as_csv``. Flink has it in Java only.

    >>> [mode.name for mode in WriteMode]
    ['NO_OVERWRITE', 'OVERWRITE']
    """

    #: The job fails; the default.
    NO_OVERWRITE = 0
    #: A new file takes its place.
    OVERWRITE = 1
