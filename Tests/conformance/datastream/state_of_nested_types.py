# needs: states of declared rows, lists, maps and tuples
from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.functions import AggregateFunction
from pyflink.datastream.state import AggregatingStateDescriptor, ListStateDescriptor, MapStateDescriptor, ReducingStateDescriptor, ValueStateDescriptor

LAST = Types.ROW_NAMED(["name", "amount"], [Types.STRING(), Types.LONG()])


class Average(AggregateFunction):
    def create_accumulator(self):
        return 0, 0

    def add(self, value, accumulator):
        return accumulator[0] + value, accumulator[1] + 1

    def get_result(self, accumulator):
        return accumulator[0] / accumulator[1]

    def merge(self, a, b):
        return a[0] + b[0], a[1] + b[1]


class Remember(KeyedProcessFunction):
    def open(self, runtime_context: RuntimeContext):
        self.last = runtime_context.get_state(ValueStateDescriptor("last", LAST))
        self.steps = runtime_context.get_state(ValueStateDescriptor("steps", Types.LIST(Types.LONG())))
        self.rows = runtime_context.get_list_state(ListStateDescriptor("rows", LAST))
        self.seen = runtime_context.get_map_state(MapStateDescriptor("seen", Types.STRING(), Types.LIST(Types.LONG())))
        self.counts = runtime_context.get_state(ValueStateDescriptor("counts", Types.MAP(Types.STRING(), Types.LONG())))
        self.sum = runtime_context.get_reducing_state(
            ReducingStateDescriptor("sum", lambda a, b: Row(a[0], a[1] + b[1]), Types.ROW([Types.STRING(), Types.LONG()])))
        self.average = runtime_context.get_aggregating_state(
            AggregatingStateDescriptor("average", Average(), Types.TUPLE([Types.LONG(), Types.LONG()])))

    def process_element(self, value, ctx):
        name, amount = value
        before = self.last.value()
        self.last.update(Row(name=name, amount=amount))
        steps = self.steps.value() or []
        self.steps.update(steps + [amount])
        self.rows.add(Row(name=name, amount=amount * 10))
        self.seen.put("all", (self.seen.get("all") or []) + [amount])
        counts = self.counts.value() or {}
        counts[name] = counts.get(name, 0) + 1
        self.counts.update(counts)
        self.sum.add(Row(name, amount))
        self.average.add(amount)
        yield str((
            None if before is None else (before.name, before["amount"]),
            self.steps.value(),
            [(row[0], row.amount) for row in self.rows],
            self.seen.get("all"),
            self.counts.value(),
            tuple(self.sum.get()),
            self.average.get(),
        ))
        if amount > 4:
            self.last.clear()
            self.rows.clear()
            self.seen.clear()


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
values = [("a", 1), ("b", 5), ("a", 2), ("a", 6), ("b", 3), ("a", 4)]
stream = env.from_collection(values, Types.TUPLE([Types.STRING(), Types.LONG()]))
stream.key_by(lambda value: value[0], Types.STRING()).process(Remember(), Types.STRING()).print()
env.execute()
