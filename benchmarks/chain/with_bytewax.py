"""The same on Bytewax: python with_bytewax.py RECORDS [BATCH].

Bytewax's keys are text. The source hands over 1,000 numbers at a time, with which Bytewax is fastest here.
"""

import json
import sys
import time

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import TestingSource, run_main

records = int(sys.argv[1])
batch = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
found = []


class Collecting(DynamicSink):
    def build(self, step_id, worker_index, worker_count):
        return Collector()


class Collector(StatelessSinkPartition):
    def write_batch(self, items):
        found.extend(items)


def add(left, right):
    total = right if left is None else (left[0], left[1] + right[1])
    return total, total


flow = Dataflow("chain")
numbers = op.input("numbers", flow, TestingSource(range(records), batch))
doubled = op.map("doubled", numbers, lambda x: x * 2)
thirds = op.filter("thirds", doubled, lambda x: x % 3 == 0)
pairs = op.map("pairs", thirds, lambda x: (x % 1000, x))
keyed = op.key_on("keyed", pairs, lambda pair: str(pair[0]))
sums = op.stateful_map("sums", keyed, add)
wanted = op.filter_value("wanted", sums, lambda pair: pair[1] % 1000 == 0)
op.output("found", wanted, Collecting())
begun = time.perf_counter()
run_main(flow)
seconds = time.perf_counter() - begun
print(json.dumps({"seconds": seconds, "count": len(found), "total": sum(pair[1] for _, pair in found)}))
