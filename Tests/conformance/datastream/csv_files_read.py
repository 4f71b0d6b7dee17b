import pathlib

from pyflink.common import WatermarkStrategy
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.file_system import FileSource
from pyflink.datastream.formats.csv import CsvReaderFormat, CsvSchema
from pyflink.table import DataTypes

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
pathlib.Path("in.csv").write_text('1,ann,1.5\n2,"bob, jr",2.25\n')
schema = CsvSchema.builder().add_number_column("id", DataTypes.BIGINT()).add_string_column("name").add_number_column("x", DataTypes.DOUBLE()).build()
source = FileSource.for_record_stream_format(CsvReaderFormat.for_schema(schema), str(pathlib.Path("in.csv").resolve())).build()
with env.from_source(source, WatermarkStrategy.no_watermarks(), "csv").map(lambda row: (row[0], row[1], row[2])).execute_and_collect() as results:
    for row in sorted(results, key=lambda row: row[0]):
        print(row[0], row[1], row[2])
