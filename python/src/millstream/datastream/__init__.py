"""The DataStream API: streams of values, functions over them, keys, windows, states and timers."""

from millstream.datastream.closeable_iterator import CloseableIterator
from millstream.datastream.data_stream import DataStream
from millstream.datastream.data_stream_sink import DataStreamSink
from millstream.datastream.execution_mode import RuntimeExecutionMode
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
from millstream.datastream.slot_sharing_group import SlotSharingGroup
from millstream.datastream.stream_execution_environment import StreamExecutionEnvironment
from millstream.datastream.time_domain import TimeDomain
from millstream.datastream.timerservice import TimerService
from millstream.datastream.window import CountWindow, GlobalWindow, TimeWindow, Window, WindowAssigner
from millstream.datastream.windowed_stream import WindowedStream

__all__ = [
    "AggregateFunction",
    "CloseableIterator",
    "CountWindow",
    "DataStream",
    "DataStreamSink",
    "FilterFunction",
    "FlatMapFunction",
    "GlobalWindow",
    "KeySelector",
    "KeyedProcessFunction",
    "KeyedStream",
    "MapFunction",
    "OutputTag",
    "Partitioner",
    "ProcessFunction",
    "ProcessWindowFunction",
    "ReduceFunction",
    "RuntimeContext",
    "RuntimeExecutionMode",
    "SinkFunction",
    "SlotSharingGroup",
    "StreamExecutionEnvironment",
    "TimeDomain",
    "TimeWindow",
    "TimerService",
    "Window",
    "WindowAssigner",
    "WindowFunction",
    "WindowedStream",
]
