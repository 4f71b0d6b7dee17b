"""The pytest plugin: fixtures ``millstream_env`` and ``millstream_harness``, and the marker ``millstream``. See docs/testing.md.

pytest loads it wherever Millstream is installed, so it imports the package only when a test asks for a fixture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from millstream.datastream import StreamExecutionEnvironment
    from millstream.testing import StreamHarness

MARKER = "millstream(parallelism=1, buffer_timeout=None, configuration=None): settings of the fixture millstream_env"


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture
def millstream_env(request: pytest.FixtureRequest) -> Iterator[StreamExecutionEnvironment]:
    """A new environment with parallelism 1, or what the marker ``millstream`` says; closed after the test."""
    from millstream.common import Configuration
    from millstream.datastream import StreamExecutionEnvironment

    marker = request.node.get_closest_marker("millstream")
    settings = _settings(() if marker is None else marker.args, {} if marker is None else marker.kwargs)
    env = StreamExecutionEnvironment.get_execution_environment(Configuration.from_dict(settings["configuration"] or {}))
    env.set_parallelism(settings["parallelism"])
    if settings["buffer_timeout"] is not None:
        env.set_buffer_timeout(settings["buffer_timeout"])
    yield env
    env.close()


@pytest.fixture
def millstream_harness() -> Iterator[Callable[..., StreamHarness]]:
    """Makes harnesses of a process function (and a key selector, if it is keyed) or a function that builds a pipeline; closes them after the test."""
    made: list[StreamHarness] = []

    def make(subject: Any, *arguments: Any, **settings: Any) -> StreamHarness:
        from millstream.datastream import CoProcessFunction, KeyedCoProcessFunction, KeyedProcessFunction, ProcessFunction
        from millstream.testing import CoProcessHarness, KeyedProcessHarness, ProcessHarness, StreamHarness

        if isinstance(subject, KeyedProcessFunction):
            harness: StreamHarness = KeyedProcessHarness(subject, *arguments, **settings)
        elif isinstance(subject, (CoProcessFunction, KeyedCoProcessFunction)):
            harness = CoProcessHarness(subject, *arguments, **settings)
        elif isinstance(subject, ProcessFunction):
            harness = ProcessHarness(subject, *arguments, **settings)
        else:
            harness = StreamHarness(subject, *arguments, **settings)
        made.append(harness)
        return harness

    yield make
    for harness in made:
        harness.close()


def _settings(positional: tuple[Any, ...], keywords: dict[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = {"parallelism": 1, "buffer_timeout": None, "configuration": None}
    unknown = [name for name in keywords if name not in settings]
    if positional or unknown:
        raise pytest.UsageError(f"the marker is {MARKER.partition(':')[0]}; it has no {', '.join(unknown) or 'positional arguments'}")
    return {**settings, **keywords}
