"""Sums per key and ten seconds by a Python aggregate function: python with_millstream.py RECORDS [general].

With `general` the windows have a trigger of the program's own, so that the general window operator runs instead of the engine's.
"""

import json
import sys
import time

from events import KEYS, events
from millstream.common import WatermarkStrategy
from millstream.common.watermark_strategy import TimestampAssigner
from millstream.datastream import AggregateFunction, StreamExecutionEnvironment
from millstream.datastream.window import EventTimeTrigger, Time, TumblingEventTimeWindows


class Moment(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[2]


class Sum(AggregateFunction):
    def create_accumulator(self):
        return 0, 0

    def add(self, value, accumulator):
        return accumulator[0] + 1, accumulator[1] + value[1]

    def get_result(self, accumulator):
        return accumulator

    def merge(self, a, b):
        return a[0] + b[0], a[1] + b[1]


class OwnTrigger(EventTimeTrigger):
    pass


records = int(sys.argv[1])
data = list(events(records))
env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
stream = env.from_collection(data).assign_timestamps_and_watermarks(
    WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Moment())
)
windowed = stream.key_by(lambda value: value[0]).window(TumblingEventTimeWindows.of(Time.seconds(10)))
if "general" in sys.argv:
    windowed = windowed.trigger(OwnTrigger())
results = windowed.aggregate(Sum())
begun = time.perf_counter()
with results.execute_and_collect("windows") as iterator:
    found = list(iterator)
seconds = time.perf_counter() - begun
assert len(found) % KEYS == 0
print(json.dumps({"seconds": seconds, "count": sum(pair[0] for pair in found), "total": sum(pair[1] for pair in found), "windows": len(found)}))
