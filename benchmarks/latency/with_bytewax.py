"""The same on Bytewax: python with_bytewax.py RATE SECONDS."""

import json
import sys
import time
from array import array
from datetime import datetime, timedelta

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import DynamicSource, StatelessSourcePartition
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main

rate, seconds = int(sys.argv[1]), float(sys.argv[2])
interval = 1_000_000_000 // rate
total = int(rate * seconds)
latencies = array("q")
clock = time.perf_counter_ns


class Paced(DynamicSource):
    def build(self, step_id, worker_index, worker_count):
        return PacedPartition()


class PacedPartition(StatelessSourcePartition):
    """Hands over the records that are due; looks again after a millisecond."""

    def __init__(self):
        self.start = clock()
        self.sent = 0

    def next_batch(self):
        if self.sent >= total:
            raise StopIteration
        due = min(total, (clock() - self.start) // interval + 1)
        first, self.sent = self.sent, due
        return [(number % 1000, self.start + number * interval) for number in range(first, due)]

    def next_awake(self):
        return datetime.now().astimezone() + timedelta(milliseconds=1)


class Measuring(DynamicSink):
    def build(self, step_id, worker_index, worker_count):
        return Stopwatch()


class Stopwatch(StatelessSinkPartition):
    def write_batch(self, items):
        for _, record in items:
            latencies.append(clock() - record[1])


def count(seen, record):
    return (seen or 0) + 1, record


flow = Dataflow("latency")
keyed = op.key_on("keyed", op.input("paced", flow, Paced()), lambda record: str(record[0]))
op.output("measure", op.stateful_map("count", keyed, count), Measuring())
run_main(flow)
# The first second warms up.
found = sorted(latencies[rate:])
at = lambda share: found[min(len(found) - 1, int(len(found) * share))] / 1e6
print(json.dumps({"records": len(found), "p50": at(0.5), "p99": at(0.99), "p999": at(0.999), "max": found[-1] / 1e6}))
