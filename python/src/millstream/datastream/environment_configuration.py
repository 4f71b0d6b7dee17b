"""The part of an environment that is configuration: checkpoints, state backend, time, files and libraries for functions.

Everything is kept in the environment's :class:`Configuration` under Flink's keys, and each getter gives what the setter took. What is for the JVM, or
for a feature that this release does not have, says so once in the log.
"""

from __future__ import annotations

import os
import sys
from typing import Self

from millstream._tracebacks import guard
from millstream.common.configuration import Configuration, map_text, parse_map
from millstream.common.execution_config import ExecutionConfig, checked_parallelism
from millstream.datastream.checkpoint_config import CheckpointConfig
from millstream.datastream.checkpointing_mode import CheckpointingMode
from millstream.datastream.state_backend import BACKEND_KEYS, StateBackend, state_backend_from
from millstream.datastream.time_characteristic import TimeCharacteristic
from millstream.exceptions import ConfigurationError, InputOutputError
from millstream.notices import say_once, without_jvm

_CACHED_FILES_KEY = "pipeline.cached-files"
_CHANGELOG_KEY = "state.changelog.enabled"
_SAVEPOINTS_KEY = "execution.checkpointing.savepoint-dir"
_TIME_KEY = "pipeline.time-characteristic"


class EnvironmentConfiguration:
    """Settings of a :class:`StreamExecutionEnvironment` that describe no stream."""

    _configuration: Configuration
    _config: ExecutionConfig
    _checkpoint_config: CheckpointConfig
    _state_backend: StateBackend | None = None
    #: As in Flink, for all environments made later; None: as the configuration says.
    _default_local_parallelism: int | None = None

    # ---- Checkpoints ----

    def enable_checkpointing(self, interval: int, mode: CheckpointingMode | None = None) -> Self:
        """Begins a checkpoint every ``interval`` milliseconds (docs/checkpoints.md). In BATCH mode there are none, as in Flink.

        Raises ``ConfigurationError`` for an interval below 10.
        """
        self._checkpoint_config.set_checkpoint_interval(interval)
        if mode is not None:
            self._checkpoint_config.set_checkpointing_mode(mode)
        return self

    def get_checkpoint_config(self) -> CheckpointConfig:
        """The settings for checkpoints: a view, whose setters change the environment."""
        return self._checkpoint_config

    def get_checkpoint_interval(self) -> int:
        """How far apart checkpoints begin, in milliseconds; -1: there are none."""
        return self._checkpoint_config.get_checkpoint_interval()

    def get_checkpointing_mode(self) -> CheckpointingMode:
        """What a checkpoint promises; AT_LEAST_ONCE as long as checkpoints are off."""
        return self._checkpoint_config.get_checkpointing_mode()

    def get_checkpointing_consistency_mode(self) -> CheckpointingMode:
        """:meth:`get_checkpointing_mode` by its newer name."""
        return self._checkpoint_config.get_checkpointing_mode()

    def is_unaligned_checkpoints_enabled(self) -> bool:
        """Whether barriers overtake rows under backpressure."""
        return self._checkpoint_config.is_unaligned_checkpoints_enabled()

    def is_force_unaligned_checkpoints(self) -> bool:
        """What was set: nothing forbids unaligned checkpoints here."""
        return self._checkpoint_config.is_force_unaligned_checkpoints()

    # ---- State ----

    def set_state_backend(self, state_backend: StateBackend) -> Self:
        """Sets where state lives: in memory, or with :class:`EmbeddedRocksDBStateBackend` on the local disk (docs/state-backends.md).

        >>> from millstream.datastream import HashMapStateBackend, StreamExecutionEnvironment
        >>> env = StreamExecutionEnvironment.get_execution_environment()
        >>> env.set_state_backend(HashMapStateBackend()).get_state_backend()
        HashMapStateBackend()
        """
        if not isinstance(state_backend, StateBackend):
            raise TypeError(f"a StateBackend is needed, e.g. HashMapStateBackend(), not {state_backend!r}")
        for key in BACKEND_KEYS:
            self._configuration.remove_config(key)
        for key, value in state_backend.to_configuration().items():
            self._configuration.set_string(key, value)
        storage = state_backend.checkpoint_storage()
        if storage is not None:
            self._checkpoint_config.set_checkpoint_storage(storage)
        self._state_backend = state_backend
        return self

    def get_state_backend(self) -> StateBackend | None:
        """Where state lives: what was set, or what the configuration names; ``None``: the default, :class:`HashMapStateBackend`."""
        found = state_backend_from(self._configuration)
        kept = self._state_backend
        if kept is None or found is None or kept.to_configuration().get(BACKEND_KEYS[0]) != found.to_configuration().get(BACKEND_KEYS[0]):
            self._state_backend = kept = found
        return kept

    def enable_changelog_state_backend(self, enabled: bool) -> Self:
        """Keeps whether changes of state shall be logged between checkpoints. There is no log: incremental checkpoints of RocksDB serve its end."""
        if enabled:
            say_once("the changelog state backend", "is kept, and has no effect: RocksDB's incremental checkpoints write what has changed")
        self._configuration.set_boolean(_CHANGELOG_KEY, enabled)
        return self

    def is_changelog_state_backend_enabled(self) -> bool | None:
        """What was set, or ``None``."""
        return self._configuration.get_boolean(_CHANGELOG_KEY)

    def set_default_savepoint_directory(self, directory: str) -> Self:
        """Sets where savepoints go unless their call says otherwise."""
        self._configuration.set_string(_SAVEPOINTS_KEY, directory)
        return self

    def get_default_savepoint_directory(self) -> str | None:
        """Where savepoints go, or ``None``."""
        return self._configuration.get_string(_SAVEPOINTS_KEY)

    # ---- Time ----

    def set_stream_time_characteristic(self, characteristic: TimeCharacteristic) -> Self:
        """Keeps the kind of time of older scripts, and sets the watermark interval to 200 ms, or to 0 for processing time, as Flink did.

        What an operator goes by, its window assigner or timer says.
        """
        if not isinstance(characteristic, TimeCharacteristic):
            raise TypeError(f"a TimeCharacteristic is needed, not {characteristic!r}")
        self._configuration.set_string(_TIME_KEY, characteristic.name)
        self._config.set_auto_watermark_interval(0 if characteristic is TimeCharacteristic.ProcessingTime else 200)
        return self

    def get_stream_time_characteristic(self) -> TimeCharacteristic:
        """The kind of time that was set: EventTime unless set."""
        return TimeCharacteristic[self._configuration.get_string(_TIME_KEY) or "EventTime"]

    # ---- Parallelism and chaining ----

    def set_default_local_parallelism(self, parallelism: int) -> None:
        """Sets the parallelism of environments made later, in this process, whose configuration names none."""
        EnvironmentConfiguration._default_local_parallelism = checked_parallelism(parallelism, "default local parallelism")

    def get_default_local_parallelism(self) -> int:
        """The parallelism of environments made later, unless set: 1."""
        return EnvironmentConfiguration._default_local_parallelism or 1

    def is_chaining_of_operators_with_different_max_parallelism_enabled(self) -> bool:
        """Whether operators with different max parallelisms may be chained: true unless the configuration says otherwise."""
        return bool(self._configuration.get_boolean("pipeline.operator-chaining.chain-operators-with-different-max-parallelism", True))

    # ---- Files and libraries ----

    def register_cached_file(self, file_path: str | os.PathLike[str], name: str, executable: bool = False) -> None:
        """Gives a local file or directory a name, by which functions find it with ``RuntimeContext.get_distributed_cache().get_file(name)``.

        It is not copied: functions run on this machine. ``executable`` makes the file executable. Raises ``ConfigurationError`` for a name that is
        taken by another path, and ``InputOutputError`` if there is no such file.

        >>> import tempfile
        >>> from millstream.datastream import MapFunction, StreamExecutionEnvironment
        >>> class Greet(MapFunction):
        ...     def open(self, runtime_context):
        ...         with open(runtime_context.get_distributed_cache().get_file("greeting")) as file:
        ...             self.greeting = file.read()
        ...     def map(self, value):
        ...         return f"{self.greeting} {value}"
        >>> with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        ...     _ = file.write("hello"), file.flush()
        ...     env = StreamExecutionEnvironment.get_execution_environment()
        ...     env.register_cached_file(file.name, "greeting")
        ...     list(env.from_collection(["you"]).map(Greet()).execute_and_collect())
        ['hello you']
        """
        file_path = os.fspath(file_path)
        if not isinstance(file_path, str) or not isinstance(name, str):
            raise TypeError(f"a cached file has a path and a name, which are texts, not {file_path!r} and {name!r}")
        path = "/" + file_path.removeprefix("file:").lstrip("/") if file_path.startswith("file:") else file_path
        if "://" in path:
            raise ConfigurationError(f"only local files can be cached, not {file_path!r}")
        if not os.path.exists(path):
            raise InputOutputError(f"there is no file {path!r} to be cached as {name!r}")
        known = self.cached_files()
        if known.get(name, path) != path:
            raise ConfigurationError(f"cache file {name!r} is {known[name]!r} already, and cannot be {path!r} too")
        if executable and not os.access(path, os.X_OK):
            os.chmod(path, os.stat(path).st_mode | 0o111)
        known[name] = path
        entries = [map_text({"name": name, "path": path}) for name, path in known.items()]
        self._configuration.set_string(_CACHED_FILES_KEY, ";".join(entries))

    def cached_files(self) -> dict[str, str]:
        """The paths of the cached files by name. Millstream's own."""
        text = self._configuration.get_string(_CACHED_FILES_KEY) or ""
        entries = [parse_map(entry) for entry in text.split(";") if entry]
        return {entry["name"]: entry["path"] for entry in entries}

    def add_python_file(self, file_path: str) -> None:
        """Makes a Python file, package or archive importable, in this process: functions run in it. Raises ``InputOutputError`` if there is none."""
        path = os.path.abspath(file_path)
        if not os.path.exists(path):
            raise InputOutputError(f"there is no Python file {path!r}")
        self._append("python.files", path)
        folder = os.path.dirname(path) if path.endswith(".py") else path
        if folder not in sys.path:
            sys.path.append(folder)

    def set_python_requirements(self, requirements_file_path: str, requirements_cache_dir: str | None = None) -> None:
        """Only kept: functions run in this process, with the packages that it has."""
        say_once("set_python_requirements", "has no effect: functions run in this process, with the packages that it has")
        value = requirements_file_path if requirements_cache_dir is None else f"{requirements_file_path}#{requirements_cache_dir}"
        self._configuration.set_string("python.requirements", value)

    def add_python_archive(self, archive_path: str, target_dir: str | None = None) -> None:
        """Only kept: functions run in this process, in its working directory; they can open the archive themselves."""
        say_once("add_python_archive", "has no effect: functions run in this process, in its working directory")
        self._append("python.archives", archive_path if target_dir is None else f"{archive_path}#{target_dir}")

    def set_python_executable(self, python_exec: str) -> None:
        """Only kept: functions run in this process."""
        say_once("set_python_executable", "has no effect: functions run in this process")
        self._configuration.set_string("python.executable", python_exec)

    # ---- For the JVM: kept without effect ----

    def add_jars(self, *jars_path: str) -> None:
        """Keeps paths of Java libraries."""
        without_jvm("add_jars")
        for path in jars_path:
            self._append("pipeline.jars", path, ";")

    def add_classpaths(self, *classpaths: str) -> None:
        """Keeps paths of Java classes."""
        without_jvm("add_classpaths")
        for path in classpaths:
            self._append("pipeline.classpaths", path, ";")

    def add_default_kryo_serializer(self, type_class_name: str, serializer_class_name: str) -> None:
        """Keeps names of Java classes."""
        self._config.add_default_kryo_serializer(type_class_name, serializer_class_name)

    def register_type_with_kryo_serializer(self, type_class_name: str, serializer_class_name: str) -> None:
        """Keeps names of Java classes."""
        self._config.register_type_with_kryo_serializer(type_class_name, serializer_class_name)

    def register_type(self, type_class_name: type | str) -> None:
        """Allows objects of a class in checkpoints: a class, or its import path. It holds for the whole process.

        States without a type keep Python objects. Those of Python's and Millstream's own data types are restored in any case, those of other classes
        only if the program says so here or in the setting ``state.pickle.allowed``: import paths with ``;`` between them, ``shop.*`` for all of a
        module. ``"*"`` allows everything, also code that somebody has put into the checkpoint.
        """
        from millstream.pickled_values import allow

        allow(type_class_name)
        path = type_class_name if isinstance(type_class_name, str) else f"{type_class_name.__module__}.{type_class_name.__qualname__}"
        self._config._add_name("pipeline.registered-pojo-types", path)

    # ---- Inside ----

    def _append(self, key: str, value: str, separator: str = ",") -> None:
        known = self._configuration.get_string(key)
        self._configuration.set_string(key, value if known is None else f"{known}{separator}{value}")


guard(globals())
