import asyncio

from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import AsyncDataStream, AsyncFunction, ProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.window import TumblingEventTimeWindows


class At(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value * 100


class Twice(AsyncFunction):
    async def async_invoke(self, value):
        await asyncio.sleep(value % 4 * 0.01)
        return [value, value + 1000]


class Stamp(ProcessFunction):
    def process_element(self, value, ctx):
        yield value, ctx.timestamp()


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
timed = env.from_collection(list(range(12)), Types.INT()).assign_timestamps_and_watermarks(
    WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(At()))
twice = AsyncDataStream.ordered_wait(timed, Twice(), Time.seconds(30), 5, Types.INT())
with twice.process(Stamp()).execute_and_collect() as results:
    print(list(results))
twice = AsyncDataStream.unordered_wait(timed, Twice(), Time.seconds(30), 5, Types.INT())
windows = twice.key_by(lambda value: value % 2, Types.INT()).window(TumblingEventTimeWindows.of(Time.milliseconds(400)))
with windows.reduce(lambda x, y: x + y).execute_and_collect() as results:
    print(sorted(results))
