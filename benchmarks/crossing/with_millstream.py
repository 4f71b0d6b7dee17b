"""One Python function over a BIGINT column, then the same job without it: python with_millstream.py RECORDS."""

import json
import sys
import time

from millstream.common import Types, WatermarkStrategy
from millstream.datastream import StreamExecutionEnvironment
from millstream.datastream.connectors.discarding import DiscardingSink
from millstream.datastream.connectors.number_seq import NumberSequenceSource


def run(records, function):
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    stream = env.from_source(NumberSequenceSource(0, records - 1), WatermarkStrategy.no_watermarks(), "numbers", Types.LONG())
    if function:
        stream = stream.map(function, output_type=Types.LONG())
    stream.sink_to(DiscardingSink())
    begun = time.perf_counter()
    env.execute("crossing")
    return time.perf_counter() - begun


records = int(sys.argv[1])
without = run(records, None)
print(json.dumps({"seconds": run(records, lambda x: x * 2 + 1), "without_seconds": without}))
