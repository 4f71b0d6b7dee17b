from pyflink.common import Types, WatermarkStrategy
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.number_seq import NumberSequenceSource

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(3)
source = env.from_source(NumberSequenceSource(1, 100), WatermarkStrategy.no_watermarks(), "numbers", Types.LONG())
totals = source.map(lambda n: (n % 3, n), Types.TUPLE([Types.LONG(), Types.LONG()])).key_by(lambda pair: pair[0], Types.LONG())
with totals.reduce(lambda a, b: (a[0], a[1] + b[1])).execute_and_collect() as results:
    last = {}
    for key, total in results:
        last[key] = max(total, last.get(key, 0))
print(sorted(last.items()))
