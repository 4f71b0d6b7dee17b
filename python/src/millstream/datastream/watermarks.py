"""Watermark strategies in the engine's words."""

from __future__ import annotations

from typing import Any

from millstream import _native
from millstream.common.typeinfo import TypeInformation
from millstream.common.watermark_strategy import TimestampAssigner, WatermarkStrategy
from millstream.datastream.field_access import field_index
from millstream.datastream.transformation import JobScope


def lower_watermarks(strategy: WatermarkStrategy | None, type_info: TypeInformation, scope: JobScope, name: str) -> _native.Watermarks | None:
    """A strategy for a stream of this type; None where there is nothing to do."""
    if strategy is None:
        return None
    column = -1 if strategy._timestamp_column is None else field_index(type_info, strategy._timestamp_column, name)
    return _native.Watermarks(
        timestamp_column=column,
        timestamps=_timestamps(strategy, type_info, name),
        out_of_orderness=-1 if strategy._out_of_orderness is None else strategy._out_of_orderness,
        generator=_generator(strategy, name),
        idle_timeout=-1 if strategy._idle_timeout is None else strategy._idle_timeout,
    )


def _timestamps(strategy: WatermarkStrategy, type_info: TypeInformation, name: str) -> _native.Function | None:
    assigner = strategy._timestamp_assigner
    if assigner is None:
        return None
    extract = assigner.extract_timestamp if isinstance(assigner, TimestampAssigner) else assigner
    return _native.extract_timestamps(extract, type_info.schema(), name)


def _generator(strategy: WatermarkStrategy, name: str) -> _native.Function | None:
    make_generator = strategy._generator
    if make_generator is None:
        return None

    def make() -> tuple[Any, None, None]:
        generator = make_generator()
        return (generator.on_event, generator.on_periodic_emit), None, None

    return _native.watermark_generator(_native.PerSubtask(make, make_generator), name)
