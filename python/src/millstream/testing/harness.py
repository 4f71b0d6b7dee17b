"""Harnesses: functions and small pipelines under test, record by record, without a job."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

from millstream._tracebacks import guard
from millstream.common.typeinfo import TypeInformation, type_of
from millstream.datastream.checkpointed_function import FunctionSnapshotContext
from millstream.datastream.co_functions import CoProcessFunction, KeyedCoProcessFunction
from millstream.datastream.data_stream import DataStream
from millstream.datastream.functions import KeyedProcessFunction, ProcessFunction
from millstream.datastream.output_tag import OutputTag
from millstream.datastream.stream_execution_environment import StreamExecutionEnvironment
from millstream.datastream.transformation import StreamInput, Transformation
from millstream.exceptions import InvalidStateError
from millstream.testing.clock import ManualClock
from millstream.testing.keyed_state import MAX_TIME, MIN_TIME
from millstream.testing.test_stream import TestStream
from millstream.testing.twin import OperatorStates, ProcessNode, StreamRecord, lower

__all__ = ["CoProcessHarness", "KeyedProcessHarness", "ProcessHarness", "StreamHarness", "StreamRecord"]

Type = TypeInformation | list[Any] | str | None


class StreamHarness:
    """A pipeline under test: it gets elements, watermarks and the time from the test, and what comes out can be read at once.

    ``build`` makes the streams to be looked at of the input streams, of which there are as many as ``input_types``; ``None`` stands for Python
    objects. Operators run in the calling thread, one element at a time, with one subtask each and the semantics of the engine; the clock stands
    where the test has put it. What the engine does without Python (expressions, ``agg``, connectors) is no part of it: ``run_job`` tests that.

    ``operator_state`` is what :meth:`snapshot_operator_state` of another harness gave: functions find it in ``initialize_state``, as in a restored
    job.

    Raises ``UnsupportedError`` for such an operator, and what a function raises, with a note of operator and record.

    >>> from millstream.datastream.window import Time, TumblingEventTimeWindows
    >>> def totals(payments):
    ...     windows = payments.key_by(lambda payment: payment[0]).window(TumblingEventTimeWindows.of(Time.seconds(10)))
    ...     return windows.reduce(lambda a, b: (a[0], a[1] + b[1]))
    >>> with StreamHarness(totals) as harness:
    ...     harness.process_element(("ann", 5), timestamp=1_000)
    ...     harness.process_element(("ann", 7), timestamp=9_000)
    ...     harness.process_watermark(8_000)
    ...     before = harness.extract_output_values()
    ...     harness.process_watermark(9_999)
    ...     before, harness.extract_output_values()
    ([], [('ann', 12)])
    """

    def __init__(
        self, build: Callable[..., DataStream | Sequence[DataStream]], *input_types: Type, clock: ManualClock | None = None,
        env: StreamExecutionEnvironment | None = None, operator_state: OperatorStates | None = None,
    ) -> None:
        self.clock = ManualClock() if clock is None else clock
        env = StreamExecutionEnvironment.get_execution_environment() if env is None else env
        types = [type_of(entry, "a harness's input type") for entry in input_types or (None,)]
        inputs = [DataStream(env, StreamInput(Transformation(f"Input {index}", (), entry, _add_source)), entry) for index, entry in enumerate(types)]
        built = build(*inputs)
        streams = [built] if isinstance(built, DataStream) else list(built)
        for stream in streams:
            if not isinstance(stream, DataStream):
                raise TypeError(f"build gives a DataStream, or several, not {stream!r}")
        self._twin, self._outputs = lower(env, streams, len(inputs), self.clock, copy.deepcopy(operator_state))
        self._ended = [False] * len(inputs)
        self._is_closed = False

    # ---- What comes in ----

    def process_element(self, value: Any, timestamp: int | None = None, input: int = 0) -> None:
        """Gives an element to an input, with a timestamp in milliseconds or none."""
        source = self._source(input)
        source.take(value if source._convert is None else source._convert(value), timestamp, None, 0)
        self._run_clock()

    def process_elements(self, values: Iterable[Any], timestamp: int | None = None, input: int = 0) -> None:
        """Gives several, all with one timestamp or none."""
        for value in values:
            self.process_element(value, timestamp, input)

    def process_watermark(self, timestamp: int, input: int | None = None) -> None:
        """Gives a watermark to an input, or to all: no element with a timestamp up to it comes any more. One that is not later does nothing."""
        for index in range(len(self._ended)) if input is None else (input,):
            if input is not None or not self._ended[index]:
                self._source(index).take_watermark(timestamp, 0)
        self._run_clock()

    def process_idle(self, input: int = 0) -> None:
        """Makes an input idle: until its next element it holds no watermark back."""
        self._source(input).take_status(True, 0)
        self._run_clock()

    def set_processing_time(self, time: int) -> None:
        """Moves the clock to a time in milliseconds. What is due on the way happens at its own time, in order; so does what is due at ``time``.

        Raises ``ValueError`` if that is in the past.
        """
        self._check_open()
        if time < self.clock.now():
            raise ValueError(f"the clock stands at {self.clock.now()} and cannot go back to {time}")
        while True:
            times = [due for due in (node.next_time() for node in self._twin.nodes) if due is not None]
            if not times or min(times) > time:
                break
            self.clock.set(max(min(times), self.clock.now()))
            self._run_due()
        self.clock.set(time)
        self._run_due()

    def advance_processing_time(self, milliseconds: int) -> None:
        """Moves the clock on by so many milliseconds."""
        self.set_processing_time(self.clock.now() + milliseconds)

    def end_input(self, input: int | None = None) -> None:
        """Ends an input, or all: the last watermark comes, so that all event-time timers and windows fire.

        As in a job, processing-time timers that still wait never fire.
        """
        for index in range(len(self._ended)) if input is None else (input,):
            if self._ended[index]:
                continue
            source = self._source(index)
            source.take_status(False, 0)
            source.take_watermark(MAX_TIME, 0)
            self._ended[index] = True
            source.take_end(0)

    def run(self, events: TestStream, input: int = 0) -> Self:
        """Does what a :class:`TestStream` says, at one input; gives the harness back."""
        for name, arguments in events.events:
            if name == "add":
                self.process_element(arguments[0], arguments[1], input)
            elif name == "watermark":
                self.process_watermark(arguments[0], input)
            elif name == "idle":
                self.process_idle(input)
            elif name == "advance_processing_time":
                self.advance_processing_time(arguments[0])
            else:
                self.end_input(input)
        return self

    # ---- What comes out ----

    def extract_output_values(self, output: int = 0) -> list[Any]:
        """The values that have come out so far."""
        return [record.value for record in self._outputs[output].records]

    def get_output(self, output: int = 0) -> list[StreamRecord]:
        """The values that have come out so far, with their timestamps."""
        return list(self._outputs[output].records)

    def take_output(self, output: int = 0) -> list[Any]:
        """The values that have come out since the last call: they are forgotten."""
        found = self.extract_output_values(output)
        self._outputs[output].records.clear()
        return found

    def get_watermarks(self, output: int = 0) -> list[int]:
        """The watermarks that have come out."""
        return list(self._outputs[output].watermarks)

    def get_side_output(self, output_tag: OutputTag | str) -> list[Any]:
        """The values that operators have sent to a side output, also if no stream reads it."""
        return [record.value for record in self.get_side_records(output_tag)]

    def get_side_records(self, output_tag: OutputTag | str) -> list[StreamRecord]:
        """The same with timestamps."""
        tag = output_tag if isinstance(output_tag, str) else output_tag.tag_id
        return list(itertools.chain.from_iterable(node.side_records.get(tag, ()) for node in self._twin.nodes))

    # ---- What is remembered ----

    def get_state(self, name: str, key: Any = None, operator: str | None = None) -> Any:
        """What a state holds for a key: a value, a list, a dictionary; ``None`` for nothing. Broadcast state has no key.

        ``operator`` is needed where several operators have a state of that name. Raises ``KeyError`` if there is no such state.
        """
        return self._state_node(name, operator).content(name, key)

    def get_states(self, name: str, operator: str | None = None) -> dict[Any, Any]:
        """What a state holds, by key, for all keys for which it holds anything."""
        return self._state_node(name, operator).contents(name)

    def snapshot_operator_state(self, checkpoint_id: int = 1) -> OperatorStates:
        """What a checkpoint would keep of operator state: by the operator's name, then the state's, a list or a dictionary.

        Calls ``snapshot_state`` of each :class:`~millstream.datastream.CheckpointedFunction`.
        """
        self._check_open()
        snapshot = _Snapshot(checkpoint_id, self.clock.now())
        found = {node.name: node.snapshot_operator_state(snapshot) for node in self._process_nodes()}
        return copy.deepcopy({name: states for name, states in found.items() if states})

    def get_event_time_timers(self, key: Any = None) -> list[int]:
        """The times of the event-time timers that wait, in order: of one key, or of all."""
        return self._timers(True, key)

    def get_processing_time_timers(self, key: Any = None) -> list[int]:
        """The times of the processing-time timers that wait, in order: of one key, or of all."""
        return self._timers(False, key)

    def num_event_time_timers(self) -> int:
        """How many event-time timers wait."""
        return len(self.get_event_time_timers())

    def num_processing_time_timers(self) -> int:
        """How many processing-time timers wait."""
        return len(self.get_processing_time_timers())

    # ---- Its end ----

    def close(self) -> None:
        """Closes the functions; raises what the first of them fails with. Nothing comes out of it: ``end_input`` ends the streams."""
        if not self._is_closed:
            self._is_closed = True
            self._twin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- Inside ----

    def _source(self, index: int) -> Any:
        self._check_open()
        if self._ended[index]:
            raise InvalidStateError(f"input {index} of the harness has ended")
        return self._twin.sources[index]

    def _check_open(self) -> None:
        if self._is_closed:
            raise InvalidStateError("the harness is closed")

    def _run_clock(self) -> None:
        # A timer may be set for the past.
        now = self.clock.now()
        while any(due is not None and due <= now for due in (node.next_time() for node in self._twin.nodes)):
            self._run_due()

    def _run_due(self) -> None:
        now = self.clock.now()
        for node in self._twin.nodes:
            due = node.next_time()
            if due is not None and due <= now:
                node.processing_time(now)

    def _process_nodes(self) -> list[ProcessNode]:
        return [node for node in self._twin.nodes if isinstance(node, ProcessNode)]

    def _state_node(self, name: str, operator: str | None) -> ProcessNode:
        found = [node for node in self._process_nodes() if (name in node.states or name in node.operator_states) and operator in (None, node.name)]
        if len(found) == 1:
            return found[0]
        if found:
            raise KeyError(f"several operators have a state {name!r}: {', '.join(repr(node.name) for node in found)}; say which by operator=")
        known = sorted({known for node in self._process_nodes() for known in (*node.states, *node.operator_states)})
        raise KeyError(f"there is no state {name!r}; there are: {', '.join(known) or 'none'}")

    def _timers(self, is_event_time: bool, key: Any) -> list[int]:
        found: list[int] = []
        for node in self._process_nodes():
            timers = node.context.event_timers if is_event_time else node.context.processing_timers
            slot = None if key is None else node.keys.find(key)
            if key is None or slot is not None:
                found += timers.of(slot)
        return sorted(found)


class _Snapshot(FunctionSnapshotContext):
    def __init__(self, checkpoint_id: int, timestamp: int) -> None:
        self._checkpoint_id = checkpoint_id
        self._timestamp = timestamp

    def get_checkpoint_id(self) -> int:
        return self._checkpoint_id

    def get_checkpoint_timestamp(self) -> int:
        return self._timestamp


class ProcessHarness(StreamHarness):
    """A :class:`ProcessFunction` under test, on a stream without keys.

    >>> from millstream.datastream import OutputTag, ProcessFunction
    >>> odd = OutputTag("odd")
    >>> class Halve(ProcessFunction):
    ...     def process_element(self, value, ctx):
    ...         yield (odd, value) if value % 2 else value // 2
    >>> with ProcessHarness(Halve()) as harness:
    ...     harness.process_elements([2, 3, 8])
    ...     harness.extract_output_values(), harness.get_side_output(odd)
    ([1, 4], [3])
    """

    def __init__(
        self, function: ProcessFunction[Any, Any], input_type: Type = None, output_type: Type = None, *, clock: ManualClock | None = None
    ) -> None:
        super().__init__(lambda stream: stream.process(function, output_type), input_type, clock=clock)


class KeyedProcessHarness(StreamHarness):
    """A :class:`KeyedProcessFunction` under test, with its states and timers.

    Like a subtask of a job, the harness works on a copy of the function.

    >>> from millstream.common import Types
    >>> from millstream.datastream import KeyedProcessFunction
    >>> from millstream.datastream.state import ValueStateDescriptor
    >>> class Silence(KeyedProcessFunction):
    ...     def open(self, runtime_context):
    ...         self.last = runtime_context.get_state(ValueStateDescriptor("last", Types.LONG()))
    ...     def process_element(self, value, ctx):
    ...         self.last.update(ctx.timestamp())
    ...         ctx.timer_service().register_event_time_timer(ctx.timestamp() + 60_000)
    ...     def on_timer(self, timestamp, ctx):
    ...         if self.last.value() == timestamp - 60_000:
    ...             yield ctx.get_current_key(), "silent"
    >>> with KeyedProcessHarness(Silence(), lambda reading: reading[0]) as harness:
    ...     harness.process_element(("boiler", 20.5), timestamp=1_000)
    ...     harness.process_element(("boiler", 20.7), timestamp=9_000)
    ...     harness.get_state("last", key="boiler"), harness.get_event_time_timers()
    ...     harness.process_watermark(69_000)
    ...     harness.get_output()
    (9000, [61000, 69000])
    [StreamRecord(value=('boiler', 'silent'), timestamp=69000)]
    """

    def __init__(
        self,
        function: KeyedProcessFunction[Any, Any, Any],
        key_selector: Any,
        key_type: TypeInformation | None = None,
        input_type: Type = None,
        output_type: Type = None,
        *,
        clock: ManualClock | None = None,
    ) -> None:
        super().__init__(lambda stream: stream.key_by(key_selector, key_type).process(function, output_type), input_type, clock=clock)


class CoProcessHarness(StreamHarness):
    """A :class:`CoProcessFunction` under test, or with key selectors a :class:`KeyedCoProcessFunction`, on two connected streams.

    >>> from millstream.datastream import KeyedCoProcessFunction
    >>> from millstream.datastream.state import ValueStateDescriptor
    >>> class Priced(KeyedCoProcessFunction):
    ...     def open(self, runtime_context):
    ...         self.price = runtime_context.get_state(ValueStateDescriptor("price"))
    ...     def process_element1(self, order, ctx):
    ...         yield ctx.get_current_key(), order["count"] * (self.price.value() or 0)
    ...     def process_element2(self, price, ctx):
    ...         self.price.update(price["euros"])
    >>> with CoProcessHarness(Priced(), lambda order: order["item"], lambda price: price["item"]) as harness:
    ...     harness.process_element2({"item": "tea", "euros": 3})
    ...     harness.process_element1({"item": "tea", "count": 4})
    ...     harness.extract_output_values()
    [('tea', 12)]
    """

    def __init__(
        self,
        function: CoProcessFunction[Any, Any, Any] | KeyedCoProcessFunction[Any, Any, Any, Any],
        key_selector1: Any = None,
        key_selector2: Any = None,
        key_type: TypeInformation | None = None,
        input_type1: Type = None,
        input_type2: Type = None,
        output_type: Type = None,
        *,
        clock: ManualClock | None = None,
    ) -> None:
        def build(stream1: DataStream, stream2: DataStream) -> DataStream:
            connected = stream1.connect(stream2)
            if key_selector1 is not None or key_selector2 is not None:
                connected = connected.key_by(key_selector1, key_selector2, key_type)
            results: DataStream = connected.process(function, output_type)
            return results

        super().__init__(build, input_type1, input_type2, clock=clock)

    def process_element1(self, value: Any, timestamp: int | None = None) -> None:
        """Gives an element to the first stream, with a timestamp in milliseconds or none."""
        self.process_element(value, timestamp, 0)

    def process_element2(self, value: Any, timestamp: int | None = None) -> None:
        """Gives an element to the second stream."""
        self.process_element(value, timestamp, 1)

    def process_watermark1(self, timestamp: int) -> None:
        """Gives a watermark to the first stream. :meth:`process_watermark` gives one to both."""
        self.process_watermark(timestamp, 0)

    def process_watermark2(self, timestamp: int) -> None:
        """Gives a watermark to the second stream."""
        self.process_watermark(timestamp, 1)


def _add_source(builder: Any, transformation: Transformation, inputs: Any) -> int:
    return int(builder.native.source_harness())


#: The time before all others, and the one after: where watermarks begin and end.
MIN_WATERMARK, MAX_WATERMARK = MIN_TIME, MAX_TIME

guard(globals(), hot=("StreamRecord",))
