"""`millstream check`: the names of PyFlink that a script uses and that are missing here, or differ."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import millstream.datastream
import millstream.datastream.output_tag
import millstream.datastream.stream_execution_environment
import pytest
from millstream.exceptions import UnsupportedError
from millstream.pyflink import names as module_of_names
from millstream.pyflink.check import check_source
from millstream.pyflink.names import names
from millstream.pyflink.sql_statements import statements

SCRIPTS = sorted((Path(__file__).resolve().parents[2] / "Tests" / "conformance" / "datastream").glob("*.py"))
DATA_STREAM = millstream.datastream.DataStream
DATA_STREAM_SINK = millstream.datastream.DataStreamSink


def found(source: str) -> list[str]:
    """Place, kind and text of each finding."""
    return [f"{finding.line}:{finding.column} {finding.kind} {finding.text}" for finding in check_source(source).sorted()]


@pytest.fixture
def without_rebalance(monkeypatch: pytest.MonkeyPatch) -> None:
    """This package, without a method that PyFlink's DataStream has."""
    monkeypatch.delattr(DATA_STREAM, "rebalance")


REBALANCE = "missing DataStream.rebalance is not here yet"


@pytest.mark.usefixtures("without_rebalance")
@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("from pyflink.datastream import StreamExecutionEnvironment\nenv = StreamExecutionEnvironment.get_execution_environment()\nenv.from_collection([1]).rebalance()", "3:26"),
        ("from pyflink.datastream import StreamExecutionEnvironment as E\nE.get_execution_environment().from_collection([1]).map(str).filter(bool).rebalance().print()", "2:74"),
        ("import pyflink.datastream as d\ns = d.StreamExecutionEnvironment.get_execution_environment().from_collection([1])\ns.rebalance()", "3:3"),
        ("import pyflink.datastream\ne = pyflink.datastream.StreamExecutionEnvironment.get_execution_environment()\ne.from_collection([1]).rebalance()", "3:24"),
        ("from pyflink import datastream\ne = datastream.StreamExecutionEnvironment.get_execution_environment()\ne.from_collection([1]).rebalance()", "3:24"),
        ("from pyflink.datastream import *\ne = StreamExecutionEnvironment.get_execution_environment()\ne.from_collection([1]).rebalance()", "3:24"),
        ("from pyflink.datastream import DataStream\ndef f(s: DataStream):\n    return s.rebalance()", "3:14"),
        ("from pyflink.datastream import DataStream\ndef f(s: 'DataStream'):\n    return s.rebalance()", "3:14"),
        ("from pyflink.datastream.data_stream import DataStream\ns: DataStream = make()\ns.rebalance()", "3:3"),
        ("from pyflink.datastream import *\ndef make(env):\n    return env.from_collection([1])\nmake(StreamExecutionEnvironment.get_execution_environment()).rebalance()", "4:62"),
        ("from pyflink.datastream import *\ndef use(s):\n    s.rebalance()\nuse(StreamExecutionEnvironment.get_execution_environment().from_collection([1]))", "3:7"),
        ("from pyflink.datastream import *\nclass Job:\n    def __init__(self):\n        self.env = StreamExecutionEnvironment.get_execution_environment()\n    def run(self):\n        self.env.from_collection([1]).rebalance()\nJob().run()", "6:39"),
        ("from pyflink.datastream import *\nif x:\n    for i in y:\n        with z:\n            try:\n                StreamExecutionEnvironment.get_execution_environment().from_collection([1]).rebalance()\n            finally: pass", "6:93"),
        ("from pyflink.datastream import *\ne = StreamExecutionEnvironment.get_execution_environment()\nf = lambda n: e.from_collection([n]).rebalance()", "3:38"),
        ("from pyflink.datastream import *\ne = StreamExecutionEnvironment.get_execution_environment()\nl = [e.from_collection([n]).rebalance() for n in range(3)]", "3:29"),
        ("from pyflink.datastream import *\ne = StreamExecutionEnvironment.get_execution_environment()\n(e.from_collection([1])\n .map(str)\n .rebalance())", "5:3"),
        ("from millstream.datastream import StreamExecutionEnvironment as E\nE.get_execution_environment().from_collection([1]).rebalance()", "2:52"),
    ],
)
def test_a_method_is_found_wherever_its_stream_comes_from(source: str, place: str) -> None:
    assert found(source) == [f"{place} {REBALANCE}"]


@pytest.mark.usefixtures("without_rebalance")
@pytest.mark.parametrize(
    "source",
    [
        "from other import DataStream\nDataStream().rebalance()",
        "stream.rebalance()",
        "from pyflink.datastream import *\ne = StreamExecutionEnvironment.get_execution_environment().from_collection([1])\ne = other()\ne.rebalance()",
        "from pyflink.datastream import *\nclass DataStream: pass\nDataStream().rebalance()",
        "from pyflink.datastream import *\ns = StreamExecutionEnvironment.get_execution_environment().from_collection([1])\nf = lambda s: s.rebalance()",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pyflink.java_gateway import get_gateway",
        "from . import pyflink\nfrom .pyflink import datastream",
    ],
)
def test_what_is_not_pyflinks_is_left_alone(source: str) -> None:
    assert found(source) == []


def test_contexts_that_a_function_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    from millstream.datastream.timerservice import TimerService

    monkeypatch.delattr(TimerService, "current_watermark")
    source = "from pyflink.datastream import *\nclass F(KeyedProcessFunction):\n    def process_element(self, v, c):\n        t = c.timer_service()\n        t.current_watermark()\n"
    assert found(source) == ["5:11 missing TimerService.current_watermark is not here yet"]


def test_modules_and_names_of_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found("from pyflink.java_gateway import get_gateway") == [
        "1:1 missing pyflink.java_gateway is not here: there is no JVM behind Millstream; leave out get_gateway() and use the Python API alone"
    ]
    assert found("import os, pyflink.fn_execution.state")[0].startswith("1:12 missing pyflink.fn_execution.state is not here: functions run in this")
    assert found("from pyflink.datastream import NoSuchName") == ["1:32 missing pyflink.datastream.NoSuchName is neither in PyFlink nor here"]
    # Names of the package come from their modules when they are asked for.
    monkeypatch.delattr(millstream.datastream, "OutputTag", raising=False)
    monkeypatch.delattr(millstream.datastream.output_tag, "OutputTag")
    assert found("from pyflink.datastream import (MapFunction,\n  OutputTag as T)") == ["2:3 missing pyflink.datastream.OutputTag is not here yet"]
    assert found("import pyflink.datastream as d\nd.OutputTag('a')") == ["2:3 missing pyflink.datastream.OutputTag is not here yet"]


def test_methods_that_only_say_that_they_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def rebalance(self):  # type: ignore[no-untyped-def]
        raise UnsupportedError("not there yet")

    monkeypatch.setattr(DATA_STREAM, "rebalance", rebalance)
    assert found("from pyflink.datastream import DataStream\ndef f(s: DataStream): s.rebalance()") == [f"2:25 {REBALANCE}"]


def test_parameters_that_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    def map_(self, func):  # type: ignore[no-untyped-def]
        pass

    monkeypatch.setattr(DATA_STREAM, "map", map_)
    head = "from pyflink.datastream import DataStream\ndef f(s: DataStream): "
    assert found(head + "s.map(str)") == []
    assert found(head + "s.map(str, output_type=1)") == ["2:23 differs DataStream.map has no parameter 'output_type' here"]
    assert found(head + "s.map(str, 1)") == ["2:23 differs DataStream.map takes 2 arguments here, not 3"]
    assert found(head + "s.map(*a, **k)") == []


def test_mistakes_are_told_apart() -> None:
    source = "from pyflink.datastream import *\nenv = StreamExecutionEnvironment.get_execution_environment()\nenv.from_colection([1])"
    assert found(source) == ["3:5 missing StreamExecutionEnvironment.from_colection is neither in PyFlink nor here"]


def test_names_without_effect() -> None:
    source = '''
from pyflink.common import *
from pyflink.datastream import *
from pyflink.datastream.checkpoint_config import CheckpointConfig
env = StreamExecutionEnvironment.get_execution_environment()
env.enable_checkpointing(1000).set_parallelism(2)
env.get_checkpoint_config().set_checkpoint_timeout(60_000)
env.get_checkpoint_config().enable_unaligned_checkpoints().get_checkpoint_timeout()
env.set_state_backend(EmbeddedRocksDBStateBackend())
env.set_state_backend(HashMapStateBackend())
env.get_config().set_latency_tracking_interval(5).set_auto_watermark_interval(5)
env.get_config().set_task_cancellation_timeout(5)
env.set_python_requirements("requirements.txt")
env.from_collection([1]).slot_sharing_group("a").map(str)
Types.STRING().get_java_type_info()
'''
    kinds = {(finding.line, finding.name, finding.kind) for finding in check_source(source).sorted()}
    texts = "\n".join(finding.text for finding in check_source(source).sorted())
    assert kinds == {
        (11, "ExecutionConfig.set_latency_tracking_interval", "no effect"),
        (12, "ExecutionConfig.set_task_cancellation_timeout", "no effect"),
        (13, "StreamExecutionEnvironment.set_python_requirements", "no effect"),
        (14, "DataStream.slot_sharing_group", "no effect"),
        (15, "TypeInformation.get_java_type_info", "no effect"),
    }
    assert "unaligned" not in texts
    assert "set_python_requirements has no effect: functions run in this process" in texts
    assert "slot_sharing_group is accepted without effect: on one machine all operators share one pool of threads" in texts


def test_the_names_without_effect_are_there() -> None:
    """The names that are listed by hand, and the docs' table beside them."""
    known = names()
    for name in [*module_of_names._SILENT, *(f"StreamExecutionEnvironment.{found}" for found in module_of_names._DELEGATED)]:
        bare, _, member = name.rpartition(".")
        full = known.class_of(name) or known.class_of(bare)
        assert full is not None, name
        assert full == known.class_of(name) or known.member(full, member) is not None or member in vars(DATA_STREAM_SINK), name
    assert known.without_effect(known.class_of("DataStream"), "map") is None  # type: ignore[arg-type]


SQL = '''-- what it is about; not a statement
CREATE TEMPORARY TABLE `a;b` (
  word STRING -- ; the text
) WITH ('connector' = 'x;y', 'it' = 'it''s');

insert into t SELECT 1; /* ; SELECT */ select * from t;;
SET 'a' = 'b';
EXECUTE STATEMENT SET BEGIN
  INSERT INTO a SELECT 1;
  INSERT OVERWRITE b SELECT 2 - 1 / 1;
END;
CREATE OR REPLACE VIEW v AS SELECT 1;
DROP TABLE IF EXISTS "x";
SHOW TABLES; EXPLAIN SELECT 1;
/* never closed
SELECT 1'''


def test_statements_of_sql() -> None:
    assert [(found.line, found.column, found.kind, found.is_whole) for found in statements(SQL)] == [
        (2, 1, "CREATE TABLE", True), (6, 1, "INSERT INTO", True), (6, 40, "SELECT", True), (7, 1, "SET", True),
        (8, 1, "EXECUTE STATEMENT SET", True), (10, 3, "INSERT OVERWRITE", True), (12, 1, "CREATE VIEW", True), (13, 1, "DROP TABLE", True),
        (14, 1, "SHOW TABLES", True), (14, 14, "EXPLAIN", True),
    ]  # fmt: skip
    assert [found.kind for found in statements("")] == [found.kind for found in statements(";;\n-- x")] == []
    assert next(statements("SELECT 'open")).is_whole is False
    assert next(statements("SELECT 1 /*")).is_whole is False
    assert [found.kind for found in statements("x" * 100)] == ["X" * 37 + "..."]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_scripts_that_run_have_nothing_missing(script: Path) -> None:
    report = check_source(script.read_text())
    assert [finding for finding in report.sorted() if finding.kind != "no effect"] == []
    assert len(report.used) > 3


def test_the_names_are_readable_and_whole() -> None:
    known = names()
    assert known.release.startswith("2.3")
    assert known.class_of("DataStream") == "datastream.data_stream.DataStream"
    assert known.class_of("KeyedProcessFunction.Context") == "datastream.functions.KeyedProcessFunction.Context"
    for module, entries in known.modules.items():
        for name, entry in entries.items():
            if not isinstance(entry, dict):
                assert known.function(module, name) is not None
                continue
            full = known.class_of(f"{module}.{name}")
            assert full == f"{module}.{name}"
            for member in filter(None, entry):
                found_member = known.member(full, member)
                assert found_member is not None and found_member.kind in "imspcf"
    assert (Path(millstream.__file__).parent / "pyflink" / "names.json").stat().st_size < 150_000


def command(*arguments: str | Path, cwd: Path) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-m", "millstream", "check", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_command(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text("from pyflink.common import Types\nTypes.INT()\n")
    (tmp_path / "bad.py").write_text("from pyflink.common import Types\nfrom pyflink.java_gateway import get_gateway\n")
    (tmp_path / "broken.py").write_text("x = (\n")
    (tmp_path / "job.sql").write_text("SELECT 1;\n")
    assert command("good.py", cwd=tmp_path) == (0, "3 names of PyFlink used, 0 missing, 0 differ, 0 without effect\n")
    status, output = command("good.py", "bad.py", cwd=tmp_path)
    assert status == 1
    assert output.splitlines()[0].startswith("bad.py:2:1: missing: pyflink.java_gateway is not here: ")
    assert output.splitlines()[1].endswith("1 missing, 0 differ, 0 without effect")
    assert command("job.sql", cwd=tmp_path) == (
        1,
        "job.sql:1:1: missing: there is no SQL here yet: SELECT\n0 names of PyFlink used, 1 missing, 0 differ, 0 without effect\n",
    )
    (tmp_path / "kept.py").write_text("from pyflink.datastream import *\nStreamExecutionEnvironment.get_execution_environment().add_jars('a')\n")
    status, output = command("kept.py", cwd=tmp_path)
    assert status == 0, "a script runs with what is accepted without effect"
    assert output.splitlines()[0] == "kept.py:2:56: no effect: StreamExecutionEnvironment.add_jars has no effect: there is no JVM here"
    (tmp_path / "latin.sql").write_bytes(b"SELECT '\xe9'")
    assert "latin.sql: cannot be read" in command("latin.sql", cwd=tmp_path)[1]
    assert command("nowhere.py", cwd=tmp_path)[0] == command("broken.py", cwd=tmp_path)[0] == 1
    status, output = command("--json", "bad.py", "job.sql", cwd=tmp_path)
    assert status == 1
    answer = json.loads(output)
    assert answer["ok"] is False and [entry["file"] for entry in answer["files"]] == ["bad.py", "job.sql"]
    assert answer["files"][0]["findings"][0]["line"] == 2 and answer["files"][1]["findings"][0]["name"] == "SELECT"
