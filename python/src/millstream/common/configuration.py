"""Settings by key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from millstream._tracebacks import guard
from millstream.exceptions import ConfigurationError

__all__ = ["Configuration"]


class Configuration:
    """Settings by Flink's keys, kept as text.

    >>> configuration = Configuration()
    >>> configuration.set_integer("parallelism.default", 2).get_integer("parallelism.default", 1)
    2
    """

    def __init__(self, other: Configuration | None = None) -> None:
        self._values: dict[str, str] = dict(other._values) if other is not None else {}

    @classmethod
    def from_dict(cls, map: Mapping[str, Any]) -> Configuration:
        """A configuration with these settings; values become text."""
        configuration = cls()
        for key, value in map.items():
            configuration._set(key, value)
        return configuration

    def get_string(self, key: str, default_value: str | None = None) -> str | None:
        """The setting as text, or ``default_value``."""
        return self._values.get(key, default_value)

    def set_string(self, key: str, value: str) -> Configuration:
        """Sets text."""
        return self._set(key, value)

    def get_integer(self, key: str, default_value: int | None = None) -> int | None:
        """The setting as a whole number. Raises ``ValueError`` if it is none."""
        value = self._values.get(key)
        try:
            return default_value if value is None else int(value)
        except ValueError:
            raise ValueError(f"{key} must be a whole number, but is {value!r}") from None

    def set_integer(self, key: str, value: int) -> Configuration:
        """Sets a whole number."""
        return self._set(key, value)

    def get_boolean(self, key: str, default_value: bool | None = None) -> bool | None:
        """The setting as true or false. Raises ``ValueError`` if it is neither."""
        value = self._values.get(key)
        if value is None:
            return default_value
        if value.lower() not in ("true", "false"):
            raise ValueError(f"{key} must be true or false, but is {value!r}")
        return value.lower() == "true"

    def set_boolean(self, key: str, value: bool) -> Configuration:
        """Sets true or false."""
        return self._set(key, bool(value))

    def get_float(self, key: str, default_value: float | None = None) -> float | None:
        """The setting as a number. Raises ``ValueError`` if it is none."""
        value = self._values.get(key)
        try:
            return default_value if value is None else float(value)
        except ValueError:
            raise ValueError(f"{key} must be a number, but is {value!r}") from None

    def set_float(self, key: str, value: float) -> Configuration:
        """Sets a number."""
        return self._set(key, float(value))

    def get_bytearray(self, key: str, default_value: bytearray | None = None) -> bytearray | None:
        """The setting as bytes, which are kept as hexadecimal text."""
        value = self._values.get(key)
        return default_value if value is None else bytearray.fromhex(value)

    def set_bytearray(self, key: str, value: bytearray) -> Configuration:
        """Sets bytes."""
        return self._set(key, bytes(value).hex())

    @staticmethod
    def parse_list_value(value: str) -> list[str]:
        """A list written as ``a;b`` or ``[a, b]``.

        >>> Configuration.parse_list_value("[a, b]")
        ['a', 'b']
        """
        if not value:
            return []
        if value.startswith("[") and value.endswith("]"):
            return [entry.strip().strip("'\"") for entry in value[1:-1].split(",") if entry.strip()]
        return value.split(";")

    def key_set(self) -> set[str]:
        """The keys that are set."""
        return set(self._values)

    def add_all(self, other: Configuration, prefix: str | None = None) -> Configuration:
        """Takes over all settings of another configuration, with ``prefix`` before each key."""
        for key, value in other._values.items():
            self._values[(prefix or "") + key] = value
        return self

    def add_all_to_dict(self, target_dict: dict[str, str]) -> None:
        """Writes all settings into a dict."""
        target_dict.update(self._values)

    def contains_key(self, key: str) -> bool:
        """Whether the key is set."""
        return key in self._values

    def remove_config(self, key: str) -> bool:
        """Removes a setting; false if there was none."""
        return self._values.pop(key, None) is not None

    def to_dict(self) -> dict[str, str]:
        """All settings as a dict."""
        return dict(self._values)

    def _set(self, key: str, value: Any) -> Configuration:
        if not isinstance(key, str) or not key:
            raise TypeError(f"a configuration key is text, not {key!r}")
        if value is None:
            raise TypeError(f"{key} cannot be set to None; use remove_config")
        self._values[key] = str(value).lower() if isinstance(value, bool) else str(value)
        return self

    def __deepcopy__(self, memo: Any = None) -> Configuration:
        return Configuration(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Configuration) and self._values == other._values

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __str__(self) -> str:
        return str(self._values)

    def __repr__(self) -> str:
        return f"Configuration({self._values})"


def map_text(entries: Mapping[str, str]) -> str:
    """A setting that is a map, as Flink writes it: ``a:1,b:2``; entries with commas, colons or quotes are quoted.

    >>> map_text({"a": "1", "b": "x,y"})
    "a:1,'b:x,y'"
    """
    return ",".join(_quoted(f"{_quoted(key, ':')}:{_quoted(value, ':')}", ",") for key, value in entries.items())


def parse_map(text: str) -> dict[str, str]:
    """The map that :func:`map_text` wrote. Raises ``ConfigurationError`` for an entry without a colon or a quote that does not end.

    >>> parse_map("a:1,'b:x,y'")
    {'a': '1', 'b': 'x,y'}
    """
    found: dict[str, str] = {}
    for entry in _split(text, ","):
        if not entry:
            continue
        parts = _split(entry, ":")
        if len(parts) < 2:
            raise ConfigurationError(f"{entry!r} is no entry of a map such as key:value")
        found[parts[0]] = ":".join(parts[1:])
    return found


def _quoted(text: str, separator: str) -> str:
    if separator not in text and not text.startswith(("'", '"')):
        return text
    return "'" + text.replace("'", "''") + "'"


def _split(text: str, separator: str) -> list[str]:
    """Cuts at separators outside quotes; a quoted part loses its quotes."""
    parts: list[str] = []
    position = 0
    while position <= len(text):
        if position < len(text) and text[position] in "'\"":
            part, position = _unquoted(text, position)
            if position < len(text) and text[position] != separator:
                raise ConfigurationError(f"in {text!r} something follows a quote at {position}")
        else:
            end = text.find(separator, position)
            end = len(text) if end < 0 else end
            part, position = text[position:end].strip(), end
        parts.append(part)
        position += 1
    return parts


def _unquoted(text: str, start: int) -> tuple[str, int]:
    """The quoted part that begins at ``start``, and where it ends; a quote in it is written twice."""
    quote, position, part = text[start], start + 1, ""
    while position < len(text):
        if text[position] != quote:
            part += text[position]
        elif text[position + 1 : position + 2] == quote:
            part += quote
            position += 1
        else:
            return part, position + 1
        position += 1
    raise ConfigurationError(f"in {text!r} the quote at {start} does not end")


guard(globals())
