"""Holds more state than the process may have memory: python scripts/larger_than_memory.py --state-mb 5120 --limit-mb 1024 [--directory DIR].

Running sums of rows of 50 numbers, each key twice: first all of them once, then all again, when most are no longer in memory. Each second sum must be that of both rows.
The kernel refuses memory beyond the limit, and the resident set is looked at while the job runs. Prints what it took as JSON; fails where a row is wrong or missing, or
the limit was passed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import threading
import time

WIDTH = 50
#: What a key's row takes: its numbers, the key, and the flags.
ROW_BYTES = 8 * (WIDTH + 2)


def resident_mb() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / (1 << 20)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state-mb", type=int, default=5 * 1024)
    parser.add_argument("--limit-mb", type=int, default=1024)
    parser.add_argument("--state-memory-mb", type=int, help="of all states together; a third of the limit unless given")
    parser.add_argument("--directory", help="where RocksDB has its files")
    arguments = parser.parse_args()
    memory = arguments.state_memory_mb or arguments.limit_mb // 3
    # Private memory of the process: the heap and what threads have. Files that are mapped do not count.
    resource.setrlimit(resource.RLIMIT_DATA, (arguments.limit_mb << 20, arguments.limit_mb << 20))

    from millstream.common import WatermarkStrategy
    from millstream.datastream import EmbeddedRocksDBStateBackend, StreamExecutionEnvironment
    from millstream.datastream.connectors.datagen import DataGeneratorSource
    from millstream.table.expressions import col

    keys = (arguments.state_mb << 20) // ROW_BYTES
    peak = [resident_mb()]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            peak[0] = max(peak[0], resident_mb())

    watcher = threading.Thread(target=watch)
    with tempfile.TemporaryDirectory(dir=arguments.directory) as folder:
        env = StreamExecutionEnvironment.get_execution_environment()
        env.set_state_backend(EmbeddedRocksDBStateBackend())
        env.configure(
            {
                "parallelism.default": "1",
                "execution.runtime-mode": "STREAMING",
                "state.backend.rocksdb.localdir": folder,
                "state.backend.rocksdb.memory.fixed-per-slot": f"{memory} mb",
                "execution.checkpointing.snapshot-compression": "false",
            }
        )
        number = col("index")
        columns = {"key": number * 7_919 % keys, "value": number, **{f"c{place}": number * place for place in range(WIDTH - 1)}}
        rows = env.from_source(DataGeneratorSource(columns, 2 * keys), WatermarkStrategy.no_watermarks(), "rows")
        sums = rows.key_by("key").sum("value")
        # The first row's fields stay, so c1 is the first number; the second number is `keys` more.
        second = sums.filter(col("value") != col("c1"))
        right = second.filter((col("value") == col("c1") * 2 + keys) & (col("c7") == col("c1") * 7))
        counted = right.select((col("key") * 0).alias("one"), (col("key") * 0 + 1).alias("count")).key_by("one").sum("count")
        last = counted.filter(col("count") == keys)
        watcher.start()
        begun = time.perf_counter()
        try:
            found = len(list(last.execute_and_collect()))
        finally:
            ended.set()
            watcher.join()
    seconds = time.perf_counter() - begun
    result = {
        "keys": keys,
        "state_mb": arguments.state_mb,
        "limit_mb": arguments.limit_mb,
        "peak_resident_mb": round(peak[0]),
        "seconds": round(seconds, 1),
        "rows_per_second": round(2 * keys / seconds),
        "complete": found == 1,
    }
    print(json.dumps(result))
    return 0 if found == 1 and peak[0] <= arguments.limit_mb else 1


if __name__ == "__main__":
    sys.exit(main())
