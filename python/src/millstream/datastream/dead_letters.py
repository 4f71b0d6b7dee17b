"""Dead letters: what a function fails with, or a file's reader cannot decode, goes to a side output, and the job goes on.

Millstream's own; Flink's jobs fail, unless each function catches what it raises, and formats ignore what they cannot read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.typeinfo import RowTypeInfo, TypeInformation, Types
from millstream.common.types import Row
from millstream.datastream.output_tag import OutputTag

__all__ = ["DeadLetterTag", "dead_letter_type", "undecoded_type"]

_FIELDS = ["operator", "place", "error_type", "error", "record"]


def dead_letter_type() -> RowTypeInfo:
    """The type of dead letters: a row of ``operator``, ``place``, ``error_type`` and ``error`` (texts), and ``record``, the Python object itself.

    >>> dead_letter_type().get_field_names()
    ['operator', 'place', 'error_type', 'error', 'record']
    """
    text = Types.STRING()
    return Types.ROW_NAMED(_FIELDS, [text, text, text, text, Types.PICKLED_BYTE_ARRAY()])


def undecoded_type() -> RowTypeInfo:
    """The type of a file source's dead letters, records that do not decode.

    ``file``, ``line``, ``column``: where the mistake is, counted from 1 on, the column in bytes; ``offset`` and ``length``: where the record is, in
    bytes of the unpacked file, without its line end; ``field``: the column of the schema, where one is to blame; ``text``: the record, at most
    64 KiB of it; ``error``: what is wrong.

    >>> undecoded_type().get_field_names()
    ['file', 'line', 'column', 'offset', 'length', 'field', 'text', 'error']
    """
    text, number = Types.STRING(), Types.LONG()
    return Types.ROW_NAMED(
        ["file", "line", "column", "offset", "length", "field", "text", "error"], [text, number, number, number, number, text, text, text]
    )


class DeadLetterTag(OutputTag):
    """The tag of a side output for dead letters, for :meth:`DataStream.with_dead_letters`.

    The letters of an operator are of :func:`dead_letter_type`, those of a file source of :func:`undecoded_type`, whatever ``type_info`` the tag has.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> failed = DeadLetterTag("failed")
    >>> numbers = env.from_collection(["1", "two", "3"]).map(int).with_dead_letters(failed)
    >>> letters = numbers.get_side_output(failed).map(lambda letter: (letter.place, letter.error_type, letter.record))
    >>> sorted(numbers.union(letters).execute_and_collect(), key=str)
    [('record 1', 'ValueError', 'two'), 1, 3]
    """

    def __init__(self, tag_id: str) -> None:
        super().__init__(tag_id, dead_letter_type())


def letter(operator: str, place: str, error: BaseException, record: Any) -> Row:
    """One dead letter."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    try:
        text = str(error)
    except Exception as failure:
        text = f"<str() of it failed: {type(failure).__name__}>"
    # What is no UTF-8 cannot be a text of the engine.
    return _NAMED(operator, place, name, text.encode("utf-8", "backslashreplace").decode(), record)


_NAMED = Row(*_FIELDS)

Process = Callable[[Any, Any], Any]


class Guarded:
    """The functions of one subtask, each of which gives a dead letter instead of raising; the subtask's records are counted."""

    def __init__(self, tag: OutputTag, operator: str, schema: str, side_schemas: Mapping[str, str]) -> None:
        self._tag = tag
        self._operator = operator
        self._check = _check(schema)
        self._sides = {name: _check(side) for name, side in side_schemas.items()}

    def element(self, process: Process, input_name: str = "") -> Process:
        """``process_element`` that keeps a record's results until it has given them all, and checks that they are of the declared types."""
        tag, operator, checked = self._tag, self._operator, self._checked
        count = -1

        def process_element(value: Any, ctx: Any) -> Any:
            nonlocal count
            count += 1
            try:
                return checked(process(value, ctx))
            except Exception as error:
                return ((tag, letter(operator, f"{input_name}record {count}", error, value)),)

        return process_element

    def timer(self, on_timer: Process) -> Process:
        """The same for ``on_timer``; the record of its dead letters is the key."""
        tag, operator, checked = self._tag, self._operator, self._checked

        def on_time(timestamp: int, ctx: Any) -> Any:
            try:
                return checked(on_timer(timestamp, ctx))
            except Exception as error:
                return ((tag, letter(operator, f"timer at {timestamp}", error, ctx.get_current_key())),)

        return on_time

    def _checked(self, results: Any) -> list[Any] | None:
        if results is None:
            return None
        found = [results] if _tag_of(results) is not None else list(results)
        for result in found:
            tag = _tag_of(result)
            check, value = (self._check, result) if tag is None else (self._sides.get(tag.tag_id), result[1])
            if check is not None:
                check(value)
        return found


def _check(schema: str) -> Callable[[Any], Any] | None:
    return None if schema == "OBJECT" else _native.value_check(schema)


def _tag_of(result: Any) -> OutputTag | None:
    return result[0] if type(result) is tuple and len(result) == 2 and isinstance(result[0], OutputTag) else None


def type_of_side_output(tag: OutputTag, decodes_files: bool) -> TypeInformation:
    """What a tag stands for at an operator or a file source: a tag of dead letters has the letters' type of either."""
    return tag.type_info if not isinstance(tag, DeadLetterTag) else undecoded_type() if decodes_files else dead_letter_type()


def checked_tag(tag: Any, known: Mapping[str, TypeInformation], decodes_files: bool) -> OutputTag:
    """The tag of dead letters, with their type; no other side output may have its name."""
    letters = undecoded_type() if decodes_files else dead_letter_type()
    if not isinstance(tag, OutputTag):
        raise TypeError(f"with_dead_letters takes a DeadLetterTag, not {tag!r}")
    if type_of_side_output(tag, decodes_files).schema() != letters.schema():
        raise TypeError(f"dead letters are {letters!r}, and {tag!r} is of another type; use a DeadLetterTag")
    if tag.tag_id in known and known[tag.tag_id].schema() != letters.schema():
        raise TypeError(f"the side output {tag.tag_id!r} has another type already: {known[tag.tag_id]!r}")
    return OutputTag(tag.tag_id, letters)


guard(globals())
