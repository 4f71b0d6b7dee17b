"""Python's sources: a snapshot's position, taken at random moments, goes on with the very next value."""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from millstream.common import Types
from millstream.datastream.connectors.hybrid_source import HybridSource, _OneAfterTheOther
from millstream.datastream.connectors.number_seq import NumberSequenceSource
from millstream.datastream.connectors.python import CallableSource, IteratorSource, PythonSource, _positioned
from millstream.datastream.connectors.python_files import PythonFileReader, PythonFilesSink, PythonFilesSource, PythonFileWriter, commit_files
from millstream.exceptions import InputOutputError, InvalidStateError


class Lines(PythonFileReader):
    def read(self, path: str) -> Iterator[list[Any]]:
        lines = Path(path).read_text().splitlines()
        for start in range(0, len(lines), 7):
            yield lines[start : start + 7]


class Tables(PythonFileReader):
    has_columns = True

    def read(self, path: str) -> Iterator[list[Any]]:
        for batch in self.read_columns(path):
            yield batch.column(0).to_pylist()

    def read_columns(self, path: str) -> Iterator[Any]:
        yield from pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=11)


def values_of(found: Any) -> list[Any]:
    return found.column(0).to_pylist() if isinstance(found, pyarrow.RecordBatch) else list(found)


@pytest.mark.parametrize("kind", ["lines", "watched", "values", "columns", "hybrid"])
@pytest.mark.parametrize("seed", range(15))
def test_positions(tmp_path: Path, kind: str, seed: int) -> None:
    draw = random.Random(seed)
    expected: list[Any] = []
    for name in "abcd":
        some = [f"{name}{number}" for number in range(draw.choice([0, 1, 7, 40]))]
        expected += some
        if kind in ("lines", "watched"):
            (tmp_path / name).write_text("".join(f"{line}\n" for line in some))
        else:
            pyarrow.parquet.write_table(pyarrow.table({"v": pyarrow.array(some, pyarrow.string())}), tmp_path / name, row_group_size=9)

    def make() -> PythonSource:
        if kind == "hybrid":
            return _OneAfterTheOther([NumberSequenceSource(1, 50), CallableSource(lambda: range(100, 130))], Types.LONG(), True)
        reader: PythonFileReader = Lines() if kind in ("lines", "watched") else Tables()
        source = PythonFilesSource([str(tmp_path)], reader, Types.STRING(), 5 if kind == "watched" else None)
        source._gives_columns = kind == "columns"
        return source

    if kind == "hybrid":
        expected = [*range(1, 51), *range(100, 130)]
    read: list[Any] = []
    row = 0
    position: bytes | None = None
    is_done = False
    while not is_done:
        function, snapshot, restore = _positioned(make())
        restore(row, position)
        for _ in range(draw.randrange(30)):
            found = function(draw.randint(1, 20))
            if found is None or isinstance(found, float):
                is_done = found is None or len(read) == len(expected)
                break
            read += values_of(found)
        position, row = snapshot(), len(read)
    assert read == expected
    if kind == "watched":
        (tmp_path / "e").write_text("late\n")
        source = make()
        function, snapshot, restore = _positioned(source)
        restore(row, position)
        while isinstance(found := function(10), float):
            source._look_at = 0.0  # type: ignore[attr-defined]
        assert found == ["late"]


def test_a_file_that_was_changed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("1\n2\n3\n")
    source = PythonFilesSource([str(tmp_path)], Lines(), Types.STRING(), None)
    function, snapshot, _ = _positioned(source)
    assert function(2) == ["1", "2"]
    position = snapshot()
    path.write_text("1\n2\n3\n4\n")
    _, _, restore = _positioned(PythonFilesSource([str(tmp_path)], Lines(), Types.STRING(), None))
    with pytest.raises(InputOutputError, match="was changed since 2 of its values were read"):
        restore(2, position)
    path.unlink()
    with pytest.raises(InputOutputError, match="cannot read"):
        restore(2, position)


def test_sources_that_cannot_go_back() -> None:
    once = IteratorSource(iter(range(10)))
    once._restore(0, None)
    assert once._read(3) is not None
    for row in (0, 1):
        with pytest.raises(InvalidStateError, match="gives its values once"):
            once._restore(row, None)
    with pytest.raises(InvalidStateError, match="may be others"):
        IteratorSource(iter(range(10)))._restore(4, None)
    again = IteratorSource(range(10))
    again._make = lambda: range(10)
    assert again._read(1) == [0]
    again._restore(7, None)
    assert [again._read(1), again._read(1)] == [[7], [8]]
    again._restore(0, None)
    assert again._read(1) == [0]
    with pytest.raises(InvalidStateError, match=r"has 10 value\(s\), and 11"):
        again._restore(11, None)
    with pytest.raises(InvalidStateError, match=r"has 10 value\(s\)|have 10 value\(s\)"):
        _OneAfterTheOther([NumberSequenceSource(1, 10)], Types.LONG(), True).restore_position(11)
    assert isinstance(HybridSource([NumberSequenceSource(1, 2)]), HybridSource)

    class Silent(PythonSource):
        def read(self, limit: int) -> None:
            return None

        def snapshot_position(self) -> None:
            return None

    _, snapshot, restore = _positioned(Silent())
    assert snapshot() is None
    restore(0, None)
    with pytest.raises(InvalidStateError, match="Silent cannot go back"):
        restore(3, None)


# ---- Files of formats that Python writes ----


class TextWriter(PythonFileWriter):
    def __init__(self, path: str) -> None:
        self._file = open(path, "w")  # noqa: SIM115

    def write(self, values: list[Any]) -> None:
        self._file.writelines(f"{value}\n" for value in values)

    def finish(self) -> None:
        self._file.close()


@pytest.mark.parametrize("seed", range(40))
def test_each_value_is_in_one_file(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    out = tmp_path / "out"
    out.mkdir()
    foreign = out / ".part-0-0.inprogress.someone"
    foreign.write_text("not ours")
    total = draw.randrange(1, 100)
    template = PythonFilesSink(str(out), TextWriter, lambda value: "even" if value % 2 == 0 else "", "part", ".txt", size_limit=20)
    durable: tuple[int, bytes, list[bytes]] = (0, b"", [])
    is_done = False
    unknown: list[str] = []
    for attempt in range(60):
        if not durable[1]:
            # Nobody knows the marks of runs before the first checkpoint.
            unknown.append(f"mark{attempt}")
        sink = copy.deepcopy(template)
        sink._commits, sink._mark = True, f"mark{attempt}"
        row, state, held = durable
        if state:
            sink.restore(0, state)
            assert all(outcome in (0, 1) for outcome, _ in commit_files(held))
        held = []
        while not is_done:
            action = draw.random()
            if action < 0.6 and row < total:
                end = min(total, row + draw.randint(1, 9))
                sink.write(list(range(row, end)))
                row = end
            elif action < 0.9:
                held += sink.prepare(row == total)
                state = sink.snapshot()
                if draw.random() < 0.3:
                    continue
                durable = row, state, list(held)
                if draw.random() < 0.3:
                    break
                assert all(outcome == 0 for outcome, _ in commit_files(held))
                held = []
                is_done = row == total
            elif attempt < 50:
                break
        if is_done:
            break
    found: list[int] = []
    left = []
    for folder, _, names in os.walk(out):
        for name in names:
            if name.startswith("."):
                left.append(name)
            else:
                found += map(int, (Path(folder) / name).read_text().split())
    assert sorted(found) == list(range(total))
    assert [name for name in left if name.rpartition(".")[2] not in unknown[:-1]] == [foreign.name]
    if total > 1:
        first = copy.deepcopy(template)
        first._commits = True
        first.write([1])
        assert commit_files(first.prepare(True)) == [(0, None)]
        with pytest.raises(InvalidStateError, match="committed after this checkpoint"):
            copy.deepcopy(template).restore(0, durable[1])


def test_commits_that_fail(tmp_path: Path) -> None:
    sink = PythonFilesSink(str(tmp_path), TextWriter, None, "part", "")
    sink._commits = True
    sink.write([1])
    committables = sink.prepare(False)
    (hidden,) = tmp_path.iterdir()
    text = hidden.read_text()
    (tmp_path / "part-0-0").write_text("taken")
    assert commit_files(committables)[0][0] == 3
    (tmp_path / "part-0-0").unlink()
    hidden.unlink()
    assert commit_files(committables)[0][0] == 3
    (tmp_path / "part-0-0").write_text(text + "more")
    assert commit_files(committables)[0][0] == 3
    (tmp_path / "part-0-0").write_text(text)
    assert commit_files(committables) == [(1, None)]
