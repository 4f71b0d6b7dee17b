"""Running sums by key, no Python function involved: python with_millstream.py hashmap|rocksdb uniform|skewed KEYS RECORDS MEMORY [ROWS].

First every key comes once, then RECORDS rows with keys at random: all alike, or 90 % of them in 1 % of the keys. Measured is the second part: a run of both less one of
the first alone, by the clock and as processor time of all threads. MEMORY: of all state, as '256 mb'; hashmap has no bound.
ROWS: of a batch, 4096 unless given.
"""

import json
import resource
import sys
import tempfile
import time

from millstream.common import WatermarkStrategy
from millstream.datastream import StreamExecutionEnvironment
from millstream.datastream.connectors.datagen import DataGeneratorSource
from millstream.datastream.connectors.discarding import DiscardingSink
from millstream.table.expressions import col

backend, spread, memory = sys.argv[1], sys.argv[2], sys.argv[5]
keys, records = int(sys.argv[3]), int(sys.argv[4])
number = col("index")


def drawn(seed: int):
    """Middle bits of a square: nothing of the number's order is left in them."""
    mixed = (number * 1_103_515_245 + seed) % 2_147_483_648
    return mixed * mixed / 65_536


def key():
    if spread == "uniform":
        return drawn(12_345) % keys
    # 1 where the tenth part's turn has come.
    is_cold = drawn(777) % 10 / 9
    return (drawn(12_345) % (keys // 100) + is_cold * (drawn(991) % keys)) % keys


def processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def run(columns, count: int) -> tuple[float, float]:
    source = DataGeneratorSource(columns, count)
    rows = env.from_source(source, WatermarkStrategy.no_watermarks(), "rows")
    rows.key_by("key").sum("value").sink_to(DiscardingSink())
    begun, used = time.perf_counter(), processor_seconds()
    env.execute("sums")
    return time.perf_counter() - begun, processor_seconds() - used


env = StreamExecutionEnvironment.get_execution_environment()
with tempfile.TemporaryDirectory() as folder:
    env.configure(
        {
            "parallelism.default": "1",
            "execution.runtime-mode": "STREAMING",
            "state.backend.type": backend,
            "millstream.batch.rows": sys.argv[6] if len(sys.argv) > 6 else "4096",
            "state.backend.rocksdb.memory.fixed-per-slot": memory,
            "state.backend.rocksdb.localdir": folder,
        }
    )
    # 0 for the first `keys` rows, 1 behind them.
    phase = number / keys * 2 / (number / keys + 1)
    each_once = number * 7_919 % keys
    fill = run({"key": each_once, "value": number}, keys)
    # The same again with the rows that count behind: one job, whose keys are all there.
    both = run({"key": each_once + phase * (key() - each_once), "value": number}, keys + records)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    seconds, used = both[0] - fill[0], both[1] - fill[1]
    print(json.dumps({"fill_seconds": fill[0], "seconds": seconds, "processor_seconds": used, "resident_mb": usage.ru_maxrss / 1024}))
