"""Settings that describe no stream: they come back as they were set, under Flink's keys, and say so where this release does nothing with them."""

from __future__ import annotations

import logging
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from millstream import notices
from millstream.common import Configuration, Duration, ExecutionMode, InputDependencyConstraint, RestartStrategies
from millstream.common.configuration import map_text, parse_map
from millstream.datastream import (
    CheckpointConfig,
    CheckpointingMode,
    CustomCheckpointStorage,
    CustomStateBackend,
    EmbeddedRocksDBStateBackend,
    ExternalizedCheckpointRetention,
    FileSystemCheckpointStorage,
    HashMapStateBackend,
    JobManagerCheckpointStorage,
    MapFunction,
    MemorySize,
    PredefinedOptions,
    RuntimeContext,
    SlotSharingGroup,
    StreamExecutionEnvironment,
    TimeCharacteristic,
)
from millstream.datastream.checkpoint_config import ExternalizedCheckpointCleanup
from millstream.datastream.environment_configuration import EnvironmentConfiguration
from millstream.datastream.state_backend import FsStateBackend, MemoryStateBackend, RocksDBStateBackend
from millstream.exceptions import ConfigurationError, InputOutputError


@pytest.fixture(autouse=True)
def _everything_is_said_again() -> Iterator[None]:
    notices.forget_notices()
    yield
    notices.forget_notices()


def restored(env: StreamExecutionEnvironment) -> StreamExecutionEnvironment:
    """An environment that knows nothing but the other one's settings by key."""
    return StreamExecutionEnvironment.get_execution_environment(env.get_configuration())


# ---- Checkpoints -----------------------------------------------------------------------------------------------------------------------------

CHECKPOINT_DEFAULTS = {
    "get_checkpoint_interval": -1,
    "get_checkpoint_timeout": 600_000,
    "get_checkpointing_mode": CheckpointingMode.AT_LEAST_ONCE,
    "get_externalized_checkpoint_retention": ExternalizedCheckpointRetention.NO_EXTERNALIZED_CHECKPOINTS,
    "get_max_concurrent_checkpoints": 1,
    "get_min_pause_between_checkpoints": 0,
    "get_tolerable_checkpoint_failure_number": 0,
    "get_aligned_checkpoint_timeout": Duration.of_millis(0),
    "is_checkpointing_enabled": False,
    "is_externalized_checkpoints_enabled": False,
    "is_fail_on_checkpointing_errors": True,
    "is_force_unaligned_checkpoints": False,
    "is_unaligned_checkpoints_enabled": False,
    "get_checkpoint_storage": None,
}


def test_checkpoint_defaults_are_flinks(env: StreamExecutionEnvironment) -> None:
    config = env.get_checkpoint_config()
    assert {name: getattr(config, name)() for name in CHECKPOINT_DEFAULTS} == CHECKPOINT_DEFAULTS
    assert env.get_configuration().to_dict() == {}


def test_older_names_are_where_pyflink_had_them() -> None:
    import millstream.datastream as package
    from millstream.datastream import checkpoint_config, state_backend

    assert package.ExternalizedCheckpointCleanup is checkpoint_config.ExternalizedCheckpointCleanup
    for name in ("MemoryStateBackend", "FsStateBackend", "RocksDBStateBackend"):
        assert getattr(package, name) is getattr(state_backend, name) and name in package.__all__ and name in dir(package)


def test_checkpoint_settings_come_back_and_survive_as_text(env: StreamExecutionEnvironment) -> None:
    env.enable_checkpointing(1_500)
    assert env.get_checkpointing_mode() is CheckpointingMode.EXACTLY_ONCE
    env.enable_checkpointing(1_500, CheckpointingMode.EXACTLY_ONCE)
    config = env.get_checkpoint_config()
    config.set_checkpoint_timeout(10).set_min_pause_between_checkpoints(7).set_max_concurrent_checkpoints(3)
    config.set_tolerable_checkpoint_failure_number(2).enable_unaligned_checkpoints().set_force_unaligned_checkpoints()
    config.set_alignment_timeout(Duration.of_seconds(3)).set_checkpoint_storage_dir("file:///tmp/points")
    config.enable_externalized_checkpoints(ExternalizedCheckpointCleanup.RETAIN_ON_CANCELLATION)
    for found in (config, restored(env).get_checkpoint_config(), CheckpointConfig(env.get_configuration())):
        assert (found.get_checkpoint_interval(), found.get_checkpoint_timeout(), found.get_min_pause_between_checkpoints()) == (1_500, 10, 7)
        assert (found.get_max_concurrent_checkpoints(), found.get_tolerable_checkpoint_failure_number()) == (3, 2)
        assert found.is_unaligned_checkpoints_enabled()
        assert found.is_force_unaligned_checkpoints()
        assert found.get_alignment_timeout() == Duration.of_millis(3_000)
        assert found.get_externalized_checkpoint_cleanup() is ExternalizedCheckpointCleanup.RETAIN_ON_CANCELLATION
        assert found.get_checkpoint_storage() == FileSystemCheckpointStorage("/tmp/points")
    assert env.get_configuration().to_dict() == {
        "execution.checkpointing.interval": "1500 ms",
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        "execution.checkpointing.timeout": "10 ms",
        "execution.checkpointing.min-pause": "7 ms",
        "execution.checkpointing.max-concurrent-checkpoints": "3",
        "execution.checkpointing.tolerable-failed-checkpoints": "2",
        "execution.checkpointing.unaligned.enabled": "true",
        "execution.checkpointing.unaligned.forced": "true",
        "execution.checkpointing.aligned-checkpoint-timeout": "3000 ms",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.checkpointing.storage": "filesystem",
        "execution.checkpointing.dir": "file:/tmp/points",
    }


def test_unaligned_needs_exactly_once(env: StreamExecutionEnvironment) -> None:
    config = env.get_checkpoint_config().enable_unaligned_checkpoints()
    assert not config.is_unaligned_checkpoints_enabled(), "checkpoints are off"
    env.enable_checkpointing(100, CheckpointingMode.AT_LEAST_ONCE)
    assert not env.is_unaligned_checkpoints_enabled()
    config.set_checkpointing_mode(CheckpointingMode.EXACTLY_ONCE)
    assert env.is_unaligned_checkpoints_enabled()
    assert not config.disable_unaligned_checkpoints().is_unaligned_checkpoints_enabled()


def test_failures_by_flag(env: StreamExecutionEnvironment) -> None:
    config = env.get_checkpoint_config()
    assert config.set_fail_on_checkpointing_errors(False).get_tolerable_checkpoint_failure_number() == 2**31 - 1
    assert config.set_fail_on_checkpointing_errors(True).is_fail_on_checkpointing_errors()


@pytest.mark.parametrize(
    ("setter", "value", "message"),
    [
        ("set_checkpoint_interval", 9, "interval must be at least 10"),
        ("set_checkpoint_timeout", 9, "timeout must be at least 10"),
        ("set_min_pause_between_checkpoints", -1, "pause .* at least 0"),
        ("set_max_concurrent_checkpoints", 0, "at least 1"),
        ("set_tolerable_checkpoint_failure_number", -1, "at least 0"),
        ("set_checkpoint_storage_dir", "hdfs://host/x", "local disks"),
        ("set_checkpoint_storage_dir", "points", "absolute"),
        ("set_checkpoint_storage_dir", "file:///", "root"),
    ],
)
def test_checkpoint_settings_that_cannot_be(env: StreamExecutionEnvironment, setter: str, value: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        getattr(env.get_checkpoint_config(), setter)(value)
    assert env.get_configuration().to_dict() == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("execution.checkpointing.interval", "soon"),
        ("execution.checkpointing.mode", "TWICE"),
        ("execution.checkpointing.max-concurrent-checkpoints", "0"),
        ("execution.checkpointing.unaligned.enabled", "maybe"),
        ("execution.checkpointing.dir", "hdfs://host/x"),
        ("restart-strategy.type", "sometimes"),
        ("pipeline.global-job-parameters", "a"),
        ("state.backend.rocksdb.predefined-options", "FAST"),
    ],
)
def test_settings_by_key_are_checked_when_they_are_set(env: StreamExecutionEnvironment, key: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{key} cannot be '{value}'"):
        env.configure({key: value})
    assert env.get_configuration().to_dict() == {}


# ---- What this release does not do is said once ----------------------------------------------------------------------------------------------


def test_what_has_no_effect_is_said_once(env: StreamExecutionEnvironment, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "millstream"):
        for _ in range(2):
            env.enable_checkpointing(1_000)
            env.add_jars("file:///a.jar", "file:///b.jar")
            env.add_classpaths("file:///a")
            env.add_default_kryo_serializer("org.Some", "org.Writer")
            env.set_state_backend(EmbeddedRocksDBStateBackend())
            env.set_restart_strategy(RestartStrategies.fixed_delay_restart(1, 10))
            env.get_checkpoint_config().set_checkpoint_storage_dir("/tmp/points").enable_unaligned_checkpoints()
            env.enable_changelog_state_backend(True)
    said = [record.getMessage() for record in caplog.records if record.name == "millstream"]
    assert len(said) == len(set(said)) == 4, said
    assert sum("RocksDB's incremental checkpoints" in text for text in said) == 1
    assert sum("no JVM" in text for text in said) == 3
    assert env.get_configuration().get_string("pipeline.jars") == "file:///a.jar;file:///b.jar;file:///a.jar;file:///b.jar"
    assert env.is_changelog_state_backend_enabled() is True


def test_what_needs_no_saying_is_silent(env: StreamExecutionEnvironment, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "millstream"):
        env.configure({"restart-strategy.type": "none", "state.backend.type": "hashmap", "parallelism.default": "2"})
        env.set_state_backend(HashMapStateBackend()).set_restart_strategy(RestartStrategies.no_restart())
        env.get_config().disable_force_kryo().enable_generic_types().enable_object_reuse()
    assert not caplog.records


# ---- State backends and storages -------------------------------------------------------------------------------------------------------------


def test_state_backends_come_back(env: StreamExecutionEnvironment) -> None:
    assert env.get_state_backend() is None
    backend = EmbeddedRocksDBStateBackend(True)
    backend.set_db_storage_paths("file:///tmp/x", "/tmp/y")
    backend.set_predefined_options(PredefinedOptions.FLASH_SSD_OPTIMIZED)
    backend.set_number_of_transfer_threads(7)
    backend.set_options("org.Factory")
    assert env.set_state_backend(backend).get_state_backend() is backend
    found = restored(env).get_state_backend()
    assert isinstance(found, EmbeddedRocksDBStateBackend)
    assert (found.get_db_storage_paths(), found.is_incremental_checkpoints_enabled()) == (["/tmp/x", "/tmp/y"], True)
    assert (found.get_predefined_options(), found.get_number_of_transfer_threads(), found.get_options()) == (
        PredefinedOptions.FLASH_SSD_OPTIMIZED,
        7,
        "org.Factory",
    )
    assert found == backend
    env.set_state_backend(HashMapStateBackend())
    assert env.get_configuration().to_dict() == {"state.backend.type": "hashmap"}, "nothing is left of the backend before"
    env.configure({"state.backend.type": "rocksdb"})
    assert isinstance(env.get_state_backend(), EmbeddedRocksDBStateBackend), "a setting by key takes the object's place"


def test_backends_of_older_scripts_bring_their_storage(env: StreamExecutionEnvironment) -> None:
    backend = FsStateBackend("file:///tmp/points", file_state_size_threshold=100, write_buffer_size=200, using_asynchronous_snapshots=False)
    numbers = backend.get_min_file_size_threshold(), backend.get_write_buffer_size(), backend.is_using_asynchronous_snapshots()
    assert (backend.get_checkpoint_path(), *numbers) == ("file:/tmp/points", 100, 200, False)
    env.set_state_backend(backend)
    assert env.get_checkpoint_config().get_checkpoint_storage() == FileSystemCheckpointStorage("/tmp/points", 100, 200)
    assert isinstance(restored(env).get_state_backend(), HashMapStateBackend)
    env.set_state_backend(MemoryStateBackend(max_state_size=77))
    storage = env.get_checkpoint_config().get_checkpoint_storage()
    assert isinstance(storage, JobManagerCheckpointStorage)
    assert storage.get_max_state_size() == 77
    rocks = RocksDBStateBackend("file:///tmp/rocks", True)
    rocks.set_number_of_transfering_threads(2)
    assert (rocks.is_incremental_checkpoints_enabled(), rocks.get_number_of_transfering_threads()) == (True, 2)
    assert rocks.get_checkpoint_backend() == FsStateBackend("file:///tmp/rocks")
    env.set_state_backend(rocks)
    assert env.get_checkpoint_config().get_checkpoint_storage() == FileSystemCheckpointStorage("/tmp/rocks")
    with pytest.raises(ValueError, match="checkpoint_data_uri"):
        RocksDBStateBackend()


def test_storages_by_name_only(env: StreamExecutionEnvironment, caplog: pytest.LogCaptureFixture) -> None:
    assert CustomStateBackend("org.Backend").to_configuration() == {"state.backend.type": "org.Backend"}
    env.get_checkpoint_config().set_checkpoint_storage(CustomCheckpointStorage("org.Storage"))
    assert isinstance(restored(env).get_checkpoint_config().get_checkpoint_storage(), CustomCheckpointStorage)
    assert len(caplog.records) == 2
    for wrong in ("rocksdb", None):
        with pytest.raises(TypeError, match="StateBackend is needed"):
            env.set_state_backend(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="set_checkpoint_storage_dir"):
        env.get_checkpoint_config().set_checkpoint_storage("/tmp")  # type: ignore[arg-type]


@pytest.mark.parametrize("threshold", [-2, 1_048_577])
def test_storage_sizes_that_cannot_be(threshold: int) -> None:
    with pytest.raises(ConfigurationError, match=str(threshold)):
        FileSystemCheckpointStorage("/tmp/x", threshold)
    with pytest.raises(ValueError, match="must not be None"):
        FileSystemCheckpointStorage()
    with pytest.raises(ConfigurationError, match="positive"):
        JobManagerCheckpointStorage(max_state_size=0)


# ---- Restart strategies ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "strategy",
    [
        RestartStrategies.no_restart(),
        RestartStrategies.fall_back_restart(),
        RestartStrategies.fixed_delay_restart(3, Duration.of_seconds(2)),
        RestartStrategies.failure_rate_restart(3, 60_000, 10),
        RestartStrategies.exponential_delay_restart(10, 20, 1.25, 30, 0.5),
    ],
)
def test_restart_strategies_survive_as_text(env: StreamExecutionEnvironment, strategy: object) -> None:
    env.set_restart_strategy(RestartStrategies.exponential_delay_restart())
    env.set_restart_strategy(strategy)  # type: ignore[arg-type]
    assert env.get_restart_strategy() == strategy
    assert restored(env).get_restart_strategy() == strategy
    assert env.get_configuration().to_dict() == strategy.to_configuration()  # type: ignore[attr-defined]


def test_restart_strategies_that_cannot_be() -> None:
    for make in (
        lambda: RestartStrategies.fixed_delay_restart(-1, 0),
        lambda: RestartStrategies.failure_rate_restart(0, 1, 1),
        lambda: RestartStrategies.exponential_delay_restart(20, 10),
        lambda: RestartStrategies.exponential_delay_restart(backoff_multiplier=1.0),
    ):
        with pytest.raises(ConfigurationError):
            make()


# ---- Execution configuration -----------------------------------------------------------------------------------------------------------------


def test_execution_defaults_and_setters(env: StreamExecutionEnvironment) -> None:
    config = env.get_config()
    assert (config.get_latency_tracking_interval(), config.get_task_cancellation_interval(), config.get_task_cancellation_timeout()) == (0, 30_000, 180_000)
    flags = ("is_object_reuse_enabled", "is_use_snapshot_compression", "is_force_kryo_enabled", "is_force_avro_enabled", "has_generic_types_disabled")
    assert not any(getattr(config, flag)() for flag in (*flags, "is_auto_type_registration_disabled"))
    assert config.is_closure_cleaner_enabled()
    assert config.has_auto_generated_uids_enabled()
    config.set_latency_tracking_interval(5).set_task_cancellation_interval(6).set_task_cancellation_timeout(0)
    config.enable_object_reuse().set_use_snapshot_compression(True).enable_force_kryo().enable_force_avro().disable_generic_types()
    config.disable_auto_type_registration().disable_closure_cleaner().disable_auto_generated_uids()
    config.register_kryo_type("a.B").register_kryo_type("a.B").register_kryo_type("a.C").register_pojo_type("a.D")
    config.register_type_with_kryo_serializer("a.E", "a.F").add_default_kryo_serializer("a.G", "a.H")
    for found in (config, restored(env).get_config()):
        numbers = found.get_latency_tracking_interval(), found.get_task_cancellation_interval(), found.get_task_cancellation_timeout()
        assert numbers == (5, 6, 0)
        assert all(getattr(found, flag)() for flag in (*flags, "is_auto_type_registration_disabled"))
        assert not found.is_closure_cleaner_enabled()
        assert not found.has_auto_generated_uids_enabled()
        assert (found.get_registered_kryo_types(), found.get_registered_pojo_types()) == (["a.B", "a.C"], ["a.D"])
        assert found.get_registered_types_with_kryo_serializer_classes() == {"a.E": "a.F"}
        assert found.get_default_kryo_serializer_classes() == {"a.G": "a.H"}
    config.set_default_input_dependency_constraint(InputDependencyConstraint.ALL).set_execution_mode(ExecutionMode.BATCH)
    assert config.get_default_input_dependency_constraint() is InputDependencyConstraint.ALL
    assert config.get_execution_mode() is ExecutionMode.BATCH
    for setter in ("set_latency_tracking_interval", "set_task_cancellation_interval", "set_task_cancellation_timeout"):
        with pytest.raises(ConfigurationError, match="negative"):
            getattr(config, setter)(-1)


def test_job_parameters_are_settings_too(env: StreamExecutionEnvironment) -> None:
    env.get_config().set_global_job_parameters({"a": "1", "b:c": "x,'y'"})
    assert restored(env).get_config().get_global_job_parameters() == {"a": "1", "b:c": "x,'y'"}


@given(st.dictionaries(st.text(min_size=1).map(str.strip).filter(bool), st.text().map(str.strip), max_size=5))
def test_maps_as_text(entries: dict[str, str]) -> None:
    assert parse_map(map_text(entries)) == entries


@pytest.mark.parametrize("text", ["a", "'a:1", "'a:1'b", "a:1,b"])
def test_maps_that_cannot_be(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_map(text)


# ---- Time, parallelism, files ----------------------------------------------------------------------------------------------------------------


def test_time_characteristic(env: StreamExecutionEnvironment) -> None:
    assert env.get_stream_time_characteristic() is TimeCharacteristic.EventTime
    env.set_stream_time_characteristic(TimeCharacteristic.ProcessingTime)
    assert (env.get_stream_time_characteristic(), env.get_config().get_auto_watermark_interval()) == (TimeCharacteristic.ProcessingTime, 0)
    env.set_stream_time_characteristic(TimeCharacteristic.EventTime)
    assert env.get_config().get_auto_watermark_interval() == 200


def test_default_local_parallelism(env: StreamExecutionEnvironment) -> None:
    assert env.get_default_local_parallelism() == 1
    try:
        env.set_default_local_parallelism(3)
        later = StreamExecutionEnvironment.get_execution_environment()
        assert (env.get_parallelism(), later.get_parallelism(), later.get_default_local_parallelism()) == (1, 3, 3)
        assert StreamExecutionEnvironment.get_execution_environment(Configuration.from_dict({"parallelism.default": 2})).get_parallelism() == 2
    finally:
        EnvironmentConfiguration._default_local_parallelism = None


class ReadCached(MapFunction):  # type: ignore[type-arg]
    def open(self, runtime_context: RuntimeContext) -> None:
        self.text = Path(runtime_context.get_distributed_cache().get_file("words")).read_text()

    def map(self, value: str) -> str:
        return value + self.text


def test_cached_files(env: StreamExecutionEnvironment, tmp_path: Path) -> None:
    file = tmp_path / "it's: a, file.txt"
    file.write_text("!")
    env.register_cached_file(f"file://{file}", "words", executable=True)
    env.register_cached_file(str(tmp_path), "folder")
    assert file.stat().st_mode & stat.S_IXUSR
    assert restored(env).cached_files() == {"words": str(file), "folder": str(tmp_path)}
    env.set_parallelism(2)
    assert sorted(env.from_collection(["a", "b"]).map(ReadCached()).execute_and_collect()) == ["a!", "b!"]
    with pytest.raises(InputOutputError, match="no file"):
        env.register_cached_file("/there/is/none", "none")
    with pytest.raises(ConfigurationError, match="already"):
        env.register_cached_file(str(tmp_path), "words")


def test_a_cached_file_that_there_is_none_of(env: StreamExecutionEnvironment) -> None:
    with pytest.raises(ConfigurationError, match="no cached file 'words'"):
        list(env.from_collection(["a"]).map(ReadCached()).execute_and_collect())


def test_python_files_can_be_imported(env: StreamExecutionEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "millstream_test_twice.py").write_text("def twice(n):\n    return 2 * n\n")
    monkeypatch.setattr(sys, "path", list(sys.path))
    env.add_python_file(str(tmp_path / "millstream_test_twice.py"))

    def twice(number: int) -> int:
        import millstream_test_twice  # type: ignore[import-not-found]

        return int(millstream_test_twice.twice(number))

    assert list(env.from_collection([1, 2]).map(twice).execute_and_collect()) == [2, 4]
    with pytest.raises(InputOutputError, match="no Python file"):
        env.add_python_file(os.fspath(tmp_path / "none.py"))
    env.add_python_archive("data.zip", "data")
    env.set_python_requirements("requirements.txt", "cache")
    env.set_python_executable("/usr/bin/python3")
    kept = {key: value for key, value in env.get_configuration().to_dict().items() if key.startswith("python.") and key != "python.files"}
    assert kept == {"python.archives": "data.zip#data", "python.requirements": "requirements.txt#cache", "python.executable": "/usr/bin/python3"}


# ---- Slot sharing groups ---------------------------------------------------------------------------------------------------------------------


def test_slot_sharing_groups(env: StreamExecutionEnvironment) -> None:
    plain = SlotSharingGroup.builder("a").build()
    assert (plain.get_cpu_cores(), plain.get_managed_memory(), plain.get_external_resources()) == (None, None, {})
    builder = SlotSharingGroup.builder("b").set_cpu_cores(1.5).set_task_heap_memory_mb(10).set_external_resource("gpu", 1.0)
    group = builder.set_managed_memory_mb(3).set_task_off_heap_memory(MemorySize(7)).build()
    assert (group.get_cpu_cores(), group.get_task_heap_memory(), group.get_external_resources()) == (1.5, MemorySize.of_mebi_bytes(10), {"gpu": 1.0})
    assert (group.get_managed_memory(), group.get_task_off_heap_memory()) == (MemorySize(3 << 20), MemorySize(7))
    assert group == builder.build()
    assert group != plain
    env.register_slot_sharing_group(group)
    with pytest.raises(TypeError, match="SlotSharingGroup"):
        env.register_slot_sharing_group("b")  # type: ignore[arg-type]
    for broken in (
        lambda: SlotSharingGroup.builder("c").set_cpu_cores(1).build(),
        lambda: SlotSharingGroup.builder("c").set_managed_memory_mb(1).build(),
        lambda: SlotSharingGroup.builder("c").set_cpu_cores(0),
        lambda: SlotSharingGroup.builder("c").set_task_heap_memory_mb(0),
        lambda: SlotSharingGroup.builder("c").set_external_resource("gpu", 0),
        lambda: MemorySize(-1),
    ):
        with pytest.raises(ConfigurationError):
            broken()


def test_memory_sizes() -> None:
    texts = [str(MemorySize(size)) for size in (0, 1_023, 1_024, 3 << 19, 1 << 30, 1 << 40)]
    assert texts == ["0 bytes", "1023 bytes", "1 kb", "1536 kb", "1 gb", "1099511627776 bytes"]
    size = MemorySize((1 << 40) + 1)
    units = size.get_kibi_bytes(), size.get_mebi_bytes(), size.get_gibi_bytes(), size.get_tebi_bytes()
    assert units == (1 << 30, 1 << 20, 1 << 10, 1)
    assert MemorySize(1) < MemorySize(2) <= MemorySize(2)
    with pytest.raises(TypeError):
        _ = MemorySize(1) < 2
