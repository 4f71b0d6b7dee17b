"""What holds for a whole job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from millstream.common.execution_mode import ExecutionMode
from millstream.common.restart_strategy import RestartStrategies, RestartStrategyConfiguration
from millstream.common.time import milliseconds_in
from millstream.exceptions import ConfigurationError

if TYPE_CHECKING:
    from millstream.common.configuration import Configuration

__all__ = ["ExecutionConfig"]


class ExecutionConfig:
    """A view of an environment's settings: parallelism, watermark interval, parameters for functions, and a few that are only kept."""

    #: Stands for "the environment's parallelism".
    PARALLELISM_DEFAULT = -1
    #: Stands for "not known yet".
    PARALLELISM_UNKNOWN = -2

    def __init__(self, configuration: Configuration | None = None) -> None:
        from millstream.common.configuration import Configuration

        self._configuration = configuration if configuration is not None else Configuration()
        self._job_parameters: dict[str, str] = {}
        self._restart_strategy: RestartStrategyConfiguration = RestartStrategies.fall_back_restart()
        self._flags: dict[str, Any] = {}

    def get_parallelism(self) -> int:
        """The number of subtasks of each operator that has none of its own."""
        return self._configuration.get_integer("parallelism.default", 1) or 1

    def set_parallelism(self, parallelism: int) -> ExecutionConfig:
        """Sets the number of subtasks of each operator that has none of its own. Raises ``ConfigurationError`` if it is not positive."""
        checked_parallelism(parallelism, "parallelism")
        self._configuration.set_integer("parallelism.default", parallelism)
        return self

    def get_max_parallelism(self) -> int:
        """The number of key groups; -1 if it is left to the engine (128 or more, by parallelism)."""
        found = self._configuration.get_integer("pipeline.max-parallelism", -1)
        return -1 if found is None else found

    def set_max_parallelism(self, max_parallelism: int) -> ExecutionConfig:
        """Sets the number of key groups, 1 to 32768, which bounds every parallelism. Raises ``ConfigurationError`` out of that range."""
        checked_parallelism(max_parallelism, "max parallelism")
        self._configuration.set_integer("pipeline.max-parallelism", max_parallelism)
        return self

    def get_auto_watermark_interval(self) -> int:
        """By how much of event time a watermark advances before the next one is made, in milliseconds: 200 unless set."""
        return milliseconds_in(self._configuration.get_string("pipeline.auto-watermark-interval") or "200 ms")

    def set_auto_watermark_interval(self, interval: int) -> ExecutionConfig:
        """Sets by how much of event time a watermark advances before the next one is made, in milliseconds.

        In Flink this is time by the clock; here results do not depend on how fast a job runs. 0: every batch may make a watermark.
        """
        if isinstance(interval, bool) or not isinstance(interval, int) or interval < 0:
            raise ConfigurationError(f"the watermark interval is a number of milliseconds, not {interval!r}")
        self._configuration.set_string("pipeline.auto-watermark-interval", f"{int(interval)} ms")
        return self

    def get_global_job_parameters(self) -> dict[str, str]:
        """Parameters that functions read with ``RuntimeContext.get_job_parameter``."""
        return dict(self._job_parameters)

    def set_global_job_parameters(self, global_job_parameters_dict: Mapping[str, str]) -> ExecutionConfig:
        """Sets the parameters that functions read with ``RuntimeContext.get_job_parameter``."""
        self._job_parameters = {str(key): str(value) for key, value in global_job_parameters_dict.items()}
        return self

    def get_restart_strategy(self) -> RestartStrategyConfiguration:
        """What happens after a failure."""
        return self._restart_strategy

    def set_restart_strategy(self, restart_strategy_configuration: RestartStrategyConfiguration) -> ExecutionConfig:
        """Sets what happens after a failure. Jobs without checkpoints do not restart."""
        if not isinstance(restart_strategy_configuration, RestartStrategyConfiguration):
            raise TypeError(f"a strategy of RestartStrategies is needed, not {restart_strategy_configuration!r}")
        self._restart_strategy = restart_strategy_configuration
        return self

    def get_execution_mode(self) -> ExecutionMode:
        """Only kept."""
        mode: ExecutionMode = self._flags.get("execution-mode", ExecutionMode.PIPELINED)
        return mode

    def set_execution_mode(self, execution_mode: ExecutionMode) -> ExecutionConfig:
        """Only kept."""
        self._flags["execution-mode"] = execution_mode
        return self

    def enable_object_reuse(self) -> ExecutionConfig:
        """Only kept: objects pass between functions by reference in any case."""
        self._flags["object-reuse"] = True
        return self

    def disable_object_reuse(self) -> ExecutionConfig:
        """Only kept: objects pass between functions by reference in any case."""
        self._flags["object-reuse"] = False
        return self

    def is_object_reuse_enabled(self) -> bool:
        """What was set."""
        return bool(self._flags.get("object-reuse", False))

    def enable_auto_generated_uids(self) -> ExecutionConfig:
        """Operators without a uid get one from their place in the job."""
        self._flags["auto-generated-uids"] = True
        return self

    def disable_auto_generated_uids(self) -> ExecutionConfig:
        """Every operator needs a uid of its own; ``execute`` raises ``ConfigurationError`` where one is missing."""
        self._flags["auto-generated-uids"] = False
        return self

    def has_auto_generated_uids_enabled(self) -> bool:
        """Whether operators may go without a uid."""
        return bool(self._flags.get("auto-generated-uids", True))

    def __repr__(self) -> str:
        return f"<ExecutionConfig parallelism {self.get_parallelism()}, max parallelism {self.get_max_parallelism()}>"


#: The largest number of key groups, as in Flink.
MAX_PARALLELISM_LIMIT = 32_768


def checked_parallelism(number: Any, what: str) -> int:
    """A parallelism that can be: a whole number from 1 to 32768. Raises ``TypeError`` or ``ConfigurationError``, saying what was to be set."""
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"the {what} is a whole number, not {number!r}")
    if not 1 <= number <= MAX_PARALLELISM_LIMIT:
        raise ConfigurationError(f"the {what} must be between 1 and {MAX_PARALLELISM_LIMIT}, but is {number}")
    return number
