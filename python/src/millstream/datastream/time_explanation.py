"""Why event time stands where it stands: what ``JobClient.explain_time`` gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["InputTime", "OperatorTime", "SplitsTime", "SubtaskTime", "TimeExplanation"]


class InputTime(NamedTuple):
    """What a subtask reads from another one. Watermarks are in milliseconds since the epoch, ``None`` before the first.

    >>> time = InputTime(from_subtask=0, watermark=None, is_idle=True, has_ended=False, waiting_rows=0, waiting_bytes=0)
    >>> time.is_idle
    True
    """

    from_subtask: int
    watermark: int | None
    is_idle: bool
    has_ended: bool
    waiting_rows: int
    waiting_bytes: int


class OperatorTime(NamedTuple):
    """One operator of a subtask. ``waits_for`` is the earliest event time that it waits for, such as the last millisecond of its first window.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> sink = env.from_collection([1, 2]).add_sink(lambda n: None)
    >>> client = env.execute_async()
    >>> result = client.get_job_execution_result().result()
    >>> operator = client.explain_time().subtasks[0].operators[0]
    >>> operator.name, operator.num_late_records
    ('Source: Collection Source', 0)
    """

    id: str
    name: str
    input_watermark: int | None
    output_watermark: int | None
    waits_for: int | None
    num_records_in: int
    num_late_records: int
    num_late_records_dropped: int
    num_malformed_records: int
    num_records_failed: int


class SplitsTime(NamedTuple):
    """What a source's subtask reads: ``reading`` names the splits at hand, such as a file, a range of one (``path@first_byte``) or of numbers.

    A subtask reads one split after the other, so that its watermark is that of the split at hand. With ``may_have_more`` there may be others that
    nobody has begun.

    >>> SplitsTime(reading=("words.txt",), num_finished=2, may_have_more=False).reading
    ('words.txt',)
    """

    reading: tuple[str, ...]
    num_finished: int
    may_have_more: bool


class SubtaskTime(NamedTuple):
    """One parallel instance of a task.

    ``held_back_by`` is the number of the subtask, a source if one can be found, that holds event time back here.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> sink = env.from_collection([1, 2]).add_sink(lambda n: None)
    >>> client = env.execute_async()
    >>> result = client.get_job_execution_result().result()
    >>> subtask = client.explain_time().subtasks[0]
    >>> subtask.subtask, subtask.parallelism, subtask.is_source
    (0, 1, True)
    """

    number: int
    name: str
    subtask: int
    parallelism: int
    is_source: bool
    is_idle: bool
    #: Milliseconds since rows came last; ``None``: none came yet.
    quiet_milliseconds: int | None
    held_back_by: int | None
    inputs: tuple[InputTime, ...]
    operators: tuple[OperatorTime, ...]
    #: ``None``: no source.
    splits: SplitsTime | None


class TimeExplanation:
    """The answer of ``JobClient.explain_time``: lines for a person (``str``), and the same as values.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> sink = env.from_collection([1, 2, 3]).add_sink(lambda value: None)
    >>> client = env.execute_async("numbers")
    >>> client.wait()
    True
    >>> client.explain_time().subtasks[0].is_source
    True
    """

    def __init__(self, text: str, values: Mapping[str, Any]) -> None:
        self._text = text
        self.job_name: str = values.get("name", "")
        self.status: str = values.get("status", "")
        #: In the order of the plan; ``held_back_by`` and ``from_subtask`` are places in it.
        self.subtasks: tuple[SubtaskTime, ...] = tuple(_subtask(subtask) for subtask in values.get("subtasks", ()))

    def waiting(self) -> list[tuple[SubtaskTime, OperatorTime]]:
        """The operators that wait for event time, the one that has waited for the earliest first."""
        found = [(subtask, step) for subtask in self.subtasks for step in subtask.operators if step.waits_for is not None]
        return sorted(found, key=lambda pair: (pair[1].waits_for or 0, pair[0].number))

    def culprit(self, subtask: SubtaskTime) -> SubtaskTime | None:
        """The subtask that holds event time back in ``subtask``; ``None`` where nobody does."""
        return None if subtask.held_back_by is None else self.subtasks[subtask.held_back_by]

    def __str__(self) -> str:
        return self._text

    __repr__ = __str__


def _subtask(values: Mapping[str, Any]) -> SubtaskTime:
    splits = values["splits"]
    return SubtaskTime(
        values["number"],
        values["name"],
        values["subtask"],
        values["parallelism"],
        values["isSource"],
        values["isIdle"],
        values["quietMillis"],
        values["heldBackBy"],
        tuple(InputTime(*(entry[key] for key in _INPUT_KEYS)) for entry in values["inputs"]),
        tuple(OperatorTime(*(entry[key] for key in _OPERATOR_KEYS)) for entry in values["operators"]),
        None if splits is None else SplitsTime(tuple(splits["reading"]), splits["numFinished"], splits["mayHaveMore"]),
    )


_INPUT_KEYS = ("from", "watermark", "isIdle", "hasEnded", "waitingRows", "waitingBytes")
_OPERATOR_KEYS = (
    "id",
    "name",
    "inputWatermark",
    "outputWatermark",
    "waitsFor",
    "numRecordsIn",
    "numLateRecords",
    "numLateRecordsDropped",
    "numMalformedRecords",
    "numRecordsFailed",
)
