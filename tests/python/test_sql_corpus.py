"""Queries with the answers of Apache Flink 2.3 (Tests/SQLTests/Golden/queries.jsonl), in streaming and in batch mode.

Of each query the schema, and the table that its changes make, must be Flink's; a query that Flink refuses before it runs must be refused. What differs stands in
Tests/SQLTests/Golden/differences.txt, with the reason: such a query must still differ, so that the list gets shorter when something is built.
"""

from __future__ import annotations

import datetime
import decimal
import json
import re
import struct
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from millstream.common.time import Instant
from millstream.common.types import Row
from millstream.exceptions import MillstreamError
from millstream.table import EnvironmentSettings, TableEnvironment

GOLDEN = Path(__file__).parents[2] / "Tests" / "SQLTests" / "Golden"
MODES = ("streaming", "batch")
TIMES = re.compile(r"(TIMESTAMP_LTZ|TIMESTAMP|TIME)\((\d)\)$")


def tables() -> dict[str, str]:
    """CREATE statements by name."""
    text = re.sub(r"--[^\n]*", "", (GOLDEN / "schema.sql").read_text()).replace("${DATA}", str(GOLDEN / "tables"))
    found = {}
    for statement in text.split(";\n"):
        name = re.match(r"\s*CREATE (?:TEMPORARY )?(?:TABLE|VIEW)\s+`?(\w+)`?", statement)
        if name:
            found[name[1]] = statement.strip().rstrip(";")
    return found


def differences() -> dict[str, str]:
    """`id mode` -> reason; `id *` is both modes, `prefix_ *` all of a category."""
    found = {}
    reason = ""
    for line in (GOLDEN / "differences.txt").read_text().splitlines():
        if line.startswith("# "):
            reason = line[2:]
        elif line.strip():
            found[line.strip()] = reason
    return found


TABLES = tables()
DIFFERENCES = differences()
RECORDS = [record for line in (GOLDEN / "queries.jsonl").read_text().splitlines() if (record := json.loads(line))["kind"] == "query"]
CASES = [(record, mode) for record in RECORDS for mode in MODES if record.get(mode) and record[mode].get("supported") is not False]


def reason_for(record: dict[str, Any], mode: str) -> str | None:
    category = re.sub(r"\d+$", "", record["id"])
    for key in (f"{record['id']} {mode}", f"{record['id']} *", f"{category} {mode}", f"{category} *"):
        if key in DIFFERENCES:
            return DIFFERENCES[key]
    return None


def interval(value: Any, kind: str) -> str:
    """An interval as Flink casts it to text: `+1 02:03:04.000`, `+2-03`."""
    if isinstance(value, int):
        return f"{'-' if value < 0 else '+'}{abs(value) // 12}-{abs(value) % 12:02d}"
    micros = value // datetime.timedelta(microseconds=1)
    seconds, rest = divmod(abs(micros), 1_000_000)
    minutes, hours = seconds // 60, seconds // 3600
    return f"{'-' if micros < 0 else '+'}{hours // 24} {hours % 24:02d}:{minutes % 60:02d}:{seconds % 60:02d}.{rest // 1000:03d}"


def plain(value: Any, kind: str) -> Any:
    """A value in the form of the corpus."""
    if kind.startswith("MULTISET") and value is not None:
        counts = Counter(json.dumps(plain(item, ""), ensure_ascii=False) for item in value)
        return [[json.loads(item), counts[item]] for item in sorted(counts)]
    if kind.startswith("INTERVAL") and value is not None:
        return interval(value, kind)
    if value is None or isinstance(value, bool | int | str):
        return value
    times = TIMES.match(kind)
    if times and isinstance(value, Instant):
        seconds, nanos = value.seconds, value.nanos
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
        return f"{moment:%Y-%m-%d %H:%M:%S}" + (("." + f"{nanos:09d}"[: int(times[2])]) if times[2] != "0" else "") + "Z"
    if times and isinstance(value, datetime.datetime | datetime.time):
        text = value.strftime("%H:%M:%S") if isinstance(value, datetime.time) else f"{value.year:04d}{value:-%m-%d %H:%M:%S}"
        return text + (("." + f"{value.microsecond:06d}000"[: int(times[2])]) if times[2] != "0" else "")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, float):
        if kind == "FLOAT":
            value = next(short for digits in range(1, 10) if struct.pack("f", short := float(f"{value:.{digits}g}")) == struct.pack("f", value)) if abs(value) < 1e300 and value == value else value
        return "NaN" if value != value else value if abs(value) != float("inf") else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, bytes | bytearray):
        return value.hex()
    if isinstance(value, dict):
        return sorted(([plain(key, ""), plain(item, "")] for key, item in value.items()), key=lambda entry: json.dumps(entry[0], ensure_ascii=False))
    if isinstance(value, Row | list | tuple):
        return [plain(item, "") for item in value]
    return value


def is_near(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_near, one, other))
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other or abs(one - other) <= 1e-6 * max(abs(one), abs(other))
    return bool(one == other)


def run(record: dict[str, Any], mode: str) -> str | None:
    """What differs from Flink's answer; None if nothing does."""
    expected = record[mode]
    settings = EnvironmentSettings.in_streaming_mode() if mode == "streaming" else EnvironmentSettings.in_batch_mode()
    try:
        env = TableEnvironment.create(settings)
        for name in record.get("tables") or TABLES:
            if name in TABLES and "golden-lookup" not in TABLES[name]:
                env.execute_sql(TABLES[name])
        for key, value in (record.get("config") or {}).items():
            env.get_config().set(key, value)
        for statement in record.get("setup") or []:
            env.execute_sql(statement.replace("${DATA}", str(GOLDEN / "tables")))
        result = env.execute_sql(record["sql"])
        types = result.get_column_types()
        with result.collect() as rows:
            changes = [(row.get_row_kind().value, [plain(value, kind.split(" NOT NULL")[0].split(" *")[0]) for value, kind in zip(row, types, strict=True)]) for row in rows]
    except MillstreamError as error:
        return None if expected.get("error") else f"refused: {error}"
    if expected.get("error"):
        return f"not refused: {expected['error'].get('message', '')[:120]}"
    schema = [[name, kind] for name, kind in zip(result.get_column_names(), types, strict=True)]
    if schema != expected["schema"]:
        return f"the schema is {schema}, and was {expected['schema']}"
    counts: Counter[str] = Counter()
    for kind, row in changes:
        counts[json.dumps(row, ensure_ascii=False, separators=(",", ":"))] += 1 if kind in (0, 2) else -1
    if any(count < 0 for count in counts.values()):
        return f"rows go away that are not there: {[row for row, count in counts.items() if count < 0][:2]}"
    found = [json.loads(row) for row in sorted(counts.elements())]
    wanted = sorted(expected["materialized" if mode == "streaming" else "rows"], key=lambda row: json.dumps(row, ensure_ascii=False, separators=(",", ":")))
    if found != wanted and not is_near(found, wanted):
        return f"{len(found)} rows, and there were {len(wanted)}: {[row for row in found if row not in wanted][:2]} instead of {[row for row in wanted if row not in found][:2]}"
    return None


@pytest.mark.parametrize(("record", "mode"), CASES, ids=[f"{record['id']}-{mode}" for record, mode in CASES])
def test_query(record: dict[str, Any], mode: str) -> None:
    difference = run(record, mode)
    reason = reason_for(record, mode)
    if reason is None:
        assert difference is None, record["sql"]
    else:
        assert difference is not None, f"nothing differs any more: take it out of differences.txt ({reason})"


def test_most_agree() -> None:
    known = sum(reason_for(record, mode) is not None for record, mode in CASES)
    assert len(CASES) > 900
    assert known < 0.2 * len(CASES)
