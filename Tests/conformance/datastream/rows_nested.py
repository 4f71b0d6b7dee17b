from pyflink.common import Row, Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
inner = Types.ROW_NAMED(["x", "y"], [Types.INT(), Types.STRING()])
outer = Types.ROW_NAMED(["id", "at", "all"], [Types.LONG(), inner, Types.LIST(Types.INT())])
stream = env.from_collection([Row(1, Row(2, "a"), [1, 2]), Row(3, Row(4, "b"), [])], outer)
with stream.map(lambda r: Row(r.id * 10, Row(r["at"].x + 1, r["at"]["y"] * 2), [*r["all"], 9]), outer).execute_and_collect() as results:
    for row in results:
        print(row[0], row[1][0], row[1][1], list(row[2]))
