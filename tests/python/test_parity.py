"""Every name of PyFlink's that is not on the list below is here, of the same kind, and takes the same parameters.

The names are those of ``millstream check`` (python/src/millstream/pyflink/names.json): PyFlink 2.3, and of 1.17 what older scripts use.
"""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from millstream import add_version_doc, keyword
from millstream.datastream import DataStream
from millstream.datastream.functions import ProcessAllWindowFunction, ProcessWindowFunction
from millstream.pyflink.names import Member, names, read_member
from millstream.util import exceptions
from millstream.util.api_stability_decorators import Deprecated, Experimental, PublicEvolving

#: What is not here, by the beginning of a full name, with the line of docs/pyflink-differences.md that says why. Who adds one of them, deletes its line.
NOT_HERE = {
    "datastream.connectors.cassandra": "connectors for other systems",
    "datastream.connectors.dynamic_kafka": "connectors for other systems",
    "datastream.connectors.elasticsearch": "connectors for other systems",
    "datastream.connectors.jdbc": "connectors for other systems",
    "datastream.connectors.kafka": "connectors for other systems",
    "datastream.connectors.kinesis": "connectors for other systems",
    "datastream.connectors.pulsar": "connectors for other systems",
    "datastream.connectors.rabbitmq": "connectors for other systems",
    "datastream.window.Min": "names that PyFlink's window module only imports or keeps for itself",
    "datastream.window.WindowOperationDescriptor": "names that PyFlink's window module only imports or keeps for itself",
    "datastream.window.long_to_int_with_bit_mixing": "names that PyFlink's window module only imports or keeps for itself",
    "datastream.window.mod_inverse": "names that PyFlink's window module only imports or keeps for itself",
    "table.": "Table API and SQL",
}


def is_expected(full: str) -> bool:
    return not full.startswith(tuple(NOT_HERE))


def expected_names() -> list[tuple[str, str]]:
    return [(module, name) for module, found in names().modules.items() for name in found if "." not in name and is_expected(f"{module}.{name}")]


def taken(function: Any, member: Member) -> list[str]:
    """The parameters of PyFlink's that the function here does not take."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return []
    kinds = {parameter.kind for parameter in parameters.values()}
    missing = []
    for parameter in member.parameters:
        name = parameter.rstrip("=")
        if name.startswith("**"):
            is_taken = inspect.Parameter.VAR_KEYWORD in kinds
        elif name.startswith("*"):
            is_taken = inspect.Parameter.VAR_POSITIONAL in kinds
        else:
            is_taken = name in parameters or inspect.Parameter.VAR_KEYWORD in kinds
        if not is_taken:
            missing.append(parameter)
    return missing


def differences(module: str, name: str) -> list[str]:
    """What a name lacks, in words."""
    absence = names().absent(module, name)
    if absence is not None:
        return [absence.text]
    function = names().function(module, name)
    if function is not None:
        lacking = taken(getattr(importlib.import_module(f"millstream.{module}".rstrip(".")), name), function)
        return [f"{module}.{name} lacks the parameters {lacking}"] if lacking else []
    full, found = f"{module}.{name}", []
    ours = names().our_class(full)
    for member_name, text in names().members(full).items():
        if not member_name or not is_expected(f"{full}.{member_name}"):
            continue
        member = read_member(member_name, text)
        if member.kind == "i":
            lacking = taken(ours, member)
            found += [f"{full}() lacks the parameters {lacking}"] if lacking else []
            continue
        absence = names().absent_member(full, member_name)
        if absence is not None:
            found.append(absence.text)
        elif member.kind in "msf":
            live = getattr(ours, member_name)
            lacking = taken(live, member) if callable(live) else ["()"]
            found += [f"{full}.{member_name} lacks the parameters {lacking}"] if lacking else []
    return found


@pytest.mark.parametrize("module", sorted({module for module, _ in expected_names()}))
def test_names_and_parameters(module: str) -> None:
    wanted = [name for found, name in expected_names() if found == module]
    assert wanted
    assert [text for name in wanted for text in differences(module, name)] == []


@pytest.mark.parametrize("package", ["common", "datastream", "datastream.connectors", "metrics"])
def test_exports_of_packages(package: str) -> None:
    module = importlib.import_module(f"millstream.{package}")
    exports = names().exports[package]
    missing = [name for name, home in exports.items() if not hasattr(module, name) and is_expected(f"{home}.{name}")]
    assert missing == []
    assert [name for name in exports if hasattr(module, name) and name not in module.__all__ and is_expected(f"{exports[name]}.{name}")] == []


def test_star_imports_bring_what_scripts_use() -> None:
    """``from pyflink.datastream.functions import *``: also the names that come from other modules when they are asked for."""
    internal = re.compile("Internal|Wrapper|PassThrough|NullByteKeySelector")
    for module in sorted({module for module, _ in expected_names() if module}):
        found: dict[str, object] = {}
        exec(f"from millstream.{module} import *", found)
        wanted = {name for place, name in expected_names() if place == module and not internal.search(name)}
        assert sorted(wanted - set(found)) == [], module


def test_contexts_take_type_arguments() -> None:
    """As in the annotations of Flink's own examples."""
    from millstream.datastream.window import MergingWindowAssigner, TimeWindow

    assert ProcessWindowFunction.Context[TimeWindow] and ProcessAllWindowFunction.Context[TimeWindow]
    assert MergingWindowAssigner.MergeCallback[TimeWindow]


def test_the_check_finds_what_is_missing() -> None:
    """The test above would be worth nothing if it could not fail."""
    member = read_member("map", "m func,no_such_thing=")
    assert taken(DataStream.map, member) == ["no_such_thing="]
    assert differences("datastream.data_stream", "NoSuchClass") == ["pyflink.datastream.data_stream.NoSuchClass is not here yet"]
    assert "datastream.data_stream.DataStream" in {f"{module}.{name}" for module, name in expected_names()}
    assert len(expected_names()) > 150


def test_every_exclusion_has_its_reason_in_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "pyflink-differences.md").read_text()
    section = page.split("## Not there yet", 1)[1].split("\n## ", 1)[0]
    for reason in sorted(set(NOT_HERE.values())):
        assert f"- {reason}: " in section, reason


def test_decorators() -> None:
    class Point:
        @keyword
        def __init__(self, *, x: int) -> None:
            self.x = x

    assert Point(x=3)._input_kwargs == {"x": 3}  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        Point(3)  # type: ignore[misc]

    def documented() -> None:
        """Text.

        More.
        """

    add_version_doc(documented, "2.3")
    assert (documented.__doc__ or "").endswith("\n\n        .. versionadded:: 2.3")

    @PublicEvolving()
    class Marked:
        """Text."""

        def method(self) -> None:
            """Method."""

    assert "*class* is marked as **evolving**" in (Marked.__doc__ or "")
    assert "is marked as **evolving**" in (Marked.method.__doc__ or "")
    assert (Experimental()(Marked).__doc__ or "").count(".. note::") == 2
    with pytest.warns(DeprecationWarning, match=r"old has been deprecated since version 1\.0"):

        @Deprecated("1.0")
        def old() -> None:
            """Old."""

    assert old.__doc__ == "Old.\n.. deprecated:: 1.0"


def test_exceptions() -> None:
    for name in exceptions.__all__:
        kind = getattr(exceptions, name)
        with pytest.raises(exceptions.JavaException, match="trace"):
            raise kind("trace")
