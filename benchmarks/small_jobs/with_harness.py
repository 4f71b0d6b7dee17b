"""The same pipeline in harnesses, without the engine: python with_harness.py TESTS."""

import json
import sys
import time

from millstream.common import Time
from millstream.datastream.window import TumblingEventTimeWindows
from millstream.testing import StreamHarness
from records import RECORDS

tests = int(sys.argv[1])


def pipeline(stream):
    windows = stream.key_by(lambda value: value[0]).window(TumblingEventTimeWindows.of(Time.seconds(5)))
    return windows.reduce(lambda a, b: (a[0], a[1] + b[1], a[2]))


found = []
begun, begun_cpu = time.perf_counter(), time.process_time()
for _ in range(tests):
    with StreamHarness(pipeline) as harness:
        for value in RECORDS:
            harness.process_element(value, value[2])
        harness.end_input()
        found += harness.extract_output_values()
seconds, cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
print(json.dumps({"seconds": seconds, "cpu": cpu, "count": len(found), "total": sum(value[1] for value in found)}))
