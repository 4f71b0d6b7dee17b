"""A twin of the engine in plain Python: it runs operators' functions record by record, in the calling thread, by a clock that stands still.

:class:`TwinBuilder` lowers a stream's transformations as the job builder does, but to a :class:`TwinEnvironment`, which has the methods of
``_native.Environment``. What the engine does without Python (expressions, ``agg``, connectors) the twin has not: it says so.

Invariants: an operator gets elements, watermarks and times one at a time, and is done with one before the next; every operator has one subtask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from millstream import _native
from millstream.datastream.data_stream import DataStream
from millstream.datastream.field_access import rolling_function
from millstream.datastream.output_tag import OutputTag
from millstream.datastream.time_domain import TimeDomain
from millstream.datastream.transformation import JobBuilder, StreamInput, Transformation
from millstream.exceptions import EventTimeError, InvalidStateError, UnsupportedError
from millstream.testing.clock import ManualClock
from millstream.testing.keyed_state import (
    MAX_TIME,
    MIN_TIME,
    OPERATOR_KINDS,
    OPERATOR_SLOT,
    HarnessContext,
    Keys,
    Timers,
    context_class,
    converter,
    plain_content,
    table_of,
)

Element = tuple[Any, int | None]
#: What functions keep without a key: the name of the operator, then that of the state.
OperatorStates = dict[str, dict[str, Any]]


class StreamRecord(NamedTuple):
    """A value with its timestamp in milliseconds; ``None`` if it has none.

    >>> from millstream.testing import StreamHarness
    >>> with StreamHarness(lambda words: words.map(len)) as harness:
    ...     harness.process_element("three", 1_000)
    ...     print(harness.get_output())
    [StreamRecord(value=5, timestamp=1000)]
    """

    value: Any
    timestamp: int | None


class TwinInput(NamedTuple):
    """As ``_native.Input``."""

    node: int
    partitioning: str
    side_output: str | None
    keys: tuple[int, ...]


class TwinBuilder(JobBuilder):
    """Lowers transformations to the twin."""

    is_twin = True

    def __init__(self, env: Any, clock: ManualClock, operator_state: OperatorStates | None = None) -> None:
        super().__init__(env)
        self.native.close()
        self.is_restored = operator_state is not None
        self.twin = TwinEnvironment(clock, operator_state)
        self.native = self.twin  # type: ignore[assignment]

    def parallelism(self, transformation: Transformation) -> int:
        return 1

    def _add(self, transformation: Transformation) -> None:
        self.twin.adding = transformation
        super()._add(transformation)

    def _input(self, entry: StreamInput) -> Any:
        return TwinInput(self._nodes[entry.transformation], entry.partitioning, entry.side_output, entry.keys)

    def _end_streams(self) -> None:
        """Nothing: what nobody reads goes nowhere."""


# ---- Nodes -------------------------------------------------------------------------------------------------------------------------------------


class Valve:
    """Merges the watermarks and idleness of several inputs, as Flink's ``StatusWatermarkValve``."""

    def __init__(self, count: int) -> None:
        self._watermarks = [MIN_TIME] * count
        self._active = [True] * count
        self._aligned = [True] * count
        self.output = MIN_TIME

    def watermark(self, channel: int, time: int) -> int | None:
        """The watermark that goes out, if one does."""
        if not self._active[channel] or time <= self._watermarks[channel]:
            return None
        self._watermarks[channel] = time
        if not self._aligned[channel] and time >= self.output:
            self._aligned[channel] = True
        return self._advance()

    def idle(self, channel: int) -> tuple[int | None, bool]:
        """The watermark that goes out, and whether the output is idle now."""
        if not self._active[channel]:
            return None, False
        self._active[channel] = self._aligned[channel] = False
        if any(self._active):
            return self._advance(), False
        highest = max(self._watermarks)
        if self._watermarks[channel] == self.output and highest > self.output:
            self.output = highest
            return highest, True
        return None, True

    def active(self, channel: int) -> bool:
        """Whether the output becomes active."""
        if self._active[channel]:
            return False
        was_idle = not any(self._active)
        self._active[channel] = True
        self._aligned[channel] = self._watermarks[channel] >= self.output
        return was_idle

    def _advance(self) -> int | None:
        times = [time for time, aligned in zip(self._watermarks, self._aligned, strict=True) if aligned]
        if not times or min(times) <= self.output:
            return None
        self.output = min(times)
        return self.output


class Node:
    """An operator with one subtask. The base passes everything on."""

    def __init__(self, name: str, schema: str, inputs: int = 1) -> None:
        self.name = name
        self.schema = schema
        self._convert = converter(schema)
        self._children: list[tuple[Node, int, Callable[[Any], Any] | None]] = []
        self._side_children: dict[str, list[tuple[Node, int, Callable[[Any], Any] | None]]] = {}
        self.side_schemas: dict[str, str] = {}
        #: All that went to side outputs, by tag.
        self.side_records: dict[str, list[StreamRecord]] = {}
        self._valve = Valve(inputs)
        self._open_inputs = inputs
        #: Which inputs come with a key.
        self.keyed_inputs = [False] * inputs
        self._closers: list[Callable[[], None]] = []
        self._record_count = 0

    # What the graph does with it.

    def connect(self, child: Node, place: int, key: Callable[[Any], Any] | None, side_output: str | None) -> None:
        """Sends what comes out to another node's input. ``key`` finds the key of a value on the way."""
        children = self._children if side_output is None else self._side_children.setdefault(side_output, [])
        children.append((child, place, key))
        child.keyed_inputs[place] = key is not None

    def open(self) -> None:
        """Before the first element."""

    def close(self) -> None:
        """After the last; every function is closed, and the first failure raised."""
        failures: list[BaseException] = []
        while self._closers:
            try:
                self._closers.pop()()
            except BaseException as failure:
                failures.append(failure)
        if failures:
            raise failures[0]

    def take(self, value: Any, timestamp: int | None, key: Any, place: int) -> None:
        """An element. What a function raises gets a note of where it was."""
        if self._valve.active(place):
            self.forward_status(False)
        try:
            self.element(value, timestamp, key, place)
        except Exception as failure:
            self.blame(failure, f"record {self._record_count}: {_short(value)}")
            raise
        self._record_count += 1

    def take_watermark(self, time: int, place: int) -> None:
        """A watermark of an input."""
        merged = self._valve.watermark(place, time)
        if merged is not None:
            self.watermark(merged)

    def take_status(self, is_idle: bool, place: int) -> None:
        """An input becomes idle or active."""
        if not is_idle:
            if self._valve.active(place):
                self.forward_status(False)
            return
        merged, has_become_idle = self._valve.idle(place)
        if merged is not None:
            self.watermark(merged)
        if has_become_idle:
            self.forward_status(True)

    def take_end(self, place: int) -> None:
        """An input has ended; its last watermark has come."""
        self._open_inputs -= 1
        if self._open_inputs == 0:
            self.end()
            for child, child_place, _ in self._all_children():
                child.take_end(child_place)

    # What operators do.

    def element(self, value: Any, timestamp: int | None, key: Any, place: int) -> None:
        """What is done with an element."""
        self.send(value, timestamp)

    def watermark(self, time: int) -> None:
        """What is done with a watermark."""
        self.forward_watermark(time)

    def next_time(self) -> int | None:
        """When it has something to do by the clock."""
        return None

    def processing_time(self, now: int) -> None:
        """The clock has moved."""

    def end(self) -> None:
        """All inputs have ended."""

    # What comes out.

    def send(self, value: Any, timestamp: int | None) -> None:
        """A result, in the declared type."""
        self.pass_on(value if self._convert is None else self._convert(value), timestamp)

    def pass_on(self, value: Any, timestamp: int | None) -> None:
        """A result as it is."""
        for child, place, key in self._children:
            child.take(value, timestamp, None if key is None else key(value), place)

    def send_side(self, tag: OutputTag, value: Any, timestamp: int | None) -> None:
        """A value for a side output: in the type that the job has declared for it, or else its tag."""
        convert = converter(self.side_schemas.get(tag.tag_id) or tag.type_info.schema())
        found = value if convert is None else convert(value)
        self.side_records.setdefault(tag.tag_id, []).append(StreamRecord(found, timestamp))
        for child, place, key in self._side_children.get(tag.tag_id, ()):
            child.take(found, timestamp, None if key is None else key(found), place)

    def forward_watermark(self, time: int) -> None:
        """To all that read from here."""
        for child, place, _ in self._all_children():
            child.take_watermark(time, place)

    def forward_status(self, is_idle: bool) -> None:
        """To all that read from here."""
        for child, place, _ in self._all_children():
            child.take_status(is_idle, place)

    def blame(self, failure: BaseException, what: str) -> None:
        """Notes where an exception was raised: the innermost operator counts."""
        if not any(note.startswith("in operator ") for note in getattr(failure, "__notes__", ())):
            failure.add_note(f"in operator {self.name!r}, {what}")

    def _all_children(self) -> Iterator[tuple[Node, int, Callable[[Any], Any] | None]]:
        yield from self._children
        for children in self._side_children.values():
            yield from children

    def started(self, made: tuple[Any, Any, Any]) -> Any:
        """Opens a subtask's copy of a function; gives its callables."""
        callables, open_function, close = made
        if close is not None:
            self._closers.append(close)
        if open_function is not None:
            open_function(0, 1, 128)
        return callables

    def callables(self, given: Any) -> Any:
        """Callables that were given as they are, or one copy for each subtask."""
        return self.started(given.make()) if isinstance(given, _native.PerSubtask) else given


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:197]}..."


class CollectNode(Node):
    """Keeps what comes."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "OBJECT")
        self.records: list[StreamRecord] = []
        self.watermarks: list[int] = []

    def element(self, value: Any, timestamp: int | None, key: Any, place: int) -> None:
        self.records.append(StreamRecord(value, timestamp))

    def watermark(self, time: int) -> None:
        self.watermarks.append(time)


class SinkNode(Node):
    """Calls a function, or nothing."""

    def __init__(self, name: str, write: Callable[[Any], None] | None) -> None:
        super().__init__(name, "OBJECT")
        self._write = write

    def element(self, value: Any, timestamp: int | None, key: Any, place: int) -> None:
        if self._write is not None:
            self._write(value)


class TransformNode(Node):
    """map, flat_map, filter."""

    def __init__(self, name: str, schema: str, stages: Iterable[tuple[str, Any, str, str | None]]) -> None:
        super().__init__(name, schema)
        self._given = list(stages)
        self._steps: list[tuple[str, Callable[[Any], Any]]] = []

    def open(self) -> None:
        for kind, given, name, _ in self._given:
            if kind not in ("map", "flat_map", "filter", "key"):
                raise UnsupportedError(f"{name!r} works on batches, which the harness has none of; run it in a job")
            self._steps.append((kind, self.callables(given)))

    def element(self, value: Any, timestamp: int | None, key: Any, place: int) -> None:
        for kind, function in self._steps:
            if kind == "map":
                self.send(function(value), timestamp)
            elif kind == "filter":
                if function(value):
                    self.pass_on(value, timestamp)
            else:
                for result in list(function(value) or ()):
                    self.send(result, timestamp)


class KeySelectorNode(TransformNode):
    """Finds the keys of values that pass."""

    def __init__(self, name: str, schema: str, stages: Iterable[tuple[str, Any, str, str | None]]) -> None:
        super().__init__(name, schema, stages)
        self.key_schema = self._given[0][3] or "OBJECT"
        self._convert_key = converter(self.key_schema)

    def element(self, value: Any, timestamp: int | None, key: Any, place: int) -> None:
        self.pass_on(value, timestamp)

    def key(self, value: Any) -> Any:
        """The key of a value."""
        try:
            found = self._steps[0][1](value)
            return found if self._convert_key is None else self._convert_key(found)
        except Exception as failure:
            self.blame(failure, f"value {_short(value)}")
            raise


class KeyedNode(Node):
    """An operator that remembers something for each key."""

    def __init__(self, name: str, schema: str, key_schema: str, inputs: int = 1) -> None:
        super().__init__(name, schema, inputs)
        self.keys = Keys(key_schema)


class RunningNode(KeyedNode):
    """reduce, sum, min and the like: a running value per key."""

    def __init__(self, name: str, schema: str, key_schema: str, given: Any, first: Callable[[Any], Any] | None = None) -> None:
        super().__init__(name, schema, key_schema)
        self._given = given
        self._first = first
        self._reduce: Callable[[Any, Any], Any] = _unopened
        self._values: dict[int, Any] = {}

    def open(self) -> None:
        self._reduce = self.callables(self._given)

    def element(self, value: Any, timestamp: int | None, key: Any, place: int) -> None:
        slot = self.keys.slot(key)
        if slot in self._values:
            value = self._reduce(self._values[slot], value)
            if self._convert is not None:
                value = self._convert(value)
        elif self._first is not None:
            self._first(value)
        self._values[slot] = value
        self.pass_on(value, timestamp)


def _unopened(*_: Any) -> Any:
    raise InvalidStateError("the operator is not open")


class ProcessNode(KeyedNode):
    """Process functions of one or two inputs, keyed or not, and what is made of them: functions with states, windows, joins."""

    def __init__(
        self, name: str, clock: ManualClock, make: Callable[..., Any], schema: str, key_schema: str | None, wanted: type[Any] | None,
        states: Iterable[tuple[str, str, str, str | None]], inputs: int = 1, restored: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(name, schema, key_schema or "OBJECT", inputs)
        self._make = make
        self.is_keyed = key_schema is not None
        kinds = [(name, kind) for name, kind, *_ in states]
        #: By name the place in the context's tables, and the kind. A keyed and an operator state may have one name.
        self.states = {name: (index, kind) for index, (name, kind) in enumerate(kinds) if kind not in OPERATOR_KINDS}
        self.operator_states = {name: (index, kind) for index, (name, kind) in enumerate(kinds) if kind in OPERATOR_KINDS}
        context: HarnessContext = context_class(wanted)()
        context.clock = clock
        context.tables = [table_of(kind, (restored or {}).get(name)) if kind in OPERATOR_KINDS else {} for name, kind in kinds]
        context.keys = self.keys if self.is_keyed else None
        context.event_timers, context.processing_timers = Timers(), Timers()
        context.watermark, context.slot, context.key, context.time = MIN_TIME, None, None, None
        context.domain, context.is_running = TimeDomain.EVENT_TIME, False
        context.send, context.declare = self._emit, self._declare
        context.is_restored = restored is not None
        self._restored = dict(restored or {})
        self.context = context
        self._input_count = inputs
        #: For each input, and for timers, what is called and with which context.
        self._calls: list[tuple[Callable[..., Any] | None, Any]] = []

    def open(self) -> None:
        callables = self.started(self._make(self.context))
        count = self._input_count + 1
        contexts = callables[count:] or (None,) * count
        self._calls = [(call, context or self.context) for call, context in zip(callables, contexts, strict=False)]

    def element(self, value: Any, timestamp: int | None, key: Any, place: int) -> None:
        context = self.context
        context.slot = self.keys.slot(key) if self.is_keyed and self.keyed_inputs[place] else None
        context.key, context.time = key, timestamp
        self._call(place, value)

    def watermark(self, time: int) -> None:
        if self.is_keyed or self.operator_states:
            self.context.watermark = time
            self._fire(TimeDomain.EVENT_TIME, self.context.event_timers, time)
        self.forward_watermark(time)

    def next_time(self) -> int | None:
        return self.context.processing_timers.next()

    def processing_time(self, now: int) -> None:
        self._fire(TimeDomain.PROCESSING_TIME, self.context.processing_timers, now)

    def end(self) -> None:
        # As in Flink: what waits for the clock never happens.
        self.context.processing_timers.clear()

    def _declare(self, name: str, kind: str, value_schema: str) -> int:
        if name in self.operator_states:
            raise InvalidStateError(f"operator {self.name!r} has an operator state {name!r} already")
        self.context.tables.append(table_of(kind, self._restored.get(name)))
        self.operator_states[name] = (len(self.context.tables) - 1, kind)
        return self.operator_states[name][0]

    def snapshot_operator_state(self, snapshot: Any) -> dict[str, Any]:
        """Has the function put its operator state together; gives all of it by name."""
        checkpointed = getattr(self.context, "checkpointed", None)
        if checkpointed is not None:
            checkpointed.snapshot_state(snapshot)
        empty: dict[str, Any] = {"BROADCAST": {}, "OPERATOR_LIST": [], "UNION_LIST": []}
        return {name: self._plain(place, kind, OPERATOR_SLOT) or empty[kind] for name, (place, kind) in self.operator_states.items()}

    def content(self, name: str, key: Any) -> Any:
        """What a state holds for a key; ``None`` for nothing."""
        if name in self.operator_states and (key is None or name not in self.states):
            return self._plain(*self.operator_states[name], OPERATOR_SLOT)
        return self._plain(*self.states[name], self.keys.find(key))

    def _plain(self, place: int, kind: str, slot: int | None) -> Any:
        found = None if slot is None else self.context.tables[place].get(slot)
        return None if found is None else plain_content(kind, found)

    def contents(self, name: str) -> dict[Any, Any]:
        """What a state holds, by key."""
        if name not in self.states:
            raise InvalidStateError(f"state {name!r} has no keys; get_state reads it")
        index, kind = self.states[name]
        return {self.keys.keys[slot]: plain_content(kind, found) for slot, found in self.context.tables[index].items()}

    def _fire(self, domain: TimeDomain, timers: Timers, up_to: int) -> None:
        context = self.context
        while due := timers.take_due(up_to):
            for slot, time in due:
                if self._calls[-1][0] is None:
                    continue
                context.slot, context.key, context.domain, context.time = slot, self.keys.keys[slot], domain, time
                try:
                    self._call(-1, time, None if domain is TimeDomain.PROCESSING_TIME else time)
                except Exception as failure:
                    self.blame(failure, f"{domain.name.lower().replace('_', ' ')} timer {time} of key {_short(context.key)}")
                    raise

    def _call(self, place: int, argument: Any, *result_time: int | None) -> None:
        context = self.context
        timestamp = result_time[0] if result_time else context.time
        function, given = self._calls[place]
        assert function is not None
        context.is_running = True
        try:
            results = function(argument, given)
            # All of it before any goes on: what comes behind has other states and another key.
            found = None if results is None else list(results)
        finally:
            context.is_running = False
        if found:
            self._emit(found, timestamp)

    def _emit(self, values: Any, timestamp: int | None) -> None:
        for value in values or ():
            if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], OutputTag):
                self.send_side(value[0], value[1], timestamp)
            else:
                self.send(value, timestamp)


class TimestampsNode(Node):
    """Gives timestamps and watermarks, by the rules of the engine: see ``BoundedOutOfOrdernessWatermarks.swift``."""

    #: Flink's ``pipeline.auto-watermark-interval``.
    interval = 200

    def __init__(self, name: str, schema: str, settings: dict[str, Any], clock: ManualClock) -> None:
        super().__init__(name, schema)
        self._settings = settings
        self._clock = clock
        self._column: int = settings.get("timestamp_column", -1)
        self._bound: int = settings.get("out_of_orderness", -1)
        self._drift: int = settings.get("max_future_drift", 0)
        self._extract: Callable[[Any, int], int] | None = None
        self._generator: tuple[Callable[[int], None], Callable[[], int | None]] | None = None
        self._max = max(MIN_TIME, MIN_TIME + max(0, self._bound) + 1)
        self._emitted = MIN_TIME
        self._quiet_since = clock.now()
        self._is_idle = False

    def open(self) -> None:
        function = self._settings.get("timestamps")
        if function is not None:
            self._extract = self.callables(function.recipe[1][0])
        function = self._settings.get("generator")
        if function is not None:
            self._generator = self.callables(function.recipe[1][0])

    def element(self, value: Any, timestamp: int | None, key: Any, place: int) -> None:
        if self._is_idle:
            self._is_idle = False
            self.forward_status(False)
        self._quiet_since = self._clock.now()
        time = self._time(value, timestamp)
        if self._drift and time is not None and time > self._clock.now() + self._drift:
            tag = self._settings.get("future_output")
            if tag is not None:
                self.send_side(OutputTag(tag), value, time)
            return
        self.pass_on(value, time)
        if self._generator is not None:
            if time is not None:
                self._generator[0](time)
            self._ask()
        elif self._bound >= 0 and time is not None and time > self._max:
            self._max = time
            due = (MIN_TIME + 1 if self._emitted == MIN_TIME else self._emitted + self.interval) + self._bound + 1
            if time >= due:
                self._give(self._max - self._bound - 1)

    def watermark(self, time: int) -> None:
        # Those of the input are replaced, but for the last one.
        if time == MAX_TIME:
            self._give(time)

    def next_time(self) -> int | None:
        times = []
        idle = self._settings.get("idle_timeout", -1)
        if idle >= 0 and not self._is_idle:
            times.append(self._quiet_since + idle)
        if self._bound >= 0 and self._max - self._bound - 1 > self._emitted:
            times.append(self._quiet_since + self.interval)
        return min(times, default=None)

    def processing_time(self, now: int) -> None:
        if self._bound >= 0 and now >= self._quiet_since + self.interval:
            self._give(self._max - self._bound - 1)
        if self._generator is not None:
            self._ask()
        idle = self._settings.get("idle_timeout", -1)
        if idle >= 0 and not self._is_idle and now >= self._quiet_since + idle:
            self._is_idle = True
            self.forward_status(True)

    def _time(self, value: Any, timestamp: int | None) -> int | None:
        if self._extract is not None:
            found: Any = self._extract(value, MIN_TIME if timestamp is None else timestamp)
            if isinstance(found, float) and found.is_integer():
                found = int(found)
            if isinstance(found, bool) or not hasattr(found, "__index__"):
                raise TypeError(f"a timestamp is an int of milliseconds, not {found!r}")
            found = found.__index__()
            return None if found == MIN_TIME else found
        if self._column >= 0:
            found = value[self._column] if isinstance(value, (tuple, list)) or hasattr(value, "_values") else value
            if found is None:
                raise EventTimeError("the event time of a record is null")
            return _milliseconds(found)
        return timestamp

    def _ask(self) -> None:
        if self._generator is not None and (time := self._generator[1]()) is not None:
            self._give(time)

    def _give(self, time: int) -> None:
        if time > self._emitted:
            self._emitted = time
            self.forward_watermark(time)


def _milliseconds(time: Any) -> int:
    if isinstance(time, int):
        return time
    if hasattr(time, "seconds") and hasattr(time, "nanos"):
        return int(time.seconds) * 1_000 + int(time.nanos) // 1_000_000
    import datetime

    epoch = datetime.datetime(1970, 1, 1, tzinfo=time.tzinfo and datetime.UTC)
    elapsed: int = (time - epoch) // datetime.timedelta(milliseconds=1)
    return elapsed


# ---- The environment ---------------------------------------------------------------------------------------------------------------------------

_WIDTHS = {"TINYINT": 8, "SMALLINT": 16, "INT": 32, "BIGINT": 64}


class TwinEnvironment:
    """The methods of ``_native.Environment`` that the harness knows. Each gives a node's number."""

    def __init__(self, clock: ManualClock, operator_state: OperatorStates | None = None) -> None:
        self._clock = clock
        self._operator_state = operator_state
        self.nodes: list[Node] = []
        #: What is being lowered.
        self.adding: Any = None
        self.sources: list[Node] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise UnsupportedError(f"{self._place()} runs in the engine alone ({name}), not in a harness; test it with run_job")

    def _place(self) -> str:
        return "this" if self.adding is None else repr(self.adding.name)

    # What a builder sets.

    def set(self, node: int, key: str, value: str) -> None:
        """Names; the rest means nothing with one subtask."""
        if key == "name":
            self.nodes[node].name = value

    def configure(self, key: str, value: str) -> None:
        """Nothing to configure."""

    def add_side_output(self, node: int, tag: str, schema: str) -> None:
        """A side output's type."""
        self.nodes[node].side_schemas[tag] = schema

    def close(self) -> None:
        """Closes the functions of all operators; the first failure is raised."""
        failures: list[BaseException] = []
        for node in self.nodes:
            try:
                node.close()
            except BaseException as failure:
                failures.append(failure)
        if failures:
            raise failures[0]

    # Nodes.

    def source_harness(self) -> int:
        """An input that the test feeds."""
        node = self._new(Node(self.adding.name, self.adding.type_info.schema()), [])
        self.sources.append(self.nodes[node])
        return node

    def transform(self, stream: TwinInput, function: Any) -> int:
        """map, flat_map, filter."""
        (stages, schema), _ = self._recipe(function, "transform")
        return self._new(TransformNode(self.adding.name, stages[-1][3] or schema, stages), [stream])

    def key_selector(self, stream: TwinInput, function: Any) -> int:
        """Keys by a function."""
        (stages, schema), _ = self._recipe(function, "transform")
        return self._new(KeySelectorNode(self.adding.name, schema, stages), [stream])

    def assign_timestamps(self, stream: TwinInput, watermarks: Any) -> int:
        """Timestamps and watermarks."""
        return self._new(TimestampsNode(self.adding.name, self.adding.type_info.schema(), watermarks.settings, self._clock), [stream])

    def union(self, streams: list[TwinInput]) -> int:
        """Several streams as one."""
        return self._new(Node(self.adding.name, self.adding.type_info.schema(), len(streams)), streams)

    def reduce(self, stream: TwinInput, function: Any) -> int:
        """A running reduction per key."""
        (given, schema, _, *first), _ = self._recipe(function, "reducer")
        return self._new(RunningNode(self.adding.name, schema, self._key_schema(stream), given, *first), [stream])

    def rolling(self, stream: TwinInput, kind: str, column: int) -> int:
        """The engine's running sum, min and the like of a column of numbers."""
        schema = self.adding.type_info.schema()
        combine = rolling_function(kind, column)
        width = _WIDTHS.get(_column_types(self.adding.type_info)[column].split(" ")[0]) if kind == "SUM" else None

        def add(value1: Any, value2: Any) -> Any:
            result = combine(value1, value2)
            if width is None:
                return result
            # The engine's integers wrap, as Java's do.
            part = result[column] if isinstance(result, (tuple, list)) or hasattr(result, "_values") else result
            wrapped = (part + (1 << width - 1) & (1 << width) - 1) - (1 << width - 1)
            return result if wrapped == part else combine(value1, _replaced(value2, column, wrapped - _part(value1, column)))

        return self._new(RunningNode(self.adding.name, schema, self._key_schema(stream), add), [stream])

    def process(self, stream: TwinInput, function: Any, states: Any = ()) -> int:
        """A process function."""
        (make, _, schema, _), settings = self._recipe(function, "process")
        return self._new(self._process_node(make, schema, settings, states, 1), [stream])

    def co_process(self, first: TwinInput, second: TwinInput, function: Any, states: Any = ()) -> int:
        """A process function over two streams."""
        (make, _, _, schema, _), settings = self._recipe(function, "co_process")
        return self._new(self._process_node(make, schema, settings, states, 2), [first, second])

    def sink_collect(self, stream: TwinInput) -> int:
        """Results."""
        return self._new(CollectNode(self.adding.name), [stream])

    def sink_print(self, stream: TwinInput, prefix: str | None = None, to_error: bool = False) -> int:
        """Printing is left out: what is printed can be read from the output."""
        return self._new(SinkNode(self.adding.name, None), [stream])

    def sink_blackhole(self, stream: TwinInput) -> int:
        """Nothing."""
        return self._new(SinkNode(self.adding.name, None), [stream])

    # Inside.

    def _new(self, node: Node, inputs: list[TwinInput]) -> int:
        for place, stream in enumerate(inputs):
            if not isinstance(stream, TwinInput):
                raise UnsupportedError(f"{self._place()} is made of parts that run in the engine alone; test it with run_job")
            self.nodes[stream.node].connect(node, place, self._key(stream), stream.side_output)
        self.nodes.append(node)
        return len(self.nodes) - 1

    def _process_node(self, make: Any, schema: str, settings: dict[str, Any], states: Any, inputs: int) -> ProcessNode:
        name, key_schema, context = self.adding.name, settings.get("key_schema"), settings.get("context")
        restored = None if self._operator_state is None else self._operator_state.get(name, {})
        return ProcessNode(name, self._clock, make, schema, key_schema, context, states, inputs, restored)

    def _recipe(self, function: Any, factory: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
        recipe = function.recipe
        if recipe is None or recipe[0] != factory:
            raise UnsupportedError(f"{self._place()} has a function of the engine's own; test it with run_job")
        return recipe[1], recipe[2]

    def _key(self, stream: TwinInput) -> Callable[[Any], Any] | None:
        if stream.partitioning != "HASH":
            return None
        node, positions = self.nodes[stream.node], stream.keys
        if isinstance(node, KeySelectorNode):
            return node.key
        if len(positions) == 1:
            position = positions[0]
            return lambda value: value[position]
        return lambda value: tuple([value[position] for position in positions])

    def _key_schema(self, stream: TwinInput) -> str:
        node = self.nodes[stream.node]
        # Of fields only their declared types matter: what is no Python object needs no check as a key.
        return node.key_schema if isinstance(node, KeySelectorNode) else "FIELDS"


def _column_types(type_info: Any) -> list[str]:
    from millstream.datastream.field_access import field_types

    return [found._field_type() for found in field_types(type_info)]


def _part(value: Any, column: int) -> Any:
    return value[column] if isinstance(value, (tuple, list)) or hasattr(value, "_values") else value


def _replaced(value: Any, column: int, part: Any) -> Any:
    from millstream.datastream.field_access import _with_part

    return _with_part(value, column, part) if isinstance(value, (tuple, list)) or hasattr(value, "_values") else part


def lower(
    env: Any, streams: list[DataStream], sources: int, clock: ManualClock, operator_state: OperatorStates | None = None
) -> tuple[TwinEnvironment, list[CollectNode]]:
    """Builds the twin of what makes the streams; gives the nodes that keep their results."""
    builder = TwinBuilder(env, clock, operator_state)
    sinks = [stream._sink("Collect", lambda builder, _, inputs: builder.native.sink_collect(inputs[0]))._transformation for stream in streams]
    transformations, env._transformations = env._transformations, []
    builder.add_all(transformations)
    found = [builder.twin.nodes[builder.node(sink)] for sink in sinks]
    if len(builder.twin.sources) != sources:
        raise UnsupportedError("a stream of the harness is not read by what was built of it")
    for node in reversed(builder.twin.nodes):
        node.open()
    return builder.twin, [node for node in found if isinstance(node, CollectNode)]
