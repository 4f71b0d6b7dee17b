"""What the Python tests share."""

from __future__ import annotations

import gc
import signal

import pytest
from millstream.datastream import StreamExecutionEnvironment

# A runner that starts in the background of a shell has Ctrl-C ignored, and so have the processes that it starts: the tests of Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes longer than the everyday loop may; `make test-fast` leaves it out")


@pytest.fixture
def env() -> StreamExecutionEnvironment:
    """A new environment with the default settings."""
    return StreamExecutionEnvironment.get_execution_environment()


def pytest_collection_finish() -> None:
    """What the modules of all tests have made is there to stay: tests that look for what is left behind need not go through it each time."""
    gc.collect()
    gc.freeze()
