"""Connected streams: two inputs of one function, with and without keys."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

import pytest
from millstream.common import Types, WatermarkStrategy
from millstream.common.watermark_strategy import TimestampAssigner
from millstream.datastream import (
    CoFlatMapFunction,
    CoMapFunction,
    ConnectedStreams,
    CoProcessFunction,
    KeyedCoProcessFunction,
    OutputTag,
    StreamExecutionEnvironment,
)
from millstream.datastream.state import ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor
from millstream.exceptions import InvalidStateError, KeyValueError, PlanError

PAIR = Types.TUPLE([Types.STRING(), Types.LONG()])


class FieldTime(TimestampAssigner):
    def __init__(self, field: int) -> None:
        self.field = field

    def extract_timestamp(self, value: Any, record_timestamp: int) -> int:
        return int(value[self.field])


def timed(stream: Any, field: int = 1) -> Any:
    return stream.assign_timestamps_and_watermarks(WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(FieldTime(field)))


def values(stream: Any) -> list[Any]:
    return list(stream.execute_and_collect())


class Sides(CoFlatMapFunction):
    def flat_map1(self, value: Any) -> Any:
        return None if value == 0 else [("left", value)] * value

    def flat_map2(self, value: Any) -> Any:
        for letter in value:
            yield "right", letter


def test_flat_map_forms(env: StreamExecutionEnvironment) -> None:
    connected = env.from_collection([0, 1, 2], Types.INT()).connect(env.from_collection(["ab", ""], Types.STRING()))
    expected = [("left", 1), ("left", 2), ("left", 2), ("right", "a"), ("right", "b")]
    assert sorted(values(connected.flat_map(Sides()))) == expected
    assert sorted(values(connected.flat_map(Sides(), Types.TUPLE([Types.STRING(), Types.PICKLED_BYTE_ARRAY()]))), key=str) == sorted(
        expected, key=str
    )


def test_many_results_of_one_value(env: StreamExecutionEnvironment) -> None:
    class Many(CoFlatMapFunction):
        def flat_map1(self, value: int) -> Any:
            return range(value)

        def flat_map2(self, value: int) -> Any:
            return (-n for n in range(value))

    connected = env.from_collection([10_000, 3], Types.INT()).connect(env.from_collection([9_999], Types.INT()))
    found = values(connected.flat_map(Many(), Types.INT()))
    assert len(found) == 10_000 + 3 + 9_999
    assert sum(found) == 10_000 * 9_999 // 2 + 3 - 9_999 * 9_998 // 2


class Join(KeyedCoProcessFunction):
    """All pairs of a key, by state; counts at the end, by a timer; values above 90 go to the side."""

    BIG = OutputTag("big", Types.LONG())

    def open(self, runtime_context: Any) -> None:
        self.left = runtime_context.get_list_state(ListStateDescriptor("left", Types.LONG()))
        self.right = runtime_context.get_list_state(ListStateDescriptor("right", Types.LONG()))
        self.counts = runtime_context.get_map_state(MapStateDescriptor("counts", Types.STRING(), Types.INT()))

    def process_element1(self, value: Any, ctx: Any) -> Any:
        return self.element(value, ctx, self.left, self.right, "left")

    def process_element2(self, value: Any, ctx: Any) -> Any:
        return self.element(value[::-1], ctx, self.right, self.left, "right")

    def element(self, value: Any, ctx: Any, own: Any, other: Any, side: str) -> Any:
        own.add(value[1])
        self.counts[side] = (self.counts[side] or 0) + 1 if side in self.counts else 1
        ctx.timer_service().register_event_time_timer(1 << 40)
        if value[1] > 90:
            yield self.BIG, value[1]
        for number in other:
            yield ctx.get_current_key(), *((value[1], number) if side == "left" else (number, value[1])), ctx.timestamp()

    def on_timer(self, timestamp: int, ctx: Any) -> Any:
        yield ctx.get_current_key(), *(self.counts.get(side) or 0 for side in ("left", "right")), None


@pytest.mark.parametrize(("seed", "parallelism"), [(1, 1), (2, 2), (3, 3), (4, 4)])
def test_keyed_join_against_a_reference(env: StreamExecutionEnvironment, seed: int, parallelism: int) -> None:
    """Random rows of two types, keys by a function and by a field, different parallelisms before: every pair of a key comes exactly once."""
    draw = random.Random(seed)
    env.set_parallelism(parallelism)
    left = [(draw.choice("abcdefgh"), draw.randrange(100)) for _ in range(400)]
    right = [(draw.randrange(100), draw.choice("defghijk")) for _ in range(300)]
    first = timed(env.from_collection(left, PAIR)).rebalance().map(lambda v: v, PAIR).set_parallelism(2)
    swapped = Types.TUPLE([Types.LONG(), Types.STRING()])
    second = timed(env.from_collection(right, swapped), 0).map(lambda v: v, swapped).set_parallelism(3)
    joined = first.connect(second).key_by(lambda v: v[0], 1 if seed % 2 == 0 else (lambda v: v[1]), Types.STRING()).process(Join())
    big = joined.get_side_output(Join.BIG).map(lambda n: ("big", n))
    found = values(joined.union(big))

    expected: list[Any] = [("big", n) for _, n in left if n > 90] + [("big", n) for n, _ in right if n > 90]
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for key, _ in left:
        counts[key][0] += 1
    for _, key in right:
        counts[key][1] += 1
    expected += [(key, *count, None) for key, count in counts.items()]
    pairs = [(key, n, m) for key, n in left for m, other in right if key == other]
    assert sorted(v[:3] for v in found if len(v) == 4 and v[3] is not None) == sorted(pairs)
    assert all(v[3] in (v[1], v[2]) for v in found if len(v) == 4 and v[3] is not None), "a result has its element's timestamp"
    assert sorted((v for v in found if len(v) == 2 or v[3] is None), key=str) == sorted(expected, key=str)


def test_timers_go_by_the_lower_watermark(env: StreamExecutionEnvironment) -> None:
    """A timer at 5 fires when both streams have passed it: the second one only does at its end."""

    class Wait(KeyedCoProcessFunction):
        def open(self, runtime_context: Any) -> None:
            self.seen = runtime_context.get_state(ValueStateDescriptor("seen", Types.INT()))

        def process_element1(self, value: Any, ctx: Any) -> Any:
            ctx.timer_service().register_event_time_timer(5)
            self.seen.update((self.seen.value() or 0) + 1)

        def process_element2(self, value: Any, ctx: Any) -> Any:
            assert ctx.timer_service().current_watermark() < value[1]
            self.seen.update((self.seen.value() or 0) + 1)

        def on_timer(self, timestamp: int, ctx: Any) -> Any:
            yield timestamp, self.seen.value()

    left = timed(env.from_collection([("a", n) for n in range(1_000)], PAIR))
    right = timed(env.from_collection([("a", -1)] + [("a", 3)] * 5_000, PAIR))
    found = values(left.connect(right).key_by(0, 0).process(Wait()))
    # The timer is set again by every row that comes after it has fired.
    assert found[0][0] == 5
    assert found[-1] == (5, 6_001)


def test_chain_of_connects(env: StreamExecutionEnvironment) -> None:
    """Outputs of connected streams are streams: united, connected again, broadcast, with a stream that is read twice."""
    env.set_parallelism(2)
    numbers = env.from_collection(list(range(100)), Types.LONG())

    class Tag(CoMapFunction):
        def map1(self, value: int) -> Any:
            return value

        def map2(self, value: int) -> Any:
            return value + 1_000

    once = numbers.connect(numbers).map(Tag(), Types.LONG())
    twice = once.union(numbers.rebalance()).connect(once).map(Tag(), Types.LONG())
    found = values(twice.connect(numbers.broadcast()).map(Tag(), Types.LONG()).set_parallelism(3))
    base = list(range(100))
    first = base + [n + 1_000 for n in base]
    second = first + base + [n + 1_000 for n in first]
    assert sorted(found) == sorted(second + [n + 1_000 for n in base] * 3)


def test_nulls_and_none(env: StreamExecutionEnvironment) -> None:
    """None is a value of the inputs; of a map it is no result."""

    class Keep(CoMapFunction):
        def map1(self, value: Any) -> Any:
            return "null" if value is None else value

        def map2(self, value: Any) -> Any:
            return value

    connected = env.from_collection([None, "a"], Types.STRING()).connect(env.from_collection([None, "b"]))
    assert sorted(values(connected.map(Keep()))) == ["a", "b", "null"]


def test_open_and_close_once_per_subtask(env: StreamExecutionEnvironment) -> None:
    calls: list[str] = []

    class Watch(CoMapFunction):
        def open(self, runtime_context: Any) -> None:
            self.index = runtime_context.get_index_of_this_subtask()
            calls.append(f"open {self.index} of {runtime_context.get_number_of_parallel_subtasks()}")

        def map1(self, value: int) -> int:
            return value

        def map2(self, value: int) -> int:
            return value

        def close(self) -> None:
            calls.append(f"close {self.index}")

    env.set_parallelism(2)
    for keyed in (False, True):
        calls.clear()
        connected = env.from_collection([1, 2]).connect(env.from_collection([3]))
        if keyed:
            connected = connected.key_by(lambda n: n, lambda n: n)
        assert sorted(values(connected.map(Watch()))) == [1, 2, 3]
        assert sorted(calls) == ["close 0", "close 1", "open 0 of 2", "open 1 of 2"]


def test_plan(env: StreamExecutionEnvironment) -> None:
    import json

    left, right = env.from_collection([("a", 1)], PAIR), env.from_collection([("a", 1)], PAIR)
    joined = left.connect(right).key_by(0, 0).process(Join()).name("join").uid("join")
    joined.print()
    nodes = json.loads(env.get_execution_plan())["nodes"]
    node = next(entry for entry in nodes if entry["type"] == "join")
    assert [(entry["ship_strategy"], entry["side"]) for entry in node["predecessors"]] == [("HASH", "first"), ("HASH", "second")]


# ---- Failures --------------------------------------------------------------------------------------------------------------------------------


def test_failures_name_the_record_of_their_input(env: StreamExecutionEnvironment) -> None:
    class Fails(CoMapFunction):
        def map1(self, value: int) -> int:
            return value

        def map2(self, value: int) -> int:
            return 10 // value

    connected = env.from_collection([1] * 50).connect(env.from_collection([5, 2, 0, 1]))
    with pytest.raises(ZeroDivisionError) as caught:
        values(connected.map(Fails()).name("divide"))
    assert any("'divide'" in note and "record 2 of the second input: 0" in note for note in caught.value.__notes__)


def test_failing_timer(env: StreamExecutionEnvironment) -> None:
    class Fails(KeyedCoProcessFunction):
        def process_element1(self, value: Any, ctx: Any) -> None:
            ctx.timer_service().register_event_time_timer(7)

        def process_element2(self, value: Any, ctx: Any) -> None:
            pass

        def on_timer(self, timestamp: int, ctx: Any) -> Any:
            raise RuntimeError("ding")

    with pytest.raises(RuntimeError, match="ding") as caught:
        values(env.from_collection(["a"]).connect(env.from_collection(["a"])).key_by(lambda v: v, lambda v: v).process(Fails()))
    assert any("event-time timer at 7, key 'a'" in note for note in caught.value.__notes__), caught.value.__notes__


def test_wrong_streams_and_functions(env: StreamExecutionEnvironment) -> None:
    stream, other = env.from_collection([1], Types.LONG()), env.from_collection(["a"], Types.STRING())
    with pytest.raises(PlanError, match="different environments"):
        stream.connect(StreamExecutionEnvironment.get_execution_environment().from_collection([1]))
    with pytest.raises(TypeError, match="connect takes a DataStream"):
        stream.connect([1])  # type: ignore[arg-type]
    connected = stream.connect(other)
    assert isinstance(connected, ConnectedStreams)
    for call, message in [
        (lambda: connected.map(lambda v: v), "CoMapFunction"),
        (lambda: connected.map(Sides), "CoMapFunction"),
        (lambda: connected.map(Sides()), "CoMapFunction"),
        (lambda: connected.flat_map(lambda v: v), "CoFlatMapFunction"),
        (lambda: connected.process(Sides()), "CoProcessFunction"),
        (lambda: connected.process(Join()), "two keyed streams"),
        (lambda: stream.key_by(lambda v: v).connect(other).process(Join()), "two keyed streams"),
        (lambda: stream.connect(other.key_by(lambda v: v)).process(Join()), "two keyed streams"),
    ]:
        with pytest.raises(TypeError, match=message):
            call()
    with pytest.raises(PlanError, match="different types"):
        stream.key_by(lambda v: v, Types.LONG()).connect(other.key_by(lambda v: v)).process(Join())
    with pytest.raises(PlanError, match="LONG|Long"):
        stream.key_by(lambda v: v, Types.LONG()).connect(other.key_by(lambda v: v, Types.STRING())).process(Join())


def test_null_keys(env: StreamExecutionEnvironment) -> None:
    left, right = env.from_collection([("a", 1)], PAIR), env.from_collection([("a", 1), (None, 2)], PAIR)
    with pytest.raises(KeyValueError) as caught:
        values(left.connect(right).key_by(0, 0).process(Join()))
    assert caught.value.record == 1


def test_state_needs_keys(env: StreamExecutionEnvironment) -> None:
    class Stateful(CoProcessFunction):
        def open(self, runtime_context: Any) -> None:
            runtime_context.get_state(ValueStateDescriptor("v"))

        def process_element1(self, value: Any, ctx: Any) -> Any: ...

        def process_element2(self, value: Any, ctx: Any) -> Any: ...

    class Timer(CoProcessFunction):
        def process_element1(self, value: Any, ctx: Any) -> Any:
            ctx.timer_service().register_event_time_timer(1)

        def process_element2(self, value: Any, ctx: Any) -> Any: ...

    keyed = env.from_collection([1]).key_by(lambda v: v)
    for function in (Stateful(), Timer()):
        with pytest.raises(InvalidStateError, match="key"):
            values(env.from_collection([1]).connect(env.from_collection([2])).process(function))
        with pytest.raises(InvalidStateError, match="key"):
            values(keyed.connect(env.from_collection([2])).process(function))
