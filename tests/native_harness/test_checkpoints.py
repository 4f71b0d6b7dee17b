"""SNAPSHOT, RESTORE and COMMIT of Python's sources and sinks, one request at a time."""

from __future__ import annotations

import native_engine as engine
import pyarrow as pa
import pytest
from millstream import _native as native
from native_engine import (
    COMMIT,
    FLUSH,
    READ,
    RESTORE,
    SNAPSHOT,
    WRITE,
    Failure,
    Instance,
    batch_of,
)


def test_a_source_tells_its_position_and_goes_to_it():
    place = [0]
    went_to = []

    def read(limit):
        place[0] += 3
        return list(range(place[0] - 3, place[0]))

    callables = (read, lambda: b"at %d" % place[0], lambda *position: went_to.append(position))
    instance = Instance(native.source(callables, "BIGINT", "s", snapshots=True), "BIGINT")
    assert instance.capabilities == 1
    instance.open()
    instance.call(RESTORE, integers=[0])
    (emission,) = instance.call(READ, integers=[4, 0])
    assert emission.column(0) == [0, 1, 2]
    instance.call(SNAPSHOT)
    assert instance.payloads() == [b"at 3"]
    instance.call(RESTORE, integers=[3], payloads=[b"at 3\0\xff"])
    assert went_to == [(0, None), (3, b"at 3\0\xff")]
    instance.close()
    # Without them a source has no such capability, and is not asked.
    assert Instance(native.source(read, "BIGINT", "s"), "BIGINT").capabilities == 0


def test_failures_are_the_users_own():
    def fail(*_):
        raise LookupError("no place")

    instance = Instance(native.source((fail, fail, fail), "BIGINT", "s", snapshots=True), "BIGINT")
    for operation in (SNAPSHOT, RESTORE):
        with pytest.raises(Failure) as caught:
            instance.call(operation, integers=[0])
        assert isinstance(caught.value.exception, LookupError)
    wrong = Instance(native.source((fail, lambda: "text", None), "BIGINT", "s", snapshots=True), "BIGINT")
    with pytest.raises(Failure, match="a payload is bytes, not str"):
        wrong.call(SNAPSHOT)
    wrong.call(RESTORE, integers=[0])


def test_a_collection_goes_to_any_row():
    instance = Instance(native.collection(list(range(10)), "BIGINT", "c"), "BIGINT")
    assert instance.capabilities == 1
    instance.call(SNAPSHOT)
    assert instance.payloads() == []
    instance.call(RESTORE, integers=[8])
    (emission,) = instance.call(READ, integers=[100, 8])
    assert emission.column(0) == [8, 9]
    with pytest.raises(Failure, match="10 values, and 11 had been read"):
        instance.call(RESTORE, integers=[11])


def test_a_sink_commits():
    written, restored, asked, closed = [], [], [], []

    def commit(payloads):
        asked.append(payloads)
        return [(number, None if number < 2 else f"reason {number}") for number in range(len(payloads))]

    def make():
        callables = (written.append, lambda end: [b"one", b"two\0"], lambda: b"state", lambda *state: restored.append(state), commit)
        return callables, None, lambda: closed.append(True)

    function = native.sink(native.PerSubtask(make), "BIGINT", "s", commits=True)
    writer = Instance(function)
    assert writer.capabilities == 3
    writer.open()
    writer.call(RESTORE, integers=[0], payloads=[b"before"])
    writer.call(WRITE, batch_of([1, None], pa.int64()))
    writer.call(FLUSH, integers=[0])
    assert writer.payloads() == [b"one", b"two\0"]
    writer.call(SNAPSHOT)
    assert writer.payloads() == [b"state"]
    committer = Instance(function)
    committer.call(COMMIT, payloads=[b"a", b"b", b"c", b"d", b"e"])
    assert committer.outcomes() == [(0, ""), (1, ""), (2, "reason 2"), (3, "reason 3"), (4, "reason 4")]
    assert (written, restored, asked) == ([[1, None]], [(0, b"before")], [[b"a", b"b", b"c", b"d", b"e"]])
    assert closed == []
    committer.close()
    assert closed == [True]
    writer.close()


@pytest.mark.parametrize("bad", [None, [3], [("x", None)], [(0,)], [(0, 5)]])
def test_answers_that_are_none(bad):
    function = native.sink((print, print, None, None, lambda payloads: bad), "BIGINT", "s", commits=True)
    with pytest.raises(Failure) as caught:
        Instance(function).call(COMMIT, payloads=[b"a"])
    assert isinstance(caught.value.exception, TypeError)
    flush = native.sink((print, lambda end: bad, None, None, print), "BIGINT", "s", commits=True)
    with pytest.raises(Failure):
        Instance(flush).call(FLUSH, integers=[0])
    assert engine.library.harness_payload_count() == 0
