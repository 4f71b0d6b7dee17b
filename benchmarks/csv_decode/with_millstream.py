"""Decodes a CSV file into typed columns and drops the rows: python with_millstream.py PATH."""

import json
import sys
import time

from millstream.common import Types, WatermarkStrategy
from millstream.datastream import StreamExecutionEnvironment
from millstream.datastream.connectors.discarding import DiscardingSink
from millstream.datastream.connectors.file_system import FileSource
from millstream.datastream.formats.csv import CsvReaderFormat, CsvSchema

schema = (
    CsvSchema.builder()
    .add_number_column("number")
    .add_number_column("quantity", Types.INT())
    .add_number_column("price", Types.DOUBLE())
    .add_boolean_column("is_open")
    .add_string_column("carrier")
    .add_string_column("city")
    .add_column("moment", Types.SQL_TIMESTAMP())
    .build()
)
env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
source = FileSource.for_record_stream_format(CsvReaderFormat.for_schema(schema), sys.argv[1]).build()
env.from_source(source, WatermarkStrategy.no_watermarks(), "rows").sink_to(DiscardingSink())
begun = time.perf_counter()
env.execute("decode")
print(json.dumps({"seconds": time.perf_counter() - begun}))
