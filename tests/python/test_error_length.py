"""What a mistake prints: each case is a program of its own whose exception nobody catches. At most 15 lines; what went wrong and in which line of the
program; no line of the package."""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
import re
import signal
import subprocess
import sys
import textwrap

import millstream
import pytest

PACKAGE = str(pathlib.Path(millstream.__file__).parent)

BEGINNING = """\
import datetime, json, os, sys
from millstream.common import *
from millstream.datastream import *
from millstream.datastream.connectors.file_system import FileSink, FileSource, StreamFormat
from millstream.datastream.connectors.number_seq import NumberSequenceSource
from millstream.datastream.connectors.python import PythonSink, PythonSource
from millstream.datastream.functions import *
from millstream.datastream.state import *
from millstream.datastream.window import *
env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
numbers = env.from_collection([1, 2, 3], Types.LONG())
pairs = env.from_collection([("a", 1), ("b", 2)], Types.TUPLE([Types.STRING(), Types.LONG()]))
rows = env.from_collection([Row("a", 1)], Types.ROW_NAMED(["carrier", "delay"], [Types.STRING(), Types.LONG()]))
def fails(*_):
    raise KeyError("mine")
"""


@dataclasses.dataclass(frozen=True)
class Mistake:
    """A program; the exception's type, words that must be there, and a piece of the line that the error must point to."""

    name: str
    program: str
    error: str
    words: tuple[str, ...]
    line: str


MISTAKES: list[Mistake] = []


def mistake(name: str, error: str, words: str, line: str, program: str) -> None:
    """``words`` are divided by `` | ``."""
    MISTAKES.append(Mistake(name, textwrap.dedent(program), error, tuple(words.split(" | ")), line))


# ---- Exceptions in functions --------------------------------------------------------------------------------------------------------------------

mistake("map", "ZeroDivisionError", "operator 'Divide' | record 1: 2", "1 // (n - 2)", """
    numbers.map(lambda n: 1 // (n - 2)).name("Divide")
    env.execute()
""")
mistake("deep in map", "ValueError", "operator 'Map' | record 0: 1 | invalid literal", "int('x'", """
    def first(n):
        return second(n) + 1
    def second(n):
        return third(n) + 1
    def third(n):
        return int('x' * n)
    def main():
        numbers.map(first)
        env.execute()
    main()
""")
mistake("deeper in map", "ValueError", "operator 'Map' | record 0: 1 | left out; MILLSTREAM_FULL_TRACEBACK=1 | in first", "int('x'", """
    def first(n):
        return second(n) + 1
    def second(n):
        return third(n) + 1
    def third(n):
        return fourth(n) + 1
    def fourth(n):
        return fifth(n) + 1
    def fifth(n):
        return int('x' * n)
    def main():
        numbers.map(first)
        env.execute()
    main()
""")
mistake("recursion in map", "RecursionError", "operator 'Map' | record 0: 1", "return 1 + endless(n)", """
    def endless(n):
        return 1 + endless(n)
    numbers.map(endless)
    env.execute()
""")
mistake("json in map", "json.decoder.JSONDecodeError", "operator 'Map' | record 1: '{' | Expecting", "json.loads(text)", """
    def parse(text):
        return json.loads(text)
    env.from_collection(["1", "{"], Types.STRING()).map(parse)
    env.execute()
""")
mistake("caused in map", "RuntimeError", "operator 'Map' | record 0: 1 | KeyError: 'mine'", "raise RuntimeError", """
    def wraps(n):
        try:
            fails()
        except KeyError as error:
            raise RuntimeError("wrapped") from error
    numbers.map(wraps)
    env.execute()
""")
mistake("builtin in map", "ValueError", "operator 'Map' ( | record 1: 'x'", "env.execute()", """
    env.from_collection(["1", "x"], Types.STRING()).map(int)
    env.execute()
""")
mistake("filter", "KeyError", "operator 'Filter' | record 0: 1 | mine", 'raise KeyError("mine")', """
    numbers.filter(fails)
    env.execute()
""")
mistake("flat_map", "KeyError", "operator 'FlatMap' | record 0: 1 | mine", 'raise KeyError("mine")', """
    def spread(n):
        yield n
        fails()
    numbers.flat_map(spread)
    env.execute()
""")
mistake("key selector", "KeyError", "operator 'KeyBy' | record 0: ('a', 1) | mine", 'raise KeyError("mine")', """
    pairs.key_by(fails).sum(1)
    env.execute()
""")
mistake("reduce", "KeyError", "operator 'Reduce' | record 1: | mine", 'raise KeyError("mine")', """
    numbers.key_by(lambda n: 0, Types.LONG()).reduce(fails)
    env.execute()
""")
mistake("aggregate", "KeyError", "operator | mine", 'raise KeyError("mine")', """
    class Mean(AggregateFunction):
        def create_accumulator(self): return 0
        def add(self, value, accumulator): return fails()
        def get_result(self, accumulator): return accumulator
        def merge(self, a, b): return a + b
    numbers.key_by(lambda n: 0, Types.LONG()).window(CountTumblingWindowAssigner(2)).aggregate(Mean())
    env.execute()
""")
mistake("process", "KeyError", "operator 'Process' | record 0: 1 | mine", 'raise KeyError("mine")', """
    class Breaks(ProcessFunction):
        def process_element(self, value, ctx):
            fails()
    numbers.process(Breaks())
    env.execute()
""")
mistake("event-time timer", "KeyError", "event-time timer at 5000, key 1 | mine", 'raise KeyError("mine")', """
    class Breaks(KeyedProcessFunction):
        def process_element(self, value, ctx):
            ctx.timer_service().register_event_time_timer(5000)
        def on_timer(self, timestamp, ctx):
            fails()
    numbers.key_by(lambda n: n, Types.LONG()).process(Breaks())
    env.execute()
""")
mistake("processing-time timer", "KeyError", "processing-time timer at 5, key 'a' | mine", 'raise KeyError("mine")', """
    class Breaks(KeyedProcessFunction):
        def process_element(self, value, ctx):
            ctx.timer_service().register_processing_time_timer(5)
        def on_timer(self, timestamp, ctx):
            fails()
    class Slow(PythonSource):
        calls = 0
        def read(self, limit):
            self.calls += 1
            return [("a", 1)] if self.calls == 1 else 0.05 if self.calls < 100 else None
    env.from_source(Slow(Types.TUPLE([Types.STRING(), Types.LONG()]))).key_by(0).process(Breaks())
    env.execute()
""")
mistake("open", "KeyError", "operator 'Map' | while it was opened | mine", 'raise KeyError("mine")', """
    class Breaks(MapFunction):
        def open(self, runtime_context): fails()
        def map(self, value): return value
    numbers.map(Breaks())
    env.execute()
""")
mistake("keyed open", "KeyError", "operator 'Process' | while it was opened | mine", 'raise KeyError("mine")', """
    class Breaks(KeyedProcessFunction):
        def open(self, runtime_context): fails()
        def process_element(self, value, ctx): yield value
    numbers.key_by(lambda n: n).process(Breaks()).name("Process")
    env.execute()
""")
mistake("close", "KeyError", "operator 'Map' | while it was closed | mine", 'raise KeyError("mine")', """
    class Breaks(MapFunction):
        def map(self, value): return value
        def close(self): fails()
    numbers.map(Breaks())
    env.execute()
""")
mistake("sink function", "KeyError", "operator 'Sink' (case.py: | record 1: 2 | mine", 'raise KeyError("mine")', """
    numbers.add_sink(lambda n: n == 2 and fails())
    env.execute()
""")
mistake("python sink", "KeyError", "operator 'Python sink' (case.py: | batch of records 0 to 2 | mine", 'raise KeyError("mine")', """
    class Breaks(PythonSink):
        def write(self, values): fails()
    numbers.sink_to(Breaks())
    env.execute()
""")
mistake("source", "KeyError", "operator 'Source: Python source' (case.py: | after 0 records | mine", 'raise KeyError("mine")', """
    class Breaks(PythonSource):
        def read(self, limit): fails()
    env.from_source(Breaks())
    list(env.from_source(Breaks()).execute_and_collect())
""")
mistake("generator source", "KeyError", "operator 'Source: Iterator' (case.py: | after 1 record | mine", 'raise KeyError("mine")', """
    def values():
        yield 1
        fails()
    for value in env.from_source(values()).execute_and_collect():
        pass
""")
mistake("next", "KeyError", "operator 'Map' | mine", 'raise KeyError("mine")', """
    next(numbers.map(fails).execute_and_collect())
""")
mistake("timestamp assigner", "KeyError", "operator | record 0: 1 | mine", 'raise KeyError("mine")', """
    class Times(TimestampAssigner):
        def extract_timestamp(self, value, record_timestamp): return fails()
    numbers.assign_timestamps_and_watermarks(WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Times()))
    env.execute()
""")
mistake("window function", "KeyError", "operator 'Window | (case.py: | key 0 | [1, 2] | mine", 'raise KeyError("mine")', """
    class Breaks(ProcessWindowFunction):
        def process(self, key, context, elements): fails()
    numbers.key_by(lambda n: 0, Types.LONG()).window(CountTumblingWindowAssigner(2)).process(Breaks())
    env.execute()
""")
mistake("partitioner", "KeyError", "mine", 'raise KeyError("mine")', """
    numbers.partition_custom(fails, lambda n: n).map(lambda n: n).set_parallelism(2)
    env.execute()
""")
mistake("partition out of range", "UserFunctionError", "gave 7 for 3 partitions, whose numbers are 0 to 2 | operator 'Custom partitioning' (case.py:{place}), record 1: 2",
        "env.execute()", """
    def choose(key, count):  # place
        return 7 if key == 2 else 0
    numbers.partition_custom(choose, lambda n: n).map(lambda n: n).set_parallelism(3)
    env.execute()
""")
mistake("future", "KeyError", "operator 'Map' | record 0: 1 | mine", 'raise KeyError("mine")', """
    numbers.map(fails)
    env.execute_async().get_job_execution_result().result()
""")

mistake("time window function", "KeyError", "operator 'Window | window from 0 to 10, key 'a' | mine", 'raise KeyError("mine")', """
    class Breaks(ProcessWindowFunction):
        def process(self, key, context, elements): fails()
    class Times(TimestampAssigner):
        def extract_timestamp(self, value, record_timestamp): return value[1]
    timed = pairs.assign_timestamps_and_watermarks(WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Times()))
    timed.key_by(0).window(TumblingEventTimeWindows.of(Time.milliseconds(10))).process(Breaks())
    env.execute()
""")
mistake("builtin in two maps", "ValueError", "operator 'Map' (case.py:{place}) | record 1: 'x'", "env.execute()", """
    env.from_collection(["1", "2"], Types.STRING()).map(int)
    env.from_collection(["1", "x"], Types.STRING()).map(int)  # place
    env.execute()
""")

# ---- Values and their types -----------------------------------------------------------------------------------------------------------------------

mistake("map's result", "TypeMismatchError", "operator 'Map' | record 2 | BIGINT | str", "env.execute()", """
    numbers.map(lambda n: "x" if n == 3 else n, Types.LONG())
    env.execute()
""")
mistake("field of map's result", "TypeMismatchError", "operator 'Map' | record 0 | f1 | INT | str", "env.execute()", """
    numbers.map(lambda n: (n, "x"), Types.TUPLE([Types.LONG(), Types.INT()]))
    env.execute()
""")
mistake("overflow", "TypeMismatchError", "operator 'Map' | record 0 | INT | 2147483648", "env.execute()", """
    numbers.map(lambda n: n + 2**31 - 1, Types.INT())
    env.execute()
""")
mistake("from_collection", "TypeMismatchError", "operator 'Source: Collection Source' (case.py:{place}) | record 1 | BIGINT | str", "execute_and_collect", """
    list(env.from_collection([1, "x"], Types.LONG()).execute_and_collect())  # place
""")
mistake("source's value", "TypeMismatchError", "operator 'Source | record 0 | BIGINT | str", "execute_and_collect", """
    list(env.from_source(iter(["x"]), type_info=Types.LONG()).execute_and_collect())
""")
mistake("None key", "KeyValueError", "operator 'KeyBy' | record 0 | None", "env.execute()", """
    numbers.key_by(lambda n: None).reduce(lambda a, b: a)
    env.execute()
""")
mistake("unhashable key", "KeyValueError", "operator 'KeyBy' | record 0 | list", "env.execute()", """
    numbers.key_by(lambda n: [n]).reduce(lambda a, b: a)
    env.execute()
""")
mistake("timestamp too large", "EventTimeError", "operator | record 0", "env.execute()", """
    class Times(TimestampAssigner):
        def extract_timestamp(self, value, record_timestamp): return 2**70
    numbers.assign_timestamps_and_watermarks(WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Times()))
    env.execute()
""")
mistake("timestamp of the wrong type", "EventTimeError", "operator | record 0", "env.execute()", """
    class Times(TimestampAssigner):
        def extract_timestamp(self, value, record_timestamp): return "2024"
    numbers.assign_timestamps_and_watermarks(WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Times()))
    env.execute()
""")
mistake("no timestamps", "EventTimeError", "no timestamp | assign_timestamps_and_watermarks | operator 'Window | (case.py:{place})", "env.execute()", """
    numbers.key_by(lambda n: n).window(TumblingEventTimeWindows.of(Time.seconds(1))).reduce(lambda a, b: a)  # place
    env.execute()
""")
mistake("flat_map gives no iterable", "TypeMismatchError", "operator 'FlatMap' | record 0: 1", "env.execute()", """
    numbers.flat_map(lambda n: n)
    env.execute()
""")
mistake("state of the wrong type", "TypeMismatchError", "operator 'Count' | record 0 | BIGINT | str", 'update("x")', """
    class Counts(KeyedProcessFunction):
        def open(self, runtime_context):
            self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))
        def process_element(self, value, ctx):
            self.count.update("x")
    numbers.key_by(lambda n: n).process(Counts()).name("Count")
    env.execute()
""")

# ---- Files -----------------------------------------------------------------------------------------------------------------------------------------

mistake("missing file", "InputOutputError", "/nowhere.txt", "env.execute()", """
    env.read_text_file("/nowhere.txt").print()
    env.execute()
""")
mistake("no file matches", "InputOutputError", "no file matches '/proc/1/task/nowhere/*' | operator 'Source: Text files' (case.py:{place})", "env.execute()", """
    env.read_text_file("/proc/1/task/nowhere/*").print()  # place
    env.execute()
""")
mistake("CSV without the column", "DecodeError", "other.csv | 'a'", "env.execute()", """
    open("other.csv", "w").write("b\\n1\\n")
    env.read_csv("other.csv", "ROW<a INT>", header=True).print()
    env.execute()
""")
mistake("truncated gzip", "DecodeError", "cut.gz", "env.execute()", """
    import gzip
    open("cut.gz", "wb").write(gzip.compress(b"line\\n" * 10000)[:40])
    env.read_text_file("cut.gz").print()
    env.execute()
""")
mistake("not UTF-8", "DecodeError", "latin.txt:2 | UTF-8", "env.execute()", """
    open("latin.txt", "wb").write(b"fine\\nf\\xfcr\\n")
    env.read_text_file("latin.txt").print()
    env.execute()
""")
mistake("missing column", "DecodeError", "short.csv:2 | 1 of 2 fields | operator 'Source: CSV files' (case.py:", "env.execute()", """
    open("short.csv", "w").write("1,2\\n3\\n")
    env.read_csv("short.csv", "ROW<a INT, b INT>").print()
    env.execute()
""")
mistake("extra column", "DecodeError", "long.csv:2 | 3 fields, expected 2", "env.execute()", """
    open("long.csv", "w").write("1,2\\n3,4,5\\n")
    env.read_csv("long.csv", "ROW<a INT, b INT>").print()
    env.execute()
""")
mistake("not a number", "DecodeError", "bad.csv:2:3 | 'b' | INT | 'x'", "env.execute()", """
    open("bad.csv", "w").write("1,2\\n3,x\\n")
    env.read_csv("bad.csv", "ROW<a INT, b INT>").print()
    env.execute()
""")
mistake("header not told of", "DecodeError", "named.csv:1:1 | 'a' is not a value of type INT | header=True", "env.execute()", """
    open("named.csv", "w").write("a,b\\n1,2\\n")
    env.read_csv("named.csv", "ROW<a INT, b INT>").print()
    env.execute()
""")
mistake("header of other columns", "DecodeError", "named.csv:1:1 | 3 fields, expected 2 | header=True", "env.execute()", """
    open("named.csv", "w").write("a,b,c\\n1,2,3\\n")
    env.read_csv("named.csv", "ROW<a INT, b INT>").print()
    env.execute()
""")
mistake("not JSON", "DecodeError", "bad.json:1 | not a JSON object", "env.execute()", """
    open("bad.json", "w").write('{"a": \\n')
    env.read_json("bad.json", "ROW<a INT>").print()
    env.execute()
""")
mistake("nowhere to write", "InputOutputError", "/proc/nowhere", "env.execute()", """
    numbers.sink_to(FileSink.for_row_format("/proc/nowhere", Encoder.simple_string_encoder()).build())
    env.execute()
""")

# ---- Calls -----------------------------------------------------------------------------------------------------------------------------------------

mistake("non-callable", "TypeError", "map takes a MapFunction or a function, not 5 of type int", "numbers.map(5)", "numbers.map(5)")
mistake("class for object", "TypeError", "Doubles()", "numbers.map(Doubles)", """
    class Doubles(MapFunction):
        def map(self, value): return value * 2
    numbers.map(Doubles)
""")
mistake("deep caller", "TypeError", "map takes a MapFunction", "numbers.map(5)", """
    def first(): second()
    def second(): third()
    def third(): numbers.map(5)
    first()
""")
mistake("parallelism 0", "ConfigurationError", "parallelism | 0", "set_parallelism(0)", "numbers.map(str).set_parallelism(0)")
mistake("environment's parallelism 0", "ConfigurationError", "parallelism | 0", "set_parallelism(0)", "env.set_parallelism(0)")
mistake("parallelism above max", "ConfigurationError", "8 | 4 | Map", "set_max_parallelism(4)", """
    numbers.key_by(lambda n: n).map(str).set_parallelism(8).set_max_parallelism(4)
    env.execute()
""")
mistake("max parallelism", "ConfigurationError", "max | 100000", "set_max_parallelism(100000)", "env.set_max_parallelism(100000)")
mistake("duplicate uid", "ConfigurationError", "uid 'same' | 'A' | 'B' | case.py:{place}", "uid('same')", """
    numbers.map(str).name("A").uid('same').map(str).name("B").uid('same')  # place
    env.execute()
""")
mistake("nothing to execute", "InvalidStateError", "nothing to execute", "execute()", """
    StreamExecutionEnvironment.get_execution_environment().execute()
""")
mistake("closed environment", "InvalidStateError", "environment is closed | get_execution_environment", "env.from_collection", """
    env.close()
    env.from_collection([1])
""")
mistake("closed environment's stream", "InvalidStateError", "environment is closed", "numbers.map", """
    env.close()
    numbers.map(str)
""")
mistake("bad schema", "ValueError", "INTEGR | character 7 | did you mean 'INTEGER'", "env.read_csv", """
    env.read_csv("x.csv", "ROW<a INTEGR, b STRING>")
""")
mistake("unfinished schema", "ValueError", "ROW<a INT' | character 10 | '>' is missing", "env.read_csv", 'env.read_csv("x.csv", "ROW<a INT")')
mistake("unknown field in key_by", "PlanError", "carier | did you mean 'carrier'?", "rows.key_by", 'rows.key_by("carier")')
mistake("unknown field in sum", "PlanError", "delays | did you mean 'delay'?", '.sum("delays")', 'rows.key_by("carrier").sum("delays")')
mistake("sum of text", "PlanError", "carrier | no number | String", '.sum("carrier")', 'rows.key_by("delay").sum("carrier")')
mistake("unknown field in project", "PlanError", "2", "pairs.project(2)", "pairs.project(2)")
mistake("text for a collection", "TypeError", "from_collection takes a list of values, not 'abc'", "env.from_collection('abc')", "env.from_collection('abc')")
mistake("number for a collection", "TypeError", "from_collection takes a list of values, not 5", "env.from_collection(5)", "env.from_collection(5)")
mistake("type that is none", "TypeError", "type_info | 5", "env.from_collection([1], 5)", "env.from_collection([1], 5)")
mistake("Python's type for a type", "TypeError", "int | did you mean Types.LONG()", "env.from_collection([1], int)", "env.from_collection([1], int)")
mistake("unknown option", "ConfigurationError", "millstream.worker | did you mean", "millstream.worker", """
    env.configure(Configuration().set_string("millstream.worker", "3"))
    numbers.map(str)
    env.execute()
""")
mistake("bad value of an option", "ConfigurationError", "parallelism.default | many", "env", """
    configuration = Configuration().set_string("parallelism.default", "many")
    env.configure(configuration)
    numbers.map(str)
    env.execute()
""")
mistake("window of size 0", "ValueError", "size | 0", "TumblingEventTimeWindows.of", "TumblingEventTimeWindows.of(Time.seconds(0))")
mistake("slide of 0", "ValueError", "slide | 0", "SlidingEventTimeWindows.of", "SlidingEventTimeWindows.of(Time.seconds(5), Time.seconds(0))")
mistake("count window of size 0", "ValueError", "0", "count_window(0)", "numbers.key_by(lambda n: n).count_window(0)")
mistake("window of no assigner", "TypeError", "window takes an assigner", "window(5)", """
    numbers.key_by(lambda n: n).window(5)
    env.execute()
""")
mistake("cancelled job's result", "CancelledError", "canceled", ".result()", """
    def endless():
        while True: yield 1
    env.from_source(endless()).map(str)
    client = env.execute_async("mine")
    client.cancel().result()
    client.cancel().result()
    client.get_job_execution_result().result()
""")
mistake("broken iterator of results", "KeyError", "operator 'Map' | mine", 'raise KeyError("mine")', """
    def main():
        with numbers.map(fails).execute_and_collect() as values:
            print(list(values))
    main()
""")
mistake("state without a key", "InvalidStateError", "'n' needs a key | operator 'Map'", 'get_state', """
    class Counts(MapFunction):
        def open(self, runtime_context):
            runtime_context.get_state(ValueStateDescriptor("n", Types.LONG()))
        def map(self, value): return value
    numbers.map(Counts())
    env.execute()
""")
mistake("an iterator for two jobs", "InvalidStateError", "iterator was taken by an earlier job", "env.execute()", """
    stream = env.from_source(iter([1]))
    stream.map(str)
    env.execute()
    stream.map(str)
    env.execute()
""")
mistake("file format without types", "PlanError", "read_csv", "env.read_csv", 'env.read_csv("x.csv", Types.LONG())')
mistake("fields that are no list", "TypeError", "a list of the fields' types is needed | 5", "Types.TUPLE(5)", "Types.TUPLE(5)")
mistake("timer at no number", "TypeError", "milliseconds, not 'x' (str) | record 0: 1", 'event_time_timer("x")', """
    class Sets(KeyedProcessFunction):
        def process_element(self, value, ctx):
            ctx.timer_service().register_event_time_timer("x")
    numbers.key_by(lambda n: n).process(Sets())
    env.execute()
""")
mistake("uncopyable function", "TypeError", "M cannot be copied for each subtask | make what cannot be copied in open() | operator 'Map' (case.py:", "env.execute()", """
    import threading
    class M(MapFunction):
        def __init__(self): self.lock = threading.Lock()
        def map(self, value): return value
    numbers.rebalance().map(M()).set_parallelism(2)
    env.execute()
""")
mistake("too few parameters", "TypeError", "missing 1 required positional argument: 'b' | operator 'Map' (case.py:", "env.execute()", """
    numbers.map(lambda a, b: a)
    env.execute()
""")
mistake("interrupt", "KeyboardInterrupt", "", "env.execute()", """
    import signal, threading
    def endless():
        while True: yield 1
    env.from_source(endless()).map(str)
    threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    env.execute()
""")
mistake("printing into a closed pipe", "BrokenPipeError", "operator 'Paper' (case.py:{place})", "env.execute()", """
    read, write = os.pipe()
    os.close(read)
    sys.stdout = os.fdopen(write, "w")
    numbers.print().name("Paper")  # place
    env.execute()
""")
mistake("printing in ASCII", "UnicodeEncodeError", "operator 'Paper' (case.py:{place}) | 'ascii' codec can't encode", "env.execute()", """
    sys.stdout.reconfigure(encoding="ascii")
    numbers.map(lambda n: "\u20ac").print().name("Paper")  # place
    env.execute()
""")
mistake("a stream that raises", "KeyError", "operator 'Paper' (case.py:{place}) | mine", 'raise KeyError("mine")', """
    class Stream:
        def write(self, text): fails()
        def flush(self): pass
    sys.stdout = Stream()
    numbers.print().name("Paper")  # place
    env.execute()
""")
mistake("a stream that stops", "RuntimeError", "operator 'Paper' | raised StopIteration", "raise StopIteration", """
    class Stream:
        def write(self, text): raise StopIteration
        def flush(self): pass
    sys.stdout = Stream()
    numbers.print().name("Paper")
    env.execute()
""")

# ---- Texts of many lines -----------------------------------------------------------------------------------------------------------------------------

mistake("long text", "ValueError", "ValueError: line 0 | line 39 | operator 'Map' | record 0: 1 | left out: str() of the exception has all", "raise ValueError", """
    def first(n):
        raise ValueError("\\n".join(f"line {i}" for i in range(40)))
    numbers.map(first)
    env.execute()
""")
mistake("long text in a deep stack", "ValueError", "ValueError: line 0 | line 39 | operator 'Map' | of the stack left out", "raise ValueError", """
    def fall(n):
        if n < 20:
            return fall(n + 1) + 1
        raise ValueError("\\n".join(f"line {i}" for i in range(40)))
    numbers.map(fall)
    env.execute()
""")
mistake("long texts of cause and failure", "RuntimeError", "line 0 | text 0 | text 29 | operator 'Map' | direct cause", "raise RuntimeError", """
    def first(n):
        try:
            raise ValueError("\\n".join(f"line {i}" for i in range(40)))
        except ValueError as error:
            raise RuntimeError("\\n".join(f"text {i}" for i in range(30))) from error
    numbers.map(first)
    env.execute()
""")
mistake("long note", "ValueError", "ValueError: mine | operator 'Map'", "raise found", """
    def first(n):
        found = ValueError("mine")
        found.add_note("\\n".join(f"note {i}" for i in range(40)))
        raise found
    numbers.map(first)
    env.execute()
""")
mistake("long text of a class", "Mine", "Mine: line 0 | line 39 | operator 'Map'", "raise Mine", """
    class Mine(Exception):
        def __str__(self): return "\\n".join(f"line {i}" for i in range(40))
    def first(n):
        raise Mine(n)
    numbers.map(first)
    env.execute()
""")

mistake("character set", "ValueError", "UTF-8 | latin-1", "read_text_file", 'env.read_text_file("x.txt", "latin-1")')
mistake("not a Source", "TypeError", "from_source takes a Source", "env.from_source(5)", "env.from_source(5)")
mistake("union of types", "PlanError", "union | BIGINT", "numbers.union", "numbers.union(pairs)")


@functools.cache
def printed(folder: pathlib.Path, case: Mistake) -> tuple[list[str], list[str]]:
    """The program's lines and what it prints to stderr."""
    program = BEGINNING + case.program
    (folder / "case.py").write_text(program)
    environment = {key: value for key, value in os.environ.items() if key != "MILLSTREAM_FULL_TRACEBACK"}
    result = subprocess.run(
        [sys.executable, "case.py"], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    # 120: Python itself cannot flush its standard output.
    assert result.returncode in (1, 120, -signal.SIGINT), result.stdout + result.stderr
    return program.splitlines(), result.stderr.splitlines()


@pytest.mark.parametrize("case", MISTAKES, ids=lambda case: case.name.replace(" ", "-"))
def test_what_a_mistake_prints(case: Mistake, tmp_path: pathlib.Path) -> None:
    program, lines = printed(tmp_path, case)
    text = "\n".join(lines)
    assert len(lines) <= 15, text
    assert PACKAGE not in text and "<millstream>" not in text, text
    assert re.search(rf"(?m)^(\w+\.)*{re.escape(case.error.split('.')[-1])}\b", text), text
    places = [number for number, line in enumerate(program, 1) if line.endswith("# place")]
    for word in case.words:
        assert word.replace("{place}", str(places[0] if places else 0)) in text.replace(str(tmp_path) + os.sep, ""), (word, text)
    pointed = [program[int(found) - 1] for found in re.findall(r'File "[^"]*case\.py", line (\d+)', text)]
    assert any(case.line in line for line in pointed), (case.line, text)


# ---- What is kept, and what is left out ------------------------------------------------------------------------------------------------------------


def run_program(folder: pathlib.Path, program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    (folder / "case.py").write_text(BEGINNING + textwrap.dedent(program))
    environment = {**os.environ, "MILLSTREAM_FULL_TRACEBACK": "", **variables}
    return subprocess.run([sys.executable, "case.py"], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def nested(depth: int, name: str, innermost: str) -> str:
    """Functions that call each other; only the innermost one fails."""
    lines = [f"def {name}_{level}(n):\n    return 1 + {name}_{level + 1}(n)" for level in range(depth - 1)]
    return "\n".join([*lines, f"def {name}_{depth - 1}(n):\n    {innermost}"]) + "\n"


@pytest.mark.parametrize("depth", [1, 3, 4, 30])
@pytest.mark.parametrize("callers", [1, 2, 3])
def test_a_deep_stack_is_cut_in_the_middle(tmp_path: pathlib.Path, depth: int, callers: int) -> None:
    program = nested(depth, "inner", "return int('x')") + nested(callers, "outer", "numbers.map(inner_0).name('Deep'); env.execute()") + "outer_0(1)\n"
    short = run_program(tmp_path, program).stderr.splitlines()
    full = run_program(tmp_path, program, MILLSTREAM_FULL_TRACEBACK="1").stderr.splitlines()
    shown = [line.split(" in ")[1] for line in short if line.startswith("  File ") and " in inner_" in line]
    everything = [f"inner_{level}" for level in range(depth)]
    assert [line.split(" in ")[1] for line in full if " in inner_" in line] == everything
    # The first and the last are there, in order, and the note counts the others.
    assert (shown[0] == "inner_0" or len(shown) == 1) and shown[-1] == everything[-1]
    assert shown == sorted(shown, key=everything.index) and len(set(shown)) == len(shown)
    left_out = [line for line in short if "left out" in line]
    missing = depth - len(shown)
    plural = "s" if missing > 1 else ""
    assert left_out == ([f"{missing} frame{plural} of the stack left out; MILLSTREAM_FULL_TRACEBACK=1 shows all"] if missing else [])
    # One frame is kept in any case, and the program's own frames around the call cannot be cut.
    assert len(short) <= 15 or (len(shown) == 1 and callers == 3), short
    # Nothing is left out that there is room for.
    assert not missing or len(short) + 3 > 15, short
    assert any(PACKAGE in line for line in full) and not any(PACKAGE in line for line in short)
    assert "in operator 'Deep'" in "\n".join(short) and "ValueError: invalid literal" in "\n".join(short)


def test_exceptions_stay_what_they_are(tmp_path: pathlib.Path) -> None:
    result = run_program(tmp_path, """
        import traceback
        class Mine(Exception):
            def __init__(self, one, two):
                super().__init__(one, two)
                self.one = one
        kept = Mine(1, 2)
        def raises(n): raise kept
        numbers.map(raises)
        client = env.execute_async()
        sizes = []
        for _ in range(3):
            try:
                client.get_job_execution_result().result()
            except Mine as failure:
                assert failure is kept and failure.one == 1 and len(failure.__notes__) == 1
                sizes.append([frame.name for frame in traceback.extract_tb(failure.__traceback__)])
        assert sizes == [["<module>", "raises"]] * 3, sizes
        # An exception that is being handled is the context of the next, as ever.
        try:
            try:
                raise OSError("first")
            except OSError:
                numbers.map(5)
        except TypeError as failure:
            assert isinstance(failure.__context__, OSError) and failure.__cause__ is None
            assert [frame.name for frame in traceback.extract_tb(failure.__traceback__)] == ["<module>"]
        # A function that catches what it calls.
        def careful(n):
            try:
                Types.ROW_NAMED(["a"], [])
            except Exception as failure:
                return type(failure).__name__ + str(len(traceback.extract_tb(failure.__traceback__)))
        print(set(numbers.map(careful).execute_and_collect()))
    """)
    assert result.returncode == 0, result.stderr
    assert re.fullmatch(r"\{'\w+Error1'\}\n", result.stdout), result.stdout


def test_a_long_text_stays_whole_in_the_exception(tmp_path: pathlib.Path) -> None:
    result = run_program(tmp_path, """
        text = "\\n".join(f"line {i}" for i in range(40))
        def raises(n): raise ValueError(text)
        numbers.map(raises)
        try:
            env.execute()
        except ValueError as failure:
            assert str(failure) == text and failure.args == (text,)
        # What has nothing to do with jobs is printed as ever.
        raise ValueError(text)
    """)
    assert len([line for line in result.stderr.splitlines() if line.removeprefix("ValueError: ").startswith("line ")]) == 40, result.stderr
    program = "text = '\\n'.join(f'line {i}' for i in range(40))\ndef raises(n): raise ValueError(text)\nnumbers.map(raises)\n"
    full = run_program(tmp_path, program + "env.execute()\n", MILLSTREAM_FULL_TRACEBACK="1").stderr
    assert "line 20\n" in full and "left out" not in full
    # A hook of the program's own is left alone.
    hooked = run_program(tmp_path, program + "sys.excepthook = lambda kind, value, entries: print(len(str(value).splitlines()), 'lines')\nenv.execute()\n")
    assert (hooked.stdout, hooked.stderr) == ("40 lines\n", "")


def test_the_package_keeps_its_signatures() -> None:
    """The border is not seen: by inspect, help, copy and pickle."""
    import copy
    import inspect
    import pickle
    import pydoc

    from millstream.common import Types
    from millstream.datastream import DataStream, StreamExecutionEnvironment

    assert list(inspect.signature(DataStream.map).parameters) == ["self", "func", "output_type"]
    env = StreamExecutionEnvironment.get_execution_environment()
    assert list(inspect.signature(env.from_collection).parameters) == ["collection", "type_info"]
    assert "set_parallelism(self, parallelism" in pydoc.plain(pydoc.render_doc(StreamExecutionEnvironment))
    assert "def map(" in inspect.getsource(DataStream.map) and inspect.isroutine(DataStream.map)
    assert DataStream.map.__name__ == "map" and DataStream.map.__qualname__ == "DataStream.map" and DataStream.map.__doc__
    assert copy.deepcopy(DataStream.map) is DataStream.map and pickle.loads(pickle.dumps(Types.LONG)) is Types.LONG
    assert env.set_parallelism(parallelism=2) is env


def test_leaving_a_loop_over_results_keeps_the_rest() -> None:
    from millstream.datastream import StreamExecutionEnvironment

    env = StreamExecutionEnvironment.get_execution_environment()
    values = env.from_collection([1, 2, 3]).execute_and_collect()
    for value in values:
        assert value == 1
        break
    assert list(values) == [2, 3] and list(values) == []
    values.close()
    assert list(values) == []


def test_values_before_a_generator_fails_arrive() -> None:
    from millstream.datastream import StreamExecutionEnvironment

    def numbers():
        yield from range(10)
        raise KeyError("mine")

    env = StreamExecutionEnvironment.get_execution_environment()
    found = []
    values = env.from_source(numbers()).execute_and_collect()
    with pytest.raises(KeyError, match="mine") as caught:
        found.extend(values)
    assert found == list(range(10)) and "after 10 records" in caught.value.__notes__[0]
