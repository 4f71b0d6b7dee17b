"""Streams in windows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Self

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.time import Duration, Time, milliseconds_of
from millstream.common.typeinfo import PickledBytesTypeInfo, TypeInformation, type_from_schema, type_of
from millstream.datastream.checkpointed_function import refuse_checkpointed
from millstream.datastream.data_stream import DataStream
from millstream.datastream.evictors import Evictor
from millstream.datastream.field_access import field_index, rolling_first, rolling_function
from millstream.datastream.function_adapter import callables_of, checked_function, declare_side_outputs, window_process
from millstream.datastream.functions import AggregateFunction, Function, ProcessWindowFunction, ReduceFunction, WindowFunction
from millstream.datastream.output_tag import OutputTag
from millstream.datastream.stored_states import asks_for_states, looks_at_window
from millstream.datastream.transformation import JobBuilder, Transformation, infer_keyed_type
from millstream.datastream.triggers import CountTrigger, PurgingTrigger, Trigger
from millstream.datastream.window import (
    CountSlidingWindowAssigner,
    CountTumblingWindowAssigner,
    MergingWindowAssigner,
    WindowAssigner,
    WindowShape,
)
from millstream.exceptions import ConfigurationError, PlanError, UnsupportedError, with_article

if TYPE_CHECKING:
    from millstream.datastream.aggregates import Aggregate
    from millstream.datastream.keyed_stream import KeyedStream

__all__ = ["WindowedStream"]

#: Kind, column (-1 for none) and the result's name, as the engine takes them.
AggregateCall = tuple[Literal["COUNT_ALL", "COUNT", "SUM", "MIN", "MAX", "AVERAGE"], int, str]
#: Makes the parts of an engine's window that hold functions, when the job is built.
Parts = Callable[[JobBuilder, Transformation], dict[str, _native.Function]]
AddWindow = Callable[[JobBuilder, Transformation, list[_native.Input]], int]


class WindowedStream:
    """A keyed stream whose values are in windows. A window's results come when it is complete, and again for late values that are allowed.

    With another trigger, they come when that one says so:

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> from millstream.datastream.window import CountTrigger, GlobalWindows, PurgingTrigger
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> words = env.from_collection([("a", 1), ("b", 1), ("a", 2), ("a", 3), ("a", 4)])
    >>> pairs = words.key_by(lambda word: word[0]).window(GlobalWindows.create()).trigger(PurgingTrigger.of(CountTrigger.of(2)))
    >>> list(pairs.reduce(lambda x, y: (x[0], x[1] + y[1])).execute_and_collect())
    [('a', 3), ('a', 7)]
    """

    #: The classes of window functions, and what messages call them.
    _function_classes: tuple[type[Function], ...] = (WindowFunction, ProcessWindowFunction)

    def __init__(self, keyed_stream: KeyedStream, window_assigner: WindowAssigner[Any, Any]) -> None:
        if not isinstance(window_assigner, WindowAssigner):
            hint = f"; write {window_assigner.__name__}.of(...)" if isinstance(window_assigner, type) else ""
            raise TypeError(f"window takes an assigner such as TumblingEventTimeWindows.of(Time.seconds(10)), not {window_assigner!r}{hint}")
        self._keyed_stream = keyed_stream
        self._window_assigner = window_assigner
        self._allowed_lateness = 0
        self._late_data_output_tag: OutputTag | None = None
        self._window_trigger: Trigger[Any, Any] | None = None
        self._window_evictor: Evictor[Any, Any] | None = None

    def get_execution_environment(self) -> Any:
        """The environment that the stream belongs to."""
        return self._keyed_stream.get_execution_environment()

    def get_input_type(self) -> TypeInformation:
        """The type of the elements."""
        return self._keyed_stream.get_type()

    def trigger(self, trigger: Trigger[Any, Any]) -> Self:
        """Takes another trigger than the assigner's default one.

        Raises ``TypeError`` if windows of the assigner merge and the trigger cannot.
        """
        if not isinstance(trigger, Trigger):
            hint = f"; write {trigger.__name__}.of(...) or .create()" if isinstance(trigger, type) else ""
            raise TypeError(f"trigger takes a Trigger such as CountTrigger.of(3), not {trigger!r}{hint}")
        if isinstance(self._window_assigner, MergingWindowAssigner) and not trigger.can_merge():
            raise TypeError(f"windows of {self._window_assigner!r} merge, and {trigger!r} cannot: its can_merge() is False")
        self._window_trigger = trigger
        return self

    def evictor(self, evictor: Evictor[Any, Any]) -> Self:
        """Takes elements out of windows when they fire. PyFlink has it not; it is that of Flink's Java API.

        >>> from millstream.datastream import StreamExecutionEnvironment
        >>> from millstream.datastream.window import CountEvictor, CountTrigger, GlobalWindows
        >>> env = StreamExecutionEnvironment.get_execution_environment()
        >>> numbers = env.from_collection([1, 2, 3, 4]).key_by(lambda number: "all")
        >>> sums = numbers.window(GlobalWindows.create()).trigger(CountTrigger.of(1)).evictor(CountEvictor.of(2)).sum(0)
        >>> list(sums.execute_and_collect())
        [1, 3, 5, 7]
        """
        if not isinstance(evictor, Evictor):
            raise TypeError(f"evictor takes an Evictor such as CountEvictor.of(3), not {evictor!r}")
        self._window_evictor = evictor
        return self

    def allowed_lateness(self, time_ms: int | Time | Duration | timedelta) -> Self:
        """How long after its end a window still takes late values, which make it fire again. Only for event time.

        Raises ``ConfigurationError`` for a negative time.
        """
        lateness = milliseconds_of(time_ms, "allowed_lateness")
        if lateness < 0:
            raise ConfigurationError(f"the allowed lateness must not be negative, but is {lateness} ms")
        self._allowed_lateness = lateness
        return self

    def side_output_late_data(self, output_tag: OutputTag) -> Self:
        """Sends values that come too late to a side output; without this they are dropped and counted.

        The tag must have the type of the elements, or none.
        """
        if not isinstance(output_tag, OutputTag):
            raise TypeError(f"an OutputTag is needed, not {output_tag!r}")
        untyped = isinstance(output_tag.type_info, PickledBytesTypeInfo)
        if not untyped and output_tag.type_info.schema() != self.get_input_type().schema():
            raise PlanError(f"late values have type {self.get_input_type()!r}, but {output_tag!r} has another")
        self._late_data_output_tag = output_tag
        return self

    # ---- Native aggregates ----

    def agg(self, *aggregates: Aggregate) -> DataStream:
        """Counts, sums and the like of fields of declared types, computed without Python. Millstream's own.

        The results are rows of the key's fields, ``window_start`` and ``window_end`` (instants; none for count windows), and the aggregates in the
        order given.

        >>> from millstream.common import Time, Types
        >>> from millstream.datastream import StreamExecutionEnvironment
        >>> from millstream.datastream.aggregates import count, sum_
        >>> env = StreamExecutionEnvironment.get_execution_environment()
        >>> sales = env.from_collection([("a", 1), ("b", 5), ("a", 2)], Types.ROW_NAMED(["shop", "euros"], [Types.STRING(), Types.LONG()]))
        >>> totals = sales.key_by("shop").count_window(2).agg(count().alias("n"), sum_("euros").alias("total"))
        >>> list(totals.execute_and_collect())
        [Row(shop='a', n=2, total=3)]
        """
        from millstream.datastream.aggregates import Aggregate

        if not aggregates:
            raise PlanError("agg: no aggregate is given")
        calls: list[AggregateCall] = []
        for aggregate in aggregates:
            if not isinstance(aggregate, Aggregate):
                raise TypeError(f"agg takes aggregates such as count() and sum_('price'), not {aggregate!r}; aggregate takes an AggregateFunction")
            column = -1 if aggregate.field is None else field_index(self.get_input_type(), aggregate.field, "agg")
            calls.append((aggregate.kind, column, aggregate.name))
        names = [name for _, _, name in calls]
        for name in names:
            if names.count(name) > 1:
                raise PlanError(f"agg: two aggregates are called {name!r}; give one another name with alias")
        keyed, shape = self._keyed_stream, self._native_shape()
        if shape is None:
            part = self._window_trigger or self._window_evictor or self._window_assigner
            raise UnsupportedError(f"agg runs in the engine, which has no {part!r}; use reduce or aggregate")
        schema = infer_keyed_type(
            keyed.get_type(),
            keyed.get_key_type(),
            keyed._input.keys,
            lambda native, stream: native.window(stream, native_window(shape, 0, None, calls, {})),
        )
        return self._window_stream(shape, type_from_schema(schema), lambda builder, transformation: {}, calls)

    # ---- Functions ----

    def reduce(
        self,
        reduce_function: Callable[[Any, Any], Any] | ReduceFunction[Any],
        window_function: WindowFunction[Any, Any, Any, Any] | ProcessWindowFunction[Any, Any, Any, Any] | None = None,
        output_type: TypeInformation | list[Any] | str | None = None,
    ) -> DataStream:
        """Reduces each window's elements to one, as they come; a window function may then make results of that one."""
        return self._reduce(reduce_function, window_function, output_type)

    def _reduce(
        self, reduce_function: Any, window_function: Any = None, output_type: Any = None, first: Callable[[Any], Any] | None = None
    ) -> DataStream:
        checked_function(reduce_function, ReduceFunction, "reduce", "reduce")
        schema = self.get_input_type().schema()
        if window_function is None and output_type is None:
            output_type = self.get_input_type()

        def parts(builder: JobBuilder, transformation: Transformation) -> dict[str, _native.Function]:
            callables = callables_of(reduce_function, ["reduce"], builder.scope, transformation.name)
            return {"reduce": _native.reducer(callables, schema, transformation.name, first)}

        return self._functions(parts, reduce_function, window_function, schema, type_of(output_type, "output_type of reduce"))

    def aggregate(
        self,
        aggregate_function: AggregateFunction[Any, Any, Any],
        window_function: WindowFunction[Any, Any, Any, Any] | ProcessWindowFunction[Any, Any, Any, Any] | None = None,
        accumulator_type: TypeInformation | list[Any] | None = None,
        output_type: TypeInformation | list[Any] | str | None = None,
    ) -> DataStream:
        """Adds each window's elements to an accumulator, as they come; a window function may then make results of the aggregate's one."""
        if not isinstance(aggregate_function, AggregateFunction):
            raise TypeError(f"aggregate takes an AggregateFunction, not {aggregate_function!r}; agg takes count(), sum_('price') and the like")
        accumulator = type_of(accumulator_type, "accumulator_type of aggregate")
        result_type = type_of(output_type, "output_type of aggregate")
        schema = self.get_input_type().schema()
        # A window function sees the aggregate's result as it is; only what it makes of it has the declared type.
        result_schema = result_type.schema() if window_function is None else "OBJECT"
        methods = ["create_accumulator", "add", "get_result", "merge"]

        def parts(builder: JobBuilder, transformation: Transformation) -> dict[str, _native.Function]:
            callables = callables_of(aggregate_function, methods, builder.scope, transformation.name)
            return {"aggregate": _native.aggregator(callables, schema, accumulator.schema(), result_schema, transformation.name)}

        return self._functions(parts, aggregate_function, window_function, result_schema, result_type)

    def apply(self, window_function: WindowFunction[Any, Any, Any, Any], output_type: TypeInformation | list[Any] | str | None = None) -> DataStream:
        """Makes results of each window's elements, which are kept until it is complete."""
        if not isinstance(window_function, self._function_classes[0]):
            raise TypeError(f"apply takes {_a(self._function_classes[0])}, not {window_function!r}")
        return self._functions(None, None, window_function, self.get_input_type().schema(), type_of(output_type, "output_type of apply"))

    def process(
        self, process_window_function: ProcessWindowFunction[Any, Any, Any, Any], output_type: TypeInformation | list[Any] | str | None = None
    ) -> DataStream:
        """Makes results of each window's elements, which are kept until it is complete, with window and time at hand."""
        if not isinstance(process_window_function, self._function_classes[1]):
            raise TypeError(f"process takes {_a(self._function_classes[1])}, not {process_window_function!r}")
        return self._functions(None, None, process_window_function, self.get_input_type().schema(), type_of(output_type, "output_type of process"))

    def sum(self, position_to_sum: int | str = 0) -> DataStream:
        """The window's first element with the sum of a field."""
        return self._rolling("SUM", position_to_sum)

    def min(self, position_to_min: int | str = 0) -> DataStream:
        """The window's first element with the smallest of a field."""
        return self._rolling("MIN", position_to_min)

    def max(self, position_to_max: int | str = 0) -> DataStream:
        """The window's first element with the largest of a field."""
        return self._rolling("MAX", position_to_max)

    def min_by(self, position_to_min_by: int | str = 0) -> DataStream:
        """The window's element with the smallest field; of equal ones the first."""
        return self._rolling("MIN_BY", position_to_min_by)

    def max_by(self, position_to_max_by: int | str = 0) -> DataStream:
        """The window's element with the largest field; of equal ones the first."""
        return self._rolling("MAX_BY", position_to_max_by)

    # ---- Inside ----

    def _rolling(self, kind: str, field: int | str) -> DataStream:
        if not isinstance(self.get_input_type(), PickledBytesTypeInfo):
            field_index(self.get_input_type(), field, kind.lower())
        return self._reduce(rolling_function(kind, field), first=rolling_first(kind, field))

    def _native_shape(self, window_function: Any = None) -> WindowShape | None:
        """How the engine's own window operator does it; None if it cannot."""
        assigner, trigger = self._window_assigner, self._window_trigger
        # A subclass of the user's may do anything.
        shape = assigner._shape() if type(assigner).__module__ == WindowAssigner.__module__ else None
        if shape is None or self._window_evictor is not None or asks_for_states(window_function):
            return None
        # The engine does not number count windows.
        if shape.is_count and looks_at_window(window_function):
            return None
        default = assigner.get_default_trigger(None)
        is_default = trigger is None or (type(trigger) is type(default) and not isinstance(trigger, CountTrigger))
        return shape if is_default else None

    def _functions(self, parts: Parts | None, accumulate: Any, window_function: Any, schema: str, result: TypeInformation) -> DataStream:
        if window_function is not None and not isinstance(window_function, self._function_classes):
            raise TypeError(f"{_a(*self._function_classes)} is needed, not {window_function!r}")
        refuse_checkpointed(accumulate, "a window")
        refuse_checkpointed(window_function, "a window")
        shape = self._native_shape(window_function)
        if shape is None:
            return self._add(result, self._general_window(accumulate, window_function))
        key_schema = self._keyed_stream.get_key_type().schema()
        late = None if self._late_data_output_tag is None else self._late_data_output_tag.tag_id

        def all_parts(builder: JobBuilder, transformation: Transformation) -> dict[str, _native.Function]:
            found = {} if parts is None else parts(builder, transformation)
            if window_function is not None:
                found["process"] = window_process(builder, transformation, window_function, schema, key_schema, late)
            return found

        return self._window_stream(shape, result, all_parts, [], self._general_window(accumulate, window_function))

    def _window_stream(
        self, shape: WindowShape, result: TypeInformation, parts: Parts, aggregates: list[AggregateCall], general: AddWindow | None = None
    ) -> DataStream:
        lateness, tag = self._allowed_lateness, self._late_data_output_tag
        late = None if tag is None else tag.tag_id

        def add(builder: JobBuilder, transformation: Transformation, inputs: list[_native.Input]) -> int:
            if builder.is_twin and general is not None:
                return general(builder, transformation, inputs)
            window = native_window(shape, lateness, late, aggregates, parts(builder, transformation))
            return declare_side_outputs(builder, transformation, builder.native.window(inputs[0], window), late)

        return self._add(result, add)

    def _general_window(self, accumulate: Any, window_function: Any) -> AddWindow:
        """How the general operator does it."""
        from millstream.datastream.window_operator import WindowParts, general_window

        assigner = self._window_assigner
        trigger = self._window_trigger or assigner.get_default_trigger(self.get_execution_environment())
        if not isinstance(trigger, Trigger):
            raise TypeError(f"get_default_trigger of {assigner!r} gave {trigger!r}; a Trigger was expected")
        if self._window_trigger is None and isinstance(assigner, (CountTumblingWindowAssigner, CountSlidingWindowAssigner)):
            # Nothing comes into a full window any more: what it held goes.
            trigger = PurgingTrigger.of(trigger)
        if isinstance(assigner, MergingWindowAssigner) and not trigger.can_merge():
            raise TypeError(f"windows of {assigner!r} merge, and {trigger!r} cannot: its can_merge() is False")
        parts = WindowParts(assigner, trigger, self._window_evictor, self._allowed_lateness, self._late_data_output_tag, accumulate, window_function)
        schema, key_schema = self.get_input_type().schema(), self._keyed_stream.get_key_type().schema()
        return lambda builder, transformation, inputs: general_window(builder, transformation, inputs[0], parts, schema, key_schema)

    def _add(self, result: TypeInformation, add: AddWindow) -> DataStream:
        stream = self._keyed_stream._add(f"Window({self._window_assigner!r})", result, add)
        tag = self._late_data_output_tag
        if tag is not None:
            # Late rows have the elements' own type, whatever the tag says: an untyped tag gives the same values.
            stream._transformation.side_outputs[tag.tag_id] = self.get_input_type()
            tag.type_info = self.get_input_type()
        return stream

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._window_assigner!r} of {self.get_input_type()!r}>"


def _a(*classes: type) -> str:
    """The classes' names in a message."""
    return " or ".join(with_article(found) for found in classes)


def native_window(
    shape: WindowShape, lateness: int, late: str | None, aggregates: list[AggregateCall], parts: dict[str, _native.Function]
) -> _native.Window:
    """A window in the engine's words."""
    return _native.Window(
        shape.kind,
        shape.size,
        slide=shape.slide,
        offset=shape.offset,
        is_event_time=shape.is_event_time,
        allowed_lateness=lateness if shape.is_event_time else 0,
        late_output=late,
        aggregates=aggregates,
        reduce=parts.get("reduce"),
        aggregate=parts.get("aggregate"),
        process=parts.get("process"),
    )


guard(globals())
