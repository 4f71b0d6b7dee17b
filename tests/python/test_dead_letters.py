"""Dead letters: records that a function fails with go to a side output, and everything else goes on as if they had not been there."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from millstream.common import Duration, Types, WatermarkStrategy
from millstream.common.watermark_strategy import TimestampAssigner
from millstream.datastream import (
    CoMapFunction,
    FilterFunction,
    KeyedCoProcessFunction,
    KeyedProcessFunction,
    MapFunction,
    OutputTag,
    ProcessFunction,
    StreamExecutionEnvironment,
)
from millstream.datastream.dead_letters import DeadLetterTag
from millstream.datastream.functions import CoFlatMapFunction, FlatMapFunction
from millstream.datastream.state import ValueStateDescriptor
from millstream.exceptions import PlanError, TypeMismatchError

FAILED = DeadLetterTag("failed")
LETTER = tuple[str, str, str, str, Any]


def both(stream: Any, tag: OutputTag = FAILED) -> tuple[list[Any], list[LETTER]]:
    """The results and the letters of a stream, each in their order."""
    merged = stream.map(lambda value: ("value", value)).union(stream.get_side_output(tag).map(lambda letter: ("letter", tuple(letter))))
    found = list(merged.execute_and_collect())
    return [value for kind, value in found if kind == "value"], [value for kind, value in found if kind == "letter"]


class Poison(Exception):
    pass


def is_bad(number: int) -> bool:
    return number % 7 == 3 or number in (0, 4_999, 5_000)


def fail(number: int) -> None:
    if is_bad(number):
        raise Poison(f"no {number}")


def letters_of(numbers: list[int], operator: str) -> list[LETTER]:
    return [
        (operator, f"record {place}", f"{__name__}.Poison", f"no {number}", number) for place, number in enumerate(numbers) if is_bad(number)
    ]


NUMBERS = list(range(10_000))


def checked(number: int) -> int:
    fail(number)
    return number * 2


def spread(number: int) -> Iterator[int]:
    yield number
    fail(number)
    yield -number


class Spread(FlatMapFunction):
    def flat_map(self, value: int) -> Iterator[int]:
        return spread(value)


class Checked(MapFunction):
    def open(self, runtime_context: Any) -> None:
        self.count = 0

    def map(self, value: int) -> int:
        self.count += 1
        return checked(value)


class Keeps(FilterFunction):
    def filter(self, value: int) -> bool:
        fail(value)
        return value % 2 == 0


class Sides(ProcessFunction):
    ODD = OutputTag("odd", Types.LONG())

    def process_element(self, value: int, ctx: Any) -> Iterator[Any]:
        yield value
        if value % 2:
            yield self.ODD, value
        fail(value)


def good(numbers: list[int]) -> list[int]:
    return [number for number in numbers if not is_bad(number)]


@pytest.mark.parametrize("type_info", [None, Types.LONG()])
@pytest.mark.parametrize(
    ("name", "make", "expected"),
    [
        ("Map", lambda s, t: s.map(checked, t), lambda n: [n * 2]),
        ("Map", lambda s, t: s.map(Checked(), t), lambda n: [n * 2]),
        ("FlatMap", lambda s, t: s.flat_map(spread, t), lambda n: [n, -n]),
        ("FlatMap", lambda s, t: s.flat_map(Spread(), t), lambda n: [n, -n]),
        ("FlatMap", lambda s, t: s.flat_map(lambda n: [n] if not is_bad(n) else fail(n), t), lambda n: [n]),
        ("Filter", lambda s, t: s.filter(lambda n: fail(n) or n % 3 == 0), lambda n: [n] * (n % 3 == 0)),
        ("Filter", lambda s, t: s.filter(Keeps()), lambda n: [n] * (n % 2 == 0)),
        ("Process", lambda s, t: s.process(Sides(), t), lambda n: [n]),
    ],
)
def test_the_others_go_on(env: StreamExecutionEnvironment, name: str, make: Any, expected: Any, type_info: Any) -> None:
    """Each record before and behind a failing one is processed once, also in its own batch; of the failing one nothing comes out."""
    stream = make(env.from_collection(NUMBERS, type_info), type_info).with_dead_letters(FAILED)
    results, letters = both(stream)
    assert results == [result for number in good(NUMBERS) for result in expected(number)]
    assert letters == letters_of(NUMBERS, name)


def test_its_own_side_outputs(env: StreamExecutionEnvironment) -> None:
    stream = env.from_collection(NUMBERS, Types.LONG()).process(Sides(), Types.LONG()).with_dead_letters(FAILED)
    odd = stream.get_side_output(Sides.ODD)
    assert list(odd.execute_and_collect()) == [number for number in good(NUMBERS) if number % 2]


def test_what_is_of_another_type_has_failed(env: StreamExecutionEnvironment) -> None:
    def wrong(number: int) -> Any:
        return {0: "text", 1: 1 << 70, 2: None, 3: (number,), 4: [1]}.get(number, number)

    def tagged(number: int) -> Any:
        return [(Sides.ODD, "text" if number == 2 else number)]

    class Tagged(ProcessFunction):
        def process_element(self, value: int, ctx: Any) -> Any:
            return tagged(value)

    numbers = env.from_collection(list(range(8)), Types.LONG())
    results, letters = both(numbers.map(wrong, Types.LONG()).with_dead_letters(FAILED))
    assert results == [None, 5, 6, 7]
    assert [letter[4] for letter in letters] == [0, 1, 3, 4]
    assert all(letter[2].endswith(".TypeMismatchError") for letter in letters)
    results, letters = both(numbers.flat_map(lambda n: n if n == 5 else [n], Types.LONG()).with_dead_letters(FAILED))
    assert (results, [letter[4] for letter in letters]) == ([0, 1, 2, 3, 4, 6, 7], [5])
    stream = numbers.process(Tagged(), Types.LONG()).with_dead_letters(FAILED)
    assert list(stream.get_side_output(Sides.ODD).execute_and_collect()) == [0, 1, 3, 4, 5, 6, 7]


def test_without_it_the_job_fails(env: StreamExecutionEnvironment) -> None:
    with pytest.raises(Poison, match="no 3"):
        list(env.from_collection([1, 2, 3]).map(checked).execute_and_collect())
    with pytest.raises(TypeMismatchError):
        list(env.from_collection([1, 2, 3]).map(str, Types.LONG()).execute_and_collect())


def test_a_failure_behind_it_fails_the_job(env: StreamExecutionEnvironment) -> None:
    with pytest.raises(ZeroDivisionError):
        list(env.from_collection(NUMBERS).map(checked).with_dead_letters(FAILED).map(lambda n: 1 // (n - 2)).execute_and_collect())


def test_interrupts_are_no_failures_of_records(env: StreamExecutionEnvironment) -> None:
    def interrupt(number: int) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(env.from_collection([1]).map(interrupt).with_dead_letters(FAILED).execute_and_collect())


@pytest.mark.parametrize("parallelism", [1, 3])
def test_in_the_middle_of_a_chain(env: StreamExecutionEnvironment, parallelism: int) -> None:
    env.set_parallelism(parallelism)
    numbers = env.from_collection(NUMBERS, Types.LONG()).map(lambda n: n + 1, Types.LONG()).filter(lambda n: n > 0)
    stream = numbers.map(checked, Types.LONG()).name("Middle").with_dead_letters(FAILED).map(lambda n: n // 2, Types.LONG())
    results = sorted(stream.execute_and_collect())
    assert results == good([number + 1 for number in NUMBERS])


def test_letters_name_the_operator_and_are_counted(env: StreamExecutionEnvironment) -> None:
    stream = env.from_collection(NUMBERS).map(checked).name("Parse").with_dead_letters(FAILED)
    seen: list[Any] = []
    stream.get_side_output(FAILED).add_sink(seen.append)
    stream.add_sink(lambda value: None)
    client = env.execute_async("counted")
    client.get_job_execution_result().result()
    expected = letters_of(NUMBERS, "Parse")
    assert [tuple(letter) for letter in seen] == expected
    assert seen[0].operator == "Parse" and seen[0].record == 0 and seen[0].error == "no 0"
    operators = {operator["name"]: operator for operator in client.get_metrics()["operators"]}
    assert operators["Parse"]["numRecordsFailed"] == len(expected)
    assert f"Parse: {len(expected)} records failed and went to its dead letters" in str(client.explain_time())
    assert sum(step.num_records_failed for subtask in client.explain_time().subtasks for step in subtask.operators) == len(expected)


def test_letters_that_nobody_reads_are_counted(env: StreamExecutionEnvironment) -> None:
    env.from_collection(NUMBERS).map(checked).with_dead_letters(FAILED).add_sink(lambda value: None)
    client = env.execute_async("unread")
    client.get_job_execution_result().result()
    assert sum(operator["numRecordsFailed"] for operator in client.get_metrics()["operators"]) == len(NUMBERS) - len(good(NUMBERS))


# ---- With keys ---------------------------------------------------------------------------------------------------------------------------------


class EventTime(TimestampAssigner):
    def extract_timestamp(self, value: Any, record_timestamp: int) -> int:
        return int(value[1])


class Count(KeyedProcessFunction):
    """Counts, fails for some values behind the count, and in some timers."""

    def open(self, runtime_context: Any) -> None:
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.INT()))

    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        count = (self.count.value() or 0) + 1
        self.count.update(count)
        ctx.timer_service().register_event_time_timer(1_000_000 + value[1])
        yield value[0], count
        fail(value[1])

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Any]:
        yield "timer", ctx.get_current_key(), timestamp
        fail(timestamp - 1_000_000)


@pytest.mark.parametrize("parallelism", [1, 2])
def test_states_and_timers_of_a_record_that_failed_stay(env: StreamExecutionEnvironment, parallelism: int) -> None:
    env.set_parallelism(parallelism)
    draw = random.Random(1)
    rows = [(draw.choice("abcdefg"), place) for place in range(3_000)]
    strategy = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_millis(0)).with_timestamp_assigner(EventTime())
    stream = env.from_collection(rows, Types.TUPLE([Types.STRING(), Types.LONG()])).assign_timestamps_and_watermarks(strategy)
    results, letters = both(stream.key_by(lambda v: v[0], Types.STRING()).process(Count()).with_dead_letters(FAILED))
    counts: dict[str, int] = {}
    expected = []
    for key, number in rows:
        counts[key] = counts.get(key, 0) + 1
        if not is_bad(number):
            expected += [(key, counts[key]), ("timer", key, 1_000_000 + number)]
    assert sorted(map(str, results)) == sorted(map(str, expected))
    bad = [(key, number) for key, number in rows if is_bad(number)]
    assert sorted(letter[4] for letter in letters if isinstance(letter[4], tuple)) == sorted(bad)
    timers = [(letter[4], letter[1]) for letter in letters if isinstance(letter[4], str)]
    assert sorted(timers) == sorted((key, f"timer at {1_000_000 + number}") for key, number in bad)


class KeyedChecked(MapFunction):
    def open(self, runtime_context: Any) -> None:
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.INT()))

    def map(self, value: int) -> Any:
        self.count.update((self.count.value() or 0) + 1)
        fail(value)
        return value, self.count.value()


def test_a_map_with_state(env: StreamExecutionEnvironment) -> None:
    results, letters = both(env.from_collection(NUMBERS[:100]).key_by(lambda n: n % 2).map(KeyedChecked()).with_dead_letters(FAILED))
    assert results == [(number, number // 2 + 1) for number in good(NUMBERS[:100])]
    assert letters == letters_of(NUMBERS[:100], "Map")


# ---- Connected streams -------------------------------------------------------------------------------------------------------------------------


class Two(CoMapFunction):
    def map1(self, value: int) -> int:
        return checked(value)

    def map2(self, value: int) -> int:
        return -checked(value)


class TwoFlat(CoFlatMapFunction):
    def flat_map1(self, value: int) -> Any:
        return spread(value)

    def flat_map2(self, value: int) -> Any:
        fail(value)


class TwoKeyed(KeyedCoProcessFunction):
    def process_element1(self, value: int, ctx: Any) -> Iterator[int]:
        yield value
        fail(value)

    def process_element2(self, value: int, ctx: Any) -> Iterator[int]:
        yield -value
        fail(value)


def test_connected_streams(env: StreamExecutionEnvironment) -> None:
    first, second = env.from_collection(NUMBERS, Types.LONG()), env.from_collection(NUMBERS[:500], Types.LONG())
    results, letters = both(first.connect(second).map(Two(), Types.LONG()).with_dead_letters(FAILED))
    assert sorted(results) == sorted([2 * n for n in good(NUMBERS)] + [-2 * n for n in good(NUMBERS[:500])])
    assert [letter[1] for letter in letters if letter[1].startswith("second")][:2] == ["second input, record 0", "second input, record 3"]
    results, letters = both(first.connect(second).flat_map(TwoFlat(), Types.LONG()).with_dead_letters(FAILED))
    assert sorted(results) == sorted([n * sign for n in good(NUMBERS) for sign in (1, -1)])
    assert len(letters) == len(letters_of(NUMBERS, "")) + len(letters_of(NUMBERS[:500], ""))
    keyed = first.connect(second).key_by(lambda n: n % 3, lambda n: n % 3)
    results, letters = both(keyed.process(TwoKeyed(), Types.LONG()).with_dead_letters(FAILED))
    assert sorted(results) == sorted(good(NUMBERS) + [-n for n in good(NUMBERS[:500])])
    assert len(letters) == len(letters_of(NUMBERS, "")) + len(letters_of(NUMBERS[:500], ""))


# ---- Odd errors, refusals ----------------------------------------------------------------------------------------------------------------------


def test_errors_whose_text_cannot_be_had(env: StreamExecutionEnvironment) -> None:
    class Silent(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def raises(number: int) -> int:
        if number == 1:
            raise Silent
        if number == 2:
            raise ValueError("\udcff")
        raise StopIteration

    results, letters = both(env.from_collection([1, 2, 3]).map(raises).with_dead_letters(FAILED))
    assert results == []
    assert [letter[2].rsplit(".", 1)[-1] for letter in letters] == ["Silent", "ValueError", "StopIteration"]
    assert [letter[3] for letter in letters] == ["<str() of it failed: RuntimeError>", "\\udcff", ""]


def test_refusals(env: StreamExecutionEnvironment) -> None:
    numbers = env.from_collection(NUMBERS, Types.LONG())
    with pytest.raises(TypeError, match="DeadLetterTag"):
        numbers.map(checked).with_dead_letters("failed")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="another type"):
        numbers.map(checked).with_dead_letters(OutputTag("failed", Types.LONG()))
    keyed = numbers.key_by(lambda n: n)
    for stream in (numbers, numbers.union(numbers), keyed.reduce(lambda a, b: a)):
        with pytest.raises(PlanError, match="none of map, flat_map, filter and process"):
            stream.with_dead_letters(FAILED)
    mapped = numbers.map(checked)
    mapped.get_side_output(OutputTag("failed", Types.LONG()))
    with pytest.raises(TypeError, match="has another type already"):
        mapped.with_dead_letters(FAILED)
