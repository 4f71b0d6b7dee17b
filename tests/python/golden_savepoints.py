"""The jobs whose savepoints are kept in `golden/savepoints/v1`: what they read before and behind, and how they keep it.

`python tests/python/golden_savepoints.py FOLDER` makes those that FOLDER has not, once for a version of the format: what has been made is never made again.
`test_golden_savepoints.py` goes on from each, and compares.
"""

from __future__ import annotations

import datetime
import decimal
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from millstream import state
from millstream.common import Duration, Time, Types, WatermarkStrategy
from millstream.common.watermark_strategy import TimestampAssigner
from millstream.datastream import (
    CheckpointedFunction,
    KeyedProcessFunction,
    MapFunction,
    ProcessWindowFunction,
    ReduceFunction,
    StreamExecutionEnvironment,
)
from millstream.datastream.connectors.two_phase_commit import CommitOutcome, Committer, CommittingSinkWriter, TwoPhaseCommittingSink
from millstream.datastream.functions import AggregateFunction, BroadcastProcessFunction
from millstream.datastream.state import (
    AggregatingStateDescriptor,
    ListStateDescriptor,
    MapStateDescriptor,
    ReducingStateDescriptor,
    StateTtlConfig,
    ValueStateDescriptor,
)
from millstream.datastream.triggers import ContinuousEventTimeTrigger
from millstream.datastream.window import EventTimeSessionWindows, SlidingEventTimeWindows, TumblingEventTimeWindows
from millstream.testing import LiveTestStream

PAIR = Types.TUPLE([Types.STRING(), Types.LONG()])
#: What is kept of each job.
DATA = "savepoint"


class ByNumber(TimestampAssigner):
    def extract_timestamp(self, value: Any, record_timestamp: int) -> int:
        return value[1] * 10


class Add(ReduceFunction):
    def reduce(self, value1: Any, value2: Any) -> Any:
        return value1 + value2


class AddPairs(ReduceFunction):
    def reduce(self, value1: Any, value2: Any) -> Any:
        return (value1[0], value1[1] + value2[1])


class Average(AggregateFunction):
    def create_accumulator(self) -> Any:
        return (0, 0)

    def add(self, value: Any, accumulator: Any) -> Any:
        return (accumulator[0] + value, accumulator[1] + 1)

    def get_result(self, accumulator: Any) -> Any:
        return accumulator[0] / accumulator[1]

    def merge(self, acc_a: Any, acc_b: Any) -> Any:
        return (acc_a[0] + acc_b[0], acc_a[1] + acc_b[1])


class AllKinds(KeyedProcessFunction):
    def open(self, runtime_context: Any) -> None:
        self.value = runtime_context.get_state(ValueStateDescriptor("value", Types.LONG()))
        self.flag = runtime_context.get_state(ValueStateDescriptor("flag", Types.BOOLEAN()))
        self.ratio = runtime_context.get_state(ValueStateDescriptor("ratio", Types.FLOAT()))
        self.word = runtime_context.get_state(ValueStateDescriptor("word", Types.STRING()))
        self.small = runtime_context.get_state(ValueStateDescriptor("small", Types.BYTE()))
        self.list = runtime_context.get_list_state(ListStateDescriptor("list", Types.INT()))
        self.map = runtime_context.get_map_state(MapStateDescriptor("map", Types.STRING(), Types.LONG()))
        self.sum = runtime_context.get_reducing_state(ReducingStateDescriptor("sum", Add(), Types.LONG()))
        self.average = runtime_context.get_aggregating_state(AggregatingStateDescriptor("average", Average(), Types.PICKLED_BYTE_ARRAY()))

    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        number = value[1]
        before = (self.value.value(), self.flag.value(), self.ratio.value(), self.word.value(), self.small.value(), list(self.list.get()), sorted(self.map.items()))
        yield (value[0], *before, self.sum.get(), self.average.get())
        self.value.update(number << 33)
        self.flag.update(number % 2 == 0)
        self.ratio.update(number / 2)
        self.word.update("ä" * (number % 20))
        self.small.update(number % 100)
        self.list.add(number)
        self.map.put(f"m{number % 3}", number)
        self.sum.add(number)
        self.average.add(number)


class Aging(KeyedProcessFunction):
    def open(self, runtime_context: Any) -> None:
        config = StateTtlConfig.new_builder(Time.days(100_000)).build()
        descriptors = [
            ValueStateDescriptor("value", Types.LONG()), ListStateDescriptor("list", Types.LONG()), MapStateDescriptor("map", Types.LONG(), Types.STRING()),
        ]  # fmt: skip
        for descriptor in descriptors:
            descriptor.enable_time_to_live(config)
        self.value = runtime_context.get_state(descriptors[0])
        self.list = runtime_context.get_list_state(descriptors[1])
        self.map = runtime_context.get_map_state(descriptors[2])

    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        yield (value[0], self.value.value(), list(self.list.get() or []), sorted(self.map.items()))
        self.value.update(value[1])
        self.list.add(value[1])
        self.map.put(value[1], value[0])


class Timed(KeyedProcessFunction):
    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        ctx.timer_service().register_event_time_timer(value[1] * 10 + 1_000)
        ctx.timer_service().register_processing_time_timer(1 << 50)
        yield ("row", *value)

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Any]:
        yield ("timer", ctx.get_current_key(), timestamp)


class Objects(KeyedProcessFunction):
    def open(self, runtime_context: Any) -> None:
        self.pickled = runtime_context.get_state(ValueStateDescriptor("pickled", Types.PICKLED_BYTE_ARRAY()))
        self.row = runtime_context.get_state(ValueStateDescriptor("row", Types.ROW_NAMED(["n", "w"], [Types.LONG(), Types.STRING()])))
        self.many = runtime_context.get_state(ValueStateDescriptor("many", Types.LIST(Types.LONG())))
        self.exact = runtime_context.get_list_state(ListStateDescriptor("exact", Types.BIG_DEC()))

    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        from millstream.common import Row

        yield (value[0], self.pickled.value(), str(self.row.value()), self.many.value(), [str(number) for number in self.exact.get()])
        day = datetime.date(2026, 1, 1) + datetime.timedelta(days=value[1])
        self.pickled.update({"n": value[1], "day": day, "set": {1, 2}, "none": None, "big": 1 << 80, "nested": [(1, "x"), {}]})
        self.row.update(Row(n=value[1], w="w"))
        self.many.update([value[1], 2])
        self.exact.add(decimal.Decimal(value[1]) / 8)


class Kept(MapFunction, CheckpointedFunction):
    """Keeps numbers in a list and a union list of the subtask."""

    def initialize_state(self, context: Any) -> None:
        store = context.get_operator_state_store()
        self.list = store.get_list_state(ListStateDescriptor("list", Types.LONG()))
        self.union = store.get_union_list_state(ListStateDescriptor("union", Types.STRING()))
        self.numbers = sorted(self.list.get())
        self.words = sorted(self.union.get())

    def snapshot_state(self, context: Any) -> None:
        self.list.update(self.numbers)
        self.union.update(self.words)

    def map(self, value: Any) -> Any:
        result = (value[1], sum(self.numbers), "".join(self.words))
        self.numbers.append(value[1])
        self.words.append(value[0])
        return result


RULES = MapStateDescriptor("rules", Types.STRING(), Types.LONG())


class Ruled(BroadcastProcessFunction):
    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        yield ("row", value, sorted(ctx.get_broadcast_state(RULES).items()))

    def process_broadcast_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        ctx.get_broadcast_state(RULES).put(*value)
        yield ("rule", value)


class Elements(ProcessWindowFunction):
    def process(self, key: Any, context: Any, elements: Any) -> Iterator[Any]:
        yield (key, context.window().start if hasattr(context.window(), "start") else None, [element[1] for element in elements])


class Memory(TwoPhaseCommittingSink):
    """Commits into a list of the process, which knows what it has."""

    shown: ClassVar[dict[str, list[Any]]] = {}

    def create_writer(self, context: Any) -> CommittingSinkWriter:
        class Writer(CommittingSinkWriter):
            def __init__(self) -> None:
                self.values: list[Any] = []

            def write(self, values: list[Any]) -> None:
                self.values += values

            def prepare_commit(self) -> list[Any]:
                prepared, self.values = [self.values] if self.values else [], []
                return prepared

        return Writer()

    def create_committer(self) -> Committer:
        class Shows(Committer):
            def commit(self, committables: list[Any]) -> Any:
                for values in committables:
                    Memory.shown[repr(values)] = values
                return [CommitOutcome.COMMITTED for _ in committables]

        return Shows()


def by_word(stream: Any) -> Any:
    return stream.key_by(lambda row: row[0], Types.STRING())


def operators(stream: Any) -> Any:
    rules = stream.filter(lambda row: row[1] % 3 == 0).uid("some").broadcast(RULES)
    kept = stream.map(Kept()).uid("kept").set_parallelism(1)
    ruled = stream.connect(rules).process(Ruled()).uid("ruled").set_parallelism(1)
    return kept.map(repr).uid("first").union(ruled.filter(lambda value: value[0] == "rule").uid("rules-alone").map(repr).uid("second"))


def rolling(stream: Any) -> Any:
    sums = by_word(stream).sum(1).uid("sum").map(lambda row: ("sum", row)).uid("a")
    largest = by_word(stream).max_by(1).uid("max").map(lambda row: ("max", row)).uid("b")
    reduced = by_word(stream).reduce(AddPairs()).uid("reduce").map(lambda row: ("reduce", row)).uid("c")
    return sums.union(largest, reduced)


def joined(stream: Any) -> Any:
    from millstream.datastream.functions import ProcessJoinFunction

    class Both(ProcessJoinFunction):
        def process_element(self, left: Any, right: Any, ctx: Any) -> Iterator[Any]:
            yield (left, right)

    other = stream.filter(lambda row: row[1] % 2 == 0).uid("even")
    return by_word(stream).interval_join(by_word(other)).between(Time.milliseconds(-30), Time.milliseconds(30)).process(Both()).uid("join")


ROWS = [(("a", "b", "c", "d" * 30)[number % 4], number) for number in range(24)]


@dataclass
class Job:
    """A job between a test's stream and a list; both halves have rows with their numbers times ten as timestamps, then a watermark."""

    build: Callable[[Any], Any]
    compression: str = "none"
    rows: list[Any] = field(default_factory=lambda: ROWS)
    first_watermark: int = 55
    sinks: bool = False


JOBS: dict[str, Job] = {
    "values": Job(lambda stream: by_word(stream).process(AllKinds()).uid("op")),
    "values-lz4": Job(lambda stream: by_word(stream).process(AllKinds()).uid("op"), "lz4", ROWS * 4),
    "values-zstd": Job(lambda stream: by_word(stream).process(AllKinds()).uid("op"), "zstd", ROWS * 4),
    "time-to-live": Job(lambda stream: by_word(stream).process(Aging()).uid("op"), "lz4"),
    "timers": Job(lambda stream: by_word(stream).process(Timed()).uid("op"), "zstd"),
    "objects": Job(lambda stream: stream.key_by(lambda row: (row[0], row[1] % 2)).process(Objects()).uid("op")),
    "tumbling": Job(
        lambda stream: by_word(stream).window(TumblingEventTimeWindows.of(Time.milliseconds(100))).reduce(AddPairs(), output_type=PAIR).uid("op")
    ),
    "sliding": Job(
        lambda stream: by_word(stream)
        .window(SlidingEventTimeWindows.of(Time.milliseconds(100), Time.milliseconds(50)))
        .process(Elements())
        .uid("op")
    ),
    "sessions": Job(
        lambda stream: by_word(stream).window(EventTimeSessionWindows.with_gap(Time.milliseconds(45))).reduce(AddPairs(), output_type=PAIR).uid("op"), "lz4"
    ),
    "counts": Job(lambda stream: by_word(stream).count_window(4).reduce(AddPairs(), output_type=PAIR).uid("op")),
    "triggers": Job(
        lambda stream: by_word(stream)
        .window(TumblingEventTimeWindows.of(Time.milliseconds(200)))
        .trigger(ContinuousEventTimeTrigger.of(Time.milliseconds(40)))
        .process(Elements())
        .uid("op")
    ),
    "rolling": Job(rolling, "zstd"),
    "operators": Job(operators),
    "join": Job(joined),
    "sinks": Job(lambda stream: stream, sinks=True),
}


def environment(job: Job, path: str | None, parallelism: int) -> StreamExecutionEnvironment:
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(parallelism).configure({"millstream.checkpoints.compression": job.compression})
    env.enable_checkpointing(3_600_000)
    if path is not None:
        # A test's stream cannot go back to where it was: it is another one, and its state is left behind.
        env.configure({"execution.state-recovery.path": path, "execution.state-recovery.ignore-unclaimed-state": "true"})
        # The pickles are of plain data, which all versions of Python read.
        env.configure({"state.pickle.other-python-allowed": "true"})
    return env


def attach(job: Job, rows: Any, taken: list[Any]) -> None:
    if job.sinks:
        Memory.shown = {}
        rows.sink_to(Memory()).uid("sink").set_parallelism(1)
        rows.add_sink(taken.append).set_parallelism(1).uid("out")
    else:
        job.build(rows).add_sink(taken.append).set_parallelism(1).uid("out")


def first_half(job: Job, folder: str) -> str:
    """Runs the job over the first half of its rows, and gives the savepoint that it stops with."""
    env = environment(job, None, 2)
    stream = LiveTestStream(PAIR)
    taken: list[Any] = []
    seen: list[Any] = []
    attach(job, env.from_source(stream).uid("first rows"), taken)
    client = env.execute_async("golden")
    for row in job.rows[: len(job.rows) // 2]:
        stream.add(row, row[1] * 10)
    stream.watermark(job.first_watermark)
    # What is taken is known by the results, which come to an end.
    quiet = 0
    while quiet < 50:
        quiet = quiet + 1 if len(taken) == len(seen) else 0
        seen = list(taken)
        time.sleep(0.01)
    path = client.stop_with_savepoint(False, folder).result()
    client.wait()
    return path


def second_half(job: Job, path: str, parallelism: int = 2) -> list[str]:
    """What the job gives for the second half of its rows when it goes on from a savepoint, and what its sink shows then; sorted."""
    env = environment(job, path, parallelism)
    taken: list[Any] = []
    rows = env.from_collection(job.rows[len(job.rows) // 2 :], PAIR).uid("further rows").set_parallelism(1)
    # The one watermark is that of the end, so that nothing depends on when it comes.
    watermarks = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_days(1_000)).with_timestamp_assigner(ByNumber())
    attach(job, rows.assign_timestamps_and_watermarks(watermarks).uid("time").set_parallelism(1), taken)
    env.execute("golden")
    shown = [repr(row) for values in Memory.shown.values() for row in values] if job.sinks else []
    return sorted(list(map(repr, taken)) + shown)


def dump(path: str) -> dict[str, Any]:
    """Everything in a savepoint, in an order that does not depend on key groups."""
    found: dict[str, Any] = {}
    for operator in state.describe(path):
        for part in operator.parts:
            table = state.read(path, operator.uid, part.name)
            rows = sorted(repr(tuple(_plain(value) for value in row.values())) for row in table.to_pylist())
            found[f"{operator.uid} {part.name}"] = {"columns": part.columns, "rows": rows}
    return found


def _plain(value: Any) -> Any:
    """Sets print in an order of their own."""
    return sorted(value) if isinstance(value, (set, frozenset)) else value


def make(name: str, folder: Path) -> None:
    """Makes the savepoint of a job, what it gives behind, and what is in it."""
    job = JOBS[name]
    with tempfile.TemporaryDirectory() as scratch:
        made = first_half(job, scratch)
        folder.mkdir(parents=True)
        Path(made).rename(folder / DATA)
    path = str(folder / DATA)
    (folder / "expected.json").write_text(json.dumps({"output": second_half(job, path), "dump": dump(path)}, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    import golden_savepoints

    root = Path(sys.argv[1])
    for wanted in golden_savepoints.JOBS:
        if not (root / wanted).exists():
            golden_savepoints.make(wanted, root / wanted)
            print(wanted, sum(file.stat().st_size for file in (root / wanted).rglob("*") if file.is_file()), "bytes")
