"""SQL from Python."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.configuration import Configuration
from millstream.datastream.configuration_keys import native_options
from millstream.table.environment_settings import EnvironmentSettings
from millstream.table.table_config import TableConfig
from millstream.table.table_result import TableResult

if TYPE_CHECKING:
    from millstream.datastream import StreamExecutionEnvironment

__all__ = ["StreamTableEnvironment", "TableEnvironment"]


class TableEnvironment:
    """A session of SQL: catalogs, options, and statements, as PyFlink's.

    >>> from millstream.table import TableEnvironment
    >>> env = TableEnvironment.create()
    >>> result = env.execute_sql("SELECT word, COUNT(*) AS n FROM (VALUES ('to'), ('be'), ('to')) AS t(word) GROUP BY word")
    >>> [(row.get_row_kind().name, *row) for row in result.collect()]
    [('INSERT', 'to', 1), ('INSERT', 'be', 1), ('UPDATE_BEFORE', 'to', 1), ('UPDATE_AFTER', 'to', 2)]
    """

    def __init__(self, settings: EnvironmentSettings) -> None:
        self._settings = settings
        self._native = _native.Environment()
        self._session = _native.sql_session(self._native)
        self._config = TableConfig(Configuration(), self._set)
        if not settings.is_streaming_mode():
            self._config.set("execution.runtime-mode", "BATCH")
        self._config.add_configuration(settings.get_configuration())

    @staticmethod
    def create(environment_settings: EnvironmentSettings | Configuration | None = None) -> TableEnvironment:
        """A new environment: streaming unless the settings say otherwise."""
        if isinstance(environment_settings, Configuration):
            environment_settings = EnvironmentSettings.new_instance().with_configuration(environment_settings).build()
        return TableEnvironment(environment_settings or EnvironmentSettings.in_streaming_mode())

    def get_config(self) -> TableConfig:
        """The session's options."""
        return self._config

    def _set(self, key: str, value: str) -> None:
        quoted = value.replace("'", "''")
        _native.sql_execute(self._session, f"SET '{key}' = '{quoted}'")
        self._configure(key, value)

    def _configure(self, key: str, value: str) -> None:
        for option, text in native_options({key: value}):
            self._native.configure(option, text)

    def execute_sql(self, stmt: str) -> TableResult:
        """Runs one statement. A query or an INSERT starts a job and does not wait for it.

        Raises ``PlanError`` and ``ConfigurationError`` for what is wrong with the statement, with line and column.
        """
        description, job = _native.sql_execute(self._session, stmt)
        if json.loads(description)["kind"] == "SET":
            self._take_over_options()
        is_streaming = self._config.get("execution.runtime-mode", "STREAMING").upper() != "BATCH"
        return TableResult(description, job, " ".join(stmt.split())[:60], is_streaming)

    def _take_over_options(self) -> None:
        """What SET and RESET have changed holds for jobs, too."""
        description, _ = _native.sql_execute(self._session, "SET")
        for key, value in json.loads(description).get("rows", []):
            if self._config.get(key, "") != value:
                self._config._configuration.set_string(key, value)
                self._configure(key, value)


class StreamTableEnvironment(TableEnvironment):
    """A table environment beside a stream's.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> from millstream.table import StreamTableEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(2)
    >>> StreamTableEnvironment.create(env).get_config().get("parallelism.default", "1")
    '2'
    """

    @staticmethod
    def create(  # type: ignore[override]
        stream_execution_environment: StreamExecutionEnvironment | None = None, environment_settings: EnvironmentSettings | None = None
    ) -> StreamTableEnvironment:
        """A table environment with the settings of a stream's."""
        made = StreamTableEnvironment(environment_settings or EnvironmentSettings.in_streaming_mode())
        if stream_execution_environment is not None:
            made._config.add_configuration(stream_execution_environment.get_configuration())
        return made


guard(globals())
