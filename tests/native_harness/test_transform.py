"""TRANSFORM: chains, types between stages, errors that name stage and record, and results that come in parts."""

from __future__ import annotations

import decimal

import native_engine as engine
import pyarrow as pa
import pyarrow.compute
import pytest
import xxhash
from native_engine import (
    TRANSFORM,
    Columns,
    Failure,
    Instance,
    batch_of,
    native,
    objects,
)


def run(
    stages, values, type=None, output=None, *, input="BIGINT", fused=(), resume=True
):
    """All emissions of one batch."""
    instance = Instance(
        native.transform(stages, input),
        output,
        *[native.transform(stages, schema) for stages, schema in fused],
    )
    instance.open()
    columns = Columns(objects(values) if type is None else batch_of(values, type))
    emissions = instance.call(TRANSFORM, columns)
    while resume and engine.library.harness_resumption():
        emissions += instance.call(
            TRANSFORM, columns, resumption=engine.library.harness_resumption()
        )
    instance.close()
    return emissions


def test_map_of_a_typed_column():
    (emission,) = run(
        [("map", lambda x: x * 2 + 1, "m", "BIGINT")],
        [1, 2, -(2**62)],
        pa.int64(),
        "BIGINT",
    )
    assert emission.column(0) == [3, 5, -(2**63) + 1]
    assert emission.parents is None


def test_objects_pass_by_reference():
    values = [object(), [1], None]
    (emission,) = run(
        [("map", lambda x: x, "m", "OBJECT")], values, None, "OBJECT", input="OBJECT"
    )
    assert [a is b for a, b in zip(emission.objects(), values, strict=True)] == [
        True
    ] * 3


def test_filter_gives_parents():
    (emission,) = run(
        [("filter", lambda x: x % 2, "f", None)], list(range(7)), pa.int64(), "BIGINT"
    )
    assert (emission.column(0), emission.parents) == ([1, 3, 5], [1, 3, 5])


def test_a_filter_that_drops_all_emits_nothing():
    assert (
        run([("filter", lambda x: False, "f", None)], [1, 2], pa.int64(), "BIGINT")
        == []
    )


def test_chain_with_expansion_in_the_middle_and_key():
    stages = [
        ("flat_map", lambda line: line.split(), "split", "STRING"),
        ("filter", lambda word: word != "b", "keep", None),
        ("map", lambda word: (word, 1), "pair", "TUPLE<STRING, BIGINT>"),
        ("key", lambda pair: pair[0], "by word", "OBJECT"),
    ]
    (emission,) = run(
        stages,
        ["a b c", "", "b", "d"],
        pa.string(),
        "ROW<w STRING, n BIGINT, k OBJECT>",
        input="STRING",
    )
    assert emission.column(0) == ["a", "c", "d"]
    assert emission.parents == [0, 0, 3]
    assert emission.hashes == [
        xxhash.xxh64_intdigest(word.encode()) for word in ("a", "c", "d")
    ]
    assert emission.objects(2) == ["a", "c", "d"]


def test_key_selector_alone_gives_keys():
    (emission,) = run(
        [("key", lambda x: x % 3, "k", "BIGINT")], [3, 4, 5], pa.int64(), "BIGINT"
    )
    assert emission.column(0) == [0, 1, 2]
    assert emission.hashes is None and emission.parents is None


def test_fusion_joins_stages_of_several_functions():
    fused = [
        ([("filter", lambda x: x > 3, "f", None)], "BIGINT"),
        ([("map", str, "s", "STRING"), ("key", len, "k", "BIGINT")], "BIGINT"),
    ]
    (emission,) = run(
        [("map", lambda x: x + 1, "m", "BIGINT")],
        [1, 2, 3, 99],
        pa.int64(),
        "ROW<s STRING, k BIGINT>",
        fused=fused,
    )
    assert emission.column(0) == ["4", "100"]
    assert emission.column(1) == [1, 3]
    assert emission.parents == [2, 3]


@pytest.mark.parametrize("last", [True, False])
def test_long_results_come_in_parts(last):
    seen = []

    def explode(n):
        for value in range(n):
            seen.append(value)
            yield value

    stages = [("flat_map", explode, "explode", "BIGINT")]
    if not last:
        stages.append(("map", lambda x: x, "same", "BIGINT"))
    emissions = run(stages, [3, 10_000, 0, 5], pa.int64(), "BIGINT")
    assert len(emissions) >= 3
    assert all(emission.count <= 4096 for emission in emissions)
    assert [value for emission in emissions for value in emission.column(0)] == [
        *range(3),
        *range(10_000),
        *range(5),
    ]
    assert [parent for emission in emissions for parent in emission.parents] == [
        0
    ] * 3 + [1] * 10_000 + [3] * 5
    assert seen == [*range(3), *range(10_000), *range(5)]


def test_an_endless_result_is_asked_for_no_more_than_needed():
    import itertools

    (emission,) = run(
        [("flat_map", lambda x: itertools.count(), "f", "BIGINT")],
        [1],
        pa.int64(),
        "BIGINT",
        resume=False,
    )
    assert emission.count == 4096


def test_results_of_many_rows_come_in_parts():
    emissions = run(
        [("flat_map", lambda x: [x] * 1000, "f", "BIGINT")],
        list(range(20)),
        pa.int64(),
        "BIGINT",
    )
    assert [value for emission in emissions for value in emission.column(0)] == [
        x for x in range(20) for _ in range(1000)
    ]
    assert [value for emission in emissions for value in emission.parents] == [
        x for x in range(20) for _ in range(1000)
    ]


def failure(stages, values, type=None, **options) -> Failure:
    with pytest.raises(Failure) as caught:
        run(stages, values, type, **options)
    engine.library.harness_drop()
    return caught.value


def test_an_exception_names_stage_function_and_record():
    calls = []

    def second(x):
        calls.append(x)
        return 1 // (x - 12)

    error = failure(
        [
            ("map", lambda x: x + 10, "first", "BIGINT"),
            ("map", second, "second", "BIGINT"),
        ],
        [0, 1, 2, 3],
        pa.int64(),
    )
    assert error.status == 9 and error.row == 2
    assert type(error.exception) is ZeroDivisionError
    assert calls == [10, 11, 12]
    (note,) = error.exception.__notes__
    assert note.startswith("in operator 'second' (") and __file__ in note
    assert note.endswith(", record 2: 12")
    traceback = error.exception.__traceback__
    assert traceback.tb_frame.f_code.co_name == "second" and traceback.tb_next is None


@pytest.mark.parametrize("kind", ["filter", "flat_map", "key"])
def test_exceptions_of_every_kind_of_stage(kind):
    def bad(x):
        raise KeyError(x)

    schema = None if kind == "filter" else "BIGINT"
    error = failure(
        [("map", lambda x: x, "m", "BIGINT"), (kind, bad, "bad one", schema)],
        [7],
        pa.int64(),
    )
    assert (
        error.row == 0
        and "bad one" in error.exception.__notes__[0]
        and error.exception.__notes__[0].endswith("record 0: 7")
    )


def test_a_generator_that_raises_after_some_results():
    def bad(x):
        yield 1
        raise ValueError("late")

    error = failure(
        [("flat_map", bad, "gen", "BIGINT"), ("map", lambda x: x, "m", "BIGINT")],
        [5, 6],
        pa.int64(),
    )
    assert error.row == 0 and "'gen'" in error.exception.__notes__[0]
    error = failure([("flat_map", bad, "gen", "BIGINT")], [5, 6], pa.int64())
    assert error.row == 0 and "'gen'" in error.exception.__notes__[0]


def test_the_records_index_counts_all_batches():
    instance = Instance(
        native.transform([("map", lambda x: 1 // x, "m", "BIGINT")], "BIGINT"), "BIGINT"
    )
    instance.open()
    instance.call(TRANSFORM, batch_of([1, 2, 3], pa.int64()))
    with pytest.raises(Failure) as caught:
        instance.call(TRANSFORM, batch_of([1, 0], pa.int64()))
    assert caught.value.row == 1
    assert "record 4: 0" in caught.value.exception.__notes__[0]
    instance.close()


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ("BIGINT", "1", "an int was expected"),
        ("BIGINT", 1.5, "an int was expected"),
        ("BIGINT", 2**63, "64 bits"),
        ("INT", 2**31, "32 bits"),
        ("TINYINT", 128, "8 bits"),
        ("STRING", b"x", "a str was expected"),
        ("STRING", "\ud800", "lone surrogate"),
        ("BOOLEAN", 1, "a bool was expected"),
        ("DOUBLE", "1.5", "a float was expected"),
        ("BYTES", "x", "bytes were expected"),
        ("ARRAY<INT>", "ab", "a list was expected"),
        ("TUPLE<INT, INT>", (1,), "too few fields"),
        (
            "ROW<a INT, b ARRAY<INT NOT NULL>>",
            {"a": 1, "b": [1, None]},
            "field b[1]: declared INT NOT NULL",
        ),
        ("BIGINT NOT NULL", None, "null is not allowed"),
    ],
)
@pytest.mark.parametrize("is_last", [True, False])
def test_wrong_types(schema, value, message, is_last):
    stages = [("map", lambda x: value, "wrong", schema)]
    if not is_last:
        if "surrogate" in message:
            pytest.skip("text is checked where it becomes a column")
        stages.append(("map", lambda x: 1, "next", "BIGINT"))
    error = failure(stages, [1], pa.int64())
    assert error.status == 6, error.message
    assert isinstance(error.exception, native.TypeMismatchError)
    assert message in str(error.exception)
    assert error.exception.operator == "wrong" and error.exception.record == 0
    assert "'wrong'" in error.exception.__notes__[0]


def test_a_wrong_type_in_the_middle_of_a_batch_names_its_record():
    error = failure(
        [("map", lambda x: x if x < 2 else "no", "m", "BIGINT")],
        [0, 1, 2, 3],
        pa.int64(),
    )
    assert error.row == 2
    error = failure(
        [("flat_map", lambda x: [x, x if x < 2 else "no"], "m", "BIGINT")],
        [0, 1, 2, 3],
        pa.int64(),
    )
    assert error.row == 2


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ("DOUBLE", 1, 1.0),
        ("DOUBLE", True, 1.0),
        ("BIGINT", True, 1),
        ("INT", 5.0, 5),
        ("TINYINT", decimal.Decimal("5.0"), 5),
    ],
)
@pytest.mark.parametrize("is_last", [True, False])
def test_numbers_of_other_classes_become_what_is_declared(
    schema, value, expected, is_last
):
    stages = [("map", lambda x: value, "m", schema)]
    if not is_last:
        stages.append(("map", repr, "n", "STRING"))
    (emission,) = run(stages, [1], pa.int64(), "STRING" if not is_last else schema)
    assert list(map(str, emission.column(0))) == [repr(expected)]


@pytest.mark.parametrize("key", [None, [1], {}, {1}, object()])
def test_values_that_can_be_no_key(key):
    error = failure(
        [
            ("map", lambda x: x, "m", "BIGINT"),
            ("key", lambda x: key if x else 1, "k", "OBJECT"),
        ],
        [0, 0, 1],
        pa.int64(),
    )
    assert error.status == 10 and error.row == 2
    assert (
        isinstance(error.exception, native.KeyValueError)
        and error.exception.operator == "k"
    )


def test_keys_of_mixed_types_are_refused():
    error = failure(
        [
            ("map", lambda x: x, "m", "BIGINT"),
            ("key", lambda x: 1.0 if x else 1, "k", "OBJECT"),
        ],
        [0, 0, 1],
        pa.int64(),
    )
    assert error.row == 2 and "float" in error.message and "int" in error.message
    error = failure(
        [("key", lambda x: (1, "a") if x else (1, b"a"), "k", "OBJECT")],
        [0, 1],
        pa.int64(),
    )
    assert error.row == 1


def test_a_typed_key_that_is_none():
    error = failure([("key", lambda x: None, "k", "BIGINT")], [0], pa.int64())
    assert error.status == 10


def test_exceptions_whose_text_fails():
    class Nasty(Exception):
        def __str__(self):
            raise RuntimeError

    def bad(x):
        raise Nasty

    error = failure([("map", bad, "m", "BIGINT")], [1], pa.int64())
    assert type(error.exception) is Nasty


@pytest.mark.parametrize(
    "kind", [KeyboardInterrupt, SystemExit, MemoryError, GeneratorExit]
)
def test_exceptions_that_are_no_errors(kind):
    def bad(x):
        raise kind

    error = failure([("map", bad, "m", "BIGINT")], [1], pa.int64())
    assert type(error.exception) is kind


def test_endless_recursion():
    def bad(x):
        return bad(x)

    error = failure([("map", bad, "m", "BIGINT")], [1], pa.int64())
    assert type(error.exception) is RecursionError


def test_records_whose_repr_fails_or_is_long():
    class Silent:
        def __repr__(self):
            raise RuntimeError

    def bad(x):
        raise ValueError

    error = failure([("map", bad, "m", "BIGINT")], [Silent()], input="OBJECT")
    assert "repr failed" in error.exception.__notes__[0]
    error = failure([("map", bad, "m", "BIGINT")], ["x" * 10_000], input="OBJECT")
    assert len(error.exception.__notes__[0]) < 500


def test_subtasks_have_their_own_copies_with_a_life_cycle():
    log = []

    def make():
        name = f"copy{len([entry for entry in log if entry[0] == 'make'])}"
        log.append(("make", name))
        return (
            lambda x: (name, x)[0],
            lambda *numbers: log.append(("open", name, *numbers)),
            lambda: log.append(("close", name)),
        )

    function = native.transform(
        [("map", native.PerSubtask(make), "m", "STRING")], "BIGINT"
    )
    instances = [Instance(function, "STRING"), Instance(function, "STRING")]
    for index, instance in enumerate(instances):
        instance.open(index, 2, 128)
    (emission,) = instances[1].call(TRANSFORM, batch_of([1], pa.int64()))
    assert emission.column(0) == ["copy1"]
    for instance in instances:
        instance.close()
    assert log == [
        ("make", "copy0"),
        ("open", "copy0", 0, 2, 128),
        ("make", "copy1"),
        ("open", "copy1", 1, 2, 128),
        ("close", "copy0"),
        ("close", "copy1"),
    ]


def test_open_that_raises():
    def make():
        return str, lambda *numbers: 1 // 0, None

    instance = Instance(
        native.transform([("map", native.PerSubtask(make), "m", "STRING")], "BIGINT")
    )
    with pytest.raises(Failure) as caught:
        instance.open()
    assert (
        type(caught.value.exception) is ZeroDivisionError
        and "'m'" in caught.value.exception.__notes__[0]
    )
    instance.close()


@pytest.mark.parametrize(
    "stages",
    [
        [],
        [("map", 3, "m", "BIGINT")],
        [("map", str, "m", None)],
        [("nap", str, "m", "BIGINT")],
        ["map"],
        [("key", str, "k", "BIGINT"), ("map", str, "m", "BIGINT")],
        [("map", str, "m", "BIGINTS")],
    ],
)
def test_stages_that_make_no_sense(stages):
    with pytest.raises((TypeError, ValueError, native.PlanError)):
        native.transform(stages, "BIGINT")


def test_long_chains_still_run():
    stages = [("map", lambda x: x + 1, f"m{index}", "BIGINT") for index in range(32)]
    stages += [("filter", lambda x: True, f"f{index}", None) for index in range(32)]
    (emission,) = run(stages, [0], pa.int64(), "BIGINT")
    assert emission.column(0) == [32]


def test_functions_over_columns():

    def double(columns):
        batch = pa.record_batch(columns)
        return pa.RecordBatch.from_arrays(
            [pyarrow.compute.multiply(batch.column(0), 2)], ["f0"]
        )

    (emission,) = run(
        [("map_arrow", double, "a", "BIGINT")], [1, 2, 3], pa.int64(), "BIGINT"
    )
    assert emission.column(0) == [2, 4, 6]
    error = failure(
        [
            (
                "map_arrow",
                lambda columns: pa.record_batch(columns).slice(1),
                "a",
                "BIGINT",
            )
        ],
        [1, 2, 3],
        pa.int64(),
    )
    assert "2 rows for 3" in error.message
    error = failure(
        [("map_arrow", lambda columns: 5, "a", "BIGINT")], [1, 2, 3], pa.int64()
    )
    assert error.status == 6
    error = failure(
        [("map_arrow", lambda columns: pa.record_batch(columns), "a", "STRING")],
        [1, 2, 3],
        pa.int64(),
    )
    assert error.status == 6
