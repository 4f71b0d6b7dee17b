"""Every type there and back, and what pyarrow makes of what we write."""

from __future__ import annotations

import datetime
import decimal
import math
import random
from decimal import Decimal

import pyarrow as pa
import pytest
from native_engine import TRANSFORM, Instance, native

UTC = datetime.timezone.utc  # noqa: UP017  (Python 3.10)
VALUES = {
    "BOOLEAN": [True, False],
    "TINYINT": [-128, 127],
    "SMALLINT": [-(2**15), 2**15 - 1],
    "INT": [-(2**31), 2**31 - 1],
    "BIGINT": [-(2**63), 2**63 - 1, 0],
    "FLOAT": [1.5, -0.0, math.inf],
    "DOUBLE": [0.1, -math.inf, 1e308],
    "DECIMAL(10, 2)": [Decimal("1.25"), Decimal("-99999999.99"), Decimal("0.00")],
    "DECIMAL(38, 0)": [Decimal(10**38 - 1), Decimal(-(10**38) + 1)],
    "STRING": ["", "twelve bytes", "thirteen byte", "ä" * 100, "\0"],
    "BYTES": [b"", b"\xff" * 40],
    "DATE": [
        datetime.date(1, 1, 1),
        datetime.date(9999, 12, 31),
        datetime.date(1969, 12, 31),
        datetime.date(2024, 2, 29),
    ],
    "TIME(0)": [datetime.time(23, 59, 59)],
    "TIME(3)": [datetime.time(0, 0, 0, 999_000)],
    "TIME(6)": [datetime.time(12, 0, 0, 1)],
    "TIMESTAMP(3)": [datetime.datetime(1969, 12, 31, 23, 59, 59, 999_000)],
    "TIMESTAMP(6)": [
        datetime.datetime(1, 1, 1),
        datetime.datetime(9999, 12, 31, 23, 59, 59, 999_999),
    ],
    "TIMESTAMP_LTZ(3)": [datetime.datetime(2024, 1, 1, tzinfo=UTC)],
    "INTERVAL DAY TO SECOND(3)": [datetime.timedelta(days=-1, milliseconds=5)],
    "INTERVAL YEAR TO MONTH": [14, -3],
    "ARRAY<STRING>": [[], ["a", None, "b" * 50]],
    "ARRAY<ARRAY<INT>>": [[[1], [], None, [2, None]]],
    "MAP<STRING, DOUBLE>": [{}, {"a": 1.0, "b": None}],
    "MULTISET<STRING>": [["a", "a", "b"]],
    "TUPLE<INT, TUPLE<STRING, BOOLEAN>>": [(1, ("a", True)), (None, None)],
    "ARRAY<MAP<STRING, ARRAY<BIGINT>>>": [[{"a": [1, 2]}, None, {}]],
    "OBJECT": [object(), None],
}


@pytest.mark.parametrize("schema", VALUES)
def test_there_and_back(schema):
    for value in (
        [*VALUES[schema], None] if not schema.startswith("TUPLE") else VALUES[schema]
    ):
        back = native.check_value(value, schema)
        assert back == value and type(back) is type(value)
        if isinstance(value, float):
            assert math.copysign(1, back) == math.copysign(1, value)


@pytest.mark.parametrize(
    "schema",
    [
        schema
        for schema in VALUES
        if schema not in ("OBJECT", "MULTISET<STRING>") and "TUPLE" not in schema
    ],
)
def test_pyarrow_reads_what_we_write(schema):
    values = [*VALUES[schema], None, *VALUES[schema]]
    instance = Instance(
        native.transform([("map", lambda index: values[index], "m", schema)], "BIGINT"),
        schema,
    )
    instance.open()
    (emission,) = instance.call(
        TRANSFORM, pa.RecordBatch.from_arrays([pa.array(range(len(values)))], ["f0"])
    )
    emission.batch.validate(full=True)
    if not schema.startswith(("MAP", "ARRAY<MAP", "INTERVAL YEAR")):
        assert emission.column(0) == values


def test_rows():
    row = native.check_value((1, {"b": [1, 2]}), "ROW<x INT, y ROW<b ARRAY<INT>>>")
    assert (
        isinstance(row, native.RowBase)
        and row._fields == ("x", "y")
        and row._row_kind == 0
    )
    assert row._values[0] == 1 and row._values[1]._values == [[1, 2]]
    assert native.check_value(row, "ROW<x INT, y ROW<b ARRAY<INT>>>")._values[0] == 1
    assert native.check_value(native.RowBase([5], ["a"]), "TUPLE<INT>") == (5,)


def test_a_row_class_of_the_package():
    class Row(native.RowBase):
        __slots__ = ()

    native.register_row_class(Row)
    try:
        assert type(native.check_value([1], "ROW<x INT>")) is Row
    finally:
        native.register_row_class(native.RowBase)
    with pytest.raises(TypeError):
        native.register_row_class(int)


def test_random_moments_agree_with_datetime():
    random_source = random.Random(5)
    for _ in range(2000):
        micros = random_source.randrange(-62135596800_000_000, 253402300800_000_000)
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=micros)
        assert native.check_value(moment, "TIMESTAMP(6)") == moment
        zoned = (
            moment.replace(
                tzinfo=datetime.timezone(
                    datetime.timedelta(minutes=random_source.randrange(-600, 600))
                )
            )
            if 1 < moment.year < 9999
            else None
        )
        if zoned is not None:
            assert native.check_value(zoned, "TIMESTAMP_LTZ(6)") == zoned


def test_random_decimals():
    random_source = random.Random(6)
    for _ in range(1000):
        precision = random_source.randrange(1, 39)
        scale = random_source.randrange(0, precision + 1)
        unscaled = random_source.randrange(-(10**precision) + 1, 10**precision)
        with decimal.localcontext() as context:
            context.prec = 60
            value = Decimal(unscaled).scaleb(-scale)
        assert native.check_value(value, f"DECIMAL({precision}, {scale})") == value


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ("DECIMAL(5, 2)", Decimal("1.005"), Decimal("1.01")),
        ("DECIMAL(5, 2)", 3, Decimal("3.00")),
        ("DOUBLE", 3, 3.0),
        ("DOUBLE", True, 1.0),
        ("BIGINT", True, 1),
        ("TINYINT", 5.0, 5),
        ("BIGINT", -(2.0**63), -(2**63)),
        ("BIGINT", Decimal("1.00"), 1),
        ("BYTES", bytearray(b"x"), b"x"),
        ("BYTES", memoryview(b"x"), b"x"),
        ("ARRAY<INT>", (1, 2), [1, 2]),
        (
            "TIMESTAMP(3)",
            datetime.datetime(2024, 1, 1, 0, 0, 0, 999_999),
            datetime.datetime(2024, 1, 1, 0, 0, 0, 999_000),
        ),
    ],
)
def test_gentle_conversions(schema, value, expected):
    converted = native.check_value(value, schema)
    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("DECIMAL(5, 2)", Decimal("NaN")),
        ("DECIMAL(5, 2)", Decimal("Infinity")),
        ("DECIMAL(5, 2)", Decimal(1000)),
        ("DECIMAL(5, 2)", 1.5),
        ("TIMESTAMP(3)", datetime.datetime(2024, 1, 1, tzinfo=UTC)),
        ("TIMESTAMP_LTZ(3)", datetime.datetime(2024, 1, 1)),
        ("TIMESTAMP(9)", datetime.datetime(9999, 1, 1)),
        ("DATE", datetime.datetime(2024, 1, 1)),
        ("TIME(3)", datetime.time(1, tzinfo=UTC)),
        ("FLOAT", 1e39),
        ("DOUBLE", 10**400),
        ("BOOLEAN", 1),
        ("MAP<STRING, INT>", {None: 1}),
        ("MAP<STRING, INT>", {"a": "b"}),
        ("VARCHAR(3)", "abcd"),
        ("VARBINARY(3)", b"abcd"),
        ("ROW<a INT>", {"b": 1}),
        ("ROW<a INT>", 5),
        ("TUPLE<INT>", (1, 2)),
        ("BIGINT", 5.5),
        ("BIGINT", 2.0**63),
        ("BIGINT", math.inf),
        ("BIGINT", math.nan),
        ("BIGINT", Decimal("1.5")),
        ("BIGINT", Decimal("NaN")),
        ("TINYINT", 128.0),
    ],
)
def test_refused_values(schema, value):
    with pytest.raises(native.TypeMismatchError) as caught:
        native.check_value(value, schema)
    assert len(str(caught.value)) < 700


def test_numpy_values():
    numpy = pytest.importorskip("numpy")
    assert native.check_value(numpy.int32(5), "BIGINT") == 5
    assert native.check_value(numpy.float32(0.5), "DOUBLE") == 0.5
    assert native.check_value(numpy.bool_(True), "BOOLEAN") is True
    assert native.check_value(numpy.array([1, 2]), "ARRAY<INT>") == [1, 2]
    assert native.check_value(numpy.float64(5), "BIGINT") == 5
    with pytest.raises(native.TypeMismatchError):
        native.check_value(numpy.float64(5.5), "BIGINT")


@pytest.mark.parametrize("method", ["__index__", "__int__"])
def test_an_exception_of_the_value_itself(method):
    def fail(self):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        native.check_value(type("Bad", (), {method: fail})(), "BIGINT")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "BIGINTS",
        "ROW<",
        "ROW<a>",
        "ARRAY<INT",
        "DECIMAL(39, 0)",
        "DECIMAL(5, 6)",
        "MAP<INT>",
        "INT INT",
        "RAW('x",
        "TUPLE<" * 500,
    ],
)
def test_schemas_that_are_none(text):
    with pytest.raises(native.PlanError):
        native.check_value(1, text)


def test_hashes():
    xxhash = pytest.importorskip("xxhash")
    digest = xxhash.xxh64_intdigest
    cases = {
        1: (1).to_bytes(8, "little"),
        -1: (-1).to_bytes(8, "little", signed=True),
        "é": "é".encode(),
        b"x" * 100: b"x" * 100,
    }
    for value, canonical in cases.items():
        assert native.stable_hash(value) == digest(canonical)
    assert native.stable_hash(2**64) == digest((2**64).to_bytes(16, "little"))
    assert native.stable_hash(True) == native.stable_hash(1)
    assert native.stable_hash(0.0) == native.stable_hash(-0.0)
    assert native.stable_hash(math.nan) == native.stable_hash(-math.nan)
    fold = 2
    for part in (1, "a"):
        fold = digest(native.stable_hash(part).to_bytes(8, "little"), seed=fold)
    assert (
        native.stable_hash((1, "a"))
        == native.stable_hash(native.RowBase([1, "a"]))
        == fold
    )
    assert native.stable_hash((None,)) == digest(
        (0xD5AFBA1336A3BE4B).to_bytes(8, "little"), seed=1
    )
    assert native.stable_hash(Decimal("1.0")) == native.stable_hash(Decimal("1.00"))
    assert native.stable_hash(datetime.date(1970, 1, 2)) == native.stable_hash(1)
    for bad in (None, [], {}, object(), "\ud800", ([],)):
        with pytest.raises(native.KeyValueError):
            native.stable_hash(bad)
