"""Which settings there are: those that the engine knows, those that are only kept, and the rest, which are mistakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from millstream import _native
from millstream.common.configuration import Configuration, parse_map
from millstream.common.restart_strategy import restart_strategy_from
from millstream.common.time import milliseconds_in
from millstream.datastream.checkpoint_options import CHECKPOINT_KEYS, checkpoint_options
from millstream.datastream.checkpoint_storage import bytes_in, checked_checkpoint_path
from millstream.datastream.checkpointing_mode import CheckpointingMode
from millstream.datastream.externalized_checkpoint_retention import ExternalizedCheckpointRetention
from millstream.datastream.state_backend import PredefinedOptions
from millstream.datastream.state_backend_options import STATE_KEYS, state_backend_options
from millstream.datastream.time_characteristic import TimeCharacteristic
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
    "millstream.event-time.stall-warning",
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
    "pipeline.auto-type-registration",
    "pipeline.cached-files",
    "pipeline.default-kryo-serializers",
    "pipeline.force-avro",
    "pipeline.force-kryo",
    "pipeline.force-kryo-avro",
    "pipeline.operator-chaining.chain-operators-with-different-max-parallelism",
    "pipeline.registered-kryo-serializers",
    "pipeline.registered-kryo-types",
    "pipeline.registered-pojo-types",
    "pipeline.serialization-config",
    "pipeline.time-characteristic",
    "pipeline.vertex-description-mode",
    "pipeline.vertex-name-include-index-prefix",
    "pipeline.watermark-alignment.allow-unaligned-source-splits",
    "execution.attached",
    "execution.target",
    "execution.shutdown-on-attached-exit",
    "execution.buffer-timeout.enabled",
)

#: What only means something to a cluster or to the JVM is kept without effect; some settings of these families are the engine's (CHECKPOINT_KEYS).
KEPT_PREFIXES = (
    "python.",
    "taskmanager.",
    "jobmanager.",
    "cluster.",
    "classloader.",
    "env.",
    "execution.checkpointing.",
    "execution.savepoint.",
    "execution.state-recovery.",
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


def _flag(text: str) -> None:
    if text.lower() not in ("true", "false"):
        raise ValueError("it is true or false")


def _member(enumeration: type) -> Callable[[str], object]:
    def check(text: str) -> object:
        try:
            return enumeration[text]  # type: ignore[index]
        except KeyError:
            names = [str(entry.name) for entry in enumeration]  # type: ignore[attr-defined]
            raise ValueError(f"it is one of {', '.join(names)}") from None

    return check


def _at_least(minimum: int) -> Callable[[str], None]:
    def check(text: str) -> None:
        if int(text) < minimum:
            raise ValueError(f"it must be at least {minimum}")

    return check


_CHECKPOINTS = "execution.checkpointing."
#: How the values of settings look that only Python reads: what raises ``ValueError`` for others.
_CHECKS: dict[str, Callable[[str], object]] = {
    **dict.fromkeys(
        (
            "execution.buffer-timeout.enabled",
            "pipeline.auto-generate-uids",
            "pipeline.auto-type-registration",
            "pipeline.force-avro",
            "pipeline.force-kryo",
            "pipeline.generic-types",
            "pipeline.object-reuse",
            "pipeline.operator-chaining.chain-operators-with-different-max-parallelism",
            "state.changelog.enabled",
            _CHECKPOINTS + "incremental",
            _CHECKPOINTS + "snapshot-compression",
            _CHECKPOINTS + "unaligned.enabled",
            _CHECKPOINTS + "unaligned.forced",
        ),
        _flag,
    ),
    **dict.fromkeys(
        (
            "metrics.latency.interval",
            "task.cancellation.interval",
            "task.cancellation.timeout",
            _CHECKPOINTS + "aligned-checkpoint-timeout",
            _CHECKPOINTS + "interval",
            _CHECKPOINTS + "min-pause",
            _CHECKPOINTS + "timeout",
        ),
        milliseconds_in,
    ),
    "pipeline.global-job-parameters": parse_map,
    "pipeline.time-characteristic": _member(TimeCharacteristic),
    "restart-strategy.type": lambda text: restart_strategy_from(Configuration.from_dict({"restart-strategy.type": text})),
    "state.backend.rocksdb.predefined-options": _member(PredefinedOptions),
    _CHECKPOINTS + "data-inline-threshold": bytes_in,
    _CHECKPOINTS + "dir": checked_checkpoint_path,
    _CHECKPOINTS + "externalized-checkpoint-retention": _member(ExternalizedCheckpointRetention),
    _CHECKPOINTS + "max-concurrent-checkpoints": _at_least(1),
    _CHECKPOINTS + "mode": _member(CheckpointingMode),
    _CHECKPOINTS + "tolerable-failed-checkpoints": _at_least(0),
    _CHECKPOINTS + "write-buffer-size": _at_least(-1),
}


def check_key(key: str, value: str) -> None:
    """Raises ``ConfigurationError`` for a key that there is none of, naming the nearest, and for a value that the engine refuses."""
    if key in ENGINE_KEYS:
        trial = _native.Environment()
        try:
            trial.configure(key, value)
        finally:
            trial.close()
    elif key not in CHECKPOINT_KEYS and key not in KEPT_KEYS and not key.startswith(KEPT_PREFIXES):
        raise ConfigurationError(f"there is no setting {key!r}{nearest(key, (*ENGINE_KEYS, *CHECKPOINT_KEYS, *KEPT_KEYS))}")
    elif key in _CHECKS:
        try:
            _CHECKS[key](value)
        except ValueError as error:
            raise ConfigurationError(f"{key} cannot be {value!r}: {error}") from None
    if key in CHECKPOINT_KEYS or key in STATE_KEYS:
        trial = _native.Environment()
        try:
            for option in (*checkpoint_options({key: value}), *state_backend_options({key: value})):
                trial.configure(*option)
        except ValueError as error:
            raise ConfigurationError(f"{key} cannot be {value!r}: {error}") from None
        finally:
            trial.close()


def native_options(settings: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The settings that the engine takes, in its own order."""
    for key in ENGINE_KEYS:
        if key in settings:
            yield key, settings[key]
    yield from checkpoint_options(settings)
    yield from state_backend_options(settings)
