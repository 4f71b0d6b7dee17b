"""Functions with operator state: what a subtask remembers without a key. PyFlink has them not; the names are those of Flink's Java API."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from millstream.exceptions import UnsupportedError

if TYPE_CHECKING:
    from millstream.datastream.functions import KeyedStateStore
    from millstream.datastream.operator_state import OperatorStateStore

__all__ = ["CheckpointedFunction", "FunctionInitializationContext", "FunctionSnapshotContext"]


class FunctionInitializationContext(ABC):
    """What a function learns in :meth:`CheckpointedFunction.initialize_state`.

    >>> from millstream.datastream import CheckpointedFunction, MapFunction, StreamExecutionEnvironment
    >>> class Counting(MapFunction, CheckpointedFunction):
    ...     def initialize_state(self, context):
    ...         self.restored = context.is_restored()
    ...     def snapshot_state(self, context):
    ...         pass
    ...     def map(self, value):
    ...         return value, self.restored
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> list(env.from_collection(["a"]).map(Counting()).execute_and_collect())
    [('a', False)]
    """

    @abstractmethod
    def is_restored(self) -> bool:
        """Whether the states come from a checkpoint or savepoint."""

    @abstractmethod
    def get_restored_checkpoint_id(self) -> int | None:
        """The number of that checkpoint; ``None`` if there is none."""

    @abstractmethod
    def get_operator_state_store(self) -> OperatorStateStore:
        """Where to get list, union list and broadcast states of the subtask."""

    @abstractmethod
    def get_keyed_state_store(self) -> KeyedStateStore:
        """Where to get keyed states. On a stream without keys each of them raises ``InvalidStateError``."""


class FunctionSnapshotContext(ABC):
    """What a function learns in :meth:`CheckpointedFunction.snapshot_state`.

    >>> from millstream.common import Types
    >>> from millstream.datastream import FlatMapFunction
    >>> from millstream.datastream.state import ListStateDescriptor
    >>> from millstream.testing import StreamHarness
    >>> class Last(FlatMapFunction, CheckpointedFunction):
    ...     def initialize_state(self, context):
    ...         self.state = context.get_operator_state_store().get_list_state(ListStateDescriptor("last", Types.STRING()))
    ...     def snapshot_state(self, context):
    ...         self.state.update([self.last])
    ...     def flat_map(self, value):
    ...         self.last = value
    >>> with StreamHarness(lambda words: words.flat_map(Last()), Types.STRING()) as harness:
    ...     harness.process_element("a")
    ...     print(harness.snapshot_operator_state())
    {'FlatMap': {'last': ['a']}}
    """

    @abstractmethod
    def get_checkpoint_id(self) -> int:
        """The number of the checkpoint: later ones have higher ones."""

    @abstractmethod
    def get_checkpoint_timestamp(self) -> int:
        """When it was begun, in milliseconds since 1970."""


class CheckpointedFunction(ABC):
    """A second base of a function's class, which gives it operator state.

    :meth:`initialize_state` is called before ``open`` in each subtask. Functions of map, flat_map, filter and process have operator state, with
    keys or without, those of connected and broadcast streams, and sources and sinks written in Python; others raise ``UnsupportedError``. Jobs
    have no checkpoints yet: what is in the states stays in the engine, and nothing calls :meth:`snapshot_state` but the harnesses of
    :mod:`millstream.testing`.

    >>> from millstream.datastream import MapFunction, StreamExecutionEnvironment
    >>> from millstream.datastream.state import ListStateDescriptor
    >>> class Buffer(MapFunction, CheckpointedFunction):
    ...     def initialize_state(self, context):
    ...         self.state = context.get_operator_state_store().get_list_state(ListStateDescriptor("seen", Types.LONG()))
    ...         self.seen = list(self.state.get())
    ...     def map(self, value):
    ...         self.seen.append(value)
    ...         return len(self.seen)
    ...     def snapshot_state(self, context):
    ...         self.state.update(self.seen)
    >>> from millstream.common import Types
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> list(env.from_collection([5, 7], Types.LONG()).map(Buffer()).execute_and_collect())
    [1, 2]
    """

    @abstractmethod
    def snapshot_state(self, context: FunctionSnapshotContext) -> None:
        """Called for each checkpoint: puts into the states what a restored job shall find there."""

    @abstractmethod
    def initialize_state(self, context: FunctionInitializationContext) -> None:
        """Called before ``open``: gets the states, which have elements if the job was restored."""


def refuse_checkpointed(function: Any, task_name: str) -> None:
    """Raises ``UnsupportedError`` for a function with operator state, where an operator has none."""
    if isinstance(function, CheckpointedFunction):
        raise UnsupportedError(
            f"{task_name}: {type(function).__name__} is a CheckpointedFunction, but this operator keeps no operator state; "
            "functions of map, flat_map, filter and process, sources and sinks can have some"
        )
