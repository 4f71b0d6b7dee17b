"""State that is written in several pieces while the job changes it, and restored at another parallelism."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from millstream import state
from millstream.common import WatermarkStrategy
from millstream.datastream import StreamExecutionEnvironment
from millstream.datastream.connectors.datagen import DataGeneratorSource
from millstream.datastream.connectors.discarding import DiscardingSink
from millstream.table.expressions import col

pa = pytest.importorskip("pyarrow")
pc = pytest.importorskip("pyarrow.compute")

# A piece has 16 MiB of rows, 128 bytes each.
KEYS, COLUMNS = 300_000, 13


def start(savepoint: str | None, parallelism: int) -> Any:
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(parallelism)
    if savepoint:
        env.configure({"execution.state-recovery.path": savepoint})
    number = col("index")
    values = {"key": number % KEYS * 7_919 % KEYS, "value": number} | {f"more_{place}": number for place in range(COLUMNS)}
    rows = env.from_source(DataGeneratorSource(values, 1 << 60), WatermarkStrategy.no_watermarks(), "rows").uid("rows").set_parallelism(1)
    rows.key_by("key").sum("value").uid("sums").sink_to(DiscardingSink())
    return env.execute_async("sums")


def prefix(path: str) -> int:
    """How many rows the sums are of: those of all numbers below it, once each."""
    table = pa.table(state.read(path, "sums", "rolling/records"))
    assert table.num_rows == KEYS == pc.count_distinct(table["key0"]).as_py()
    assert table["key0"].equals(table["record.key"].cast(table["key0"].type))
    count, left, total = 0, 1 << 40, pc.sum(table["record.value"]).as_py()
    while left:
        if (count + left) * (count + left - 1) // 2 <= total:
            count += left
        left //= 2
    assert count * (count - 1) // 2 == total
    return int(count)


def test_pieces_are_one_moment(tmp_path: Path) -> None:
    client = start(None, 1)
    while client.get_metrics()["operators"][0]["numRecordsOut"] < 2 * KEYS:
        time.sleep(0.01)
    first = client.trigger_savepoint(str(tmp_path)).result()
    client.cancel().result()
    rows = prefix(first)
    assert rows >= 2 * KEYS
    client = start(first, 3)
    while client.get_metrics()["operators"][0]["numRecordsOut"] < KEYS:
        time.sleep(0.01)
    second = client.trigger_savepoint(str(tmp_path)).result()
    client.cancel().result()
    assert prefix(second) > rows
