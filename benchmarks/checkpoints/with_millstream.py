"""State and checkpoints of a keyed running sum, no Python function involved.

python with_millstream.py rate KEYS RECORDS INTERVAL_MILLISECONDS DIRECTORY   rows per second, with a checkpoint each interval (0: none)
python with_millstream.py memory KEYS                                        bytes of a key in memory
python with_millstream.py save KEYS COLUMNS DIRECTORY                        a savepoint of a running job: how long it takes and what it holds up
python with_millstream.py restore KEYS COLUMNS PATH                          from the start of a process to the first row of a job that goes on
python with_millstream.py killed KEYS COLUMNS DIRECTORY                      the same of a job that SIGKILL ended behind a checkpoint, and that is started again
"""

import json
import resource
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

BEGUN = time.clock_gettime(time.CLOCK_MONOTONIC)

from millstream.common import WatermarkStrategy
from millstream.datastream import StreamExecutionEnvironment
from millstream.datastream.connectors.datagen import DataGeneratorSource
from millstream.datastream.connectors.discarding import DiscardingSink
from millstream.datastream.connectors.python import PythonSink
from millstream.table.expressions import col


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def sums(env, keys, records, columns=1):
    """Running sums: each round has every key once, in another order each time. `keys` is a power of ten."""
    number = col("index")
    # Odd and no multiple of five, so that the numbers of a round give different keys.
    key = number % keys * (number / keys * 1_000_030 + 7_919) % keys
    values = {"key": key, "value": number} | {f"more_{place}": number for place in range(1, columns)}
    rows = env.from_source(DataGeneratorSource(values, records), WatermarkStrategy.no_watermarks(), "rows").uid("rows")
    return rows.key_by("key").sum("value").uid("sums")


def environment():
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    return env


def rate(keys, records, interval, directory):
    env = environment()
    if interval:
        env.enable_checkpointing(interval)
        env.configure({"execution.checkpointing.dir": directory})
    sums(env, keys, records).sink_to(DiscardingSink())
    begun, cpu = time.perf_counter(), time.process_time()
    client = env.execute_async("rate")
    client.wait()
    seconds = time.perf_counter() - begun
    done = [record for record in client.checkpoints() if record.is_completed]
    return {"seconds": seconds, "cpu": time.process_time() - cpu, "checkpoints": len(done)}


def memory(keys):
    env = environment()
    before = resident_bytes()
    sums(env, keys, 1 << 60).sink_to(DiscardingSink())
    client = env.execute_async("memory")
    peak = 0
    while client.get_metrics()["operators"][0]["numRecordsOut"] < keys:
        time.sleep(0.05)
        peak = max(peak, resident_bytes())
    time.sleep(0.5)
    after = resident_bytes()
    client.cancel().result()
    return {"bytes_per_key": (after - before) / keys, "peak_bytes_per_key": (max(peak, after) - before) / keys}


MOMENTS = []


class Pulse(PythonSink):
    """Takes the time of each batch of rows that arrives."""

    def write(self, values):
        MOMENTS.append(time.perf_counter())


def thin(stream):
    """One row of a thousand, so that Python's part is small."""
    return stream.filter(col("value") % 1024 == 0)


def save(keys, columns, directory):
    env = environment()
    thin(sums(env, keys, 1 << 60, columns)).sink_to(Pulse())
    client = env.execute_async("save")
    while client.get_metrics()["operators"][0]["numRecordsOut"] < keys + (1 << 20):
        time.sleep(0.05)
    time.sleep(2)
    begun = time.perf_counter()
    path = client.trigger_savepoint(directory).result()
    ended = time.perf_counter()
    time.sleep(max(2.0, ended - begun))
    client.cancel().result()

    def longest(first, last):
        moments = [moment for moment in MOMENTS if first <= moment <= last]
        return max((right - left for left, right in pairwise(moments)), default=0.0)

    def rows(first, last):
        return sum(first <= moment <= last for moment in MOMENTS) / (last - first)

    return {
        "path": path,
        "seconds": ended - begun,
        "pause": longest(begun - 0.1, ended + 0.1),
        "pause_before": longest(begun - 2, begun),
        "rate": rows(begun, ended) / max(1e-9, rows(begun - 2, begun)),
    }


def restore(keys, columns, path):
    env = environment()
    env.configure({"execution.state-recovery.path": path})
    arrived = threading.Event()
    first = []

    class First(PythonSink):
        def write(self, values):
            if not first:
                first.append(time.clock_gettime(time.CLOCK_MONOTONIC))
                arrived.set()

    thin(sums(env, keys, 1 << 60, columns)).sink_to(First())
    begun = time.clock_gettime(time.CLOCK_MONOTONIC)
    client = env.execute_async("restore")
    arrived.wait(120)
    client.cancel().result()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    peak = usage.ru_maxrss * 1024
    return {
        "seconds": first[0] - begun,
        "cpu": usage.ru_utime + usage.ru_stime,
        "from_start": first[0] - BEGUN,
        "peak_bytes": peak,
        "resident_bytes": resident_bytes(),
    }


def endless(keys, columns, directory):
    """A job with checkpoints; when its first row arrived stands in the file `first`."""
    env = environment()
    env.enable_checkpointing(2_000)

    class First(PythonSink):
        def write(self, values):
            if not MOMENTS:
                MOMENTS.append(time.clock_gettime(time.CLOCK_MONOTONIC))
                staged = Path(directory, "staged")
                staged.write_text(str(MOMENTS[0]))
                staged.rename(Path(directory, "first"))

    thin(sums(env, keys, 1 << 60, columns)).sink_to(First())
    env.execute("endless")
    return {}


def wait_for(what, process):
    """What `what` gives, once that is not empty."""
    for _ in range(60_000):
        found = what()
        if found:
            return found
        if process.poll() is not None:
            break
        time.sleep(0.002)
    raise SystemExit(f"the job ended with {process.returncode}" if process.returncode is not None else "nothing came in two minutes")


def killed(keys, columns, directory):
    home = Path(directory)
    home.mkdir(parents=True)
    first = home / "first"
    job = [sys.executable, "-m", "millstream", "run", "--ha-dir", str(home / "jobs"), __file__, "endless", str(keys), str(columns), directory]

    def complete():
        """The checkpoints that hold every key, and are whole."""
        return [path for path in home.glob("jobs/**/_metadata") if sum(file.stat().st_size for file in path.parent.iterdir()) > 8 * keys * columns]

    process = subprocess.Popen(job)
    try:
        wait_for(first.exists, process)
        size = sum(file.stat().st_size for file in wait_for(complete, process)[0].parent.iterdir())
        time.sleep(1)
        first.unlink()
        process.kill()
        begun = time.clock_gettime(time.CLOCK_MONOTONIC)
        process.wait()
        process = subprocess.Popen(job)
        wait_for(first.exists, process)
        return {"bytes": size, "seconds": float(first.read_text()) - begun}
    finally:
        process.kill()
        process.wait()


WORK = {"endless": (endless, [int, int, str]), "killed": (killed, [int, int, str]), "rate": (rate, [int, int, int, str]), "memory": (memory, [int]), "save": (save, [int, int, str]), "restore": (restore, [int, int, str])}
if __name__ == "__main__":
    work, types = WORK[sys.argv[1]]
    print(json.dumps(work(*[kind(text) for kind, text in zip(types, sys.argv[2:])])))
