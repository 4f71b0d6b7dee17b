"""Sinks whose results become visible once: written and prepared before a checkpoint, committed when it is complete."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import Enum
from typing import Any, NamedTuple

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.typeinfo import TypeInformation
from millstream.datastream.connectors.base import AddSink, Sink
from millstream.datastream.connectors.plain_values import decode, encode
from millstream.datastream.function_adapter import SubtaskCopies
from millstream.datastream.functions import RuntimeContext
from millstream.datastream.runtime_context import SubtaskContext

__all__ = ["CommitAnswer", "CommitOutcome", "Committer", "CommittingSinkWriter", "TwoPhaseCommittingSink"]


class CommitOutcome(Enum):
    """The five answers of a commit.

    >>> CommitOutcome.UNKNOWN.because("the reply was lost")
    CommitAnswer(outcome=<CommitOutcome.UNKNOWN: 4>, reason='the reply was lost')
    """

    #: Visible now.
    COMMITTED = 0
    #: Visible since an earlier commit: nothing was done.
    ALREADY_COMMITTED = 1
    #: Nothing happened, and another try is worth while. It comes at once, at most ten times.
    RETRY = 2
    #: It will never succeed. The job fails; the committable is kept.
    FAILED = 3
    #: The target may or may not have it. The job stops with ``CommitUnknownError``; everything is kept, and no restart tries again by itself.
    UNKNOWN = 4

    def because(self, reason: str) -> CommitAnswer:
        """This answer, with a reason for messages."""
        return CommitAnswer(self, reason)


class CommitAnswer(NamedTuple):
    """An answer and its reason.

    >>> CommitAnswer(CommitOutcome.FAILED, "the table is gone").reason
    'the table is gone'
    """

    outcome: CommitOutcome
    reason: str | None = None


class CommittingSinkWriter(ABC):
    """Writes one subtask's values where nobody sees them yet. See :class:`TwoPhaseCommittingSink`.

    >>> class Quiet(CommittingSinkWriter):
    ...     def write(self, values): ...
    ...     def prepare_commit(self):
    ...         return []
    """

    @abstractmethod
    def write(self, values: list[Any]) -> None:
        """Takes some values, in order."""

    def flush(self, end_of_input: bool) -> None:  # noqa: B027
        """Comes before each ``prepare_commit``; ``end_of_input``: nothing follows."""

    @abstractmethod
    def prepare_commit(self) -> Sequence[Any]:
        """Makes everything written so far durable, and gives what a commit needs to make it visible: its committables.

        A committable is made of None, numbers, text, bytes, lists, tuples and dicts, so that it can be read in the checkpoint, and in messages.
        """

    def snapshot_state(self) -> Any:
        """What a writer after a restart must know beside the committables, of the same kinds of values; comes behind ``prepare_commit``."""
        return None

    def restore_state(self, state: Any) -> None:  # noqa: B027
        """Takes what a writer of an earlier run gave, before the first ``write``; once for each of them that this one follows: several where there
        are fewer subtasks now. The checkpoint's committables are committed between it and the first ``write``."""

    def close(self) -> None:  # noqa: B027
        """The end, also after a failure. What no checkpoint has may be given up."""


class Committer(ABC):
    """Makes committables visible, its own run's and those that a restored checkpoint holds. See :class:`TwoPhaseCommittingSink`.

    >>> class Lenient(Committer):
    ...     def commit(self, committables):
    ...         return [CommitOutcome.ALREADY_COMMITTED for _ in committables]
    >>> Lenient().commit([{"file": "a.txt"}])
    [<CommitOutcome.ALREADY_COMMITTED: 1>]
    """

    @abstractmethod
    def commit(self, committables: list[Any]) -> Sequence[CommitOutcome | CommitAnswer]:
        """One answer for each committable, in their order. Committing one twice must be the same as once: after a failure nobody knows how far a
        commit came.

        An exception fails the job; a restart commits all of them again.
        """

    def close(self) -> None:  # noqa: B027
        """The end, also after a failure."""


class TwoPhaseCommittingSink(Sink):
    """A sink written in Python whose results become visible exactly once.

    At a checkpoint each subtask's writer prepares what it has written; when the checkpoint is complete, the committables are committed. After a
    failure the writers of the next run get their states, and what the checkpoint holds is committed again. Without checkpoints there is one
    commit, at the end of the input.

    >>> from millstream.common import Types
    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> class Shelf(TwoPhaseCommittingSink):
    ...     def create_writer(self, context):
    ...         return ShelfWriter()
    ...     def create_committer(self):
    ...         return ShelfCommitter()
    >>> class ShelfWriter(CommittingSinkWriter):
    ...     def __init__(self):
    ...         self.values = []
    ...     def write(self, values):
    ...         self.values += values
    ...     def prepare_commit(self):
    ...         prepared, self.values = [self.values], []
    ...         return prepared
    >>> class ShelfCommitter(Committer):
    ...     def commit(self, committables):
    ...         for values in committables:
    ...             print("visible:", values)
    ...         return [CommitOutcome.COMMITTED] * len(committables)
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> sink = env.from_collection([1, 2], Types.LONG()).sink_to(Shelf())
    >>> result = env.execute()
    visible: [1, 2]
    """

    name = "Two-phase commit sink"

    def __init__(self) -> None:
        """Nothing is needed. Each subtask has its own copy of the sink."""

    @abstractmethod
    def create_writer(self, context: RuntimeContext) -> CommittingSinkWriter:
        """The writer of a subtask."""

    @abstractmethod
    def create_committer(self) -> Committer:
        """The committer of a subtask; made when there is something to commit."""

    def lower(self, type_info: TypeInformation) -> AddSink:
        schema = type_info.schema()

        def add(builder: Any, transformation: Any, inputs: list[_native.Input]) -> int:
            copies = SubtaskCopies(self)
            # The engine holds `make`, so that it must not hold the builder, which holds the engine's environment: nobody would ever let go of either.
            scope, name = builder.scope, transformation.name
            job_id, uid = scope.job_id, transformation.settings.get("uid") or f"node {builder.node_count}"
            sink_id = f"{job_id}-{uid}" if job_id else ""

            def make() -> tuple[Any, Any, Any]:
                subtask = _Subtask(copies.next(), scope, name, sink_id)
                return (subtask.write, subtask.flush, subtask.snapshot, subtask.restore, subtask.commit), subtask.open, subtask.close

            native: _native.Environment = builder.native
            function = _native.sink(_native.PerSubtask(make, self), schema, transformation.name, commits=True)
            return native.sink_function(inputs[0], function)

        return add


class SinkContext(SubtaskContext):
    """A writer's context."""

    #: Which sink of which job it is: the same in each attempt, and in each process that goes on with the job.
    sink_id = ""


class _Subtask:
    """A writer, or a committer, between the engine and the user's: the engine makes one for each."""

    def __init__(self, sink: TwoPhaseCommittingSink, scope: Any, task_name: str, sink_id: str) -> None:
        self._sink = sink
        self._sink_id = sink_id
        self._scope = scope
        self._task_name = task_name
        self._writer: CommittingSinkWriter | None = None
        self._committer: Committer | None = None

    def open(self, index: int, parallelism: int, max_parallelism: int) -> None:
        context = SinkContext(self._scope, self._task_name, index, parallelism, max_parallelism)
        context.sink_id = self._sink_id
        self._writer = self._sink.create_writer(context)
        if not isinstance(self._writer, CommittingSinkWriter):
            raise TypeError(f"create_writer gives a CommittingSinkWriter, not {self._writer!r}")

    @property
    def writer(self) -> CommittingSinkWriter:
        assert self._writer is not None
        return self._writer

    def write(self, values: list[Any]) -> None:
        self.writer.write(values)

    def flush(self, end_of_input: bool) -> list[bytes]:
        self.writer.flush(end_of_input)
        return [encode(each, "a committable") for each in self.writer.prepare_commit()]

    def snapshot(self) -> bytes | None:
        state = self.writer.snapshot_state()
        return None if state is None else encode(state, "a writer's state")

    def restore(self, _: int, payload: bytes | None) -> None:
        if payload is not None:
            self.writer.restore_state(decode(payload))

    def commit(self, payloads: list[bytes]) -> list[tuple[int, str | None]]:
        if self._committer is None:
            self._committer = self._sink.create_committer()
            if not isinstance(self._committer, Committer):
                raise TypeError(f"create_committer gives a Committer, not {self._committer!r}")
        answers = list(self._committer.commit([decode(payload) for payload in payloads]))
        if len(answers) != len(payloads):
            raise TypeError(f"commit gives an answer for each of {len(payloads)} committables, but gave {len(answers)}")
        return [_numbered(answer) for answer in answers]

    def close(self) -> None:
        try:
            if self._writer is not None:
                self._writer.close()
        finally:
            if self._committer is not None:
                self._committer.close()


def _numbered(answer: CommitOutcome | CommitAnswer) -> tuple[int, str | None]:
    if isinstance(answer, CommitOutcome):
        return answer.value, None
    if isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[0], CommitOutcome):
        return answer[0].value, None if answer[1] is None else str(answer[1])
    raise TypeError(f"commit answers with CommitOutcome, not {answer!r}")


guard(globals())
