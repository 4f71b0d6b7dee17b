"""Two streams that one function reads: connected streams, and a stream with a broadcast one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.typeinfo import TypeInformation, type_of
from millstream.datastream.co_functions import (
    BroadcastProcessFunction,
    CoFlatMapFunction,
    CoMapFunction,
    CoProcessFunction,
    KeyedBroadcastProcessFunction,
    KeyedCoProcessFunction,
)
from millstream.datastream.data_stream import DataStream
from millstream.datastream.function_adapter import (
    Close,
    KeyedCopies,
    Open,
    SubtaskCopies,
    checked_function,
    closer,
    dead_letter_guard,
    declare_side_outputs,
    opener,
    side_schemas,
)
from millstream.datastream.functions import Function
from millstream.datastream.keyed_stream import KeyedStream
from millstream.datastream.operator_state import BroadcastState, ReadOnlyBroadcastState
from millstream.datastream.runtime_context import Declaration, KeyedContext, KeyedSubtaskContext
from millstream.datastream.state import MapStateDescriptor, StateDescriptor, _value_schema
from millstream.datastream.transformation import JobBuilder, StreamInput, Transformation
from millstream.exceptions import InvalidStateError, PlanError, nearest

__all__ = ["BroadcastConnectedStream", "BroadcastStream", "ConnectedStreams"]

#: Picks the methods for the two streams and for timers of a function object, and the contexts that they get (None: the engine's).
Methods = Callable[[Any, _native.Context, "Opened"], tuple[Any, ...]]


class Opened:
    """What is known of a subtask once its function is open."""

    runtime_context: KeyedSubtaskContext | None = None

    def is_open(self, context: KeyedSubtaskContext) -> None:
        """Takes the function's runtime context."""
        self.runtime_context = context


class ConnectedStreams:
    """Two streams, perhaps of different types, that one function reads. :meth:`DataStream.connect` makes it.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> from millstream.datastream.functions import CoMapFunction
    >>> class Describe(CoMapFunction):
    ...     def map1(self, value):
    ...         return f"number {value}"
    ...     def map2(self, value):
    ...         return f"text {value}"
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> connected = env.from_collection([1, 2]).connect(env.from_collection(["a"]))
    >>> sorted(connected.map(Describe()).execute_and_collect())
    ['number 1', 'number 2', 'text a']
    """

    def __init__(self, stream1: DataStream, stream2: DataStream) -> None:
        if stream1._env is not stream2._env:
            raise PlanError("connect: the streams belong to different environments")
        self.stream1 = stream1
        self.stream2 = stream2

    def key_by(self, key_selector1: Any, key_selector2: Any, key_type: TypeInformation | None = None) -> ConnectedStreams:
        """Partitions both streams by key, so that values of both with one key come together. Selectors are those of :meth:`DataStream.key_by`.

        The keys of both must have one type: ``key_type`` is given to both.
        """
        return ConnectedStreams(self.stream1._values().key_by(key_selector1, key_type), self.stream2._values().key_by(key_selector2, key_type))

    def map(self, func: CoMapFunction[Any, Any, Any], output_type: TypeInformation | list[Any] | str | None = None) -> DataStream:
        """One value for each, or none where the function gives ``None``. On keyed streams the function may keep states, made in ``open``."""
        _check(func, CoMapFunction, "map")

        def methods(instance: Any, native: _native.Context, opened: Opened) -> tuple[Any, ...]:
            map1, map2 = instance.map1, instance.map2

            def first(value: Any, context: Any) -> tuple[Any] | None:
                result = map1(value)
                return None if result is None else (result,)

            def second(value: Any, context: Any) -> tuple[Any] | None:
                result = map2(value)
                return None if result is None else (result,)

            return first, second, None

        return self._add("Co-Map", func, methods, type_of(output_type, "output_type of map"))

    def flat_map(self, func: CoFlatMapFunction[Any, Any, Any], output_type: TypeInformation | list[Any] | str | None = None) -> DataStream:
        """Any number of values for each. On keyed streams the function may keep states, which it makes in ``open``."""
        _check(func, CoFlatMapFunction, "flat_map")

        def methods(instance: Any, native: _native.Context, opened: Opened) -> tuple[Any, ...]:
            flat_map1, flat_map2 = instance.flat_map1, instance.flat_map2
            return (lambda value, context: flat_map1(value)), (lambda value, context: flat_map2(value)), None

        return self._add("Co-Flat Map", func, methods, type_of(output_type, "output_type of flat_map"))

    def process(
        self,
        func: CoProcessFunction[Any, Any, Any] | KeyedCoProcessFunction[Any, Any, Any, Any],
        output_type: TypeInformation | list[Any] | str | None = None,
    ) -> DataStream:
        """Any number of results and side outputs for each value and timer.

        Raises ``TypeError`` unless it is a :class:`CoProcessFunction`, or a :class:`KeyedCoProcessFunction` and both streams are keyed.
        """
        if not isinstance(func, (CoProcessFunction, KeyedCoProcessFunction)):
            raise TypeError(f"process on connected streams takes a CoProcessFunction or a KeyedCoProcessFunction, not {func!r}")
        if isinstance(func, KeyedCoProcessFunction) and not self._is_keyed_stream():
            raise TypeError("a KeyedCoProcessFunction needs two keyed streams: connect(...).key_by(selector1, selector2)")
        name = "Keyed Co-Process" if self._is_keyed_stream() else "Co-Process"
        return self._add(name, func, _co_process_methods, type_of(output_type, "output_type of process"))

    def _is_keyed_stream(self) -> bool:
        return isinstance(self.stream1, KeyedStream) and isinstance(self.stream2, KeyedStream)

    def _key_type(self) -> TypeInformation | None:
        """The type of both keys; None without keys. Raises ``PlanError`` where they differ."""
        if not (isinstance(self.stream1, KeyedStream) and isinstance(self.stream2, KeyedStream)):
            return None
        first, second = self.stream1.get_key_type(), self.stream2.get_key_type()
        if first.schema() != second.schema():
            raise PlanError(
                f"connect: the keys have different types, {first!r} and {second!r}, and would never be equal; "
                "give both streams the same key_type, e.g. key_by(selector, Types.STRING())"
            )
        return first

    def _add(
        self, name: str, function: Any, methods: Methods, result: TypeInformation, describe: Any = None
    ) -> DataStream:
        return add_two_input(self.stream1, self.stream2, name, function, methods, result, self._key_type(), (), describe)

    def __repr__(self) -> str:
        return f"<ConnectedStreams of {self.stream1!r} and {self.stream2!r}>"


class BroadcastStream:
    """A stream whose values go to all subtasks, with the states that they change there. It can only be connected to another stream.

    >>> from millstream.common import Types
    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> from millstream.datastream.state import MapStateDescriptor
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> rules = env.from_collection([("a", 1)]).broadcast(MapStateDescriptor("rules", Types.STRING(), Types.LONG()))
    >>> isinstance(rules, BroadcastStream)
    True
    """

    def __init__(self, input_stream: DataStream, broadcast_state_descriptors: Sequence[MapStateDescriptor]) -> None:
        names = [descriptor.name for descriptor in broadcast_state_descriptors]
        for name in names:
            if names.count(name) > 1:
                raise PlanError(f"broadcast: two of the states are called {name!r}")
        self.input_stream = input_stream
        self.broadcast_state_descriptors = list(broadcast_state_descriptors)


class BroadcastConnectedStream:
    """A stream, keyed or not, and a broadcast one that one function reads. :meth:`DataStream.connect` makes it.

    >>> from millstream.common import Types
    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> from millstream.datastream.state import MapStateDescriptor
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> rules = env.from_collection([("a", 1)]).broadcast(MapStateDescriptor("rules", Types.STRING(), Types.LONG()))
    >>> isinstance(env.from_collection(["a"]).connect(rules), BroadcastConnectedStream)
    True
    """

    def __init__(
        self, non_broadcast_stream: DataStream, broadcast_stream: BroadcastStream, broadcast_state_descriptors: Sequence[MapStateDescriptor]
    ) -> None:
        if non_broadcast_stream._env is not broadcast_stream.input_stream._env:
            raise PlanError("connect: the streams belong to different environments")
        self.non_broadcast_stream = non_broadcast_stream
        self.broadcast_stream = broadcast_stream
        self.broadcast_state_descriptors = list(broadcast_state_descriptors)

    def process(
        self,
        func: BroadcastProcessFunction[Any, Any, Any] | KeyedBroadcastProcessFunction[Any, Any, Any, Any],
        output_type: TypeInformation | list[Any] | str | None = None,
    ) -> DataStream:
        """Any number of results and side outputs for each value of either stream, and for each timer.

        Raises ``TypeError`` unless it is a :class:`KeyedBroadcastProcessFunction` for a keyed stream, or a :class:`BroadcastProcessFunction` for
        another one.
        """
        stream, descriptors = self.non_broadcast_stream, self.broadcast_state_descriptors
        if isinstance(func, BroadcastProcessFunction) and isinstance(stream, KeyedStream):
            raise TypeError("a BroadcastProcessFunction is for streams without keys; a keyed stream takes a KeyedBroadcastProcessFunction")
        if isinstance(func, KeyedBroadcastProcessFunction) and not isinstance(stream, KeyedStream):
            raise TypeError("a KeyedBroadcastProcessFunction needs a keyed stream: put key_by before connect")
        if not isinstance(func, (BroadcastProcessFunction, KeyedBroadcastProcessFunction)):
            raise TypeError(f"process with a broadcast stream takes a BroadcastProcessFunction or a KeyedBroadcastProcessFunction, not {func!r}")

        def methods(instance: Any, native: _native.Context, opened: Opened) -> tuple[Any, ...]:
            writable = BroadcastContext(native, descriptors, BroadcastState, opened)
            reading = ReadingContext(native, descriptors, ReadOnlyBroadcastState, opened)
            timer = _on_timer(instance, KeyedBroadcastProcessFunction)
            return instance.process_element, instance.process_broadcast_element, timer, reading, writable, reading

        name = "Keyed-Co-Process-Broadcast" if isinstance(stream, KeyedStream) else "Co-Process-Broadcast"
        states = [_broadcast_declaration(descriptor) for descriptor in descriptors]
        key_type = stream.get_key_type() if isinstance(stream, KeyedStream) else None
        result = type_of(output_type, "output_type of process")
        return add_two_input(stream, self.broadcast_stream.input_stream, name, func, methods, result, key_type, states)


# ---- Contexts --------------------------------------------------------------------------------------------------------------------------------


class ReadingContext:
    """The context of values that are not broadcast, and of timers: the engine's own methods, and broadcast state to read."""

    # The engine's methods are attributes of the instance: a call of the user's is one call of C.
    _METHODS: tuple[str, ...] = (
        "timestamp", "current_processing_time", "current_watermark", "timer_service", "get_current_key", "time_domain",
    )  # fmt: skip

    def __init__(
        self, native: _native.Context, descriptors: Sequence[MapStateDescriptor], state_class: type[ReadOnlyBroadcastState[Any, Any]], opened: Opened
    ) -> None:
        self._native = native
        self._opened = opened
        self._states: dict[str, ReadOnlyBroadcastState[Any, Any]] = {}
        for method in self._METHODS:
            self.__dict__[method] = getattr(native, method)
        for index, descriptor in enumerate(descriptors):
            state = state_class(descriptor)
            state._bind(native, index)
            self._states[descriptor.name] = state

    @property
    def runtime(self) -> KeyedSubtaskContext:
        """The runtime context of the function, for the timers of states that expire."""
        assert self._opened.runtime_context is not None
        return self._opened.runtime_context

    def get_broadcast_state(self, state_descriptor: MapStateDescriptor) -> ReadOnlyBroadcastState[Any, Any]:
        """The state of a descriptor. Raises ``InvalidStateError`` for one that was not given to ``broadcast``."""
        name = getattr(state_descriptor, "name", None)
        state = self._states.get(name) if isinstance(name, str) else None
        if state is None:
            if not isinstance(state_descriptor, MapStateDescriptor):
                raise TypeError(f"a MapStateDescriptor is needed, not {state_descriptor!r}")
            raise InvalidStateError(
                f"there is no broadcast state {state_descriptor.name!r}{nearest(state_descriptor.name, self._states)}; "
                "give its descriptor to broadcast(...)"
            )
        return state


class BroadcastContext(ReadingContext):
    """The context of broadcast values: broadcast state to change, and the way to the states of all keys."""

    _METHODS = ("timestamp", "current_processing_time", "current_watermark", "timer_service")

    def apply_to_keyed_state(self, state_descriptor: StateDescriptor, function: Any) -> None:
        """Calls ``function(key, state)``, or its ``process``, for each key of the subtask that has something in a keyed state."""
        if not isinstance(state_descriptor, StateDescriptor):
            raise TypeError(f"apply_to_keyed_state takes the descriptor of a keyed state, not {state_descriptor!r}")
        call = function if callable(function) else getattr(function, "process", None)
        if not callable(call):
            raise TypeError(f"apply_to_keyed_state takes a function of key and state, not {function!r}")
        context = self._opened.runtime_context
        found = None if context is None else context.found(state_descriptor)
        if found is None:
            raise InvalidStateError(f"apply_to_keyed_state: the function makes no state {state_descriptor.name!r} in open")
        index, state = found
        self._native.apply_to_keys(call, index, state)


def _broadcast_declaration(descriptor: MapStateDescriptor) -> Declaration:
    return descriptor.name, "BROADCAST", _value_schema(descriptor.type_info), _value_schema(descriptor.key_type_info)


# ---- Lowering --------------------------------------------------------------------------------------------------------------------------------


def add_two_input(
    stream1: DataStream,
    stream2: DataStream,
    name: str,
    function: Any,
    methods: Methods,
    result: TypeInformation,
    key_type: TypeInformation | None,
    operator_states: Sequence[Declaration] = (),
    describe: Any = None,
) -> DataStream:
    """An operator that reads two streams. With ``key_type`` it is keyed: the keys of the streams that have some are of this type.

    ``describe``: what messages name as the user's function, where it is not ``function``.
    """
    env = stream1._env
    schema1, schema2 = stream1._type_info.schema(), stream2._type_info.schema()
    key_schema = None if key_type is None else key_type.schema()

    def add(builder: JobBuilder, transformation: Transformation, inputs: list[_native.Input]) -> int:
        scope, task_name = builder.scope, transformation.name
        keyed = None if key_schema is None else KeyedCopies(builder, transformation, function, operator_states)
        plain = SubtaskCopies(function) if keyed is None else None
        make_guard = dead_letter_guard(transformation)

        def make(native: _native.Context) -> tuple[Any, Open, Close]:
            opened = Opened()
            if keyed is not None:
                instance, open = keyed.next(native, opened.is_open)
            else:
                assert plain is not None
                instance = plain.next()
                open = opener(instance, scope, task_name, native)
            first, second, on_timer, *contexts = methods(instance, native, opened)
            if make_guard is not None:
                guarded = make_guard()
                first, second = guarded.element(first, "first input, "), guarded.element(second, "second input, ")
                on_timer = None if on_timer is None else guarded.timer(on_timer)
            timers = on_timer if keyed is None else keyed.timers(on_timer)
            return (first, second, timers, *(contexts or (None, None, None))), open, closer(instance)

        process = _native.co_process(
            make,
            schema1,
            schema2,
            transformation.type_info.schema(),
            task_name,
            key_schema=key_schema,
            side_outputs=side_schemas(transformation),
            describe=function if describe is None else describe,
            context=KeyedContext if keyed is None else keyed.context_class(),
        )
        states = list(operator_states) if keyed is None else keyed.states()
        return declare_side_outputs(builder, transformation, builder.native.co_process(inputs[0], inputs[1], process, states))

    transformation = env._register(Transformation(name, [stream1._input, stream2._input], result, add))
    # What stands for several functions of the user's gives results before it knows that a later one fails.
    transformation.takes_dead_letters = describe is None
    return DataStream(env, StreamInput(transformation), result)


def _co_process_methods(instance: Any, native: _native.Context, opened: Opened) -> tuple[Any, ...]:
    return instance.process_element1, instance.process_element2, _on_timer(instance, KeyedCoProcessFunction)


def _on_timer(instance: Any, function_class: type) -> Any:
    """The function's ``on_timer``; None where it has none of its own."""
    own = getattr(type(instance), "on_timer", None)
    return None if own is None or own is getattr(function_class, "on_timer", None) else instance.on_timer


def _check(function: Any, function_class: type[Function], method: str) -> None:
    if callable(function) and not isinstance(function, (type, Function)):
        raise TypeError(f"{method} on connected streams takes a {function_class.__name__}, whose two methods take the values of the two streams")
    checked_function(function, function_class, method, f"{method} on connected streams")


guard(globals(), hot=("BroadcastContext", "Opened", "ReadingContext"))
