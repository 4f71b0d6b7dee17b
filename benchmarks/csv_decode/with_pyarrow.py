"""The same with Arrow's own reader on one thread: python with_pyarrow.py PATH."""

import json
import sys
import time

import pyarrow
from pyarrow import csv

pyarrow.set_cpu_count(1)
pyarrow.set_io_thread_count(1)
types = {
    "number": pyarrow.int64(),
    "quantity": pyarrow.int32(),
    "price": pyarrow.float64(),
    "is_open": pyarrow.bool_(),
    "carrier": pyarrow.string(),
    "city": pyarrow.string(),
    "moment": pyarrow.timestamp("s"),
}
begun = time.perf_counter()
reader = csv.open_csv(
    sys.argv[1], read_options=csv.ReadOptions(use_threads=False, column_names=list(types)), convert_options=csv.ConvertOptions(column_types=types)
)
rows = sum(batch.num_rows for batch in reader)
print(json.dumps({"seconds": time.perf_counter() - begun, "rows": rows}))
