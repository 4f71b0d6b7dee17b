"""Checkpoints while a sink takes a hundredth of what its source gives: python with_millstream.py aligned|timeout|unaligned SECONDS."""

import json
import sys
import time

from millstream.common import Types, WatermarkStrategy
from millstream.datastream import CheckpointingMode, StreamExecutionEnvironment
from millstream.datastream.connectors.number_seq import NumberSequenceSource
from millstream.datastream.connectors.python import PythonSink

kind, seconds = sys.argv[1], float(sys.argv[2])
# Rows that the sink takes in a second: 1 % of what a sequence gives to a Python function.
SINK_ROWS_PER_SECOND = 20_000
# What "timeout" waits behind rows.
TIMEOUT_MILLIS = 200
written = 0


class SlowSink(PythonSink):
    def write(self, values):
        global written
        time.sleep(len(values) / SINK_ROWS_PER_SECOND)
        written += len(values)


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1).enable_checkpointing(1_000, CheckpointingMode.EXACTLY_ONCE)
if kind != "aligned":
    env.get_checkpoint_config().enable_unaligned_checkpoints()
if kind == "timeout":
    env.get_checkpoint_config().set_aligned_checkpoint_timeout(TIMEOUT_MILLIS)
stream = env.from_source(NumberSequenceSource(0, 2**62), WatermarkStrategy.no_watermarks(), "numbers", Types.LONG())
stream.rebalance().sink_to(SlowSink())
job = env.execute_async("unaligned")
time.sleep(seconds)
operators = job.get_metrics()["operators"]
done = [each for each in job.checkpoints() if each.is_completed]
job.cancel().result()
print(
    json.dumps(
        {
            "written": written,
            "read": operators[0]["numRecordsOut"],
            "millis": [each.duration_millis for each in done],
            "unaligned": sum(each.is_unaligned for each in done),
            "in_flight_bytes": max((each.in_flight_bytes for each in done), default=0),
            "bytes": max((each.size_bytes for each in done), default=0),
        }
    )
)
