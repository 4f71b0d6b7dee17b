"""The options of a table environment."""

from __future__ import annotations

from collections.abc import Callable

from millstream._tracebacks import guard
from millstream.common.configuration import Configuration

__all__ = ["TableConfig"]


class TableConfig:
    """Options by Flink's keys: those that SQL's ``SET`` knows. A wrong key or value is refused where it is set.

    >>> from millstream.table import TableEnvironment
    >>> config = TableEnvironment.create().get_config()
    >>> config.set("table.local-time-zone", "Europe/Berlin").get("table.local-time-zone", "")
    'Europe/Berlin'
    >>> config.get_local_timezone()
    'Europe/Berlin'
    """

    def __init__(self, configuration: Configuration, changed: Callable[[str, str], None]) -> None:
        self._configuration = configuration
        self._changed = changed

    def get(self, key: str, default_value: str) -> str:
        """The option's text, or the default."""
        found = self._configuration.get_string(key)
        return default_value if found is None else found

    def set(self, key: str, value: str) -> TableConfig:
        """Sets an option. Raises ``ConfigurationError`` for a key that there is none of, and for a value that it does not take."""
        self._changed(key, value)
        self._configuration.set_string(key, value)
        return self

    def add_configuration(self, configuration: Configuration) -> None:
        """Sets several options."""
        for key, value in configuration.to_dict().items():
            self.set(key, value)

    def get_configuration(self) -> Configuration:
        """What was set, as a copy."""
        return Configuration(self._configuration)

    def get_local_timezone(self) -> str:
        """The session's time zone: that of TIMESTAMP_LTZ's text."""
        return self.get("table.local-time-zone", "UTC")

    def set_local_timezone(self, timezone_id: str) -> None:
        """Sets the session's time zone, such as ``Europe/Berlin`` or ``UTC``."""
        self.set("table.local-time-zone", timezone_id)


guard(globals())
