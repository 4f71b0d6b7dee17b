from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(2)
stream = env.from_collection([(n % 5, n) for n in range(50)], Types.TUPLE([Types.INT(), Types.INT()]))
with stream.rebalance().key_by(lambda v: v[0], Types.INT()).reduce(lambda a, b: (a[0], a[1] + b[1])).execute_and_collect() as results:
    totals = {}
    for key, total in results:
        totals[key] = max(totals.get(key, 0), total)
print(totals[0], totals[1], totals[2], totals[3], totals[4])
