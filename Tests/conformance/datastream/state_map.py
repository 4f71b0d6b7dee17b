from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.state import MapStateDescriptor


class Words(KeyedProcessFunction):
    def open(self, runtime_context: RuntimeContext):
        self.counts = runtime_context.get_map_state(MapStateDescriptor("counts", Types.STRING(), Types.LONG()))

    def process_element(self, value, ctx):
        key, word = value
        yield key, "before", word, self.counts.contains(word), self.counts.get(word), self.counts.is_empty()
        if word == "-":
            self.counts.remove("x")
            self.counts.remove("never")
        elif word == "!":
            self.counts.clear()
        elif word == "++":
            self.counts.put("x", 10)
            self.counts.put("y", 20)
        else:
            self.counts.put(word, (self.counts.get(word) or 0) + 1)
        yield key, sorted(self.counts.items()), sorted(self.counts.keys()), sorted(self.counts.values()), sorted(self.counts)


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
values = [("a", "x"), ("a", "x"), ("b", "y"), ("a", "y"), ("a", "-"), ("a", "++"), ("b", "!"), ("b", "z"), ("a", "!"), ("a", "x")]
stream = env.from_collection(values, Types.TUPLE([Types.STRING(), Types.STRING()]))
with stream.key_by(lambda v: v[0], Types.STRING()).process(Words()).execute_and_collect() as results:
    for value in results:
        print(value)
