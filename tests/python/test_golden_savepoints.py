"""Savepoints that were made once and are kept: each version reads those of all before it, and goes on from them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import golden_savepoints
import pytest

pytest.importorskip("pyarrow")
ROOT = Path(__file__).parent / "golden" / "savepoints"
KEPT = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("*/*") if (path / "expected.json").exists())


def test_there_are_some_of_each_version() -> None:
    assert len([name for name in KEPT if name.startswith("v1/")]) >= 10
    assert {name.partition("/")[2] for name in KEPT if name.startswith("v1/")} == set(golden_savepoints.JOBS)


@pytest.mark.parametrize("name", KEPT)
def test_what_is_in_it(name: str) -> None:
    folder = ROOT / name
    assert sum(file.stat().st_size for file in folder.rglob("*")) <= 200_000
    assert golden_savepoints.dump(str(folder / golden_savepoints.DATA)) == json.loads((folder / "expected.json").read_text())["dump"]


@pytest.mark.parametrize("parallelism", [1, 2, 3])
@pytest.mark.parametrize("name", KEPT)
def test_a_job_goes_on_from_it(name: str, parallelism: int, tmp_path: Path) -> None:
    copy = shutil.copytree(ROOT / name / golden_savepoints.DATA, tmp_path / "savepoint")
    before = {file.name: file.read_bytes() for file in copy.iterdir()}
    job = golden_savepoints.JOBS[name.partition("/")[2]]
    assert golden_savepoints.second_half(job, str(copy), parallelism) == json.loads((ROOT / name / "expected.json").read_text())["output"]
    assert {file.name: file.read_bytes() for file in copy.iterdir()} == before
