"""The loop itself: python plain.py RECORDS."""

import json
import sys
import time


def run(records):
    function = lambda x: x * 2 + 1
    begun = time.perf_counter()
    for x in range(records):
        function(x)
    return time.perf_counter() - begun


print(json.dumps({"seconds": run(int(sys.argv[1]))}))
