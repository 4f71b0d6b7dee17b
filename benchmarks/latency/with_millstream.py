"""Records that are due at a steady rate, through key_by and a process function: python with_millstream.py RATE SECONDS."""

import json
import sys
import time
from array import array

from millstream.common import Types, WatermarkStrategy
from millstream.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from millstream.datastream.connectors.python import PythonSink, PythonSource
from millstream.datastream.state import ValueStateDescriptor

rate, seconds = int(sys.argv[1]), float(sys.argv[2])
interval = 1_000_000_000 // rate
total = int(rate * seconds)
latencies = array("q")
clock = time.perf_counter_ns
record = Types.TUPLE([Types.LONG(), Types.LONG()])


class Paced(PythonSource):
    """Hands over the records that are due; asks to be asked again after a millisecond."""

    def __init__(self):
        super().__init__(record)
        self.start = clock()
        self.sent = 0

    def read(self, limit):
        if self.sent >= total:
            return None
        due = min(total, self.sent + limit, (clock() - self.start) // interval + 1)
        if due == self.sent:
            return 0.001
        first, self.sent = self.sent, due
        return [(number % 1000, self.start + number * interval) for number in range(first, due)]


class Count(KeyedProcessFunction):
    def open(self, context: RuntimeContext):
        self.seen = context.get_state(ValueStateDescriptor("seen", Types.LONG()))

    def process_element(self, value, context):
        self.seen.update((self.seen.value() or 0) + 1)
        yield value


class Stopwatch(PythonSink):
    def write(self, values):
        for value in values:
            latencies.append(clock() - value[1])


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
env.set_buffer_timeout(5)
paced = env.from_source(Paced(), WatermarkStrategy.no_watermarks(), "paced")
paced.key_by(lambda value: value[0], key_type=Types.LONG()).process(Count(), output_type=record).sink_to(Stopwatch())
env.execute("latency")
# The first second warms up.
found = sorted(latencies[rate:])
at = lambda share: found[min(len(found) - 1, int(len(found) * share))] / 1e6
print(json.dumps({"records": len(found), "p50": at(0.5), "p99": at(0.99), "p999": at(0.999), "max": found[-1] / 1e6}))
