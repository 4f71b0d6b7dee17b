"""What the engine is told about the state backend: Flink's settings in the form that it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from millstream.notices import say_once

BACKEND_KEY = "state.backend.type"
INCREMENTAL_KEY = "execution.checkpointing.incremental"
_ROCKSDB = "state.backend.rocksdb."
_DIRECTORIES_KEY = _ROCKSDB + "localdir"
#: Where a slot has memory of its own in Flink: here all states of the process share it. The first one that is set counts.
_MEMORY_KEYS = (_ROCKSDB + "memory.fixed-per-slot", _ROCKSDB + "memory.fixed-per-tm", "taskmanager.memory.managed.size")
_ROCKSDB_KEYS = tuple(
    _ROCKSDB + name
    for name in (
        "memory.write-buffer-ratio",
        "memory.high-prio-pool-ratio",
        "thread.num",
        "writebuffer.size",
        "writebuffer.count",
        "block.blocksize",
        "use-bloom-filter",
        "bloom-filter.bits-per-key",
        "compaction.level.target-file-size-base",
        "compaction.level.max-size-level-base",
        "compression.per.level",
        # Last: it fills in what the others leave open.
        "predefined-options",
    )
)
#: Names that Flink 1 has for settings, and those of today.
OLDER_KEYS = {"state.backend": BACKEND_KEY, "state.backend.incremental": INCREMENTAL_KEY}
#: What acts upon the engine.
STATE_KEYS = (BACKEND_KEY, INCREMENTAL_KEY, *_MEMORY_KEYS, *_ROCKSDB_KEYS, _DIRECTORIES_KEY, *OLDER_KEYS)
#: The backends' names, and those that Flink had for them.
_BACKENDS = {"hashmap": "hashmap", "filesystem": "hashmap", "jobmanager": "hashmap", "rocksdb": "rocksdb"}


def state_backend_options(settings: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The engine's options. A backend of another class keeps state in memory, as the default does, and the log says so once.

    Raises ``ValueError`` for a name that no backend has.
    """
    found = dict(settings)
    for older, key in OLDER_KEYS.items():
        if older in found:
            found.setdefault(key, found[older])
    backend = found.get(BACKEND_KEY)
    if backend is not None:
        known = next((name for key, name in _BACKENDS.items() if backend.lower() == key or f"{key}statebackend" in backend.lower()), None)
        if known is None and "." not in backend and backend.lower() != "forst":
            raise ValueError("it is hashmap or rocksdb")
        if known is None:
            say_once(f"the state backend {backend}", "is kept, and has no effect: state is in memory, as with hashmap")
        else:
            yield BACKEND_KEY, known
    if INCREMENTAL_KEY in found:
        yield INCREMENTAL_KEY, found[INCREMENTAL_KEY]
    for key in _MEMORY_KEYS:
        if key in found:
            yield key, found[key]
            break
    if found.get(_DIRECTORIES_KEY):
        # Flink takes commas and, on its own system, colons between paths.
        paths = found[_DIRECTORIES_KEY].replace("file://", "").replace("file:", "").replace(":", ",")
        yield _DIRECTORIES_KEY, paths
    for key in _ROCKSDB_KEYS:
        if key in found:
            yield key, found[key]
