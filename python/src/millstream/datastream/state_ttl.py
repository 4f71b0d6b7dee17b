"""Time-to-live of state: values that nobody has written (or read) for a while are gone.

A state with a time-to-live is the plain state and, beside it, one with the time of the last access of each value, element or entry. Both hold
declared types, so that the length may change from one run of a job to the next. The time is the job's processing time, as the timer service tells it.

What is never read again is removed by a timer: a key with such states has one, which is set anew as long as something is left. So state does not grow
for ever, whatever the keys are. Flink looks at some keys with each access instead (``cleanup_incrementally``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from enum import Enum
from typing import Any

from millstream import _native
from millstream._tracebacks import guard_class
from millstream.common.time import Duration, Time, milliseconds_of
from millstream.common.typeinfo import Types
from millstream.datastream.runtime_context import _PLANNED
from millstream.datastream.state import (
    AggregatingState,
    AggregatingStateDescriptor,
    ListState,
    ListStateDescriptor,
    MapState,
    MapStateDescriptor,
    ReducingState,
    ReducingStateDescriptor,
    State,
    StateDescriptor,
    ValueState,
    ValueStateDescriptor,
)
from millstream.exceptions import ConfigurationError

__all__ = ["StateTtlConfig"]

_MAX_TIME = 2**63 - 1


class StateTtlConfig:
    """How long a state lives, what renews it, and what is seen of what has expired. ``StateDescriptor.enable_time_to_live`` takes it.

    >>> from millstream.common import Time
    >>> from millstream.datastream.state import ValueStateDescriptor
    >>> config = StateTtlConfig.new_builder(Time.hours(1)).update_ttl_on_read_and_write().build()
    >>> ValueStateDescriptor("visits").enable_time_to_live(config)
    >>> config.get_ttl().to_milliseconds(), config.get_update_type().name, config.get_state_visibility().name
    (3600000, 'OnReadAndWrite', 'NeverReturnExpired')
    """

    class UpdateType(Enum):
        """What renews a value's time."""

        #: Values do not expire.
        Disabled = 0
        #: Making and writing it; the default.
        OnCreateAndWrite = 1
        #: Reading it too.
        OnReadAndWrite = 2

    class StateVisibility(Enum):
        """Whether a value can be read that has expired and is still there."""

        #: It can, once more.
        ReturnExpiredIfNotCleanedUp = 0
        #: It is as if it was not there; the default.
        NeverReturnExpired = 1

    class TtlTimeCharacteristic(Enum):
        """The time that values age by."""

        #: The clock.
        ProcessingTime = 0

    def __init__(
        self,
        update_type: StateTtlConfig.UpdateType,
        state_visibility: StateTtlConfig.StateVisibility,
        ttl_time_characteristic: StateTtlConfig.TtlTimeCharacteristic,
        ttl: Time | Duration | timedelta | int,
        cleanup_strategies: StateTtlConfig.CleanupStrategies,
    ) -> None:
        """``ttl``: a number is milliseconds. Raises ``ConfigurationError`` unless it is positive."""
        for given, kind in (
            (update_type, StateTtlConfig.UpdateType),
            (state_visibility, StateTtlConfig.StateVisibility),
            (ttl_time_characteristic, StateTtlConfig.TtlTimeCharacteristic),
            (cleanup_strategies, StateTtlConfig.CleanupStrategies),
        ):
            if not isinstance(given, kind):
                raise TypeError(f"a StateTtlConfig.{kind.__name__} is needed, not {given!r}")
        self._update_type = update_type
        self._state_visibility = state_visibility
        self._ttl_time_characteristic = ttl_time_characteristic
        self._ttl = milliseconds_of(ttl, "ttl")
        self._cleanup_strategies = cleanup_strategies
        if self._ttl <= 0:
            raise ConfigurationError(f"a time-to-live must be positive, but is {self._ttl} ms")

    @staticmethod
    def new_builder(ttl: Time | Duration | timedelta | int) -> StateTtlConfig.Builder:
        """Starts with the length (a number: milliseconds)."""
        return StateTtlConfig.Builder(ttl)

    def get_update_type(self) -> StateTtlConfig.UpdateType:
        """What renews a value's time."""
        return self._update_type

    def get_state_visibility(self) -> StateTtlConfig.StateVisibility:
        """Whether expired values can be read."""
        return self._state_visibility

    def get_ttl(self) -> Time:
        """The length."""
        return Time.milliseconds(self._ttl)

    def get_ttl_time_characteristic(self) -> StateTtlConfig.TtlTimeCharacteristic:
        """The time that values age by."""
        return self._ttl_time_characteristic

    def is_enabled(self) -> bool:
        """Whether values expire at all."""
        return self._update_type is not StateTtlConfig.UpdateType.Disabled

    def get_cleanup_strategies(self) -> StateTtlConfig.CleanupStrategies:
        """How expired values are removed that nobody reads."""
        return self._cleanup_strategies

    def _parts(self) -> tuple[object, ...]:
        return self._update_type, self._state_visibility, self._ttl, self._cleanup_strategies.removes_in_background()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StateTtlConfig) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def __repr__(self) -> str:
        return f"StateTtlConfig({self._ttl} ms, {self._update_type.name}, {self._state_visibility.name})"

    class Builder:
        """Builds a :class:`StateTtlConfig`."""

        def __init__(self, ttl: Time | Duration | timedelta | int) -> None:
            self._ttl = ttl
            self._update_type = StateTtlConfig.UpdateType.OnCreateAndWrite
            self._state_visibility = StateTtlConfig.StateVisibility.NeverReturnExpired
            self._ttl_time_characteristic = StateTtlConfig.TtlTimeCharacteristic.ProcessingTime
            self._is_cleanup_in_background = True
            self._strategies: dict[
                StateTtlConfig.CleanupStrategies.Strategies, StateTtlConfig.CleanupStrategies.CleanupStrategy
            ] = {}

        def set_update_type(self, update_type: StateTtlConfig.UpdateType) -> StateTtlConfig.Builder:
            """Sets what renews a value's time."""
            self._update_type = update_type
            return self

        def update_ttl_on_create_and_write(self) -> StateTtlConfig.Builder:
            """Writing renews a value's time; the default."""
            return self.set_update_type(StateTtlConfig.UpdateType.OnCreateAndWrite)

        def update_ttl_on_read_and_write(self) -> StateTtlConfig.Builder:
            """Reading renews a value's time too."""
            return self.set_update_type(StateTtlConfig.UpdateType.OnReadAndWrite)

        def set_state_visibility(self, state_visibility: StateTtlConfig.StateVisibility) -> StateTtlConfig.Builder:
            """Sets whether expired values can be read."""
            self._state_visibility = state_visibility
            return self

        def return_expired_if_not_cleaned_up(self) -> StateTtlConfig.Builder:
            """An expired value that is still there can be read once more."""
            return self.set_state_visibility(StateTtlConfig.StateVisibility.ReturnExpiredIfNotCleanedUp)

        def never_return_expired(self) -> StateTtlConfig.Builder:
            """An expired value is as if it was not there; the default."""
            return self.set_state_visibility(StateTtlConfig.StateVisibility.NeverReturnExpired)

        def set_ttl_time_characteristic(self, ttl_time_characteristic: StateTtlConfig.TtlTimeCharacteristic) -> StateTtlConfig.Builder:
            """Sets the time that values age by; there is only processing time."""
            self._ttl_time_characteristic = ttl_time_characteristic
            return self

        def use_processing_time(self) -> StateTtlConfig.Builder:
            """Values age by processing time; the default."""
            return self.set_ttl_time_characteristic(StateTtlConfig.TtlTimeCharacteristic.ProcessingTime)

        def cleanup_full_snapshot(self) -> StateTtlConfig.Builder:
            """Leaves expired values out of full snapshots. It takes effect with checkpoints."""
            strategies = StateTtlConfig.CleanupStrategies
            self._strategies[strategies.Strategies.FULL_STATE_SCAN_SNAPSHOT] = strategies.EMPTY_STRATEGY
            return self

        def cleanup_incrementally(self, cleanup_size: int, run_cleanup_for_every_record: bool) -> StateTtlConfig.Builder:
            """Removes expired values in the background. Here a timer of each key does so; the two numbers are only kept."""
            strategies = StateTtlConfig.CleanupStrategies
            strategy = strategies.IncrementalCleanupStrategy(cleanup_size, run_cleanup_for_every_record)
            self._strategies[strategies.Strategies.INCREMENTAL_CLEANUP] = strategy
            return self

        def cleanup_in_rocksdb_compact_filter(
            self, query_time_after_num_entries: int, periodic_compaction_time: Duration | None = None
        ) -> StateTtlConfig.Builder:
            """Removes expired values in the background: by timers here, in RocksDB's compaction with a state backend that has it."""
            strategies = StateTtlConfig.CleanupStrategies
            strategy = strategies.RocksdbCompactFilterCleanupStrategy(query_time_after_num_entries, periodic_compaction_time)
            self._strategies[strategies.Strategies.ROCKSDB_COMPACTION_FILTER] = strategy
            return self

        def disable_cleanup_in_background(self) -> StateTtlConfig.Builder:
            """Removes expired values when they are read, and otherwise only by the strategies that are asked for."""
            self._is_cleanup_in_background = False
            return self

        def set_ttl(self, ttl: Time | Duration | timedelta | int) -> StateTtlConfig.Builder:
            """Sets the length (a number: milliseconds)."""
            self._ttl = ttl
            return self

        def build(self) -> StateTtlConfig:
            """The configuration. Raises ``ConfigurationError`` unless the length is positive."""
            return StateTtlConfig(
                self._update_type,
                self._state_visibility,
                self._ttl_time_characteristic,
                self._ttl,
                StateTtlConfig.CleanupStrategies(self._strategies, self._is_cleanup_in_background),
            )

    class CleanupStrategies:
        """How expired values are removed that nobody reads."""

        class Strategies(Enum):
            """The names of the strategies."""

            #: With full snapshots.
            FULL_STATE_SCAN_SNAPSHOT = 0
            #: Some with each access.
            INCREMENTAL_CLEANUP = 1
            #: In RocksDB's compaction.
            ROCKSDB_COMPACTION_FILTER = 2

        class CleanupStrategy(ABC):  # noqa: B024 - a common base without methods, as in Flink
            """The base of what a strategy is told."""

        class EmptyCleanupStrategy(CleanupStrategy):
            """A strategy that needs to be told nothing."""

        class IncrementalCleanupStrategy(CleanupStrategy):
            """How many keys are looked at, and whether with each record."""

            def __init__(self, cleanup_size: int, run_cleanup_for_every_record: bool) -> None:
                if isinstance(cleanup_size, bool) or not isinstance(cleanup_size, int) or cleanup_size < 0:
                    raise ConfigurationError(f"the number of keys to look at must not be negative, but is {cleanup_size!r}")
                self._cleanup_size = cleanup_size
                self._run_cleanup_for_every_record = bool(run_cleanup_for_every_record)

            def get_cleanup_size(self) -> int:
                """How many keys are looked at with each access."""
                return self._cleanup_size

            def run_cleanup_for_every_record(self) -> bool:
                """Whether they are looked at with each record too."""
                return self._run_cleanup_for_every_record

        class RocksdbCompactFilterCleanupStrategy(CleanupStrategy):
            """After how many entries the compaction asks for the time, and how old files may become."""

            def __init__(self, query_time_after_num_entries: int, periodic_compaction_time: Duration | None = None) -> None:
                self._query_time_after_num_entries = query_time_after_num_entries
                self._periodic_compaction_time = periodic_compaction_time or Duration.of_days(30)

            def get_query_time_after_num_entries(self) -> int:
                """After how many entries the compaction asks for the time."""
                return self._query_time_after_num_entries

            def get_periodic_compaction_time(self) -> Duration:
                """How old files may become before they are compacted: 30 days unless set."""
                return self._periodic_compaction_time

        EMPTY_STRATEGY = EmptyCleanupStrategy()

        def __init__(
            self,
            strategies: Mapping[StateTtlConfig.CleanupStrategies.Strategies, StateTtlConfig.CleanupStrategies.CleanupStrategy],
            is_cleanup_in_background: bool,
        ) -> None:
            self._strategies = dict(strategies)
            self._is_cleanup_in_background = is_cleanup_in_background

        def is_cleanup_in_background(self) -> bool:
            """Whether expired values are removed without being asked for."""
            return self._is_cleanup_in_background

        def in_full_snapshot(self) -> bool:
            """Whether expired values are left out of full snapshots."""
            return StateTtlConfig.CleanupStrategies.Strategies.FULL_STATE_SCAN_SNAPSHOT in self._strategies

        def get_incremental_cleanup_strategy(self) -> StateTtlConfig.CleanupStrategies.IncrementalCleanupStrategy | None:
            """What was set; 5 keys with each access unless the background is disabled, else ``None``."""
            strategies = StateTtlConfig.CleanupStrategies
            found = self._strategies.get(strategies.Strategies.INCREMENTAL_CLEANUP)
            if isinstance(found, strategies.IncrementalCleanupStrategy):
                return found
            return strategies.IncrementalCleanupStrategy(5, False) if self._is_cleanup_in_background else None

        def get_rocksdb_compact_filter_cleanup_strategy(self) -> StateTtlConfig.CleanupStrategies.RocksdbCompactFilterCleanupStrategy | None:
            """What was set; the time after each 1000 entries unless the background is disabled, else ``None``."""
            strategies = StateTtlConfig.CleanupStrategies
            found = self._strategies.get(strategies.Strategies.ROCKSDB_COMPACTION_FILTER)
            if isinstance(found, strategies.RocksdbCompactFilterCleanupStrategy):
                return found
            return strategies.RocksdbCompactFilterCleanupStrategy(1000) if self._is_cleanup_in_background else None

        def removes_in_background(self) -> bool:
            """Whether any strategy removes values while the job runs. Millstream's own."""
            return self.get_incremental_cleanup_strategy() is not None or self.get_rocksdb_compact_filter_cleanup_strategy() is not None


# ---- States ----------------------------------------------------------------------------------------------------------------------------------


def access_descriptor(descriptor: StateDescriptor) -> StateDescriptor:
    """Describes the state of the times of access beside a state."""
    name = f"{descriptor.name}/last-access"
    if isinstance(descriptor, ListStateDescriptor):
        return ListStateDescriptor(name, Types.LONG())
    if isinstance(descriptor, MapStateDescriptor):
        return MapStateDescriptor(name, descriptor.key_type_info, Types.LONG())
    return ValueStateDescriptor(name, Types.LONG())


class Expiry:
    """When the values of one state expire, by its configuration and the job's clock."""

    def __init__(self, config: StateTtlConfig) -> None:
        self.length = config.get_ttl().to_milliseconds()
        self.renews_on_read = config.get_update_type() is StateTtlConfig.UpdateType.OnReadAndWrite
        self.shows_expired = config.get_state_visibility() is StateTtlConfig.StateVisibility.ReturnExpiredIfNotCleanedUp
        self.in_background = config.get_cleanup_strategies().removes_in_background()
        #: The clock; known once the state belongs to a subtask.
        self.now: Callable[[], int] = _no_clock
        #: Told when the value that was written just now expires.
        self.written: Callable[[int], None] = _nobody

    def is_over(self, last_access: int, now: int) -> bool:
        """Whether a value has expired. A clock that goes back makes nothing expire early."""
        return last_access + self.length <= now

    def touch(self) -> int:
        """The time of a write now."""
        now = self.now()
        self.written(now + self.length)
        return now


class ExpiringState(ABC):
    """What removes what has expired of the current key."""

    _expiry: Expiry

    @abstractmethod
    def _sweep(self, now: int) -> int | None:
        """Removes what has expired; gives when the next thing will, or ``None`` if nothing is left."""


class _ExpiringSingle(ExpiringState):
    """A state of one value: value, reducing and aggregating."""

    _plain: Any
    _access: ValueState[int]

    def _read(self, read: Callable[[], Any]) -> Any:
        """What ``read`` gives, unless it has expired."""
        last_access = self._access.value()
        if last_access is None:
            return None
        now = self._expiry.now()
        if self._expiry.is_over(last_access, now):
            found = read() if self._expiry.shows_expired else None
            self.clear()
            return found
        if self._expiry.renews_on_read:
            self._access.update(now)
        return read()

    def _is_over(self) -> bool:
        last_access = self._access.value()
        return last_access is not None and self._expiry.is_over(last_access, self._expiry.now())

    def _add(self, value: Any) -> None:
        if not self._expiry.shows_expired and self._is_over():
            self._plain.clear()
        self._plain.add(value)
        self._access.update(self._expiry.touch())

    def clear(self) -> None:
        """Forgets what is remembered for the current key."""
        self._plain.clear()
        self._access.clear()

    def _sweep(self, now: int) -> int | None:
        last_access = self._access.value()
        if last_access is None:
            return None
        if not self._expiry.is_over(last_access, now):
            return last_access + self._expiry.length
        self.clear()
        return None


class ExpiringValueState(_ExpiringSingle, ValueState[Any]):
    """A value that expires."""

    def __init__(self, descriptor: StateDescriptor, expiry: Expiry, plain: Any, access: Any) -> None:
        ValueState.__init__(self, descriptor)
        self._expiry, self._plain, self._access = expiry, plain, access

    def value(self) -> Any:
        """The value, or ``None`` if there is none or it has expired."""
        return self._read(self._plain.value)

    def update(self, value: Any) -> None:
        """Sets the value and renews its time; ``None`` forgets it."""
        if value is None:
            return self.clear()
        self._plain.update(value)
        self._access.update(self._expiry.touch())
        return None

    def _bind(self, context: _native.Context, index: int) -> None:
        """Nothing: the two states below are bound."""


class ExpiringReducingState(_ExpiringSingle, ReducingState[Any]):
    """A reduced value that expires; what is added then starts anew."""

    def __init__(self, descriptor: StateDescriptor, expiry: Expiry, plain: Any, access: Any) -> None:
        ReducingState.__init__(self, descriptor)
        self._expiry, self._plain, self._access = expiry, plain, access

    def get(self) -> Any:
        """The reduced value, or ``None`` if nothing was added or it has expired."""
        return self._read(self._plain.get)

    def add(self, value: Any) -> None:
        """Adds a value and renews the time."""
        self._add(value)

    def _bind(self, context: _native.Context, index: int) -> None:
        """Nothing: the two states below are bound."""


class ExpiringAggregatingState(_ExpiringSingle, AggregatingState[Any, Any]):
    """An accumulator that expires; what is added then starts anew."""

    def __init__(self, descriptor: StateDescriptor, expiry: Expiry, plain: Any, access: Any) -> None:
        AggregatingState.__init__(self, descriptor)
        self._expiry, self._plain, self._access = expiry, plain, access

    def get(self) -> Any:
        """The result, or ``None`` if nothing was added or it has expired."""
        return self._read(self._plain.get)

    def add(self, value: Any) -> None:
        """Adds a value and renews the time."""
        self._add(value)

    def _bind(self, context: _native.Context, index: int) -> None:
        """Nothing: the two states below are bound."""


class ExpiringListState(ExpiringState, ListState[Any]):
    """A list whose elements expire one by one."""

    def __init__(self, descriptor: StateDescriptor, expiry: Expiry, plain: Any, access: Any) -> None:
        ListState.__init__(self, descriptor)
        self._expiry, self._plain, self._access = expiry, plain, access

    def get(self) -> Iterator[Any]:
        """The elements that have not expired, in order."""
        values, times = list(self._plain.get() or ()), list(self._access.get() or ())
        now, expiry = self._expiry.now(), self._expiry
        living = [index for index, time in enumerate(times) if not expiry.is_over(time, now)]
        if len(living) < len(values) and (not living or not expiry.shows_expired):
            shown = values if expiry.shows_expired else []
            self._keep(values, times, living)
            values = shown if not living else [values[index] for index in living]
            times = [times[index] for index in living]
        if expiry.renews_on_read and living:
            self._access.update([time if expiry.is_over(time, now) else now for time in times])
        return iter(values)

    def add(self, value: Any) -> None:
        """Adds an element."""
        self._plain.add(value)
        self._access.add(self._expiry.touch())

    def add_all(self, values: Iterable[Any]) -> None:
        """Adds several elements."""
        for value in values:
            self.add(value)

    def update(self, values: Iterable[Any]) -> None:
        """Takes these elements instead of all before."""
        kept = list(values)
        self.clear()
        self.add_all(kept)

    def clear(self) -> None:
        """Empties the list of the current key."""
        self._plain.clear()
        self._access.clear()

    def _keep(self, values: list[Any], times: list[int], living: list[int]) -> None:
        if living:
            self._plain.update([values[index] for index in living])
            self._access.update([times[index] for index in living])
        else:
            self.clear()

    def _sweep(self, now: int) -> int | None:
        times = list(self._access.get() or ())
        living = [index for index, time in enumerate(times) if not self._expiry.is_over(time, now)]
        if len(living) < len(times):
            self._keep(list(self._plain.get() or ()), times, living)
        return min(times[index] for index in living) + self._expiry.length if living else None

    def _bind(self, context: _native.Context, index: int) -> None:
        """Nothing: the two states below are bound."""


class ExpiringMapState(ExpiringState, MapState[Any, Any]):
    """A map whose entries expire one by one."""

    def __init__(self, descriptor: StateDescriptor, expiry: Expiry, plain: Any, access: Any) -> None:
        MapState.__init__(self, descriptor)
        self._expiry, self._plain, self._access = expiry, plain, access

    def get(self, key: Any) -> Any:
        """The value of a key, or ``None`` if there is none or it has expired."""
        return self._plain_of(key)[1]

    def contains(self, key: Any) -> bool:
        """Whether the key has a value that has not expired."""
        return self._plain_of(key)[0]

    def put(self, key: Any, value: Any) -> None:
        """Sets the value of a key and renews its time."""
        self._plain.put(key, value)
        self._access.put(key, self._expiry.touch())

    def put_all(self, dict_value: Mapping[Any, Any]) -> None:
        """Sets several."""
        for key, value in dict_value.items():
            self.put(key, value)

    def remove(self, key: Any) -> None:
        """Forgets a key."""
        self._plain.remove(key)
        self._access.remove(key)

    def items(self) -> Iterator[tuple[Any, Any]]:
        """Keys and values that have not expired, in the order in which the keys were first put."""
        found = []
        for key in list(self._plain.keys()):
            is_there, value = self._plain_of(key)
            if is_there:
                found.append((key, value))
        return iter(found)

    def keys(self) -> Iterator[Any]:
        """The keys whose values have not expired."""
        return iter([key for key, _ in self.items()])

    def values(self) -> Iterator[Any]:
        """The values that have not expired."""
        return iter([value for _, value in self.items()])

    def is_empty(self) -> bool:
        """Whether there is no entry that has not expired. (Flink's tells whether there is none at all.)"""
        return not any(True for _ in self.items())

    def clear(self) -> None:
        """Empties the map of the current key."""
        self._plain.clear()
        self._access.clear()

    def __len__(self) -> int:
        return sum(1 for _ in self.items())

    def _plain_of(self, key: Any) -> tuple[bool, Any]:
        last_access = self._access.get(key)
        if last_access is None:
            return False, None
        now = self._expiry.now()
        if self._expiry.is_over(last_access, now):
            found = (True, self._plain.get(key)) if self._expiry.shows_expired else (False, None)
            self.remove(key)
            return found
        if self._expiry.renews_on_read:
            self._access.put(key, now)
        return True, self._plain.get(key)

    def _sweep(self, now: int) -> int | None:
        next_time: int | None = None
        for key, time in list(self._access.items()):
            if self._expiry.is_over(time, now):
                self.remove(key)
            elif next_time is None or time < next_time:
                next_time = time
        return None if next_time is None else next_time + self._expiry.length

    def _bind(self, context: _native.Context, index: int) -> None:
        """Nothing: the two states below are bound."""


def expiring_state(descriptor: StateDescriptor, config: StateTtlConfig, plain: State, access: State) -> Any:
    """The state with a time-to-live over the plain one and the times of its accesses."""
    for kind, made in (
        (ValueStateDescriptor, ExpiringValueState),
        (ListStateDescriptor, ExpiringListState),
        (MapStateDescriptor, ExpiringMapState),
        (ReducingStateDescriptor, ExpiringReducingState),
        (AggregatingStateDescriptor, ExpiringAggregatingState),
    ):
        if isinstance(descriptor, kind):
            return made(descriptor, Expiry(config), plain, access)
    raise ConfigurationError(f"state {descriptor.name!r} cannot have a time-to-live")


# ---- Removal in the background ---------------------------------------------------------------------------------------------------------------


#: The time of a key's timer for what expires, and the times of the function's own processing-time timers.
PLANNED = ValueStateDescriptor(_PLANNED, Types.LONG())
ASKED = MapStateDescriptor("time-to-live/asked", Types.LONG(), Types.BOOLEAN())


class BackgroundCleanup:
    """Removes what has expired of one subtask's keys by a timer for each key that has such state.

    The timer's time is kept in a state, so that the function's own timers are told from it; so are theirs, because both may fall on the same
    millisecond, and the engine keeps one timer of a key for a time.
    """

    #: A timer for what is left comes not before this part of the shortest time-to-live: a map whose entries expire one by one is not gone through
    #: for each of them.
    _pause_divisor = 4

    def __init__(
        self, states: Iterable[ExpiringState], planned: ValueState[int], asked: MapState[int, bool], timers: Any, now: Callable[[], int]
    ) -> None:
        self._states = [state for state in states if state._expiry.in_background]
        self._planned = planned
        self._asked = asked
        self._pause = max(1, min(state._expiry.length for state in self._states) // self._pause_divisor)
        #: The engine's own timers, below those of a :class:`CleanedContext`.
        self._timers = timers
        self._now = now

    def plan(self, time: int) -> None:
        """Something expires at a time."""
        planned = self._planned.value()
        if time > _MAX_TIME or (planned is not None and planned <= time):
            return
        if planned is not None and not self._asked.contains(planned):
            self._timers.delete_processing_time_timer(planned)
        self._planned.update(time)
        self._timers.register_processing_time_timer(time)

    def fire(self, timestamp: int) -> bool:
        """A processing-time timer fires. Tells whether the function has asked for it."""
        if self._planned.value() == timestamp:
            self._planned.clear()
            now = self._now()
            times = [time for state in self._states if (time := state._sweep(now)) is not None]
            if times:
                self.plan(max(min(times), now + self._pause))
        if not self._asked.contains(timestamp):
            return False
        self._asked.remove(timestamp)
        return True

    def ask(self, timestamp: int) -> None:
        """The function registers a processing-time timer."""
        self._timers.register_processing_time_timer(timestamp)
        self._asked.put(int(timestamp), True)

    def forget(self, timestamp: int) -> None:
        """The function deletes a processing-time timer."""
        self._asked.remove(int(timestamp))
        if self._planned.value() != timestamp:
            self._timers.delete_processing_time_timer(timestamp)


def clock_of(native: _native.Context) -> Callable[[], int]:
    """The job's processing time, in milliseconds."""
    return native.current_processing_time


def _no_clock() -> int:
    raise ConfigurationError("a state with a time-to-live was used before its subtask has started")


def _nobody(_: int) -> None:
    pass


guard_class(StateTtlConfig)
