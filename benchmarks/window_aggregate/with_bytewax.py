"""The same on Bytewax: python with_bytewax.py RECORDS.

Its event clock wants a datetime, which each record has from the beginning. It goes on while the machine's clock does, and with it windows close; so that no
record is late however long the program takes, it waits for an hour.
"""

import json
import sys
import time
from datetime import datetime, timedelta, timezone

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.operators.windowing import EventClock, TumblingWindower, fold_window
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import TestingSource, run_main
from events import events

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017
records = int(sys.argv[1])
data = [(key, number, EPOCH + timedelta(milliseconds=moment)) for key, number, moment in events(records)]
found = []


class Collecting(DynamicSink):
    def build(self, step_id, worker_index, worker_count):
        return Collector()


class Collector(StatelessSinkPartition):
    def write_batch(self, items):
        found.extend(items)


flow = Dataflow("windows")
stream = op.input("events", flow, TestingSource(data, 1000))
keyed = op.key_on("keyed", stream, lambda value: value[0])
windows = fold_window(
    "windows",
    keyed,
    EventClock(lambda value: value[2], wait_for_system_duration=timedelta(hours=1)),
    TumblingWindower(length=timedelta(seconds=10), align_to=EPOCH),
    lambda: (0, 0),
    lambda accumulator, value: (accumulator[0] + 1, accumulator[1] + value[1]),
    lambda a, b: (a[0] + b[0], a[1] + b[1]),
    # Sums need no order, and putting values into one is most of its work.
    ordered=False,
)
op.output("found", op.map("results", windows.down, lambda pair: pair[1][1]), Collecting())
begun = time.perf_counter()
run_main(flow)
seconds = time.perf_counter() - begun
print(json.dumps({"seconds": seconds, "count": sum(pair[0] for pair in found), "total": sum(pair[1] for pair in found), "windows": len(found)}))
