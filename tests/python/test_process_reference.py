"""States, timers and two-input operators against references: random elements out of order, watermarks, interleavings and parallelisms.

What a job gives is compared with plain Python that knows nothing of operators: dictionaries for states, sorted lists for timers, loops over all pairs for
joins. The interleaving of two inputs is drawn (in a harness) or the scheduler's (in a job), and must change nothing.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from millstream.common import Types
from millstream.datastream import (
    AggregateFunction,
    KeyedBroadcastProcessFunction,
    KeyedCoProcessFunction,
    KeyedProcessFunction,
    OutputTag,
    StreamExecutionEnvironment,
)
from millstream.datastream.functions import CoGroupFunction, JoinFunction, ProcessJoinFunction
from millstream.datastream.state import (
    AggregatingStateDescriptor,
    ListStateDescriptor,
    MapStateDescriptor,
    ReducingStateDescriptor,
    ValueStateDescriptor,
)
from millstream.datastream.window import EventTimeSessionWindows, SlidingEventTimeWindows, Time, TumblingEventTimeWindows
from millstream.testing import StreamHarness, TestStream, run_job

MIN, MAX = -(2**63), 2**63 - 1
SEEDS = range(12)


# ---- States and timers of one stream ---------------------------------------------------------------------------------------------------------

OP = Types.PICKLED_BYTE_ARRAY()
SIDE = OutputTag("timers of the past")


class Sum(AggregateFunction[Any, Any, Any]):
    """The values that are not None, summed and counted."""

    def create_accumulator(self) -> Any:
        return [0, 0]

    def add(self, value: Any, accumulator: Any) -> Any:
        return [accumulator[0] + (value or 0), accumulator[1] + 1]

    def get_result(self, accumulator: Any) -> Any:
        return tuple(accumulator)

    def merge(self, acc_a: Any, acc_b: Any) -> Any:
        raise AssertionError("states of a key are not merged")


class Program(KeyedProcessFunction[Any, Any, Any]):
    """Does what each element says, and shows all states and the time; timers register others."""

    def __init__(self, declared: bool) -> None:
        self.declared = declared

    def open(self, runtime_context: Any) -> None:
        number = Types.LONG() if self.declared else None
        self.value = runtime_context.get_state(ValueStateDescriptor("value", number))
        self.list = runtime_context.get_list_state(ListStateDescriptor("list", number))
        self.map = runtime_context.get_map_state(MapStateDescriptor("map", Types.STRING() if self.declared else None, number))
        self.reducing = runtime_context.get_reducing_state(ReducingStateDescriptor("reducing", lambda a, b: a * 3 + b, number))
        self.aggregating = runtime_context.get_aggregating_state(AggregatingStateDescriptor("aggregating", Sum()))

    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        key, operation, number = value
        timers = ctx.timer_service()
        if operation == "register":
            timers.register_event_time_timer(ctx.timestamp() + number)
            if ctx.timestamp() + number <= timers.current_watermark():
                yield SIDE, (key, ctx.timestamp() + number)
        elif operation == "delete":
            timers.delete_event_time_timer(ctx.timestamp() + number)
        elif operation == "clear":
            for state in (self.value, self.list, self.map, self.reducing, self.aggregating)[number % 5 :]:
                state.clear()
        elif operation == "replace":
            self.list.update([number, number])
            self.map.remove(str(number % 3))
            self.value.update(None)
        else:
            self.value.update(number)
            self.list.add(number)
            self.map.put(str(number % 3), number)
            self.reducing.add(number)
            self.aggregating.add(number)
        yield "element", key, ctx.get_current_key(), self.contents(), timers.current_watermark()

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Any]:
        found = self.contents()
        self.value.update(timestamp)
        if timestamp % 3 == 0 and timestamp < 200:
            # One that is due already, or later.
            ctx.timer_service().register_event_time_timer(timestamp + timestamp % 5 * 2 - 1)
        yield "timer", ctx.get_current_key(), timestamp, found, ctx.timer_service().current_watermark()

    def contents(self) -> Any:
        return self.value.value(), list(self.list), dict(self.map.items()), self.reducing.get(), self.aggregating.get()


class Expected:
    """What Program gives for one key."""

    def __init__(self, key: str) -> None:
        self.key, self.watermark = key, MIN
        self.states: list[Any] = [None, [], {}, None, None]
        self.timers: set[int] = set()
        self.results: list[Any] = []
        self.side: list[Any] = []

    def add(self, operation: str, number: int, timestamp: int) -> None:
        states = self.states
        if operation == "register":
            self.timers.add(timestamp + number)
            if timestamp + number <= self.watermark:
                self.side.append((self.key, timestamp + number))
        elif operation == "delete":
            self.timers.discard(timestamp + number)
        elif operation == "clear":
            self.states = [*states[: number % 5], *[None, [], {}, None, None][number % 5 :]]
        elif operation == "replace":
            states[1] = [number, number]
            states[2].pop(str(number % 3), None)
            states[0] = None
        else:
            states[0] = number
            states[1].append(number)
            states[2][str(number % 3)] = number
            states[3] = number if states[3] is None else states[3] * 3 + number
            states[4] = (number, 1) if states[4] is None else (states[4][0] + number, states[4][1] + 1)
        self.results.append((("element", self.key, self.key, self.contents(), self.watermark), timestamp))

    def advance(self, watermark: int) -> None:
        self.watermark = watermark
        while due := [time for time in self.timers if time <= watermark]:
            time = min(due)
            self.timers.remove(time)
            found = self.contents()
            self.states[0] = time
            if time % 3 == 0 and time < 200:
                self.timers.add(time + time % 5 * 2 - 1)
            self.results.append((("timer", self.key, time, found, self.watermark), time))

    def contents(self) -> Any:
        return self.states[0], list(self.states[1]), dict(self.states[2]), self.states[3], self.states[4]


class Stamped(KeyedProcessFunction[Any, Any, Any]):
    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        yield value, ctx.timestamp()


def programs(draw: random.Random) -> tuple[TestStream, dict[str, Expected]]:
    """A random stream and what is expected of each key."""
    stream, keys = TestStream(), {key: Expected(key) for key in "abcde"}
    time, watermark = 0, MIN
    for _ in range(draw.choice([5, 60, 60])):
        time += draw.choice([0, 0, 1, 4])
        if draw.random() < 0.2 and time - 3 > watermark:
            watermark = time - draw.randint(0, 2)
            stream.watermark(watermark)
            for expected in keys.values():
                expected.advance(watermark)
            continue
        key, operation = draw.choice("abcde"), draw.choice(["register", "register", "delete", "add", "add", "clear", "replace"])
        number = draw.randint(-8, 15) if operation in ("register", "delete") else draw.randint(0, 9)
        timestamp = time - draw.choice([0, 0, 1, 5])
        stream.add((key, operation, number), timestamp)
        keys[key].add(operation, number, timestamp)
    for expected in keys.values():
        expected.advance(MAX)
    return stream.end(), keys


def result_key(result: Any) -> str:
    return result[0][1]  # type: ignore[no-any-return]


def by(key: Callable[[Any], Any], values: Iterable[Any]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = defaultdict(list)
    for value in values:
        found[key(value)].append(value)
    return dict(found)


def check_programs(keys: dict[str, Expected], found: list[Any], side: list[Any]) -> None:
    assert by(result_key, found) == {key: expected.results for key, expected in keys.items() if expected.results}
    assert by(lambda value: value[0], side) == {key: expected.side for key, expected in keys.items() if expected.side}


@pytest.mark.parametrize("declared", [False, True])
@pytest.mark.parametrize("parallelism", [1, 2, 5])
@pytest.mark.parametrize("seed", SEEDS)
def test_states_and_timers_in_a_job(env: StreamExecutionEnvironment, seed: int, parallelism: int, declared: bool) -> None:
    stream, keys = programs(random.Random(seed))
    env.set_parallelism(parallelism)
    results = env.from_source(stream).set_parallelism(1).key_by(lambda value: value[0], Types.STRING() if declared else None).process(Program(declared))
    found, side = run_job(results.key_by(lambda value: value[1]).process(Stamped()), results.get_side_output(SIDE))
    check_programs(keys, found, side)


@pytest.mark.parametrize("seed", SEEDS)
def test_states_and_timers_in_a_harness(seed: int) -> None:
    stream, keys = programs(random.Random(1_000 + seed))
    with StreamHarness(lambda values: values.key_by(lambda value: value[0]).process(Program(True))) as harness:
        harness.run(stream)
        check_programs(keys, [(record.value, record.timestamp) for record in harness.get_output()], harness.get_side_output(SIDE))


# ---- Two streams -----------------------------------------------------------------------------------------------------------------------------

#: Key, timestamp, value: None for some.
Element = tuple[str, int, int | None]
PAIR = Types.TUPLE([Types.STRING(), Types.LONG(), Types.LONG()])


def elements(draw: random.Random) -> list[Element]:
    """Out of order by no more than 5, with ties."""
    time, found = draw.randint(0, 10), []
    for number in range(draw.choice([0, 1, 8, 25, 25])):
        time += draw.choice([0, 0, 1, 3, 12])
        found.append((draw.choice("aaab"), time - draw.randint(0, 5), draw.choice([None, number])))
    return found


def events(values: list[Element], draw: random.Random) -> list[Any]:
    """With watermarks (numbers) that make none of them late."""
    found: list[Any] = []
    latest = watermark = MIN
    for value in values:
        found.append(value)
        latest = max(latest, value[1])
        if draw.random() < 0.3 and latest - 6 > watermark:
            watermark = latest - 6
            found.append(watermark)
    return found


def source(values: list[Any]) -> TestStream:
    stream = TestStream(PAIR)
    for value in values:
        if isinstance(value, int):
            stream.watermark(value)
        else:
            stream.add(value, value[1])
    return stream.end()


def starts(kind: tuple[Any, ...], time: int) -> list[int]:
    """Where the windows begin that a time is in."""
    _, size, slide = kind
    last = time - time % slide
    return list(range(last, time - size, -slide))


def windows_of(kind: tuple[Any, ...], own: list[tuple[int, Element]]) -> Iterator[tuple[list[Element], list[Element]]]:
    """The elements of each window of a key, those of the first stream and of the second."""
    if kind[0] == "session":
        sessions: list[list[tuple[int, Element]]] = []
        end = MIN
        for side, element in sorted(own, key=lambda entry: entry[1][1]):
            if element[1] > end:
                sessions.append([])
            sessions[-1].append((side, element))
            end = element[1] + kind[1]
    else:
        panes: dict[int, list[tuple[int, Element]]] = defaultdict(list)
        for side, element in own:
            for start in starts(kind, element[1]):
                panes[start].append((side, element))
        sessions = list(panes.values())
    for session in sessions:
        yield [element for side, element in session if side == 0], [element for side, element in session if side == 1]


def assigner(kind: tuple[Any, ...]) -> Any:
    if kind[0] == "session":
        return EventTimeSessionWindows.with_gap(kind[1])
    return TumblingEventTimeWindows.of(kind[1]) if kind[1] == kind[2] else SlidingEventTimeWindows.of(kind[1], kind[2])


def grouped(first: list[Element], second: list[Element]) -> dict[str, list[tuple[int, Element]]]:
    return by_first([(0, element) for element in first] + [(1, element) for element in second])


def by_first(entries: list[tuple[int, Element]]) -> dict[str, list[tuple[int, Element]]]:
    return by(lambda entry: entry[1][0], entries)


class Both(CoGroupFunction[Any, Any, Any]):
    def co_group(self, first: Any, second: Any) -> Iterator[Any]:
        yield sorted(first, key=repr), sorted(second, key=repr)


class Pairs(JoinFunction[Any, Any, Any]):
    def join(self, first: Any, second: Any) -> Any:
        return first, second


class Interval(ProcessJoinFunction[Any, Any, Any]):
    def process_element(self, left: Any, right: Any, ctx: Any) -> Iterator[Any]:
        yield left, right, ctx.get_timestamp()


class Balance(KeyedCoProcessFunction[Any, Any, Any, Any]):
    """By key and ten milliseconds: what came on either side, when both watermarks have passed."""

    def open(self, runtime_context: Any) -> None:
        self.sides = [runtime_context.get_map_state(MapStateDescriptor(name)) for name in ("first", "second")]

    def process_element1(self, value: Element, ctx: Any) -> None:
        self.take(0, value, ctx)

    def process_element2(self, value: Element, ctx: Any) -> None:
        self.take(1, value, ctx)

    def take(self, side: int, value: Element, ctx: Any) -> None:
        end = value[1] // 10 * 10 + 9
        self.sides[side][end] = [*(self.sides[side].get(end) or []), value]
        ctx.timer_service().register_event_time_timer(end)

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Any]:
        assert timestamp <= ctx.timer_service().current_watermark()
        yield tuple([sorted(side.get(timestamp) or [], key=repr) for side in self.sides])
        for side in self.sides:
            side.remove(timestamp)


RULES = MapStateDescriptor("rules", Types.STRING(), Types.PICKLED_BYTE_ARRAY())


class Ruled(KeyedBroadcastProcessFunction[Any, Any, Any, Any]):
    """Each element, at its time, with all rules up to that time: both are kept until both watermarks have passed."""

    def open(self, runtime_context: Any) -> None:
        self.waiting = runtime_context.get_map_state(MapStateDescriptor("waiting"))

    def process_element(self, value: Element, ctx: Any) -> None:
        self.waiting[value[1]] = [*(self.waiting.get(value[1]) or []), value]
        ctx.timer_service().register_event_time_timer(value[1])

    def process_broadcast_element(self, value: Element, ctx: Any) -> None:
        rules = ctx.get_broadcast_state(RULES)
        rules[value[0]] = [*(rules.get(value[0]) or []), value]

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Any]:
        rules = ctx.get_broadcast_state(RULES)
        for value in self.waiting[timestamp]:
            for key in sorted(rules.keys()):
                yield value, key, sorted((rule for rule in rules[key] if rule[1] <= timestamp), key=repr)
        self.waiting.remove(timestamp)


def key(value: Any) -> Any:
    return value[0]


class Operator:
    """How two streams become one, and what must come of it."""

    def __init__(self, draw: random.Random) -> None:
        self.name = draw.choice(["co_group", "join", "interval join", "co_process", "broadcast"])
        size = draw.randint(1, 20)
        self.kind = draw.choice([("time", size, size), ("time", size, draw.randint(1, 20)), ("session", draw.randint(1, 8))])
        self.lower, self.upper = draw.randint(-20, 0), draw.randint(0, 30)

    def build(self, first: Any, second: Any) -> Any:
        if self.name == "interval join":
            join = first.key_by(key).interval_join(second.key_by(key)).between(Time.milliseconds(self.lower), Time.milliseconds(self.upper))
            return join.process(Interval())
        if self.name == "co_process":
            return first.key_by(key).connect(second.key_by(key)).process(Balance())
        if self.name == "broadcast":
            return first.key_by(key).connect(second.broadcast(RULES)).process(Ruled())
        joined = first.join(second) if self.name == "join" else first.co_group(second)
        return joined.where(key).equal_to(key).window(assigner(self.kind)).apply(Pairs() if self.name == "join" else Both())

    def expected(self, first: list[Element], second: list[Element]) -> list[Any]:
        if self.name == "interval join":
            return [
                (left, right, max(left[1], right[1]))
                for left in first for right in second if left[0] == right[0] and self.lower <= right[1] - left[1] <= self.upper
            ]  # fmt: skip
        if self.name == "broadcast":
            rules = by(key, second)
            return [(value, name, sorted((rule for rule in rules[name] if rule[1] <= value[1]), key=repr)) for value in first for name in rules]
        kind = ("time", 10, 10) if self.name == "co_process" else self.kind
        found: list[Any] = []
        for own in grouped(first, second).values():
            for lefts, rights in windows_of(kind, own):
                if self.name == "join":
                    found += [(left, right) for left in lefts for right in rights]
                else:
                    found.append((sorted(lefts, key=repr), sorted(rights, key=repr)))
        return found

    def check(self, found: list[Any], first: list[Element], second: list[Element]) -> None:
        if self.name == "broadcast":
            # A key of which no rule is early enough may have come or not.
            found = [entry for entry in found if entry[2]]
        expected = [entry for entry in self.expected(first, second) if self.name != "broadcast" or entry[2]]
        assert sorted(found, key=repr) == sorted(expected, key=repr)


@pytest.mark.parametrize("seed", range(60))
def test_interleavings_change_nothing(seed: int) -> None:
    draw = random.Random(seed)
    operator, first, second = Operator(draw), elements(draw), elements(draw)
    for _ in range(4):
        sides = [events(first, draw), events(second, draw)]
        marks = [MIN, MIN]
        with StreamHarness(operator.build, PAIR, PAIR) as harness:
            while sides[0] or sides[1]:
                side = draw.choice([number for number in (0, 1) if sides[number]])
                event = sides[side].pop(0)
                if isinstance(event, int):
                    harness.process_watermark(event, input=side)
                    marks[side] = event
                    assert max(harness.get_watermarks(), default=MIN) <= min(marks)
                else:
                    harness.process_element(event, event[1], input=side)
            for side in draw.sample([0, 1], 2):
                harness.end_input(side)
            operator.check(harness.extract_output_values(), first, second)


@pytest.mark.parametrize("parallelism", [1, 3])
@pytest.mark.parametrize("seed", range(100, 160))
def test_jobs_give_what_all_pairs_give(env: StreamExecutionEnvironment, seed: int, parallelism: int) -> None:
    draw = random.Random(seed)
    operator, first, second = Operator(draw), elements(draw), elements(draw)
    env.set_parallelism(parallelism)
    streams = [env.from_source(source(events(own, draw))).set_parallelism(1) for own in (first, second)]
    (found,) = run_job(operator.build(*streams))
    operator.check(found, first, second)


def test_the_cases_are_worth_it() -> None:
    counts: dict[str, int] = defaultdict(int)
    for seed in range(100, 160):
        draw = random.Random(seed)
        operator, first, second = Operator(draw), elements(draw), elements(draw)
        counts[operator.name] += len(operator.expected(first, second)) > 1
    assert all(counts[name] > 2 for name in ("co_group", "join", "interval join", "co_process", "broadcast")), counts
    fired = [sum(result[0][0] == "timer" for own in programs(random.Random(seed))[1].values() for result in own.results) for seed in SEEDS]
    assert sum(fired) > 100
