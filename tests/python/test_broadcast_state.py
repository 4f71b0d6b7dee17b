"""Broadcast state: what all subtasks know, and what may change it."""

from __future__ import annotations

import random
from typing import Any

import pytest
from millstream.common import Types
from millstream.datastream import (
    BroadcastConnectedStream,
    BroadcastProcessFunction,
    BroadcastStream,
    KeyedBroadcastProcessFunction,
    KeyedCoProcessFunction,
    OutputTag,
    StreamExecutionEnvironment,
    TimeDomain,
)
from millstream.datastream.state import BroadcastState, ListStateDescriptor, MapStateDescriptor, ReadOnlyBroadcastState, ValueStateDescriptor
from millstream.exceptions import InvalidStateError, PlanError, TypeMismatchError

RULES = MapStateDescriptor("rules", Types.STRING(), Types.LONG())
UNTYPED = MapStateDescriptor("untyped")
#: Has the name of the broadcast state: the two are apart, as in Flink.
SEEN = ValueStateDescriptor("rules", Types.INT())


def values(stream: Any) -> list[Any]:
    return list(stream.execute_and_collect())


@pytest.mark.parametrize("parallelism", [1, 3])
def test_every_subtask_knows_all(env: StreamExecutionEnvironment, parallelism: int) -> None:
    """Random puts and removes: at the end each key's timer sees in its subtask the map that a dict would be, in the order of its keys."""

    class Rules(KeyedBroadcastProcessFunction):
        def process_element(self, value: Any, ctx: Any) -> Any:
            ctx.timer_service().register_event_time_timer(1)

        def process_broadcast_element(self, value: Any, ctx: Any) -> Any:
            rules, untyped = ctx.get_broadcast_state(RULES), ctx.get_broadcast_state(UNTYPED)
            key, number = value
            if number % 4 == 0:
                rules.remove(key)
            elif number % 50 == 1:
                rules.clear()
            else:
                rules[key] = number
            untyped.put(("last", key), [number])
            yield OutputTag("broadcast", Types.INT()), number

        def on_timer(self, timestamp: int, ctx: Any) -> Any:
            assert ctx.time_domain() is TimeDomain.EVENT_TIME
            rules = ctx.get_broadcast_state(RULES)
            assert list(rules) == list(rules.keys()) == [key for key, _ in rules.items()]
            assert len(rules) == len(list(rules.values()))
            yield ctx.get_current_key(), list(rules.items()), dict(ctx.get_broadcast_state(UNTYPED).items())

    draw = random.Random(parallelism)
    changes = [(draw.choice("abcdefghijkl"), draw.randrange(1_000)) for _ in range(2_000)]
    env.set_parallelism(parallelism)
    stream = env.from_collection(changes, Types.TUPLE([Types.STRING(), Types.LONG()])).broadcast(RULES, UNTYPED)
    keyed = env.from_collection(list(range(20)), Types.INT()).key_by(lambda n: n, Types.INT())
    result = keyed.connect(stream).process(Rules())
    side = result.get_side_output(OutputTag("broadcast", Types.INT()))
    found = values(result.union(side.map(lambda n: ("side", n))))

    rules: dict[str, int] = {}
    untyped: dict[Any, Any] = {}
    for key, number in changes:
        if number % 4 == 0:
            rules.pop(key, None)
        elif number % 50 == 1:
            rules.clear()
        else:
            rules[key] = number
        untyped["last", key] = [number]
    ends = [value for value in found if len(value) == 3]
    assert sorted(value[0] for value in ends) == list(range(20))
    assert all(value[1:] == (list(rules.items()), untyped) for value in ends)
    assert sorted(value[1] for value in found if len(value) == 2) == sorted(number for _, number in changes for _ in range(parallelism))


class Counts(KeyedBroadcastProcessFunction):
    """Counts per key; a broadcast "show" gives all counts, "reset" forgets them and their timers."""

    def open(self, runtime_context: Any) -> None:
        self.seen = runtime_context.get_state(SEEN)
        self.all = runtime_context.get_list_state(ListStateDescriptor("all", Types.LONG()))

    def process_element(self, value: Any, ctx: Any) -> Any:
        self.seen.update((self.seen.value() or 0) + 1)
        self.all.add(value[1])
        ctx.timer_service().register_event_time_timer(5)

    def process_broadcast_element(self, value: str, ctx: Any) -> Any:
        found: list[Any] = []

        def show(key: str, state: Any) -> None:
            assert self.seen.value() == len(list(self.all)), "other states are the key's as well"
            found.append((key, state.value() if value != "show all" else list(state)))
            if value == "reset":
                state.clear()
                self.all.clear()

        ctx.apply_to_keyed_state(ListStateDescriptor("all", Types.LONG()) if value == "show all" else SEEN, show)
        yield value, found

    def on_timer(self, timestamp: int, ctx: Any) -> Any:
        yield ctx.get_current_key(), self.seen.value(), timestamp


def test_apply_to_keyed_state(env: StreamExecutionEnvironment) -> None:
    """With one subtask whatever interleaving: what is shown adds up to what was there, and a reset leaves nothing behind."""
    env.set_parallelism(1)
    rows = [("a", 1), ("b", 2), ("a", 3), ("c", 4)]
    keyed = env.from_collection(rows, Types.TUPLE([Types.STRING(), Types.LONG()])).key_by(0)
    commands = env.from_collection(["show", "show all", "reset", "show"], Types.STRING()).broadcast(RULES)
    found = values(keyed.connect(commands).process(Counts()))
    shown = [value for value in found if isinstance(value[1], list)]
    assert [value[0] for value in shown] == ["show", "show all", "reset", "show"]
    # The commands are one batch: all rows came before them, or none.
    assert shown[0][1] in ([], [("a", 2), ("b", 1), ("c", 1)])
    assert shown[1][1] in ([], [("a", [1, 3]), ("b", [2]), ("c", [4])])
    assert shown[2][1] == shown[0][1]
    assert shown[3][1] == []
    came_before = bool(shown[0][1])
    assert sorted(value for value in found if not isinstance(value[1], list)) == [
        (key, None if came_before else count, 5) for key, count in (("a", 2), ("b", 1), ("c", 1))
    ]


def test_apply_to_keyed_state_refusals(env: StreamExecutionEnvironment) -> None:
    class Wrong(Counts):
        def __init__(self, call: Any) -> None:
            self.call = call

        def process_broadcast_element(self, value: str, ctx: Any) -> Any:
            self.call(ctx, self)

    def attempt(call: Any) -> None:
        keyed = env.from_collection([("a", 1)], Types.TUPLE([Types.STRING(), Types.LONG()])).key_by(0)
        values(keyed.connect(env.from_collection(["x"]).broadcast(RULES)).process(Wrong(call)))

    with pytest.raises(InvalidStateError, match="makes no state 'other' in open"):
        attempt(lambda ctx, _: ctx.apply_to_keyed_state(ValueStateDescriptor("other"), print))
    with pytest.raises(InvalidStateError, match="was made as"):
        attempt(lambda ctx, _: ctx.apply_to_keyed_state(ValueStateDescriptor("rules", Types.STRING()), print))
    with pytest.raises(TypeError, match="function of key and state"):
        attempt(lambda ctx, _: ctx.apply_to_keyed_state(SEEN, 5))
    with pytest.raises(TypeError, match="descriptor"):
        attempt(lambda ctx, _: ctx.apply_to_keyed_state("rules", print))
    with pytest.raises(InvalidStateError, match="no key|keyed stream"):
        attempt(lambda _, function: function.seen.value())
    with pytest.raises(InvalidStateError, match="no key|keyed stream"):
        attempt(lambda ctx, _: ctx.timer_service().register_event_time_timer(1))


class Plain(BroadcastProcessFunction):
    def __init__(self, element: Any = None, broadcast: Any = None) -> None:
        self.element, self.broadcast = element, broadcast

    def process_element(self, value: Any, ctx: Any) -> Any:
        return None if self.element is None else self.element(ctx)

    def process_broadcast_element(self, value: Any, ctx: Any) -> Any:
        return None if self.broadcast is None else self.broadcast(ctx)


def test_read_only_side(env: StreamExecutionEnvironment) -> None:
    def attempt(element: Any = None, broadcast: Any = None) -> list[Any]:
        stream = env.from_collection([1]).connect(env.from_collection([2]).broadcast(RULES))
        return values(stream.process(Plain(element, broadcast)))

    for call in [
        lambda state: state.put("a", 1),
        lambda state: state.put_all({}),
        lambda state: state.remove("a"),
        lambda state: state.clear(),
    ]:
        with pytest.raises(InvalidStateError, match="only be changed in process_broadcast_element"):
            attempt(lambda ctx, call=call: call(ctx.get_broadcast_state(RULES)))

    def assign(ctx: Any) -> None:
        ctx.get_broadcast_state(RULES)["a"] = 1

    with pytest.raises(TypeError):
        attempt(assign)
    with pytest.raises(InvalidStateError, match="no broadcast state 'rule'; did you mean 'rules'"):
        attempt(lambda ctx: ctx.get_broadcast_state(MapStateDescriptor("rule")))
    with pytest.raises(TypeError, match="MapStateDescriptor"):
        attempt(lambda ctx: ctx.get_broadcast_state("rules"))
    with pytest.raises(TypeMismatchError, match="int|BIGINT"):
        attempt(broadcast=lambda ctx: ctx.get_broadcast_state(RULES).put("a", "b"))
    kinds = attempt(lambda ctx: [type(ctx.get_broadcast_state(RULES))], lambda ctx: [type(ctx.get_broadcast_state(RULES))])
    assert set(kinds) == {ReadOnlyBroadcastState, BroadcastState}


def test_state_outside_of_a_call(env: StreamExecutionEnvironment) -> None:
    kept: list[Any] = []
    stream = env.from_collection([1]).connect(env.from_collection([2]).broadcast(RULES))
    values(stream.process(Plain(lambda ctx: kept.append(ctx.get_broadcast_state(RULES)))))
    with pytest.raises(InvalidStateError):
        kept[0].get("a")


def test_wrong_streams_and_functions(env: StreamExecutionEnvironment) -> None:
    stream = env.from_collection([("a", 1)], Types.TUPLE([Types.STRING(), Types.LONG()]))
    broadcast = stream.broadcast(RULES)
    assert isinstance(broadcast, BroadcastStream)
    assert isinstance(stream.connect(broadcast), BroadcastConnectedStream)
    with pytest.raises(TypeError, match="MapStateDescriptor"):
        stream.broadcast(SEEN)
    with pytest.raises(PlanError, match="two of the states are called 'rules'"):
        stream.broadcast(RULES, MapStateDescriptor("rules"))
    with pytest.raises(InvalidStateError, match="keyed stream"):
        stream.key_by(0).broadcast(RULES)
    with pytest.raises(PlanError, match="different environments"):
        StreamExecutionEnvironment.get_execution_environment().from_collection([1]).connect(broadcast)
    with pytest.raises(TypeError, match="put key_by before connect"):
        stream.connect(broadcast).process(Counts())
    with pytest.raises(TypeError, match="takes a KeyedBroadcastProcessFunction"):
        stream.key_by(0).connect(broadcast).process(Plain())
    with pytest.raises(TypeError, match="BroadcastProcessFunction"):
        stream.connect(broadcast).process(type("F", (KeyedCoProcessFunction,), {"process_element1": None, "process_element2": None})())
