from pyflink.common import Types, WatermarkStrategy
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.number_seq import NumberSequenceSource

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
env.from_source(NumberSequenceSource(3, 9), WatermarkStrategy.no_watermarks(), "numbers", Types.LONG()).map(lambda n: n * 10, Types.LONG()).print()
env.execute()
