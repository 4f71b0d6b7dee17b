"""Time-to-live of state: what can be read when, what is removed, and that state does not grow."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from millstream.common import Duration, Time, Types
from millstream.datastream import AggregateFunction, KeyedProcessFunction, MapFunction, RuntimeContext, StreamExecutionEnvironment, TimeDomain
from millstream.datastream import state_ttl as ttl
from millstream.datastream.connectors.python import PythonSource
from millstream.datastream.state import (
    AggregatingStateDescriptor,
    ListStateDescriptor,
    MapStateDescriptor,
    ReducingStateDescriptor,
    StateTtlConfig,
    ValueStateDescriptor,
)
from millstream.exceptions import ConfigurationError, InvalidStateError

Visibility = StateTtlConfig.StateVisibility
Update = StateTtlConfig.UpdateType

# ---- Configuration ---------------------------------------------------------------------------------------------------------------------------


def test_defaults() -> None:
    config = StateTtlConfig.new_builder(Time.seconds(1)).build()
    assert (config.get_update_type(), config.get_state_visibility()) == (Update.OnCreateAndWrite, Visibility.NeverReturnExpired)
    assert config.get_ttl_time_characteristic() is StateTtlConfig.TtlTimeCharacteristic.ProcessingTime
    assert config.get_ttl() == Time.seconds(1)
    assert config.is_enabled()
    strategies = config.get_cleanup_strategies()
    assert strategies.is_cleanup_in_background()
    assert not strategies.in_full_snapshot()
    incremental, compaction = strategies.get_incremental_cleanup_strategy(), strategies.get_rocksdb_compact_filter_cleanup_strategy()
    assert incremental is not None
    assert compaction is not None
    assert (incremental.get_cleanup_size(), incremental.run_cleanup_for_every_record()) == (5, False)
    assert compaction.get_query_time_after_num_entries() == 1_000
    assert compaction.get_periodic_compaction_time() == Duration.of_days(30)


def test_every_setting() -> None:
    builder = StateTtlConfig.new_builder(Duration.of_seconds(9)).set_ttl(Time.milliseconds(7))
    builder.update_ttl_on_read_and_write().return_expired_if_not_cleaned_up().use_processing_time()
    config = builder.cleanup_full_snapshot().cleanup_incrementally(3, True).cleanup_in_rocksdb_compact_filter(10, Duration.of_hours(1)).build()
    strategies = config.get_cleanup_strategies()
    incremental, compaction = strategies.get_incremental_cleanup_strategy(), strategies.get_rocksdb_compact_filter_cleanup_strategy()
    assert incremental is not None
    assert compaction is not None
    assert (incremental.get_cleanup_size(), incremental.run_cleanup_for_every_record()) == (3, True)
    assert (compaction.get_query_time_after_num_entries(), compaction.get_periodic_compaction_time()) == (10, Duration.of_hours(1))
    assert strategies.in_full_snapshot()
    assert (config.get_ttl().to_milliseconds(), config.get_update_type().name, config.get_state_visibility().name) == (
        7,
        "OnReadAndWrite",
        "ReturnExpiredIfNotCleanedUp",
    )
    quiet = StateTtlConfig.new_builder(1).disable_cleanup_in_background().build().get_cleanup_strategies()
    assert quiet.get_incremental_cleanup_strategy() is None
    assert quiet.get_rocksdb_compact_filter_cleanup_strategy() is None
    assert StateTtlConfig.new_builder(1).update_ttl_on_create_and_write().never_return_expired().build() == StateTtlConfig.new_builder(1).build()


@pytest.mark.parametrize("length", [0, -1])
def test_lengths_that_cannot_be(length: int) -> None:
    with pytest.raises(ConfigurationError, match="positive"):
        StateTtlConfig.new_builder(length).build()
    with pytest.raises(ConfigurationError, match="negative"):
        StateTtlConfig.new_builder(1).cleanup_incrementally(-1, False)
    with pytest.raises(TypeError, match="StateTtlConfig is needed"):
        ValueStateDescriptor("s").enable_time_to_live(Time.seconds(1))  # type: ignore[arg-type]


# ---- What can be read, against a model -------------------------------------------------------------------------------------------------------


class Plain:
    """A state in plain Python, of the kinds that states with a time-to-live are made of."""

    def __init__(self, add: Any = None, result: Any = lambda value: value) -> None:
        self.content: Any = None
        self.adds, self.result = add, result

    def value(self) -> Any:
        return self.content

    def update(self, value: Any) -> None:
        self.content = value

    def clear(self) -> None:
        self.content = None

    def get(self, *key: Any) -> Any:
        if key:
            return (self.content or {}).get(key[0])
        return iter(list(self.content or ())) if self.adds is list else None if self.content is None else self.result(self.content)

    def add(self, value: Any) -> None:
        self.content = [*(self.content or ()), value] if self.adds is list else self.adds(self.content, value)

    def put(self, key: Any, value: Any) -> None:
        self.content = {**(self.content or {}), key: value}

    def remove(self, key: Any) -> None:
        self.content = {name: value for name, value in (self.content or {}).items() if name != key}

    def keys(self) -> Iterator[Any]:
        return iter(list(self.content or ()))

    def items(self) -> Iterator[Any]:
        return iter(list((self.content or {}).items()))


class Model:
    """What Flink's documentation says about a value: when it can be read, and when it goes."""

    def __init__(self, config: StateTtlConfig) -> None:
        self.length = config.get_ttl().to_milliseconds()
        self.shows = config.get_state_visibility() is Visibility.ReturnExpiredIfNotCleanedUp
        self.renews = config.get_update_type() is Update.OnReadAndWrite

    def read(self, cell: list[Any] | None, now: int) -> tuple[Any, list[Any] | None]:
        """The value seen, and what is kept."""
        if cell is None:
            return None, None
        value, written = cell
        if written + self.length <= now:
            return (value if self.shows else None), None
        return value, [value, now if self.renews else written]


CONFIGS = st.builds(
    lambda length, update, visibility: StateTtlConfig.new_builder(length).set_update_type(update).set_state_visibility(visibility).build(),
    st.integers(1, 6),
    st.sampled_from([Update.OnCreateAndWrite, Update.OnReadAndWrite]),
    st.sampled_from(list(Visibility)),
)
STEPS = st.lists(
    st.tuples(st.integers(-1, 7), st.sampled_from(["read", "write", "write", "sweep", "clear"]), st.integers(0, 3), st.integers(1, 9)), max_size=30
)


@settings(deadline=None)
@given(CONFIGS, STEPS)
def test_value_reducing_and_aggregating_state_follow_the_model(config: StateTtlConfig, steps: list[Any]) -> None:
    expiry, model, clock = ttl.Expiry(config), Model(config), [100]
    expiry.now = lambda: clock[0]
    value = ttl.ExpiringValueState(ValueStateDescriptor("v"), expiry, Plain(), Plain())
    reducing = ttl.ExpiringReducingState(
        ReducingStateDescriptor("r", max), expiry, Plain(lambda old, new: new if old is None else old + new), Plain()
    )
    aggregating = ttl.ExpiringAggregatingState(
        AggregatingStateDescriptor("a", Total()), expiry, Plain(lambda old, new: (old or 0) + new, lambda total: total * 10), Plain()
    )
    cells: list[Any] = [None, None]
    for wait, action, _, number in steps:
        clock[0] += wait
        if action == "read":
            seen, cells[0] = model.read(cells[0], clock[0])
            assert value.value() == seen
            seen, cells[1] = model.read(cells[1], clock[0])
            assert reducing.get() == seen
            assert aggregating.get() == (None if seen is None else seen * 10)
        elif action == "write":
            value.update(number)
            cells[0] = [number, clock[0]]
            is_over = cells[1] is not None and cells[1][1] + model.length <= clock[0]
            cells[1] = [number + (0 if cells[1] is None or (is_over and not model.shows) else cells[1][0]), clock[0]]
            reducing.add(number)
            aggregating.add(number)
        elif action == "clear":
            cells = [None, None]
            value.update(None)
            reducing.clear()
            aggregating.clear()
        else:
            for index, state in ((0, value), (1, reducing), (1, aggregating)):
                cell = cells[index]
                expected = None if cell is None or cell[1] + model.length <= clock[0] else cell[1] + model.length
                assert state._sweep(clock[0]) == expected
            cells = [None if cell is None or cell[1] + model.length <= clock[0] else cell for cell in cells]


@settings(deadline=None)
@given(CONFIGS, STEPS)
def test_map_state_expires_by_entry(config: StateTtlConfig, steps: list[Any]) -> None:
    expiry, model, clock = ttl.Expiry(config), Model(config), [100]
    expiry.now = lambda: clock[0]
    plain, access = Plain(), Plain()
    state = ttl.ExpiringMapState(MapStateDescriptor("m"), expiry, plain, access)
    cells: dict[int, list[Any]] = {}

    def read(key: int) -> Any:
        seen, kept = model.read(cells.get(key), clock[0])
        if kept is None:
            cells.pop(key, None)
        else:
            cells[key] = kept
        return seen

    for step, (wait, action, key, number) in enumerate(steps):
        clock[0] += wait
        if action == "read" and step % 3 == 0:
            expected = [(key, seen) for key in list(cells) if (seen := read(key)) is not None]
            assert list(state.items()) == expected
        elif action == "read" and step % 3 == 1:
            assert state.contains(key) == (read(key) is not None)
        elif action == "read":
            assert state[key] == read(key)
        elif action == "write":
            state.put_all({key: number})
            cells[key] = [number, clock[0]]
        elif action == "clear":
            del state[key]
            cells.pop(key, None)
        else:
            cells = {key: cell for key, cell in cells.items() if cell[1] + model.length > clock[0]}
            assert state._sweep(clock[0]) == (min(cell[1] for cell in cells.values()) + model.length if cells else None)
        assert set(plain.content or ()) == set(access.content or ()) == set(cells), "nothing is left of what has gone"


@settings(deadline=None)
@given(CONFIGS, STEPS)
def test_list_state_expires_by_element(config: StateTtlConfig, steps: list[Any]) -> None:
    expiry, model, clock = ttl.Expiry(config), Model(config), [100]
    expiry.now = lambda: clock[0]
    plain, access = Plain(list), Plain(list)
    state = ttl.ExpiringListState(ListStateDescriptor("l"), expiry, plain, access)
    cells: list[list[Any]] = []
    for wait, action, kind, number in steps:
        clock[0] += wait
        living = [cell for cell in cells if cell[1] + model.length > clock[0]]
        if action == "read":
            assert list(state) == [cell[0] for cell in (cells if model.shows else living)]
            # What is shown although it has expired stays until all has.
            cells = cells if model.shows and living else living
            if model.renews:
                cells = [[value, written if written + model.length <= clock[0] else clock[0]] for value, written in cells]
        elif action == "write" and kind == 0:
            state.update([number, number + 1])
            cells = [[number, clock[0]], [number + 1, clock[0]]]
        elif action == "write":
            state.add(number)
            cells.append([number, clock[0]])
        elif action == "clear":
            state.clear()
            cells = []
        else:
            cells = living
            assert state._sweep(clock[0]) == (min(written for _, written in living) + model.length if living else None)
        assert len(plain.content or ()) == len(access.content or ()) == len(cells)


# ---- In jobs ---------------------------------------------------------------------------------------------------------------------------------


class Total(AggregateFunction):  # type: ignore[type-arg]
    def create_accumulator(self) -> int:
        return 0

    def add(self, value: int, accumulator: int) -> int:
        return accumulator + value

    def get_result(self, accumulator: int) -> int:
        return accumulator

    def merge(self, acc_a: int, acc_b: int) -> int:
        return acc_a + acc_b


class Waves(PythonSource):
    """Values in waves, with a pause between two."""

    def __init__(self, waves: list[list[Any]], pause: float) -> None:
        super().__init__()
        self.waves = [list(wave) for wave in waves]
        self.pause = pause
        self.next_at = 0.0

    def read(self, limit: int) -> Any:
        if not self.waves:
            return None
        remaining = self.next_at - time.monotonic()
        if remaining > 0:
            return min(remaining, 0.01)
        found, self.waves[0] = self.waves[0][:limit], self.waves[0][limit:]
        if not self.waves[0]:
            self.waves.pop(0)
            self.next_at = time.monotonic() + self.pause
        return found


class ReadAll(KeyedProcessFunction):  # type: ignore[type-arg]
    """Tells what the states of a key are, then writes all of them."""

    def __init__(self, config: StateTtlConfig) -> None:
        self.config = config

    def open(self, runtime_context: RuntimeContext) -> None:
        descriptors: list[Any] = [
            ValueStateDescriptor("value", Types.LONG()),
            ListStateDescriptor("list", Types.STRING()),
            MapStateDescriptor("map", Types.STRING(), Types.LONG()),
            ReducingStateDescriptor("reducing", lambda x, y: x + y, Types.LONG()),
            AggregatingStateDescriptor("aggregating", Total(), Types.LONG()),
        ]
        for descriptor in descriptors:
            descriptor.enable_time_to_live(self.config)
        self.value = runtime_context.get_state(descriptors[0])
        self.list = runtime_context.get_list_state(descriptors[1])
        self.map = runtime_context.get_map_state(descriptors[2])
        self.reducing = runtime_context.get_reducing_state(descriptors[3])
        self.aggregating = runtime_context.get_aggregating_state(descriptors[4])
        assert runtime_context.get_state(descriptors[0]) is self.value

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Any:
        yield value, self.value.value(), list(self.list), dict(self.map.items()), self.reducing.get(), self.aggregating.get()
        self.value.update(1)
        self.list.add_all(["a", "b"])
        self.map.put("k", 2)
        self.reducing.add(3)
        self.aggregating.add(4)


GONE = (None, [], {}, None, None)
THERE = (1, ["a", "b"], {"k": 2}, 3, 4)


@pytest.mark.parametrize("parallelism", [1, 2])
def test_what_nobody_reads_is_removed_for_every_key(env: StreamExecutionEnvironment, parallelism: int) -> None:
    """With expired values shown as long as they are there, only what was removed in the background is gone."""
    env.set_parallelism(parallelism)
    config = StateTtlConfig.new_builder(Time.milliseconds(40)).return_expired_if_not_cleaned_up().build()
    keys = list(range(2_000))
    found = list(env.from_source(Waves([keys, keys], 1.0)).key_by(lambda n: n).process(ReadAll(config)).execute_and_collect())
    assert len(found) == 4_000
    assert {repr(states) for _, *states in found} == {repr(list(GONE))}


def test_without_background_removal_expired_values_stay_until_they_are_read(env: StreamExecutionEnvironment) -> None:
    config = StateTtlConfig.new_builder(40).return_expired_if_not_cleaned_up().disable_cleanup_in_background().build()
    keys = list(range(50))
    found = list(env.from_source(Waves([keys, keys], 0.3)).key_by(lambda n: n).process(ReadAll(config)).execute_and_collect())
    assert [tuple(states) for _, *states in found] == [GONE] * 50 + [THERE] * 50


@pytest.mark.parametrize("background", [True, False])
def test_expired_values_are_not_there(env: StreamExecutionEnvironment, background: bool) -> None:
    builder = StateTtlConfig.new_builder(Duration.of_millis(40))
    config = (builder if background else builder.disable_cleanup_in_background()).build()
    found = list(env.from_source(Waves([[1, 2], [1], [3]], 0.3)).key_by(lambda n: n).process(ReadAll(config)).execute_and_collect())
    assert [tuple(states) for _, *states in found] == [GONE] * 4


def test_values_that_live_are_there_and_a_job_does_not_wait_for_them(env: StreamExecutionEnvironment) -> None:
    config = StateTtlConfig.new_builder(Time.hours(1)).update_ttl_on_read_and_write().build()
    started = time.monotonic()
    found = list(env.from_collection([1, 2, 1]).key_by(lambda n: n).process(ReadAll(config)).execute_and_collect())
    assert [tuple(states) for _, *states in found] == [GONE, GONE, THERE]
    assert time.monotonic() - started < 30


def test_a_disabled_config_changes_nothing(env: StreamExecutionEnvironment) -> None:
    config = StateTtlConfig.new_builder(1).set_update_type(Update.Disabled).build()
    found = list(env.from_source(Waves([[1], [1]], 0.05)).key_by(lambda n: n).process(ReadAll(config)).execute_and_collect())
    assert [tuple(states) for _, *states in found] == [GONE, THERE]


class OwnTimers(KeyedProcessFunction):  # type: ignore[type-arg]
    """Registers timers at the very times at which its state expires, and others."""

    def open(self, runtime_context: RuntimeContext) -> None:
        descriptor = ValueStateDescriptor("value", Types.LONG())
        descriptor.enable_time_to_live(StateTtlConfig.new_builder(50).return_expired_if_not_cleaned_up().build())
        self.value = runtime_context.get_state(descriptor)

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Any:
        if value[1] == "look":
            return [("left", self.value.value())]
        timers = ctx.timer_service()
        before = timers.current_processing_time()
        for offset in range(40, 60):
            timers.register_processing_time_timer(before + offset)
        self.value.update(7)
        for offset in range(55, 60):
            timers.delete_processing_time_timer(before + offset)
        timers.register_event_time_timer(5)
        return [("base", before)]

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Any:
        yield ctx.time_domain(), timestamp


def test_a_functions_own_timers_are_told_from_the_ones_that_clean_up(env: StreamExecutionEnvironment) -> None:
    waves: list[list[Any]] = [[("k", "write")], [("k", "look")]]
    found = list(env.from_source(Waves(waves, 0.4)).key_by(lambda pair: pair[0]).process(OwnTimers()).execute_and_collect())
    base = next(value for kind, value in found if kind == "base")
    assert [timestamp for domain, timestamp in found if domain is TimeDomain.PROCESSING_TIME] == [base + offset for offset in range(40, 55)]
    assert [timestamp for domain, timestamp in found if domain is TimeDomain.EVENT_TIME] == [5]
    assert ("left", None) in found, "the state was removed all the same"


class CountingMap(MapFunction):  # type: ignore[type-arg]
    def open(self, runtime_context: RuntimeContext) -> None:
        descriptor = ValueStateDescriptor("count")
        descriptor.enable_time_to_live(StateTtlConfig.new_builder(40).build())
        self.count = runtime_context.get_state(descriptor)

    def map(self, value: Any) -> Any:
        count = (self.count.value() or 0) + 1
        self.count.update(count)
        return value, count


def test_functions_without_timers_of_their_own(env: StreamExecutionEnvironment) -> None:
    stream = env.from_source(Waves([[1, 1], [1]], 0.3)).key_by(lambda n: n).map(CountingMap())
    assert list(stream.execute_and_collect()) == [(1, 1), (1, 2), (1, 1)]


class Undecided(MapFunction):  # type: ignore[type-arg]
    def __init__(self, first: int | None, second: int | None) -> None:
        self.lengths = first, second

    def open(self, runtime_context: RuntimeContext) -> None:
        for length in self.lengths:
            descriptor = ValueStateDescriptor("state")
            if length is not None:
                descriptor.enable_time_to_live(StateTtlConfig.new_builder(length).build())
            runtime_context.get_state(descriptor)

    def map(self, value: Any) -> Any:
        return value


@pytest.mark.parametrize(("first", "second"), [(1, 2), (None, 1), (1, None)])
def test_a_state_has_one_time_to_live(env: StreamExecutionEnvironment, first: int | None, second: int | None) -> None:
    env.from_collection([1]).key_by(lambda n: n).map(Undecided(first, second)).print()
    with pytest.raises(InvalidStateError, match="'state' is asked for with"):
        env.execute()
