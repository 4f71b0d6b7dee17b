"""Arrow tables and pandas frames in and out of jobs."""

from __future__ import annotations

from typing import Any

import pytest
from millstream.common import Row, Types
from millstream.datastream import StreamExecutionEnvironment
from millstream.exceptions import InvalidStateError, PlanError
from millstream.table.expressions import col

pyarrow = pytest.importorskip("pyarrow")
pandas = pytest.importorskip("pandas")

TABLE = pyarrow.table({"id": pyarrow.array([1, 2, None], pyarrow.int64()), "name": ["a", None, "c"]})


def test_a_table_in(env: StreamExecutionEnvironment) -> None:
    stream = env.from_arrow(TABLE)
    assert stream.get_type() == Types.ROW([Types.LONG(), Types.STRING()])
    assert list(stream.execute_and_collect()) == [Row(id=1, name="a"), Row(id=2, name=None), Row(id=None, name="c")]
    assert list(env.from_arrow(TABLE, shape="tuple").execute_and_collect()) == [(1, "a"), (2, None), (None, "c")]
    assert list(env.from_arrow(TABLE.select(["id"]), shape="scalar").execute_and_collect()) == [1, 2, None]
    assert list(env.from_arrow(TABLE.to_batches()[0]).map(lambda row: row.id).execute_and_collect()) == [1, 2, None]


def test_a_table_serves_several_jobs_and_a_reader_one(env: StreamExecutionEnvironment) -> None:
    stream = env.from_arrow(TABLE)
    assert [len(list(stream.execute_and_collect())) for _ in range(2)] == [3, 3]
    stream = env.from_arrow(TABLE.to_reader())
    assert "Arrow" in stream.map(lambda row: row)._env.get_execution_plan()
    assert len(list(stream.execute_and_collect())) == 3
    with pytest.raises(InvalidStateError, match="read by an earlier job"):
        stream.execute_and_collect()


def test_a_table_out(env: StreamExecutionEnvironment) -> None:
    found = env.from_arrow(TABLE).filter(col("id").is_not_null).select("name", (col("id") + 1).alias("next")).to_arrow()
    assert found.column_names == ["name", "next"]
    assert found.to_pylist() == [{"name": "a", "next": 2}, {"name": None, "next": 3}]
    with env.from_arrow(TABLE).to_arrow_reader() as reader:
        assert sum(batch.num_rows for batch in reader) == 3


def test_python_objects_are_converted(env: StreamExecutionEnvironment) -> None:
    assert env.from_collection([1, 2]).to_arrow().to_pylist() == [{"value": 1}, {"value": 2}]
    assert env.from_collection([(1, "a")]).map(lambda pair: pair).to_arrow().to_pylist() == [{"f0": 1, "f1": "a"}]
    assert env.from_collection([Row(x=1)]).to_arrow().to_pylist() == [{"x": 1}]
    with pytest.raises(PlanError, match="declare their type"):
        env.from_collection([1]).to_arrow_reader()


def test_pandas_in_and_out(env: StreamExecutionEnvironment) -> None:
    frame = pandas.DataFrame({"id": [1, 2], "name": ["a", "b"]}, index=[7, 8])
    found = env.from_pandas(frame).filter(lambda row: row.id > 1).to_pandas()
    assert found.to_dict("records") == [{"id": 2, "name": "b"}]


@pytest.mark.parametrize("format", ["arrow", "pandas"])
def test_batches(env: StreamExecutionEnvironment, format: Any) -> None:
    import pyarrow.compute

    def by_arrow(batch: Any) -> Any:
        return pyarrow.record_batch({"twice": pyarrow.compute.multiply(batch["id"], 2)})

    def by_pandas(frame: Any) -> Any:
        return pandas.DataFrame({"twice": frame["id"] * 2})

    stream = env.from_arrow(TABLE).map_batches(by_arrow if format == "arrow" else by_pandas, "ROW<twice BIGINT>", format)
    assert [row.twice for row in stream.execute_and_collect()] == [2, 4, None]


@pytest.mark.parametrize("data", [[1, 2], "table", None])
def test_what_is_no_table(env: StreamExecutionEnvironment, data: Any) -> None:
    with pytest.raises(TypeError, match="__arrow_c_stream__"):
        env.from_arrow(data)


def test_tables_hold_text_that_pyarrow_can_work_with(env: StreamExecutionEnvironment) -> None:
    import pyarrow.compute as compute

    table = pyarrow.table({"text": ["b", None, "a"], "list": [["x"], None, []], "row": [{"f": "y"}, None, {"f": None}], "bytes": [b"1", b"", None]})
    found = env.from_arrow(table).to_arrow()
    assert found.equals(table)
    assert env.from_arrow(table).to_arrow_reader().read_all().equals(table)
    assert found.sort_by("text")["text"].to_pylist() == ["a", "b", None]

    def upper(batch: Any) -> Any:
        return pyarrow.record_batch({"text": compute.utf8_upper(batch["text"])})

    assert list(env.from_arrow(table.select(["text"])).map_batches(upper, Types.ROW_NAMED(["text"], [Types.STRING()]), "arrow").map(lambda row: row.text).execute_and_collect()) == ["B", None, "A"]
