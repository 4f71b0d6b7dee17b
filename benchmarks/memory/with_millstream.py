"""A source that is faster than its sink: python with_millstream.py integers|objects SECONDS EXCHANGE_BYTES."""

import json
import sys
import time

from millstream.common import Configuration, Types, WatermarkStrategy
from millstream.datastream import StreamExecutionEnvironment
from millstream.datastream.connectors.number_seq import NumberSequenceSource
from millstream.datastream.connectors.python import PythonSink

kind, seconds, exchange_bytes = sys.argv[1], float(sys.argv[2]), sys.argv[3]
# Rows that the sink takes in a second.
SINK_ROWS_PER_SECOND = 20_000
written = 0


def widen(number):
    """A text of a kilobyte: what the engine carries is a reference to it."""
    return f"{number:01000d}"


class SlowSink(PythonSink):
    def write(self, values):
        global written
        time.sleep(len(values) / SINK_ROWS_PER_SECOND)
        written += len(values)


configuration = Configuration()
configuration.set_string("millstream.exchange.memory", f"{exchange_bytes} b")
env = StreamExecutionEnvironment.get_execution_environment(configuration)
env.set_parallelism(1)
stream = env.from_source(NumberSequenceSource(0, 2**62), WatermarkStrategy.no_watermarks(), "numbers", Types.LONG())
if kind == "objects":
    stream = stream.map(widen)
stream.rebalance().sink_to(SlowSink())
job = env.execute_async("memory")
time.sleep(seconds)
operators = job.get_metrics()["operators"]
job.cancel().result()
print(json.dumps({"written": written, "read": operators[0]["numRecordsOut"], "queued_bytes": max(entry["queuedBytes"] for entry in operators)}))
