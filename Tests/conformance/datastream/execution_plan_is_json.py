import json

from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
env.from_collection([1], Types.INT()).map(lambda n: n, Types.INT()).name("same").print()
plan = json.loads(env.get_execution_plan())
print(sorted(plan))
print([node["parallelism"] for node in plan["nodes"]][:1])
