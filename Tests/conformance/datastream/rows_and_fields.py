from pyflink.common import Row, Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
type_info = Types.ROW_NAMED(["name", "age"], [Types.STRING(), Types.INT()])
stream = env.from_collection([Row("ann", 31), Row("bob", 42)], type_info)
stream.print()
env.execute()
with stream.map(lambda row: Row(row[0].upper(), row[1] + 1), type_info).execute_and_collect() as results:
    for row in results:
        print(row, row[0], row.name if hasattr(row, "name") else "-")
with stream.map(lambda row: f"{row.name} {row['age']}", Types.STRING()).execute_and_collect() as results:
    print(list(results))
