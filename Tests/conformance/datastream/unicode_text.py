from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
texts = env.from_collection(["gr\u00fc\u00df", "\U0001f600\U0001f680", "e\u0301", "\u65e5\u672c\u8a9e", "a\tb\\n"], Types.STRING())
texts.map(lambda s: f"{len(s)} {s[::-1]} {s.upper()}", Types.STRING()).print()
env.execute()
keyed = texts.map(lambda s: (s, 1), Types.TUPLE([Types.STRING(), Types.INT()])).key_by(lambda p: p[0], Types.STRING())
keyed.reduce(lambda a, b: (a[0], a[1] + b[1])).print()
env.execute()
