from pyflink.common import Configuration, Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
configuration = Configuration()
configuration.set_integer("parallelism.default", 3)
configuration.set_string("pipeline.name", "from the configuration")
other = StreamExecutionEnvironment.get_execution_environment(configuration)
print(other.get_parallelism())
other.from_collection([1, 2], Types.INT()).map(lambda n: n * n, Types.INT()).set_parallelism(1).print().set_parallelism(1)
other.execute()
