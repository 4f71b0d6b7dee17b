"""A chain of Python functions with a keyed reduce in it: python with_millstream.py RECORDS."""

import json
import sys
import time

from millstream.common import Types, WatermarkStrategy
from millstream.datastream import StreamExecutionEnvironment
from millstream.datastream.connectors.number_seq import NumberSequenceSource

records = int(sys.argv[1])
env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
numbers = env.from_source(NumberSequenceSource(0, records - 1), WatermarkStrategy.no_watermarks(), "numbers", Types.LONG())
results = (
    numbers.map(lambda x: x * 2, output_type=Types.LONG())
    .filter(lambda x: x % 3 == 0)
    .map(lambda x: (x % 1000, x), output_type=Types.TUPLE([Types.LONG(), Types.LONG()]))
    .key_by(lambda pair: pair[0], key_type=Types.LONG())
    .reduce(lambda left, right: (left[0], left[1] + right[1]))
    .filter(lambda pair: pair[1] % 1000 == 0)
)
begun = time.perf_counter()
with results.execute_and_collect("chain") as iterator:
    found = list(iterator)
seconds = time.perf_counter() - begun
print(json.dumps({"seconds": seconds, "count": len(found), "total": sum(pair[1] for pair in found)}))
