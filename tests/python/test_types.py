"""Types, and the schemas that stand for them."""

from __future__ import annotations

import datetime

import pytest
from millstream.common import Instant, Row, RowKind, Types
from millstream.common.typeinfo import (
    DecimalTypeInfo,
    NativeTypeInfo,
    RowTypeInfo,
    TypeInformation,
    quoted,
    type_from_schema,
)

SCHEMAS = [
    (Types.STRING(), "STRING"),
    (Types.BOOLEAN(), "BOOLEAN"),
    (Types.BYTE(), "TINYINT"),
    (Types.SHORT(), "SMALLINT"),
    (Types.INT(), "INT"),
    (Types.LONG(), "BIGINT"),
    (Types.FLOAT(), "FLOAT"),
    (Types.DOUBLE(), "DOUBLE"),
    (Types.CHAR(), "CHAR(1)"),
    (Types.BIG_INT(), "OBJECT"),
    (Types.BIG_DEC(), "OBJECT"),
    (Types.DECIMAL(10, 2), "DECIMAL(10, 2)"),
    (Types.INSTANT(), "TIMESTAMP_LTZ(6)"),
    (Types.SQL_DATE(), "DATE"),
    (Types.SQL_TIME(), "TIME(6)"),
    (Types.SQL_TIMESTAMP(), "TIMESTAMP(6)"),
    (Types.PICKLED_BYTE_ARRAY(), "OBJECT"),
    (Types.PRIMITIVE_ARRAY(Types.BYTE()), "BYTES"),
    (Types.PRIMITIVE_ARRAY(Types.INT()), "ARRAY<INT NOT NULL>"),
    (Types.BASIC_ARRAY(Types.STRING()), "ARRAY<STRING>"),
    (Types.OBJECT_ARRAY(Types.ROW([Types.INT()])), "ARRAY<ROW<f0 INT>>"),
    (Types.LIST(Types.LIST(Types.DOUBLE())), "ARRAY<ARRAY<DOUBLE>>"),
    (Types.LIST(Types.PICKLED_BYTE_ARRAY()), "OBJECT"),
    (Types.MAP(Types.STRING(), Types.LONG()), "MAP<STRING NOT NULL, BIGINT>"),
    (Types.MAP(Types.STRING(), Types.BIG_INT()), "OBJECT"),
    (Types.ROW([Types.STRING(), Types.INT()]), "ROW<f0 STRING, f1 INT>"),
    (Types.ROW_NAMED(["word", "two words"], [Types.STRING(), Types.INT()]), "ROW<word STRING, `two words` INT>"),
    (Types.TUPLE([Types.STRING(), Types.TUPLE([Types.INT()])]), "TUPLE<STRING, OBJECT>"),
]


@pytest.mark.parametrize(("type_info", "schema"), SCHEMAS, ids=lambda value: str(value))
def test_schema(type_info: TypeInformation, schema: str) -> None:
    assert type_info.schema() == schema


@pytest.mark.parametrize("schema", [schema for _, schema in SCHEMAS if "CHAR" not in schema and "NOT NULL>" not in schema])
def test_schema_read_back(schema: str) -> None:
    assert type_from_schema(schema).schema() == schema


@pytest.mark.parametrize(
    ("schema", "canonical"),
    [
        ("row< `a``b` varchar(3) not null , c decimal >", "ROW<`a``b` VARCHAR(3), c DECIMAL(10, 0)>"),
        ("INTERVAL DAY(2) TO SECOND(3)", "INTERVAL DAY(2) TO SECOND(3)"),
        ("INTERVAL YEAR TO MONTH", "INTERVAL YEAR TO MONTH"),
        ("MULTISET<INT>", "MULTISET<INT>"),
        ("RAW('x')", "RAW('x')"),
        ("TIMESTAMP(3) WITHOUT TIME ZONE", "TIMESTAMP(3)"),
        ("TIMESTAMP(3) WITH LOCAL TIME ZONE", "TIMESTAMP_LTZ(3)"),
        ("DOUBLE PRECISION", "DOUBLE"),
        ("TIME(0)", "TIME(0)"),
        ("ROW<>", "ROW<>"),
    ],
)
def test_schema_forms(schema: str, canonical: str) -> None:
    assert type_from_schema(schema).schema() == canonical


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("", "a type is missing"),
        ("BIGNUM", "there is no type BIGNUM"),
        ("ROW<a INT", "is missing"),
        ("ROW<a INT,, b INT>", "a field name is missing"),
        ("ARRAY<INT> x", "the schema should end"),
        ("INT NOT", "NULL is missing"),
        ("DECIMAL(x)", "a number is missing"),
        ("INT;", "unexpected character"),
        ("ARRAY<" * 100 + "INT" + ">" * 100, "nested deeper"),
    ],
)
def test_schema_mistakes(schema: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        type_from_schema(schema)


def test_names_need_quotes_only_where_they_must() -> None:
    assert quoted("carrier_1") == "carrier_1"
    assert quoted("1st") == "`1st`"
    assert quoted("a`b") == "`a``b`"


def test_a_class_instead_of_a_type_is_told() -> None:
    with pytest.raises(TypeError, match=r"did you mean Types.STRING\(\)\?"):
        Types.LIST(Types.STRING)  # type: ignore[arg-type]


@pytest.mark.parametrize(("precision", "scale"), [(0, 0), (39, 0), (5, 6), (10, -1)])
def test_decimal_digits_out_of_range(precision: int, scale: int) -> None:
    with pytest.raises(ValueError, match="DECIMAL"):
        Types.DECIMAL(precision, scale)


def test_arrays_refuse_other_elements() -> None:
    with pytest.raises(TypeError, match="PRIMITIVE_ARRAY"):
        Types.PRIMITIVE_ARRAY(Types.STRING())
    with pytest.raises(TypeError, match="BASIC_ARRAY"):
        Types.BASIC_ARRAY(Types.ROW([Types.INT()]))


def test_equal_types() -> None:
    assert Types.INT() == Types.INT()
    assert Types.INT() != Types.LONG()
    assert Types.LIST(Types.INT()) == Types.LIST(Types.INT())
    assert Types.LIST(Types.INT()) != Types.OBJECT_ARRAY(Types.INT())
    assert Types.ROW_NAMED(["a"], [Types.INT()]) == Types.ROW_NAMED(["b"], [Types.INT()]), "names are no part of it, as in Flink"
    assert Types.ROW([Types.INT()]) != Types.TUPLE([Types.INT()])
    assert len({Types.INT(), Types.INT(), DecimalTypeInfo(3, 1), NativeTypeInfo("RAW('x')")}) == 3


def test_row_type_names() -> None:
    assert Types.ROW([Types.INT(), Types.INT()]).get_field_names() == ["f0", "f1"]
    named = Types.ROW_NAMED(["a", "b"], [Types.INT(), Types.STRING()])
    assert (named.get_field_names(), named.get_field_index("b"), named.get_field_types()) == (["a", "b"], 1, [Types.INT(), Types.STRING()])
    assert repr(named) == "RowTypeInfo(a: Integer, b: String)"
    with pytest.raises(ValueError, match="as many names"):
        RowTypeInfo([Types.INT()], ["a", "b"])
    with pytest.raises(ValueError, match="more than once"):
        RowTypeInfo([Types.INT(), Types.INT()], ["a", "a"])


def test_internal_forms_are_those_of_flink() -> None:
    day, moment, clock = datetime.date(2024, 2, 29), datetime.datetime(1969, 12, 31, 23, 59, 59, 999_999), datetime.time(1, 2, 3, 4)
    for type_info, value, plain in [
        (Types.SQL_DATE(), day, 19_782),
        (Types.SQL_TIMESTAMP(), moment, -1),
        (Types.SQL_TIME(), clock, 3_723_000_004),
        (Types.INSTANT(), Instant(-1, 999_000_000), -1_000),
    ]:
        assert type_info.need_conversion()
        assert type_info.to_internal_type(value) == plain
        assert type_info.from_internal_type(plain) == value
        assert type_info.to_internal_type(None) is None
        assert type_info.from_internal_type(None) is None


@pytest.mark.parametrize("record", [{"a": 1, "b": "x"}, Row(b="x", a=1), Row(1, "x"), (1, "x"), [1, "x"]])
def test_rows_in_all_their_forms(record: object) -> None:
    assert Types.ROW_NAMED(["a", "b"], [Types.INT(), Types.STRING()]).to_internal_type(record) == (0, 1, "x")


def test_row_kind_in_a_plain_row() -> None:
    assert Types.ROW([Types.INT()]).to_internal_type(Row.of_kind(RowKind.DELETE, 7)) == (3, 7)
