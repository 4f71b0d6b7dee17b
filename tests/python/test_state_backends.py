"""State in RocksDB: what comes out is what memory gives, with less memory than state."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from millstream import state
from millstream.common import Configuration, Types, WatermarkStrategy
from millstream.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from millstream.datastream.connectors.datagen import DataGeneratorSource
from millstream.datastream.connectors.discarding import DiscardingSink
from millstream.datastream.connectors.number_seq import NumberSequenceSource
from millstream.datastream.state import ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor
from millstream.exceptions import ConfigurationError, DecodeError
from millstream.table.expressions import col

REPOSITORY = Path(__file__).resolve().parents[2]


def environment(backend: str, memory: str = "16 mb", **more: str) -> StreamExecutionEnvironment:
    settings = {"state.backend.type": backend, "state.backend.rocksdb.memory.fixed-per-slot": memory, "parallelism.default": "1", **more}
    return StreamExecutionEnvironment.get_execution_environment(Configuration.from_dict(settings))


class Everything(KeyedProcessFunction):
    """Has something in states of each kind, and tells what."""

    def open(self, runtime_context: RuntimeContext) -> None:
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))
        self.last = runtime_context.get_state(ValueStateDescriptor("last", Types.PICKLED_BYTE_ARRAY()))
        self.words = runtime_context.get_list_state(ListStateDescriptor("words", Types.STRING()))
        self.seen = runtime_context.get_map_state(MapStateDescriptor("seen", Types.PICKLED_BYTE_ARRAY(), Types.LONG()))

    def process_element(self, value: tuple[Any, int], ctx: KeyedProcessFunction.Context) -> Iterator[str]:
        key, number = value
        count = (self.count.value() or 0) + 1
        yield f"{key} {count} {self.last.value()} {list(self.words.get() or [])} {sorted(self.seen.items(), key=str)}"
        self.count.update(count)
        self.last.update({"number": number, "key": key})
        if number % 5 == 0:
            self.words.clear()
        self.words.add(f"word {number}")
        self.seen.put((number % 4, key), number)


@pytest.mark.parametrize("keys", ["declared", "objects"])
def test_states_of_functions_are_what_they_are_in_memory(keys: str) -> None:
    draw = random.Random(7)
    key_of = (
        (lambda number: f"key {number}")
        if keys == "declared"
        else (lambda number: (number, "x"))
    )
    rows = [(key_of(draw.randrange(400)), number) for number in range(6_000)]
    found = []
    for backend, memory in (("hashmap", "16 mb"), ("rocksdb", "40 kb")):
        env = environment(backend, memory, **{"millstream.batch.rows": "50"})
        stream = env.from_collection(rows, None if keys == "objects" else Types.TUPLE([Types.STRING(), Types.LONG()]))
        keyed = stream.key_by(lambda row: row[0], Types.STRING() if keys == "declared" else None)
        found.append(list(keyed.process(Everything(), Types.STRING()).execute_and_collect()))
    assert found[0] == found[1]


@pytest.mark.slow
@pytest.mark.parametrize("more", [["--state-mb", "600"], ["--state-mb", "200", "--kill", "--checkpoint-seconds", "2"]], ids=["undisturbed", "killed"])
def test_state_larger_than_memory(more: list[str], tmp_path: Path) -> None:
    """State of many times the 40 MB for it: the process stays below that and 128 MB for the interpreter, RocksDB's own buffers and what passes through."""
    command = [sys.executable, str(REPOSITORY / "scripts" / "larger_than_memory.py"), "--limit-mb", "512", *more]
    command += ["--state-memory-mb", "40", "--directory", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    result = json.loads(ran.stdout)
    assert result["complete"]
    assert result["peak_resident_mb"] <= 40 + 128, result


def test_a_damaged_file_of_a_store_is_refused_at_once(tmp_path: Path) -> None:
    def build(path: str | None) -> StreamExecutionEnvironment:
        env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)
        env.enable_checkpointing(20)
        env.configure({"state.backend.type": "rocksdb", "execution.checkpointing.incremental": "true", "execution.checkpointing.dir": str(tmp_path)})
        env.configure({"execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION"})
        if path:
            env.configure({"execution.state-recovery.path": path})
        numbers = env.from_source(NumberSequenceSource(0, 2**62), WatermarkStrategy.no_watermarks(), "numbers", Types.LONG()).uid("numbers")
        pairs = numbers.map(lambda n: (n % 100, n), Types.TUPLE([Types.LONG(), Types.LONG()])).uid("pairs")
        pairs.key_by(lambda pair: pair[0], Types.LONG()).sum(1).uid("sums").sink_to(DiscardingSink()).uid("sink")
        return env

    client = build(None).execute_async("damaged")
    until = time.monotonic() + 30
    while time.monotonic() < until and not any(each.is_completed for each in client.checkpoints()):
        time.sleep(0.01)
    client.cancel().result()
    path = [each for each in client.checkpoints() if each.is_completed][-1].location
    file = max((Path(path).parent / "shared").glob("*.sst"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)
    with pytest.raises(DecodeError, match=f"{file.name}' is damaged.*the checksum of its"):
        state.describe(path)
    again = build(path).execute_async("damaged")
    with pytest.raises(DecodeError, match=f"{file.name}' is damaged"):
        again.get_job_execution_result().result(30)
    assert len(again.failures()) == 1, "another attempt would read the same bytes"


def test_a_backend_of_no_name_is_refused() -> None:
    env = StreamExecutionEnvironment.get_execution_environment()
    with pytest.raises(ConfigurationError, match="rocksb.*it is hashmap or rocksdb"):
        env.configure({"state.backend.type": "rocksb"})


def test_batches_are_put_together_where_keys_come_from_a_store() -> None:
    def run(backend: str) -> tuple[int, Any]:
        env = StreamExecutionEnvironment.get_execution_environment().set_parallelism(1)
        # One thread: what a source has given waits while the sums have their turn.
        env.configure({"state.backend.type": backend, "execution.runtime-mode": "STREAMING", "millstream.workers": "1", "millstream.batch.rows": "1000"})
        number = col("index")
        rows = env.from_source(DataGeneratorSource({"key": number % 50_000, "value": number}, 200_000), WatermarkStrategy.no_watermarks(), "rows")
        last: list[Any] = []
        rows.key_by("key").sum("value").uid("sums").filter(col("value") >= 50_000 * 6 + 4 * 49_990).add_sink(last.append)
        client = env.execute_async("sums")
        client.get_job_execution_result().result()
        (metrics,) = [each for each in client.get_metrics()["operators"] if each["id"] == "sums"]
        assert metrics["numRecordsIn"] == 200_000
        return metrics["numBatchesIn"], last

    (alone, expected), (together, found) = run("hashmap"), run("rocksdb")
    assert found == expected and len(found) == 10
    assert together * 2 < alone
