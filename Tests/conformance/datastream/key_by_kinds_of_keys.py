from pyflink.common import Row, Types
from pyflink.datastream import KeySelector, StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
stream = env.from_collection([("a", 1), ("b", 10), ("a", 2), ("c", 100), ("b", 20), ("a", 3)], Types.TUPLE([Types.STRING(), Types.LONG()]))


def counts(selector, key_type=None):
    keyed = stream.key_by(selector, key_type).map(lambda v: (v[0], 1)).key_by(lambda v: v[0])
    with keyed.reduce(lambda a, b: (a[0], a[1] + b[1])).execute_and_collect() as results:
        print(sorted(results))


class Selector(KeySelector):
    def get_key(self, value):
        return value[0]


counts(lambda v: v[0])
counts(lambda v: v[1] % 2, Types.LONG())
counts(lambda v: (v[0], v[1] % 2), Types.TUPLE([Types.STRING(), Types.LONG()]))
counts(lambda v: Row(v[0]), Types.ROW([Types.STRING()]))
counts(Selector(), Types.STRING())
counts(lambda v: v[1] % 2 == 0, Types.BOOLEAN())
counts(lambda v: v[1] / 2, Types.DOUBLE())
