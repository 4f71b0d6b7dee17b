"""Exceptions, declarations and values that used to be taken for something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from millstream.common import Row, Types, WatermarkStrategy
from millstream.datastream import DataStream, StreamExecutionEnvironment
from millstream.datastream.connectors.number_seq import NumberSequenceSource
from millstream.exceptions import TypeMismatchError


def stop(value: Any) -> Any:
    if value == 2:
        raise StopIteration
    return value


STAGES: dict[str, Callable[[DataStream], DataStream]] = {
    "map": lambda stream: stream.map(stop),
    "typed map": lambda stream: stream.map(stop, Types.LONG()),
    "filter": lambda stream: stream.filter(stop),
    "key_by": lambda stream: stream.key_by(stop).map(lambda value: value),
    "reduce": lambda stream: stream.key_by(lambda value: 1).reduce(lambda a, b: stop(b)),
    "flat_map": lambda stream: stream.flat_map(lambda value: [stop(value)]),
}


@pytest.mark.parametrize("stage", STAGES)
def test_stop_iteration_is_a_failure_and_not_the_end(env: StreamExecutionEnvironment, stage: str) -> None:
    with pytest.raises(RuntimeError, match="raised StopIteration") as caught:
        list(STAGES[stage](env.from_collection([1, 2, 3])).execute_and_collect())
    assert isinstance(caught.value.__cause__, StopIteration)
    assert "record" in "".join(caught.value.__notes__)


def test_all_of_int64_at_parallelism_one(env: StreamExecutionEnvironment) -> None:
    env.set_parallelism(1)
    numbers = env.from_source(NumberSequenceSource(-(2**63), 2**63 - 1), WatermarkStrategy.no_watermarks(), "numbers")
    assert list(numbers.execute_and_collect(limit=2)) == [-(2**63), -(2**63) + 1]


def test_reduce_over_values_that_cannot_be_null(env: StreamExecutionEnvironment) -> None:
    env.set_parallelism(1)
    numbers = env.from_source(NumberSequenceSource(0, 10), WatermarkStrategy.no_watermarks(), "numbers")
    sums = numbers.key_by(lambda value: value % 3).reduce(lambda a, b: a + b)
    assert list(sums.execute_and_collect()) == [0, 1, 2, 3, 5, 7, 9, 12, 15, 18, 22]
    pairs = numbers.key_by(lambda value: value % 3).count_window(2).reduce(lambda a, b: a + b)
    assert sorted(pairs.execute_and_collect()) == [3, 5, 7, 15, 17]


def test_what_a_map_declares_holds_for_the_key_selector_behind_it(env: StreamExecutionEnvironment) -> None:
    named = Types.ROW_NAMED(["k", "v"], [Types.STRING(), Types.LONG()])
    rows = env.from_collection([1, 2]).map(lambda n: Row("a", n), named).key_by(lambda row: row.k).reduce(lambda a, b: Row("a", a.v + b.v))
    assert [row.v for row in rows.execute_and_collect()] == [1, 3]
    doubles = env.from_collection([1, 1.0]).map(lambda n: n, Types.DOUBLE()).key_by(lambda n: n).reduce(lambda a, b: a + b)
    assert list(doubles.execute_and_collect()) == [1.0, 2.0]
    with pytest.raises(TypeMismatchError, match="Map"):
        list(env.from_collection([1]).map(lambda n: "abc", Types.LONG()).key_by(lambda n: n + 1).reduce(lambda a, b: a).execute_and_collect())


class Wide:
    def __repr__(self) -> str:
        return "Wide(\n" + "  1,\n" * 50 + ")"


def test_a_record_of_many_lines_is_shown_on_one(env: StreamExecutionEnvironment) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        list(env.from_collection([Wide()]).map(lambda value: 1 // 0).execute_and_collect())
    assert all("\n" not in note for note in caught.value.__notes__)
    assert any("Wide( 1, 1," in note for note in caught.value.__notes__)
