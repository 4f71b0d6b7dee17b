"""Descriptions of settings: key, type and default."""

from __future__ import annotations

from typing import Generic, TypeVar

from millstream._tracebacks import guard

__all__ = ["ConfigOption", "ConfigOptions"]

T = TypeVar("T")


class ConfigOption(Generic[T]):
    """A setting's key, the Python type of its value, and its default (``None``: it has none).

    >>> ConfigOptions.key("retries").int_type().default_value(3)
    ConfigOption('retries', int, default=3)
    """

    def __init__(self, key: str, value_type: type, default: T | None = None) -> None:
        self.key = key
        self.value_type = value_type
        self.default = default

    def __repr__(self) -> str:
        return f"ConfigOption({self.key!r}, {self.value_type.__name__}, default={self.default!r})"


class ConfigOptions:
    """Builds a :class:`ConfigOption`.

    >>> ConfigOptions.key("parallelism.default").int_type().default_value(1)
    ConfigOption('parallelism.default', int, default=1)
    """

    @staticmethod
    def key(key: str) -> ConfigOptions.OptionBuilder:
        """Starts with the key."""
        return ConfigOptions.OptionBuilder(key)

    class OptionBuilder:
        """Has a key, needs a type."""

        def __init__(self, key: str) -> None:
            self._key = key

        def boolean_type(self) -> ConfigOptions.TypedConfigOptionBuilder[bool]:
            """True or false."""
            return ConfigOptions.TypedConfigOptionBuilder(self._key, bool)

        def int_type(self) -> ConfigOptions.TypedConfigOptionBuilder[int]:
            """A whole number of 32 bits."""
            return ConfigOptions.TypedConfigOptionBuilder(self._key, int)

        def long_type(self) -> ConfigOptions.TypedConfigOptionBuilder[int]:
            """A whole number of 64 bits."""
            return ConfigOptions.TypedConfigOptionBuilder(self._key, int)

        def float_type(self) -> ConfigOptions.TypedConfigOptionBuilder[float]:
            """A number."""
            return ConfigOptions.TypedConfigOptionBuilder(self._key, float)

        def double_type(self) -> ConfigOptions.TypedConfigOptionBuilder[float]:
            """A number."""
            return ConfigOptions.TypedConfigOptionBuilder(self._key, float)

        def string_type(self) -> ConfigOptions.TypedConfigOptionBuilder[str]:
            """Text."""
            return ConfigOptions.TypedConfigOptionBuilder(self._key, str)

    class TypedConfigOptionBuilder(Generic[T]):
        """Has a key and a type, needs a default."""

        def __init__(self, key: str, value_type: type) -> None:
            self._key = key
            self._value_type = value_type

        def default_value(self, value: T) -> ConfigOption[T]:
            """The value where nothing is set."""
            return ConfigOption(self._key, self._value_type, value)

        def no_default_value(self) -> ConfigOption[T]:
            """Nothing where nothing is set."""
            return ConfigOption(self._key, self._value_type)


guard(globals())
