"""Rows: fields by position, name and attribute."""

from __future__ import annotations

import copy
import pickle

import pytest
from millstream.common import Row, RowKind


def test_fields_by_name() -> None:
    row = Row(name="Ada", born=1815)
    assert (row.name, row["name"], row[0], row[-1], row[0:2]) == ("Ada", "Ada", "Ada", 1815, ["Ada", 1815])
    assert ("name" in row, "Ada" in row, len(row), list(row)) == (True, False, 2, ["Ada", 1815])
    assert repr(row) == "Row(name='Ada', born=1815)"


def test_fields_without_names() -> None:
    row = Row("Ada", 1815)
    assert ("Ada" in row, row[1], repr(row)) == (True, 1815, "<Row('Ada', 1815)>")
    with pytest.raises(KeyError):
        row["name"]
    with pytest.raises(AttributeError, match="no field 'name'"):
        row.name


def test_positions_and_names_do_not_mix() -> None:
    with pytest.raises(ValueError, match="not both"):
        Row(1, b=2)


def test_a_row_of_names_makes_rows() -> None:
    person = Row("name", "born")
    assert person("Grace", 1906) == Row(name="Grace", born=1906)
    with pytest.raises(ValueError, match="2 fields"):
        person(1, 2, 3)


def test_changing_fields() -> None:
    row = Row(a=1, b=2)
    row["a"] = 10
    row[1] = 20
    assert row == Row(a=10, b=20)
    with pytest.raises(KeyError):
        row["c"] = 1
    with pytest.raises(AttributeError, match="to change a field"):
        row.a = 3


def test_equality_counts_names_kinds_and_values() -> None:
    assert Row(a=1, b=2) == Row(b=2, a=1)
    assert Row(a=1) != Row(1)
    assert Row(a=1) != Row(b=1)
    assert Row(1) != Row.of_kind(RowKind.DELETE, 1)
    assert Row(1) != (1,)
    assert hash(Row(1, 2)) == hash(Row(1, 2))


def test_row_kinds() -> None:
    row = Row.of_kind(RowKind.UPDATE_AFTER, a=1)
    assert (row.get_row_kind(), str(row.get_row_kind()), row.a) == (RowKind.UPDATE_AFTER, "+U", 1)
    row.set_row_kind(RowKind.DELETE)
    assert row.get_row_kind() is RowKind.DELETE
    assert [str(kind) for kind in RowKind] == ["+I", "-U", "+U", "-D"]


def test_as_dict() -> None:
    row = Row(key=1, inner=Row(a=2), items=[Row(b=3)], table={"x": Row(c=4)})
    assert row.as_dict()["inner"] == Row(a=2)
    assert row.as_dict(recursive=True) == {"key": 1, "inner": {"a": 2}, "items": [{"b": 3}], "table": {"x": {"c": 4}}}
    with pytest.raises(TypeError, match="without field names"):
        Row(1).as_dict()


def test_names_given_later() -> None:
    row = Row(1, 2)
    row.set_field_names(["a", "b"])
    assert (row.b, row.get_fields_by_names(["b", "a"]), row.get_fields_by_names(["a", "b"])) == (2, [2, 1], [1, 2])
    with pytest.raises(KeyError, match="no fields"):
        row.get_fields_by_names(["c"])


@pytest.mark.parametrize("row", [Row(), Row(1, None), Row(a=1, b=[Row(2)]), Row.of_kind(RowKind.UPDATE_BEFORE, a="x")])
def test_copies_are_equal(row: Row) -> None:
    for twin in (copy.copy(row), copy.deepcopy(row), pickle.loads(pickle.dumps(row))):
        assert twin == row
        assert repr(twin) == repr(row)
        assert twin.get_row_kind() is row.get_row_kind()
