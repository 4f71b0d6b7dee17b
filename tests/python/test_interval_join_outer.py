"""Outer interval joins: step by step against their definition, as jobs against all pairs, and against Flink's SQL."""

from __future__ import annotations

import json
import pathlib
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from millstream.common import Duration, Types, WatermarkStrategy
from millstream.common.watermark_strategy import TimestampAssigner
from millstream.datastream import OutputTag, ProcessJoinFunction, StreamExecutionEnvironment
from millstream.datastream.functions import KeyedProcessFunction
from millstream.datastream.interval_join import _Bounds, _OuterIntervalJoinFunction

MIN, MAX = -(1 << 63), (1 << 63) - 1
#: (key, time, number)
EVENT = Types.TUPLE([Types.STRING(), Types.LONG(), Types.LONG()])
LEFT, RIGHT = OutputTag("left late", EVENT), OutputTag("right late", EVENT)


class EventTime(TimestampAssigner):
    def extract_timestamp(self, value: Any, record_timestamp: int) -> int:
        return int(value[1])


class Both(ProcessJoinFunction):
    def process_element(self, left: Any, right: Any, ctx: Any) -> Any:
        yield left, right, ctx.get_left_timestamp(), ctx.get_right_timestamp(), ctx.get_timestamp()


# ---- Step by step ----------------------------------------------------------------------------------------------------------------------------


class Arrival(NamedTuple):
    step: int
    time: int
    watermark: int
    value: Any


class Definition:
    """What comes out at each step of a sequence of arrivals and watermarks, found by looking at all pairs. It keeps nothing between steps."""

    def __init__(self, lower: int, upper: int, left_outer: bool, right_outer: bool, condition: Any, left_tag: bool, right_tag: bool) -> None:
        #: By how much the last partner of a value may be later.
        self.reach = {"left": upper, "right": -lower}
        self.lower, self.upper, self.condition = lower, upper, condition
        self.is_outer = {"left": left_outer, "right": right_outer}
        self.has_tag = {"left": left_tag, "right": right_tag}

    def run(self, steps: list[Any]) -> list[Counter[Any]]:
        results: list[Counter[Any]] = [Counter() for _ in steps]
        arrivals: dict[str, list[Arrival]] = {"left": [], "right": []}
        watermarks, watermark = [], MIN
        for step, (kind, time, value) in enumerate(steps):
            if kind == "watermark":
                watermark = time
            elif time < watermark and self.has_tag[kind]:
                results[step][f"{kind} late", value] += 1
            else:
                arrivals[kind].append(Arrival(step, time, watermark, value))
            watermarks.append(watermark)
        met = set()
        for left in arrivals["left"]:
            for right in arrivals["right"]:
                first = "left" if left.step < right.step else "right"
                one, two = (left, right) if first == "left" else (right, left)
                is_kept = two.watermark < one.time + self.reach[first]
                is_pair = left.time + self.lower <= right.time <= left.time + self.upper
                if is_kept and is_pair and self.condition(left.value, right.value):
                    results[two.step][left.value, right.value, left.time, right.time, max(left.time, right.time)] += 1
                    met |= {left.step, right.step}
        for side, outer in self.is_outer.items():
            for alone in arrivals[side]:
                if not outer or alone.step in met:
                    continue
                certain = alone.time + self.reach[side]
                at_once = certain <= alone.watermark
                step = alone.step if at_once else next(step for step, watermark in enumerate(watermarks) if watermark >= min(certain, MAX) and step > alone.step)
                of_results = alone.time if at_once else max(alone.time, min(certain, MAX))
                pair = (alone.value, None, alone.time, None) if side == "left" else (None, alone.value, None, alone.time)
                results[step][(*pair, of_results)] += 1
        return results

    def kept(self, steps: list[Any], side: str) -> Counter[Any]:
        """The timestamps of the values that a side must still keep behind the steps."""
        found: Counter[Any] = Counter()
        watermark = MIN
        for kind, time, _ in steps:
            if kind == "watermark":
                watermark = time
            elif kind == side and not (self.has_tag[kind] and time < watermark):
                found[time] += 1
        return Counter({time: count for time, count in found.items() if watermark < time + self.reach[side]})


class FakeMap(dict[int, Any]):
    def put(self, key: int, value: Any) -> None:
        self[key] = value

    def remove(self, key: int) -> None:
        self.pop(key, None)

    def items(self) -> Any:
        return iter(list(super().items()))


class FakeContext:
    def __init__(self) -> None:
        self.now: int | None = None
        self.watermark = MIN
        self.timers: set[int] = set()
        self.results: list[Any] = []

    def timestamp(self) -> int | None:
        return self.now

    def current_watermark(self) -> int:
        return self.watermark

    def register_event_time_timer(self, timestamp: int) -> None:
        assert self.watermark < timestamp <= MAX
        self.timers.add(timestamp)

    def emit(self, results: Any, timestamp: int) -> None:
        for result in results:
            assert result[4] == timestamp
            self.results.append(result)


def steps_of(draw: random.Random) -> list[Any]:
    """Arrivals with ties, values that are None and late ones, watermarks between them, and the end of the input."""
    start = draw.choice([0, -1_000, MAX - 60, MIN + 200])
    step, steps, time, watermark = draw.choice([1, 1, 4]), [], start, MIN
    for number in range(draw.choice([3, 40, 120])):
        time += draw.randint(0, 3) * step
        if draw.random() < 0.2:
            watermark = max(watermark, time - draw.randint(0, 10))
            steps.append(("watermark", min(watermark, MAX - 1), None))
        else:
            at = min(time - draw.choice([0, 0, 3, 12, 40]), MAX)
            steps.append((draw.choice(["left", "right"]), at, None if draw.random() < 0.1 else ("k", at, number)))
    return [*steps, ("watermark", MAX, None)]


@pytest.mark.parametrize("seed", range(400))
def test_by_definition(seed: int) -> None:
    """Random elements and watermarks of one key: the same results at every step, and nothing kept that nobody can meet."""
    draw = random.Random(seed)
    lower = draw.randint(-12, 12)
    upper = lower + draw.choice([0, 1, 5, 20])
    left_outer, right_outer = draw.choice([(True, False), (False, True), (True, True)])
    left_tag, right_tag = draw.random() < 0.3, draw.random() < 0.3
    condition = draw.choice([None, lambda left, right: left is None or right is None or (left[2] + right[2]) % 2 == 0])
    definition = Definition(lower, upper, left_outer, right_outer, condition or (lambda left, right: True), left_tag, right_tag)
    bounds = _Bounds(lower, upper, LEFT if left_tag else None, RIGHT if right_tag else None, condition)
    join = _OuterIntervalJoinFunction(Both(), bounds, left_outer, right_outer)
    join._left, join._right = FakeMap(), FakeMap()  # type: ignore[assignment]
    context = FakeContext()
    steps = steps_of(draw)
    expected = definition.run(steps)
    for place, (kind, time, value) in enumerate(steps):
        context.results, found = [], []
        if kind == "watermark":
            context.watermark = time
            for timer in sorted(context.timers):
                if timer <= time:
                    context.timers.discard(timer)
                    join.on_timer(timer, context)
        else:
            context.now = time
            process = join.process_element1 if kind == "left" else join.process_element2
            found = [(tag.tag_id, late) for tag, late in process(value, context) or ()]
        assert Counter(context.results + found) == expected[place], (place, steps[place])
        for side, buffer in (("left", join._left), ("right", join._right)):
            kept = Counter({at: len(bucket) for at, bucket in buffer.items()})
            # With the last watermark the last timer takes what would have to be kept beyond the end of time.
            assert kept == (Counter() if context.watermark == MAX else definition.kept(steps[: place + 1], side))
    assert not context.timers


# ---- Jobs ------------------------------------------------------------------------------------------------------------------------------------


def events(draw: random.Random, count: int, disorder: int, spread: int = 20) -> list[Any]:
    return [(draw.choice("abcd"), max(0, spread * place - draw.randint(0, disorder)), place) for place in range(count)]


def keyed(env: StreamExecutionEnvironment, rows: list[Any], bound: int) -> Any:
    strategy = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_millis(bound)).with_timestamp_assigner(EventTime())
    return env.from_collection(rows, EVENT).assign_timestamps_and_watermarks(strategy).key_by(lambda v: v[0], Types.STRING())


def outer(joined: Any, kind: str) -> Any:
    return {"left": joined.left_outer, "right": joined.right_outer, "full": joined.full_outer}[kind]()


def expected_join(left: list[Any], right: list[Any], lower: int, upper: int, kind: str) -> list[Any]:
    pairs = [(one, two) for one in left for two in right if one[0] == two[0] and one[1] + lower <= two[1] <= one[1] + upper]
    lefts, rights = {one for one, _ in pairs}, {two for _, two in pairs}
    if kind in ("left", "full"):
        pairs += [(one, None) for one in left if one not in lefts]
    if kind in ("right", "full"):
        pairs += [(None, two) for two in right if two not in rights]
    return pairs


def in_order(pairs: Any) -> list[Any]:
    return sorted(pairs, key=repr)


RECORDED = json.loads((pathlib.Path(__file__).parent / "golden" / "interval_joins.json").read_text())


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda case: f"{case['kind']} {case['lower']} {case['upper']}")
def test_as_the_joins_of_flinks_sql(env: StreamExecutionEnvironment, case: dict[str, Any]) -> None:
    left, right = ([tuple(row) for row in RECORDED[side]] for side in ("left", "right"))
    joined = keyed(env, left, 400).interval_join(keyed(env, right, 400)).between(case["lower"], case["upper"])
    joined = joined if case["kind"] == "INNER" else outer(joined, case["kind"].lower())
    found = [[None if row is None else row[2] for row in pair[:2]] for pair in joined.process(Both()).execute_and_collect()]
    assert sorted(found, key=str) == case["pairs"]


@pytest.mark.parametrize("kind", ["left", "right", "full"])
@pytest.mark.parametrize(("seed", "parallelism"), [(1, 1), (2, 2), (3, 3), (4, 2)])
def test_all_values_come_out(env: StreamExecutionEnvironment, seed: int, parallelism: int, kind: str) -> None:
    draw = random.Random(seed)
    env.set_parallelism(parallelism)
    left, right = events(draw, 300, 100), events(draw, 300, 100)
    lower = draw.randint(-100, 100)
    upper = lower + draw.choice([0, 10, 100])
    found = outer(keyed(env, left, 100).interval_join(keyed(env, right, 100)).between(lower, upper), kind).process(Both())
    assert in_order(row[:2] for row in found.execute_and_collect()) == in_order(expected_join(left, right, lower, upper, kind))


def test_bounds_that_are_exclusive(env: StreamExecutionEnvironment) -> None:
    left, right = [("a", 100, 0), ("a", 1_000, 1)], [("a", 150, 0), ("a", 151, 1), ("a", 1_000, 2)]
    joined = keyed(env, left, 0).interval_join(keyed(env, right, 0)).between(0, 51)
    found = joined.lower_bound_exclusive().upper_bound_exclusive().full_outer().process(Both())
    assert in_order(row[:2] for row in found.execute_and_collect()) == in_order(
        [(left[0], right[0]), (left[1], None), (None, right[1]), (None, right[2])]
    )


@pytest.mark.parametrize("seed", range(6))
def test_no_value_is_lost_or_comes_twice(env: StreamExecutionEnvironment, seed: int) -> None:
    """With late values, whose fate depends on how the two inputs come: each comes out in pairs, or once alone, or once at its side."""
    draw = random.Random(seed)
    env.set_parallelism(1 + seed // 3)
    env.get_config().set_auto_watermark_interval(0)
    rows = events(draw, 4_000, 400)
    strategy = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_millis(10)).with_timestamp_assigner(EventTime())
    stream = env.from_collection(rows, EVENT).assign_timestamps_and_watermarks(strategy)
    left, right = (stream.filter(lambda v, rest=rest: v[2] % 2 == rest).key_by(lambda v: v[0], Types.STRING()) for rest in (0, 1))
    joined = left.interval_join(right).between(-50, 70).full_outer()
    has_tag = seed % 2 == 1
    if has_tag:
        joined.side_output_left_late_data(LEFT)
    found_stream = joined.process(Both())
    late = found_stream.get_side_output(LEFT).map(lambda v: ("left", v))
    both = found_stream.union(late)
    # How the inputs come is up to the threads: seldom so that nothing is late.
    for _ in range(10):
        found = list(both.execute_and_collect())
        late_left = [row[1] for row in found if len(row) == 2]
        if late_left or not has_tag:
            break
    pairs = [row[:2] for row in found if len(row) == 5]
    assert bool(late_left) == has_tag
    assert len(set(pairs)) == len(pairs)
    met_left, met_right = {one for one, two in pairs if two is not None}, {two for one, two in pairs if one is not None}
    alone_left, alone_right = [one for one, two in pairs if two is None], [two for one, two in pairs if one is None]
    assert sorted([*(met_left - {None}), *alone_left, *late_left]) == [value for value in sorted(rows) if value[2] % 2 == 0]
    assert sorted([*(met_right - {None}), *alone_right]) == [value for value in sorted(rows) if value[2] % 2 == 1]
    assert {pair for pair in pairs if None not in pair} <= set(expected_join(rows, rows, -50, 70, "inner"))


def test_who_is_alone_comes_before_the_watermark_that_says_so(env: StreamExecutionEnvironment) -> None:
    """Results are not late behind the join, and do not wait for the end of the input."""

    class Show(KeyedProcessFunction):
        def process_element(self, value: Any, ctx: Any) -> Any:
            yield ctx.timestamp(), ctx.timer_service().current_watermark()

    env.get_config().set_auto_watermark_interval(0)
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(EventTime())
    rows = env.from_collection([("a", 100 * place, place) for place in range(1_000)], EVENT).assign_timestamps_and_watermarks(strategy)
    none = rows.filter(lambda v: False)
    joined = rows.key_by(lambda v: v[0]).interval_join(none.key_by(lambda v: v[0])).between(-500, 700).left_outer().process(Both())
    found = list(joined.key_by(lambda row: 0).process(Show()).execute_and_collect())
    assert [stamp for stamp, _ in found] == [100 * place + 700 for place in range(1_000)]
    assert all(watermark < stamp for stamp, watermark in found)
    # A row's watermark is its timestamp less one, and the rows that a watermark frees come before it.
    assert [watermark for _, watermark in found[:900]] == [100 * place - 1 for place in range(7, 907)]


def test_memory_does_not_grow_with_the_stream(env: StreamExecutionEnvironment) -> None:
    """Half the values have a key of their own, half one of five: what is kept follows the bounds."""
    count = 200_000
    alive = peak = 0

    class Event:
        def __init__(self, number: int) -> None:
            nonlocal alive, peak
            self.number = number
            self.key = number if number % 2 else number % 10
            alive += 1
            peak = max(peak, alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    class At(TimestampAssigner):
        def extract_timestamp(self, value: Any, record_timestamp: int) -> int:
            return int(value.number)

    class Sides(ProcessJoinFunction):
        def process_element(self, left: Any, right: Any, ctx: Any) -> Iterator[int]:
            yield (left is not None) + 2 * (right is not None)

    env.set_parallelism(1)
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(At())
    stream = env.add_source(map(Event, range(count))).assign_timestamps_and_watermarks(strategy)
    left, right = (stream.filter(lambda event, rest=rest: event.number // 2 % 2 == rest).key_by(lambda event: event.key) for rest in (0, 1))
    found = Counter(left.interval_join(right).between(-50, 50).full_outer().process(Sides()).execute_and_collect())
    assert (found[1], found[2]) == (count // 4, count // 4)
    # A value with one of the five keys meets those of the other side that are 10, 30 or 50 before or behind it, but for the ends of the stream.
    assert 6 * (count // 4) - 200 < found[3] < 6 * (count // 4)
    assert peak < count // 2, "values stay"
