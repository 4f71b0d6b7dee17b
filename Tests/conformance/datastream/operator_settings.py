# order: any
from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
stream = env.from_collection([1, 2, 3], Types.INT()).set_parallelism(1)
mapped = stream.map(lambda n: n + 1, Types.INT()).name("plus one").uid("plus").set_parallelism(2).set_description("adds one")
print(mapped.get_name())
chained = mapped.filter(lambda n: n > 2).name("large").start_new_chain().disable_chaining().set_buffer_timeout(10)
print(chained.get_name(), env.get_parallelism())
chained.force_non_parallel().print()
env.execute("settings")
