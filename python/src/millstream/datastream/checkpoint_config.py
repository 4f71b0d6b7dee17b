"""How checkpoints are taken: configuration under Flink's keys."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

from millstream._tracebacks import guard
from millstream.common.time import Duration, Time, milliseconds_in, milliseconds_of
from millstream.datastream.checkpoint_storage import (
    DIRECTORY_KEY,
    INLINE_KEY,
    STORAGE_KEY,
    WRITE_BUFFER_KEY,
    CheckpointStorage,
    FileSystemCheckpointStorage,
    checkpoint_storage_from,
)
from millstream.datastream.checkpointing_mode import CheckpointingMode
from millstream.datastream.externalized_checkpoint_retention import ExternalizedCheckpointRetention
from millstream.exceptions import ConfigurationError

if TYPE_CHECKING:
    from millstream.common.configuration import Configuration

__all__ = ["CheckpointConfig", "ExternalizedCheckpointCleanup"]

_PREFIX = "execution.checkpointing."
INTERVAL_KEY = _PREFIX + "interval"
_MODE_KEY = _PREFIX + "mode"
_TIMEOUT_KEY = _PREFIX + "timeout"
_PAUSE_KEY = _PREFIX + "min-pause"
_CONCURRENT_KEY = _PREFIX + "max-concurrent-checkpoints"
_TOLERABLE_KEY = _PREFIX + "tolerable-failed-checkpoints"
_RETENTION_KEY = _PREFIX + "externalized-checkpoint-retention"
_UNALIGNED_KEY = _PREFIX + "unaligned.enabled"
_FORCED_KEY = _PREFIX + "unaligned.forced"
_ALIGNMENT_KEY = _PREFIX + "aligned-checkpoint-timeout"
#: What an interval and a timeout must have at least, in milliseconds, as in Flink.
_MINIMUM_MILLIS = 10
_MAX_INT = 2**31 - 1


class ExternalizedCheckpointCleanup(Enum):
    """What becomes of the last checkpoint of a cancelled job, by the name that Flink up to 1.17 has for :class:`ExternalizedCheckpointRetention`.

    >>> ExternalizedCheckpointCleanup.RETAIN_ON_CANCELLATION.name
    'RETAIN_ON_CANCELLATION'
    """

    #: Is deleted when the job is cancelled.
    DELETE_ON_CANCELLATION = 0
    #: Stays.
    RETAIN_ON_CANCELLATION = 1
    #: Is deleted in any case.
    NO_EXTERNALIZED_CHECKPOINTS = 2


class CheckpointConfig:
    """A view of an environment's settings for checkpoints. Each setter checks its value and gives the configuration back.

    >>> from millstream.datastream import CheckpointingMode, StreamExecutionEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> config = env.get_checkpoint_config().set_checkpoint_timeout(60_000).set_min_pause_between_checkpoints(500)
    >>> config.get_checkpoint_timeout(), config.get_checkpoint_interval(), config.is_checkpointing_enabled()
    (60000, -1, False)
    """

    #: The mode unless set.
    DEFAULT_MODE = CheckpointingMode.EXACTLY_ONCE
    #: How long a checkpoint may take unless set, in milliseconds.
    DEFAULT_TIMEOUT = 10 * 60 * 1000
    #: The pause between checkpoints unless set, in milliseconds.
    DEFAULT_MIN_PAUSE_BETWEEN_CHECKPOINTS = 0
    #: How many checkpoints may be under way unless set.
    DEFAULT_MAX_CONCURRENT_CHECKPOINTS = 1

    def __init__(self, configuration: Configuration | None = None) -> None:
        from millstream.common.configuration import Configuration

        self._configuration = configuration if configuration is not None else Configuration()
        self._storage: CheckpointStorage | None = None

    # ---- Whether and when ----

    def is_checkpointing_enabled(self) -> bool:
        """Whether an interval is set."""
        return self.get_checkpoint_interval() > 0

    def get_checkpointing_mode(self) -> CheckpointingMode:
        """What a checkpoint promises: AT_LEAST_ONCE as long as checkpoints are off, as in Flink, else EXACTLY_ONCE unless set."""
        if not self.is_checkpointing_enabled():
            return CheckpointingMode.AT_LEAST_ONCE
        return CheckpointingMode[self._configuration.get_string(_MODE_KEY) or self.DEFAULT_MODE.name]

    def set_checkpointing_mode(self, checkpointing_mode: CheckpointingMode) -> CheckpointConfig:
        """Sets what a checkpoint promises."""
        if not isinstance(checkpointing_mode, CheckpointingMode):
            raise TypeError(f"a CheckpointingMode is needed, not {checkpointing_mode!r}")
        return self._set(_MODE_KEY, checkpointing_mode.name)

    def get_checkpoint_interval(self) -> int:
        """How far apart checkpoints begin, in milliseconds; -1: there are none."""
        text = self._configuration.get_string(INTERVAL_KEY)
        found = -1 if text is None else milliseconds_in(text)
        return found if found > 0 else -1

    def set_checkpoint_interval(self, checkpoint_interval: int) -> CheckpointConfig:
        """Sets how far apart checkpoints begin, in milliseconds. Raises ``ConfigurationError`` below 10."""
        return self._millis(INTERVAL_KEY, checkpoint_interval, "checkpoint interval", _MINIMUM_MILLIS)

    def get_checkpoint_timeout(self) -> int:
        """After how long a checkpoint is given up, in milliseconds: 600,000 unless set."""
        return self._read_millis(_TIMEOUT_KEY, self.DEFAULT_TIMEOUT)

    def set_checkpoint_timeout(self, checkpoint_timeout: int) -> CheckpointConfig:
        """Sets after how long a checkpoint is given up, in milliseconds. Raises ``ConfigurationError`` below 10."""
        return self._millis(_TIMEOUT_KEY, checkpoint_timeout, "checkpoint timeout", _MINIMUM_MILLIS)

    def get_min_pause_between_checkpoints(self) -> int:
        """How long there is at least between one checkpoint's end and the next one's start, in milliseconds: 0 unless set."""
        return self._read_millis(_PAUSE_KEY, self.DEFAULT_MIN_PAUSE_BETWEEN_CHECKPOINTS)

    def set_min_pause_between_checkpoints(self, min_pause_between_checkpoints: int) -> CheckpointConfig:
        """Sets the pause between checkpoints, in milliseconds. Raises ``ConfigurationError`` if it is negative."""
        return self._millis(_PAUSE_KEY, min_pause_between_checkpoints, "pause between checkpoints", 0)

    def get_max_concurrent_checkpoints(self) -> int:
        """How many checkpoints may be under way at the same time: 1 unless set."""
        return self._configuration.get_integer(_CONCURRENT_KEY) or self.DEFAULT_MAX_CONCURRENT_CHECKPOINTS

    def set_max_concurrent_checkpoints(self, max_concurrent_checkpoints: int) -> CheckpointConfig:
        """Sets how many checkpoints may be under way at the same time. Raises ``ConfigurationError`` below 1."""
        return self._set(_CONCURRENT_KEY, str(_whole(max_concurrent_checkpoints, "number of concurrent checkpoints", 1)))

    # ---- Failures ----

    def is_fail_on_checkpointing_errors(self) -> bool:
        """Whether the first checkpoint that fails fails the job."""
        return self.get_tolerable_checkpoint_failure_number() == 0

    def set_fail_on_checkpointing_errors(self, fail_on_checkpointing_errors: bool) -> CheckpointConfig:
        """True: none may fail; false: any number may."""
        return self.set_tolerable_checkpoint_failure_number(0 if fail_on_checkpointing_errors else _MAX_INT)

    def get_tolerable_checkpoint_failure_number(self) -> int:
        """How many checkpoints may fail in a row before the job does: 0 unless set."""
        return self._configuration.get_integer(_TOLERABLE_KEY) or 0

    def set_tolerable_checkpoint_failure_number(self, tolerable_checkpoint_failure_number: int) -> CheckpointConfig:
        """Sets how many checkpoints may fail in a row before the job does. Raises ``ConfigurationError`` if it is negative."""
        return self._set(_TOLERABLE_KEY, str(_whole(tolerable_checkpoint_failure_number, "number of failed checkpoints", 0)))

    # ---- What stays ----

    def is_externalized_checkpoints_enabled(self) -> bool:
        """Whether checkpoints stay after the job in some case."""
        return self.get_externalized_checkpoint_retention() is not ExternalizedCheckpointRetention.NO_EXTERNALIZED_CHECKPOINTS

    def get_externalized_checkpoint_retention(self) -> ExternalizedCheckpointRetention:
        """What becomes of the last checkpoint: NO_EXTERNALIZED_CHECKPOINTS unless set."""
        return ExternalizedCheckpointRetention[self._configuration.get_string(_RETENTION_KEY) or "NO_EXTERNALIZED_CHECKPOINTS"]

    def set_externalized_checkpoint_retention(self, retention_mode: ExternalizedCheckpointRetention) -> CheckpointConfig:
        """Sets what becomes of the last checkpoint."""
        if not isinstance(retention_mode, (ExternalizedCheckpointRetention, ExternalizedCheckpointCleanup)):
            raise TypeError(f"an ExternalizedCheckpointRetention is needed, not {retention_mode!r}")
        return self._set(_RETENTION_KEY, retention_mode.name)

    def get_externalized_checkpoint_cleanup(self) -> ExternalizedCheckpointCleanup:
        """:meth:`get_externalized_checkpoint_retention` by its older name."""
        return ExternalizedCheckpointCleanup[self.get_externalized_checkpoint_retention().name]

    def set_externalized_checkpoint_cleanup(self, cleanup_mode: ExternalizedCheckpointCleanup) -> CheckpointConfig:
        """:meth:`set_externalized_checkpoint_retention` by its older name."""
        return self.set_externalized_checkpoint_retention(cleanup_mode)  # type: ignore[arg-type]

    def enable_externalized_checkpoints(self, cleanup_mode: ExternalizedCheckpointCleanup) -> CheckpointConfig:
        """:meth:`set_externalized_checkpoint_retention` by its oldest name."""
        return self.set_externalized_checkpoint_cleanup(cleanup_mode)

    # ---- Barriers ----

    def is_unaligned_checkpoints_enabled(self) -> bool:
        """Whether barriers overtake rows under backpressure: only with EXACTLY_ONCE."""
        wanted = bool(self._configuration.get_boolean(_UNALIGNED_KEY, False))
        return wanted and self.get_checkpointing_mode() is CheckpointingMode.EXACTLY_ONCE

    def enable_unaligned_checkpoints(self, enabled: bool = True) -> CheckpointConfig:
        """Sets whether barriers overtake rows under backpressure; what they overtake is a part of the checkpoint. Only with EXACTLY_ONCE.

        One checkpoint is taken at a time then. Savepoints never overtake anything.
        """
        return self._set(_UNALIGNED_KEY, "true" if enabled else "false")

    def disable_unaligned_checkpoints(self) -> CheckpointConfig:
        """Barriers wait behind rows."""
        return self.enable_unaligned_checkpoints(False)

    def get_aligned_checkpoint_timeout(self) -> Duration:
        """How long barriers of an unaligned checkpoint wait behind rows before they overtake them: 0 unless set."""
        return Duration.of_millis(self._read_millis(_ALIGNMENT_KEY, 0))

    def set_aligned_checkpoint_timeout(self, alignment_timeout: Duration | Time | timedelta | int) -> CheckpointConfig:
        """Sets how long, from the checkpoint's begin, barriers wait behind rows before they overtake them (a number: milliseconds). 0: not at all.

        Without :meth:`enable_unaligned_checkpoints` they wait as long as it takes. Raises ``ConfigurationError`` if it is negative.
        """
        return self._millis(_ALIGNMENT_KEY, milliseconds_of(alignment_timeout, "alignment_timeout"), "aligned checkpoint timeout", 0)

    def get_alignment_timeout(self) -> Duration:
        """:meth:`get_aligned_checkpoint_timeout` by its older name."""
        return self.get_aligned_checkpoint_timeout()

    def set_alignment_timeout(self, alignment_timeout: Duration | Time | timedelta | int) -> CheckpointConfig:
        """:meth:`set_aligned_checkpoint_timeout` by its older name."""
        return self.set_aligned_checkpoint_timeout(alignment_timeout)

    def is_force_unaligned_checkpoints(self) -> bool:
        """What was set: nothing forbids unaligned checkpoints here."""
        return bool(self._configuration.get_boolean(_FORCED_KEY, False))

    def set_force_unaligned_checkpoints(self, force_unaligned_checkpoints: bool = True) -> CheckpointConfig:
        """Keeps whether unaligned checkpoints shall be taken also where Flink forbids them. Here no exchange of rows does."""
        return self._set(_FORCED_KEY, "true" if force_unaligned_checkpoints else "false")

    # ---- Where ----

    def get_checkpoint_storage(self) -> CheckpointStorage | None:
        """Where checkpoints are kept; ``None``: in memory."""
        found = checkpoint_storage_from(self._configuration)
        if self._storage is None or found is None or found.to_configuration() != self._storage.to_configuration():
            self._storage = found
        return self._storage

    def set_checkpoint_storage(self, storage: CheckpointStorage) -> CheckpointConfig:
        """Sets where checkpoints are kept."""
        if not isinstance(storage, CheckpointStorage):
            raise TypeError(f"a CheckpointStorage is needed, not {storage!r}; set_checkpoint_storage_dir takes a path")
        for key in (STORAGE_KEY, DIRECTORY_KEY, INLINE_KEY, WRITE_BUFFER_KEY):
            self._configuration.remove_config(key)
        for key, value in storage.to_configuration().items():
            self._set(key, value)
        self._storage = storage
        return self

    def set_checkpoint_storage_dir(self, checkpoint_path: str) -> CheckpointConfig:
        """Keeps checkpoints as files of a directory."""
        return self.set_checkpoint_storage(FileSystemCheckpointStorage(checkpoint_path))

    # ---- Inside ----

    def _set(self, key: str, value: str) -> CheckpointConfig:
        self._configuration.set_string(key, value)
        return self

    def _millis(self, key: str, length: Any, what: str, minimum: int) -> CheckpointConfig:
        return self._set(key, f"{_whole(length, what, minimum)} ms")

    def _read_millis(self, key: str, default: int) -> int:
        text = self._configuration.get_string(key)
        return default if text is None else milliseconds_in(text)

    def __repr__(self) -> str:
        interval = self.get_checkpoint_interval()
        return f"<CheckpointConfig {'off' if interval < 0 else f'every {interval} ms, {self.get_checkpointing_mode().name}'}>"


def _whole(number: Any, what: str, minimum: int) -> int:
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"the {what} is a whole number, not {number!r}")
    if number < minimum:
        raise ConfigurationError(f"the {what} must be at least {minimum}, but is {number}")
    return number


guard(globals())
