# order: any
from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.functions import BroadcastProcessFunction
from pyflink.datastream.state import MapStateDescriptor

RULES = MapStateDescriptor("rules", Types.STRING(), Types.LONG())


class Rules(BroadcastProcessFunction):
    def process_element(self, value, ctx):
        assert ctx.get_broadcast_state(RULES).get("none") is None
        yield f"value {value} {hasattr(ctx, 'timer_service')}"

    def process_broadcast_element(self, value, ctx):
        state = ctx.get_broadcast_state(RULES)
        before = state.get(value[0])
        if value[1] < 0:
            state.remove(value[0])
        else:
            state.put(value[0], value[1])
        yield f"rule {value} {before} {value[0] in state} {sorted(state.items())} {sorted(state.keys())} {sorted(state.values())}"


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
rules = env.from_collection([("min", 1), ("max", 9), ("min", 2), ("max", -1)], Types.TUPLE([Types.STRING(), Types.LONG()]))
env.from_collection([5, 6], Types.LONG()).connect(rules.broadcast(RULES)).process(Rules(), Types.STRING()).print()
env.execute()
