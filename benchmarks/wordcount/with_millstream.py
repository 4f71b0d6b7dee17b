"""The word count of the README, timed: python with_millstream.py lines.txt."""

import time

begun = time.perf_counter()
from millstream.common import Types
from millstream.datastream import StreamExecutionEnvironment

imported = time.perf_counter()

import sys

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
with open(sys.argv[1]) as file:
    lines = env.from_collection(file.read().splitlines(), type_info=Types.STRING())
counts = (
    lines.flat_map(lambda line: line.lower().split(), output_type=Types.STRING())
    .map(lambda word: (word, 1), output_type=Types.TUPLE([Types.STRING(), Types.LONG()]))
    .key_by(lambda pair: pair[0], key_type=Types.STRING())
    .reduce(lambda left, right: (left[0], left[1] + right[1]))
)
counts.print()
env.execute("word count")
print(f'{{"import_seconds": {imported - begun}}}')
