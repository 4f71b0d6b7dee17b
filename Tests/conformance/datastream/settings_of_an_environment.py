from pyflink.common import Configuration, Duration
from pyflink.datastream import (
    CheckpointingMode,
    EmbeddedRocksDBStateBackend,
    ExternalizedCheckpointRetention,
    FileSystemCheckpointStorage,
    JobManagerCheckpointStorage,
    MemorySize,
    SlotSharingGroup,
    StreamExecutionEnvironment,
)

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
checkpoints, config = env.get_checkpoint_config(), env.get_config()


def show(what):
    print(what)
    print(env.get_checkpoint_interval(), env.get_checkpointing_consistency_mode().name, checkpoints.is_checkpointing_enabled())
    print(checkpoints.get_checkpoint_timeout(), checkpoints.get_min_pause_between_checkpoints(), checkpoints.get_max_concurrent_checkpoints())
    print(checkpoints.get_tolerable_checkpoint_failure_number(), checkpoints.is_fail_on_checkpointing_errors())
    print(checkpoints.get_externalized_checkpoint_retention().name, checkpoints.is_externalized_checkpoints_enabled())
    print(env.is_unaligned_checkpoints_enabled(), env.is_force_unaligned_checkpoints(), env.is_changelog_state_backend_enabled())
    print(config.get_latency_tracking_interval(), config.get_task_cancellation_interval(), config.get_task_cancellation_timeout())
    print(config.is_object_reuse_enabled(), config.is_use_snapshot_compression(), config.is_closure_cleaner_enabled())
    print(config.get_auto_watermark_interval(), config.get_global_job_parameters(), env.get_default_savepoint_directory(), env.get_buffer_timeout())


show("at first")
checkpoints.enable_unaligned_checkpoints()
show("unaligned without checkpoints")
env.enable_checkpointing(1000)
show("enabled")
env.enable_checkpointing(2000, CheckpointingMode.AT_LEAST_ONCE)
checkpoints.set_fail_on_checkpointing_errors(False).set_aligned_checkpoint_timeout(Duration.of_seconds(1))
checkpoints.set_externalized_checkpoint_retention(ExternalizedCheckpointRetention.RETAIN_ON_CANCELLATION)
show("at least once")
settings = Configuration()
settings.set_string("execution.checkpointing.interval", "30 s")
settings.set_string("execution.checkpointing.mode", "EXACTLY_ONCE")
settings.set_string("execution.checkpointing.max-concurrent-checkpoints", "2")
settings.set_string("pipeline.global-job-parameters", "a:1,b:x")
settings.set_string("pipeline.object-reuse", "true")
env.configure(settings)
show("by key")

for change in (
    lambda: checkpoints.set_checkpoint_interval(9),
    lambda: checkpoints.set_checkpoint_timeout(9),
    lambda: checkpoints.set_min_pause_between_checkpoints(-1),
    lambda: checkpoints.set_max_concurrent_checkpoints(0),
    lambda: checkpoints.set_tolerable_checkpoint_failure_number(-1),
    lambda: FileSystemCheckpointStorage("file:///tmp/a", 1 << 21),
    lambda: FileSystemCheckpointStorage("file:///"),
    lambda: JobManagerCheckpointStorage(None, 0),
    lambda: EmbeddedRocksDBStateBackend().set_db_storage_paths("relative"),
    lambda: EmbeddedRocksDBStateBackend().set_number_of_transfer_threads(0),
    lambda: SlotSharingGroup.builder("a").set_cpu_cores(1.0).build(),
    lambda: SlotSharingGroup.builder("a").set_cpu_cores(0.0),
    lambda: MemorySize(bytes_size=-1),
):
    try:
        change()
        print("accepted")
    except Exception:
        print("refused")

for storage in (JobManagerCheckpointStorage(), JobManagerCheckpointStorage("file:///tmp/a", 100)):
    print(storage.get_checkpoint_path(), storage.get_savepoint_path(), storage.get_max_state_size())
for storage in (FileSystemCheckpointStorage("file:///tmp/a"), FileSystemCheckpointStorage("file:///tmp/a", 1000, 2000)):
    print(storage.get_checkpoint_path(), storage.get_min_file_size_threshold(), storage.get_write_buffer_size())
backend = EmbeddedRocksDBStateBackend(True)
backend.set_db_storage_paths("file:///tmp/x", "/tmp/y")
print(backend.get_db_storage_paths(), backend.is_incremental_checkpoints_enabled(), backend.get_number_of_transfer_threads())
print(backend.get_predefined_options().name, backend.get_options())
for size in (0, 1023, 1024, 3 << 19, 1 << 30, (1 << 40) + 1):
    memory = MemorySize(bytes_size=size)
    print(memory, memory.get_kibi_bytes(), memory.get_mebi_bytes(), memory.get_gibi_bytes(), memory.get_tebi_bytes())
group = SlotSharingGroup.builder("g").set_cpu_cores(1.5).set_task_heap_memory_mb(10).set_external_resource("gpu", 1.0).build()
print(group.get_name(), group.get_cpu_cores(), group.get_task_heap_memory(), group.get_task_off_heap_memory(), group.get_managed_memory())
print(group.get_external_resources(), SlotSharingGroup.builder("n").build().get_managed_memory())
