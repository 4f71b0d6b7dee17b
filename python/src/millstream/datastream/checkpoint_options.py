"""What the engine is told about checkpoints and restarts: Flink's settings in the form that it takes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from millstream.common.restart_strategy import RESTART_KEYS
from millstream.common.time import milliseconds_in
from millstream.datastream.checkpoint_storage import DIRECTORY_KEY, STORAGE_KEY
from millstream.exceptions import ConfigurationError

_PREFIX = "execution.checkpointing."
INTERVAL_KEY = _PREFIX + "interval"
RETENTION_KEY = _PREFIX + "externalized-checkpoint-retention"
RETAINED_KEY = _PREFIX + "num-retained"
SAVEPOINTS_KEY = _PREFIX + "savepoint-dir"
#: The savepoint or checkpoint that jobs start from.
RESTORE_KEY = "execution.state-recovery.path"
UNCLAIMED_KEY = "execution.state-recovery.ignore-unclaimed-state"
COMPRESSION_KEY = "millstream.checkpoints.compression"
#: The last checkpoints stay when the job has finished.
KEEP_FINISHED_KEY = "millstream.checkpoints.keep-finished"
#: Flink's name for the id of a job that is the same job in another process.
JOB_ID_KEY = "$internal.pipeline.job-id"
#: Whose unfinished output a job may take for its own: the same for all processes that go on with it.
LINEAGE_KEY = "millstream.recovery.lineage"
#: Whether a job goes on from an earlier checkpoint where its last one is damaged.
FALL_BACK_KEY = "millstream.recovery.fall-back"
#: The absolute paths of those, a line each, the newest first; else those beside the one that is started from.
OLDER_CHECKPOINTS_KEY = "millstream.recovery.older-checkpoints"
#: Whether pickles may be read that another version of Python has written.
OTHER_PYTHON_KEY = "state.pickle.other-python-allowed"
_FLINKS_COMPRESSION_KEY = _PREFIX + "snapshot-compression"
_TIMES = (INTERVAL_KEY, _PREFIX + "timeout", _PREFIX + "min-pause", _PREFIX + "aligned-checkpoint-timeout")
_PATHS = (DIRECTORY_KEY, SAVEPOINTS_KEY, RESTORE_KEY)
_PLAIN = (
    _PREFIX + "mode",
    _PREFIX + "max-concurrent-checkpoints",
    _PREFIX + "tolerable-failed-checkpoints",
    _PREFIX + "unaligned.enabled",
    RETENTION_KEY,
    RETAINED_KEY,
    UNCLAIMED_KEY,
    COMPRESSION_KEY,
    KEEP_FINISHED_KEY,
    FALL_BACK_KEY,
    OLDER_CHECKPOINTS_KEY,
    LINEAGE_KEY,
)
_OFTEN = "restart-strategy.exponential-delay.attempts-before-reset-backoff"
#: Names that Flink 1 has for settings, and those of today.
OLDER_KEYS = {
    "state.checkpoints.dir": DIRECTORY_KEY,
    "state.checkpoint-storage": STORAGE_KEY,
    "state.checkpoints.num-retained": RETAINED_KEY,
    "state.savepoints.dir": SAVEPOINTS_KEY,
    "execution.savepoint.path": RESTORE_KEY,
    "execution.savepoint.ignore-unclaimed-state": UNCLAIMED_KEY,
    _PREFIX + "unaligned": _PREFIX + "unaligned.enabled",
    _PREFIX + "alignment-timeout": _PREFIX + "aligned-checkpoint-timeout",
}
#: What acts upon the engine.
CHECKPOINT_KEYS = (*_TIMES, *_PATHS, *_PLAIN, _FLINKS_COMPRESSION_KEY, STORAGE_KEY, *RESTART_KEYS, _OFTEN, *OLDER_KEYS)


def checkpoint_options(settings: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The engine's options. Raises ``ConfigurationError`` for a path that is not on this machine, ``ValueError`` for a length of time that is none.

    In BATCH mode there are no checkpoints, and nothing to start from, as in Flink.
    """
    found = dict(settings)
    for older, key in OLDER_KEYS.items():
        if older in found:
            found.setdefault(key, found[older])
    if "restart-strategy" in found:
        found.setdefault("restart-strategy.type", found["restart-strategy"])
    batch = is_batch(found)
    for key in _TIMES:
        if key in found and not (key == INTERVAL_KEY and (batch or milliseconds_in(found[key]) == 0)):
            yield key, f"{milliseconds_in(found[key])} ms"
    for key in _PATHS:
        if key == DIRECTORY_KEY and found.get(STORAGE_KEY, "filesystem").lower() != "filesystem":
            continue
        if key in found and not (key == RESTORE_KEY and batch):
            yield key, local_path(found[key])
    for key in _PLAIN:
        if key in found:
            yield key, found[key]
    if COMPRESSION_KEY not in found and found.get(_FLINKS_COMPRESSION_KEY, "").lower() == "true":
        yield COMPRESSION_KEY, "lz4"
    for key in (*RESTART_KEYS, _OFTEN):
        if key in found and key != "restart-strategy":
            yield key, found[key]


def is_batch(settings: Mapping[str, str]) -> bool:
    """Whether jobs run in BATCH mode, where there are no checkpoints."""
    return settings.get("execution.runtime-mode", "").upper() == "BATCH"


def local_path(path: str) -> str:
    """An absolute path, from one, from a relative one, or from a ``file:`` URL. Raises ``ConfigurationError`` for other URLs.

    >>> local_path("file:///var/savepoints/")
    '/var/savepoints'
    """
    if path.startswith("file:"):
        path = "/" + path.removeprefix("file:").lstrip("/")
    elif "://" in path:
        raise ConfigurationError(f"checkpoints and savepoints are kept on local disks, not at {path!r}")
    if not path:
        raise ConfigurationError("a path of a checkpoint or savepoint cannot be empty")
    return os.path.abspath(path)
