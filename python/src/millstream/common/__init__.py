"""What all APIs share: types, rows, time, configuration, jobs."""

from typing import TYPE_CHECKING

from millstream._lazy import lazily

if TYPE_CHECKING:
    from millstream.common.completable_future import CompletableFuture
    from millstream.common.config_options import ConfigOption, ConfigOptions
    from millstream.common.configuration import Configuration
    from millstream.common.execution_config import ExecutionConfig
    from millstream.common.execution_mode import ExecutionMode
    from millstream.common.input_dependency_constraint import InputDependencyConstraint
    from millstream.common.job_client import JobClient
    from millstream.common.job_execution_result import JobExecutionResult
    from millstream.common.job_id import JobID
    from millstream.common.job_status import JobStatus
    from millstream.common.restart_strategy import RestartStrategies, RestartStrategyConfiguration
    from millstream.common.serialization import ByteArraySchema, DeserializationSchema, Encoder, SerializationSchema, SimpleStringSchema
    from millstream.common.serializer import TypeSerializer
    from millstream.common.time import Duration, Instant, Time
    from millstream.common.typeinfo import TypeInformation, Types
    from millstream.common.types import Row, RowKind
    from millstream.common.watermark_strategy import AssignerWithPeriodicWatermarksWrapper, TimestampAssigner, WatermarkGenerator, WatermarkStrategy
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "millstream.common.completable_future": "CompletableFuture",
            "millstream.common.config_options": "ConfigOption ConfigOptions",
            "millstream.common.configuration": "Configuration",
            "millstream.common.execution_config": "ExecutionConfig",
            "millstream.common.execution_mode": "ExecutionMode",
            "millstream.common.input_dependency_constraint": "InputDependencyConstraint",
            "millstream.common.job_client": "JobClient",
            "millstream.common.job_execution_result": "JobExecutionResult",
            "millstream.common.job_id": "JobID",
            "millstream.common.job_status": "JobStatus",
            "millstream.common.restart_strategy": "RestartStrategies RestartStrategyConfiguration",
            "millstream.common.serialization": "ByteArraySchema DeserializationSchema Encoder SerializationSchema SimpleStringSchema",
            "millstream.common.serializer": "TypeSerializer",
            "millstream.common.time": "Duration Instant Time",
            "millstream.common.typeinfo": "TypeInformation Types",
            "millstream.common.types": "Row RowKind",
            "millstream.common.watermark_strategy": "AssignerWithPeriodicWatermarksWrapper TimestampAssigner WatermarkGenerator WatermarkStrategy",
        },
    )

__all__ = [
    "AssignerWithPeriodicWatermarksWrapper",
    "ByteArraySchema",
    "CompletableFuture",
    "ConfigOption",
    "ConfigOptions",
    "Configuration",
    "DeserializationSchema",
    "Duration",
    "Encoder",
    "ExecutionConfig",
    "ExecutionMode",
    "InputDependencyConstraint",
    "Instant",
    "JobClient",
    "JobExecutionResult",
    "JobID",
    "JobStatus",
    "RestartStrategies",
    "RestartStrategyConfiguration",
    "Row",
    "RowKind",
    "SerializationSchema",
    "SimpleStringSchema",
    "Time",
    "TimestampAssigner",
    "TypeInformation",
    "TypeSerializer",
    "Types",
    "WatermarkGenerator",
    "WatermarkStrategy",
]
