"""A function that fails in the middle of a batch: what the records before it gave arrives, and the job fails once, with the user's exception."""

from __future__ import annotations

import traceback

import pytest
from millstream import _native as native
from millstream.common import Types
from millstream.datastream import (
    KeyedProcessFunction,
    OutputTag,
    ProcessFunction,
    StreamExecutionEnvironment,
)

RECORD_COUNT = 4096
BAD = 1234


class Mine(Exception):
    pass


def passes(x):
    if x == BAD:
        raise Mine("boom")
    return x


def run(stages, values=None, schema="BIGINT", *, fused=True):
    """Results until the failure, and the failure."""
    environment = native.Environment()
    environment.configure("parallelism.default", "1")
    values = list(range(RECORD_COUNT)) if values is None else values
    node = environment.source_function(native.collection(values, schema, "values"))
    for stage in stages:
        node = environment.transform(native.Input(node), native.transform([stage], schema))
        environment.set(node, "name", stage[2])
        if not fused:
            # A function with a schema of its own in between keeps the two from being joined, and they stay in one chain.
            node = environment.filter(native.Input(node), native.Expression.literal(True))
        schema = stage[3] or schema
    return results(environment, node, schema)


def results(environment, node, schema):
    sink = environment.sink_collect(native.Input(node))
    job = environment.execute("test")
    taken, failure = until_failure(job.collect(sink, schema))
    assert job.status() == "FAILED"
    with pytest.raises(type(failure)):
        job.result()
    return taken, failure


def until_failure(rows):
    taken = []
    try:
        for row in rows:
            taken.append(row)
    except Exception as failure:
        return taken, failure
    raise AssertionError("the job did not fail")


def check(failure, operator, record=BAD):
    assert type(failure) is Mine
    (note,) = failure.__notes__
    assert f"in operator '{operator}'" in note and f"record {record}" in note, note
    lines = "".join(traceback.format_exception(failure)).splitlines()
    assert len(lines) <= 15, lines


@pytest.mark.parametrize("fused", [True, False])
def test_map(fused):
    stages = [
        ("map", lambda x: x, "first", "BIGINT"),
        ("map", passes, "bad", "BIGINT"),
        ("map", lambda x: x * 2, "last", "BIGINT"),
    ]
    taken, failure = run(stages, fused=fused)
    assert taken == [2 * x for x in range(BAD)]
    check(failure, "bad")


@pytest.mark.parametrize("fused", [True, False])
def test_filter(fused):
    stages = [
        ("filter", lambda x: x % 2 == 0, "even", None),
        ("filter", lambda x: passes(x) >= 0, "bad", None),
    ]
    taken, failure = run(stages, fused=fused)
    assert taken == list(range(0, BAD, 2))
    check(failure, "bad", BAD if fused else BAD // 2)


def yields_then_fails(x):
    yield x
    yield passes(x)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("behind", [True, False])
def test_flat_map_drops_what_the_failing_record_yielded(fused, behind):
    stages = [("flat_map", yields_then_fails, "bad", "BIGINT")]
    if behind:
        stages.append(("map", lambda x: x, "behind", "BIGINT"))
    # More than one call gives: 2 * 4000 results before the failing record.
    values = list(range(10_000, 14_000)) + list(range(BAD - 10, BAD + 10))
    taken, failure = run(stages, values, fused=fused)
    assert taken == [x for x in values[:4010] for _ in range(2)]
    check(failure, "bad", 4010)


def test_a_result_that_fills_the_call_waits_for_its_record():
    # The failing record's results begin when the outputs are almost full: they are not sent in part.
    def spread(x):
        if x == 0:
            return [x] * 4000
        return (1 // (200 - index) for index in range(1000))

    taken, failure = run([("flat_map", spread, "spread", "BIGINT")], [0, 1])
    assert taken == [0] * 4000 and isinstance(failure, ZeroDivisionError)


def test_a_flat_map_behind_a_flat_map_loses_nothing():
    environment = native.Environment()
    node = environment.source_function(native.collection(list(range(3000)), "BIGINT", "values"))
    for name, function in (("a", lambda x: [x, x]), ("b", lambda x: [x] * 3)):
        node = environment.transform(
            native.Input(node),
            native.transform([("flat_map", function, name, "BIGINT")], "BIGINT"),
        )
    sink = environment.sink_collect(native.Input(node))
    taken = list(environment.execute("test").collect(sink, "BIGINT"))
    assert taken == [x for x in range(3000) for _ in range(6)]


@pytest.mark.parametrize("behind", [True, False])
def test_a_value_that_is_not_of_the_declared_type(behind):
    stages = [("map", lambda x: "bad" if x == BAD else x, "typed", "BIGINT")]
    if behind:
        stages.append(("filter", lambda x: True, "behind", None))
    taken, failure = run(stages)
    assert taken == list(range(BAD))
    assert isinstance(failure, native.TypeMismatchError)
    assert (failure.operator, failure.record) == ("typed", BAD)


@pytest.mark.parametrize(
    ("schema", "bad"),
    [
        ("TUPLE<BIGINT, STRING>", (BAD, 5)),
        ("TUPLE<OBJECT, BIGINT>", (object(), "x")),
        ("TUPLE<ROW<a OBJECT, b BIGINT>, ARRAY<OBJECT>>", ((1, "x"), [1])),
        ("TUPLE<ARRAY<BIGINT>, BOOLEAN>", ([1, 2, "x"], True)),
    ],
)
@pytest.mark.parametrize("raises", [True, False])
def test_rows_of_columns(schema, bad, raises):
    good = {
        "TUPLE<BIGINT, STRING>": lambda x: (x, None if x % 3 else str(x)),
        "TUPLE<OBJECT, BIGINT>": lambda x: ([x], x if x % 3 else None),
        "TUPLE<ROW<a OBJECT, b BIGINT>, ARRAY<OBJECT>>": lambda x: (([x], x), [x] * (x % 3)),
        "TUPLE<ARRAY<BIGINT>, BOOLEAN>": lambda x: ([x] * (x % 4), x % 2 == 0),
    }[schema]

    def function(x):
        if x != BAD:
            return good(x)
        return passes(x) if raises else bad

    taken, failure = run([("map", function, "m", schema)])
    if "ROW" in schema:
        taken = [((row["a"], row["b"]), list(rest)) for row, rest in taken]
    assert [tuple(row) for row in taken] == [good(x) for x in range(BAD)]
    assert isinstance(failure, Mine if raises else native.TypeMismatchError)


def test_the_earliest_record_is_the_failure():
    # Columns are made behind the loop: the wrong value of an earlier record comes to light after the exception of a later one.
    stages = [("map", lambda x: "bad" if x == 100 else passes(x), "m", "BIGINT")]
    taken, failure = run(stages)
    assert taken == list(range(100))
    assert isinstance(failure, native.TypeMismatchError) and failure.record == 100


def test_no_function_is_called_again_for_a_failed_batch():
    seen = []

    def noting(x):
        seen.append(x)
        return passes(x)

    taken, _ = run([("map", noting, "m", "BIGINT")])
    assert (taken, seen) == (list(range(BAD)), list(range(BAD + 1)))


# ---- Streams of the Python API ----


def stream(parallelism=1):
    environment = StreamExecutionEnvironment.get_execution_environment()
    environment.set_parallelism(parallelism)
    return environment


def numbers(environment, values=None):
    return environment.from_collection(list(range(RECORD_COUNT)) if values is None else values, Types.LONG())


def collected(data):
    with data.execute_and_collect("test") as rows:
        return until_failure(rows)


def test_key_selector():
    keyed = numbers(stream()).key_by(passes, Types.LONG())
    taken, failure = collected(keyed.map(lambda x: x, output_type=Types.LONG()))
    assert type(failure) is Mine
    # The rows go to another subtask by their keys, which may end before it has read them all.
    assert taken == list(range(len(taken))) and len(taken) <= BAD


class Doubles(ProcessFunction):
    def process_element(self, value, ctx):
        yield value
        yield passes(value)


def test_process_function():
    data = numbers(stream()).process(Doubles(), output_type=Types.LONG())
    taken, failure = collected(data)
    assert taken == [x for x in range(BAD) for _ in range(2)]
    assert type(failure) is Mine and f"record {BAD}" in failure.__notes__[0]


SIDE = OutputTag("side", Types.LONG())


class Sides(ProcessFunction):
    def process_element(self, value, ctx):
        yield SIDE, value
        passes(value)
        if value % 2:
            yield value


def test_side_outputs():
    main = numbers(stream()).process(Sides(), output_type=Types.LONG())
    taken, failure = collected(main)
    assert taken == list(range(1, BAD, 2)) and type(failure) is Mine
    side = numbers(stream()).process(Sides(), output_type=Types.LONG()).get_side_output(SIDE)
    taken, failure = collected(side)
    assert taken == list(range(BAD)) and type(failure) is Mine


def keyed_by_one(environment, values=None):
    return numbers(environment, values).key_by(lambda x: 0, Types.LONG())


class Timers(KeyedProcessFunction):
    def process_element(self, value, ctx):
        ctx.timer_service().register_event_time_timer(value)

    def on_timer(self, timestamp, ctx):
        yield passes(timestamp)


def test_timers():
    data = keyed_by_one(stream()).process(Timers(), output_type=Types.LONG())
    taken, failure = collected(data)
    assert taken == list(range(BAD)) and type(failure) is Mine
    assert failure.__notes__[0].endswith(f"event-time timer at {BAD}, key 0")


def test_rolling_reduce():
    data = keyed_by_one(stream()).reduce(lambda a, b: a + passes(b))
    taken, failure = collected(data)
    assert taken == [x * (x + 1) // 2 for x in range(BAD)]
    assert type(failure) is Mine and f"record {BAD}" in failure.__notes__[0]


def test_rolling_reduce_of_tuples():
    pairs = Types.TUPLE([Types.LONG(), Types.LONG()])
    data = (
        numbers(stream())
        .map(lambda x: (x % 3, x), output_type=pairs)
        .key_by(lambda row: row[0], Types.LONG())
        .reduce(lambda a, b: (a[0], a[1] + passes(b[1])))
    )
    taken, failure = collected(data)
    assert type(failure) is Mine
    assert taken == [(x % 3, sum(range(x % 3, x + 1, 3))) for x in range(BAD)]


def test_what_is_joined_with_a_reduction():
    def halve(total):
        if total == 1275:
            raise Mine("boom")
        return total // 2

    data = keyed_by_one(stream()).reduce(lambda a, b: a + b)
    data = data.map(halve, output_type=Types.LONG()).filter(lambda x: x % 2 == 0)
    taken, failure = collected(data)
    # 0 + 1 + ... + 50 is 1275.
    halves = [x * (x + 1) // 4 for x in range(50)]
    assert type(failure) is Mine and taken == [x for x in halves if x % 2 == 0]


def test_print_has_the_rows_before(capfd):
    environment = stream()
    numbers(environment).map(passes, output_type=Types.LONG()).print()
    with pytest.raises(Mine) as caught:
        environment.execute("test")
    lines = capfd.readouterr().out.splitlines()
    assert [int(line.split()[-1]) for line in lines] == list(range(BAD))
    assert len("".join(traceback.format_exception(caught.value)).splitlines()) <= 15
