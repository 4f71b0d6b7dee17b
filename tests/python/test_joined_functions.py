"""Functions that run in one crossing: chains from C, and maps and filters behind a reduction."""

from __future__ import annotations

import random

import pytest
from millstream.common import Types
from millstream.datastream import StreamExecutionEnvironment
from millstream.exceptions import TypeMismatchError

LONG = Types.LONG()
PAIR = Types.TUPLE([LONG, LONG])


def pairs(count: int, seed: int) -> list[tuple[int, int]]:
    chance = random.Random(seed)
    return [(chance.randrange(20), chance.randrange(-1000, 1000)) for _ in range(count)]


def environment(joined: bool) -> StreamExecutionEnvironment:
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    if not joined:
        env.disable_operator_chaining()
    return env


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_a_reduction_joined_with_what_follows_gives_the_same(declared: bool, seed: int) -> None:
    def run(joined: bool) -> list[object]:
        kind = PAIR if declared else None
        sums = (
            environment(joined).from_collection(pairs(9_000, seed), kind).key_by(lambda pair: pair[0], LONG).reduce(lambda a, b: (a[0], a[1] + b[1]))
        )
        wanted = (
            sums.filter(lambda pair: pair[1] % 3 == 0).map(lambda pair: (pair[1], pair[0]), output_type=kind).filter(lambda pair: pair[1] % 2 == 0)
        )
        return list(wanted.execute_and_collect())

    assert run(True) == run(False)
    sums: dict[int, int] = {}
    expected = []
    for key, value in pairs(9_000, seed):
        sums[key] = sums.get(key, 0) + value
        if sums[key] % 3 == 0 and key % 2 == 0:
            expected.append((sums[key], key))
    assert run(True) == expected


def test_nothing_may_pass_the_filter() -> None:
    sums = environment(True).from_collection(pairs(500, 1), PAIR).key_by(lambda pair: pair[0]).reduce(lambda a, b: (a[0], a[1] + b[1]))
    assert list(sums.filter(lambda pair: False).execute_and_collect()) == []


def test_a_failure_behind_a_reduction_names_its_own_operator() -> None:
    sums = (
        environment(True)
        .from_collection([(1, 1), (1, 2), (1, -3), (1, 5)], PAIR)
        .key_by(lambda pair: pair[0])
        .reduce(lambda a, b: (a[0], a[1] + b[1]))
    )
    with pytest.raises(ZeroDivisionError) as raised:
        list(sums.map(lambda pair: 6 // pair[1], output_type=LONG).name("divide").execute_and_collect())
    notes = "\n".join(raised.value.__notes__)
    assert "'divide'" in notes and "record 2" in notes and "(1, 0)" in notes


def test_a_declared_type_holds_between_joined_functions() -> None:
    sums = environment(True).from_collection([(1, 1), (1, 2)], PAIR).key_by(lambda pair: pair[0]).reduce(lambda a, b: (a[0], "three"))
    with pytest.raises(TypeMismatchError, match="BIGINT"):
        list(sums.filter(lambda pair: True).execute_and_collect())
    numbers = environment(True).from_collection([1, 2], LONG)
    doubles = numbers.map(lambda n: n, output_type=Types.DOUBLE()).map(lambda x: type(x).__name__, output_type=Types.STRING())
    assert list(doubles.execute_and_collect()) == ["float", "float"]
    with pytest.raises(TypeMismatchError, match="too few"):
        list(numbers.map(lambda n: (n,), output_type=PAIR).map(lambda pair: pair[0], output_type=LONG).execute_and_collect())


def test_a_value_that_is_none_goes_on_between_joined_functions() -> None:
    numbers = environment(True).from_collection([1, 2], LONG).map(lambda n: None if n == 1 else n, output_type=LONG)
    assert list(numbers.filter(lambda n: True).map(lambda n: n is None, output_type=Types.BOOLEAN()).execute_and_collect()) == [True, False]
