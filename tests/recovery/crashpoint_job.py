"""A small job with everything that touches the disk: keyed state, windows, a table of SQLite, files. Its results follow from the number of rows.

    crashpoint_job.py FOLDER ROWS PARALLELISM PLAN [SETTING=VALUE...]

PLAN: `end` (runs to the end of its input), `save` (a savepoint on the way), `stop` (stops with a savepoint in the middle).
"""

import sys
import time

from millstream.common import Encoder, RestartStrategies, Time, Types, WatermarkStrategy
from millstream.common.watermark_strategy import TimestampAssigner
from millstream.datastream import KeyedProcessFunction, ReduceFunction, StreamExecutionEnvironment
from millstream.datastream.connectors.file_system import FileSink
from millstream.datastream.connectors.sqlite import SqliteSink
from millstream.datastream.state import ListStateDescriptor, ValueStateDescriptor
from millstream.datastream.window import TumblingEventTimeWindows

folder, rows, parallelism, plan, settings = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5:]
HALF = rows // 2
PAIR = Types.TUPLE([Types.LONG(), Types.LONG()])


def slow(n):
    # A few checkpoints long; and what stops in the middle never comes to the end by itself.
    time.sleep(0.004 if n % 8 == 0 else 0)
    if plan == "stop" and n >= HALF:
        time.sleep(0.002)
    return n


class ByValue(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value


class Totals(KeyedProcessFunction):
    def open(self, runtime_context):
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))
        self.all = runtime_context.get_list_state(ListStateDescriptor("all", Types.LONG()))

    def process_element(self, value, ctx):
        count = (self.count.value() or 0) + 1
        self.count.update(count)
        self.all.add(value)
        yield value, count, sum(self.all.get())


class Sum(ReduceFunction):
    def reduce(self, first, second):
        return (first[0], first[1] + second[1])


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(parallelism).set_max_parallelism(16)
env.enable_checkpointing(10)
env.set_restart_strategy(RestartStrategies.fixed_delay_restart(2, 5))
env.configure({"millstream.batch.rows": "8", **dict(setting.split("=", 1) for setting in settings)})
numbers = env.from_collection(range(rows), Types.LONG()).uid("numbers").map(slow, Types.LONG()).set_parallelism(1)
watermarks = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(ByValue())
times = numbers.assign_timestamps_and_watermarks(watermarks).uid("times").set_parallelism(1)
totals = times.key_by(lambda n: n % 3, Types.LONG()).process(Totals(), Types.TUPLE([Types.LONG()] * 3)).uid("totals")
totals.sink_to(SqliteSink(folder + "/out.db", "totals")).uid("table").set_parallelism(1)
pairs = times.map(lambda n: (n % 2, n), PAIR).set_parallelism(1).key_by(lambda pair: pair[0], Types.LONG())
sums = pairs.window(TumblingEventTimeWindows.of(Time.milliseconds(10))).reduce(Sum(), output_type=PAIR).uid("sums")
sums.map(lambda pair: f"{pair[0]} {pair[1]}", Types.STRING()).sink_to(
    FileSink.for_row_format(folder + "/out", Encoder.simple_string_encoder()).build()
).uid("files")
client = env.execute_async("crash")
if plan in ("save", "stop"):
    time.sleep(0.025)
    (client.stop_with_savepoint(False, folder + "/savepoints") if plan == "stop" else client.trigger_savepoint(folder + "/savepoints")).result()
client.get_job_execution_result().result()
