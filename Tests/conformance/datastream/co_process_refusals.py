from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.functions import (
    BroadcastProcessFunction,
    CoMapFunction,
    KeyedBroadcastProcessFunction,
    MapFunction,
    ProcessFunction,
)
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor

RULES = MapStateDescriptor("rules", Types.STRING(), Types.LONG())


class Plain(BroadcastProcessFunction):
    def process_element(self, value, ctx):
        yield value

    def process_broadcast_element(self, value, ctx):
        yield value


class Keyed(KeyedBroadcastProcessFunction):
    def process_element(self, value, ctx):
        yield value

    def process_broadcast_element(self, value, ctx):
        yield value


class Identity(MapFunction):
    def map(self, value):
        return value


class Process(ProcessFunction):
    def process_element(self, value, ctx):
        yield value


def attempt(what, call):
    try:
        call()
        print(what, "is accepted")
    except Exception as error:
        print(what, type(error).__name__)


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
numbers = env.from_collection([1, 2], Types.LONG())
keyed = numbers.key_by(lambda n: n, Types.LONG())
attempt("map with a lambda", lambda: numbers.connect(numbers).map(lambda n: n))
attempt("map with a MapFunction", lambda: numbers.connect(numbers).map(Identity()))
attempt("flat_map with a CoMapFunction", lambda: numbers.connect(numbers).flat_map(type("M", (CoMapFunction,), {"map1": None, "map2": None})()))
attempt("process with a ProcessFunction", lambda: numbers.connect(numbers).process(Process()))
attempt("broadcast of a value state", lambda: numbers.broadcast(ValueStateDescriptor("v", Types.LONG())))
attempt("a keyed function on a plain stream", lambda: numbers.connect(numbers.broadcast(RULES)).process(Keyed()))
attempt("a plain function on a keyed stream", lambda: keyed.connect(numbers.broadcast(RULES)).process(Plain()))
print(type(numbers.broadcast(RULES)).__name__, type(numbers.broadcast()).__name__, type(keyed.connect(numbers.broadcast(RULES))).__name__)
