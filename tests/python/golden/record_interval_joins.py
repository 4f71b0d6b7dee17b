"""Records what the outer interval joins of Flink's SQL give, for `test_interval_join_outer.py`. In an interpreter with apache-flink 2.3 and Java 11 or 17:

    python tests/python/golden/record_interval_joins.py

It writes `interval_joins.json`: the rows of both sides as [key, milliseconds, number], and for each case the pairs of numbers, null where a side has none.
"""

from __future__ import annotations

import json
import pathlib
import random
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
#: Bounds in milliseconds: right - left lies between them.
BOUNDS = [(-200, 300), (0, 0), (100, 250), (-250, -50)]
KINDS = ["LEFT", "RIGHT", "FULL", "INNER"]
#: As many milliseconds may a row be behind: none is late.
DISORDER = 400


def events(draw: random.Random) -> list[tuple[str, int, int]]:
    """Rows with ties, out of order."""
    return [(draw.choice("abc"), 10 * ((40 * place + draw.randint(0, DISORDER)) // 10), place) for place in range(60)]


def main() -> None:
    from pyflink.table import EnvironmentSettings, TableEnvironment

    draw = random.Random(20)
    sides = {"l": events(draw), "r": events(draw)}
    tables = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    tables.get_config().set("parallelism.default", "1").set("table.local-time-zone", "UTC")
    folder = tempfile.mkdtemp(prefix="interval-joins-")
    for name, rows in sides.items():
        path = pathlib.Path(folder, f"{name}.csv")
        path.write_text("".join(f"{key},{time},{number}\n" for key, time, number in rows))
        tables.execute_sql(
            f"CREATE TABLE {name} (k STRING, ms BIGINT, n INT, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) "
            f"WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'csv')"
        )
    cases = []
    for lower, upper in BOUNDS:
        for kind in KINDS:
            bound = "r.ts BETWEEN l.ts {:+d} * INTERVAL '0.001' SECOND AND l.ts {:+d} * INTERVAL '0.001' SECOND"
            query = f"SELECT l.n, r.n FROM l {kind} JOIN r ON l.k = r.k AND {bound.format(lower, upper)}"
            found = [[row[0], row[1]] for row in tables.execute_sql(query).collect()]
            cases.append({"lower": lower, "upper": upper, "kind": kind, "pairs": sorted(found, key=str)})
    text = ",\n".join(json.dumps(case) for case in cases)
    (HERE / "interval_joins.json").write_text(f'{{"left": {json.dumps(sides["l"])},\n"right": {json.dumps(sides["r"])},\n"cases": [\n{text}\n]}}\n')


if __name__ == "__main__":
    main()
