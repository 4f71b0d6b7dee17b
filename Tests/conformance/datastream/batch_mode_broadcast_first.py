# In BATCH mode a broadcast stream comes whole before the other stream.
from pyflink.common import Types
from pyflink.datastream import BroadcastProcessFunction, KeyedBroadcastProcessFunction, RuntimeExecutionMode, StreamExecutionEnvironment
from pyflink.datastream.state import MapStateDescriptor

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
env.set_runtime_mode(RuntimeExecutionMode.BATCH)
RULES = MapStateDescriptor("rules", Types.INT(), Types.STRING())


class Apply(BroadcastProcessFunction):
    def process_element(self, value, ctx):
        yield value, len(list(ctx.get_broadcast_state(RULES)))

    def process_broadcast_element(self, value, ctx):
        ctx.get_broadcast_state(RULES).put(value, "rule")
        yield "rule", value


class ApplyKeyed(KeyedBroadcastProcessFunction):
    def process_element(self, value, ctx):
        yield value, len(list(ctx.get_broadcast_state(RULES)))

    def process_broadcast_element(self, value, ctx):
        ctx.get_broadcast_state(RULES).put(value, "rule")
        yield "rule", value


values = env.from_collection(["x", "y", "z"], Types.STRING())
rules = env.from_collection(list(range(500)), Types.INT()).broadcast(RULES)
for stream in (values.connect(rules).process(Apply()), values.key_by(lambda v: v, Types.STRING()).connect(rules).process(ApplyKeyed())):
    with stream.execute_and_collect() as results:
        found = list(results)
    print([row[0] for row in found].index("x") >= 500, sorted(row for row in found if row[0] != "rule"), sum(row[1] for row in found if row[0] == "rule"))
