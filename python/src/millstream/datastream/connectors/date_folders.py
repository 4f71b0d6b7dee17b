"""Folders named after the time, by Java's patterns."""

from __future__ import annotations

import datetime
import re
import time
import zoneinfo
from collections.abc import Callable

from millstream.exceptions import ConfigurationError

_LETTERS: dict[str, Callable[[datetime.datetime], int]] = {
    "y": lambda moment: moment.year,
    "u": lambda moment: moment.year,
    "M": lambda moment: moment.month,
    "d": lambda moment: moment.day,
    "H": lambda moment: moment.hour,
    "m": lambda moment: moment.minute,
    "s": lambda moment: moment.second,
    "D": lambda moment: moment.timetuple().tm_yday,
}


class DateFolders:
    """The name of the folder for a time: ``yyyy-MM-dd--HH`` gives ``2024-03-10--17``.

    Raises ``ConfigurationError`` for other letters than y, M, d, D, H, m and s, and for time zones that there are none of.

    >>> DateFolders("yyyy/MM/dd 'at' HH", "UTC").name_at(1_700_000_000_000)
    '2023/11/14 at 22'
    """

    def __init__(self, format_str: str, timezone_id: str | None) -> None:
        self._parts: list[tuple[str, int] | str] = []
        self._split(format_str)
        try:
            self._zone = None if timezone_id is None else zoneinfo.ZoneInfo(timezone_id)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            raise ConfigurationError(f"there is no time zone {timezone_id!r}") from None

    def _split(self, format_str: str) -> None:
        position = 0
        while position < len(format_str):
            letter = format_str[position]
            if letter == "'":
                match = re.compile("'((?:[^']|'')*)'").match(format_str, position)
                if match is None:
                    raise ConfigurationError(f"the pattern {format_str!r} has a quote that does not end")
                # Two quotes are one, inside quotes and outside.
                self._parts.append(match.group(1).replace("''", "'") or "'")
                position = match.end()
            elif letter.isalpha():
                count = len(format_str[position:]) - len(format_str[position:].lstrip(letter))
                if letter not in _LETTERS:
                    raise ConfigurationError(f"the pattern {format_str!r} has the letter {letter!r}; y, M, d, D, H, m and s can be used")
                self._parts.append((letter, count))
                position += count
            else:
                self._parts.append(letter)
                position += 1

    def name_at(self, millis: int) -> str:
        """The folder for a time in milliseconds since 1970-01-01 UTC."""
        moment = datetime.datetime.fromtimestamp(millis / 1_000, self._zone)
        found = ""
        for part in self._parts:
            if isinstance(part, str):
                found += part
            else:
                letter, count = part
                number = _LETTERS[letter](moment)
                found += str(number % 100).zfill(2) if letter in "yu" and count == 2 else str(number).zfill(count)
        return found

    def name_of(self, _: object) -> str:
        """The folder for whatever is written at this moment."""
        return self.name_at(time.time_ns() // 1_000_000)
