"""Many small jobs in one process, as a test suite runs them: python with_millstream.py JOBS.

Each is a job of its own: ten records with timestamps go through a keyed window, and the results come back.
"""

import json
import sys
import time

from millstream.common import Time, WatermarkStrategy
from millstream.datastream import StreamExecutionEnvironment
from millstream.datastream.window import TumblingEventTimeWindows
from records import RECORDS

jobs = int(sys.argv[1])
strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(lambda value, _: value[2])


def job() -> list[tuple[str, int, int]]:
    env = StreamExecutionEnvironment.get_execution_environment()
    windows = (
        env.from_collection(RECORDS)
        .assign_timestamps_and_watermarks(strategy)
        .key_by(lambda value: value[0])
        .window(TumblingEventTimeWindows.of(Time.seconds(5)))
    )
    return list(windows.reduce(lambda a, b: (a[0], a[1] + b[1], a[2])).execute_and_collect("small"))


found = []
begun, begun_cpu = time.perf_counter(), time.process_time()
for _ in range(jobs):
    found += job()
seconds, cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
print(json.dumps({"seconds": seconds, "cpu": cpu, "count": len(found), "total": sum(value[1] for value in found)}))
