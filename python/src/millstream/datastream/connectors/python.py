"""Sources and sinks written in Python."""

from __future__ import annotations

import itertools
import operator
import time
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.typeinfo import TypeInformation, type_of
from millstream.datastream.connectors.base import AddSink, AddSource, Sink, Source
from millstream.datastream.connectors.plain_values import decode, encode
from millstream.datastream.function_adapter import SubtaskCopies, endpoint_callables
from millstream.datastream.functions import Function, SinkFunction
from millstream.exceptions import InvalidStateError

__all__ = ["CallableSource", "IteratorSource", "PythonSink", "PythonSource"]


class PythonSource(Source, Function):
    """A source written in Python. One copy of it reads, in one subtask.

    Subclasses give :meth:`read`. A source that knows its position gives it with :meth:`snapshot_position` and goes to it with
    :meth:`restore_position`; the position says exactly what comes next. A job whose source has none cannot go on from a checkpoint behind its
    first value.

    >>> from millstream.common import Types
    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> class Countdown(PythonSource):
    ...     def __init__(self, start):
    ...         super().__init__(Types.LONG())
    ...         self.next = start
    ...     def read(self, limit):
    ...         if self.next == 0:
    ...             return None
    ...         self.next -= 1
    ...         return [self.next + 1]
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> list(env.from_source(Countdown(3)).execute_and_collect())
    [3, 2, 1]
    """

    name = "Python source"

    def __init__(self, type_info: TypeInformation | list[Any] | str | None = None, is_bounded: bool = True) -> None:
        """``type_info`` is the type of the values; ``is_bounded`` tells whether the source ends by itself."""
        self._type = type_of(type_info, "the type of a PythonSource")
        self._is_bounded = is_bounded

    @abstractmethod
    def read(self, limit: int) -> Sequence[Any] | float | None:
        """The next values, at most ``limit``; a number: there are none now, ask again in so many seconds; ``None``: the source has ended.

        Must not wait long: cancelling the job waits for it. An exception fails the job.
        """

    def ends(self) -> bool:
        return self._is_bounded

    def batches(self) -> Iterator[Sequence[Any] | float]:
        reader = SubtaskCopies(self).next()
        while (found := reader.read(4_096)) is not None:
            yield found

    def snapshot_position(self) -> Any:
        """Where the source is: whatever :meth:`restore_position` needs to go on behind the last value that :meth:`read` gave.

        A position is made of None, numbers, text, bytes, lists, tuples and dicts: it can be read in a checkpoint.
        """
        return None

    def restore_position(self, position: Any) -> None:
        """Goes to a position that :meth:`snapshot_position` gave; called before the first :meth:`read`."""

    @property
    def produced_type(self) -> TypeInformation:
        return self._type

    def lower(self, type_info: TypeInformation) -> AddSource:
        def add(builder: Any, transformation: Any, watermarks: _native.Watermarks | None) -> int:
            snapshots = type(self).snapshot_position is not PythonSource.snapshot_position
            callables, context = endpoint_callables(
                self, lambda instance: _positioned(instance) if snapshots else instance.read, builder.scope, transformation.name
            )
            function = _native.source(callables, type_info.schema(), transformation.name, context=context, snapshots=snapshots)
            native: _native.Environment = builder.native
            return native.source_function(function, self._is_bounded, watermarks)

        return add


def _positioned(source: PythonSource) -> tuple[Any, Any, Any]:
    def snapshot() -> bytes | None:
        position = source.snapshot_position()
        return None if position is None else encode(position, "a position")

    def restore(row: int, position: bytes | None) -> None:
        if position is not None:
            source.restore_position(decode(position))
        elif row > 0:
            raise InvalidStateError(f"{type(source).__name__} cannot go back: snapshot_position gave nothing behind its value {row}")

    return source.read, snapshot, restore


class IteratorSource(Source):
    """The values of an iterator or generator, in one subtask: the shortest way to a source of one's own. An iterator serves one job, and cannot go
    back: a job cannot go on from a checkpoint behind its first value, nor begin again.

    A generator that waits holds one of the engine's threads; a :class:`PythonSource` can say that it has nothing at hand.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> list(env.from_source(IteratorSource(n * n for n in range(4))).execute_and_collect())
    [0, 1, 4, 9]
    """

    name = "Iterator"
    #: How long values are gathered before they go on, in seconds: a slow generator's values must not wait for a full batch.
    patience = 0.01
    #: So many values must have come quickly, one after the other, before values are gathered: what is gathered waits while the generator does.
    quick_count = 64

    def __init__(self, values: Iterable[Any], type_info: TypeInformation | list[Any] | str | None = None) -> None:
        self._values = iter(values)
        #: How many values were given, and what gives all of them once more.
        self._given = 0
        self._make: Callable[[], Iterable[Any]] | None = None
        self._type = type_of(type_info, "the type of an IteratorSource")
        self._is_used = False
        self._failure: BaseException | None = None
        self._quick = 0

    @property
    def produced_type(self) -> TypeInformation:
        return self._type

    def read(self, limit: int) -> list[Any] | None:
        """The next values, or ``None`` at the end."""
        if self._failure is not None:
            raise self._failure
        before = time.monotonic()
        until = before + self.patience
        quick = self._quick
        found: list[Any] = []
        try:
            for value in self._values:
                found.append(value)
                now = time.monotonic()
                quick = quick + 1 if now - before < self.patience else 0
                before = now
                if quick < self.quick_count or len(found) >= limit or now >= until:
                    self._quick = quick
                    return found
        except BaseException as failure:
            if not found:
                raise
            # What came before goes on first.
            self._failure = failure
        return found or None

    def batches(self) -> Iterator[Sequence[Any] | float]:
        while (found := self.read(4_096)) is not None:
            yield found

    def _read(self, limit: int) -> list[Any] | None:
        found = self.read(limit)
        self._given += len(found or ())
        return found

    def _restore(self, row: int, _: bytes | None) -> None:
        if row == 0 and self._given == 0:
            return
        if self._make is None:
            given = f"{self._given} of its values were taken" if self._given else "its values may be others than those read before"
            raise InvalidStateError(
                f"an iterator gives its values once: it cannot go on behind value {row}, as {given}. Write a PythonSource that knows its position, "
                "or give a function that makes the iterator"
            )
        self._values = iter(self._make())
        self._failure = None
        self._given = sum(1 for _ in itertools.islice(self._values, row))
        if self._given < row:
            raise InvalidStateError(f"the source has {self._given} value(s), and {row} had been read before the checkpoint")

    def lower(self, type_info: TypeInformation) -> AddSource:
        def add(builder: Any, transformation: Any, watermarks: _native.Watermarks | None) -> int:
            native: _native.Environment = builder.native
            if self._is_used and not builder.for_plan:
                raise InvalidStateError("the iterator was taken by an earlier job; make a new one for each job")
            self._is_used = self._is_used or not builder.for_plan
            callables = (_located(self._read, self._values), None, self._restore)
            function = _native.source(callables, type_info.schema(), transformation.name, snapshots=True)
            return native.source_function(function, True, watermarks)

        return add


class CallableSource(Source):
    """The values of an iterable that a function gives, once per job, in one subtask. It gives the same ones each time: from a checkpoint on, those
    that were read before are passed over.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> list(env.from_source(CallableSource(lambda: range(3))).execute_and_collect())
    [0, 1, 2]
    """

    name = "Python source"

    def __init__(self, make: Callable[[], Iterable[Any]], type_info: TypeInformation | list[Any] | str | None = None) -> None:
        self._make = make
        self._type = type_of(type_info, "the type of a CallableSource")

    @property
    def produced_type(self) -> TypeInformation:
        return self._type

    def batches(self) -> Iterator[Sequence[Any] | float]:
        return IteratorSource(self._make()).batches()

    def lower(self, type_info: TypeInformation) -> AddSource:
        def add(builder: Any, transformation: Any, watermarks: _native.Watermarks | None) -> int:
            source = IteratorSource([] if builder.for_plan else self._make(), self._type)
            source._make = self._make
            return source.lower(type_info)(builder, transformation, watermarks)

        return add


class PythonSink(Sink, Function):
    """A sink written in Python. Each subtask has its own copy.

    Subclasses give :meth:`write`, and :meth:`flush` if they hold values back.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> class Lines(PythonSink):
    ...     def write(self, values):
    ...         print("\\n".join(f"<{value}>" for value in values))
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> sink = env.from_collection(["a", "b"]).sink_to(Lines())
    >>> result = env.execute()
    <a>
    <b>
    """

    name = "Python sink"

    @abstractmethod
    def write(self, values: list[Any]) -> None:
        """Takes some values, in order. Waiting here holds the job back, which is right when the sink is slow."""

    def flush(self, end_of_input: bool) -> None:
        """Makes everything written so far durable; called at the end of the input, and later at checkpoints."""

    def lower(self, type_info: TypeInformation) -> AddSink:
        schema = type_info.schema()

        def add(builder: Any, transformation: Any, inputs: list[_native.Input]) -> int:
            callables, context = endpoint_callables(self, lambda instance: (instance.write, instance.flush), builder.scope, transformation.name)
            native: _native.Environment = builder.native
            return native.sink_function(inputs[0], _native.sink(callables, schema, transformation.name, context=context))

        return add


def lower_sink_function(function: Any, type_info: TypeInformation) -> AddSink:
    """A function of one value as a sink."""
    schema = type_info.schema()

    def add(builder: Any, transformation: Any, inputs: list[_native.Input]) -> int:
        native: _native.Environment = builder.native
        if not isinstance(function, SinkFunction):
            return native.sink_function(inputs[0], _native.sink(_each(function), schema, transformation.name))
        callables, context = endpoint_callables(function, lambda instance: _each(instance.invoke), builder.scope, transformation.name)
        return native.sink_function(inputs[0], _native.sink(callables, schema, transformation.name, context=context))

    return add


def _each(function: Any) -> Any:
    def write(values: list[Any]) -> None:
        rest = iter(values)
        try:
            for value in rest:
                function(value)
        except BaseException:
            # The border reads it, for the message: counting costs nothing while all goes well.
            failed_row = len(values) - operator.length_hint(rest) - 1  # noqa: F841
            raise

    # Where an error says that the function is.
    write.__wrapped__ = function  # type: ignore[attr-defined]
    return write


def _located(read: Callable[[int], Any], values: Iterator[Any]) -> Callable[[int], Any]:
    """``read``, in errors placed where the generator is that it reads."""

    def call(limit: int) -> Any:
        return read(limit)

    if isinstance(values, Generator):
        call.__wrapped__ = SimpleNamespace(__code__=values.gi_code)  # type: ignore[attr-defined]
    return call


guard(globals())
