from pyflink.common import Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import ProcessFunction, StreamExecutionEnvironment


class At(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1]


class Look(ProcessFunction):
    def process_element(self, value, ctx: "ProcessFunction.Context"):
        yield value[0], ctx.timestamp(), ctx.timer_service().current_processing_time() > 1_600_000_000_000


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)


def timed(values):
    stream = env.from_collection(values, Types.TUPLE([Types.STRING(), Types.LONG()]))
    return stream.assign_timestamps_and_watermarks(WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(At()))


with timed([("a", 5), ("b", 3), ("c", -7)]).process(Look()).execute_and_collect() as results:
    print(list(results))
