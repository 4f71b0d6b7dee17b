from pyflink.common import Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import ProcessFunction, StreamExecutionEnvironment


class At(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1]


class When(ProcessFunction):
    def process_element(self, value, ctx):
        yield value[0], ctx.timestamp()


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
pairs = Types.TUPLE([Types.STRING(), Types.LONG()])


def timed(values):
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(At())
    return env.from_collection(values, pairs).assign_timestamps_and_watermarks(strategy)


stream = timed([("a", 5), ("b", 7), ("c", 9)]).map(lambda v: (v[0] * 2, 0), pairs).filter(lambda v: v[0] != "bb").flat_map(lambda v: [v, v], pairs)
with stream.rebalance().process(When()).execute_and_collect() as results:
    print(sorted(results))
