"""What millstream.testing does with jobs: TestStream, collect, run_job, assert_stream."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from millstream.common import Row, Types, WatermarkStrategy
from millstream.datastream import OutputTag, ProcessFunction, StreamExecutionEnvironment
from millstream.datastream.connectors.python import PythonSource
from millstream.exceptions import InvalidStateError, PlanError, TypeMismatchError, UnsupportedError
from millstream.testing import ManualClock, TestStream, assert_stream, collect, run_job

ODD = OutputTag("odd")


class Seen(ProcessFunction):
    """Tells what a value came with."""

    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        yield value, ctx.timestamp()


class Split(ProcessFunction):
    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        yield (ODD, value) if value % 2 else value


# ---- TestStream --------------------------------------------------------------------------------------------------------------------------------


def test_elements_have_their_timestamps(env: StreamExecutionEnvironment) -> None:
    stream = TestStream().add("a", 5).add("b").add_all(["c", "d"], -3).end()
    assert collect(env.from_source(stream).process(Seen())) == [("a", 5), ("b", None), ("c", -3), ("d", -3)]


def test_elements_have_their_type(env: StreamExecutionEnvironment) -> None:
    source = env.from_source(TestStream(Types.ROW_NAMED(["n"], [Types.INT()])).add(Row(n=1)))
    assert source.get_type() == Types.ROW_NAMED(["n"], [Types.INT()])
    assert collect(source) == [Row(n=1)]
    with pytest.raises(TypeMismatchError):
        collect(env.from_source(TestStream(Types.INT()).add("one")))


def test_a_stream_serves_several_jobs(env: StreamExecutionEnvironment) -> None:
    stream = TestStream().add(1).watermark(3).add(2)
    assert collect(env.from_source(stream)) == collect(env.from_source(stream)) == [1, 2]


def test_more_elements_than_a_batch(env: StreamExecutionEnvironment) -> None:
    stream = TestStream(Types.LONG()).add_all(range(10_000), 1).watermark(1).add_all(range(10_000), 2)
    assert collect(env.from_source(stream)) == [*range(10_000)] * 2


def test_an_idle_stream_holds_nothing_back(env: StreamExecutionEnvironment) -> None:
    from millstream.datastream.window import Time, TumblingEventTimeWindows

    idle = env.from_source(TestStream().add(("idle", 1), 1).idle().add(("back", 9_000), 9_000))
    other = env.from_source(TestStream().add(("x", 2), 2).watermark(5_000).idle().idle().idle())
    fired: list[Any] = []
    windows = idle.union(other).key_by(lambda value: value[0]).window(TumblingEventTimeWindows.of(Time.seconds(1)))
    results = windows.reduce(lambda a, b: a).map(lambda value: fired.append(value[0]) or value[0])
    assert sorted(collect(results)) == ["back", "idle", "x"]
    # The first window of both came while one was idle, before its next element.
    assert fired[-1] == "back"


@pytest.mark.parametrize(
    "mistake, error",
    [
        (lambda stream: stream.watermark(5).watermark(5), ValueError),
        (lambda stream: stream.end().add(1), InvalidStateError),
        (lambda stream: stream.add(1, "noon"), TypeError),
        (lambda stream: stream.watermark(True), TypeError),
        (lambda stream: stream.add(1, 2**63), ValueError),
        (lambda stream: stream.advance_processing_time(-1), ValueError),
    ],
)
def test_mistakes_in_a_stream(mistake: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        mistake(TestStream())


def test_a_job_has_neither_our_clock_nor_another_strategy(env: StreamExecutionEnvironment) -> None:
    with pytest.raises(UnsupportedError, match="StreamHarness"):
        env.from_source(TestStream().advance_processing_time(1))
    stream = env.from_source(TestStream().add(1), WatermarkStrategy.for_monotonous_timestamps())
    with pytest.raises(PlanError, match="own watermarks"):
        collect(stream)


# ---- Jobs --------------------------------------------------------------------------------------------------------------------------------------


def test_several_streams_of_one_job(env: StreamExecutionEnvironment) -> None:
    calls: list[int] = []
    even = env.from_collection(range(1_000)).map(lambda n: calls.append(n) or n).process(Split())
    evens, odds = run_job(even, even.get_side_output(ODD))
    assert (evens, odds) == (list(range(0, 1_000, 2)), list(range(1, 1_000, 2)))
    assert len(calls) == 1_000


def test_large_outputs_do_not_hold_each_other_back(env: StreamExecutionEnvironment) -> None:
    numbers = env.from_collection(list(range(300_000)), Types.LONG())
    both = run_job(numbers, numbers.map(lambda n: n, Types.LONG()))
    assert [len(values) for values in both] == [300_000, 300_000]


def test_a_failure_is_the_users_own(env: StreamExecutionEnvironment) -> None:
    with pytest.raises(ZeroDivisionError):
        collect(env.from_collection([1, 0]).map(lambda n: 1 // n))


def test_a_failure_in_close_is_told(env: StreamExecutionEnvironment) -> None:
    class Bad(Seen):
        def close(self) -> None:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        collect(env.from_collection([1]).process(Bad()))


def test_a_job_that_does_not_end(env: StreamExecutionEnvironment) -> None:
    class Endless(PythonSource):
        def read(self, limit: int) -> float:
            return 0.01

    begun = time.monotonic()
    with pytest.raises(TimeoutError, match=r"not ended after 0\.3 s"):
        collect(env.from_source(Endless(is_bounded=False)), timeout=0.3)
    assert time.monotonic() - begun < 20


def test_mistakes_of_run_job(env: StreamExecutionEnvironment) -> None:
    with pytest.raises(TypeError):
        run_job()
    with pytest.raises(TypeError):
        run_job([1, 2])  # type: ignore[arg-type]
    other = StreamExecutionEnvironment.get_execution_environment()
    with pytest.raises(InvalidStateError, match="different environments"):
        run_job(env.from_collection([1]), other.from_collection([2]))


# ---- assert_stream -----------------------------------------------------------------------------------------------------------------------------


def message(*arguments: Any, **settings: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        assert_stream(*arguments, **settings)
    return str(caught.value)


def test_what_is_equal(env: StreamExecutionEnvironment) -> None:
    assert_stream(env.from_collection([2, 1]), [1, 2])
    assert_stream([1, 2], [1, 2], ordered=True)
    assert_stream([[1], {"a": 2}], [{"a": 2}, [1]])
    assert_stream(["a1", "b1", "a2"], ["b1", "a1", "a2"], key=lambda value: value[0])
    assert_stream([], [])


def test_what_differs_without_order() -> None:
    assert message([1, 2, 2], [1, 3]) == "the stream has 3 values, 2 were expected; 1 is missing, 2 are too many\n- 3\n+ 2\n+ 2"
    assert message([[1]], []) == "the stream has 1 value, 0 were expected; 0 are missing, 1 is too many\n+ [1]"


def test_what_differs_in_order() -> None:
    told = message([1, 2, 4, 5], [1, 2, 3, 5], ordered=True)
    assert told == "the stream has 4 values, 4 were expected; they differ from number 2 on (- expected, + found)\n  1\n  2\n- 3\n+ 4\n  5"
    assert "differ from number 1 on" in message([1], [1, 2], ordered=True)
    assert message([1, 2], [2, 1], ordered=True)


def test_what_differs_by_key() -> None:
    told = message(["a2", "b1", "a1"], ["a1", "a2", "b1", "c1"], key=lambda value: value[0])
    assert told.startswith("key 'a': ") and "\nkey 'c': the stream has 0 values, 1 were expected" in told and "key 'b'" not in told


def test_values_that_look_alike() -> None:
    class Odd:
        def __repr__(self) -> str:
            return "Odd()"

    assert "of type Odd" in message([Odd()], [Odd()], ordered=True)


def test_a_long_difference_is_cut() -> None:
    assert message(range(1_000), []).endswith("... and 960 more lines")


def test_the_page_of_the_docs_passes(pytester: pytest.Pytester) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "testing.md").read_text()
    blocks = [block for block in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL) if "\ndef test_" in block]
    assert len(blocks) >= 3
    for number, block in enumerate(blocks):
        pytester.makepyfile(**{f"test_block_{number}": block})
    count = sum(block.count("\ndef test_") for block in blocks)
    pytester.runpytest_subprocess("--strict-markers").assert_outcomes(passed=count)


# ---- The plugin --------------------------------------------------------------------------------------------------------------------------------

pytest_plugins = ["pytester"]


@pytest.mark.millstream(parallelism=2, buffer_timeout=0, configuration={"pipeline.name": "from the marker"})
def test_the_marker_sets_the_environment(millstream_env: StreamExecutionEnvironment) -> None:
    assert (millstream_env.get_parallelism(), millstream_env.get_buffer_timeout()) == (2, 0)
    assert millstream_env.get_configuration().get_string("pipeline.name") == "from the marker"


def test_the_environment_has_one_subtask(millstream_env: StreamExecutionEnvironment) -> None:
    assert millstream_env.get_parallelism() == 1
    assert_stream(millstream_env.from_collection([1, 2]), [1, 2], ordered=True)


def test_the_fixture_makes_harnesses(millstream_harness: Any) -> None:
    from millstream.datastream import KeyedProcessFunction

    class Key(KeyedProcessFunction):
        def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
            yield ctx.get_current_key(), value

    keyed, plain = millstream_harness(Key(), lambda value: value % 2), millstream_harness(Seen(), clock=ManualClock(7))
    pipeline = millstream_harness(lambda stream: stream.map(str), Types.INT())
    for harness in (keyed, plain, pipeline):
        harness.process_element(3)
    assert keyed.extract_output_values() == [(1, 3)]
    assert plain.extract_output_values() == [(3, None)]
    assert pipeline.extract_output_values() == ["3"]
    assert plain.clock.now() == 7


def test_the_plugin_closes_what_it_made(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from millstream.datastream import ProcessFunction

        class Bad(ProcessFunction):
            def process_element(self, value, ctx): ...
            def close(self): raise OSError("closed by the fixture")

        def test_harness(millstream_harness):
            millstream_harness(Bad())

        @pytest.mark.millstream(parallelsm=2)
        def test_marker(millstream_env): ...
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*OSError: closed by the fixture", "*it has no parallelsm*"])
    result.assert_outcomes(passed=1, errors=2)


def test_the_plugin_costs_nothing_unless_it_is_used(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_modules():
            assert "millstream._pytest_plugin" in sys.modules
            heavy = ("millstream._native", "millstream.datastream", "millstream.common", "millstream.testing")
            assert not [name for name in sys.modules if name.startswith(heavy)]
        """
    )
    pytester.runpytest_subprocess("--strict-markers").assert_outcomes(passed=1)
