# order: any
from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
env.from_collection([1, 2, 3], Types.INT()).map(lambda n: n + 1, Types.INT()).print()
client = env.execute_async("in the background")
result = client.get_job_execution_result().result()
print(type(client).__name__, type(result).__name__, len(str(client.get_job_id())))
print(result.get_net_runtime() >= 0, result.get_job_execution_result() is not None if hasattr(result, "get_job_execution_result") else True)
