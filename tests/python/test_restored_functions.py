"""What a function with operator state is told in a restored job, and before a checkpoint."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from millstream.common import Types
from millstream.datastream import CheckpointedFunction, MapFunction
from millstream.datastream.function_adapter import opener
from millstream.datastream.runtime_context import KeyedContext
from millstream.datastream.state import ListStateDescriptor


class Recorder(MapFunction, CheckpointedFunction):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def initialize_state(self, context: Any) -> None:
        self.told.append((context.is_restored(), context.get_restored_checkpoint_id()))
        context.get_operator_state_store().get_list_state(ListStateDescriptor("list", Types.LONG()))

    def open(self, runtime_context: Any) -> None:
        self.told.append("open")

    def snapshot_state(self, context: Any) -> None:
        self.told.append((context.get_checkpoint_id(), context.get_checkpoint_timestamp()))

    def map(self, value: Any) -> Any:
        return value


class _Context(KeyedContext):
    """A context of the engine's, without an engine."""

    states = SimpleNamespace(ListState=lambda *_: SimpleNamespace(get=None, add=None, update=None, add_all=None, clear=None))

    def declare_operator_state(self, *declaration: Any) -> int:
        return 0


@pytest.mark.parametrize("checkpoint", [None, 7])
def test_initialize_state_comes_before_open_and_tells_the_checkpoint(checkpoint: int | None) -> None:
    native: Any = _Context()
    if checkpoint is not None:
        # As the extension notes it before it opens a function.
        native.restored_checkpoint_id = checkpoint
    function, scope = Recorder(), SimpleNamespace(metrics=SimpleNamespace(new_owner=lambda: 0))
    open_ = opener(function, scope, "task", native)  # type: ignore[arg-type]
    assert open_ is not None
    open_(0, 1, 128)
    assert function.told == [(checkpoint is not None, checkpoint), "open"]
    native._snapshot(8, 1_000)
    assert function.told[2:] == [(8, 1_000)]


def test_a_context_without_such_a_function_has_nothing_to_put_together() -> None:
    _Context()._snapshot(8, 1_000)
