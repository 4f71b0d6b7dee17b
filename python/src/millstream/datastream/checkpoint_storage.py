"""Where checkpoints are kept.

A storage is configuration, under Flink's keys. Which sizes go into the metadata, and how much is gathered before it is written, is kept without
effect.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from millstream._tracebacks import guard
from millstream.exceptions import ConfigurationError

if TYPE_CHECKING:
    from millstream.common.configuration import Configuration

__all__ = ["CheckpointStorage", "CustomCheckpointStorage", "FileSystemCheckpointStorage", "JobManagerCheckpointStorage"]

STORAGE_KEY = "execution.checkpointing.storage"
DIRECTORY_KEY = "execution.checkpointing.dir"
INLINE_KEY = "execution.checkpointing.data-inline-threshold"
WRITE_BUFFER_KEY = "execution.checkpointing.write-buffer-size"
_DEFAULT_INLINE_BYTES = 20 << 10
_DEFAULT_WRITE_BUFFER_BYTES = 4_096


class CheckpointStorage(ABC):
    """Where checkpoints are kept: in the process's memory or in files.

    >>> from millstream.datastream import JobManagerCheckpointStorage
    >>> isinstance(JobManagerCheckpointStorage(), CheckpointStorage)
    True
    """

    @abstractmethod
    def to_configuration(self) -> dict[str, str]:
        """The settings that stand for it, by Flink's keys. Millstream's own."""

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.to_configuration() == other.to_configuration()

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.to_configuration().items())))


class JobManagerCheckpointStorage(CheckpointStorage):
    """Keeps checkpoints in memory: for tests and for little state, at most ``max_state_size`` bytes per state. They end with the process.

    >>> JobManagerCheckpointStorage().get_max_state_size()
    5242880
    """

    #: The largest size of a state unless set, in bytes.
    DEFAULT_MAX_STATE_SIZE = 5 * 1024 * 1024

    def __init__(self, checkpoint_path: str | None = None, max_state_size: int | None = None) -> None:
        """``checkpoint_path`` is where the metadata goes, if anywhere. Raises ``ConfigurationError`` unless ``max_state_size`` is positive."""
        self._path = None if checkpoint_path is None else checked_checkpoint_path(checkpoint_path)
        self._max_state_size = self.DEFAULT_MAX_STATE_SIZE if max_state_size is None else _whole(max_state_size, "max_state_size")
        if self._max_state_size <= 0:
            raise ConfigurationError(f"the max state size must be positive, but is {self._max_state_size}")

    def get_checkpoint_path(self) -> str | None:
        """Where the metadata goes, or ``None``."""
        return self._path

    def get_savepoint_path(self) -> str | None:
        """Where savepoints go: ``None``, which is where the environment says."""
        return None

    def get_max_state_size(self) -> int:
        """The largest size of one state, in bytes."""
        return self._max_state_size

    def to_configuration(self) -> dict[str, str]:
        """The settings that stand for it; the largest size has no key."""
        return {STORAGE_KEY: "jobmanager", **({} if self._path is None else {DIRECTORY_KEY: self._path})}

    def __repr__(self) -> str:
        return f"JobManagerCheckpointStorage (checkpoints to JobManager) ( maxStateSize: {self._max_state_size})"


class FileSystemCheckpointStorage(CheckpointStorage):
    """Keeps checkpoints as files of a directory.

    >>> storage = FileSystemCheckpointStorage("file:///var/checkpoints")
    >>> storage.get_checkpoint_path(), storage.get_min_file_size_threshold(), storage.get_write_buffer_size()
    ('file:/var/checkpoints', 20480, 4096)
    """

    #: The largest value of ``file_state_size_threshold``, in bytes.
    MAX_FILE_STATE_THRESHOLD = 1024 * 1024

    def __init__(self, checkpoint_path: str | None = None, file_state_size_threshold: int | None = None, write_buffer_size: int = -1) -> None:
        """State smaller than ``file_state_size_threshold`` bytes goes into the metadata; -1 or ``None``: as the environment says.

        Raises ``ValueError`` without a path, ``ConfigurationError`` for sizes out of range and for paths that are not local directories.
        """
        if checkpoint_path is None:
            raise ValueError("checkpoint_path must not be None")
        self._path = checked_checkpoint_path(checkpoint_path)
        self._threshold = -1 if file_state_size_threshold is None else _whole(file_state_size_threshold, "file_state_size_threshold")
        self._write_buffer_size = _whole(write_buffer_size, "write_buffer_size")
        if not -1 <= self._threshold <= self.MAX_FILE_STATE_THRESHOLD:
            limit = self.MAX_FILE_STATE_THRESHOLD
            raise ConfigurationError(f"the file state size threshold must be between -1 and {limit}, but is {self._threshold}")
        if self._write_buffer_size < -1:
            raise ConfigurationError(f"the write buffer size must be -1 or more, but is {self._write_buffer_size}")

    def get_checkpoint_path(self) -> str:
        """The directory; each job has one of its own below it."""
        return self._path

    def get_savepoint_path(self) -> str | None:
        """Where savepoints go: ``None``, which is where the environment says."""
        return None

    def get_min_file_size_threshold(self) -> int:
        """How small state must be to go into the metadata, in bytes: 20480 unless set."""
        return _DEFAULT_INLINE_BYTES if self._threshold < 0 else self._threshold

    def get_write_buffer_size(self) -> int:
        """How much is gathered before it is written, in bytes: 4096 unless set."""
        return _DEFAULT_WRITE_BUFFER_BYTES if self._write_buffer_size < 0 else self._write_buffer_size

    def to_configuration(self) -> dict[str, str]:
        """The settings that stand for it."""
        found = {STORAGE_KEY: "filesystem", DIRECTORY_KEY: self._path}
        if self._threshold >= 0:
            found[INLINE_KEY] = f"{self._threshold} bytes"
        if self._write_buffer_size >= 0:
            found[WRITE_BUFFER_KEY] = str(self._write_buffer_size)
        return found

    def __repr__(self) -> str:
        return f"FileSystemCheckpointStorage({self._path!r})"


class CustomCheckpointStorage(CheckpointStorage):
    """A storage of one's own, by the name of its factory. In PyFlink it is a Java class: here it is only kept.

    >>> isinstance(CustomCheckpointStorage(None), CheckpointStorage)
    True
    """

    def __init__(self, j_custom_checkpoint_storage: Any) -> None:
        from millstream.notices import without_jvm

        self._factory = j_custom_checkpoint_storage
        without_jvm("CustomCheckpointStorage")

    def to_configuration(self) -> dict[str, str]:
        """The settings that stand for it."""
        return {STORAGE_KEY: str(self._factory)}


def checkpoint_storage_from(configuration: Configuration) -> CheckpointStorage | None:
    """The storage that the settings stand for; ``None`` if they name none."""
    settings = configuration.to_dict()
    directory = settings.get(DIRECTORY_KEY)
    kind = settings.get(STORAGE_KEY, "filesystem" if directory is not None else None)
    if kind is None:
        return None
    if kind.lower() == "jobmanager":
        return JobManagerCheckpointStorage(directory)
    if kind.lower() == "filesystem":
        threshold = settings.get(INLINE_KEY)
        return FileSystemCheckpointStorage(directory, None if threshold is None else bytes_in(threshold), int(settings.get(WRITE_BUFFER_KEY, "-1")))
    return CustomCheckpointStorage(kind)


def checked_checkpoint_path(path: str) -> str:
    """A local directory as Flink writes it: ``file:/a/b``. Raises ``ConfigurationError`` for other schemes, relative paths and the root."""
    if not isinstance(path, str):
        raise TypeError(f"a path is text, not {path!r}")
    rest = path
    if path.startswith("file:"):
        rest = "/" + path.removeprefix("file:").lstrip("/")
    elif "://" in path:
        raise ConfigurationError(f"checkpoints are kept on local disks, not at {path!r}")
    if not rest.startswith("/"):
        raise ConfigurationError(f"a path for checkpoints must be absolute, e.g. file:///var/checkpoints, not {path!r}")
    if not rest.strip("/"):
        raise ConfigurationError("the root directory cannot be used for checkpoints")
    return "file:" + rest.rstrip("/")


_BYTE_UNITS = {"": 1, "b": 1, "bytes": 1, "k": 1 << 10, "kb": 1 << 10, "m": 1 << 20, "mb": 1 << 20, "g": 1 << 30, "gb": 1 << 30}


def bytes_in(text: str) -> int:
    """A setting's number of bytes, with or without a unit. Raises ``ValueError`` for anything else.

    >>> bytes_in("20 kb")
    20480
    """
    stripped = text.strip().lower()
    digits = len(stripped) - len(stripped.lstrip("0123456789"))
    unit = stripped[digits:].strip()
    if not digits or unit not in _BYTE_UNITS:
        raise ValueError(f"{text!r} is no number of bytes such as '20 kb'")
    return int(stripped[:digits]) * _BYTE_UNITS[unit]


def _whole(number: Any, what: str) -> int:
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"{what} is a whole number of bytes, not {number!r}")
    return number


guard(globals())
