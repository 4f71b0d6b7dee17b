"""Which settings there are: those that the engine knows, those that are only kept, and the rest, which are mistakes."""

from __future__ import annotations

from collections.abc import Iterator

from millstream import _native
from millstream.common.configuration import Configuration
from millstream.exceptions import ConfigurationError, nearest

#: The engine's own.
ENGINE_KEYS = (
    "parallelism.default",
    "pipeline.max-parallelism",
    "execution.buffer-timeout.interval",
    "execution.runtime-mode",
    "pipeline.operator-chaining.enabled",
    "pipeline.auto-watermark-interval",
    "millstream.workers",
    "millstream.batch.rows",
    "millstream.exchange.memory",
    "millstream.seed",
)

#: Kept by Python.
KEPT_KEYS = (
    "pipeline.name",
    "pipeline.global-job-parameters",
    "pipeline.object-reuse",
    "pipeline.auto-generate-uids",
    "pipeline.generic-types",
    "pipeline.closure-cleaner-level",
    "pipeline.jars",
    "pipeline.classpaths",
    "pipeline.watermark-alignment.allow-unaligned-source-splits",
    "execution.attached",
    "execution.target",
    "execution.shutdown-on-attached-exit",
    "execution.buffer-timeout.enabled",
)

#: What only means something to a cluster, to the JVM or to checkpoints, which are not there yet: kept without effect.
KEPT_PREFIXES = (
    "python.",
    "taskmanager.",
    "jobmanager.",
    "cluster.",
    "classloader.",
    "env.",
    "execution.checkpointing.",
    "fs.",
    "high-availability",
    "heartbeat.",
    "io.",
    "metrics.",
    "pekko.",
    "rest.",
    "restart-strategy",
    "security.",
    "slot.",
    "state.",
    "table.",
    "task.",
    "web.",
)


def check_key(key: str, value: str) -> None:
    """Raises ``ConfigurationError`` for a key that there is none of, naming the nearest, and for a value that the engine refuses."""
    if key in ENGINE_KEYS:
        trial = _native.Environment()
        try:
            trial.configure(key, value)
        finally:
            trial.close()
    elif key not in KEPT_KEYS and not key.startswith(KEPT_PREFIXES):
        raise ConfigurationError(f"there is no setting {key!r}{nearest(key, (*ENGINE_KEYS, *KEPT_KEYS))}")


def native_options(configuration: Configuration) -> Iterator[tuple[str, str]]:
    """The settings that the engine takes, in its own order."""
    settings = configuration.to_dict()
    for key in ENGINE_KEYS:
        if key in settings:
            yield key, settings[key]
