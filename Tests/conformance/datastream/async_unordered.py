# order: any
import asyncio

from pyflink.common import Row, Time, Types
from pyflink.datastream import AsyncDataStream, AsyncFunction, StreamExecutionEnvironment


class Enrich(AsyncFunction):
    async def async_invoke(self, value):
        await asyncio.sleep(len(value.word) * 0.01)
        return [Row(value.word.upper(), value.n + 1)]


class Letters(AsyncFunction):
    async def async_invoke(self, value):
        return value[0]


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(2)
words = env.from_collection([("apple", 1), ("pear", 2), ("fig", 3), ("plum", 4)], Types.ROW_NAMED(["word", "n"], [Types.STRING(), Types.INT()]))
answers = AsyncDataStream.unordered_wait(words.rebalance(), Enrich(), Time.seconds(30), 2, Types.ROW_NAMED(["name", "m"], [Types.STRING(), Types.INT()]))
named = answers.map(lambda row: (row[0], row[1]), Types.TUPLE([Types.STRING(), Types.INT()]))
AsyncDataStream.unordered_wait(named, Letters(), Time.seconds(30)).print()
named.print()
env.execute()
