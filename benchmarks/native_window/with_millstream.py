"""Count and sum per key and ten seconds, no Python function involved: python with_millstream.py RECORDS KEYS ROWS_PER_MILLISECOND [check].

Two tasks with one thread each: the source, which computes key and time from a running number, and behind a hash exchange the windows.
With `check` the results are collected and compared with what they must be.
"""

import json
import sys
import time

from millstream.common import WatermarkStrategy
from millstream.datastream import StreamExecutionEnvironment
from millstream.datastream.aggregates import count, sum_
from millstream.datastream.connectors.datagen import DataGeneratorSource
from millstream.datastream.connectors.discarding import DiscardingSink
from millstream.datastream.window import Time, TumblingEventTimeWindows
from millstream.table.expressions import col

records, keys, rows_per_millisecond = map(int, sys.argv[1:4])
number = col("index")
# A step that shares no factor with the keys' count: each key comes once in so many rows, far from its neighbours.
columns = {"key": number * 7_919 % keys, "value": number, "moment": number / rows_per_millisecond}
env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
rows = env.from_source(DataGeneratorSource(columns, records), WatermarkStrategy.for_monotonous_timestamps().with_timestamp_column("moment"), "rows")
sums = rows.key_by("key").window(TumblingEventTimeWindows.of(Time.seconds(10))).agg(count().alias("count"), sum_("value").alias("total"))
if sys.argv[4:] == ["check"]:
    found = list(sums.execute_and_collect())
    assert sum(row["count"] for row in found) == records
    assert sum(row["total"] for row in found) == records * (records - 1) // 2
    print(len(found), "sums are right, the first is", found[0])
else:
    sums.sink_to(DiscardingSink())
    begun = time.perf_counter()
    env.execute("windows")
    print(json.dumps({"seconds": time.perf_counter() - begun}))
