from pyflink.common import Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import ProcessFunction, StreamExecutionEnvironment


class At(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1]


class Nothing(ProcessFunction):
    def process_element(self, value, ctx):
        pass


class Some(ProcessFunction):
    def process_element(self, value, ctx):
        if value[1] > 3:
            return [value, value]


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)


def timed(values):
    stream = env.from_collection(values, Types.TUPLE([Types.STRING(), Types.LONG()]))
    return stream.assign_timestamps_and_watermarks(WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(At()))


with timed([("a", 1), ("b", 5)]).process(Nothing()).execute_and_collect() as results:
    print(list(results))
with timed([("a", 1), ("b", 5)]).process(Some()).execute_and_collect() as results:
    print(list(results))
