"""A Python loop that calls the functions of the chain itself: python plain.py RECORDS.

The same lambdas on the same values in the same order; local variables, a dict for the reduce, a list for the results.
"""

import json
import sys
import time


def chain(records):
    double = lambda x: x * 2
    third = lambda x: x % 3 == 0
    keyed = lambda x: (x % 1000, x)
    key = lambda pair: pair[0]
    add = lambda left, right: (left[0], left[1] + right[1])
    wanted = lambda pair: pair[1] % 1000 == 0

    sums = {}
    results = []
    append = results.append
    for x in range(records):
        x = double(x)
        if third(x):
            pair = keyed(x)
            name = key(pair)
            if name in sums:
                pair = add(sums[name], pair)
            sums[name] = pair
            if wanted(pair):
                append(pair)
    return results


records = int(sys.argv[1])
begun = time.perf_counter()
results = chain(records)
seconds = time.perf_counter() - begun
print(json.dumps({"seconds": seconds, "count": len(results), "total": sum(pair[1] for pair in results)}))
