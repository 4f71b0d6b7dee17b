"""Bad input of each construct beyond map and filter: connected, broadcast and joined streams, evictors, triggers, time-to-live, asynchronous functions,
side outputs, accumulators, cached files and metrics.

Each case is a small job that cannot go well. It raises one exception that says what is wrong, names the operator and the line of the program that made
it, has no line of the package, and is no longer than 15 lines; or it does what Flink does, which the second table says.
"""

from __future__ import annotations

import asyncio
import logging
import pathlib
import re
import traceback
from collections.abc import Callable
from typing import Any

import millstream
import pytest
from millstream import notices
from millstream.common import Time, Types
from millstream.common.accumulators import IntCounter
from millstream.datastream import (
    AggregateFunction,
    AsyncDataStream,
    AsyncFunction,
    CoProcessFunction,
    DataStream,
    KeyedBroadcastProcessFunction,
    KeyedCoProcessFunction,
    KeyedProcessFunction,
    MapFunction,
    OutputTag,
    ProcessFunction,
    ProcessWindowFunction,
    StreamExecutionEnvironment,
    WindowFunction,
)
from millstream.datastream.functions import CoGroupFunction, ProcessJoinFunction
from millstream.datastream.state import ListStateDescriptor, MapStateDescriptor, ReducingStateDescriptor, StateTtlConfig, ValueStateDescriptor
from millstream.datastream.window import (
    ContinuousEventTimeTrigger,
    CountEvictor,
    CountTrigger,
    DeltaEvictor,
    DeltaTrigger,
    EventTimeSessionWindows,
    EventTimeTrigger,
    Evictor,
    GlobalWindows,
    SlidingEventTimeWindows,
    TimeEvictor,
    Trigger,
    TriggerResult,
    TumblingEventTimeWindows,
)
from millstream.exceptions import (
    ConfigurationError,
    EventTimeError,
    InputOutputError,
    InvalidStateError,
    KeyValueError,
    PlanError,
    TypeMismatchError,
)
from millstream.testing import TestStream

Environment = StreamExecutionEnvironment
PACKAGE = str(pathlib.Path(millstream.__file__).parent)
PAIR = Types.TUPLE([Types.STRING(), Types.LONG()])
RULES = MapStateDescriptor("rules", Types.STRING(), Types.LONG())
VALUES = ValueStateDescriptor("s", Types.LONG())
LIST = ListStateDescriptor("s", Types.LONG())
TEN = TumblingEventTimeWindows.of(Time.milliseconds(10))


def pairs(env: Environment) -> DataStream:
    return env.from_source(TestStream(PAIR).add(("a", 1), 1).add(("b", 2), 2).add(("a", 3), 30).end())


def first(value: Any) -> Any:
    return value[0]


def keyed(env: Environment) -> Any:
    return pairs(env).key_by(first)


def untimed(env: Environment) -> DataStream:
    return env.from_collection([("a", 1)], PAIR)


def boom(*_: Any) -> Any:
    raise ZeroDivisionError("mine")


# ---- Functions that do what a case says ------------------------------------------------------------------------------------------------------


class Keyed(KeyedProcessFunction[Any, Any, Any]):
    def __init__(self, body: Any = lambda self, value, ctx: [value], opening: Any = None, closing: Any = None) -> None:
        self.body, self.opening, self.closing = body, opening, closing

    def open(self, runtime_context: Any) -> None:
        self.context = runtime_context
        self.state = None if self.opening is None else self.opening(runtime_context)

    def process_element(self, value: Any, ctx: Any) -> Any:
        return self.body(self, value, ctx)

    def close(self) -> None:
        if self.closing is not None:
            self.closing(self)


class Co(KeyedCoProcessFunction[Any, Any, Any, Any]):
    def __init__(self, one: Any = lambda value, ctx: [value], two: Any = lambda value, ctx: [value], timer: Any = boom, opening: Any = None) -> None:
        self.one, self.two, self.timer, self.opening = one, two, timer, opening

    def open(self, runtime_context: Any) -> None:
        if self.opening is not None:
            self.opening(runtime_context)

    def process_element1(self, value: Any, ctx: Any) -> Any:
        return self.one(value, ctx)

    def process_element2(self, value: Any, ctx: Any) -> Any:
        return self.two(value, ctx)

    def on_timer(self, timestamp: int, ctx: Any) -> Any:
        return self.timer(timestamp, ctx)


class Broad(KeyedBroadcastProcessFunction[Any, Any, Any, Any]):
    def __init__(self, one: Any = lambda value, ctx: [value], two: Any = lambda value, ctx: [value]) -> None:
        self.one, self.two = one, two

    def process_element(self, value: Any, ctx: Any) -> Any:
        return self.one(value, ctx)

    def process_broadcast_element(self, value: Any, ctx: Any) -> Any:
        return self.two(value, ctx)


class Plain(ProcessFunction[Any, Any]):
    def __init__(self, body: Any, opening: Any = None) -> None:
        self.body, self.opening = body, opening

    def open(self, runtime_context: Any) -> None:
        if self.opening is not None:
            self.opening(runtime_context)

    def process_element(self, value: Any, ctx: Any) -> Any:
        return self.body(value, ctx)


class Opened(MapFunction[Any, Any]):
    def __init__(self, opening: Any, body: Any = lambda made, value: value) -> None:
        self.opening, self.body = opening, body

    def open(self, runtime_context: Any) -> None:
        self.made = self.opening(runtime_context)

    def map(self, value: Any) -> Any:
        return self.body(self.made, value)


class Contents(ProcessWindowFunction[Any, Any, Any, Any]):
    def __init__(self, body: Any = lambda context, elements: [len(list(elements))], clearing: Any = None) -> None:
        self.body, self.clearing = body, clearing

    def process(self, key: Any, context: Any, elements: Any) -> Any:
        return self.body(context, elements)

    def clear(self, context: Any) -> None:
        if self.clearing is not None:
            self.clearing(context)


class Applied(WindowFunction[Any, Any, Any, Any]):
    def apply(self, key: Any, window: Any, inputs: Any) -> Any:
        return boom()


class Count(AggregateFunction[Any, Any, Any]):
    def create_accumulator(self) -> Any:
        return 0

    def add(self, value: Any, accumulator: Any) -> Any:
        return accumulator + 1

    def get_result(self, accumulator: Any) -> Any:
        return accumulator

    def merge(self, acc_a: Any, acc_b: Any) -> Any:
        return acc_a + acc_b


class Evicts(Evictor[Any, Any]):
    def __init__(self, before: Any = None, after: Any = None) -> None:
        self.before, self.after = before, after

    def evict_before(self, elements: Any, size: int, window: Any, evictor_context: Any) -> None:
        if self.before is not None:
            self.before(elements)

    def evict_after(self, elements: Any, size: int, window: Any, evictor_context: Any) -> None:
        if self.after is not None:
            self.after(elements)


class Fires(Trigger[Any, Any]):
    """Fires at the window's end, unless a case says otherwise."""

    def __init__(self, element: Any = None, event: Any = None, merge: Any = None, clearing: Any = None) -> None:
        self.element, self.event, self.merge, self.clearing = element, event, merge, clearing

    def on_element(self, element: Any, timestamp: int, window: Any, ctx: Any) -> Any:
        ctx.register_event_time_timer(window.max_timestamp())
        return TriggerResult.CONTINUE if self.element is None else self.element(ctx)

    def on_event_time(self, time: int, window: Any, ctx: Any) -> Any:
        return TriggerResult.FIRE if self.event is None else self.event(ctx)

    def on_processing_time(self, time: int, window: Any, ctx: Any) -> Any:
        return TriggerResult.CONTINUE

    def can_merge(self) -> bool:
        return True

    def on_merge(self, window: Any, ctx: Any) -> None:
        if self.merge is not None:
            self.merge(ctx)

    def clear(self, window: Any, ctx: Any) -> None:
        if self.clearing is not None:
            self.clearing(ctx)


class Async(AsyncFunction[Any, Any]):
    def __init__(self, body: Any, on_timeout: Any = None) -> None:
        self.body = body
        if on_timeout is not None:
            self.timeout = on_timeout  # type: ignore[method-assign]

    async def async_invoke(self, value: Any) -> Any:
        return await self.body(value)


class Blocking(AsyncFunction[Any, Any]):
    def async_invoke(self, value: Any) -> Any:  # type: ignore[override]
        return [value]


async def echo(value: Any) -> Any:
    return [value]


async def never(value: Any) -> Any:
    await asyncio.sleep(1_000)


async def fails(value: Any) -> Any:
    boom()


async def fails_after_the_timeout(value: Any) -> Any:
    try:
        await asyncio.sleep(1_000)
    finally:
        boom()


async def no_list(value: Any) -> Any:
    return 5


class Group(CoGroupFunction[Any, Any, Any]):
    def co_group(self, first: Any, second: Any) -> Any:
        boom()


class Interval(ProcessJoinFunction[Any, Any, Any]):
    def process_element(self, left: Any, right: Any, ctx: Any) -> Any:
        boom()


class NoMerge(IntCounter):
    def merge(self, other: Any) -> None:
        boom()


def co(env: Environment, output_type: Any = None, **bodies: Any) -> Any:
    return keyed(env).connect(keyed(env)).process(Co(**bodies), output_type)


def broad(env: Environment, **bodies: Any) -> Any:
    return keyed(env).connect(pairs(env).broadcast(RULES)).process(Broad(**bodies))


def join(env: Environment, function: Any = lambda one, other: 1, where: Any = first, equal: Any = first, window: Any = TEN, output_type: Any = None) -> Any:
    return pairs(env).join(pairs(env)).where(where).equal_to(equal).window(window).apply(function, output_type)


def co_group(env: Environment, function: Any) -> Any:
    return pairs(env).co_group(pairs(env)).where(first).equal_to(first).window(TEN).apply(function)


def interval(env: Environment, lower: Any = 0, upper: Any = 5) -> Any:
    return keyed(env).interval_join(keyed(env)).between(lower, upper).process(Interval())


def window(env: Environment, assigner: Any = TEN) -> Any:
    return keyed(env).window(assigner)


def wait(env: Environment, function: Any, timeout: Any = Time.milliseconds(30), capacity: Any = 10, output_type: Any = None) -> Any:  # noqa: B008
    return AsyncDataStream.unordered_wait(pairs(env), function, timeout, capacity, output_type)


def with_ttl(descriptor: Any, seconds: int = 1) -> Any:
    descriptor.enable_time_to_live(StateTtlConfig.new_builder(Time.seconds(seconds)).build())
    return descriptor


def timer(time: Any) -> Any:
    return lambda value, ctx: ctx.timer_service().register_event_time_timer(time)


TAG = OutputTag("t", Types.LONG())
Case = tuple[Callable[[Environment], Any], type[BaseException], str, str]

# The job, its exception, what it says, and what its note says: nothing where the call itself raises it.
FAILURES: dict[str, Case] = {
    # Connected streams.
    "connect: the second function raises": (lambda env: co(env, two=boom), ZeroDivisionError, "mine", r"Co-Process.*record 0 of the second input: \('a', 1\)"),
    "connect: the first function raises": (lambda env: co(env, one=boom), ZeroDivisionError, "mine", r"record 0 of the first input: \('a', 1\)"),
    "connect: another type": (lambda env: co(env, Types.LONG()), TypeMismatchError, r"declared BIGINT, but the value is \('a', 1\)", "record 0"),
    "connect: a timer raises": (lambda env: co(env, one=timer(5)), ZeroDivisionError, "mine", "event-time timer at 5, key 'a'"),
    "connect: a timer beyond time": (lambda env: co(env, one=timer(2**63)), EventTimeError, "within 64 bits", "record 0"),
    "connect: a timer of text": (lambda env: co(env, one=timer("soon")), TypeError, "an int of milliseconds, not 'soon'", "record 0"),
    "connect: no iterable": (lambda env: co(env, one=lambda value, ctx: 5), TypeMismatchError, "None or an iterable of results", "record 0"),
    "connect: no key": (lambda env: pairs(env).key_by(lambda value: None).connect(keyed(env)).process(Co()), KeyValueError, "never None", "'KeyBy'"),
    "connect: no stream": (lambda env: pairs(env).connect([1]), TypeError, "takes a DataStream or a BroadcastStream", ""),
    "connect: two environments": (
        lambda env: pairs(env).connect(pairs(Environment.get_execution_environment())), PlanError, "different environments", ""),
    "connect: one name for two states": (
        lambda env: co(env, opening=lambda context: (context.get_state(VALUES), context.get_map_state(MapStateDescriptor("s")))),
        InvalidStateError, "'s' is asked for as a map state from Python objects to Python objects, but was made as a value state of", "while it was opened"),
    "connect: state without keys": (
        lambda env: pairs(env).connect(pairs(env)).process(CoPlain(lambda context: context.get_state(VALUES))),
        InvalidStateError, "needs a key", "while it was opened"),
    # State outside of a key, and with other types.
    "state: in open": (lambda env: keyed(env).process(Keyed(opening=lambda context: context.get_state(VALUES).value())), InvalidStateError,
                       "used outside process_element and on_timer", "while it was opened"),
    "state: in close": (lambda env: keyed(env).process(Keyed(opening=lambda context: context.get_state(VALUES), closing=lambda self: self.state.value())),
                        InvalidStateError, "can only be used inside process_element", "while it was closed"),
    "state: after open": (lambda env: keyed(env).process(Keyed(lambda self, value, ctx: self.context.get_state(VALUES))), InvalidStateError,
                          "after the job has started; make all states in open", "record 0"),
    "state: another descriptor": (lambda env: keyed(env).process(Keyed(opening=lambda context: context.get_state(LIST))), TypeError,
                                  "a ValueStateDescriptor is needed", "while it was opened"),
    "state: another type": (
        lambda env: keyed(env).process(Keyed(lambda self, value, ctx: self.state.update("x"), lambda context: context.get_state(VALUES))),
        TypeMismatchError, "declared BIGINT, but the value is 'x'", "record 0"),
    "state: an unhashable key of a map": (
        lambda env: keyed(env).process(Keyed(lambda self, value, ctx: self.state.put([1], 1), lambda context: context.get_map_state(MapStateDescriptor("m")))),
        KeyValueError, r"\[1\] cannot be a key of a map state", "record 0"),
    "state: a reduction that raises": (
        lambda env: keyed(env).process(
            Keyed(lambda self, value, ctx: self.state.add(1), lambda context: context.get_reducing_state(ReducingStateDescriptor("r", boom, Types.LONG())))),
        ZeroDivisionError, "mine", "record 2"),
    "state: without keys": (lambda env: pairs(env).process(Plain(boom, lambda context: context.get_state(VALUES))), InvalidStateError,
                            "needs a key; call key_by", "while it was opened"),
    "timer: without keys": (lambda env: pairs(env).process(Plain(timer(1))), InvalidStateError, "need a keyed stream", "record 0"),
    # Broadcast state.
    "broadcast: the function raises": (lambda env: broad(env, two=boom), ZeroDivisionError, "mine", "record 0 of the second input"),
    "broadcast: another value": (lambda env: broad(env, two=lambda value, ctx: ctx.get_broadcast_state(RULES).put("a", "x")), TypeMismatchError,
                                 "declared BIGINT, but the value is 'x'", "second input"),
    "broadcast: another key": (lambda env: broad(env, two=lambda value, ctx: ctx.get_broadcast_state(RULES).put(5, 1)), TypeMismatchError,
                               "declared STRING, but the value is 5", "second input"),
    "broadcast: None": (lambda env: broad(env, two=lambda value, ctx: ctx.get_broadcast_state(RULES).put("a", None)), TypeMismatchError,
                        "null is not allowed", "second input"),
    "broadcast: to be read only": (lambda env: broad(env, one=lambda value, ctx: ctx.get_broadcast_state(RULES).put("a", 1)), InvalidStateError,
                                   "can only be changed in process_broadcast_element", "first input"),
    "broadcast: an unknown state": (lambda env: broad(env, one=lambda value, ctx: ctx.get_broadcast_state(MapStateDescriptor("rulez"))),
                                    InvalidStateError, "no broadcast state 'rulez'; did you mean 'rules'", "first input"),
    "broadcast: no map": (lambda env: pairs(env).broadcast(VALUES), TypeError, "takes MapStateDescriptors", ""),
    "broadcast: one name twice": (lambda env: pairs(env).broadcast(RULES, RULES), PlanError, "two of the states are called 'rules'", ""),
    "broadcast: a timer": (lambda env: broad(env, two=timer(1)), InvalidStateError, "no key, so they have no keyed state and no timers", "second input"),
    "broadcast: keyed state that is none": (lambda env: broad(env, two=lambda value, ctx: ctx.apply_to_keyed_state(VALUES, boom)), InvalidStateError,
                                            "makes no state 's' in open", "second input"),
    # Joins.
    "join: the function raises": (lambda env: join(env, boom), ZeroDivisionError, "mine", "'Join'.*window from 0 to 10, key 'a'"),
    "join: another type": (lambda env: join(env, lambda one, other: "x", output_type=Types.LONG()), TypeMismatchError, "declared BIGINT", "'Join'"),
    "join: a key that raises": (lambda env: join(env, where=boom), ZeroDivisionError, "mine", r"record 0: \('a', 1\)"),
    "join: no key": (lambda env: join(env, where=lambda value: None), KeyValueError, "never None", "record 0"),
    "join: an unhashable key": (lambda env: join(env, where=lambda value: [1], equal=lambda value: [1]), KeyValueError, r"\[1\] \(list\) can be no key", "'KeyBy'"),
    "join: keys of two types": (lambda env: join(env, equal=lambda value: value[1]), KeyValueError, "one key_by has one type of key", "'KeyBy'"),
    "join: one argument": (lambda env: join(env, lambda one: 1), TypeError, "takes 1 positional argument but 2", "'Join'"),
    "join: no window": (lambda env: join(env, window="x"), TypeError, "takes an assigner such as", ""),
    "join: no stream": (lambda env: pairs(env).join(5), TypeError, "a DataStream is needed", ""),
    "join: no timestamps": (lambda env: untimed(env).join(untimed(env)).where(first).equal_to(first).window(TEN).apply(lambda one, other: 1),
                            EventTimeError, "has no timestamp", "'Join'"),
    "co_group: the function raises": (lambda env: co_group(env, Group()), ZeroDivisionError, "mine", "'CoGroup'.*key 'a'"),
    "co_group: no iterable": (lambda env: co_group(env, lambda one, other: 5), TypeMismatchError, "None or an iterable of results", "'CoGroup'"),
    "interval join: the function raises": (interval, ZeroDivisionError, "mine", r"'Interval Join'.*input: \('a', 1\)"),
    "interval join: bounds": (lambda env: interval(env, 5, 0), ValueError, "the lower bound 5 ms is above the upper bound 0 ms", ""),
    "interval join: text for a bound": (lambda env: interval(env, "a"), TypeError, "between takes a Time", ""),
    "interval join: no timestamps": (
        lambda env: untimed(env).key_by(first).interval_join(untimed(env).key_by(first)).between(0, 5).process(Interval()),
        EventTimeError, "needs timestamps", "input"),
    "interval join: no keys": (lambda env: keyed(env).interval_join(pairs(env)), TypeError, "takes another keyed stream", ""),
    # Evictors.
    "evictor: before raises": (lambda env: window(env).evictor(Evicts(boom)).process(Contents()), ZeroDivisionError, "mine", "timer at 9, key 'a'"),
    "evictor: after raises": (lambda env: window(env).evictor(Evicts(None, boom)).process(Contents()), ZeroDivisionError, "mine", "timer at 9"),
    "evictor: leaves what is no element": (
        lambda env: window(env).evictor(Evicts(lambda elements: elements.append(5))).process(Contents()),
        TypeError, "Evicts left 5 among the window's elements; a TimestampedValue was expected", "timer at 9"),
    "evictor: a class": (lambda env: window(env).evictor(CountEvictor), TypeError, "takes an Evictor such as", ""),
    "evictor: a negative count": (lambda env: CountEvictor.of(-1), ValueError, "0 or more, but is -1", ""),
    "evictor: a time of text": (lambda env: TimeEvictor.of("x"), TypeError, "TimeEvictor's size", ""),
    "evictor: a delta that raises": (lambda env: window(env).evictor(DeltaEvictor.of(1, boom)).process(Contents()), ZeroDivisionError, "mine", "timer at 9"),
    "evictor: a delta of text": (lambda env: window(env).evictor(DeltaEvictor.of(1, lambda one, other: "x")).process(Contents()), TypeError,
                                 "the delta function gave 'x'; a number was expected", "timer at 9"),
    # Triggers.
    "trigger: an element raises": (lambda env: window(env).trigger(Fires(boom)).process(Contents()), ZeroDivisionError, "mine", "record 0"),
    "trigger: a timer raises": (lambda env: window(env).trigger(Fires(None, boom)).process(Contents()), ZeroDivisionError, "mine", "timer at 9"),
    "trigger: a merge raises": (
        lambda env: window(env, EventTimeSessionWindows.with_gap(50)).trigger(Fires(merge=boom)).process(Contents()), ZeroDivisionError, "mine", "record 2"),
    "trigger: clear raises": (lambda env: window(env).trigger(Fires(clearing=boom)).process(Contents()), ZeroDivisionError, "mine", "timer at 9"),
    "trigger: None": (lambda env: window(env).trigger(Fires(lambda ctx: None)).process(Contents()), TypeError, "gave None; a TriggerResult", "record 0"),
    "trigger: True": (lambda env: window(env).trigger(Fires(None, lambda ctx: True)).process(Contents()), TypeError, "gave True; a Trigger", "timer at 9"),
    "trigger: a class": (lambda env: window(env).trigger(EventTimeTrigger), TypeError, "takes a Trigger such as", ""),
    "trigger: a timer of text": (
        lambda env: window(env).trigger(Fires(lambda ctx: ctx.register_event_time_timer("x"))).process(Contents()), TypeError, "not 'x'", "record 0"),
    "trigger: an interval of 0": (lambda env: ContinuousEventTimeTrigger.of(0), ValueError, "must be positive", ""),
    "trigger: one name for two states": (
        lambda env: window(env).trigger(Fires(lambda ctx: [ctx.get_partitioned_state(found) for found in (VALUES, LIST)])).process(Contents()),
        InvalidStateError, "'s' is asked for as a list state of .*, but was made as a value state of", "record 0"),
    "trigger: a delta that raises": (
        lambda env: window(env, GlobalWindows.create()).trigger(DeltaTrigger.of(1, boom, PAIR)).process(Contents()), ZeroDivisionError, "mine", "record 2"),
    "trigger: a delta of text": (
        lambda env: window(env, GlobalWindows.create()).trigger(DeltaTrigger.of(1, lambda one, other: "x", PAIR)).process(Contents()),
        TypeError, "the delta function gave 'x'", "record 2"),
    "trigger: no delta": (lambda env: DeltaTrigger.of(1, None), TypeError, "takes a DeltaFunction", ""),
    # Windows.
    "window: a gap of 0": (lambda env: EventTimeSessionWindows.with_gap(0), ValueError, "the gap must be positive", ""),
    "window: a negative gap of an element": (
        lambda env: window(env, EventTimeSessionWindows.with_dynamic_gap(lambda value: -1)).process(Contents()),
        ValueError, "the gap must be positive, but is -1 ms", "record 0"),
    "window: a gap that raises": (lambda env: window(env, EventTimeSessionWindows.with_dynamic_gap(boom)).process(Contents()), ZeroDivisionError, "mine", "record 0"),
    "window: a size of 0": (lambda env: TumblingEventTimeWindows.of(0), ValueError, "the size must be positive", ""),
    "window: a negative slide": (lambda env: SlidingEventTimeWindows.of(10, -1), ValueError, "the slide must be positive", ""),
    "window: a negative lateness": (lambda env: window(env).allowed_lateness(-1), ConfigurationError, "must not be negative", ""),
    "window: no timestamps": (lambda env: untimed(env).key_by(first).window(TEN).process(Contents()), EventTimeError, "has no timestamp", "'Window"),
    "window: no timestamps, with an evictor": (
        lambda env: untimed(env).key_by(first).window(TEN).evictor(CountEvictor.of(1)).process(Contents()), EventTimeError, "has no timestamp", "record 0"),
    "window: the function raises": (lambda env: window(env).apply(Applied()), ZeroDivisionError, "mine", "window from 0 to 10, key 'a'"),
    "window: clear raises": (lambda env: window(env).process(Contents(clearing=boom)), ZeroDivisionError, "mine", "timer at 9, key 'a'"),
    "window: one name for two states": (
        lambda env: window(env).process(Contents(lambda context, elements: [context.window_state().get_state(VALUES), context.window_state().get_list_state(LIST)])),
        InvalidStateError, "'s' is asked for as a list state of .*, but was made as a value state of", "timer at 9"),
    # Time-to-live.
    "ttl: 0": (lambda env: StateTtlConfig.new_builder(Time.seconds(0)).build(), ConfigurationError, "must be positive", ""),
    "ttl: no config": (lambda env: ValueStateDescriptor("s").enable_time_to_live(5), TypeError, "a StateTtlConfig is needed", ""),
    "ttl: no update type": (lambda env: StateTtlConfig.new_builder(Time.seconds(1)).set_update_type(5).build(), TypeError, "UpdateType is needed", ""),
    "ttl: two of them": (
        lambda env: keyed(env).process(
            Keyed(opening=lambda context: [context.get_state(with_ttl(ValueStateDescriptor("s"), seconds)) for seconds in (1, 2)])),
        InvalidStateError, "asked for with .*2000 ms.* but was made with .*1000 ms", "while it was opened"),
    # Asynchronous functions.
    "async: never": (lambda env: wait(env, Async(never)), TimeoutError, "timed out for input", r"record [012]: \("),
    "async: raises": (lambda env: wait(env, Async(fails)), ZeroDivisionError, "mine", "record"),
    "async: raises after the timeout": (lambda env: wait(env, Async(fails_after_the_timeout)), TimeoutError, "timed out for input", "record"),
    "async: the timeout raises": (lambda env: wait(env, Async(never, boom)), ZeroDivisionError, "mine", "record"),
    "async: no list": (lambda env: wait(env, Async(no_list)), RuntimeError, "should be of list type", "record"),
    "async: another type": (lambda env: wait(env, Async(echo), output_type=Types.LONG()), TypeMismatchError, "declared BIGINT", "record"),
    "async: no coroutine": (lambda env: wait(env, Blocking()), PlanError, "should be declared as 'async def'", ""),
    "async: a class": (lambda env: wait(env, Blocking), TypeError, "takes an AsyncFunction, not the class itself", ""),
    "async: a capacity of 0": (lambda env: wait(env, Async(echo), capacity=0), ValueError, "a capacity of 0 values", ""),
    "async: a timeout of a number": (lambda env: wait(env, Async(echo), 5), TypeError, "timeout is a Time", ""),
    "async: no strategy": (lambda env: AsyncDataStream.ordered_wait_with_retry(pairs(env), Async(echo), Time.seconds(1), 5), TypeError,  # type: ignore[arg-type]
                           "an AsyncRetryStrategy is needed", ""),
    # Side outputs.
    "side output: no name": (lambda env: OutputTag(""), ValueError, "needs a name", ""),
    "side output: another type": (lambda env: pairs(env).process(Plain(lambda value, ctx: [(TAG, value)])).get_side_output(TAG), TypeMismatchError,
                                  "declared BIGINT", "record 0"),
    "side output: two types": (lambda env: two_types(pairs(env).process(Plain(boom))), PlanError, "has type .*, but is asked for as Long", ""),
    "side output: no tag": (lambda env: pairs(env).process(Plain(boom)).get_side_output("x"), TypeError, "an OutputTag is needed", ""),
    "side output: of an operator without": (lambda env: pairs(env).map(first).get_side_output(TAG), PlanError, "'Map' has no side output 't'", "test_bad_con"),
    "side output: late values of another type": (
        lambda env: window(env).side_output_late_data(TAG).process(Contents()), PlanError, "late values have type", ""),
    # Accumulators, cached files, metrics.
    "accumulator: one name twice": (
        lambda env: pairs(env).map(Opened(lambda context: [context.add_accumulator("n", IntCounter()) for _ in range(2)])),
        InvalidStateError, "an accumulator 'n' already", "while it was opened"),
    "accumulator: two kinds": (lambda env: pairs(env).map(Opened(lambda context: (context.get_int_counter("n"), context.get_histogram("n")))),
                               InvalidStateError, "is an IntCounter, not a Histogram", "while it was opened"),
    "accumulator: two kinds in two operators": (
        lambda env: pairs(env).map(Opened(lambda context: context.get_int_counter("n"))).map(Opened(lambda context: context.get_double_counter("n"))),
        InvalidStateError, "is an IntCounter in Map, and cannot be a DoubleCounter in Map", "while it was opened"),
    "accumulator: none": (lambda env: pairs(env).map(Opened(lambda context: context.add_accumulator("n", 5))), TypeError, "an Accumulator is needed", "opened"),
    "accumulator: text": (lambda env: pairs(env).map(Opened(lambda context: context.get_int_counter("n"), lambda made, value: made.add("x"))),
                          TypeError, "unsupported operand", "record 0"),
    "cached file: an unknown name": (
        lambda env: pairs(env).map(Opened(lambda context: context.get_distributed_cache().get_file("nope"))),
        ConfigurationError, "no cached file 'nope'", "while it was opened"),
    "cached file: no file": (lambda env: env.register_cached_file("/nonexistent/file", "x"), InputOutputError, "no file '/nonexistent/file'", ""),
    "cached file: one name twice": (
        lambda env: [env.register_cached_file(path, "x") for path in ("/etc/hostname", "/etc/passwd")], ConfigurationError, "'/etc/hostname' already", ""),
    "cached file: no path": (lambda env: env.register_cached_file(5, "x"), TypeError, "os.PathLike", ""),  # type: ignore[arg-type]
    "cached file: no name": (lambda env: env.register_cached_file("/etc/hostname", 5), TypeError, "which are texts", ""),  # type: ignore[arg-type]
    "metric: a gauge of a number": (lambda env: pairs(env).map(Opened(lambda context: context.get_metrics_group().gauge("g", 5))), TypeError,
                                    "a gauge takes a function", "while it was opened"),
    "metric: a meter of no time": (lambda env: pairs(env).map(Opened(lambda context: context.get_metrics_group().meter("m", 0))), ValueError,
                                   "at least 1, and not 0", "while it was opened"),
    "metric: text": (lambda env: pairs(env).map(Opened(lambda context: context.get_metrics_group().counter("c"), lambda made, value: made.inc("x"))),
                     TypeError, "unsupported operand", "record 0"),
}  # fmt: skip


class CoPlain(CoProcessFunction[Any, Any, Any]):
    def __init__(self, opening: Any) -> None:
        self.opening = opening

    def open(self, runtime_context: Any) -> None:
        self.opening(runtime_context)

    def process_element1(self, value: Any, ctx: Any) -> Any:
        return [value]

    process_element2 = process_element1


def two_types(stream: DataStream) -> DataStream:
    stream.get_side_output(OutputTag("t", PAIR))
    return stream.get_side_output(TAG)


def run(build: Callable[[Environment], Any], env: Environment, is_built: bool) -> None:
    made = build(env)
    assert is_built, "the call itself should have raised it"
    with made.execute_and_collect() as values:
        list(values)


@pytest.mark.parametrize("name", FAILURES)
def test_failures(env: Environment, name: str) -> None:
    build, error, message, note = FAILURES[name]
    with pytest.raises(error, match=message) as caught:
        run(build, env, bool(note))
    printed = "".join(traceback.format_exception(caught.value)).rstrip()
    assert PACKAGE not in printed
    # Without the two frames of this file around the job.
    assert printed.count("\n") - 4 < 15, printed
    notes = "\n".join(getattr(caught.value, "__notes__", []))
    if note:
        assert "in operator '" in notes
        assert pathlib.Path(__file__).name in notes
        assert re.search(note, notes), notes


# ---- What Flink does -------------------------------------------------------------------------------------------------------------------------

HARMLESS: dict[str, tuple[Callable[[Environment], Any], list[Any]]] = {
    "a trigger that never fires": (lambda env: window(env).trigger(Fires(None, lambda ctx: TriggerResult.CONTINUE)).process(Contents()), []),
    "a trigger that fires at every element": (lambda env: window(env).trigger(CountTrigger.of(0)).process(Contents()), [1, 1, 1]),
    "an evictor that removes all, before a process function": (
        lambda env: window(env).evictor(Evicts(lambda elements: elements.clear())).process(Contents()), [0, 0, 0]),
    "an evictor that removes all, before an aggregation": (
        lambda env: window(env).evictor(Evicts(lambda elements: elements.clear())).aggregate(Count()), [0, 0, 0]),
    "an evictor that removes all, before a reduction": (lambda env: window(env).evictor(Evicts(lambda elements: elements.clear())).reduce(boom), []),
    "an evictor of a negative time removes all": (lambda env: window(env).evictor(TimeEvictor.of(-1)).process(Contents()), [0, 0, 0]),
    "a timer of the past fires with the next watermark": (
        lambda env: co(env, one=timer(-5), two=lambda value, ctx: [], timer=lambda timestamp, ctx: [(ctx.get_current_key(), timestamp)]),
        [("a", -5), ("b", -5)]),
    "a timer at the end of time": (
        lambda env: co(env, one=timer(2**63 - 1), two=lambda value, ctx: [], timer=lambda timestamp, ctx: [ctx.get_current_key()]), ["a", "b"]),
    "a side output that nobody reads": (lambda env: pairs(env).process(Plain(lambda value, ctx: [(TAG, "no number")])), []),
    "an asynchronous function without a timeout": (lambda env: wait(env, Async(echo), Time.milliseconds(0)), [("a", 1), ("a", 3), ("b", 2)]),
    "keys of two types on connected streams": (
        lambda env: pairs(env).key_by(lambda value: value[1]).connect(keyed(env)).process(Co(two=lambda value, ctx: [])), [("a", 1), ("a", 3), ("b", 2)]),
    "a gauge that raises": (lambda env: pairs(env).map(Opened(lambda context: context.get_metrics_group().gauge("g", boom), lambda made, value: 1)), [1, 1, 1]),
}  # fmt: skip


@pytest.mark.parametrize("name", HARMLESS)
def test_as_flink(env: Environment, name: str) -> None:
    build, expected = HARMLESS[name]
    assert sorted(build(env).execute_and_collect()) == expected


def test_a_time_to_live_of_broadcast_state_says_that_it_does_nothing(env: Environment, caplog: pytest.LogCaptureFixture) -> None:
    notices.forget_notices()
    with caplog.at_level(logging.WARNING, "millstream"):
        connected = keyed(env).connect(pairs(env).broadcast(with_ttl(MapStateDescriptor("expiring", Types.STRING(), Types.LONG()))))
        assert len(list(connected.process(Broad()).execute_and_collect())) == 6
    assert ["broadcast state 'expiring'" in record.message and "only keyed state expires" in record.message for record in caplog.records] == [True]


def test_a_merge_that_raises_names_its_accumulator(env: Environment) -> None:
    env.set_parallelism(2)
    pairs(env).map(Opened(lambda context: context.add_accumulator("n", NoMerge()))).print()
    with pytest.raises(ZeroDivisionError) as caught:
        env.execute().get_accumulator_result("n")
    assert caught.value.__notes__ == ["in accumulator 'n' of operator 'Map', while the subtasks' values were merged"]


def test_cached_files_take_paths(env: Environment, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "greeting.txt"
    file.write_text("hello")
    env.register_cached_file(file, "greeting")
    found = pairs(env).map(Opened(lambda context: pathlib.Path(context.get_distributed_cache().get_file("greeting")).read_text(), lambda made, value: made))
    assert list(found.execute_and_collect()) == ["hello"] * 3
