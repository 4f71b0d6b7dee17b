"""Interval joins: against a copy of Flink's IntervalJoinOperator step by step, and as jobs against all pairs."""

from __future__ import annotations

import random
from typing import Any

import pytest
from millstream.common import Duration, Time, Types, WatermarkStrategy
from millstream.common.watermark_strategy import TimestampAssigner
from millstream.datastream import OutputTag, ProcessJoinFunction, StreamExecutionEnvironment
from millstream.datastream.interval_join import _Bounds, _IntervalJoinFunction
from millstream.datastream.state import ValueStateDescriptor
from millstream.exceptions import EventTimeError, PlanError, UnsupportedError

#: (key, time, number)
EVENT = Types.TUPLE([Types.STRING(), Types.LONG(), Types.LONG()])
LEFT, RIGHT = OutputTag("left late", EVENT), OutputTag("right late", EVENT)


class EventTime(TimestampAssigner):
    def extract_timestamp(self, value: Any, record_timestamp: int) -> int:
        return int(value[1])


class Pair(ProcessJoinFunction):
    def process_element(self, left: Any, right: Any, ctx: Any) -> Any:
        assert (ctx.get_left_timestamp(), ctx.get_right_timestamp()) == (left[1], right[1])
        yield left, right, ctx.get_timestamp()


# ---- Step by step ----------------------------------------------------------------------------------------------------------------------------


class FlinkOperator:
    """Flink's operator, with its two namespaces of timers."""

    def __init__(self, lower: int, upper: int) -> None:
        self.bounds = {"left": (lower, upper), "right": (-upper, -lower)}
        self.lower, self.upper = lower, upper
        self.buffers: dict[str, dict[int, list[Any]]] = {"left": {}, "right": {}}
        self.timers: set[tuple[int, str]] = set()
        self.watermark = -(1 << 63)
        self.results: list[Any] = []

    def element(self, side: str, value: Any, timestamp: int) -> None:
        if timestamp < self.watermark:
            self.results.append((f"{side} late", value))
            return
        self.buffers[side].setdefault(timestamp, []).append(value)
        lower, upper = self.bounds[side]
        for other, bucket in self.buffers["right" if side == "left" else "left"].items():
            if timestamp + lower <= other <= timestamp + upper:
                self.results += [
                    (value, entry, max(timestamp, other)) if side == "left" else (entry, value, max(timestamp, other)) for entry in bucket
                ]
        self.timers.add((timestamp + upper if upper > 0 else timestamp, side))

    def advance(self, watermark: int) -> None:
        self.watermark = watermark
        for timer, side in sorted(self.timers):
            if timer <= watermark:
                self.timers.discard((timer, side))
                if side == "left":
                    self.buffers["left"].pop(timer if self.upper <= 0 else timer - self.upper, None)
                else:
                    self.buffers["right"].pop(timer + self.lower if self.lower <= 0 else timer, None)


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
        self.watermark = -(1 << 63)
        self.timers: set[int] = set()
        self.results: list[Any] = []

    def timestamp(self) -> int | None:
        return self.now

    def current_watermark(self) -> int:
        return self.watermark

    def register_event_time_timer(self, timestamp: int) -> None:
        self.timers.add(timestamp)

    def emit(self, results: Any, timestamp: int) -> None:
        for result in results:
            assert result[2] == timestamp
            self.results.append(result)


@pytest.mark.parametrize("seed", range(200))
def test_as_flinks_operator(seed: int) -> None:
    """Random elements and watermarks of one key: the same results, in the same order, and the same values kept after every step."""
    draw = random.Random(seed)
    lower = draw.randint(-12, 12)
    upper = lower + draw.choice([0, 1, 5, 20])
    flink = FlinkOperator(lower, upper)
    join = _IntervalJoinFunction(Pair(), _Bounds(lower, upper, LEFT, RIGHT))
    join._left, join._right = FakeMap(), FakeMap()  # type: ignore[assignment]
    context = FakeContext()
    time = 0
    for number in range(150):
        time += draw.randint(0, 3)
        found: list[Any] = []
        expected_from = len(flink.results)
        if draw.random() < 0.2:
            watermark = max(flink.watermark, time - draw.randint(0, 10))
            flink.advance(watermark)
            context.watermark = watermark
            for timer in sorted(context.timers):
                if timer <= watermark:
                    context.timers.discard(timer)
                    join.on_timer(timer, context)
        else:
            side = draw.choice(["left", "right"])
            timestamp = time - draw.randint(0, 12)
            value = ("k", timestamp, number)
            flink.element(side, value, timestamp)
            context.now = timestamp
            late = join.process_element1(value, context) if side == "left" else join.process_element2(value, context)
            found = [(tag.tag_id, kept) for tag, kept in late or ()] + context.results
            context.results = []
        assert found == flink.results[expected_from:]
        assert (dict(join._left), dict(join._right)) == (flink.buffers["left"], flink.buffers["right"])  # type: ignore[call-overload]
    flink.advance(1 << 62)
    for timer in sorted(context.timers):
        join.on_timer(timer, context)
    assert not join._left and not join._right
    assert flink.buffers == {"left": {}, "right": {}}


# ---- Jobs ------------------------------------------------------------------------------------------------------------------------------------


def events(draw: random.Random, count: int, disorder: int) -> list[Any]:
    return [(draw.choice("abcd"), max(0, 20 * place - draw.randint(0, disorder)), place) for place in range(count)]


def keyed(env: StreamExecutionEnvironment, rows: list[Any], bound: int) -> Any:
    strategy = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_millis(bound)).with_timestamp_assigner(EventTime())
    return env.from_collection(rows, EVENT).assign_timestamps_and_watermarks(strategy).key_by(lambda v: v[0], Types.STRING())


def all_pairs(left: list[Any], right: list[Any], lower: int, upper: int) -> list[Any]:
    return [(one, two, max(one[1], two[1])) for one in left for two in right if one[0] == two[0] and one[1] + lower <= two[1] <= one[1] + upper]


@pytest.mark.parametrize(("seed", "parallelism"), [(1, 1), (2, 2), (3, 3), (4, 2)])
def test_all_pairs_without_late_values(env: StreamExecutionEnvironment, seed: int, parallelism: int) -> None:
    draw = random.Random(seed)
    env.set_parallelism(parallelism)
    left, right = events(draw, 300, 100), events(draw, 300, 100)
    lower, upper = sorted((draw.randint(-300, 300), draw.randint(-300, 300)))
    join = keyed(env, left, 100).interval_join(keyed(env, right, 100)).between(lower, upper)
    if seed % 2 == 0:
        join.lower_bound_exclusive().upper_bound_exclusive()
        lower, upper = lower + 1, upper - 1
    found = list(join.process(Pair()).execute_and_collect())
    assert sorted(found) == sorted(all_pairs(left, right, lower, upper))


@pytest.mark.parametrize("seed", range(4))
def test_late_values_go_to_the_side(env: StreamExecutionEnvironment, seed: int) -> None:
    """Whoever is not late meets everybody who is not late; at the very bound, a partner may be gone at the same watermark, as in Flink."""
    draw = random.Random(seed)
    env.set_parallelism(1)
    env.get_config().set_auto_watermark_interval(1)
    left, right = events(draw, 2_000, 400), events(draw, 2_000, 400)
    join = keyed(env, left, 10).interval_join(keyed(env, right, 10)).between(Time.milliseconds(-50), Duration.of_millis(70))
    joined = join.side_output_left_late_data(LEFT).side_output_right_late_data(RIGHT).process(Pair())
    late = joined.get_side_output(LEFT).map(lambda v: ("left", v)).union(joined.get_side_output(RIGHT).map(lambda v: ("right", v)))
    found = list(joined.union(late).execute_and_collect())
    late_left, late_right = ({value[1] for value in found if len(value) == 2 and value[0] == side} for side in ("left", "right"))
    pairs = {value for value in found if len(value) == 3}
    assert late_left | late_right, "nothing was late"
    expected = set(all_pairs([v for v in left if v not in late_left], [v for v in right if v not in late_right], -50, 70))
    assert len(pairs) == sum(len(value) == 3 for value in found), "a pair came twice"
    assert pairs <= expected
    assert all(two[1] - one[1] in (-50, 70) for one, two, _ in expected - pairs)


def test_results_have_the_later_timestamp(env: StreamExecutionEnvironment) -> None:
    class Stamp(ProcessJoinFunction):
        TAG = OutputTag("tag", Types.LONG())

        def process_element(self, left: Any, right: Any, ctx: Any) -> Any:
            return [(left[1], right[1]), (self.TAG, right[1])] * 2

    from millstream.datastream.functions import ProcessFunction

    class Show(ProcessFunction):
        def process_element(self, value: Any, ctx: Any) -> Any:
            yield value, ctx.timestamp()

    left, right = [("a", 100, 0), ("a", 300, 1)], [("a", 200, 2), ("a", 250, 3)]
    joined = keyed(env, left, 500).interval_join(keyed(env, right, 500)).between(-200, 200).process(Stamp())
    side = joined.get_side_output(Stamp.TAG)
    found = list(joined.process(Show()).union(side.map(lambda v: ("side", v))).execute_and_collect())
    expected = [((one, two), max(one, two)) for one in (100, 300) for two in (200, 250)] * 2
    assert sorted(value for value in found if value[0] != "side") == sorted(expected)
    assert sorted(value[1] for value in found if value[0] == "side") == [200] * 4 + [250] * 4


def test_many_results_of_one_value(env: StreamExecutionEnvironment) -> None:
    """More than one call takes, with timestamps of their own."""

    class Many(ProcessJoinFunction):
        def open(self, runtime_context: Any) -> None:
            self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.INT()))

        def process_element(self, left: Any, right: Any, ctx: Any) -> Any:
            self.count.update((self.count.value() or 0) + 1)
            for number in range(3_000):
                yield number, ctx.get_timestamp(), self.count.value()

    left, right = [("a", 10, 0)], [("a", 10 * place, place) for place in range(1, 6)]
    strategy_bound = 1_000
    found = list(
        keyed(env, left, strategy_bound).interval_join(keyed(env, right, strategy_bound)).between(0, 100).process(Many()).execute_and_collect()
    )
    assert len(found) == 15_000
    assert {value[1] for value in found} == {10, 20, 30, 40, 50}
    assert sorted({value[2] for value in found}) == [1, 2, 3, 4, 5]


def test_a_condition(env: StreamExecutionEnvironment) -> None:
    draw = random.Random(7)
    env.set_parallelism(2)
    left, right = events(draw, 300, 100), events(draw, 300, 100)
    join = keyed(env, left, 100).interval_join(keyed(env, right, 100)).between(-200, 300).condition(lambda one, two: (one[2] + two[2]) % 3 == 0)
    expected = [pair for pair in all_pairs(left, right, -200, 300) if (pair[0][2] + pair[1][2]) % 3 == 0]
    assert sorted(join.process(Pair()).execute_and_collect()) == sorted(expected)


def test_refusals(env: StreamExecutionEnvironment) -> None:
    left, right = keyed(env, [("a", 1, 1)], 0), keyed(env, [("a", 1, 1)], 0)
    plain = env.from_collection([("a", 1, 1)], EVENT)
    with pytest.raises(TypeError, match="another keyed stream"):
        left.interval_join(plain)
    with pytest.raises(PlanError, match="different environments"):
        left.interval_join(keyed(StreamExecutionEnvironment.get_execution_environment(), [("a", 1, 1)], 0))
    with pytest.raises(ValueError, match="lower bound 2 ms is above the upper bound 1 ms"):
        left.interval_join(right).between(2, 1)
    with pytest.raises(ValueError, match="exclusive"):
        left.interval_join(right).between(1, 1).upper_bound_exclusive().process(Pair())
    with pytest.raises(UnsupportedError, match="event time"):
        left.interval_join(right).in_processing_time().between(0, 1)
    with pytest.raises(TypeError, match="ProcessJoinFunction"):
        left.interval_join(right).between(0, 1).process(lambda one, two, ctx: None)
    with pytest.raises(PlanError, match="late values"):
        left.interval_join(right).between(0, 1).side_output_left_late_data(OutputTag("late", Types.LONG()))
    with pytest.raises(TypeError, match="condition takes a function"):
        left.interval_join(right).between(0, 1).condition(True)  # type: ignore[arg-type]
    with pytest.raises(PlanError, match="different types"):
        left.interval_join(plain.key_by(lambda v: v[0])).between(0, 1).process(Pair())
    with pytest.raises(EventTimeError, match="has none"):
        list(plain.key_by(lambda v: v[0]).interval_join(plain.key_by(lambda v: v[0])).between(0, 1).process(Pair()).execute_and_collect())


def test_a_failing_function_is_named(env: StreamExecutionEnvironment) -> None:
    class Fails(ProcessJoinFunction):
        def process_element(self, left: Any, right: Any, ctx: Any) -> Any:
            raise KeyError("oops")

    with pytest.raises(KeyError, match="oops") as caught:
        list(keyed(env, [("a", 1, 1)], 0).interval_join(keyed(env, [("a", 1, 1)], 0)).between(0, 1).process(Fails()).execute_and_collect())
    assert any("'Interval Join'" in note and "test_interval_join.py" in note for note in caught.value.__notes__)
