"""Reduce, aggregate, process, windows, timestamps, watermarks, partitions, sources and sinks, one request at a time."""

from __future__ import annotations

import sys

import native_engine as engine
import pyarrow as pa
import pytest
from native_engine import (
    ACCUMULATE,
    EXTRACT,
    FLUSH,
    MERGE,
    PARTITION,
    PROCESS,
    READ,
    REDUCE,
    RESULT,
    TIMERS,
    WATERMARK,
    WINDOW,
    WRITE,
    Columns,
    Failure,
    Instance,
    batch_of,
    native,
    objects,
)  # fmt: skip


def accumulators(schema: str) -> pa.RecordBatch:
    array = engine.ctypes.cast(
        engine.library.harness_accumulators(), engine.ctypes.POINTER(engine.ArrowArray)
    ).contents
    return pa.RecordBatch._import_from_c(
        engine.ctypes.addressof(array), engine._schema(schema)
    )


def instance_of(function, schema=None):
    instance = Instance(function, schema)
    instance.open()
    return instance


def failure(action) -> Failure:
    with pytest.raises(Failure) as caught:
        action()
    engine.library.harness_drop()
    return caught.value


# ---- Reduce ----


def test_reduce_of_typed_values():
    calls = []

    def add(a, b):
        calls.append((a, b))
        return a + b

    instance = instance_of(native.reducer(add, "BIGINT", "r"), "BIGINT")
    (emission,) = instance.call(
        REDUCE,
        batch_of([1, 2, 3, 4], pa.int64()),
        slots=[0, 1, 0, 1],
        accumulators=batch_of([None, 100], pa.int64()),
        integers=[1],
    )
    assert emission.column(0) == [1, 102, 4, 106]
    assert calls == [(100, 2), (1, 3), (102, 4)]
    assert accumulators("BIGINT").column(0).to_pylist() == [4, 106]


def test_reduce_without_running_results_and_with_untouched_slots():
    instance = instance_of(native.reducer(lambda a, b: a + b, "BIGINT", "r"), "BIGINT")
    assert (
        instance.call(
            REDUCE,
            batch_of([5], pa.int64()),
            slots=[1],
            accumulators=batch_of([None, None, 7], pa.int64()),
            integers=[0],
        )
        == []
    )
    assert accumulators("BIGINT").column(0).to_pylist() == [None, 5, 7]


def test_reduce_of_tuples():
    instance = instance_of(
        native.reducer(lambda a, b: (a[0], a[1] + b[1]), "TUPLE<STRING, BIGINT>", "r"),
        "TUPLE<STRING, BIGINT>",
    )
    type = pa.struct([("f0", pa.string()), ("f1", pa.int64())])
    rows = batch_of(
        [{"f0": "a", "f1": 1}, {"f0": "a", "f1": 2}, {"f0": "b", "f1": 3}], type
    )
    none = pa.RecordBatch.from_arrays(
        [pa.nulls(2, pa.string()), pa.nulls(2, pa.int64())], ["f0", "f1"]
    )
    (emission,) = instance.call(
        REDUCE, rows, slots=[0, 0, 1], accumulators=none, integers=[1]
    )
    assert emission.batch.to_pylist() == [
        {"f0": "a", "f1": 1},
        {"f0": "a", "f1": 3},
        {"f0": "b", "f1": 3},
    ]
    assert accumulators("TUPLE<STRING, BIGINT>").to_pylist() == [
        {"f0": "a", "f1": 3},
        {"f0": "b", "f1": 3},
    ]


def test_reduce_of_objects_keeps_count_of_references():
    values = [[index] for index in range(6)]
    before = [sys.getrefcount(value) for value in values]
    instance = instance_of(native.reducer(lambda a, b: b, "OBJECT", "r"), "OBJECT")
    none = pa.RecordBatch.from_arrays([pa.array([0, 0], pa.int64())], ["f0"])
    (emission,) = instance.call(
        REDUCE, objects(values), slots=[0, 1] * 3, accumulators=none, integers=[1]
    )
    assert emission.objects() == values
    kept = [
        engine.object_at(address)
        for address in accumulators("BIGINT").column(0).to_pylist()
    ]
    assert kept == values[4:]
    del kept, emission
    instance.close()
    assert [sys.getrefcount(value) for value in values] == before


def test_reduce_that_raises():
    instance = instance_of(
        native.reducer(lambda a, b: a // b, "BIGINT", "div"), "BIGINT"
    )
    error = failure(
        lambda: instance.call(
            REDUCE,
            batch_of([4, 2, 0, 1], pa.int64()),
            slots=[0] * 4,
            accumulators=batch_of([None], pa.int64()),
            integers=[1],
        )
    )
    assert error.row == 2 and type(error.exception) is ZeroDivisionError
    assert error.exception.__notes__[0].endswith("record 2: 0")


def test_reduce_that_gives_a_wrong_type():
    instance = instance_of(native.reducer(lambda a, b: str(b), "BIGINT", "r"), "BIGINT")
    error = failure(
        lambda: instance.call(
            REDUCE,
            batch_of([4, 2], pa.int64()),
            slots=[0] * 2,
            accumulators=batch_of([None], pa.int64()),
            integers=[1],
        )
    )
    assert error.status == 6 and error.row == 1


# ---- Aggregate ----

average = (
    lambda: (0, 0),
    lambda value, acc: (acc[0] + value, acc[1] + 1),
    lambda acc: acc[0] / acc[1],
    lambda a, b: (a[0] + b[0], a[1] + b[1]),
)


def test_aggregate():
    schema = "TUPLE<BIGINT, BIGINT>"
    instance = instance_of(
        native.aggregator(average, "BIGINT", schema, "DOUBLE", "avg"), "DOUBLE"
    )
    none = pa.RecordBatch.from_arrays(
        [pa.nulls(2, pa.int64()), pa.nulls(2, pa.int64())], ["f0", "f1"]
    )
    assert (
        instance.call(
            ACCUMULATE,
            batch_of([1, 2, 4], pa.int64()),
            slots=[0, 1, 1],
            accumulators=none,
            integers=[0],
        )
        == []
    )
    first = accumulators(schema)
    assert first.to_pylist() == [{"f0": 1, "f1": 1}, {"f0": 6, "f1": 2}]
    (emission,) = instance.call(RESULT, accumulators=first)
    assert emission.column(0) == [1.0, 3.0]
    assert instance.call(MERGE, accumulators=first) == []
    assert accumulators(schema).to_pylist() == [{"f0": 7, "f1": 3}]


@pytest.mark.parametrize("place", range(4))
def test_aggregate_parts_that_raise(place):
    def bad(*arguments):
        raise LookupError(place)

    callables = (*average[:place], bad, *average[place + 1 :])
    schema = "TUPLE<BIGINT, BIGINT>"
    instance = instance_of(
        native.aggregator(callables, "BIGINT", schema, "DOUBLE", "avg"), "DOUBLE"
    )
    none = pa.RecordBatch.from_arrays(
        [pa.nulls(2, pa.int64()), pa.nulls(2, pa.int64())], ["f0", "f1"]
    )
    some = pa.RecordBatch.from_arrays(
        [pa.array([1, 2]), pa.array([1, 2])], ["f0", "f1"]
    )

    def calls():
        instance.call(
            ACCUMULATE,
            batch_of([1, 2, 4], pa.int64()),
            slots=[0, 1, 1],
            accumulators=none,
            integers=[0],
        )
        engine.library.harness_drop()
        instance.call(RESULT, accumulators=some)
        engine.library.harness_drop()
        instance.call(MERGE, accumulators=some)

    assert type(failure(calls).exception) is LookupError


# ---- Process ----


class Tag:
    def __init__(self, tag_id):
        self.tag_id = tag_id


native.register_output_tag_class(Tag)


def test_process_with_side_outputs_and_timers():
    late, unknown = Tag("late"), Tag("unknown")

    def element(value, context):
        yield value * 10
        if value % 2:
            yield late, str(value)
            yield unknown, value
        yield context.timestamp()
        yield context.get_current_key()

    def timer(timestamp, context):
        return [timestamp, context.time_domain()]

    function = native.process(
        lambda context: ((element, timer), None, None),
        "BIGINT",
        "BIGINT",
        "p",
        key_schema="BIGINT",
        side_outputs={"late": "STRING"},
    )
    instance = instance_of(function)
    emissions = instance.call(
        PROCESS,
        batch_of([1, 2, 3], pa.int64()),
        keys=batch_of([7, 8, 9], pa.int64()),
        timestamps=[100, 200, -(2**63)],
    )
    assert [
        (emission.tag, emission.count, emission.parents) for emission in emissions
    ] == [(b"late", 2, [0, 2]), (None, 9, [0] * 3 + [1] * 3 + [2] * 3)]
    instance.schema = "BIGINT"
    engine.library.harness_drop()
    (emission,) = instance.call(
        PROCESS,
        batch_of([2], pa.int64()),
        keys=batch_of([8], pa.int64()),
        timestamps=[-(2**63)],
    )
    assert emission.column(0) == [20, None, 8]
    (emission,) = instance.call(
        TIMERS,
        count=2,
        keys=batch_of([8, 9], pa.int64()),
        timestamps=[5, 6],
        integers=[1],
    )
    assert (emission.column(0), emission.parents) == ([5, 1, 6, 1], [0, 0, 1, 1])


def test_process_results_in_parts():
    def element(value, context):
        for _ in range(10_000):
            yield value

    instance = instance_of(
        native.process(
            lambda context: ((element, None), None, None), "BIGINT", "BIGINT", "p"
        ),
        "BIGINT",
    )
    columns = Columns(batch_of([1, 2, 3], pa.int64()))
    emissions = instance.call(PROCESS, columns)
    while engine.library.harness_resumption():
        emissions += instance.call(
            PROCESS, columns, resumption=engine.library.harness_resumption()
        )
    assert [value for emission in emissions for value in emission.column(0)] == [
        1
    ] * 10_000 + [2] * 10_000 + [3] * 10_000
    assert [value for emission in emissions for value in emission.parents] == [
        0
    ] * 10_000 + [1] * 10_000 + [2] * 10_000


def test_state_needs_a_keyed_stream_and_a_running_call():
    context = []

    def make(given):
        context.append(given)
        state = native.ValueState(given, 0)
        return (lambda value, ctx: state.value(), None), None, None

    instance = instance_of(native.process(make, "BIGINT", "BIGINT", "p"))
    error = failure(lambda: instance.call(PROCESS, batch_of([1], pa.int64())))
    assert error.status == 3 and "key_by" in error.message
    for call in (
        context[0].timestamp,
        context[0].get_current_key,
        context[0].current_watermark,
        native.ValueState(context[0], 0).value,
    ):
        with pytest.raises(native.InvalidStateError):
            call()
    instance.close()
    with pytest.raises(native.InvalidStateError):
        context[0].timestamp()


def test_what_process_must_not_give():
    instance = instance_of(
        native.process(
            lambda context: ((lambda value, ctx: 5, None), None, None),
            "BIGINT",
            "BIGINT",
            "p",
        )
    )
    error = failure(lambda: instance.call(PROCESS, batch_of([1], pa.int64())))
    assert error.status == 6 and "iterable" in error.message
    instance = instance_of(
        native.process(
            lambda context: ((lambda value, ctx: [1, "x"], None), None, None),
            "BIGINT",
            "BIGINT",
            "p",
        )
    )
    assert (
        failure(lambda: instance.call(PROCESS, batch_of([1, 2], pa.int64()))).row == 0
    )


@pytest.mark.parametrize("operation", [PROCESS, TIMERS])
def test_process_functions_that_raise(operation):
    def bad(value, context):
        raise OSError(value)

    instance = instance_of(
        native.process(
            lambda context: ((bad, bad), None, None),
            "BIGINT",
            "BIGINT",
            "p",
            describe=bad,
        )
    )
    error = failure(
        lambda: instance.call(
            operation, batch_of([4, 5], pa.int64()), timestamps=[4, 5]
        )
    )
    is_timer = operation == TIMERS
    assert error.row == (-1 if is_timer else 0) and type(error.exception) is OSError
    assert (
        error.exception.__notes__[0].endswith(
            ", event-time timer at 4" if is_timer else ", record 0: 4"
        )
        and __file__ in error.exception.__notes__[0]
    )


def test_window_function():
    def process(key, context, elements):
        yield f"{key} {context.window()} {sum(elements)}"

    function = native.window_process(
        lambda context: (process, None, None),
        "BIGINT",
        "STRING",
        "w",
        key_schema="STRING",
        make_window=lambda start, end: f"[{start}, {end})",
    )
    instance = instance_of(function, "STRING")
    (emission,) = instance.call(
        WINDOW,
        batch_of([1, 2, 3], pa.int64()),
        count=2,
        keys=batch_of(["a", "b"], pa.string()),
        starts=[0, 10],
        ends=[10, 20],
        offsets=[0, 2, 3],
    )
    assert (emission.column(0), emission.parents) == (
        ["a [0, 10) 3", "b [10, 20) 3"],
        [0, 1],
    )


# ---- Timestamps, watermarks, partitions ----


def test_timestamps():
    instance = instance_of(
        native.extract_timestamps(
            lambda value, record: value if record < 0 else record, "BIGINT", "t"
        ),
        "BIGINT",
    )
    (emission,) = instance.call(
        EXTRACT, batch_of([5, 6], pa.int64()), timestamps=[-(2**63), 9]
    )
    assert emission.column(0) == [5, 9]
    instance = instance_of(
        native.extract_timestamps(lambda value, record: "5", "BIGINT", "t")
    )
    error = failure(lambda: instance.call(EXTRACT, batch_of([5, 6], pa.int64())))
    assert error.status == 11 and error.row == 0


def test_watermarks():
    seen = []
    instance = instance_of(
        native.watermark_generator(
            (seen.append, lambda: max(seen) - 1 if seen else None), "w"
        )
    )
    instance.call(WATERMARK, count=0)
    assert engine.library.harness_integer_count() == 0
    instance.call(WATERMARK, count=2, timestamps=[5, 3])
    assert engine.library.harness_integer(0) == 4


def test_partitions():
    instance = instance_of(
        native.partitioner(lambda key, count: key % count, "BIGINT", "p"), "INT"
    )
    (emission,) = instance.call(
        PARTITION, count=3, keys=batch_of([5, 6, 7], pa.int64()), integers=[3]
    )
    assert emission.column(0) == [2, 0, 1]


# ---- Sources and sinks ----


def test_collection():
    instance = instance_of(native.collection(list(range(10)), "BIGINT", "c"), "BIGINT")
    (emission,) = instance.call(READ, integers=[4, 0])
    assert (emission.column(0), engine.library.harness_is_end()) == ([0, 1, 2, 3], 0)
    (emission,) = instance.call(READ, integers=[100, 8])
    assert (emission.column(0), engine.library.harness_is_end()) == ([8, 9], 1)
    instance = instance_of(native.collection([1, 2, "x"], "BIGINT", "c"))
    error = failure(lambda: instance.call(READ, integers=[100, 0]))
    assert error.row == 2 and "record 2" in error.exception.__notes__[0]


def test_source_function():
    answers = iter([[1, 2], 0.5, None])
    instance = instance_of(
        native.source(lambda limit: next(answers), "BIGINT", "s"), "BIGINT"
    )
    (emission,) = instance.call(READ, integers=[4, 0])
    assert emission.column(0) == [1, 2]
    assert (
        instance.call(READ, integers=[4, 2]) == []
        and engine.library.harness_wait() == 500
    )
    assert (
        instance.call(READ, integers=[4, 2]) == []
        and engine.library.harness_is_end() == 1
    )
    for bad in ("ab", -1, float("nan"), True, object()):
        wrong = instance_of(native.source(lambda limit, bad=bad: bad, "BIGINT", "s"))
        assert isinstance(
            failure(lambda wrong=wrong: wrong.call(READ, integers=[4, 0])).exception,
            (TypeError, ValueError),
        )


def test_sink_function():
    log = []
    instance = instance_of(
        native.sink((log.append, lambda end: log.append(("flush", end))), "BIGINT", "s")
    )
    instance.call(WRITE, batch_of([1, None], pa.int64()))
    instance.call(FLUSH, integers=[1])
    assert log == [[1, None], ("flush", True)]
