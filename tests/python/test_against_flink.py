"""The scenarios of `golden/`, whose results were recorded from Apache Flink."""

from __future__ import annotations

import json
import pathlib
import sys
import types
from typing import Any

import pytest
from millstream.datastream import StreamExecutionEnvironment

GOLDEN = pathlib.Path(__file__).parent / "golden"
sys.path.insert(0, str(GOLDEN))
import scenarios

RECORDED: dict[str, Any] = json.loads((GOLDEN / "flink.json").read_text())


def millstream_names() -> Any:
    """The names that scenarios use, from Millstream."""
    import millstream.common
    import millstream.datastream
    import millstream.datastream.state
    import millstream.datastream.window

    api = types.SimpleNamespace()
    for module in (millstream.common, millstream.datastream, millstream.datastream.state, millstream.datastream.window):
        api.__dict__.update({name: value for name, value in vars(module).items() if not name.startswith("_")})
    return api


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_as_flink(name: str, env: StreamExecutionEnvironment) -> None:
    if isinstance(RECORDED[name], dict):
        pytest.skip(f"Flink refuses it: {RECORDED[name]['error']}")
    found = json.loads(json.dumps(scenarios.SCENARIOS[name](millstream_names(), env)))
    if name in scenarios.ORDER_IS_OPEN:
        assert sorted(found) == sorted(RECORDED[name])
    else:
        assert found == RECORDED[name]
