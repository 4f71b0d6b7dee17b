"""Holds more state than the process may have memory: python scripts/larger_than_memory.py --state-mb 5120 --limit-mb 1024 [--directory DIR].

Running sums of rows of 50 numbers, each key twice: first all of them once, then all again, when most are no longer in memory. Each second sum must be that of both rows.
With `--kill` the process has incremental checkpoints, and is killed behind one that lies in the second part; another one goes on from it, and counts each key once.

In each process the kernel refuses private memory beyond the limit, and the resident set, with the files of its libraries, is looked at while the job runs. Prints what it took
as JSON; fails where a row is wrong or missing, or the limit was passed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

WIDTH = 50
#: What a key's row takes: its numbers, the key, and the flags.
ROW_BYTES = 8 * (WIDTH + 2)
#: So far into the second part the process is killed behind the next checkpoint.
KILLED_AT = 1.25


def arguments_of(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state-mb", type=int, default=5 * 1024)
    parser.add_argument("--limit-mb", type=int, default=1024)
    parser.add_argument("--state-memory-mb", type=int, help="of all states together; a third of the limit unless given")
    parser.add_argument("--directory", help="where RocksDB and the checkpoints have their files")
    parser.add_argument("--kill", action="store_true", help="the process is killed behind a checkpoint, and another one goes on from it")
    parser.add_argument("--checkpoint-seconds", type=float, default=20)
    # Of the processes that it starts itself.
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--restore", help=argparse.SUPPRESS)
    return parser.parse_args(words)


def resident_mb() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / (1 << 20)


def work(arguments: argparse.Namespace) -> dict[str, Any]:
    """The job, in the folder `worker`, from the checkpoint `restore` on, or until it is killed."""
    # Private memory of the process: the heap, and what threads have. Files that are mapped do not count.
    resource.setrlimit(resource.RLIMIT_DATA, (arguments.limit_mb << 20, arguments.limit_mb << 20))

    from millstream.common import WatermarkStrategy
    from millstream.datastream import EmbeddedRocksDBStateBackend, StreamExecutionEnvironment
    from millstream.datastream.connectors.datagen import DataGeneratorSource
    from millstream.table.expressions import col

    keys = (arguments.state_mb << 20) // ROW_BYTES
    memory = arguments.state_memory_mb or arguments.limit_mb // 3
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_state_backend(EmbeddedRocksDBStateBackend(enable_incremental_checkpointing=True))
    env.configure(
        {
            "parallelism.default": "1",
            "execution.runtime-mode": "STREAMING",
            "state.backend.rocksdb.localdir": arguments.worker,
            "state.backend.rocksdb.memory.fixed-per-slot": f"{memory} mb",
        }
    )
    if arguments.kill:
        env.enable_checkpointing(round(1000 * arguments.checkpoint_seconds))
        env.configure({"execution.checkpointing.dir": f"{arguments.worker}/checkpoints", "millstream.checkpoints.keep-finished": "true"})
    if arguments.restore:
        env.configure({"execution.state-recovery.path": arguments.restore})
    number = col("index")
    columns = {"key": number * 7_919 % keys, "value": number, **{f"c{place}": number * place for place in range(WIDTH - 1)}}
    rows = env.from_source(DataGeneratorSource(columns, 2 * keys), WatermarkStrategy.no_watermarks(), "rows").uid("rows")
    sums = rows.key_by("key").sum("value").uid("sums")
    # The first row's fields stay, so c1 is the first number; the second number is `keys` more.
    second = sums.filter(col("value") != col("c1"))
    right = second.filter((col("value") == col("c1") * 2 + keys) & (col("c7") == col("c1") * 7))
    counted = right.select((col("key") * 0).alias("one"), (col("key") * 0 + 1).alias("count")).key_by("one").sum("count").uid("counted")
    # Whoever goes on from a checkpoint counts on: the last number says that each key was right once, in whichever process.
    found: list[Any] = []
    counted.filter(col("count") >= keys).uid("last").add_sink(found.append).uid("out")
    state = {"peak": resident_mb(), "behind": None}
    begun = time.perf_counter()
    client = env.execute_async("larger than memory")
    while not client.wait(0.05):
        state["peak"] = max(state["peak"], resident_mb())
        if arguments.kill and not arguments.restore:
            kill_behind_a_checkpoint(client, round(KILLED_AT * keys), state, arguments)
    client.get_job_execution_result().result()
    seconds = time.perf_counter() - begun
    return {
        "keys": keys,
        "state_mb": arguments.state_mb,
        "limit_mb": arguments.limit_mb,
        "state_memory_mb": memory,
        "peak_resident_mb": round(state["peak"]),
        "seconds": round(seconds, 1),
        "processor_seconds": round(time.process_time(), 1),
        "complete": [row[1] for row in found] == [keys],
    }


def kill_behind_a_checkpoint(client: Any, row_count: int, state: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Ends the process by SIGKILL behind the first checkpoint that was begun after so many rows; says which one, and what it took so far."""
    if state["behind"] is None:
        taken = sum(each["numRecordsIn"] for each in client.get_metrics()["operators"] if each["id"] == "sums")
        if taken >= row_count:
            state["behind"] = time.time() * 1000
        return
    complete = [each for each in client.checkpoints() if each.is_completed and each.triggered > state["behind"]]
    if complete:
        last = complete[-1]
        told = {"checkpoint": last.location, "checkpoint_seconds": last.duration_millis / 1000, "checkpoint_mb": last.size_bytes >> 20}
        print(json.dumps(told | {"peak_resident_mb": round(state["peak"]), "processor_seconds": round(time.process_time(), 1)}), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)


def start(arguments: argparse.Namespace, folder: str, restore: str | None) -> tuple[int, dict[str, Any]]:
    """A process of its own: its exit code, and what it said."""
    command = [sys.executable, __file__, "--worker", folder, "--state-mb", str(arguments.state_mb), "--limit-mb", str(arguments.limit_mb)]
    command += ["--checkpoint-seconds", str(arguments.checkpoint_seconds)]
    if arguments.state_memory_mb:
        command += ["--state-memory-mb", str(arguments.state_memory_mb)]
    if arguments.kill:
        command += ["--kill"]
    if restore:
        command += ["--restore", restore]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    lines = ended.stdout.splitlines()
    return ended.returncode, json.loads(lines[-1]) if lines else {}


def main() -> int:
    arguments = arguments_of()
    if arguments.worker:
        result = work(arguments)
        print(json.dumps(result))
        return 0
    begun = time.perf_counter()
    killed: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=arguments.directory) as folder:
        if arguments.kill:
            code, killed = start(arguments, folder, None)
            if code != -signal.SIGKILL or "checkpoint" not in killed:
                print(f"the process was to be killed behind a checkpoint, and ended with {code}: {killed}", file=sys.stderr)
                return 1
        code, result = start(arguments, folder, killed.get("checkpoint"))
    result["seconds"] = round(time.perf_counter() - begun, 1)
    if killed:
        result["killed"] = {name: value for name, value in killed.items() if name != "checkpoint"}
    print(json.dumps(result))
    peak = max(result.get("peak_resident_mb", 0), killed.get("peak_resident_mb", 0))
    return 0 if code == 0 and result.get("complete") and peak <= arguments.limit_mb else 1


if __name__ == "__main__":
    sys.exit(main())
