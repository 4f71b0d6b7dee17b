"""What holds for a whole job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from millstream._tracebacks import guard
from millstream.common.configuration import map_text, parse_map
from millstream.common.execution_mode import ExecutionMode
from millstream.common.input_dependency_constraint import InputDependencyConstraint
from millstream.common.restart_strategy import RESTART_KEYS, RestartStrategyConfiguration, restart_strategy_from
from millstream.common.time import milliseconds_in
from millstream.exceptions import ConfigurationError
from millstream.notices import say_once, without_jvm

if TYPE_CHECKING:
    from millstream.common.configuration import Configuration

__all__ = ["ExecutionConfig"]


class ExecutionConfig:
    """A view of an environment's settings: parallelism, watermark interval, parameters for functions, and a few that are only kept.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> config = StreamExecutionEnvironment.get_execution_environment().get_config()
    >>> config.set_parallelism(2).set_auto_watermark_interval(1_000).get_auto_watermark_interval()
    1000
    """

    #: Stands for "the environment's parallelism".
    PARALLELISM_DEFAULT = -1
    #: Stands for "not known yet".
    PARALLELISM_UNKNOWN = -2

    def __init__(self, configuration: Configuration | None = None) -> None:
        from millstream.common.configuration import Configuration

        self._configuration = configuration if configuration is not None else Configuration()
        # What Flink has no key for.
        self._execution_mode = ExecutionMode.PIPELINED
        self._input_dependency_constraint = InputDependencyConstraint.ANY

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

        In Flink this is time by the clock; here results do not depend on how fast a job runs. 0: after every row that advances it; in Flink 0 turns
        periodic watermarks off. Raises ``ConfigurationError`` if the interval is negative or no whole number.
        """
        if isinstance(interval, bool) or not isinstance(interval, int) or interval < 0:
            raise ConfigurationError(f"the watermark interval is a number of milliseconds, not {interval!r}")
        self._configuration.set_string("pipeline.auto-watermark-interval", f"{int(interval)} ms")
        return self

    def get_global_job_parameters(self) -> dict[str, str]:
        """Parameters that functions read with ``RuntimeContext.get_job_parameter``."""
        return parse_map(self._configuration.get_string("pipeline.global-job-parameters") or "")

    def set_global_job_parameters(self, global_job_parameters_dict: Mapping[str, str]) -> ExecutionConfig:
        """Sets the parameters that functions read with ``RuntimeContext.get_job_parameter``."""
        return self._set("pipeline.global-job-parameters", map_text({str(key): str(value) for key, value in global_job_parameters_dict.items()}))

    # ---- Failures and cancelling ----

    def get_restart_strategy(self) -> RestartStrategyConfiguration:
        """What happens after a failure: whatever the environment is configured to do, unless set."""
        return restart_strategy_from(self._configuration)

    def set_restart_strategy(self, restart_strategy_configuration: RestartStrategyConfiguration) -> ExecutionConfig:
        """Sets what happens after a failure: a job that restarts goes on from its last checkpoint, or begins anew."""
        if not isinstance(restart_strategy_configuration, RestartStrategyConfiguration):
            raise TypeError(f"a strategy of RestartStrategies is needed, not {restart_strategy_configuration!r}")
        for key in RESTART_KEYS:
            self._configuration.remove_config(key)
        settings = restart_strategy_configuration.to_configuration()
        for key, value in settings.items():
            self._configuration.set_string(key, value)
        return self

    def get_task_cancellation_interval(self) -> int:
        """How long a cluster waits before it interrupts a cancelled task again, in milliseconds: 30,000 unless set."""
        return self._millis("task.cancellation.interval", 30_000)

    def set_task_cancellation_interval(self, interval: int) -> ExecutionConfig:
        """Only kept: a subtask here ends between two batches and is not interrupted. Raises ``ConfigurationError`` for a negative number."""
        return self._set_millis("task.cancellation.interval", interval, "task cancellation interval")

    def get_task_cancellation_timeout(self) -> int:
        """After how long a cluster ends a machine whose task does not end, in milliseconds: 180,000 unless set."""
        return self._millis("task.cancellation.timeout", 180_000)

    def set_task_cancellation_timeout(self, timeout: int) -> ExecutionConfig:
        """Only kept: nobody ends your process. Raises ``ConfigurationError`` for a negative number."""
        return self._set_millis("task.cancellation.timeout", timeout, "task cancellation timeout")

    # ---- What is only kept ----

    def get_execution_mode(self) -> ExecutionMode:
        """What was set: PIPELINED unless set."""
        return self._execution_mode

    def set_execution_mode(self, execution_mode: ExecutionMode) -> ExecutionConfig:
        """Only kept: ``env.set_runtime_mode`` chooses between streaming and batch."""
        if not isinstance(execution_mode, ExecutionMode):
            raise TypeError(f"an ExecutionMode is needed, not {execution_mode!r}")
        self._execution_mode = execution_mode
        return self

    def get_default_input_dependency_constraint(self) -> InputDependencyConstraint:
        """What was set: ANY unless set."""
        return self._input_dependency_constraint

    def set_default_input_dependency_constraint(self, input_dependency_constraint: InputDependencyConstraint) -> ExecutionConfig:
        """Only kept: a task runs as soon as it has input."""
        if not isinstance(input_dependency_constraint, InputDependencyConstraint):
            raise TypeError(f"an InputDependencyConstraint is needed, not {input_dependency_constraint!r}")
        self._input_dependency_constraint = input_dependency_constraint
        return self

    def get_latency_tracking_interval(self) -> int:
        """How far apart latency markers are, in milliseconds: 0, none, unless set."""
        return self._millis("metrics.latency.interval", 0)

    def set_latency_tracking_interval(self, interval: int) -> ExecutionConfig:
        """Only kept: there are no latency markers. Raises ``ConfigurationError`` for a negative number."""
        say_once("set_latency_tracking_interval", "is kept without effect: there are no latency markers")
        return self._set_millis("metrics.latency.interval", interval, "latency tracking interval")

    def is_use_snapshot_compression(self) -> bool:
        """Whether checkpoints are compressed: false unless set."""
        return self._flag("execution.checkpointing.snapshot-compression", False)

    def set_use_snapshot_compression(self, use_snapshot_compression: bool) -> ExecutionConfig:
        """Sets whether checkpoints are compressed, with LZ4. The setting ``millstream.checkpoints.compression`` (none, lz4, zstd) goes before it."""
        return self._set_flag("execution.checkpointing.snapshot-compression", use_snapshot_compression)

    def enable_object_reuse(self) -> ExecutionConfig:
        """Only kept: objects pass between functions by reference in any case."""
        return self._set_flag("pipeline.object-reuse", True)

    def disable_object_reuse(self) -> ExecutionConfig:
        """Only kept: objects pass between functions by reference in any case."""
        return self._set_flag("pipeline.object-reuse", False)

    def is_object_reuse_enabled(self) -> bool:
        """What was set: false unless set."""
        return self._flag("pipeline.object-reuse", False)

    def enable_auto_generated_uids(self) -> ExecutionConfig:
        """Operators without a uid get one from their place in the job."""
        return self._set_flag("pipeline.auto-generate-uids", True)

    def disable_auto_generated_uids(self) -> ExecutionConfig:
        """Every operator needs a uid of its own; ``execute`` raises ``ConfigurationError`` where one is missing."""
        return self._set_flag("pipeline.auto-generate-uids", False)

    def has_auto_generated_uids_enabled(self) -> bool:
        """Whether operators may go without a uid: true unless set."""
        return self._flag("pipeline.auto-generate-uids", True)

    # ---- For the JVM: kept without effect ----

    def enable_closure_cleaner(self) -> ExecutionConfig:
        """Only kept: Python functions need no cleaning."""
        return self._set("pipeline.closure-cleaner-level", "RECURSIVE")

    def disable_closure_cleaner(self) -> ExecutionConfig:
        """Only kept: Python functions need no cleaning."""
        return self._set("pipeline.closure-cleaner-level", "NONE")

    def is_closure_cleaner_enabled(self) -> bool:
        """What was set: true unless set."""
        return (self._configuration.get_string("pipeline.closure-cleaner-level") or "RECURSIVE").upper() != "NONE"

    def enable_force_kryo(self) -> ExecutionConfig:
        """Only kept: nothing is serialized with Kryo."""
        without_jvm("enable_force_kryo")
        return self._set_flag("pipeline.force-kryo", True)

    def disable_force_kryo(self) -> ExecutionConfig:
        """Only kept."""
        return self._set_flag("pipeline.force-kryo", False)

    def is_force_kryo_enabled(self) -> bool:
        """What was set: false unless set."""
        return self._flag("pipeline.force-kryo", False)

    def enable_generic_types(self) -> ExecutionConfig:
        """Only kept: Python objects without a declared type are always allowed."""
        return self._set_flag("pipeline.generic-types", True)

    def disable_generic_types(self) -> ExecutionConfig:
        """Only kept: Python objects without a declared type are always allowed."""
        without_jvm("disable_generic_types")
        return self._set_flag("pipeline.generic-types", False)

    def has_generic_types_disabled(self) -> bool:
        """What was set: false unless set."""
        return not self._flag("pipeline.generic-types", True)

    def enable_auto_type_registration(self) -> ExecutionConfig:
        """Only kept."""
        return self._set_flag("pipeline.auto-type-registration", True)

    def disable_auto_type_registration(self) -> ExecutionConfig:
        """Only kept."""
        without_jvm("disable_auto_type_registration")
        return self._set_flag("pipeline.auto-type-registration", False)

    def is_auto_type_registration_disabled(self) -> bool:
        """What was set: false unless set."""
        return not self._flag("pipeline.auto-type-registration", True)

    def enable_force_avro(self) -> ExecutionConfig:
        """Only kept: nothing is serialized with Avro between operators."""
        without_jvm("enable_force_avro")
        return self._set_flag("pipeline.force-avro", True)

    def disable_force_avro(self) -> ExecutionConfig:
        """Only kept."""
        return self._set_flag("pipeline.force-avro", False)

    def is_force_avro_enabled(self) -> bool:
        """What was set: false unless set."""
        return self._flag("pipeline.force-avro", False)

    def add_default_kryo_serializer(self, type_class_name: str, serializer_class_name: str) -> ExecutionConfig:
        """Keeps names of Java classes."""
        without_jvm("add_default_kryo_serializer")
        return self._add_pair("pipeline.default-kryo-serializers", type_class_name, serializer_class_name)

    def get_default_kryo_serializer_classes(self) -> dict[str, str]:
        """The names given to :meth:`add_default_kryo_serializer`: serializers by type."""
        return parse_map(self._configuration.get_string("pipeline.default-kryo-serializers") or "")

    def register_type_with_kryo_serializer(self, type_class_name: str, serializer_class_name: str) -> ExecutionConfig:
        """Keeps names of Java classes."""
        without_jvm("register_type_with_kryo_serializer")
        return self._add_pair("pipeline.registered-kryo-serializers", type_class_name, serializer_class_name)

    def get_registered_types_with_kryo_serializer_classes(self) -> dict[str, str]:
        """The names given to :meth:`register_type_with_kryo_serializer`: serializers by type."""
        return parse_map(self._configuration.get_string("pipeline.registered-kryo-serializers") or "")

    def register_pojo_type(self, type_class_name: str) -> ExecutionConfig:
        """Keeps the name of a Java class."""
        without_jvm("register_pojo_type")
        return self._add_name("pipeline.registered-pojo-types", type_class_name)

    def get_registered_pojo_types(self) -> list[str]:
        """The names given to :meth:`register_pojo_type`."""
        return self._names("pipeline.registered-pojo-types")

    def register_kryo_type(self, type_class_name: str) -> ExecutionConfig:
        """Keeps the name of a Java class."""
        without_jvm("register_kryo_type")
        return self._add_name("pipeline.registered-kryo-types", type_class_name)

    def get_registered_kryo_types(self) -> list[str]:
        """The names given to :meth:`register_kryo_type`."""
        return self._names("pipeline.registered-kryo-types")

    # ---- Inside ----

    def _set(self, key: str, value: str) -> ExecutionConfig:
        self._configuration.set_string(key, value)
        return self

    def _flag(self, key: str, default: bool) -> bool:
        return bool(self._configuration.get_boolean(key, default))

    def _set_flag(self, key: str, value: bool) -> ExecutionConfig:
        if not isinstance(value, bool):
            raise TypeError(f"{key} is true or false, not {value!r}")
        self._configuration.set_boolean(key, value)
        return self

    def _millis(self, key: str, default: int) -> int:
        return milliseconds_in(self._configuration.get_string(key) or f"{default} ms")

    def _set_millis(self, key: str, value: int, what: str) -> ExecutionConfig:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"the {what} is a whole number of milliseconds, not {value!r}")
        if value < 0:
            raise ConfigurationError(f"the {what} must not be negative, but is {value} ms")
        return self._set(key, f"{value} ms")

    def _names(self, key: str) -> list[str]:
        from millstream.common.configuration import Configuration

        return Configuration.parse_list_value(self._configuration.get_string(key) or "")

    def _add_name(self, key: str, name: str) -> ExecutionConfig:
        names = self._names(key)
        return self if name in names else self._set(key, ";".join([*names, str(name)]))

    def _add_pair(self, key: str, name: str, value: str) -> ExecutionConfig:
        return self._set(key, map_text({**parse_map(self._configuration.get_string(key) or ""), str(name): str(value)}))

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


guard(globals())
