# order: any
from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.functions import ProcessWindowFunction
from pyflink.datastream.window import CountTrigger, EventTimeSessionWindows, NeverTrigger, SessionWindowTimeGapExtractor, SlidingEventTimeWindows, TumblingEventTimeWindows


class Second(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[1] * 1000


class Seconds(ProcessWindowFunction):
    def process(self, key, context, elements):
        window = context.window()
        return [(key, window.start, window.end, [value[1] for value in elements])]


class Zero(SessionWindowTimeGapExtractor):
    def extract(self, element):
        return 0


env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
elements = [("a", 1), ("a", 2), ("b", 3), ("a", 4), ("b", 6), ("a", 8), ("a", 9), ("b", 15), ("a", 21), ("a", 22)]
stream = env.from_collection(elements, Types.TUPLE([Types.STRING(), Types.LONG()])).assign_timestamps_and_watermarks(
    WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Second())
)
keyed = stream.key_by(lambda value: value[0], Types.STRING())

def fails(what, call):
    try:
        call()
    except Exception:
        print(what, "is refused")
    else:
        print(what, "is accepted")


# With keys PyFlink does not look at can_merge(); Flink's Java API does.
sessions = EventTimeSessionWindows.with_gap(Time.seconds(3))
fails("a trigger that cannot merge", lambda: stream.window_all(sessions).trigger(NeverTrigger()))
fails("an offset of the size", lambda: TumblingEventTimeWindows.of(Time.seconds(5), Time.seconds(5)))
fails("an offset of the slide", lambda: SlidingEventTimeWindows.of(Time.seconds(5), Time.seconds(1), Time.seconds(1)))
fails("a gap of nothing", lambda: EventTimeSessionWindows.with_gap(Time.seconds(0)))
dynamic = EventTimeSessionWindows.with_dynamic_gap(Zero())
fails("a dynamic gap of nothing", lambda: list(keyed.window(dynamic).process(Seconds()).execute_and_collect()))
untimed = env.from_collection([("a", 1)]).key_by(lambda value: value[0])
tumbling = TumblingEventTimeWindows.of(Time.seconds(5))
fails("a stream without timestamps", lambda: list(untimed.window(tumbling).trigger(CountTrigger.of(1)).process(Seconds()).execute_and_collect()))
