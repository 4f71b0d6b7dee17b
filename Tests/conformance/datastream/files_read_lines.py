import pathlib

from pyflink.common import WatermarkStrategy
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.file_system import FileSource, StreamFormat

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
folder = pathlib.Path("lines")
folder.mkdir()
(folder / "one.txt").write_text("a\nb b\n\nc")
(folder / "two.txt").write_text("d\n")
source = FileSource.for_record_stream_format(StreamFormat.text_line_format(), str(folder.resolve())).build()
with env.from_source(source, WatermarkStrategy.no_watermarks(), "files").map(lambda line: line.upper()).execute_and_collect() as results:
    print(sorted(results))
