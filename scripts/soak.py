"""Kills a job's process at random moments, starts it again, and compares what its sinks show with what an undisturbed run gives, row by row.

    python scripts/soak.py --kills 200 [--seed N] [--folder DIR]

The job runs with `millstream run --ha-dir`: a keyed process function with value, list and map state and timers, and a window's sum, into `SqliteSink` and
`FileSink`. It cannot end before a file `stop` is there, which comes after the last kill.
"""

from __future__ import annotations

import argparse
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

JOB = '''
import os, sqlite3, sys, time
from millstream.common import Duration, Encoder, Time, Types, WatermarkStrategy
from millstream.common.watermark_strategy import TimestampAssigner
from millstream.datastream import KeyedProcessFunction, ReduceFunction, StreamExecutionEnvironment
from millstream.datastream.connectors.file_system import FileSink
from millstream.datastream.connectors.sqlite import SqliteSink
from millstream.datastream.state import ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor
from millstream.datastream.window import TumblingEventTimeWindows

folder, rows, parallelism, is_disturbed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "yes"


def slow(n):
    # Enough rows are left for all kills, until the last one is over.
    if is_disturbed and n % 8 == 0 and not os.path.exists(folder + "/stop"):
        time.sleep(0.02)
    return n


class ByValue(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value


class Histories(KeyedProcessFunction):
    def open(self, runtime_context):
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))
        self.last = runtime_context.get_list_state(ListStateDescriptor("last", Types.LONG()))
        self.parity = runtime_context.get_map_state(MapStateDescriptor("parity", Types.STRING(), Types.LONG()))

    def process_element(self, value, ctx):
        count = (self.count.value() or 0) + 1
        self.count.update(count)
        self.last.add(value)
        name = "odd" if value % 2 else "even"
        self.parity.put(name, (self.parity.get(name) or 0) + 1)
        ctx.timer_service().register_event_time_timer(value + 40)
        yield ("row", value, count, self.parity.get(name))

    def on_timer(self, timestamp, ctx):
        last = list(self.last.get())
        self.last.update(last[-3:])
        yield ("timer", timestamp, len(last), sum(last))


class Sum(ReduceFunction):
    def reduce(self, first, second):
        return (first[0], first[1] + second[1])


PAIR = Types.TUPLE([Types.LONG(), Types.LONG()])
with sqlite3.connect(folder + "/out.db") as connection:
    connection.execute("create table if not exists results (kind, number, size, total)")
env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(parallelism).set_max_parallelism(128)
env.enable_checkpointing(40)
env.configure({"millstream.batch.rows": "16"})
watermarks = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_millis(5)).with_timestamp_assigner(ByValue())
numbers = env.from_collection(range(rows), Types.LONG()).uid("numbers").map(slow, Types.LONG()).set_parallelism(1)
times = numbers.assign_timestamps_and_watermarks(watermarks).uid("times").set_parallelism(1)
histories = times.key_by(lambda n: n % 7, Types.LONG()).process(
    Histories(), Types.TUPLE([Types.STRING(), Types.LONG(), Types.LONG(), Types.LONG()])).uid("histories")
histories.sink_to(SqliteSink(folder + "/out.db", "results")).uid("table")
pairs = times.map(lambda n: (n % 5, n), PAIR).set_parallelism(1).key_by(lambda pair: pair[0], Types.LONG())
sums = pairs.window(TumblingEventTimeWindows.of(Time.milliseconds(50))).reduce(Sum(), output_type=PAIR).uid("sums")
sums.map(lambda pair: "%d %d" % pair, Types.STRING()).sink_to(
    FileSink.for_row_format(folder + "/out", Encoder.simple_string_encoder()).build()).uid("files")
env.execute("soak")
'''


def start(folder: Path, rows: int, parallelism: int, is_disturbed: bool) -> subprocess.Popen[bytes]:
    script = folder / "job.py"
    if not script.exists():
        script.write_text(JOB)
    options = ["--ha-dir", str(folder / "ha")] if is_disturbed else []
    arguments = [str(script), str(folder), str(rows), str(parallelism), "yes" if is_disturbed else "no"]
    with (folder / "errors.txt").open("ab") as errors:
        return subprocess.Popen([sys.executable, "-m", "millstream", "run", *options, *arguments], stderr=errors)


def results(folder: Path) -> Counter[str]:
    with sqlite3.connect(folder / "out.db") as connection:
        found = Counter(" ".join(map(str, row)) for row in connection.execute("select * from results"))
    for path in (folder / "out").rglob("*"):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            found.update("window " + line for line in path.read_text().splitlines())
    return found


def soak(kills: int, seed: int, folder: Path, longest: float = 1.5) -> list[str]:
    """What is wrong afterwards; nothing if all is well. `longest`: how many seconds a process lives at most after its start."""
    choice = random.Random(seed)
    rows = 2_000 + int(kills * longest * 400)
    undisturbed, disturbed = folder / "undisturbed", folder / "disturbed"
    for place in (undisturbed, disturbed):
        place.mkdir(parents=True)
    if start(undisturbed, rows, 1, False).wait(600) != 0:
        return ["the undisturbed run failed: " + (undisturbed / "errors.txt").read_text()[-2_000:]]
    wanted = results(undisturbed)
    wrong: list[str] = []
    checkpoints = 0
    for number in range(kills):
        process = start(disturbed, rows, choice.choice([1, 2, 3]), True)
        # Processes need some time to come to their job at all; a few are killed before.
        time.sleep(choice.uniform(0.05, longest) if choice.random() < 0.2 else choice.uniform(0.5, longest))
        if process.poll() is not None:
            return [f"run {number} ended by itself with {process.returncode}: " + (disturbed / "errors.txt").read_text()[-2_000:]]
        process.send_signal(signal.SIGKILL)
        process.wait()
        checkpoints += any((disturbed / "ha").glob("soak/*/chk-*/_metadata"))
        if number % 10 == 0:
            extra = results(disturbed) - wanted
            if extra:
                return [f"after kill {number + 1} readers see {len(extra)} rows too many, such as {next(iter(extra))!r}"]
    (disturbed / "stop").touch()
    if start(disturbed, rows, 2, True).wait(600) != 0:
        return ["the last run failed: " + (disturbed / "errors.txt").read_text()[-2_000:]]
    found = results(disturbed)
    for what, rest in (("too many", found - wanted), ("missing", wanted - found)):
        if rest:
            wrong.append(f"{rest.total()} rows {what}, such as {sorted(rest)[:3]}")
    if checkpoints < kills // 3:
        wrong.append(f"only {checkpoints} of {kills} runs had a checkpoint to go on from: nothing was tried")
    if list((disturbed / "ha").iterdir()):
        wrong.append("the finished job left files behind")
    print(f"{kills} kills, {checkpoints} with a checkpoint, {wanted.total()} rows, seed {seed}: {'; '.join(wrong) or 'each row once'}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description="Kills a job at random moments and compares its results.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="soak-"))
    wrong = soak(options.kills, options.seed, folder)
    if wrong:
        print("\n".join([*wrong, f"everything is in {folder}"]), file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
