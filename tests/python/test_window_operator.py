"""The general window operator: any assigner, trigger and evictor, states of windows and window functions; `window_all`, `join`, `co_group`.

Random streams go through it and through the engine's own window operator, which must agree, and through references that are short enough to be believed.
"""

from __future__ import annotations

import gc
import io
from collections import defaultdict
from collections.abc import Callable, Iterable
from time import sleep
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from millstream.common import Duration, Time, Types, WatermarkStrategy
from millstream.datastream import (
    AggregateFunction,
    DataStream,
    KeyedProcessFunction,
    OutputTag,
    ProcessFunction,
    ProcessWindowFunction,
    RuntimeExecutionMode,
    StreamExecutionEnvironment,
    WindowFunction,
)
from millstream.datastream.connectors.datagen import DataGeneratorSource
from millstream.datastream.functions import (
    AllWindowFunction,
    CoGroupFunction,
    FlatJoinFunction,
    JoinFunction,
    KeySelector,
    ProcessAllWindowFunction,
    RuntimeContext,
)
from millstream.datastream.state import (
    AggregatingStateDescriptor,
    ListStateDescriptor,
    MapStateDescriptor,
    ReducingStateDescriptor,
    StateTtlConfig,
    ValueStateDescriptor,
)
from millstream.datastream.window import (
    ContinuousEventTimeTrigger,
    ContinuousProcessingTimeTrigger,
    CountEvictor,
    CountSlidingWindowAssigner,
    CountTrigger,
    CountTumblingWindowAssigner,
    CountWindow,
    CountWindowSerializer,
    DeltaEvictor,
    DeltaFunction,
    DeltaTrigger,
    DynamicEventTimeSessionWindows,
    EventTimeSessionWindows,
    EventTimeTrigger,
    Evictor,
    GlobalWindow,
    GlobalWindows,
    GlobalWindowSerializer,
    MergingWindowAssigner,
    NeverTrigger,
    ProcessingTimeSessionWindows,
    ProcessingTimeTrigger,
    PurgingTrigger,
    SlidingEventTimeWindows,
    TimeEvictor,
    TimeWindow,
    TimeWindowSerializer,
    Trigger,
    TriggerResult,
    TumblingEventTimeWindows,
    TumblingProcessingTimeWindows,
    WindowAssigner,
)
from millstream.exceptions import EventTimeError, InvalidStateError, UnsupportedError

Element = tuple[str, int, int]
TYPE = Types.TUPLE([Types.STRING(), Types.LONG(), Types.LONG()])
LATE = "late"
MAX = 2**63 - 1

elements_of = st.lists(st.tuples(st.sampled_from("abc"), st.integers(-30, 60), st.integers(0, 9)), max_size=40)
jobs = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def timed(elements: Iterable[Element], delay: int = 0, parallelism: int = 1) -> DataStream:
    """A stream of elements whose second field is the timestamp; the watermark advances with every element."""
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(parallelism)
    env.get_config().set_auto_watermark_interval(0)
    strategy = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_millis(delay)).with_timestamp_column(1)
    return env.from_collection(list(elements), TYPE).assign_timestamps_and_watermarks(strategy)


def collect(stream: DataStream) -> list[Any]:
    with stream.execute_and_collect() as values:
        return list(values)


class Stamped(KeyedProcessFunction[Any, Any, Any]):
    """A result with its timestamp."""

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Any:
        yield value, ctx.timestamp()


class Show(ProcessWindowFunction[Any, Any, Any, Any]):
    def process(self, key: Any, context: ProcessWindowFunction.Context, elements: Any) -> Any:
        yield "window", key, context.window(), list(elements)


class Sorted(ProcessWindowFunction[Any, Any, Any, Any]):
    """The elements of sessions that were merged come in no order of their own, in Flink neither."""

    def process(self, key: Any, context: ProcessWindowFunction.Context, elements: Any) -> Any:
        yield "window", key, context.window(), sorted(elements)


class Total(AggregateFunction[Any, Any, Any]):
    def create_accumulator(self) -> Any:
        return 0, 0

    def add(self, value: Any, accumulator: Any) -> Any:
        return accumulator[0] + value[2], accumulator[1] + 1

    def get_result(self, accumulator: Any) -> Any:
        return accumulator

    def merge(self, acc_a: Any, acc_b: Any) -> Any:
        return acc_a[0] + acc_b[0], acc_a[1] + acc_b[1]


class OwnEventTimeTrigger(EventTimeTrigger):
    """The same; but the engine's own window operator does not know it."""


class OwnCountTrigger(CountTrigger):
    """The same."""


def by_key(results: Iterable[Any], key: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    """Results by key, in the order in which they came: keys among each other have none."""
    found: dict[Any, list[Any]] = defaultdict(list)
    for result in results:
        found[key(result)].append(result)
    return dict(found)


# ---- Both operators give the same ------------------------------------------------------------------------------------------------------------


ASSIGNERS = st.one_of(
    st.builds(lambda size, offset: TumblingEventTimeWindows.of(size, offset % size), st.integers(1, 30), st.integers(0, 30)),
    st.builds(
        lambda size, slide, offset: SlidingEventTimeWindows.of(size, slide, offset % slide), st.integers(1, 30), st.integers(1, 20), st.integers(0, 9)
    ),
    st.builds(EventTimeSessionWindows.with_gap, st.integers(1, 12)),
)


@pytest.mark.parametrize("parallelism", [1, 3])
@jobs
@given(elements_of, ASSIGNERS, st.integers(0, 20), st.integers(0, 20), st.sampled_from(["process", "reduce", "aggregate", "aggregate with function"]))
def test_as_the_engine(parallelism: int, elements: list[Element], assigner: WindowAssigner[Any, Any], delay: int, lateness: int, kind: str) -> None:
    found = []
    for trigger in (None, OwnEventTimeTrigger()):
        late = OutputTag(LATE, TYPE)
        windowed = timed(elements, delay, parallelism).key_by(0).window(assigner).allowed_lateness(lateness).side_output_late_data(late)
        if trigger is not None:
            windowed = windowed.trigger(trigger)
        assert (windowed._native_shape() is None) is (trigger is not None)
        results = {
            "process": lambda w: w.process(Sorted()),
            "reduce": lambda w: w.reduce(lambda x, y: (x[0], min(x[1], y[1]), x[2] + y[2])),
            "aggregate": lambda w: w.aggregate(Total()),
            "aggregate with function": lambda w: w.aggregate(Total(), Show()),
        }[kind](windowed)
        main = results.key_by(lambda value: "all").process(Stamped())
        side = results.get_side_output(late).key_by(lambda value: "all").map(lambda value: ("late", *value))
        values = collect(main.union(side))
        if kind == "aggregate":
            found.append(sorted(values, key=repr))
        else:
            late_ones = [value for value in values if value[0] == "late"]
            # A late element may fire several windows of its key at once, which have no order; each window's own firings have one.
            firings = by_key(
                (value for value in values if value[0] != "late"), lambda value: (value[0][:3] if kind != "reduce" else value[0][0], value[1])
            )
            found.append((by_key(late_ones, lambda value: value[1]), firings))
    assert found[0] == found[1]


@jobs
@given(elements_of, st.integers(1, 5), st.integers(0, 5))
def test_count_windows_as_the_engine(elements: list[Element], size: int, slide: int) -> None:
    assigner = CountSlidingWindowAssigner.of(size, slide) if slide else CountTumblingWindowAssigner.of(size)
    native, general = (
        by_key(collect(windowed.reduce(lambda x, y: (x[0], x[1], x[2] + y[2]))), lambda value: value[0])
        for windowed in (timed(elements).key_by(0).window(assigner), timed(elements).key_by(0).window(assigner).trigger(OwnCountTrigger(size)))
    )
    assert native == general


def test_count_windows_are_numbered() -> None:
    class Numbers(WindowFunction[Any, Any, Any, Any]):
        def apply(self, key: Any, window: Any, inputs: Any) -> Any:
            return [(key, (lambda: window.id)(), len(list(inputs)))]

    class Unnumbered(WindowFunction[Any, Any, Any, Any]):
        def apply(self, key: Any, window: Any, inputs: Any) -> Any:
            return [(key, len(list(inputs)))]

    class NumbersAll(AllWindowFunction[Any, Any, Any]):
        def apply(self, window: Any, inputs: Any) -> Any:
            return [(window, len(list(inputs)))]

    elements = [("a", 1, 0), ("b", 1, 0), ("a", 2, 0), ("a", 3, 0), ("a", 4, 0), ("b", 2, 0)]
    windowed = timed(elements).key_by(0).count_window(2)
    assert [value[1:3] for value in collect(windowed.process(Show()))] == [("a", CountWindow(0)), ("a", CountWindow(1)), ("b", CountWindow(0))]
    assert collect(windowed.apply(Numbers())) == [("a", 0, 2), ("a", 1, 2), ("b", 0, 2)]
    assert collect(timed(elements).count_window_all(3).apply(NumbersAll())) == [(CountWindow(0), 3), (CountWindow(1), 3)]
    assert collect(windowed.apply(Unnumbered())) == [("a", 2), ("a", 2), ("b", 2)]
    held: list[int] = []
    # What is there already is not looked at again: after all other tests there are a million objects.
    gc.collect()
    gc.freeze()

    class Held(WindowFunction[Any, Any, Any, Any]):
        def apply(self, key: Any, window: Any, inputs: Any) -> Any:
            held.append(sum(type(found).__name__ == "Pane" for found in gc.get_objects()))
            return [window.id]

    assert collect(timed([("a", 1, 0)] * 100).key_by(0).count_window(3, 1).apply(Held())) == list(range(98))
    gc.unfreeze()
    assert max(held[10:]) <= held[10] + 2, "full windows do not stay"
    assert windowed._native_shape(Unnumbered()) is not None
    assert windowed._native_shape(Numbers()) is None


# ---- Triggers --------------------------------------------------------------------------------------------------------------------------------


def arrivals(elements: Iterable[Element], delay: int) -> Iterable[tuple[Element, int, int]]:
    """Each element with the watermark before it and after it."""
    watermark = -MAX - 1
    for element in elements:
        before = watermark
        watermark = max(watermark, element[1] - delay - 1)
        yield element, before, watermark


@pytest.mark.parametrize("parallelism", [1, 3])
@jobs
@given(elements_of, st.integers(1, 5), st.booleans())
def test_count_trigger_on_global_windows(parallelism: int, elements: list[Element], count: int, purges: bool) -> None:
    trigger: Trigger[Any, Any] = PurgingTrigger.of(CountTrigger.of(count)) if purges else CountTrigger.of(count)
    windowed = timed(elements, 0, parallelism).key_by(0).window(GlobalWindows.create()).trigger(trigger)
    found = by_key(collect(windowed.process(Show())), lambda value: value[1])
    for key, own in by_key(elements, lambda element: element[0]).items():
        ends = range(count, len(own) + 1, count)
        expected = [("window", key, GlobalWindow(), own[end - count if purges else 0 : end]) for end in ends]
        assert found.get(key, []) == expected, "the rest stays where it is when the input ends"


@jobs
@given(elements_of, st.integers(1, 20), st.integers(1, 4), st.integers(0, 20), st.integers(0, 20))
def test_count_trigger_on_time_windows(elements: list[Element], size: int, count: int, delay: int, lateness: int) -> None:
    windowed = timed(elements, delay).key_by(0).window(TumblingEventTimeWindows.of(size)).allowed_lateness(lateness).trigger(CountTrigger.of(count))
    contents: dict[tuple[str, int], list[Element]] = defaultdict(list)
    expected = []
    for element, watermark, _ in arrivals(elements, delay):
        start = element[1] // size * size
        if start + size - 1 + lateness > watermark:
            own = contents[element[0], start]
            own.append(element)
            if len(own) % count == 0:
                expected.append((element[0], start, list(own)))
    found = [(key, window.start, content) for _, key, window, content in collect(windowed.process(Show()))]
    assert found == expected


@jobs
@given(elements_of, st.integers(1, 20), st.integers(0, 20), st.integers(0, 20))
def test_purging_event_time_trigger(elements: list[Element], size: int, delay: int, lateness: int) -> None:
    """Late elements that are allowed come alone, as those before them were forgotten."""
    trigger = PurgingTrigger.of(EventTimeTrigger.create())
    windowed = timed(elements, delay).key_by(0).window(TumblingEventTimeWindows.of(size)).allowed_lateness(lateness).trigger(trigger)
    in_time: dict[tuple[str, int], list[Element]] = defaultdict(list)
    expected = []
    for element, watermark, _ in arrivals(elements, delay):
        start = element[1] // size * size
        if start + size - 1 > watermark:
            in_time[element[0], start].append(element)
        elif start + size - 1 + lateness > watermark:
            expected.append((element[0], start, [element]))
    expected += [(key, start, own) for (key, start), own in in_time.items()]
    found = [(key, window.start, content) for _, key, window, content in collect(windowed.process(Show()))]
    assert sorted(found) == sorted(expected)


@jobs
@given(elements_of, st.integers(1, 20), st.integers(1, 8), st.integers(0, 20), st.integers(0, 20))
def test_continuous_event_time_trigger(elements: list[Element], size: int, interval: int, delay: int, lateness: int) -> None:
    trigger = ContinuousEventTimeTrigger.of(interval)
    windowed = timed(elements, delay).key_by(0).window(TumblingEventTimeWindows.of(size)).allowed_lateness(lateness).trigger(trigger)
    contents: dict[tuple[str, int], list[int]] = defaultdict(list)
    timers: dict[tuple[str, int], set[int]] = defaultdict(set)
    next_fire: dict[tuple[str, int], int] = {}
    expected = []

    def advance(watermark: int) -> None:
        for window in timers:
            end = window[1] + size - 1
            while due := sorted(time for time in timers[window] if time <= watermark):
                time = due[0]
                timers[window].remove(time)
                if time == end:
                    expected.append((*window, list(contents[window])))
                elif next_fire.get(window) == time:
                    next_fire[window] = min(time + interval, end)
                    timers[window].add(next_fire[window])
                    expected.append((*window, list(contents[window])))

    for element, before, after in arrivals(elements, delay):
        window = element[0], element[1] // size * size
        end = window[1] + size - 1
        if end + lateness > before:
            contents[window].append(element[2])
            if end <= before:
                expected.append((*window, list(contents[window])))
            else:
                timers[window].add(end)
                if window not in next_fire:
                    next_fire[window] = min(element[1] // interval * interval + interval, end)
                    timers[window].add(next_fire[window])
        if after > before:
            advance(after)
    advance(MAX)
    found = [(key, window.start, [value[2] for value in content]) for _, key, window, content in collect(windowed.process(Show()))]
    assert sorted(found) == sorted(expected)


@jobs
@given(st.lists(st.integers(0, 100), max_size=30), st.integers(0, 30))
def test_delta_trigger(numbers: list[int], threshold: int) -> None:
    class Distance(DeltaFunction[int]):
        def get_delta(self, old_data_point: int, new_data_point: int) -> float:
            return abs(old_data_point - new_data_point)

    env = StreamExecutionEnvironment.get_execution_environment()
    trigger = PurgingTrigger.of(DeltaTrigger.of(threshold, Distance(), Types.LONG()))
    windowed = env.from_collection(numbers, Types.LONG()).key_by(lambda number: 0).window(GlobalWindows.create()).trigger(trigger)
    expected, last, held = [], None, []
    for number in numbers:
        held.append(number)
        if last is None:
            last = number
        elif abs(last - number) > threshold:
            last = number
            expected.append(held)
            held = []
    assert [content for _, _, _, content in collect(windowed.process(Show()))] == expected


def test_end_of_stream_trigger() -> None:
    env = StreamExecutionEnvironment.get_execution_environment()
    stream = env.from_collection([1, 2, 3]).key_by(lambda number: number % 2)
    assert sorted(collect(stream.window(GlobalWindows.create_with_end_of_stream_trigger()).reduce(lambda x, y: x + y))) == [2, 4]


def test_a_trigger_that_never_fires_gives_nothing() -> None:
    assert collect(timed([("a", 1, 1)]).key_by(0).window(GlobalWindows.create()).process(Show())) == []
    assert collect(timed([("a", 1, 1)]).key_by(0).window(TumblingEventTimeWindows.of(5)).trigger(NeverTrigger()).process(Show())) == []


class Calls(Trigger[Any, Any]):
    """Writes down what it is asked, and does what it is told for each element."""

    log: list[Any] = []  # noqa: RUF012 - the subtasks' copies shall share it

    def __init__(self, answers: dict[int, Callable[[Trigger.TriggerContext, Any], TriggerResult]]) -> None:
        self.answers = answers

    def on_element(self, element: Any, timestamp: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        return self.answers[element[2]](ctx, window)

    def on_event_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        self.log.append(("event", time, window.start, ctx.get_current_watermark() >= time))
        return TriggerResult.CONTINUE

    def on_processing_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
        self.log.append(("processing", time, window.start))
        return TriggerResult.CONTINUE

    def can_merge(self) -> bool:
        return True

    def on_merge(self, window: Any, ctx: Trigger.OnMergeContext) -> None:
        self.log.append(("merge", window.start, window.end))

    def clear(self, window: Any, ctx: Trigger.TriggerContext) -> None:
        self.log.append(("clear", window.start, window.end))


def test_timers_are_a_set_for_each_window_and_can_be_deleted() -> None:
    def register(*times: int) -> Callable[[Trigger.TriggerContext, Any], TriggerResult]:
        def do(ctx: Trigger.TriggerContext, window: Any) -> TriggerResult:
            for time in times:
                ctx.register_event_time_timer(time)
            return TriggerResult.CONTINUE

        return do

    def delete(ctx: Trigger.TriggerContext, window: Any) -> TriggerResult:
        ctx.delete_event_time_timer(22)
        ctx.delete_event_time_timer(1_000)
        return TriggerResult.CONTINUE

    Calls.log.clear()
    answers = {0: register(3, 3, 22), 1: register(22, 3), 2: delete}
    stream = timed([("a", 0, 0), ("a", 0, 1), ("a", 21, 0), ("a", 21, 2), ("a", 1, 1)], 1_000).key_by(0)
    collect(stream.window(TumblingEventTimeWindows.of(10)).trigger(Calls(answers)).process(Show()))
    assert Calls.log == [
        ("event", 3, 0, True),
        ("event", 3, 20, True),
        # Clean-up times call the trigger too, as in Flink.
        ("event", 9, 0, True),
        ("clear", 0, 10),
        # One that the window's end left behind; that of the other window was deleted.
        ("event", 22, 0, True),
        ("event", 29, 20, True),
        ("clear", 20, 30),
    ]


def test_a_timer_that_is_set_again_while_it_fires() -> None:
    class Again(Calls):
        def on_event_time(self, time: int, window: Any, ctx: Trigger.TriggerContext) -> TriggerResult:
            count = ctx.get_partitioned_state(ReducingStateDescriptor("count", lambda x, y: x + y, Types.LONG()))
            count.add(1)
            if count.get() < 4:
                ctx.register_event_time_timer(5)
            return TriggerResult.FIRE

    def register(ctx: Trigger.TriggerContext, window: Any) -> TriggerResult:
        ctx.register_event_time_timer(5)
        return TriggerResult.CONTINUE

    stream = timed([("a", 0, 0)]).key_by(0).window(GlobalWindows.create()).trigger(Again({0: register}))
    assert len(collect(stream.process(Show()))) == 4


def test_merging_tells_the_trigger() -> None:
    Calls.log.clear()
    keep = {0: lambda ctx, window: TriggerResult.CONTINUE}
    stream = timed([("a", 0, 0), ("a", 10, 0), ("a", 5, 0)], 1_000).key_by(0)
    collect(stream.window(EventTimeSessionWindows.with_gap(5)).trigger(Calls(keep)).process(Show()))
    assert Calls.log == [("merge", 0, 15), ("clear", 0, 5), ("clear", 10, 15), ("event", 14, 0, True), ("clear", 0, 15)]


@jobs
@given(elements_of, st.integers(1, 12), st.integers(1, 4), st.booleans())
def test_count_trigger_on_sessions(elements: list[Element], gap: int, count: int, purges: bool) -> None:
    """The trigger's counts are merged with the sessions."""
    trigger: Trigger[Any, Any] = PurgingTrigger.of(CountTrigger.of(count)) if purges else CountTrigger.of(count)
    windowed = timed(elements, 10_000).key_by(0).window(EventTimeSessionWindows.with_gap(gap)).trigger(trigger)
    sessions: dict[str, list[tuple[int, int, int, list[int]]]] = defaultdict(list)
    expected = []
    for key, time, number in elements:
        parts = sorted(session for session in sessions[key] if session[0] <= time + gap and session[1] >= time)
        rest = [session for session in sessions[key] if session not in parts]
        start, end = min([time, *(part[0] for part in parts)]), max([time + gap, *(part[1] for part in parts)])
        seen = sum(part[2] for part in parts) + 1
        content = [value for part in parts for value in part[3]] + [number]
        if seen >= count:
            seen = 0
            expected.append((key, start, end, content))
            if purges:
                content = []
        sessions[key] = [*rest, (start, end, seen, content)]
    results = collect(windowed.process(Show()))
    assert [(key, window.start, window.end, [value[2] for value in content]) for _, key, window, content in results] == expected


def test_states_that_cannot_be_merged() -> None:
    class Wrong(EventTimeTrigger):
        def on_merge(self, window: Any, ctx: Trigger.OnMergeContext) -> None:
            ctx.merge_partitioned_state(ValueStateDescriptor("value", Types.LONG()))

    stream = timed([("a", 0, 0), ("a", 1, 0)]).key_by(0).window(EventTimeSessionWindows.with_gap(5)).trigger(Wrong())
    with pytest.raises(InvalidStateError, match="'value' is a ValueState, which cannot be merged"):
        collect(stream.process(Show()))


# ---- Assigners -------------------------------------------------------------------------------------------------------------------------------


@jobs
@given(elements_of, st.integers(1, 5))
def test_dynamic_sessions(elements: list[Element], scale: int) -> None:
    """An element's session is as long as its number says; those that touch are one."""
    windows = DynamicEventTimeSessionWindows.with_dynamic_gap(lambda element: element[2] * scale + 1)
    results = collect(timed(elements, 10_000).key_by(0).window(windows).process(Show()))
    expected = []
    for key, own in by_key(elements, lambda element: element[0]).items():
        groups: list[list[Any]] = []
        for element in sorted(own, key=lambda element: element[1]):
            end = element[1] + element[2] * scale + 1
            if groups and element[1] <= groups[-1][1]:
                groups[-1][1] = max(groups[-1][1], end)
                groups[-1][2].append(element)
            else:
                groups.append([element[1], end, [element]])
        expected += [(key, start, end, sorted(content)) for start, end, content in groups]
    assert sorted((key, window.start, window.end, sorted(content)) for _, key, window, content in results) == sorted(expected)


@pytest.mark.parametrize("gap", [0, -3, "5", 1.5])
def test_gaps_that_cannot_be(gap: Any) -> None:
    windowed = timed([("a", 1, 1)]).key_by(0).window(EventTimeSessionWindows.with_dynamic_gap(lambda element: gap))
    with pytest.raises((ValueError, TypeError), match="gap must be positive|a gap is a number"):
        collect(windowed.process(Show()))


class Words(WindowAssigner[Any, Any]):
    """Windows of the user's own kind: by a word's letters, never by time."""

    class Letter:
        def __init__(self, letter: str) -> None:
            self.letter = letter

        def max_timestamp(self) -> int:
            return MAX

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Words.Letter) and self.letter == other.letter

        def __hash__(self) -> int:
            return hash(self.letter)

    def assign_windows(self, element: str, timestamp: int, context: WindowAssigner.WindowAssignerContext) -> Any:
        assert timestamp is None
        assert context.get_current_processing_time() > 0
        seen = context.get_runtime_context().get_state(ValueStateDescriptor("seen", Types.LONG()))
        seen.update((seen.value() or 0) + 1)
        return [self.Letter(letter) for letter in sorted(set(element))] if seen.value() < 4 else []

    def get_default_trigger(self, env: Any) -> Trigger[Any, Any]:
        return CountTrigger.of(2)

    def is_event_time(self) -> bool:
        return False


def test_an_assigner_with_windows_and_states_of_its_own() -> None:
    class Spell(WindowFunction[Any, Any, Any, Any]):
        def apply(self, key: Any, window: Any, inputs: Any) -> Any:
            yield window.letter, list(inputs)

    env = StreamExecutionEnvironment.get_execution_environment()
    words = env.from_collection(["ab", "b", "ba", "ab"], Types.STRING()).key_by(lambda word: 0)
    assert collect(words.window(Words()).apply(Spell())) == [("b", ["ab", "b"]), ("a", ["ab", "ba"])]


def test_a_merging_assigner_of_the_users_own() -> None:
    class Decades(MergingWindowAssigner[Any, TimeWindow]):
        """Windows of 2 that merge within a decade, however far apart."""

        def assign_windows(self, element: Any, timestamp: int, context: Any) -> Any:
            return [TimeWindow(timestamp, timestamp + 2)]

        def merge_windows(self, windows: Iterable[TimeWindow], callback: MergingWindowAssigner.MergeCallback) -> None:
            for _, parts in sorted(by_key(sorted(set(windows)), lambda window: window.start // 10).items()):
                if len(parts) > 1:
                    callback.merge(parts, TimeWindow(parts[0].start, max(part.end for part in parts)))

        def get_default_trigger(self, env: Any) -> Trigger[Any, Any]:
            return EventTimeTrigger.create()

        def is_event_time(self) -> bool:
            return True

    elements = [("a", 1, 0), ("a", 12, 1), ("a", 7, 2), ("a", 7, 3), ("a", 18, 4), ("a", 4, 5), ("a", 1, 6)]
    for result in (
        lambda w: [(window.start, window.end, sorted(value[2] for value in content)) for _, _, window, content in collect(w.process(Show()))],
        lambda w: [(window.start, window.end, content[0][0]) for _, _, window, content in collect(w.aggregate(Total(), Show()))],
    ):
        found = sorted(result(timed(elements, 1_000).key_by(0).window(Decades())))
        assert found in ([(1, 9, [0, 2, 3, 5, 6]), (12, 20, [1, 4])], [(1, 9, 16), (12, 20, 5)])


def test_windows_of_many_assigners_in_processing_time_are_dropped_at_the_end() -> None:
    env = StreamExecutionEnvironment.get_execution_environment()
    stream = env.from_collection([1, 2, 3]).key_by(lambda number: 0)
    for assigner in (TumblingProcessingTimeWindows.of(Time.days(1)), ProcessingTimeSessionWindows.with_gap(Time.days(1))):
        assert collect(stream.window(assigner).trigger(ProcessingTimeTrigger.create()).process(Show())) == []
        counted = collect(stream.window(assigner).trigger(CountTrigger.of(2)).process(Show()))
        assert [content for _, _, _, content in counted] == [[1, 2]]


def test_windows_by_the_clock_fire() -> None:
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_buffer_timeout(0)
    source = DataGeneratorSource(int, 30, 100, Types.LONG())
    numbers = env.from_source(source, WatermarkStrategy.no_watermarks()).key_by(lambda number: 0)
    trigger = PurgingTrigger.of(ContinuousProcessingTimeTrigger.of(Time.milliseconds(20)))
    windows = [content for _, _, _, content in collect(numbers.window(GlobalWindows.create()).trigger(trigger).process(Show()))]
    found = [number for content in windows for number in content]
    assert found == list(range(len(found)))
    assert len(windows) > 3
    windows = [
        content for _, _, _, content in collect(numbers.window(ProcessingTimeSessionWindows.with_dynamic_gap(lambda number: 1)).process(Show()))
    ]
    found = [number for content in windows for number in content]
    assert found == list(range(len(found)))
    assert len(windows) > 3


def test_event_time_needs_timestamps() -> None:
    env = StreamExecutionEnvironment.get_execution_environment()
    stream = env.from_collection([("a", 1, 1)], TYPE).key_by(0)
    for assigner in (TumblingEventTimeWindows.of(5), SlidingEventTimeWindows.of(5, 2), EventTimeSessionWindows.with_gap(5)):
        with pytest.raises(EventTimeError, match="timestamp"):
            collect(stream.window(assigner).trigger(CountTrigger.of(1)).process(Show()))


def test_serializers() -> None:
    for serializer, window, size in (
        (TimeWindowSerializer(), TimeWindow(-5, 2**40), 16),
        (CountWindowSerializer(), CountWindow(7), 8),
        (GlobalWindowSerializer(), GlobalWindow(), 8),
    ):
        stream = io.BytesIO()
        serializer.serialize(window, stream)
        assert stream.tell() == size
        stream.seek(0)
        assert serializer.deserialize(stream) == window


# ---- Evictors --------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["count", "time", "delta"])
@pytest.mark.parametrize("after", [False, True])
@jobs
@given(elements_of, st.integers(1, 4), st.integers(1, 10))
def test_evictors(kind: str, after: bool, elements: list[Element], count: int, limit: int) -> None:
    evictor: Evictor[Any, Any] = {
        "count": lambda: CountEvictor.of(limit, after),
        "time": lambda: TimeEvictor.of(limit, after),
        "delta": lambda: DeltaEvictor.of(limit, lambda old, new: abs(old[2] - new[2]), after),
    }[kind]()

    def evicted(held: list[Element]) -> list[Element]:
        if kind == "count":
            return held[-limit:]
        if kind == "time":
            return [element for element in held if element[1] > max(other[1] for other in held) - limit]
        return [element for element in held if abs(element[2] - held[-1][2]) < limit]

    windowed = timed(elements).key_by(0).window(GlobalWindows.create()).trigger(CountTrigger.of(count)).evictor(evictor)
    found = by_key(collect(windowed.process(Show())), lambda value: value[1])
    for key, own in by_key(elements, lambda element: element[0]).items():
        held: list[Element] = []
        expected = []
        for index, element in enumerate(own, 1):
            held.append(element)
            if index % count == 0:
                expected.append(list(held) if after else evicted(held))
                held = evicted(held)
        assert [content for _, _, _, content in found.get(key, [])] == expected


class NothingStays(Evictor[Any, Any]):
    def evict_before(self, elements: Any, size: int, window: Any, evictor_context: Evictor.EvictorContext) -> None:
        assert len(elements) == size
        assert evictor_context.get_current_processing_time() > 0
        elements.clear()

    def evict_after(self, elements: Any, size: int, window: Any, evictor_context: Evictor.EvictorContext) -> None:
        assert size == 0


def test_an_evictor_that_removes_all() -> None:
    windowed = timed([("a", 1, 1), ("a", 2, 2), ("a", 11, 3)]).key_by(0).window(TumblingEventTimeWindows.of(10)).evictor(NothingStays())
    # As in Flink, a window function is called for the empty window, and an aggregate gives its result of nothing.
    assert [content for _, _, _, content in collect(windowed.process(Show()))] == [[], []]
    assert collect(windowed.aggregate(Total())) == [(0, 0), (0, 0)]
    # A reduction of nothing is no value: where Flink fails or gives null, nothing comes.
    assert collect(windowed.reduce(lambda x, y: x)) == []
    assert collect(windowed.reduce(lambda x, y: x, Show())) == []


@jobs
@given(elements_of, st.integers(1, 12), st.integers(1, 4))
def test_evictor_with_sessions_and_late_elements(elements: list[Element], gap: int, limit: int) -> None:
    """Sessions that merge with an evictor keep their elements; only the last ones are seen."""
    windowed = timed(elements, 10_000).key_by(0).window(EventTimeSessionWindows.with_gap(gap))
    whole = {(key, window): content for _, key, window, content in collect(windowed.process(Show()))}
    some = collect(timed(elements, 10_000).key_by(0).window(EventTimeSessionWindows.with_gap(gap)).evictor(CountEvictor.of(limit)).process(Show()))
    assert {(key, window) for _, key, window, _ in some} == set(whole)
    for _, key, window, content in some:
        assert len(content) == min(limit, len(whole[key, window]))
        assert set(content) <= set(whole[key, window])
    sums = timed(elements, 10_000).key_by(0).window(EventTimeSessionWindows.with_gap(gap)).evictor(CountEvictor.of(10_000)).sum(2)
    assert sorted(value[2] for value in collect(sums)) == sorted(sum(element[2] for element in content) for content in whole.values())


# ---- Window functions and states -------------------------------------------------------------------------------------------------------------


class Firings(ProcessWindowFunction[Any, Any, Any, Any]):
    """All kinds of states, of the window and of the key."""

    cleared: list[Any] = []  # noqa: RUF012 - the subtasks' copies shall share it

    def __init__(self) -> None:
        self.firings = ValueStateDescriptor("firings", Types.LONG())
        self.sizes = ListStateDescriptor("sizes", Types.LONG())
        self.windows = MapStateDescriptor("windows", Types.LONG(), Types.LONG())
        self.total = ReducingStateDescriptor("total", lambda x, y: x + y, Types.LONG())
        self.mean = AggregatingStateDescriptor("mean", Total())

    def open(self, runtime_context: RuntimeContext) -> None:
        self.keyed = runtime_context.get_state(ValueStateDescriptor("keyed", Types.LONG()))

    def process(self, key: Any, context: ProcessWindowFunction.Context, elements: Any) -> Any:
        own, shared = context.window_state(), context.global_state()
        firings = own.get_state(self.firings)
        firings.update((firings.value() or 0) + 1)
        own.get_list_state(self.sizes).add(len(elements))
        windows = shared.get_map_state(self.windows)
        windows.put(context.window().start, len(elements))
        shared.get_reducing_state(self.total).add(len(elements))
        shared.get_aggregating_state(self.mean).add((key, 0, len(elements)))
        self.keyed.update((self.keyed.value() or 0) + 1)
        yield (
            key,
            context.window().start,
            firings.value(),
            list(own.get_list_state(self.sizes).get()),
            dict(windows.items()),
            shared.get_reducing_state(self.total).get(),
            shared.get_aggregating_state(self.mean).get(),
            self.keyed.value(),
        )

    def clear(self, context: ProcessWindowFunction.Context) -> None:
        self.cleared.append((context.window(), context.window_state().get_state(self.firings).value()))
        context.window_state().get_state(self.firings).clear()


@pytest.mark.parametrize("parallelism", [1, 3])
def test_states_of_windows_and_keys(parallelism: int) -> None:
    Firings.cleared.clear()
    elements = [("a", 1, 0), ("b", 2, 0), ("a", 12, 0), ("a", 3, 0), ("a", 21, 0), ("b", 22, 0), ("a", 40, 0)]
    windowed = timed(elements, 0, parallelism).key_by(0).window(TumblingEventTimeWindows.of(10)).allowed_lateness(5)
    found = by_key(collect(windowed.process(Firings())), lambda value: value[0])
    assert found["a"] == [
        ("a", 0, 1, [1], {0: 1}, 1, (1, 1), 1),
        ("a", 0, 2, [1, 2], {0: 2}, 3, (3, 2), 2),
        ("a", 10, 1, [1], {0: 2, 10: 1}, 4, (4, 3), 3),
        ("a", 20, 1, [1], {0: 2, 10: 1, 20: 1}, 5, (5, 4), 4),
        ("a", 40, 1, [1], {0: 2, 10: 1, 20: 1, 40: 1}, 6, (6, 5), 5),
    ]
    assert [value[1:4] for value in found["b"]] == [(0, 1, [1]), (20, 1, [1])]
    assert sorted((window.start, firings) for window, firings in Firings.cleared) == [(0, 1), (0, 2), (10, 1), (20, 1), (20, 1), (40, 1)]


def test_windows_that_merge_have_no_states_of_their_own() -> None:
    windowed = timed([("a", 1, 0)]).key_by(0).window(EventTimeSessionWindows.with_gap(5))
    with pytest.raises(InvalidStateError, match="windows that merge"):
        collect(windowed.process(Firings()))


def ask_elsewhere(context: Any) -> Any:
    return context.global_state().get_state(ValueStateDescriptor("count", Types.LONG()))


def test_functions_that_ask_for_states_are_seen() -> None:
    class Hidden(ProcessWindowFunction[Any, Any, Any, Any]):
        def process(self, key: Any, context: Any, elements: Any) -> Any:
            state = ask_elsewhere(context)
            state.update((state.value() or 0) + 1)
            yield state.value()

    class Further(ProcessWindowFunction[Any, Any, Any, Any]):
        def process(self, key: Any, context: Any, elements: Any) -> Any:
            yield getattr(context, "_".join(("global", "state")))()

    windowed = timed([("a", 1, 0), ("a", 11, 0)]).key_by(0).window(TumblingEventTimeWindows.of(10))
    assert collect(windowed.process(Hidden())) == [1, 2]
    assert windowed._native_shape(Show()) is not None, "without states the engine's own operator is taken"
    with pytest.raises(InvalidStateError, match="give the class a method clear"):
        collect(windowed.process(Further()))


def test_states_of_windows_have_a_time_to_live() -> None:
    class Forgetful(ProcessWindowFunction[Any, Any, Any, Any]):
        def __init__(self, milliseconds: int) -> None:
            self.seen = ListStateDescriptor("seen", Types.LONG())
            self.last = ValueStateDescriptor("last", Types.LONG())
            for descriptor in (self.seen, self.last):
                descriptor.enable_time_to_live(StateTtlConfig.new_builder(Time.milliseconds(milliseconds)).build())

        def process(self, key: Any, context: Any, elements: Any) -> Any:
            seen, last = context.window_state().get_list_state(self.seen), context.global_state().get_state(self.last)
            yield list(seen.get() or ()), last.value()
            seen.add(len(elements))
            last.update(len(elements))
            sleep(0.01)

    elements = [("a", 1, 0), ("a", 2, 0), ("a", 3, 0)]
    for milliseconds, expected in ((5, [([], None)] * 3), (1_000_000, [([], None), ([1], 1), ([1, 2], 2)])):
        windowed = timed(elements).key_by(0).window(TumblingEventTimeWindows.of(10)).trigger(CountTrigger.of(1))
        assert collect(windowed.process(Forgetful(milliseconds))) == expected


def test_a_batch_job_gives_the_same() -> None:
    results = []
    for mode in (RuntimeExecutionMode.STREAMING, RuntimeExecutionMode.BATCH):
        stream = timed([("a", 1, 0), ("b", 2, 0), ("a", 12, 0), ("a", 3, 0)], 1_000)
        stream.get_execution_environment().set_runtime_mode(mode)
        windowed = stream.key_by(0).window(EventTimeSessionWindows.with_gap(5)).trigger(OwnEventTimeTrigger()).evictor(CountEvictor.of(1))
        results.append(sorted(collect(windowed.process(Show())), key=repr))
    assert results[0] == results[1]
    assert len(results[0]) == 3


def test_jobs_leave_nothing_behind() -> None:
    def count() -> int:
        gc.collect()
        return sum(type(found).__name__ in ("Pane", "KeyWindows", "WindowOperator", "TimeWindow", "TimestampedValue") for found in gc.get_objects())

    def run() -> None:
        stream = timed([(key, time, 0) for time in range(100) for key in "abc"]).key_by(0)
        collect(stream.window(SlidingEventTimeWindows.of(10, 4)).trigger(OwnEventTimeTrigger()).evictor(CountEvictor.of(3)).process(Show()))
        collect(stream.window(GlobalWindows.create()).trigger(CountTrigger.of(7)).process(Show()))

    # Failed jobs of other tests in this process may still hold theirs.
    before = count()
    for _ in range(4):
        run()
    # The last job's operators may be there; what an ended job held goes behind the program's back.
    for _ in range(20):
        if count() < before + 20:
            break
        sleep(0.1)
    assert count() < before + 20, "each job made hundreds"


def test_functions_are_opened_and_closed() -> None:
    calls: list[str] = []

    class Noted(ProcessWindowFunction[Any, Any, Any, Any]):
        def open(self, runtime_context: RuntimeContext) -> None:
            calls.append(f"open {runtime_context.get_task_name_with_subtasks().rsplit(' ', 1)[1]}")

        def close(self) -> None:
            calls.append("close")

        def process(self, key: Any, context: Any, elements: Any) -> Any:
            yield key

    stream = timed([("a", 1, 0)]).key_by(0).window(TumblingEventTimeWindows.of(10)).trigger(CountTrigger.of(1))
    assert collect(stream.process(Noted()).set_parallelism(2)) == ["a"]
    assert sorted(calls) == ["close", "close", "open (1/2)", "open (2/2)"]


def test_results_have_the_windows_last_timestamp() -> None:
    """Whatever fired the window: an element, a timer, the clock."""
    side = OutputTag("side", Types.LONG())

    class Both(ProcessWindowFunction[Any, Any, Any, Any]):
        def process(self, key: Any, context: Any, elements: Any) -> Any:
            yield len(elements)
            yield side, len(elements)

    elements = [("a", 1, 0), ("a", 2, 0), ("a", 14, 0)]
    result = timed(elements).key_by(0).window(TumblingEventTimeWindows.of(10)).trigger(CountTrigger.of(1)).process(Both())
    stamped = result.union(result.get_side_output(side).map(lambda n: -n)).key_by(lambda n: 0).process(Stamped())
    assert sorted(collect(stamped)) == [(-2, 9), (-1, 9), (-1, 19), (1, 9), (1, 19), (2, 9)]
    late = OutputTag(LATE, TYPE)
    windowed = timed([("a", 50, 0), ("a", 1, 7)]).key_by(0).window(TumblingEventTimeWindows.of(10)).trigger(CountTrigger.of(1))
    dropped = windowed.side_output_late_data(late).process(Both()).get_side_output(late)
    assert collect(dropped.key_by(0).process(Stamped())) == [(("a", 1, 7), 1)], "late elements keep theirs"


def test_late_elements_are_counted() -> None:
    stream = timed([("a", 50, 0), ("a", 1, 7), ("a", 2, 7)])
    stream.key_by(0).window(TumblingEventTimeWindows.of(10)).trigger(CountTrigger.of(1)).process(Show())
    result = stream.get_execution_environment().execute()
    assert any("numLateRecordsDropped" in name and value == 2 for name, value in result.get_all_accumulator_results().items())


def test_many_results_of_one_firing() -> None:
    class Many(ProcessWindowFunction[Any, Any, Any, Any]):
        def process(self, key: Any, context: Any, elements: Any) -> Any:
            yield from range(20_000)

    windowed = timed([("a", 1, 0), ("b", 2, 0)]).key_by(0).window(TumblingEventTimeWindows.of(10)).trigger(CountTrigger.of(1))
    stamped = collect(windowed.process(Many()).key_by(lambda n: 0).process(Stamped()))
    assert stamped == [(number, 9) for number in range(20_000)] * 2


def test_what_came_before_a_failure_keeps_its_timestamps() -> None:
    side = OutputTag("side", Types.LONG())

    class FailsLater(ProcessWindowFunction[Any, Any, Any, Any]):
        def process(self, key: Any, context: Any, elements: Any) -> Any:
            for element in elements:
                yield side, element[2]
                if element[2] == 3:
                    raise LookupError("three")
                yield -element[2]

    found: list[Any] = []

    class Note(ProcessFunction[Any, Any]):
        def process_element(self, value: Any, ctx: ProcessFunction.Context) -> Any:
            found.append((value, ctx.timestamp()))

    # The watermark comes at the end, so that all elements are one batch.
    stream = timed([("a", 1, 1), ("a", 12, 2), ("a", 13, 3), ("a", 14, 4)], 1_000)
    windowed = stream.key_by(0).window(TumblingEventTimeWindows.of(10)).trigger(PurgingTrigger.of(CountTrigger.of(1)))
    result = windowed.process(FailsLater())
    result.process(Note())
    result.get_side_output(side).process(Note())
    with pytest.raises(LookupError, match="three"):
        stream.get_execution_environment().execute()
    assert sorted(found) == [(-2, 19), (-1, 9), (1, 9), (2, 19)]


def test_failures_name_the_users_function() -> None:
    class Fails(ProcessWindowFunction[Any, Any, Any, Any]):
        def process(self, key: Any, context: Any, elements: Any) -> Any:
            raise LookupError("not today")

    class Confused(EventTimeTrigger):
        def on_element(self, element: Any, timestamp: int, window: Any, ctx: Any) -> Any:
            return True

    stream = timed([("a", 1, 0)]).key_by(0).window(TumblingEventTimeWindows.of(10))
    with pytest.raises(LookupError, match="not today"):
        collect(stream.trigger(CountTrigger.of(1)).process(Fails()))
    with pytest.raises(TypeError, match="Confused gave True; a TriggerResult was expected"):
        collect(stream.trigger(Confused()).process(Show()))


# ---- Streams without keys, joins ---------------------------------------------------------------------------------------------------------------


class ShowAll(ProcessAllWindowFunction[Any, Any, Any]):
    def process(self, context: ProcessAllWindowFunction.Context, elements: Any) -> Any:
        yield context.window().start, sorted(elements)


@pytest.mark.parametrize("parallelism", [1, 3])
@jobs
@given(elements_of, st.integers(1, 20), st.booleans())
def test_window_all(parallelism: int, elements: list[Element], size: int, is_general: bool) -> None:
    windowed = timed(elements, 10_000, parallelism).window_all(TumblingEventTimeWindows.of(size))
    if is_general:
        windowed = windowed.trigger(OwnEventTimeTrigger())
    expected = sorted(by_key(sorted(elements), lambda element: element[1] // size * size).items())
    assert sorted(collect(windowed.process(ShowAll()))) == expected


def test_window_all_with_every_kind_of_function() -> None:
    class Apply(AllWindowFunction[Any, Any, Any]):
        def apply(self, window: Any, inputs: Any) -> Any:
            yield window.start, list(inputs)

    class Numbered(ProcessAllWindowFunction[Any, Any, Any]):
        def process(self, context: ProcessAllWindowFunction.Context, elements: Any) -> Any:
            count = context.global_state().get_state(ValueStateDescriptor("count", Types.LONG()))
            count.update((count.value() or 0) + 1)
            yield count.value(), list(elements)

    elements = [("a", 1, 1), ("b", 2, 2), ("a", 11, 3)]
    windowed = timed(elements, 0, 2).window_all(TumblingEventTimeWindows.of(10))
    assert sorted(collect(windowed.apply(Apply()))) == [(0, elements[:2]), (10, elements[2:])]
    assert sorted(collect(windowed.aggregate(Total(), Apply()))) == [(0, [(3, 2)]), (10, [(3, 1)])]
    numbered = windowed.reduce(lambda x, y: (x[0] + y[0], 0, x[2] + y[2]), Numbered())
    assert sorted(collect(numbered)) == [(1, [("ab", 0, 3)]), (2, [("a", 11, 3)])]
    assert sorted(collect(windowed.sum(2))) == [("a", 1, 3), ("a", 11, 3)]
    assert sorted(collect(windowed.max_by(2))) == [("a", 11, 3), ("b", 2, 2)]
    assert collect(timed(elements).count_window_all(2, 1).apply(Apply2())) == [elements[:2], elements[1:]]
    with pytest.raises(TypeError, match="an AllWindowFunction"):
        windowed.apply(Show())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a ProcessAllWindowFunction"):
        windowed.process(Show())  # type: ignore[arg-type]


class Apply2(AllWindowFunction[Any, Any, Any]):
    def apply(self, window: Any, inputs: Any) -> Any:
        yield list(inputs)


@pytest.mark.parametrize("parallelism", [1, 3])
@jobs
@given(elements_of, elements_of, st.integers(1, 20), st.booleans())
def test_join_and_co_group(parallelism: int, left: list[Element], right: list[Element], size: int, is_general: bool) -> None:
    first = timed(left, 10_000, parallelism)
    env = first.get_execution_environment()
    strategy = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_millis(10_000)).with_timestamp_column(1)
    second = env.from_collection(right, TYPE).assign_timestamps_and_watermarks(strategy)

    def windows(elements: list[Element]) -> dict[Any, list[Element]]:
        return by_key(elements, lambda element: (element[0], element[1] // size))

    lefts, rights = windows(left), windows(right)
    joined = first.join(second).where(0).equal_to(lambda value: value[0], Types.PICKLED_BYTE_ARRAY()).window(TumblingEventTimeWindows.of(size))
    grouped = first.co_group(second).where(lambda value: value[0], Types.STRING()).equal_to(0).window(TumblingEventTimeWindows.of(size))
    if is_general:
        joined, grouped = joined.trigger(OwnEventTimeTrigger()), grouped.trigger(OwnEventTimeTrigger())
    pairs = [(x, y) for window in lefts for x in lefts[window] for y in rights.get(window, [])]
    assert sorted(collect(joined.apply(lambda x, y: (x, y)))) == sorted(pairs)
    groups = [(sorted(lefts.get(window, [])), sorted(rights.get(window, []))) for window in {*lefts, *rights}]
    assert sorted(collect(grouped.apply(lambda xs, ys: [(sorted(xs), sorted(ys))]))) == sorted(groups)


def test_join_with_function_objects() -> None:
    opened: list[str] = []

    class Key(KeySelector[Any, Any]):
        def open(self, runtime_context: RuntimeContext) -> None:
            opened.append("selector")

        def get_key(self, value: Any) -> Any:
            return value[0]

    class Pair(JoinFunction[Any, Any, Any]):
        def open(self, runtime_context: RuntimeContext) -> None:
            opened.append("join")

        def join(self, first: Any, second: Any) -> Any:
            return first[2], second[2]

    class Pairs(FlatJoinFunction[Any, Any, Any]):
        def join(self, first: Any, second: Any) -> Any:
            return [first[2], second[2]] if first[2] > second[2] else None

    class Group(CoGroupFunction[Any, Any, Any]):
        def co_group(self, first: Any, second: Any) -> Any:
            yield len(first), len(second)

    first = timed([("a", 1, 5), ("a", 2, 1), ("b", 3, 1)])
    second = timed([]).get_execution_environment()
    assert second is not first.get_execution_environment()
    other = first.map(lambda value: (value[0], value[1], value[2] + 1), TYPE)
    windows = TumblingEventTimeWindows.of(10)
    assert sorted(collect(first.join(other).where(Key()).equal_to(Key()).window(windows).apply(Pair()))) == [(1, 2), (1, 2), (1, 6), (5, 2), (5, 6)]
    assert sorted(opened) == ["join", "selector", "selector"]
    assert collect(first.join(other).where(0).equal_to(0).window(windows).apply(Pairs())) == [5, 2]
    grouped = first.co_group(other).where(0).equal_to(0).window(GlobalWindows.create()).trigger(CountTrigger.of(2)).evictor(CountEvictor.of(1))
    assert sorted(sum(sizes) for sizes in collect(grouped.apply(Group()))) == [1, 1, 1]
    late = first.join(other).where(0).equal_to(0).window(windows).allowed_lateness(5)
    assert len(collect(late.apply(Pair()))) >= 5


# ---- Mistakes --------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda w: w.trigger(CountTrigger), TypeError, "CountTrigger.of"),
        (lambda w: w.trigger(3), TypeError, "takes a Trigger"),
        (lambda w: w.evictor(3), TypeError, "takes an Evictor"),
        (lambda w: CountTrigger.of("3"), TypeError, "number of elements"),
        (lambda w: PurgingTrigger.of(3), TypeError, "takes a Trigger"),
        (lambda w: ContinuousEventTimeTrigger.of(0), ValueError, "must be positive"),
        (lambda w: ContinuousProcessingTimeTrigger.of(-1), ValueError, "must be positive"),
        (lambda w: DeltaTrigger.of(1, 2), TypeError, "DeltaFunction"),
        (lambda w: DeltaEvictor.of(1, 2), TypeError, "DeltaFunction"),
        (lambda w: CountEvictor.of(-1), ValueError, "0 or more"),
        (lambda w: EventTimeSessionWindows.with_dynamic_gap(3), TypeError, "GapExtractor"),
        (lambda w: w.trigger(CountTrigger.of(2)).agg(), Exception, "no aggregate"),
        (lambda w: w._keyed_stream.window(EventTimeSessionWindows.with_gap(3)).trigger(NeverTrigger()), TypeError, "can_merge"),
        (lambda w: w._keyed_stream.join(3), TypeError, "DataStream is needed"),
        (lambda w: w._keyed_stream.join(w._keyed_stream).where(None), TypeError, "where takes a KeySelector"),
        (lambda w: w._keyed_stream.join(timed([])), Exception, "different environments"),
        (lambda w: w._keyed_stream.join(w._keyed_stream).where(0, Types.LONG()).equal_to(0, Types.STRING()), Exception, "different types"),
    ],
)
def test_mistakes(call: Callable[[Any], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(timed([("a", 1, 1)]).key_by(0).window(TumblingEventTimeWindows.of(5)))


def test_native_aggregates_need_the_engines_windows() -> None:
    from millstream.datastream.aggregates import count

    windowed = timed([("a", 1, 1)]).key_by(0).window(TumblingEventTimeWindows.of(5)).trigger(CountTrigger.of(2))
    with pytest.raises(UnsupportedError, match=r"has no CountTrigger\(2\)"):
        windowed.agg(count())
