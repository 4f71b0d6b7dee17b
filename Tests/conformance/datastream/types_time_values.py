import datetime

from pyflink.common import Instant, Row, Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
fields = [Types.SQL_DATE(), Types.SQL_TIME(), Types.SQL_TIMESTAMP(), Types.INSTANT()]
row = Row(
    datetime.date(2024, 2, 29),
    datetime.time(13, 14, 15, 123000),
    datetime.datetime(2024, 2, 29, 13, 14, 15, 123000),
    Instant.of_epoch_milli(1_709_212_455_123),
)
stream = env.from_collection([row]).map(lambda row: row, Types.ROW(fields))
with stream.map(lambda row: [(type(value).__name__, str(value)) for value in row]).execute_and_collect() as results:
    for row in results:
        print(row)
