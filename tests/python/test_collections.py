"""``from_collection`` over sequences of all kinds: read slice by slice, where they are, and the same as from a list of their values."""

from __future__ import annotations

import array
import collections
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any, overload

import pytest
from millstream.common import Types
from millstream.datastream import StreamExecutionEnvironment
from millstream.exceptions import TypeMismatchError


class Squares(Sequence[int]):
    """A sequence of the program's own; it tells what it was asked for."""

    def __init__(self, count: int, bad: int | None = None) -> None:
        self.count = count
        self.bad = bad
        self.asked: list[int] = []

    def __len__(self) -> int:
        return self.count

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...
    def __getitem__(self, index: Any) -> Any:
        assert isinstance(index, int)
        if index == self.bad:
            raise ConnectionError(f"no value {index}")
        if index >= self.count:
            raise IndexError
        self.asked.append(index)
        return index * index


def results(env: StreamExecutionEnvironment, values: Any, type_info: Any) -> list[Any] | str:
    """The values, or the failure with the record that it names."""
    try:
        return list(env.from_collection(values, type_info).name("Values").map(lambda value: (type(value), value)).execute_and_collect())
    except TypeMismatchError as error:
        return f"{error} {error.record}"


RANGES = [range(0), range(1), range(5, -5, -2), range(-3, 200_000, 7), range(250, 260), range(2**31 - 2, 2**31 + 2), range(2**63 - 2, 2**63 + 1)]


@pytest.mark.parametrize("type_info", [None, Types.LONG(), Types.INT(), Types.BYTE(), Types.STRING(), Types.PICKLED_BYTE_ARRAY(), Types.BIG_INT()], ids=str)
@pytest.mark.parametrize("values", RANGES, ids=str)
def test_a_range_is_the_list_of_its_numbers(env: StreamExecutionEnvironment, values: range, type_info: Any) -> None:
    assert results(env, values, type_info) == results(env, list(values), type_info)


@pytest.mark.parametrize(
    "values",
    [Squares(70_000), array.array("d", [1.5, 2.5]), collections.deque(["a", "b"]), collections.UserList([1, 2]), memoryview(b"ab"), {1: 2}.keys()],
    ids=lambda values: type(values).__name__,
)
def test_other_collections(env: StreamExecutionEnvironment, values: Any) -> None:
    assert results(env, values, None) == results(env, list(values), None)


def test_a_sequence_is_read_once_and_in_order_when_the_job_runs(env: StreamExecutionEnvironment) -> None:
    values = Squares(100_000)
    stream = env.from_collection(values, Types.LONG())
    assert values.asked == []
    assert sum(stream.execute_and_collect()) == sum(n * n for n in range(100_000))
    assert values.asked == list(range(100_000))


def test_a_sequence_that_fails_fails_the_job(env: StreamExecutionEnvironment) -> None:
    with pytest.raises(ConnectionError, match="no value 70000") as caught:
        list(env.from_collection(Squares(100_000, bad=70_000)).name("Squares").execute_and_collect())
    assert any("in operator 'Squares'" in note and "record 70000" in note for note in caught.value.__notes__)


def test_what_has_no_length_is_taken_at_once(env: StreamExecutionEnvironment) -> None:
    taken = []

    def numbers() -> Iterator[int]:
        for number in range(3):
            taken.append(number)
            yield number

    stream = env.from_collection(numbers())
    assert taken == [0, 1, 2]
    # A list serves any number of jobs.
    assert [list(stream.execute_and_collect()) for _ in range(2)] == [[0, 1, 2]] * 2
    with pytest.raises(OverflowError):
        env.from_collection(range(10**30))


@pytest.mark.parametrize("type_info", ["Types.LONG()", "None"])
def test_a_long_range_takes_no_memory(type_info: str) -> None:
    script = f"""
from millstream.common import Types
from millstream.datastream import StreamExecutionEnvironment
def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
env = StreamExecutionEnvironment.get_execution_environment()
before = peak()
found = []
with env.from_collection(range(10**9), {type_info}).execute_and_collect() as values:
    for value in values:
        found.append(value)
        if len(found) == 300_000:
            break
assert found == list(range(300_000))
print(peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    # In KiB: the values that were taken, and some batches.
    assert int(done.stdout) < 60_000, done.stdout
