"""The same on Flink, in SQL and so without Python on the data's way: python with_flink.py rocksdb|hashmap uniform|skewed KEYS RECORDS MEMORY.

Running sums of random keys go into a blackhole. Every key is drawn anew for each row, so the state fills while it is measured: as RECORDS grows the more keys are known.
"""

import json
import sys
import time

from pyflink.common import Configuration
from pyflink.table import EnvironmentSettings, TableEnvironment

backend, spread, memory = sys.argv[1], sys.argv[2], sys.argv[5]
keys, records = int(sys.argv[3]), int(sys.argv[4])
settings = Configuration()
for key, value in {
    "parallelism.default": "1",
    "taskmanager.numberOfTaskSlots": "1",
    "state.backend.type": backend,
    "state.backend.rocksdb.memory.fixed-per-slot": memory,
    "taskmanager.memory.managed.size": memory,
}.items():
    settings.set_string(key, value)
tables = TableEnvironment.create(EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(settings).build())
tables.execute_sql(
    f"""CREATE TABLE drawn (k BIGINT, c BIGINT, v BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '{records}', 'rows-per-second' = '100000000',
        'fields.k.kind' = 'random', 'fields.k.min' = '0', 'fields.k.max' = '{keys - 1}', 'fields.c.kind' = 'random', 'fields.c.min' = '0', 'fields.c.max' = '9',
        'fields.v.kind' = 'random', 'fields.v.min' = '0', 'fields.v.max' = '1000')"""
)
tables.execute_sql("CREATE TABLE sums (k BIGINT, s BIGINT) WITH ('connector' = 'blackhole')")
key = "k" if spread == "uniform" else f"CASE WHEN c < 9 THEN MOD(k, {keys // 100}) ELSE k END"
begun = time.perf_counter()
tables.execute_sql(f"INSERT INTO sums SELECT key, SUM(v) FROM (SELECT {key} AS key, v FROM drawn) GROUP BY key").wait()
print(json.dumps({"seconds": time.perf_counter() - begun}))
