"""The same on Flink, in SQL and so without Python on the data's way: python with_flink.py rocksdb|hashmap uniform|skewed KEYS RECORDS MEMORY.

Running sums of random keys go into a blackhole; objects are reused, mini-batches are off. Before RECORDS rows with keys at random come as many rows as there are keys, each
key once. Measured is the second part: a run of both less one of the first alone, by the clock and as processor time of the JVM.
"""

import json
import os
import sys
import time

from pyflink.common import Configuration
from pyflink.table import EnvironmentSettings, TableEnvironment

backend, spread, memory = sys.argv[1], sys.argv[2], sys.argv[5]
keys, records = int(sys.argv[3]), int(sys.argv[4])
settings = Configuration()
for key, value in {
    "parallelism.default": "1",
    "pipeline.object-reuse": "true",
    "taskmanager.numberOfTaskSlots": "1",
    "state.backend.type": backend,
    "state.backend.rocksdb.memory.fixed-per-slot": memory,
    "taskmanager.memory.managed.size": memory,
}.items():
    settings.set_string(key, value)
tables = TableEnvironment.create(EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(settings).build())


def processor_seconds() -> float:
    """Of all processes that this one has started: the JVM."""
    ticks = 0
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            if int(fields[2]) == os.getpgrp() and int(process) != os.getpid():
                ticks += int(fields[11]) + int(fields[12])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return ticks / os.sysconf("SC_CLK_TCK")


def run(name: str, count: int) -> tuple[float, float]:
    tables.execute_sql(
        f"""CREATE TABLE {name} (n BIGINT, k BIGINT, c BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '100000000',
            'fields.n.kind' = 'sequence', 'fields.n.start' = '0', 'fields.n.end' = '{count - 1}',
            'fields.k.kind' = 'random', 'fields.k.min' = '0', 'fields.k.max' = '{keys - 1}',
            'fields.c.kind' = 'random', 'fields.c.min' = '0', 'fields.c.max' = '9')"""
    )
    drawn = "k" if spread == "uniform" else f"CASE WHEN c < 9 THEN MOD(k, {keys // 100}) ELSE k END"
    key = f"CASE WHEN n < {keys} THEN MOD(n * 7919, {keys}) ELSE {drawn} END"
    begun, used = time.perf_counter(), processor_seconds()
    tables.execute_sql(f"INSERT INTO sums SELECT key, SUM(n) FROM (SELECT {key} AS key, n FROM {name}) GROUP BY key").wait()
    return time.perf_counter() - begun, processor_seconds() - used


tables.execute_sql("CREATE TABLE sums (k BIGINT, s BIGINT) WITH ('connector' = 'blackhole')")
fill = run("each_once", keys)
both = run("each_once_and_drawn", keys + records)
print(json.dumps({"fill_seconds": fill[0], "seconds": both[0] - fill[0], "processor_seconds": both[1] - fill[1]}))
