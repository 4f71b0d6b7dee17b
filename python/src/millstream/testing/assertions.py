"""Running small jobs, and comparing what comes out."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Iterable
from typing import Any

from millstream._tracebacks import guard
from millstream.datastream.data_stream import DataStream
from millstream.exceptions import InvalidStateError

__all__ = ["assert_stream", "collect", "run_job"]

#: How long a job of a test may take unless a call says otherwise, in seconds: one that hangs shall fail, not block.
DEFAULT_TIMEOUT = 60.0
_LINE_LIMIT = 40
_POLL_MILLISECONDS = 20


def collect(stream: DataStream, timeout: float = DEFAULT_TIMEOUT) -> list[Any]:
    """Runs a stream's job and gives its values. The job has whatever else its environment was given since the last one.

    Raises what the job fails with, and ``TimeoutError`` after ``timeout`` seconds.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> collect(env.from_collection([1, 2, 3]).map(lambda n: n * n))
    [1, 4, 9]
    """
    return run_job(stream, timeout=timeout)[0]


def run_job(*streams: DataStream, timeout: float = DEFAULT_TIMEOUT) -> list[list[Any]]:
    """Runs one job and gives the values of several of its streams, such as an operator's output and its side outputs.

    Raises what the job fails with. A job that has not ended after ``timeout`` seconds is canceled, and ``TimeoutError`` raised, which says where
    event time stands.

    >>> from millstream.datastream import OutputTag, ProcessFunction, StreamExecutionEnvironment
    >>> odd = OutputTag("odd")
    >>> class Sort(ProcessFunction):
    ...     def process_element(self, value, ctx):
    ...         yield (odd, value) if value % 2 else value
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> even = env.from_collection([1, 2, 3]).process(Sort())
    >>> run_job(even, even.get_side_output(odd))
    [[2], [1, 3]]
    """
    for stream in streams:
        if not isinstance(stream, DataStream):
            raise TypeError(f"run_job takes streams, not {stream!r}")
    if not streams:
        raise TypeError("run_job takes at least one stream")
    env = streams[0]._env
    if any(stream._env is not env for stream in streams):
        raise InvalidStateError("the streams belong to different environments, so they are no one job")
    sinks = [stream._sink("Collect", lambda builder, _, inputs: builder.native.sink_collect(inputs[0]))._transformation for stream in streams]
    for sink in sinks:
        sink.is_virtual = True
    client, builder = env._start(None)
    iterators = [client._job.collect(builder.node(sink), stream.get_type().schema()) for sink, stream in zip(sinks, streams, strict=True)]
    found: list[list[Any]] = [[] for _ in streams]
    deadline = time.monotonic() + timeout
    try:
        waiting = list(range(len(streams)))
        # In turn: an output that nobody reads would hold the job back.
        pause = min(_POLL_MILLISECONDS if len(streams) > 1 else 1_000, int(timeout * 1_000))
        while waiting:
            for index in list(waiting):
                values = iterators[index].next_batch(pause)
                if values is None:
                    waiting.remove(index)
                else:
                    found[index] += values
            if waiting and time.monotonic() > deadline:
                explained = client.explain_time()
                raise TimeoutError(f"the job has not ended after {timeout:g} s\n{explained}")
        client.get_job_execution_result().result()
        return found
    finally:
        for iterator in iterators:
            iterator.close()
        if not client.status().is_terminal_state():
            client.cancel().result()


def assert_stream(
    stream: DataStream | Iterable[Any],
    expected: Iterable[Any],
    ordered: bool = False,
    key: Callable[[Any], Any] | None = None,
    timeout: float = DEFAULT_TIMEOUT,
) -> None:
    """Checks the values of a stream, whose job it runs, or of any iterable; fails with a diff.

    The order counts if ``ordered`` says so. With ``key`` it counts among the values of each key: that is what a job with several subtasks promises.
    Values that come twice must be expected twice.

    Raises ``AssertionError``, and what the job fails with.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> assert_stream(env.from_collection(["a", "b"]).map(str.upper), ["B", "A"])
    >>> assert_stream(["a", "b", "b"], ["a", "b", "c"])
    Traceback (most recent call last):
    ...
    AssertionError: the stream has 3 values, 3 were expected; 1 is missing, 1 is too many
    - 'c'
    + 'b'
    """
    actual = collect(stream, timeout) if isinstance(stream, DataStream) else list(stream)
    wanted = list(expected)
    if key is not None:
        _assert_by_key(actual, wanted, key)
    elif ordered:
        if actual != wanted:
            raise AssertionError(_ordered_difference(actual, wanted))
    else:
        missing, surplus = _difference(actual, wanted)
        if missing or surplus:
            raise AssertionError(_unordered_difference(actual, wanted, missing, surplus))


def _assert_by_key(actual: list[Any], wanted: list[Any], key: Callable[[Any], Any]) -> None:
    found, expected = _groups(actual, key), _groups(wanted, key)
    texts = []
    for name in [*expected, *(name for name in found if name not in expected)]:
        one, other = found.get(name, []), expected.get(name, [])
        if one != other:
            texts.append(f"key {name!r}: {_ordered_difference(one, other)}")
    if texts:
        raise AssertionError("\n".join(texts))


def _groups(values: list[Any], key: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = {}
    for value in values:
        groups.setdefault(key(value), []).append(value)
    return groups


def _difference(actual: list[Any], wanted: list[Any]) -> tuple[list[Any], list[Any]]:
    """What is missing and what is too many. By hashes where there are any: a test may have many values."""
    try:
        counts: dict[Any, int] = {}
        for value in wanted:
            counts[value] = counts.get(value, 0) + 1
        surplus = []
        for value in actual:
            if counts.get(value, 0):
                counts[value] -= 1
            else:
                surplus.append(value)
        missing = []
        for value in wanted:
            if counts[value]:
                counts[value] -= 1
                missing.append(value)
        return missing, surplus
    except TypeError:
        missing, surplus = list(wanted), []
        for value in actual:
            if value in missing:
                missing.remove(value)
            else:
                surplus.append(value)
        return missing, surplus


def _unordered_difference(actual: list[Any], wanted: list[Any], missing: list[Any], surplus: list[Any]) -> str:
    def amount(values: list[Any], what: str) -> str:
        return f"{len(values)} {'is' if len(values) == 1 else 'are'} {what}"

    head = f"the stream has {_count(actual)}, {len(wanted)} were expected; {amount(missing, 'missing')}, {amount(surplus, 'too many')}"
    return "\n".join([head, *_shortened([f"- {value!r}" for value in missing] + [f"+ {value!r}" for value in surplus])])


def _ordered_difference(actual: list[Any], wanted: list[Any]) -> str:
    place = next((index for index, pair in enumerate(zip(actual, wanted, strict=False)) if pair[0] != pair[1]), min(len(actual), len(wanted)))
    head = f"the stream has {_count(actual)}, {len(wanted)} were expected; they differ from number {place} on (- expected, + found)"
    lines = [line for line in difflib.ndiff([repr(value) for value in wanted], [repr(value) for value in actual]) if not line.startswith("?")]
    if all(line.startswith(" ") for line in lines):
        # Values that look alike and are not equal.
        lines = [f"- {wanted[place]!r} of type {type(wanted[place]).__name__}", f"+ {actual[place]!r} of type {type(actual[place]).__name__}"]
    first = next(index for index, line in enumerate(lines) if not line.startswith(" "))
    return "\n".join([head, *_shortened(lines[max(0, first - 2) :])])


def _count(values: list[Any]) -> str:
    return "1 value" if len(values) == 1 else f"{len(values)} values"


def _shortened(lines: list[str]) -> list[str]:
    if len(lines) <= _LINE_LIMIT:
        return lines
    return [*lines[:_LINE_LIMIT], f"... and {len(lines) - _LINE_LIMIT} more lines"]


guard(globals())
