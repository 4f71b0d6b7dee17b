"""Nothing is left behind: objects and references return to what they were after jobs that finish, fail, are canceled or restored, and long jobs do not grow.

Every value, key, accumulator, state and timer's key is a Python object that counts itself. `make sanitize` makes 100,000 calls of each kind.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from millstream import _native as native
from millstream.common import Time, Types, WatermarkStrategy
from millstream.common.watermark_strategy import TimestampAssigner
from millstream.datastream import (
    AggregateFunction,
    KeyedProcessFunction,
    ProcessWindowFunction,
    StreamExecutionEnvironment,
)
from millstream.datastream.connectors.python import PythonSink, PythonSource
from millstream.datastream.connectors.two_phase_commit import Committer, CommittingSinkWriter, TwoPhaseCommittingSink
from millstream.datastream.state import (
    AggregatingStateDescriptor,
    ListStateDescriptor,
    MapStateDescriptor,
    ReducingStateDescriptor,
    ValueStateDescriptor,
)
from millstream.datastream.window import TumblingEventTimeWindows
from millstream.exceptions import MillstreamError

RECORD_COUNT = 300
KEY_COUNT = 7
#: How many calls of each kind of function, with each outcome; `make sanitize` asks for more.
CALL_COUNT = int(os.environ.get("MILLSTREAM_LEAK_CALLS", "15000"))
ANY = Types.PICKLED_BYTE_ARRAY()
# One object that all values refer to: its references are counted.
SHARED = ["shared"]


class Token:
    alive = 0

    def __init__(self, n: int) -> None:
        self.n = n
        self.shared = SHARED
        Token.alive += 1

    def __del__(self) -> None:
        Token.alive -= 1

    def __reduce__(self) -> Any:
        return Token, (self.n,)


class Boom(Exception):
    pass


class Guard:
    """Fails at a record, and counts what passes."""

    def __init__(self, bad: int | None) -> None:
        self.bad = bad
        self.count = 0

    def __call__(self, token: Token) -> Token:
        self.count += 1
        if token.n == self.bad:
            raise Boom(token)
        return token

    def __deepcopy__(self, memo: Any) -> Guard:
        return self


class Tokens(PythonSource):
    """`count` tokens, or no end of them."""

    def __init__(self, count: int | None, bad: int | None = None, type_info: Any = ANY) -> None:
        super().__init__(type_info, count is not None)
        self.next, self.count, self.bad = 0, count, bad

    def snapshot_position(self) -> int:
        return self.next

    def restore_position(self, position: int) -> None:
        self.next = position

    def read(self, limit: int) -> Any:
        first = self.next
        last = first + min(limit, 100) if self.count is None else min(first + limit, self.count)
        if self.bad is not None and last > self.bad:
            raise Boom(last)
        self.next = last
        return [Token(n) for n in range(first, last)] or None


class Times(TimestampAssigner):
    def extract_timestamp(self, value: Token, record_timestamp: int) -> int:
        return value.n


class Sums(AggregateFunction[Any, Any, Any]):
    def __init__(self, guard: Guard) -> None:
        self.guard = guard

    def create_accumulator(self) -> Token:
        return Token(0)

    def add(self, value: Token, accumulator: Token) -> Token:
        return Token(self.guard(value).n + accumulator.n)

    def get_result(self, accumulator: Token) -> Token:
        return Token(accumulator.n)

    def merge(self, acc_a: Token, acc_b: Token) -> Token:
        return Token(acc_a.n + acc_b.n)


class Elements(ProcessWindowFunction[Any, Any, Any, Any]):
    def __init__(self, guard: Guard) -> None:
        self.guard = guard

    def process(self, key: Any, context: Any, elements: Any) -> Iterator[Token]:
        for element in elements:
            yield self.guard(element)


class States(KeyedProcessFunction):
    def __init__(self, guard: Guard) -> None:
        self.guard = guard

    def open(self, runtime_context: Any) -> None:
        self.value = runtime_context.get_state(ValueStateDescriptor("value", ANY))
        self.list = runtime_context.get_list_state(ListStateDescriptor("list", ANY))
        self.map = runtime_context.get_map_state(MapStateDescriptor("map", ANY, ANY))
        self.sum = runtime_context.get_reducing_state(ReducingStateDescriptor("sum", lambda a, b: Token(a.n + b.n), ANY))
        self.mean = runtime_context.get_aggregating_state(AggregatingStateDescriptor("mean", Sums(Guard(None)), ANY))

    def process_element(self, value: Token, ctx: Any) -> Iterator[Token]:
        last = self.value.value()
        self.value.update(self.guard(value))
        self.list.add(value)
        if value.n % 50 == 0:
            self.list.update([value, Token(1)])
            self.map.clear()
        self.map.put(value.n % 5, value)
        if value.n % 3 == 0:
            self.map.remove(value.n % 5)
        self.sum.add(value)
        self.mean.add(value)
        if value.n % 90 == 0:
            for state in (self.value, self.list, self.sum, self.mean):
                state.clear()
        yield last or Token(sum(token.n for token in self.list.get()))
        yield self.sum.get() or self.mean.get() or value


class Timers(KeyedProcessFunction):
    def __init__(self, guard: Guard) -> None:
        self.guard = guard

    def process_element(self, value: Token, ctx: Any) -> None:
        ctx.timer_service().register_event_time_timer(value.n + 10)
        ctx.timer_service().register_processing_time_timer(ctx.timer_service().current_processing_time() + value.n % 2 * 10**6)

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Token]:
        yield self.guard(Token(timestamp))


class Sink(PythonSink):
    def __init__(self, guard: Guard) -> None:
        self.guard = guard

    def write(self, values: Any) -> None:
        for value in values:
            self.guard(value)


def add(first: Token, second: Token) -> Token:
    return Token(first.n + second.n)


def windowed(stream: Any) -> Any:
    return keyed(stream).window(TumblingEventTimeWindows.of(Time.milliseconds(20)))


def keyed(stream: Any) -> Any:
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Times())
    return stream.assign_timestamps_and_watermarks(strategy).key_by(lambda token: ("key", token.n % KEY_COUNT), ANY)


KINDS = {
    "map": lambda stream, guard: stream.map(guard, ANY),
    "flat_map": lambda stream, guard: stream.flat_map(lambda token: (guard(token) for _ in range(3)), ANY),
    "key": lambda stream, guard: stream.key_by(lambda token: (guard(token).n,), ANY).map(lambda token: token, ANY),
    "reduce": lambda stream, guard: keyed(stream).reduce(lambda a, b: add(guard(a), guard(b))),
    "window reduce": lambda stream, guard: windowed(stream).reduce(lambda a, b: add(guard(a), guard(b))),
    "window aggregate": lambda stream, guard: windowed(stream).aggregate(Sums(guard), output_type=ANY),
    "window process": lambda stream, guard: windowed(stream).process(Elements(guard), ANY),
    "states": lambda stream, guard: keyed(stream).process(States(guard), ANY),
    "timers": lambda stream, guard: keyed(stream).process(Timers(guard), ANY),
    "source": lambda stream, guard: stream,
    "sink": lambda stream, guard: stream,
}


LONG = Types.LONG()


class Mistaken(Guard):
    """A number for each token, and for one of them the token itself."""

    def __call__(self, token: Any) -> Any:
        self.count += 1
        return token if token.n == 150 else token.n


class MistypedStates(KeyedProcessFunction):
    def __init__(self, mistaken: Guard) -> None:
        self.mistaken = mistaken

    def open(self, runtime_context: Any) -> None:
        self.value = runtime_context.get_state(ValueStateDescriptor("value", LONG))
        self.map = runtime_context.get_map_state(MapStateDescriptor("map", LONG, LONG))

    def process_element(self, value: Token, ctx: Any) -> None:
        self.map.put(value.n, value.n)
        self.value.update(self.mistaken(value))


class MistypedTimers(KeyedProcessFunction):
    def __init__(self, mistaken: Guard) -> None:
        self.mistaken = mistaken

    def process_element(self, value: Token, ctx: Any) -> None:
        ctx.timer_service().register_event_time_timer(self.mistaken(value))


class Nothing(PythonSink):
    def write(self, values: Any) -> None:
        pass


class MistypedAnswers(TwoPhaseCommittingSink):
    """Its committer answers with what is no answer."""

    def create_writer(self, context: Any) -> CommittingSinkWriter:
        return MistypedWriter()

    def create_committer(self) -> Committer:
        return MistypedCommitter()


class MistypedWriter(CommittingSinkWriter):
    def write(self, values: Any) -> None:
        self.last = values[-1]

    def prepare_commit(self) -> Any:
        return [{"n": self.last.n}]


class MistypedCommitter(Committer):
    def commit(self, committables: Any) -> Any:
        return [Token(each["n"]) for each in committables]


def numbers(stream: Any) -> Any:
    return stream.map(lambda token: token.n, LONG).key_by(lambda n: n % KEY_COUNT, LONG)


#: The same kinds, with one value of another type than was said.
MISTYPED = {
    "map": lambda stream, mistaken: stream.map(mistaken, LONG),
    "flat_map": lambda stream, mistaken: stream.flat_map(lambda token: (mistaken(token) for _ in range(3)), LONG),
    "key": lambda stream, mistaken: stream.key_by(mistaken, LONG).map(lambda token: token, ANY),
    "reduce": lambda stream, mistaken: numbers(stream).reduce(lambda a, b: Token(b) if b > 150 else a + b),
    "window reduce": lambda stream, mistaken: (
        keyed(stream)
        .map(lambda token: token.n, LONG)
        .key_by(lambda n: n % KEY_COUNT, LONG)
        .window(TumblingEventTimeWindows.of(Time.milliseconds(20)))
        .reduce(lambda a, b: Token(b))
    ),
    "window aggregate": lambda stream, mistaken: windowed(stream).aggregate(Sums(Guard(None)), output_type=LONG),
    "window process": lambda stream, mistaken: windowed(stream).process(Elements(Guard(None)), LONG),
    "states": lambda stream, mistaken: keyed(stream).process(MistypedStates(mistaken), ANY),
    "timers": lambda stream, mistaken: keyed(stream).process(MistypedTimers(mistaken), ANY),
    "source": lambda stream, mistaken: stream,
    "sink": lambda stream, mistaken: stream,
}


def start(kind: str, count: int | None, bad: int | None, mistypes: bool = False, path: str | None = None) -> tuple[Any, Guard]:
    environment = StreamExecutionEnvironment.get_execution_environment()
    environment.set_parallelism(2)
    environment.register_type(Token)
    if path is not None:
        environment.configure({"execution.state-recovery.path": path})
    guard = Mistaken(bad) if mistypes else Guard(bad)
    source = environment.from_source(Tokens(count, bad if kind == "source" else None, LONG if mistypes and kind == "source" else ANY))
    stream = (MISTYPED if mistypes else KINDS)[kind](source, guard)
    if mistypes:
        stream.sink_to(MistypedAnswers() if kind == "sink" else Nothing())
    else:
        stream.sink_to(Sink(guard if kind in ("sink", "source") else Guard(None)))
    return environment.execute_async(kind), guard


def wait_for_calls(guard: Guard) -> None:
    until = time.monotonic() + 10
    while guard.count < 50 and time.monotonic() < until:
        time.sleep(0.001)


def run_once(kind: str, outcome: str) -> None:
    if outcome == "restored":
        with tempfile.TemporaryDirectory() as folder:
            client, guard = start(kind, None, None)
            wait_for_calls(guard)
            path = client.stop_with_savepoint(False, folder).result(30)
            client.get_job_execution_result().result(30)
            client, guard = start(kind, None, None, path=path)
            wait_for_calls(guard)
            client.cancel().result(10)
        return
    if outcome == "mistypes":
        client, guard = start(kind, RECORD_COUNT, None, True)
        with pytest.raises((TypeError, MillstreamError, OverflowError)):
            client.get_job_execution_result().result()
        return
    bad = 150 if outcome == "raises" else None
    client, guard = start(kind, None if outcome == "canceled" else RECORD_COUNT, bad)
    if outcome == "canceled":
        wait_for_calls(guard)
        client.cancel().result(10)
        return
    failed = False
    try:
        client.get_job_execution_result().result()
    except Boom:
        failed = True
    assert failed == (outcome == "raises")


def settle() -> tuple[int, int, int]:
    """Objects, tokens and the shared object's references, once everything has been given back."""
    counts = (0, 0, 0)
    for _ in range(50):
        gc.collect()
        native.Environment().close()
        latest = (len(gc.get_objects()), Token.alive, sys.getrefcount(SHARED))
        if latest[1] == 0 and latest == counts:
            break
        counts = latest
        time.sleep(0.01)
    return latest


OUTCOMES = ["finishes", "raises", "mistypes", "canceled", "restored"]


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_job_gives_back_what_it_held(kind: str, outcome: str) -> None:
    run_once(kind, outcome)
    _, tokens, references = settle()
    for _ in range(3):
        run_once(kind, outcome)
    assert (tokens, *settle()[1:]) == (0, 0, references)


@pytest.mark.slow
@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("kind", KINDS)
def test_many_jobs_leave_nothing(kind: str, outcome: str) -> None:
    job_count = max(3, CALL_COUNT // RECORD_COUNT)
    for _ in range(max(3, job_count // 4)):
        run_once(kind, outcome)
    objects, tokens, references = settle()
    resident = resident_kilobytes()
    assert tokens == 0
    for _ in range(job_count):
        run_once(kind, outcome)
    objects_after, tokens, references_after = settle()
    assert (tokens, references_after) == (0, references)
    assert objects_after - objects <= 20
    # What an allocator keeps aside is a matter of chance; a leak of a hundred bytes a call is 10 MB of 100,000.
    if CALL_COUNT >= 100_000:
        assert resident_kilobytes() - resident < 6_000


class MemoryInfo(ctypes.Structure):
    """What mallinfo2 of the GNU C library gives."""

    _fields_: ClassVar[list[tuple[str, Any]]] = [
        (name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
    ]


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="needs mallinfo2")
@pytest.mark.parametrize("outcome", ["finishes", "canceled"])
def test_ended_jobs_give_the_engines_memory_back(outcome: str) -> None:
    library = ctypes.CDLL(None)
    library.mallinfo2.restype = MemoryInfo
    sizes: list[int] = []
    for count in (60, 150):
        for _ in range(count):
            run_once("map", outcome)
        settle()
        sizes.append(library.mallinfo2().uordblks)
    # A job that is forgotten has some 7,000 bytes at least.
    assert (sizes[1] - sizes[0]) / 150 < 1_500


def resident_kilobytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


class Watched(Tokens):
    """Notes the process's memory at a fifth and at the end of its tokens."""

    sizes: ClassVar[list[int]] = []

    def read(self, limit: int) -> Any:
        for part in (0.2, 0.99):
            if self.count is not None and self.next <= part * self.count < self.next + limit:
                Watched.sizes.append(resident_kilobytes())
        return super().read(limit)


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
@pytest.mark.parametrize("kind", KINDS)
def test_a_million_records_do_not_grow(kind: str) -> None:
    environment = StreamExecutionEnvironment.get_execution_environment()
    environment.set_parallelism(1)
    Watched.sizes = []
    guard = Guard(None)
    KINDS[kind](environment.from_source(Watched(1_000_000)), guard).sink_to(Sink(Guard(None)))
    environment.execute(kind)
    first, last = Watched.sizes[0], Watched.sizes[-1]
    assert len(Watched.sizes) == 2 and last - first < 16_000
    assert settle()[1] == 0
