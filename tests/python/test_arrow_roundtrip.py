"""Every Arrow type goes through the engine and comes back: random arrays from a seed, both ways, against pyarrow.

`millstream_arrow_copy` imports an array (which checks it) and exports it again. The values must be the same; the type is the engine's nearest.
Broken arrays must give an error with the field's path, and never a crash.
"""

import ctypes
import decimal
import math
import os
import random
import struct
from pathlib import Path

import pytest

pa = pytest.importorskip("pyarrow")

LIBRARY = os.environ.get("MILLSTREAM_LIBRARY") or Path(__file__).resolve().parents[2] / "python/src/millstream/libmillstream.so"
SEEDS = 150


class ArrowSchema(ctypes.Structure):
    pass


class ArrowArray(ctypes.Structure):
    pass


ArrowSchema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_void_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.POINTER(ctypes.POINTER(ArrowSchema))),
    ("dictionary", ctypes.POINTER(ArrowSchema)),
    ("release", ctypes.c_void_p),
    ("private_data", ctypes.c_void_p),
]
ArrowArray._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(ArrowArray))),
    ("dictionary", ctypes.POINTER(ArrowArray)),
    ("release", ctypes.c_void_p),
    ("private_data", ctypes.c_void_p),
]


@pytest.fixture(scope="module")
def library():
    if not Path(LIBRARY).exists():
        pytest.skip(f"{LIBRARY} is not built")
    lib = ctypes.CDLL(str(LIBRARY))
    if not hasattr(lib, "millstream_arrow_copy"):
        pytest.skip("the library has no millstream_arrow_copy")
    lib.millstream_error_message.restype = ctypes.c_char_p
    lib.millstream_error_message.argtypes = [ctypes.c_void_p]
    lib.millstream_error_free.argtypes = [ctypes.c_void_p]
    lib.millstream_error_free.restype = None
    return lib


class EngineError(Exception):
    pass


def copy(lib, batch, compatible=False, damage=None, schema_of=None):
    """The batch after a way through the engine. `damage` may change the C structures before (not the array's own counts of children, which the
    producer needs to release it); `schema_of` gives a schema that is not the batch's own."""
    array, schema, out, out_schema = ArrowArray(), ArrowSchema(), ArrowArray(), ArrowSchema()
    batch._export_to_c(ctypes.addressof(array))
    (schema_of or batch).schema._export_to_c(ctypes.addressof(schema))
    error = ctypes.c_void_p()
    undo = damage(array, schema) if damage else None
    status = lib.millstream_arrow_copy(
        ctypes.byref(array), ctypes.byref(schema), int(compatible), ctypes.byref(out), ctypes.byref(out_schema), ctypes.byref(error)
    )
    if undo:
        undo()
    assert not array.release, "the array was not moved"
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(schema.release)(ctypes.addressof(schema))
    if status != 0:
        message = lib.millstream_error_message(error).decode()
        lib.millstream_error_free(error)
        raise EngineError(message)
    return pa.RecordBatch._import_from_c(ctypes.addressof(out), ctypes.addressof(out_schema))


# ---- Random arrays -----------------------------------------------------------------------------------------------------------------------------


def flat_types():
    units = ["s", "ms", "us", "ns"]
    types = [pa.null(), pa.bool_(), pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]
    types += [pa.float16(), pa.float32(), pa.float64(), pa.date32(), pa.date64(), pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")]
    types += [pa.timestamp(u) for u in units] + [pa.timestamp(u, "Europe/Berlin") for u in units] + [pa.duration(u) for u in units]
    types += [pa.string(), pa.large_string(), pa.binary(), pa.large_binary(), pa.binary(5), pa.binary(20)]
    types += [pa.string_view(), pa.binary_view()]
    types += [pa.decimal128(9, 2), pa.decimal128(38, 10), pa.decimal256(30, 3)]
    if hasattr(pa, "decimal32"):
        types += [pa.decimal32(7, 2), pa.decimal64(15, 4)]
    return types


FLAT = flat_types()


def random_type(r, depth):
    if depth > 1 and r.random() < 0.5:
        kind = r.randrange(8)
        if kind == 0:
            return pa.struct([pa.field(f"f{i}", random_type(r, depth - 1)) for i in range(r.randrange(1, 4))])
        if kind == 1:
            return pa.map_(r.choice([pa.string(), pa.int64(), pa.date32(), pa.string_view()]), random_type(r, depth - 1))
        if kind == 2:
            return pa.dictionary(r.choice([pa.int8(), pa.uint8(), pa.int32(), pa.uint64()]), r.choice([pa.string(), pa.int64(), pa.large_binary()]))
        inner = random_type(r, depth - 1)
        return [
            lambda: pa.list_(inner),
            lambda: pa.large_list(inner),
            lambda: pa.list_(inner, r.randrange(0, 4)),
            lambda: pa.list_view(inner),
            lambda: pa.large_list_view(inner),
        ][kind - 3]()
    return r.choice(FLAT)


def random_integer(r, bits, signed=True):
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return r.choice([low, high, 0, 1]) if r.random() < 0.2 else r.randint(low, high)


def random_text(r):
    return "".join(r.choice(["a", "Z", " ", "ä", "世", "😀", "\0"]) for _ in range(r.choice([0, 3, 12, 13, 40])))


def mask(r, n):
    share = r.choice([0, 0.2, 0.2, 1])
    return [r.random() < share for _ in range(n)]


def integers(r, n, bits, arrow, signed=True):
    values = [None if m else random_integer(r, bits, signed) for m in mask(r, n)]
    return pa.array(values, arrow)


def random_array(r, t, n):
    """An array of `n` values, mostly a slice of a longer one."""
    before, after = r.choice([(0, 0), (1, 3), (9, 0), (8, 8)])
    return whole_array(r, t, before + n + after).slice(before, n)


def whole_array(r, t, n):
    p = pa.types
    if p.is_null(t):
        return pa.nulls(n)
    if p.is_boolean(t):
        return pa.array([None if m else r.random() < 0.5 for m in mask(r, n)], t)
    if p.is_integer(t):
        return integers(r, n, t.bit_width, t, p.is_signed_integer(t))
    if p.is_float16(t):
        np = pytest.importorskip("numpy")
        return pa.array([None if m else np.float16(r.choice([0.5, -2, 65504, 6e-8, float("nan"), float("inf")])) for m in mask(r, n)], t)
    if p.is_floating(t):
        values = [0.0, -0.0, float("nan"), float("inf"), -1.5, 1e30, 5e-324]
        return pa.array([None if m else r.choice([*values, r.uniform(-9, 9)]) for m in mask(r, n)], t)
    if p.is_date64(t):
        return pa.array([None if m else r.randrange(-(10**5), 10**5) * 86_400_000 for m in mask(r, n)], pa.int64()).view(t)
    if p.is_temporal(t):
        if p.is_time(t):
            limit = 86_400 * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[t.unit]
            return pa.array([None if m else r.randrange(limit) for m in mask(r, n)], pa.int32() if t.bit_width == 32 else pa.int64()).view(t)
        return integers(r, n, t.bit_width, pa.int32() if t.bit_width == 32 else pa.int64()).view(t)
    if p.is_decimal(t):
        top = 10**t.precision - 1
        context = decimal.Context(prec=80)
        return pa.array(
            [None if m else decimal.Decimal(r.choice([0, 1, -top, top, r.randint(-top, top)])).scaleb(-t.scale, context) for m in mask(r, n)], t
        )
    if p.is_string(t) or p.is_large_string(t) or p.is_string_view(t):
        return pa.array([None if m else random_text(r) for m in mask(r, n)], t)
    if p.is_fixed_size_binary(t):
        return pa.array([None if m else r.randbytes(t.byte_width) for m in mask(r, n)], t)
    if p.is_binary(t) or p.is_large_binary(t) or p.is_binary_view(t):
        return pa.array([None if m else r.randbytes(r.choice([0, 5, 12, 13, 60])) for m in mask(r, n)], t)
    if p.is_dictionary(t):
        values = whole_array(r, t.value_type, 7)
        indices = [None if m else r.randrange(7) for m in mask(r, n)]
        return pa.DictionaryArray.from_arrays(pa.array(indices, t.index_type), values)
    if p.is_struct(t):
        children = [random_array(r, f.type, n) for f in t]
        return pa.StructArray.from_arrays(children, fields=list(t), mask=pa.array(mask(r, n), pa.bool_()))
    return list_array(r, t, n)


def list_array(r, t, n):
    p = pa.types
    if p.is_fixed_size_list(t):
        nulls = pa.array(mask(r, n), pa.bool_())
        if t.list_size == 0:
            return pa.array([[]] * n, t)
        return pa.FixedSizeListArray.from_arrays(random_array(r, t.value_type, n * t.list_size), type=t, mask=nulls)
    lengths = [r.choice([0, 0, 1, 2, 5]) for _ in range(n)]
    offsets = [r.randrange(3)]
    for length in lengths:
        offsets.append(offsets[-1] + length)
    total = offsets[-1] + r.randrange(3)
    nulls = pa.array(mask(r, n), pa.bool_())
    if p.is_map(t):
        keys = no_nulls(r, t.key_type, total)
        return pa.MapArray.from_arrays(pa.array(offsets, pa.int32()), keys, random_array(r, t.item_type, total), type=t, mask=nulls)
    values = random_array(r, t.value_type, total)
    wide = pa.int64() if p.is_large_list(t) or p.is_large_list_view(t) else pa.int32()
    if p.is_list_view(t) or p.is_large_list_view(t):
        if r.random() < 0.5:  # overlapping and out of order
            starts = [r.randrange(total - length + 1) for length in lengths]
        else:
            starts = offsets[:-1]
        kind = pa.LargeListViewArray if p.is_large_list_view(t) else pa.ListViewArray
        return kind.from_arrays(pa.array(starts, wide), pa.array(lengths, wide), values, type=t, mask=nulls)
    kind = pa.LargeListArray if p.is_large_list(t) else pa.ListArray
    return kind.from_arrays(pa.array(offsets, wide), values, type=t, mask=nulls)


def no_nulls(r, t, n):
    if pa.types.is_integer(t):
        return pa.array([random_integer(r, 64) for _ in range(n)], t)
    if pa.types.is_date32(t):
        return pa.array([r.randrange(99999) for _ in range(n)], pa.int32()).view(t)
    return pa.array([random_text(r) for _ in range(n)], t)


# ---- Comparison --------------------------------------------------------------------------------------------------------------------------------


def plain(array):
    """The values as Python's, with integers for times, so that types that mean the same compare as equal."""
    t, p = array.type, pa.types
    if p.is_dictionary(t):
        return plain(array.dictionary_decode())
    if p.is_struct(t):
        fields = [plain(array.field(i)) for i in range(t.num_fields)]
        return [tuple(f[i] for f in fields) if array.is_valid()[i].as_py() else None for i in range(len(array))]
    if p.is_map(t) or p.is_list(t) or p.is_large_list(t) or p.is_fixed_size_list(t) or p.is_list_view(t) or p.is_large_list_view(t):
        return [plain(s.values) if s.is_valid else None for s in array]
    if p.is_temporal(t) and not p.is_interval(t):
        return array.view(pa.int32() if t.bit_width == 32 else pa.int64()).to_pylist()
    if p.is_floating(t):
        values = [None if v is None else float(v) for v in array.to_pylist()]
        return ["NaN" if v is not None and math.isnan(v) else v for v in values]
    return array.to_pylist()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_batches_come_back(library, seed):
    r = random.Random(seed)
    n = r.choice([0, 1, 7, 8, 64, 100])
    arrays = [random_array(r, random_type(r, 4), n) for _ in range(3)]
    batch = pa.record_batch(arrays, names=["a", "b", "c"])
    batch.validate(full=True)
    if r.random() < 0.5:
        batch = batch.slice(r.randrange(n + 1))
    for compatible in (False, True):
        back = copy(library, batch, compatible)
        back.validate(full=True)
        assert back.num_rows == batch.num_rows
        for before, after in zip(batch.columns, back.columns):
            assert plain(after) == plain(before), before.type
        # What the engine made, it takes back without any change.
        again = copy(library, back, compatible)
        assert again.schema.equals(back.schema, check_metadata=True)
        assert [plain(c) for c in again.columns] == [plain(c) for c in back.columns]


@pytest.mark.parametrize("t", FLAT, ids=str)
def test_types_keep_their_meaning(library, t):
    expected = {
        pa.uint8(): pa.int16(),
        pa.uint16(): pa.int32(),
        pa.uint32(): pa.int64(),
        pa.uint64(): pa.decimal128(20, 0),
        pa.float16(): pa.float32(),
        pa.date64(): pa.timestamp("ms"),
        pa.string(): pa.string_view(),
        pa.large_string(): pa.string_view(),
        pa.binary(): pa.binary_view(),
        pa.large_binary(): pa.binary_view(),
        pa.binary(5): pa.binary_view(),
        pa.binary(20): pa.binary_view(),
        pa.decimal256(30, 3): pa.decimal128(30, 3),
    }
    if hasattr(pa, "decimal32"):
        expected |= {pa.decimal32(7, 2): pa.decimal128(7, 2), pa.decimal64(15, 4): pa.decimal128(15, 4)}
    wanted = expected.get(t, t)
    if pa.types.is_timestamp(t) and t.tz:
        wanted = pa.timestamp(t.unit, "UTC")
    batch = pa.record_batch([whole_array(random.Random(1), t, 20)], names=["a"])
    assert copy(library, batch).schema.field("a").type == wanted


def test_memory_is_shared_and_given_back(library):
    pool = pa.default_memory_pool()
    before = pool.bytes_allocated()
    batch = pa.record_batch([pa.array(range(100_000)), pa.array([f"a text that is long {i}" for i in range(100_000)])], names=["i", "t"])
    back = copy(library, batch)
    assert back.column("i").buffers()[1].address == batch.column("i").buffers()[1].address
    assert back.column("t").buffers()[2].address == batch.column("t").buffers()[2].address
    expected = back.column("t").to_pylist()[-1]
    del batch
    assert back.column("t").to_pylist()[-1] == expected
    del back
    assert pool.bytes_allocated() == before


def refused(library, array, match, damage=None):
    batch = array if isinstance(array, pa.RecordBatch) else pa.record_batch([array], names=["field"])
    with pytest.raises(EngineError, match=match):
        copy(library, batch, damage=damage)


def test_what_has_no_place_is_refused(library):
    union = pa.UnionArray.from_dense(pa.array([0, 1], pa.int8()), pa.array([0, 0], pa.int32()), [pa.array([1]), pa.array(["x"])])
    refused(library, union, "field 'field'.*union")
    refused(library, pa.RunEndEncodedArray.from_arrays([2], [1]), "run-end")
    refused(library, pa.array([None], pa.month_day_nano_interval()), "month-day-nano")
    refused(library, pa.array([None], pa.decimal128(5, -2)), "scale")
    big = pa.array([decimal.Decimal(10**40)], pa.decimal256(60, 0))
    refused(library, big, "38 digits")
    deep = pa.array([], pa.int8())
    for _ in range(70):
        deep = pa.ListArray.from_arrays(pa.array([0], pa.int32()), deep)
    refused(library, deep, "64 levels")


# ---- Broken structures -------------------------------------------------------------------------------------------------------------------------


def child(structure, index=0):
    return structure.children[index].contents


def set_values(owner, **fields):
    """Changes members of a C structure; for a schema, gives a function that puts them back, so that the producer can release what it made (an array is
    gone by then, and its producer does not look at these members)."""
    old = {name: getattr(owner, name) for name in fields}
    for name, value in fields.items():
        setattr(owner, name, value)
    return isinstance(owner, ArrowSchema) and (lambda: [setattr(owner, name, value) for name, value in old.items()])


def poke(address, fmt, *values):
    data = struct.pack(fmt, *values)
    old = ctypes.string_at(address, len(data))
    ctypes.memmove(address, data, len(data))
    return lambda: ctypes.memmove(address, old, len(old))


def set_buffer(array, index, value):
    """A buffer's pointer; nothing is put back, as a producer does not read it again."""
    array.buffers[index] = value


INTS = [1, 2, None, 4]
BROKEN = [
    ("length", INTS, lambda a, s: set_values(child(a), length=-1), "'field'.*length is -1"),
    ("huge length", INTS, lambda a, s: set_values(child(a), length=2**40), "'field'.*at most"),
    ("overflow", INTS, lambda a, s: set_values(child(a), length=2**62, offset=2**62), "'field'"),
    ("offset", INTS, lambda a, s: set_values(child(a), offset=-5), "'field'.*offset is -5"),
    ("null count", INTS, lambda a, s: set_values(child(a), null_count=9), "'field'.*9 nulls"),
    ("negative null count", INTS, lambda a, s: set_values(child(a), null_count=-2), "'field'.*-2 nulls"),
    ("n_buffers", INTS, lambda a, s: set_values(child(a), n_buffers=1), "'field'.*1 buffers, not 2"),
    ("n_buffers negative", INTS, lambda a, s: set_values(child(a), n_buffers=-1), "'field'.*-1 buffers"),
    ("child too short", INTS, lambda a, s: set_values(a, length=5), "'field'.*fewer than the 5"),
    ("NULL values", INTS, lambda a, s: set_buffer(child(a), 1, None), "'field'.*buffer 1 is NULL"),
    ("NULL validity", INTS, lambda a, s: set_buffer(child(a), 0, None), "'field'.*validity buffer is NULL"),
    ("format", INTS, lambda a, s: set_values(child(s), format=b"?"), "'field'.*'\\?'"),
    ("format NULL", INTS, lambda a, s: set_values(child(s), format=None), "'field'.*no format"),
    ("format long", INTS, lambda a, s: set_values(child(s), format=b"d:" + b"9" * 5000), "'field'.*no format of Arrow's"),
    ("format width", INTS, lambda a, s: set_values(child(s), format=b"w:-3"), "'field'"),
    ("format decimal", INTS, lambda a, s: set_values(child(s), format=b"d:99999999999999999999,1"), "'field'"),
    ("schema children", INTS, lambda a, s: set_values(child(s), n_children=-7), "'field'.*-7 children"),
    ("many children", INTS, lambda a, s: set_values(s, n_children=2**50), "children"),
    ("list falls", [[1], [2, 3]], lambda a, s: poke(child(a).buffers[1], "=3i", 0, 3, 2), "'field'.*fall from 3 to 2"),
    ("list beyond", [[1], [2, 3]], lambda a, s: poke(child(a).buffers[1], "=3i", 0, 1, 4), "'field'.*end at element 4"),
    ("list negative", [[1], [2, 3]], lambda a, s: poke(child(a).buffers[1], "=3i", -1, 1, 3), "'field'.*first offset is -1"),
    ("list element", [[1], [2, 3]], lambda a, s: set_values(child(child(a)), length=-1), "'field.item'.*length"),
    ("text falls", ["ab", "cde"], lambda a, s: poke(child(a).buffers[1], "=3i", 0, 5, 2), "'field'.*fall from 5 to 2"),
    ("text negative", ["ab", "cde"], lambda a, s: poke(child(a).buffers[1], "=3i", -4, 2, 5), "'field'.*first offset"),
    ("UTF-8", ["ab", "cde"], lambda a, s: poke(child(a).buffers[2], "=B", 0xFF), "'field'.*value 0 is not valid UTF-8"),
    ("UTF-8 cut", ["ab", "ä"], lambda a, s: poke(child(a).buffers[1], "=3i", 0, 3, 4), "'field'.*value 0 is not valid UTF-8"),
]


@pytest.mark.parametrize(("name", "values", "damage", "match"), BROKEN, ids=[b[0] for b in BROKEN])
def test_broken_arrays_give_errors(library, name, values, damage, match):
    refused(library, pa.array(values), match, damage)


def test_array_and_schema_must_agree(library):
    one = pa.record_batch([pa.array([1])], names=["field"])
    cases = [
        (pa.record_batch([pa.array([1]), pa.array([2])], names=["field", "b"]), "1 children, not 2"),
        (pa.record_batch([pa.array(["text"])], names=["field"]), "'field'.*2 buffers, not 3"),
        (pa.record_batch([pa.array([[1]])], names=["field"]), "'field'.*0 children, not 1"),
        (pa.record_batch([pa.array(["a"]).dictionary_encode()], names=["field"]), "'field'.*dictionary"),
        (pa.record_batch([pa.nulls(1)], names=["field"]), "'field'.*2 buffers, not 0"),
    ]
    for other, match in cases:
        with pytest.raises(EngineError, match=match):
            copy(library, one, schema_of=other)


VIEW = pa.array(["short", "a text of more than twelve bytes", None], pa.string_view())
BROKEN_VIEWS = [
    ("length", lambda a, s: poke(child(a).buffers[1], "=i", -1), "value 0 has a length of -1"),
    ("buffer", lambda a, s: poke(child(a).buffers[1] + 24, "=i", 7), "value 1 is in data buffer 7 of 1"),
    ("negative buffer", lambda a, s: poke(child(a).buffers[1] + 24, "=i", -1), "data buffer -1"),
    ("offset", lambda a, s: poke(child(a).buffers[1] + 28, "=i", 2**31 - 1), "value 1 has bytes"),
    ("negative offset", lambda a, s: poke(child(a).buffers[1] + 28, "=i", -9), "value 1 has bytes"),
    ("long", lambda a, s: poke(child(a).buffers[1] + 16, "=i", 2**31 - 1), "value 1 has bytes"),
    ("prefix", lambda a, s: poke(child(a).buffers[1] + 20, "=4s", b"zzzz"), "prefix"),
    ("inline UTF-8", lambda a, s: poke(child(a).buffers[1] + 4, "=B", 0x80), "value 0 is not valid UTF-8"),
]


@pytest.mark.parametrize(("name", "damage", "match"), BROKEN_VIEWS, ids=[b[0] for b in BROKEN_VIEWS])
def test_broken_views_give_errors(library, name, damage, match):
    # A fresh copy of the values: the test writes into them.
    refused(library, pa.array(VIEW.to_pylist(), pa.string_view()), match, damage)


def test_dictionary_indices_are_checked(library):
    array = pa.array(["u", "v", None]).dictionary_encode()
    for index in (2, -1, 2**31 - 1):
        refused(library, array, "'field'.*of a dictionary of 2", lambda a, s, i=index: poke(child(a).buffers[1], "=i", i))


def test_unpadded_views_still_compare(library):
    array = pa.array(["ab", "ab"], pa.string_view())
    back = copy(library, pa.record_batch([array], names=["field"]), damage=lambda a, s: poke(child(a).buffers[1] + 6, "=2s", b"xx"))
    assert back.column(0).to_pylist() == ["ab", "ab"]
    buffer = back.column(0).buffers()[1].to_pybytes()
    assert buffer[:16] == buffer[16:32]


@pytest.mark.parametrize("seed", range(60))
def test_random_damage_never_crashes(library, seed):
    """One member of one structure, or a few bytes of one buffer, at random: an error or a batch, but no end of the process."""
    r = random.Random(seed)
    for _ in range(20):
        t = r.choice([pa.string(), pa.list_(pa.string()), pa.map_(pa.string(), pa.int64()), pa.string_view(), pa.struct([("x", pa.list_(pa.int8()))])])
        batch = pa.record_batch([whole_array(r, t, 30)], names=["field"])

        def damage(a, s, t=t):
            node, schema = child(a), child(s)
            while node.n_children and r.random() < 0.5:
                node, schema = child(node), child(schema)
            kind = r.randrange(4)
            if kind == 0:
                return set_values(node, **{r.choice(["length", "null_count", "offset", "n_buffers"]): r.choice([-1, 2**33, 2**63 - 1, -(2**63)])})
            if kind == 1:  # A count a little too large cannot be noticed: pointers have no bounds.
                return set_values(schema, **{r.choice(["n_children", "flags"]): r.choice([-1, 2**63 - 1])})
            if kind == 2:
                # Formats with as many buffers of at least the same size, so that all reads stay in memory that is there.
                return set_values(schema, format=r.choice([b"", b"+", b"w:", b"d:1", b"tsx:", b"+w:x", b"\xff"]))
            if pa.types.is_string_view(t) and node.n_buffers > 1:
                return poke(node.buffers[1] + 4 * r.randrange(16), "=i", r.choice([-1, 13, 2**31 - 1, r.randrange(2**31)]))
            if t != pa.string_view() and node.n_buffers == 2 and node.n_children:
                return poke(node.buffers[1] + 4 * r.randrange(31), "=i", r.choice([-1, 10**6, 2**31 - 1, -(2**31)]))
            return None

        try:
            copy(library, batch, damage=damage).validate(full=True)
        except EngineError as error:
            assert "Arrow import" in str(error)
