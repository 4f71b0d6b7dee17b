from decimal import Decimal

from pyflink.common import Row, Types
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
texts = ["1.50", "-0.001", "0", "100", "1E+3", "12.3E+7", "1E-6", "1E-7", "1E-10", "0E-8", "0E+3", "123456789012345678901234567890.12"]
numbers = [Decimal(text) for text in texts]

env.from_collection(numbers, Types.BIG_DEC()).print()
env.execute()
env.from_collection(numbers, Types.BIG_DEC()).map(lambda number: number, Types.BIG_DEC()).print()
env.execute()
env.from_collection(numbers).map(lambda number: number).print()
env.execute()
env.from_collection([(number, 1) for number in numbers], Types.TUPLE([Types.BIG_DEC(), Types.INT()])).print()
env.execute()
env.from_collection([Row(number, 1) for number in numbers], Types.ROW([Types.BIG_DEC(), Types.INT()])).print()
env.execute()
env.from_collection([Row(number, 1) for number in numbers], Types.ROW_NAMED(["a", "b"], [Types.BIG_DEC(), Types.INT()])).print()
env.execute()
