"""The same on Bytewax: python with_bytewax.py lines.txt."""

import time

begun = time.perf_counter()
import bytewax.operators as op
from bytewax.connectors.stdio import StdOutSink
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSource, run_main

imported = time.perf_counter()

import sys


def count(total: int | None, pair: tuple[str, int]) -> tuple[int, int]:
    total = (total or 0) + pair[1]
    return total, total


flow = Dataflow("wordcount")
with open(sys.argv[1]) as file:
    lines = op.input("lines", flow, TestingSource(file.read().splitlines()))
words = op.flat_map("words", lines, lambda line: line.lower().split())
pairs = op.map("pairs", words, lambda word: (word, 1))
keyed = op.key_on("keyed", pairs, lambda pair: pair[0])
counts = op.stateful_map("counts", keyed, count)
op.output("print", op.map("text", counts, str), StdOutSink())
run_main(flow)
print(f'{{"import_seconds": {imported - begun}}}')
