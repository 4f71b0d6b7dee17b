"""Where the state of a running job lives: in memory, as :class:`HashMapStateBackend` says, or in RocksDB on the local disk.

A backend stands for settings under Flink's keys (``state.backend.type`` and what belongs to it); docs/state-backends.md says which one when.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import TYPE_CHECKING, Any

from millstream._tracebacks import guard
from millstream.datastream.checkpoint_storage import CheckpointStorage, FileSystemCheckpointStorage, JobManagerCheckpointStorage
from millstream.exceptions import ConfigurationError

if TYPE_CHECKING:
    from millstream.common.configuration import Configuration

__all__ = [
    "CustomStateBackend",
    "EmbeddedRocksDBStateBackend",
    "FsStateBackend",
    "HashMapStateBackend",
    "MemoryStateBackend",
    "PredefinedOptions",
    "RocksDBStateBackend",
    "StateBackend",
]

BACKEND_KEY = "state.backend.type"
_INCREMENTAL_KEY = "execution.checkpointing.incremental"
_DIRECTORIES_KEY = "state.backend.rocksdb.localdir"
_OPTIONS_KEY = "state.backend.rocksdb.predefined-options"
_FACTORY_KEY = "state.backend.rocksdb.options-factory"
_THREADS_KEY = "state.backend.rocksdb.checkpoint.transfer.thread.num"
#: All settings that a backend stands for: another backend takes the place of all of them.
BACKEND_KEYS = (BACKEND_KEY, _INCREMENTAL_KEY, _DIRECTORIES_KEY, _OPTIONS_KEY, _FACTORY_KEY, _THREADS_KEY)
_DEFAULT_TRANSFER_THREADS = 4


class PredefinedOptions(Enum):
    """Sets of RocksDB options for kinds of machines.

    >>> [option.name for option in PredefinedOptions]
    ['DEFAULT', 'SPINNING_DISK_OPTIMIZED', 'SPINNING_DISK_OPTIMIZED_HIGH_MEM', 'FLASH_SSD_OPTIMIZED']
    """

    #: RocksDB's own defaults, without syncing to disk.
    DEFAULT = 0
    #: For spinning disks.
    SPINNING_DISK_OPTIMIZED = 1
    #: For spinning disks and much memory.
    SPINNING_DISK_OPTIMIZED_HIGH_MEM = 2
    #: For flash disks.
    FLASH_SSD_OPTIMIZED = 3


class StateBackend(ABC):
    """Where the state of a running job lives.

    >>> isinstance(HashMapStateBackend(), StateBackend)
    True
    """

    @abstractmethod
    def to_configuration(self) -> dict[str, str]:
        """The settings that stand for it, by Flink's keys. Millstream's own."""

    def checkpoint_storage(self) -> CheckpointStorage | None:
        """Where the backend also keeps checkpoints, as those of Flink before 1.13 do; ``None``: where the environment says. Millstream's own."""
        return None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StateBackend) or type(other) is not type(self):
            return False
        return self.to_configuration() == other.to_configuration() and self.checkpoint_storage() == other.checkpoint_storage()

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.to_configuration().items())))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class HashMapStateBackend(StateBackend):
    """Keeps state in memory; the default.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment().set_state_backend(HashMapStateBackend())
    """

    def to_configuration(self) -> dict[str, str]:
        """The settings that stand for it."""
        return {BACKEND_KEY: "hashmap"}


class _RocksDB(StateBackend):
    """What both backends for RocksDB have in common."""

    def __init__(self, enable_incremental_checkpointing: bool | None) -> None:
        if enable_incremental_checkpointing not in (None, True, False):
            raise TypeError(f"enable_incremental_checkpointing is None, True or False, not {enable_incremental_checkpointing!r}")
        self._incremental = enable_incremental_checkpointing
        self._paths: list[str] = []
        self._options = PredefinedOptions.DEFAULT
        self._factory: str | None = None
        self._threads: int | None = None

    def set_db_storage_paths(self, *paths: str) -> None:
        """Sets the local directories of the database; without paths, the environment's temporary ones.

        Raises ``ConfigurationError`` for relative paths and other machines'.
        """
        self._paths = [_local_path(path) for path in paths]

    def get_db_storage_paths(self) -> list[str]:
        """The local directories of the database; none: the environment's temporary ones."""
        return list(self._paths)

    def is_incremental_checkpoints_enabled(self) -> bool:
        """Whether a checkpoint holds only what has changed since the last."""
        return bool(self._incremental)

    def set_predefined_options(self, options: PredefinedOptions) -> None:
        """Sets the RocksDB options by kind of machine."""
        if not isinstance(options, PredefinedOptions):
            raise TypeError(f"a PredefinedOptions is needed, not {options!r}")
        self._options = options

    def get_predefined_options(self) -> PredefinedOptions:
        """The RocksDB options by kind of machine: DEFAULT unless set."""
        return self._options

    def set_options(self, options_factory_class_name: str) -> None:
        """Keeps the name of a Java class that makes RocksDB options; it has no effect."""
        from millstream.notices import without_jvm

        without_jvm("a factory of RocksDB options")
        self._factory = str(options_factory_class_name)

    def get_options(self) -> str | None:
        """The name that :meth:`set_options` was given, or ``None``."""
        return self._factory

    def to_configuration(self) -> dict[str, str]:
        """The settings that stand for it."""
        found = {BACKEND_KEY: "rocksdb"}
        if self._incremental is not None:
            found[_INCREMENTAL_KEY] = "true" if self._incremental else "false"
        if self._paths:
            found[_DIRECTORIES_KEY] = ",".join(self._paths)
        if self._options is not PredefinedOptions.DEFAULT:
            found[_OPTIONS_KEY] = self._options.name
        if self._factory is not None:
            found[_FACTORY_KEY] = self._factory
        if self._threads is not None:
            found[_THREADS_KEY] = str(self._threads)
        return found

    def _transfer_threads(self) -> int:
        return _DEFAULT_TRANSFER_THREADS if self._threads is None else self._threads

    def _set_transfer_threads(self, number: int) -> None:
        if isinstance(number, bool) or not isinstance(number, int):
            raise TypeError(f"the number of threads is a whole number, not {number!r}")
        if number <= 0:
            raise ConfigurationError(f"the number of threads must be positive, but is {number}")
        self._threads = number


class EmbeddedRocksDBStateBackend(_RocksDB):
    """Keeps state in RocksDB on the local disk, for state larger than memory; the keys that were met lately are in memory (docs/state-backends.md).

    >>> backend = EmbeddedRocksDBStateBackend(enable_incremental_checkpointing=True)
    >>> backend.set_db_storage_paths("file:///mnt/fast/state")
    >>> backend.get_db_storage_paths(), backend.is_incremental_checkpoints_enabled(), backend.get_number_of_transfer_threads()
    (['/mnt/fast/state'], True, 4)
    """

    def __init__(self, enable_incremental_checkpointing: bool | None = None) -> None:
        """``None``: as the environment's ``execution.checkpointing.incremental`` says."""
        super().__init__(enable_incremental_checkpointing)

    def get_number_of_transfer_threads(self) -> int:
        """How many threads copy files of a checkpoint: 4 unless set."""
        return self._transfer_threads()

    def set_number_of_transfer_threads(self, number_of_transfering_threads: int) -> None:
        """Sets how many threads copy files of a checkpoint. Raises ``ConfigurationError`` unless it is positive."""
        self._set_transfer_threads(number_of_transfering_threads)


class CustomStateBackend(StateBackend):
    """A backend of one's own, by the name of its factory. In PyFlink it is a Java class: here it is only kept.

    >>> isinstance(CustomStateBackend(None), StateBackend)
    True
    """

    def __init__(self, j_custom_state_backend: Any) -> None:
        from millstream.notices import without_jvm

        self._factory = j_custom_state_backend
        without_jvm("CustomStateBackend")

    def to_configuration(self) -> dict[str, str]:
        """The settings that stand for it."""
        return {BACKEND_KEY: str(self._factory)}


# ---- As Flink up to 1.17 had them: backend and checkpoint storage in one ---------------------------------------------------------------------


class MemoryStateBackend(StateBackend):
    """A :class:`HashMapStateBackend` with a :class:`JobManagerCheckpointStorage`, as older scripts write it.

    >>> isinstance(MemoryStateBackend(), StateBackend)
    True
    """

    #: The largest size of a state unless set, in bytes.
    DEFAULT_MAX_STATE_SIZE = 5 * 1024 * 1024

    def __init__(
        self,
        checkpoint_path: str | None = None,
        savepoint_path: str | None = None,
        max_state_size: int | None = None,
        using_asynchronous_snapshots: bool | None = None,
    ) -> None:
        self._storage = JobManagerCheckpointStorage(checkpoint_path, max_state_size)
        self._savepoint_path = savepoint_path
        self._asynchronous = using_asynchronous_snapshots is not False

    def get_max_state_size(self) -> int:
        """The largest size of one state, in bytes."""
        return self._storage.get_max_state_size()

    def is_using_asynchronous_snapshots(self) -> bool:
        """Whether a checkpoint is written while the job goes on: true unless set."""
        return self._asynchronous

    def checkpoint_storage(self) -> CheckpointStorage:
        """Where checkpoints are kept."""
        return self._storage

    def to_configuration(self) -> dict[str, str]:
        """The settings that stand for it, without the storage's."""
        return {BACKEND_KEY: "hashmap"}


class FsStateBackend(StateBackend):
    """A :class:`HashMapStateBackend` with a :class:`FileSystemCheckpointStorage`, as older scripts write it.

    >>> FsStateBackend("file:///var/checkpoints").get_checkpoint_path()
    'file:/var/checkpoints'
    """

    def __init__(
        self,
        checkpoint_directory_uri: str | None = None,
        default_savepoint_directory_uri: str | None = None,
        file_state_size_threshold: int | None = None,
        write_buffer_size: int | None = None,
        using_asynchronous_snapshots: bool | None = None,
    ) -> None:
        if checkpoint_directory_uri is None:
            raise ValueError("checkpoint_directory_uri must not be None")
        self._storage = FileSystemCheckpointStorage(
            checkpoint_directory_uri, file_state_size_threshold, -1 if write_buffer_size is None else write_buffer_size
        )
        self._savepoint_path = default_savepoint_directory_uri
        self._asynchronous = using_asynchronous_snapshots is not False

    def get_checkpoint_path(self) -> str:
        """The directory of the checkpoints."""
        return self._storage.get_checkpoint_path()

    def get_min_file_size_threshold(self) -> int:
        """How small state must be to go into the metadata, in bytes: 20480 unless set."""
        return self._storage.get_min_file_size_threshold()

    def get_write_buffer_size(self) -> int:
        """How much is gathered before it is written, in bytes: 4096 unless set."""
        return self._storage.get_write_buffer_size()

    def is_using_asynchronous_snapshots(self) -> bool:
        """Whether a checkpoint is written while the job goes on: true unless set."""
        return self._asynchronous

    def checkpoint_storage(self) -> CheckpointStorage:
        """Where checkpoints are kept."""
        return self._storage

    def to_configuration(self) -> dict[str, str]:
        """The settings that stand for it, without the storage's."""
        return {BACKEND_KEY: "hashmap"}


class RocksDBStateBackend(_RocksDB):
    """An :class:`EmbeddedRocksDBStateBackend` with a checkpoint storage, as older scripts write it.

    >>> isinstance(RocksDBStateBackend("file:///tmp/checkpoints"), StateBackend)
    True
    """

    def __init__(
        self,
        checkpoint_data_uri: str | None = None,
        enable_incremental_checkpointing: bool | None = None,
        checkpoint_stream_backend: StateBackend | None = None,
    ) -> None:
        """The storage is that of ``checkpoint_stream_backend``, or files below ``checkpoint_data_uri``. Raises ``ValueError`` if both are missing."""
        super().__init__(enable_incremental_checkpointing)
        if checkpoint_stream_backend is None:
            if checkpoint_data_uri is None:
                raise ValueError("checkpoint_data_uri must not be None without a checkpoint_stream_backend")
            checkpoint_stream_backend = FsStateBackend(checkpoint_data_uri)
        self._checkpoint_backend = checkpoint_stream_backend

    def get_checkpoint_backend(self) -> StateBackend:
        """The backend whose storage the checkpoints go to."""
        return self._checkpoint_backend

    def get_number_of_transfering_threads(self) -> int:
        """How many threads copy files of a checkpoint: 4 unless set."""
        return self._transfer_threads()

    def set_number_of_transfering_threads(self, number_of_transfering_threads: int) -> None:
        """Sets how many threads copy files of a checkpoint. Raises ``ConfigurationError`` unless it is positive."""
        self._set_transfer_threads(number_of_transfering_threads)

    def checkpoint_storage(self) -> CheckpointStorage | None:
        """Where checkpoints are kept."""
        return self._checkpoint_backend.checkpoint_storage()


def state_backend_from(configuration: Configuration) -> StateBackend | None:
    """The backend that the settings stand for; ``None`` if they name none."""
    settings = configuration.to_dict()
    kind = settings.get(BACKEND_KEY, settings.get("state.backend"))
    if kind is None:
        return None
    if kind.lower() in ("hashmap", "jobmanager", "filesystem"):
        return HashMapStateBackend()
    if kind.lower() != "rocksdb":
        return CustomStateBackend(kind)
    backend = EmbeddedRocksDBStateBackend(configuration.get_boolean(_INCREMENTAL_KEY))
    backend.set_db_storage_paths(*(path for path in settings.get(_DIRECTORIES_KEY, "").split(",") if path))
    backend.set_predefined_options(PredefinedOptions[settings.get(_OPTIONS_KEY, "DEFAULT")])
    if _FACTORY_KEY in settings:
        backend.set_options(settings[_FACTORY_KEY])
    if _THREADS_KEY in settings:
        backend.set_number_of_transfer_threads(int(settings[_THREADS_KEY]))
    return backend


def _local_path(path: str) -> str:
    found = "/" + path.removeprefix("file:").lstrip("/") if path.startswith("file:") else path
    if "://" in found:
        raise ConfigurationError(f"RocksDB keeps its files on a local disk, not at {path!r}")
    if not found.startswith("/"):
        raise ConfigurationError(f"a path of RocksDB's files must be absolute, not {path!r}")
    return found


guard(globals())
