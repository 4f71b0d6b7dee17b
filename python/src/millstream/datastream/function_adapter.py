"""Users' functions in the shape that the engine takes: callables, with a beginning and an end for each subtask."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from millstream import _native
from millstream.datastream.checkpointed_function import CheckpointedFunction, refuse_checkpointed
from millstream.datastream.dead_letters import Guarded
from millstream.datastream.functions import AllWindowFunction, Function, ProcessAllWindowFunction
from millstream.datastream.runtime_context import (
    CleanedContext,
    Declaration,
    DeclaredStates,
    KeyedContext,
    KeyedSubtaskContext,
    SubtaskContext,
    cleaned_timers,
)
from millstream.datastream.transformation import JobBuilder, JobScope, Transformation
from millstream.exceptions import InvalidStateError, with_article

if TYPE_CHECKING:
    # Loaded with the first function that has operator state.
    from millstream.datastream.operator_state import SubtaskOperatorStates

Open = Callable[[int, int, int], None] | None
Close = Callable[[], None] | None


def checked_function(function: Any, function_class: type, method: str, what: str) -> None:
    """Raises ``TypeError`` unless it is a ``function_class`` or can be called."""
    name = with_article(function_class)
    if isinstance(function, type) and issubclass(function, Function):
        raise TypeError(f"{what} takes {name}, not the class itself; write {function.__name__}()")
    if isinstance(function, function_class) or (callable(function) and not isinstance(function, Function)):
        return
    raise TypeError(f"{what} takes {name} or a function, not {function!r} of type {type(function).__name__}")


def callables_of(function: Any, methods: Sequence[str], scope: JobScope, task_name: str) -> Any:
    """A function object's methods, of a copy per subtask; a plain callable as it is."""
    refuse_checkpointed(function, task_name)
    if not isinstance(function, Function):
        return function
    copies = SubtaskCopies(function)

    def make() -> tuple[Any, Open, Close]:
        instance = copies.next()
        found = tuple(getattr(instance, method) for method in methods)
        return found[0] if len(found) == 1 else found, opener(instance, scope, task_name), closer(instance)

    return _native.PerSubtask(make, function)


def endpoint_callables(
    function: Function, choose: Callable[[Any], Any], scope: JobScope, task_name: str
) -> tuple[_native.PerSubtask, type[KeyedContext] | None]:
    """What ``choose`` picks from a copy of a source or sink, and the class of the contexts that keep its operator state; None if it has none."""
    copies = SubtaskCopies(function)

    def make(native: _native.Context | None = None) -> tuple[Any, Open, Close]:
        instance = copies.next()
        return choose(instance), opener(instance, scope, task_name, native), closer(instance)

    return _native.PerSubtask(make, function), KeyedContext if isinstance(function, CheckpointedFunction) else None


class SubtaskCopies:
    """Copies of a function object, one per subtask, so that their attributes are not shared."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self._original_is_used = False

    def next(self) -> Any:
        """A copy. What cannot be copied serves one subtask as it is; for another one ``TypeError`` is raised."""
        try:
            return copy.deepcopy(self._function)
        except Exception as error:
            if not self._original_is_used:
                self._original_is_used = True
                return self._function
            raise TypeError(
                f"{type(self._function).__name__} cannot be copied for each subtask ({error}): make what cannot be copied in open(), "
                "or set the operator's parallelism to 1"
            ) from error


def opener(instance: Any, scope: JobScope, task_name: str, native: _native.Context | None = None) -> Open:
    """What opens a function object; None where there is nothing to do. With ``native`` it may have operator state."""
    is_checkpointed = native is not None and isinstance(instance, CheckpointedFunction)
    if not is_checkpointed and not overrides(instance, "open"):
        return None

    def open(index: int, parallelism: int, max_parallelism: int) -> None:
        context = SubtaskContext(scope, task_name, index, parallelism, max_parallelism)
        if is_checkpointed and native is not None:
            from millstream.datastream.operator_state import initialize

            initialize(instance, task_name, context, native, restored(native, instance))
        if overrides(instance, "open"):
            instance.open(context)

    return open


def restored(native: Any, instance: CheckpointedFunction) -> bool:
    """Notes which copy has a subtask's operator state; whether there is something in it already."""
    native.checkpointed = instance
    return is_restored(native)


def is_restored(native: Any) -> bool:
    """Whether a subtask goes on from a checkpoint: the engine says its number, a harness that there is one."""
    return getattr(native, "restored_checkpoint_id", None) is not None or getattr(native, "is_restored", False)


def may_have_state(function: Any) -> bool:
    """Only what has an ``open`` or an ``initialize_state`` can have states."""
    return isinstance(function, CheckpointedFunction) or (isinstance(function, Function) and overrides(function, "open"))


def closer(instance: Any) -> Close:
    """What closes a function object; None where there is nothing to do."""
    if not overrides(instance, "close"):
        return None
    close: Close = instance.close
    return close


def overrides(instance: Any, method: str) -> bool:
    """Whether a function object has a method of its own, not the empty one of :class:`Function`."""
    return getattr(type(instance), method, None) is not getattr(Function, method)


# ---- Process functions -----------------------------------------------------------------------------------------------------------------------

Elements = Callable[[Any], tuple[Callable[..., Any], Callable[..., Any] | None]]


def stage_elements(method: str) -> Elements:
    """What takes the values of a function of map, flat_map or filter, where it is run as a process function: for states or dead letters."""

    def elements(instance: Any) -> tuple[Callable[..., Any], None]:
        function = getattr(instance, method) if isinstance(instance, Function) else instance
        if method == "map":
            return lambda value, context: (function(value),), None
        if method == "filter":
            return lambda value, context: (value,) if function(value) else None, None
        return lambda value, context: function(value), None

    return elements


def keyed_process(
    builder: JobBuilder, transformation: Transformation, stream: _native.Input, function: Any, elements: Elements, schema: str, key_schema: str
) -> int:
    """Adds a function on a keyed stream, with its states. ``elements`` picks ``process_element`` and ``on_timer`` from a copy."""
    task_name = transformation.name
    copies = KeyedCopies(builder, transformation, function)
    make_guard = dead_letter_guard(transformation)

    def make(native: _native.Context) -> tuple[Any, Open, Close]:
        instance, open = copies.next(native)
        process, on_timer = elements(instance)
        if make_guard is not None:
            guarded = make_guard()
            process, on_timer = guarded.element(process), None if on_timer is None else guarded.timer(on_timer)
        return (process, copies.timers(on_timer)), open, closer(instance)

    process = _native.process(
        make,
        schema,
        transformation.type_info.schema(),
        task_name,
        key_schema=key_schema,
        side_outputs=side_schemas(transformation),
        describe=function,
        context=copies.context_class(),
    )
    return declare_side_outputs(builder, transformation, builder.native.process(stream, process, copies.states()))


class KeyedCopies:
    """The copies of a function that may have states, one per subtask.

    The first one is made and opened while the job is built, which tells the states (see :mod:`millstream.datastream.runtime_context`).
    ``operator_states`` are those that the operator has besides; they come first in the engine's count.
    """

    def __init__(
        self, builder: JobBuilder, transformation: Transformation, function: Any, operator_states: Sequence[Declaration] = ()
    ) -> None:
        # What the engine keeps must not lead back to the builder: it holds the engine's environment, and neither would ever go.
        self._scope, self._task_name, self._copies = builder.scope, transformation.name, SubtaskCopies(function)
        self._operator_states = list(operator_states)
        self._declared = DeclaredStates(len(self._operator_states))
        self._parallelism = builder.parallelism(transformation)
        self._opened: list[tuple[Any, KeyedSubtaskContext, SubtaskOperatorStates | None]] = []
        if may_have_state(function) and (builder.tells_states or not builder.for_plan):
            first = self._copies.next()
            context = self._context(0, self._parallelism, builder.max_parallelism(transformation))
            try:
                states = self._open(first, context, None, builder.is_restored)
            except BaseException as failure:
                failure.add_note(f"in operator {transformation.name!r} ({transformation.call_site}), while it was opened")
                raise
            if builder.tells_states:
                close = getattr(first, "close", None)
                if callable(close):
                    close()
            # What is restored, the first copy has not seen: it was opened for the names of its states alone.
            elif states is None or not builder.is_restored:
                self._opened.append((first, context, states))

        uid = transformation.settings.get("uid")
        if uid is not None:
            builder.declared[uid] = self._declared.so_far()

    def states(self) -> list[Declaration]:
        """All of them, for the engine; none is added later."""
        return [*self._operator_states, *self._declared.seal()]

    def context_class(self) -> type[KeyedContext]:
        """Of what the engine makes the contexts."""
        return CleanedContext if self._declared.expire() else KeyedContext

    def timers(self, on_timer: Callable[..., Any] | None) -> Callable[..., Any] | None:
        """The function's ``on_timer`` as the engine shall call it: states that expire have timers of their own."""
        return cleaned_timers(on_timer) if self._declared.expire() else on_timer

    def next(self, native: _native.Context, opened: Callable[[KeyedSubtaskContext], None] | None = None) -> tuple[Any, Open]:
        """A copy, and what opens it: None where there is nothing to do. ``opened`` is told the copy's runtime context."""
        # With one subtask it is the first; else only `open` tells which one this is.
        instance = self._opened[0][0] if self._opened and self._parallelism == 1 else self._copies.next()

        def open(index: int, parallelism: int, max_parallelism: int) -> None:
            if index == 0 and self._opened:
                first, context, states = self._opened.pop()
                if states is not None and is_restored(native):
                    # What is restored, the first copy has not seen: another takes its place.
                    first = self._copies.next()
                    context = self._context(index, parallelism, max_parallelism)
                    context.bind(native)
                    self._open(first, context, native)
                else:
                    context.bind(native)
                    if states is not None:
                        states.bind(native)
                adopt(instance, first)
                if states is not None:
                    restored(native, instance)
            else:
                context = self._context(index, parallelism, max_parallelism)
                context.bind(native)
                self._open(instance, context, native)
            if opened is not None:
                opened(context)

        return instance, open if may_have_state(instance) else None

    def _open(
        self, instance: Any, context: KeyedSubtaskContext, native: _native.Context | None, is_restored: bool = False
    ) -> SubtaskOperatorStates | None:
        states = None
        if isinstance(instance, CheckpointedFunction):
            from millstream.datastream.operator_state import initialize

            was_restored = is_restored if native is None else restored(native, instance)
            states = initialize(instance, self._task_name, context, native, was_restored)
        if overrides(instance, "open"):
            instance.open(context)
        return states

    def _context(self, index: int, parallelism: int, max_parallelism: int) -> KeyedSubtaskContext:
        return KeyedSubtaskContext(self._declared, self._scope, self._task_name, index, parallelism, max_parallelism)


def adopt(instance: Any, first: Any) -> None:
    """Makes a copy of a function object stand for the one that was opened while the job was built: they share their attributes."""
    if instance is first:
        return
    for owner in type(first).__mro__:
        for name in getattr(owner, "__slots__", ()):
            if hasattr(first, name) and name not in ("__dict__", "__weakref__"):
                setattr(instance, name, getattr(first, name))
    if hasattr(first, "__dict__"):
        instance.__dict__ = first.__dict__


def plain_process(
    builder: JobBuilder, transformation: Transformation, stream: _native.Input, function: Any, schema: str, elements: Elements | None = None
) -> int:
    """Adds a process function on a stream without keys, or another function: ``elements`` picks what takes values from a copy."""
    # What the engine keeps must not lead back to the builder: it holds the engine's environment, and neither would ever go.
    scope, task_name, copies = builder.scope, transformation.name, SubtaskCopies(function)
    make_guard = dead_letter_guard(transformation)

    def make(native: _native.Context) -> tuple[Any, Open, Close]:
        # A plain callable is shared, as everywhere.
        instance = copies.next() if isinstance(function, Function) else function
        process = instance.process_element if elements is None else elements(instance)[0]
        if make_guard is not None:
            process = make_guard().element(process)
        if not isinstance(function, Function):
            return (process, None), None, None
        return (process, None), opener(instance, scope, task_name, native), closer(instance)

    process = _native.process(
        make,
        schema,
        transformation.type_info.schema(),
        transformation.name,
        side_outputs=side_schemas(transformation),
        describe=function,
        context=KeyedContext,
    )
    return declare_side_outputs(builder, transformation, builder.native.process(stream, process))


def dead_letter_guard(transformation: Transformation) -> Callable[[], Guarded] | None:
    """Makes what catches the failures of one subtask's functions; None where they fail the job."""
    tag = transformation.dead_letters
    if tag is None:
        return None
    name, schema, sides = transformation.name, transformation.type_info.schema(), side_schemas(transformation)
    return lambda: Guarded(tag, name, schema, sides)


def side_schemas(transformation: Transformation, late: str | None = None) -> dict[str, str]:
    """The side outputs that a function may emit to; all but the late one, which the engine fills."""
    return {tag: type_info.schema() for tag, type_info in transformation.side_outputs.items() if tag != late}


def declare_side_outputs(builder: JobBuilder, transformation: Transformation, node: int, late: str | None = None) -> int:
    """Tells the engine about the side outputs of a node; gives the node back."""
    for tag, schema in side_schemas(transformation, late).items():
        builder.native.add_side_output(node, tag, schema)
    return node


# ---- Window functions ------------------------------------------------------------------------------------------------------------------------


class WindowFunctionContext(_native.WindowContext):
    """The context of a window function."""

    __slots__ = ()

    def window_state(self) -> Any:
        """Raises ``InvalidStateError``: functions that ask for states run in the general window operator."""
        raise _hidden_state()

    def global_state(self) -> Any:
        """Raises ``InvalidStateError``: functions that ask for states run in the general window operator."""
        raise _hidden_state()


def _hidden_state() -> InvalidStateError:
    return InvalidStateError(
        "this window function was not seen to ask for states: call window_state() or global_state() in a method of its class, "
        "or give the class a method clear(self, context), as states of windows need it anyway"
    )


def window_callable(instance: Any) -> Callable[..., Any]:
    """A window function's method in the engine's shape: ``process(key, context, elements)``."""
    if isinstance(instance, ProcessAllWindowFunction):
        process_all = instance.process
        return lambda key, context, elements: process_all(context, elements)
    if isinstance(instance, AllWindowFunction):
        apply_all = instance.apply
        return lambda key, context, elements: apply_all(context.window(), elements)
    if hasattr(instance, "process"):
        process: Callable[..., Any] = instance.process
        return process
    apply = instance.apply

    def process_by_apply(key: Any, context: WindowFunctionContext, elements: _native.WindowElements) -> Any:
        return apply(key, context.window(), elements)

    return process_by_apply


def window_process(
    builder: JobBuilder, transformation: Transformation, function: Any, schema: str, key_schema: str, late: str | None
) -> _native.Function:
    """A window function over elements (or a result) of ``schema``."""
    from millstream.datastream.window import make_time_window

    refuse_checkpointed(function, transformation.name)
    scope, task_name, copies = builder.scope, transformation.name, SubtaskCopies(function)

    def make(_: _native.WindowContext) -> tuple[Any, Open, Close]:
        instance = copies.next()
        return window_callable(instance), opener(instance, scope, task_name), closer(instance)

    return _native.window_process(
        make,
        schema,
        transformation.type_info.schema(),
        transformation.name,
        key_schema=key_schema,
        side_outputs=side_schemas(transformation, late),
        make_window=make_time_window,
        describe=function,
        context=WindowFunctionContext,
    )
