"""How a table environment is to run."""

from __future__ import annotations

from millstream._tracebacks import guard
from millstream.common.configuration import Configuration

__all__ = ["EnvironmentSettings"]


class EnvironmentSettings:
    """Streaming or batch, the first catalog's and database's names, and settings by key.

    >>> from millstream.table import EnvironmentSettings
    >>> EnvironmentSettings.in_batch_mode().is_streaming_mode()
    False
    >>> settings = EnvironmentSettings.new_instance().in_streaming_mode().build()
    >>> settings.get_built_in_catalog_name(), settings.get_built_in_database_name()
    ('default_catalog', 'default_database')
    """

    class Builder:
        """Collects settings; ``build`` gives them."""

        def __init__(self) -> None:
            self._configuration = Configuration()
            self._is_streaming = True
            self._catalog = "default_catalog"
            self._database = "default_database"

        def with_configuration(self, config: Configuration) -> EnvironmentSettings.Builder:
            """Adds settings by Flink's keys."""
            self._configuration.add_all(config)
            return self

        def in_batch_mode(self) -> EnvironmentSettings.Builder:
            """Results come when the input has ended."""
            self._is_streaming = False
            return self

        def in_streaming_mode(self) -> EnvironmentSettings.Builder:
            """Results change while rows come: the default."""
            self._is_streaming = True
            return self

        def with_built_in_catalog_name(self, built_in_catalog_name: str) -> EnvironmentSettings.Builder:
            """The name of the catalog that is there at the beginning."""
            self._catalog = built_in_catalog_name
            return self

        def with_built_in_database_name(self, built_in_database_name: str) -> EnvironmentSettings.Builder:
            """The name of its database."""
            self._database = built_in_database_name
            return self

        def build(self) -> EnvironmentSettings:
            """The settings, which do not change any more."""
            return EnvironmentSettings(self._configuration, self._is_streaming, self._catalog, self._database)

    def __init__(self, configuration: Configuration, is_streaming: bool, catalog: str, database: str) -> None:
        self._configuration = Configuration(configuration)
        self._is_streaming = is_streaming
        self._catalog = catalog
        self._database = database

    @staticmethod
    def new_instance() -> EnvironmentSettings.Builder:
        """A builder: streaming unless told otherwise."""
        return EnvironmentSettings.Builder()

    @staticmethod
    def in_streaming_mode() -> EnvironmentSettings:
        """Streaming, with defaults."""
        return EnvironmentSettings.Builder().in_streaming_mode().build()

    @staticmethod
    def in_batch_mode() -> EnvironmentSettings:
        """Batch, with defaults."""
        return EnvironmentSettings.Builder().in_batch_mode().build()

    def get_configuration(self) -> Configuration:
        """The settings by key, as a copy."""
        return Configuration(self._configuration)

    def is_streaming_mode(self) -> bool:
        """Whether results change while rows come."""
        return self._is_streaming

    def get_built_in_catalog_name(self) -> str:
        """The name of the catalog that is there at the beginning."""
        return self._catalog

    def get_built_in_database_name(self) -> str:
        """The name of its database."""
        return self._database


guard(globals())
