import pathlib

from pyflink.common import Encoder, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.file_system import FileSink, OutputFileConfig, RollingPolicy

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
target = str(pathlib.Path("out").resolve())
sink = (
    FileSink.for_row_format(target, Encoder.simple_string_encoder("UTF-8"))
    .with_output_file_config(OutputFileConfig.builder().with_part_prefix("words").with_part_suffix(".txt").build())
    .with_rolling_policy(RollingPolicy.default_rolling_policy())
    .build()
)
env.from_collection(["x", "yy", "zzz"], Types.STRING()).map(lambda word: word + "!", Types.STRING()).sink_to(sink)
env.execute("write")
found = [path for path in pathlib.Path("out").rglob("*") if path.is_file()]
print([(path.name.startswith("words-"), path.name.endswith(".txt")) for path in found])
print(sorted(line for path in found for line in path.read_text().splitlines()))
