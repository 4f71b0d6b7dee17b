"""Records hash_vectors.txt: expressions and their stable hash by docs/hash.md, computed with PyPI's xxhash alone.

Run: pip install xxhash && python record_hash_vectors.py > hash_vectors.txt
"""

import math
import random
import struct

import xxhash

NULL = xxhash.xxh64_intdigest(b"", 1)


def fold(hashes, seed=None):
    acc = len(hashes) if seed is None else seed
    for h in hashes:
        acc = xxhash.xxh64_intdigest(struct.pack("<Q", h), acc)
    return acc


def double(x):
    if math.isnan(x):
        return struct.pack("<Q", 0x7FF8000000000000)
    return struct.pack("<d", 0.0 if x == 0 else x)


def evaluate(e):
    kind, *args = e
    h = xxhash.xxh64_intdigest
    match kind:
        case "null":
            return NULL
        case "boolean" | "tinyint" | "smallint" | "int" | "bigint":
            return h(struct.pack("<q", args[0]))
        case "float":
            return h(double(struct.unpack("<f", struct.pack("<I", args[0]))[0]))
        case "double":
            return h(double(struct.unpack("<d", struct.pack("<Q", args[0]))[0]))
        case "decimal":
            return h(args[0].to_bytes(16, "little", signed=True))
        case "bytes":
            return h(bytes.fromhex(args[0][1:]))
        case "key":
            hashes = [evaluate(a) for a in args]
            return hashes[0] if len(hashes) == 1 else fold(hashes)
        case "row" | "array":
            return fold([evaluate(a) for a in args])
        case "map":
            total = sum(fold([evaluate(k), evaluate(v)]) for k, v in zip(args[::2], args[1::2])) % 2**64
            return fold([total], len(args) // 2)
    raise ValueError(kind)


def text(e):
    return "(" + " ".join(text(a) if isinstance(a, tuple) else str(a) for a in e) + ")"


def expressions():
    r = random.Random(7)
    yield ("null",)
    yield from (("boolean", v) for v in (0, 1))
    yield from (("tinyint", v) for v in (-128, -1, 0, 1, 127))
    yield from (("smallint", v) for v in (-32768, 300, 32767))
    yield from (("int", v) for v in (-(2**31), -1, 0, 20000, 2**31 - 1))
    yield from (("bigint", v) for v in (-(2**63), -1, 0, 1, 42, 2**32, 2**63 - 1))
    yield from (("bigint", r.randrange(-(2**63), 2**63)) for _ in range(50))
    for x in (0.0, -0.0, 1.0, -1.5, 1e300, float("inf"), float("-inf")):
        yield ("double", struct.unpack("<Q", struct.pack("<d", x))[0])
    yield from (("double", bits) for bits in (0x7FF8000000000000, 0xFFF8000000000001, 0x7FF0000000000001, 1))
    yield from (("float", bits) for bits in (0, 0x80000000, 0x3DCCCCCD, 0x7FC00000, 0xFF800000, 1))
    yield from (("decimal", v) for v in (0, 1, -1, 10**38 - 1, 1 - 10**38, 12345678901234567890123))
    for n in [*range(70), 100, 255, 1000, 5000]:
        yield ("bytes", "x" + bytes(r.randrange(256) for _ in range(n)).hex())
    yield ("bytes", "x" + "Grüße, 世界".encode().hex())
    a, b, t = ("bigint", 1), ("bigint", 2), ("bytes", "x6162")
    yield from (("key", a), ("key", a, b), ("key", b, a), ("key", a, ("null",)), ("key", t, a, ("double", 0)))
    yield from (("row", a), ("row", a, t), ("row", ("row", a, t), ("null",)), ("array",), ("array", a), ("array", a, b, a))
    yield ("array", ("array", a), ("array",), ("null",))
    yield from (("map",), ("map", a, t), ("map", a, t, b, ("null",)), ("map", b, ("null",), a, t))


for e in expressions():
    print(f"{text(e)}\t{evaluate(e):016x}")
