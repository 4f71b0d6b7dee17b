"""The same on Bytewax: python with_bytewax.py JOBS."""

import json
import sys
import time
from datetime import datetime, timedelta, timezone

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.operators.windowing import EventClock, TumblingWindower, reduce_window
from bytewax.testing import TestingSink, TestingSource, run_main
from records import RECORDS

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017
jobs = int(sys.argv[1])
# Its event clock wants a datetime, which each record has from the beginning.
data = [(key, number, EPOCH + timedelta(milliseconds=moment)) for key, number, moment in RECORDS]


def job():
    found = []
    flow = Dataflow("small")
    keyed = op.key_on("keyed", op.input("input", flow, TestingSource(data)), lambda value: value[0])
    windows = reduce_window(
        "windows",
        keyed,
        EventClock(lambda value: value[2], wait_for_system_duration=timedelta(hours=1)),
        TumblingWindower(length=timedelta(seconds=5), align_to=EPOCH),
        lambda a, b: (a[0], a[1] + b[1], a[2]),
    )
    op.output("output", windows.down, TestingSink(found))
    run_main(flow)
    return [value for _, (_, value) in found]


found = []
begun, begun_cpu = time.perf_counter(), time.process_time()
for _ in range(jobs):
    found += job()
seconds, cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
print(json.dumps({"seconds": seconds, "cpu": cpu, "count": len(found), "total": sum(value[1] for value in found)}))
