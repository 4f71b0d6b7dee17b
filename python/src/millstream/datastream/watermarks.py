"""Watermark strategies in the engine's words."""

from __future__ import annotations

from typing import Any

from millstream import _native
from millstream.common.typeinfo import PickledBytesTypeInfo, TypeInformation
from millstream.common.watermark_strategy import TimestampAssigner, WatermarkStrategy
from millstream.datastream.field_access import field_index
from millstream.datastream.transformation import JobScope, Transformation
from millstream.exceptions import PlanError


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
        max_future_drift=strategy._max_future_drift or 0,
        future_output=None if strategy._future_output_tag is None else strategy._future_output_tag.tag_id,
        alignment_group=None if strategy._alignment is None else strategy._alignment[0],
        alignment_drift=0 if strategy._alignment is None else strategy._alignment[1],
    )


def check_future_output(strategy: WatermarkStrategy | None, type_info: TypeInformation) -> None:
    """Raises ``PlanError`` for a tag of another type than the stream's."""
    tag = None if strategy is None else strategy._future_output_tag
    if tag is None or isinstance(tag.type_info, PickledBytesTypeInfo):
        return
    if tag.type_info.schema() != type_info.schema():
        raise PlanError(f"records that are ahead of the clock have type {type_info!r}, but {tag!r} has another")


def add_future_output(strategy: WatermarkStrategy | None, transformation: Transformation) -> None:
    """Notes the side output of the strategy's tag: an untyped tag gives values of the stream's own type."""
    tag = None if strategy is None else strategy._future_output_tag
    if tag is not None:
        transformation.side_outputs[tag.tag_id] = transformation.type_info
        tag.type_info = transformation.type_info


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
