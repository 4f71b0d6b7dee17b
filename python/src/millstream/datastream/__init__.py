"""The DataStream API: streams of values, functions over them, keys, windows, states and timers."""

from typing import TYPE_CHECKING

from millstream._lazy import lazily

if TYPE_CHECKING:
    from millstream.datastream.async_data_stream import AsyncDataStream
    from millstream.datastream.async_functions import AsyncFunction, AsyncRetryPredicate, AsyncRetryStrategy
    from millstream.datastream.checkpoint_config import CheckpointConfig, ExternalizedCheckpointCleanup
    from millstream.datastream.checkpoint_storage import (
        CheckpointStorage,
        CustomCheckpointStorage,
        FileSystemCheckpointStorage,
        JobManagerCheckpointStorage,
    )
    from millstream.datastream.checkpointed_function import CheckpointedFunction, FunctionInitializationContext, FunctionSnapshotContext
    from millstream.datastream.checkpointing_mode import CheckpointingMode
    from millstream.datastream.closeable_iterator import CloseableIterator
    from millstream.datastream.co_functions import (
        BroadcastProcessFunction,
        CoFlatMapFunction,
        CoMapFunction,
        CoProcessFunction,
        KeyedBroadcastProcessFunction,
        KeyedCoProcessFunction,
        ProcessJoinFunction,
    )
    from millstream.datastream.connected_streams import BroadcastConnectedStream, BroadcastStream, ConnectedStreams
    from millstream.datastream.data_stream import DataStream
    from millstream.datastream.data_stream_sink import DataStreamSink
    from millstream.datastream.execution_mode import RuntimeExecutionMode
    from millstream.datastream.externalized_checkpoint_retention import ExternalizedCheckpointRetention
    from millstream.datastream.function_wrappers import SourceFunction
    from millstream.datastream.functions import (
        AggregateFunction,
        FilterFunction,
        FlatMapFunction,
        KeyedProcessFunction,
        KeySelector,
        MapFunction,
        Partitioner,
        ProcessFunction,
        ProcessWindowFunction,
        ReduceFunction,
        RuntimeContext,
        SinkFunction,
        WindowFunction,
    )
    from millstream.datastream.keyed_stream import KeyedStream
    from millstream.datastream.output_tag import OutputTag
    from millstream.datastream.slot_sharing_group import MemorySize, SlotSharingGroup
    from millstream.datastream.state_backend import (
        CustomStateBackend,
        EmbeddedRocksDBStateBackend,
        FsStateBackend,
        HashMapStateBackend,
        MemoryStateBackend,
        PredefinedOptions,
        RocksDBStateBackend,
        StateBackend,
    )
    from millstream.datastream.stream_execution_environment import StreamExecutionEnvironment
    from millstream.datastream.time_characteristic import TimeCharacteristic
    from millstream.datastream.time_domain import TimeDomain
    from millstream.datastream.timerservice import TimerService
    from millstream.datastream.window import (
        CountWindow,
        GlobalWindow,
        MergingWindowAssigner,
        TimeWindow,
        Trigger,
        TriggerResult,
        Window,
        WindowAssigner,
    )
    from millstream.datastream.windowed_stream import WindowedStream
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "millstream.datastream.async_data_stream": "AsyncDataStream",
            "millstream.datastream.async_functions": "AsyncFunction AsyncRetryPredicate AsyncRetryStrategy",
            "millstream.datastream.checkpoint_config": "CheckpointConfig ExternalizedCheckpointCleanup",
            "millstream.datastream.checkpoint_storage": (
                "CheckpointStorage CustomCheckpointStorage FileSystemCheckpointStorage JobManagerCheckpointStorage"
            ),
            "millstream.datastream.checkpointed_function": "CheckpointedFunction FunctionInitializationContext FunctionSnapshotContext",
            "millstream.datastream.checkpointing_mode": "CheckpointingMode",
            "millstream.datastream.closeable_iterator": "CloseableIterator",
            "millstream.datastream.co_functions": (
                "BroadcastProcessFunction CoFlatMapFunction CoMapFunction CoProcessFunction KeyedBroadcastProcessFunction "
                "KeyedCoProcessFunction ProcessJoinFunction"
            ),
            "millstream.datastream.connected_streams": "BroadcastConnectedStream BroadcastStream ConnectedStreams",
            "millstream.datastream.data_stream": "DataStream",
            "millstream.datastream.data_stream_sink": "DataStreamSink",
            "millstream.datastream.execution_mode": "RuntimeExecutionMode",
            "millstream.datastream.externalized_checkpoint_retention": "ExternalizedCheckpointRetention",
            "millstream.datastream.function_wrappers": "SourceFunction",
            "millstream.datastream.functions": (
                "AggregateFunction FilterFunction FlatMapFunction KeyedProcessFunction KeySelector MapFunction Partitioner "
                "ProcessFunction ProcessWindowFunction ReduceFunction RuntimeContext SinkFunction WindowFunction"
            ),
            "millstream.datastream.keyed_stream": "KeyedStream",
            "millstream.datastream.output_tag": "OutputTag",
            "millstream.datastream.slot_sharing_group": "MemorySize SlotSharingGroup",
            "millstream.datastream.state_backend": (
                "CustomStateBackend EmbeddedRocksDBStateBackend FsStateBackend HashMapStateBackend MemoryStateBackend PredefinedOptions "
                "RocksDBStateBackend StateBackend"
            ),
            "millstream.datastream.stream_execution_environment": "StreamExecutionEnvironment",
            "millstream.datastream.time_characteristic": "TimeCharacteristic",
            "millstream.datastream.time_domain": "TimeDomain",
            "millstream.datastream.timerservice": "TimerService",
            "millstream.datastream.window": "CountWindow GlobalWindow MergingWindowAssigner TimeWindow Trigger TriggerResult Window WindowAssigner",
            "millstream.datastream.windowed_stream": "WindowedStream",
        },
    )

__all__ = [
    "AggregateFunction",
    "AsyncDataStream",
    "AsyncFunction",
    "AsyncRetryPredicate",
    "AsyncRetryStrategy",
    "BroadcastConnectedStream",
    "BroadcastProcessFunction",
    "BroadcastStream",
    "CheckpointConfig",
    "CheckpointStorage",
    "CheckpointedFunction",
    "CheckpointingMode",
    "CloseableIterator",
    "CoFlatMapFunction",
    "CoMapFunction",
    "CoProcessFunction",
    "ConnectedStreams",
    "CountWindow",
    "CustomCheckpointStorage",
    "CustomStateBackend",
    "DataStream",
    "DataStreamSink",
    "EmbeddedRocksDBStateBackend",
    "ExternalizedCheckpointCleanup",
    "ExternalizedCheckpointRetention",
    "FileSystemCheckpointStorage",
    "FilterFunction",
    "FlatMapFunction",
    "FsStateBackend",
    "FunctionInitializationContext",
    "FunctionSnapshotContext",
    "GlobalWindow",
    "HashMapStateBackend",
    "JobManagerCheckpointStorage",
    "KeySelector",
    "KeyedBroadcastProcessFunction",
    "KeyedCoProcessFunction",
    "KeyedProcessFunction",
    "KeyedStream",
    "MapFunction",
    "MemorySize",
    "MemoryStateBackend",
    "MergingWindowAssigner",
    "OutputTag",
    "Partitioner",
    "PredefinedOptions",
    "ProcessFunction",
    "ProcessJoinFunction",
    "ProcessWindowFunction",
    "ReduceFunction",
    "RocksDBStateBackend",
    "RuntimeContext",
    "RuntimeExecutionMode",
    "SinkFunction",
    "SlotSharingGroup",
    "SourceFunction",
    "StateBackend",
    "StreamExecutionEnvironment",
    "TimeCharacteristic",
    "TimeDomain",
    "TimeWindow",
    "TimerService",
    "Trigger",
    "TriggerResult",
    "Window",
    "WindowAssigner",
    "WindowFunction",
    "WindowedStream",
]
