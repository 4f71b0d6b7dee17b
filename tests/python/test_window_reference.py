"""Windows against a reference: every assigner with every trigger, evictor, lateness and function, over random elements and watermarks.

The reference is Flink's ``WindowOperator`` and ``EvictingWindowOperator`` in plain Python, and so are its triggers and evictors: it shares nothing with
the package. Windows of a key that fire at one moment have no order among each other; everything else does.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from millstream.common import Types
from millstream.datastream import (
    AggregateFunction,
    OutputTag,
    ProcessFunction,
    ProcessWindowFunction,
    StreamExecutionEnvironment,
    WindowFunction,
)
from millstream.datastream.window import (
    ContinuousEventTimeTrigger,
    CountEvictor,
    CountTrigger,
    DeltaEvictor,
    DeltaFunction,
    DeltaTrigger,
    EventTimeSessionWindows,
    EventTimeTrigger,
    GlobalWindows,
    PurgingTrigger,
    SlidingEventTimeWindows,
    TimeEvictor,
    TumblingEventTimeWindows,
)
from millstream.testing import StreamHarness, TestStream, run_job

MIN, MAX = -(2**63), 2**63 - 1
#: Key, timestamp, value.
Element = tuple[str, int, int | None]
ELEMENT = Types.TUPLE([Types.STRING(), Types.LONG(), Types.LONG()])
#: A window's start and end; None: the global window.
Window = tuple[int, int] | None


# ---- The reference: triggers -----------------------------------------------------------------------------------------------------------------


class Cell:
    """What is kept of one window of a key."""

    def __init__(self) -> None:
        self.contents: list[Element] = []
        self.state: Any = None


class Moment(NamedTuple):
    """Where a trigger is asked."""

    end: int
    watermark: int
    cell: Cell
    register: Callable[[int], None]
    delete: Callable[[int], None]


class ModelEventTime:
    """EventTimeTrigger."""

    def on_element(self, element: Element, at: Moment) -> str:
        if at.end <= at.watermark:
            return "fire"
        at.register(at.end)
        return ""

    def on_event_time(self, time: int, at: Moment) -> str:
        return "fire" if time == at.end else ""

    def on_merge(self, at: Moment, merged: list[Any]) -> None:
        if at.end > at.watermark:
            at.register(at.end)

    def clear(self, at: Moment) -> None:
        at.delete(at.end)


class ModelCount:
    """CountTrigger."""

    def __init__(self, count: int) -> None:
        self.count = count

    def on_element(self, element: Element, at: Moment) -> str:
        at.cell.state = (at.cell.state or 0) + 1
        if at.cell.state < self.count:
            return ""
        at.cell.state = None
        return "fire"

    def on_event_time(self, time: int, at: Moment) -> str:
        return ""

    def on_merge(self, at: Moment, merged: list[Any]) -> None:
        found = [state for state in merged if state is not None]
        at.cell.state = sum(found) if found else None

    def clear(self, at: Moment) -> None:
        at.cell.state = None


class ModelContinuous:
    """ContinuousEventTimeTrigger: the state is the time of the next firing."""

    def __init__(self, interval: int) -> None:
        self.interval = interval

    def on_element(self, element: Element, at: Moment) -> str:
        if at.end <= at.watermark:
            return "fire"
        at.register(at.end)
        if at.cell.state is None:
            self._next(element[1] - element[1] % self.interval, at)
        return ""

    def on_event_time(self, time: int, at: Moment) -> str:
        if time == at.end:
            return "fire"
        if at.cell.state != time:
            return ""
        self._next(time, at)
        return "fire"

    def on_merge(self, at: Moment, merged: list[Any]) -> None:
        found = [state for state in merged if state is not None]
        at.cell.state = min(found) if found else None
        if found:
            at.register(at.cell.state)

    def clear(self, at: Moment) -> None:
        if at.cell.state is not None:
            at.delete(at.cell.state)
            at.cell.state = None

    def _next(self, time: int, at: Moment) -> None:
        at.cell.state = min(time + self.interval, at.end)
        at.register(at.cell.state)


class ModelDelta:
    """DeltaTrigger by the values: the state is the element of the last firing."""

    def __init__(self, threshold: int) -> None:
        self.threshold = threshold

    def on_element(self, element: Element, at: Moment) -> str:
        if at.cell.state is None:
            at.cell.state = element
            return ""
        if distance(at.cell.state, element) <= self.threshold:
            return ""
        at.cell.state = element
        return "fire"

    def on_event_time(self, time: int, at: Moment) -> str:
        return ""

    def clear(self, at: Moment) -> None:
        at.cell.state = None


class ModelPurging:
    """PurgingTrigger."""

    def __init__(self, nested: Any) -> None:
        self.nested = nested
        self.on_merge, self.clear = getattr(nested, "on_merge", None), nested.clear

    def on_element(self, element: Element, at: Moment) -> str:
        return "fire and purge" if self.nested.on_element(element, at) else ""

    def on_event_time(self, time: int, at: Moment) -> str:
        return "fire and purge" if self.nested.on_event_time(time, at) else ""


def distance(first: Element, second: Element) -> int:
    return abs((first[2] or 0) - (second[2] or 0))


# ---- The reference: evictors, functions ------------------------------------------------------------------------------------------------------


def evicted(kind: tuple[Any, ...], elements: list[Element]) -> list[Element]:
    """What an evictor leaves."""
    name, limit = kind[:2]
    if not elements:
        return elements
    if name == "count":
        return elements[-limit:]
    if name == "time":
        latest = max(element[1] for element in elements)
        return [element for element in elements if element[1] > latest - limit]
    return [element for element in elements if distance(element, elements[-1]) < limit]


def added(first: Element, second: Element) -> Element:
    """The reduction: the first timestamp, and the sum of what is not None."""
    values = [value for value in (first[2], second[2]) if value is not None]
    return first[0], min(first[1], second[1]), sum(values) if values else None


def totals(elements: list[Element]) -> tuple[Any, ...]:
    """The aggregation."""
    return (
        elements[0][0] if elements else None, sum(element[2] or 0 for element in elements), len(elements),
        sum(element[2] is None for element in elements),
    )  # fmt: skip


def computed(kind: str, elements: list[Element], merges: bool) -> Any:
    """What a window's function makes of its elements; None for nothing."""
    if kind.startswith("reduce"):
        found: Any = None
        for element in elements:
            found = element if found is None else added(found, element)
        return found
    if kind.startswith("aggregate"):
        return totals(elements)
    # Those of merged windows have no order.
    return sorted(elements, key=repr) if merges else list(elements)


# ---- The reference: the operator -------------------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """What a windowed stream is told."""

    assigner: tuple[Any, ...]
    trigger: tuple[Any, ...]
    evictor: tuple[Any, ...] | None
    lateness: int
    function: str

    @property
    def merges(self) -> bool:
        return self.assigner[0] in ("session", "dynamic")

    def model_trigger(self) -> Any:
        purges, name, *numbers = self.trigger
        found = {"event": ModelEventTime, "count": ModelCount, "continuous": ModelContinuous, "delta": ModelDelta}[name](*numbers)
        return ModelPurging(found) if purges else found

    def windows(self, element: Element) -> list[Window]:
        name, *numbers = self.assigner
        time = element[1]
        if name == "global":
            return [None]
        if name == "tumbling":
            size, offset = numbers
            start = time - (time - offset) % size
            return [(start, start + size)]
        if name == "sliding":
            size, slide, offset = numbers
            last = time - (time - offset) % slide
            return [(start, start + size) for start in range(last, time - size, -slide)]
        return [(time, time + (numbers[0] if name == "session" else gap_of(element, numbers[0])))]


def gap_of(element: Element, scale: int) -> int:
    return 1 + (element[2] or 0) % scale


class Reference:
    """One key's windows."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.trigger = case.model_trigger()
        self.watermark = MIN
        self.cells: dict[Window, Cell] = {}
        self.timers: set[tuple[int, Window]] = set()
        self.results: list[Any] = []
        self.late: list[Element] = []

    def end(self, window: Window) -> int:
        return MAX if window is None else window[1] - 1

    def cleanup(self, window: Window) -> int:
        return min(self.end(window) + self.case.lateness, MAX)

    def moment(self, window: Window, cell: Cell) -> Moment:
        return Moment(
            self.end(window), self.watermark, cell, lambda time: self.timers.add((time, window)), lambda time: self.timers.discard((time, window))
        )

    def add(self, element: Element) -> None:
        is_skipped = True
        for window in self.case.windows(element):
            if self.case.merges:
                assert window is not None
                window = self.merged(window)
            if window is not None and self.cleanup(window) <= self.watermark:
                self.cells.pop(window, None)
                continue
            is_skipped = False
            cell = self.cells.setdefault(window, Cell())
            cell.contents.append(element)
            self.act(self.trigger.on_element(element, self.moment(window, cell)), window, cell)
            if window is not None:
                self.timers.add((self.cleanup(window), window))
        if is_skipped and element[1] + self.case.lateness <= self.watermark:
            self.late.append(element)

    def advance(self, watermark: int) -> None:
        self.watermark = watermark
        while due := sorted((time, window) for time, window in self.timers if time <= watermark):
            time, window = due[0]
            self.timers.remove((time, window))
            cell = self.cells.get(window)
            if cell is None:
                if self.case.merges:
                    continue
                cell = self.cells[window] = Cell()
            self.act(self.trigger.on_event_time(time, self.moment(window, cell)), window, cell)
            if window is not None and time == self.cleanup(window):
                self.trigger.clear(self.moment(window, cell))
                self.cells.pop(window, None)

    def merged(self, window: tuple[int, int]) -> tuple[int, int]:
        touching = [other for other in self.cells if other is not None and other[0] <= window[1] and other[1] >= window[0]]
        whole = min(start for start, _ in (*touching, window)), max(end for _, end in (*touching, window))
        if not touching or touching == [whole]:
            return whole
        cells = [self.cells.pop(other) for other in touching]
        cell = self.cells[whole] = Cell()
        cell.contents = [element for part in cells for element in part.contents]
        states = [part.state for part in cells]
        for part in cells:
            part.state = None
        self.trigger.on_merge(self.moment(whole, cell), states)
        for other, part in zip(touching, cells, strict=True):
            if other != whole:
                self.trigger.clear(self.moment(other, part))
                self.timers.discard((self.cleanup(other), other))
        return whole

    def act(self, result: str, window: Window, cell: Cell) -> None:
        if result and cell.contents:
            left = cell.contents
            evictor = self.case.evictor
            if evictor is not None and not evictor[2]:
                left = evicted(evictor, left)
            # As the package has it: of a window that an evictor has emptied there is nothing to reduce. Java's Flink makes a null of it.
            if left or not self.case.function.startswith("reduce"):
                self.results.append((window, computed(self.case.function, left, self.case.merges), self.end(window)))
            if evictor is not None:
                cell.contents = evicted(evictor, left) if evictor[2] else left
        if result == "fire and purge":
            cell.contents = []


# ---- The package -----------------------------------------------------------------------------------------------------------------------------


class Distance(DeltaFunction[Element]):
    def get_delta(self, old_data_point: Element, new_data_point: Element) -> float:
        return distance(old_data_point, new_data_point)


class Contents(ProcessWindowFunction[Any, Any, Any, Any]):
    def __init__(self, kind: str, merges: bool) -> None:
        self.kind, self.merges = kind, merges

    def process(self, key: Any, context: Any, elements: Any) -> Iterator[Any]:
        window = context.window()
        found = list(elements)
        if self.kind == "process":
            found = computed("process", found, self.merges)
        else:
            (found,) = found
        yield key, (window.start, window.end) if hasattr(window, "start") else None, found


class Applied(WindowFunction[Any, Any, Any, Any]):
    def __init__(self, kind: str, merges: bool) -> None:
        self.kind, self.merges = kind, merges

    def apply(self, key: Any, window: Any, inputs: Any) -> Any:
        found = list(inputs)
        found = computed("apply", found, self.merges) if self.kind == "apply" else found[0]
        return [(key, (window.start, window.end) if hasattr(window, "start") else None, found)]


class Totals(AggregateFunction[Any, Any, Any]):
    def create_accumulator(self) -> Any:
        return None, 0, 0, 0

    def add(self, value: Any, accumulator: Any) -> Any:
        return self.merge(accumulator, totals([value]))

    def get_result(self, accumulator: Any) -> Any:
        return accumulator

    def merge(self, acc_a: Any, acc_b: Any) -> Any:
        return (acc_a[0] or acc_b[0], *[first + second for first, second in zip(acc_a[1:], acc_b[1:], strict=True)])


class Stamped(ProcessFunction[Any, Any]):
    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        yield value, ctx.timestamp()


LATE = OutputTag("late", ELEMENT)


def windowed(case: Case, stream: Any, has_late_output: bool) -> Any:
    """The stream of results, with timestamps."""
    name, *numbers = case.assigner
    assigner = {
        "tumbling": TumblingEventTimeWindows.of, "sliding": SlidingEventTimeWindows.of, "session": EventTimeSessionWindows.with_gap,
        "dynamic": lambda scale: EventTimeSessionWindows.with_dynamic_gap(lambda element: gap_of(element, scale)), "global": GlobalWindows.create,
    }[name](*numbers)  # fmt: skip
    found = stream.key_by(lambda element: element[0], Types.STRING()).window(assigner)
    purges, name, *numbers = case.trigger
    trigger = {
        "event": EventTimeTrigger.create, "count": CountTrigger.of, "continuous": ContinuousEventTimeTrigger.of,
        "delta": lambda threshold: DeltaTrigger.of(threshold, Distance(), ELEMENT),
    }[name](*numbers)  # fmt: skip
    if purges or name != "event":
        found = found.trigger(PurgingTrigger.of(trigger) if purges else trigger)
    if case.evictor is not None:
        name, limit, after = case.evictor
        if name == "delta":
            found = found.evictor(DeltaEvictor.of(limit, Distance(), after))
        else:
            found = found.evictor((CountEvictor if name == "count" else TimeEvictor).of(limit, after))
    if case.assigner[0] != "global":
        found = found.allowed_lateness(case.lateness)
    if has_late_output:
        found = found.side_output_late_data(LATE)
    kind, _, then = case.function.partition(" and ")
    function = {"": None, "process": Contents(then, case.merges), "apply": Applied(then, case.merges)}
    if kind == "reduce":
        # Without a window function the result has the elements' type.
        return found.reduce(added, Contents("one", case.merges) if then == "process" else Applied("one", case.merges) if then else None)
    if kind == "aggregate":
        return found.aggregate(Totals(), Contents("one", case.merges) if then == "process" else Applied("one", case.merges) if then else None)
    if kind == "apply":
        return found.apply(Applied("apply", case.merges))
    assert function is not None
    return found.process(Contents("process", case.merges))


# ---- Random cases ----------------------------------------------------------------------------------------------------------------------------

FUNCTIONS = ["process", "apply", "reduce", "aggregate", "reduce and process", "reduce and apply", "aggregate and process", "aggregate and apply"]




def random_case(draw: random.Random) -> Case:
    name = draw.choice(["tumbling", "sliding", "session", "dynamic", "global"])
    size, slide = draw.randint(1, 25), draw.randint(1, 25)
    assigner: tuple[Any, ...] = {
        "tumbling": (name, size, draw.randint(-3, 3) % size),
        "sliding": (name, size, slide, draw.randint(0, 5) % slide),
        "session": (name, draw.randint(1, 8)),
        "dynamic": (name, draw.randint(1, 8)),
        "global": (name,),
    }[name]
    merges = name in ("session", "dynamic")
    triggers: list[tuple[Any, ...]] = [("count", draw.randint(1, 4))]
    if name != "global":
        triggers += [("event",), ("event",), ("continuous", draw.randint(1, 9))]
    if not merges:
        triggers.append(("delta", draw.randint(0, 6)))
    evictors: list[Any] = [None, None, ("time", draw.randint(0, 12), draw.random() < 0.5)]
    if not merges:
        # The others go by the order of the elements, which merged windows have not.
        evictors += [("count", draw.randint(1, 4), draw.random() < 0.5), ("delta", draw.randint(0, 5), draw.random() < 0.5)]
    return Case(assigner, (draw.random() < 0.3, *draw.choice(triggers)), draw.choice(evictors), draw.choice([0, 0, 3, 15]), draw.choice(FUNCTIONS))


def random_events(draw: random.Random) -> list[Any]:
    """Elements out of order, some with equal timestamps and some without a value, and watermarks (numbers) on their way."""
    time, events = draw.randint(-20, 5), []
    reach, step, share = draw.choice([0, 8, 30]), draw.choice([0, 1, 3, 10]), draw.choice([0, 0.1, 0.3, 0.6])
    for _ in range(draw.choice([1, 5, 20, 60, 60])):
        time += draw.randint(0, step)
        if draw.random() < share:
            events.append(time - draw.randint(-2, 5))
        else:
            events.append((draw.choice("aab"), time - draw.randint(0, reach), draw.choice([None, *range(10)])))
    return events


def expected(case: Case, events: list[Any]) -> tuple[dict[str, list[list[Any]]], dict[str, list[Element]]]:
    """The results of each key, moment by moment, and its late elements."""
    keys = {key: Reference(case) for key in "ab"}
    moments: dict[str, list[list[Any]]] = {key: [] for key in keys}
    for event in [*events, MAX]:
        for key, reference in keys.items():
            if isinstance(event, int):
                if event > reference.watermark:
                    reference.advance(event)
            elif event[0] == key:
                reference.add(event)
            if reference.results:
                moments[key].append(reference.results)
                reference.results = []
    return moments, {key: reference.late for key, reference in keys.items() if reference.late}


def source(events: list[Any]) -> TestStream:
    stream, watermark = TestStream(ELEMENT), MIN
    for event in events:
        if not isinstance(event, int):
            stream.add(event, event[1])
        elif event > watermark:
            stream.watermark(event)
            watermark = event
    return stream.end()


def check(case: Case, events: list[Any], found: list[Any], late: list[Element] | None) -> None:
    moments, expected_late = expected(case, events)
    if late is not None:
        by_key: dict[str, list[Element]] = defaultdict(list)
        for element in late:
            by_key[element[0]].append(element)
        assert dict(by_key) == expected_late
    has_window = case.function not in ("reduce", "aggregate")
    results: dict[str, list[Any]] = defaultdict(list)
    for value, timestamp in found:
        results["" if value[0] is None else value[0]].append((value[1], value[2], timestamp) if has_window else (value, timestamp))
    if case.function == "aggregate" and "" in results:
        # An aggregate of nothing has no key either: an evictor has emptied the window.
        assert sorted((entry for own in results.values() for entry in own), key=repr) == sorted(
            ((value, end) for own in moments.values() for moment in own for _, value, end in moment), key=repr)
        return
    for key, own in moments.items():
        mine = results.pop(key, [])
        for moment in own:
            wanted = [entry if has_window else entry[1:] for entry in moment]
            part, mine = mine[: len(wanted)], mine[len(wanted) :]
            assert sorted(part, key=repr) == sorted(wanted, key=repr)
        assert mine == []
    assert not results


def told(seed: int, case: Case, events: list[Any], do: Callable[[], None]) -> None:
    """Does it; a failure says what it was drawn of."""
    try:
        do()
    except BaseException as failure:
        failure.add_note(f"seed {seed}: {case}\n{events}")
        raise


BLOCK = 40


@pytest.mark.parametrize("parallelism", [1, 3])
@pytest.mark.parametrize("first_seed", range(0, 10 * BLOCK, BLOCK))
def test_a_job_as_flinks_operator(first_seed: int, parallelism: int) -> None:
    for seed in range(first_seed, first_seed + BLOCK):
        draw = random.Random(seed)
        case, events, has_late_output = random_case(draw), random_events(draw), draw.random() < 0.7

        def do(case: Case = case, events: list[Any] = events, has_late_output: bool = has_late_output) -> None:
            env = StreamExecutionEnvironment.get_execution_environment()
            env.set_parallelism(parallelism)
            # In one subtask, so that the order stays.
            results = windowed(case, env.from_source(source(events)).set_parallelism(1), has_late_output)
            streams = [results.process(Stamped())]
            if has_late_output:
                streams.append(results.get_side_output(LATE))
            found, *late = run_job(*streams)
            check(case, events, found, late[0] if late else None)

        told(seed, case, events, do)


@pytest.mark.parametrize("first_seed", range(10_000, 10_000 + 5 * BLOCK, BLOCK))
def test_a_harness_as_flinks_operator(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + BLOCK):
        draw = random.Random(seed)
        case, events = random_case(draw), random_events(draw)

        def do(case: Case = case, events: list[Any] = events) -> None:
            with StreamHarness(lambda stream: windowed(case, stream, True), ELEMENT) as harness:
                harness.run(source(events))
                check(case, events, [(record.value, record.timestamp) for record in harness.get_output()], harness.get_side_output(LATE))

        told(seed, case, events, do)


def test_the_cases_are_worth_it() -> None:
    """Most of them fire and many have late elements: else the tests above would hold for anything."""
    counts: dict[str, int] = defaultdict(int)
    for seed in range(10 * BLOCK):
        draw = random.Random(seed)
        case, events = random_case(draw), random_events(draw)
        moments, late = expected(case, events)
        counts["fires"] += any(moments.values())
        counts["late"] += bool(late)
        counts["again"] += any(len(moment) > 1 or len(own) > 4 for own in moments.values() for moment in own)
    assert counts["fires"] > 200
    assert counts["late"] > 80
    assert counts["again"] > 100
