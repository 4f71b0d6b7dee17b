"""Drives the extension's host functions one request at a time, without jobs: see tests/native_harness/engine.c."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa

ROOT = Path(__file__).resolve().parents[2]


def _build() -> Path:
    target = (
        Path(tempfile.gettempdir())
        / f"millstream-harness-{ROOT.stat().st_ino}"
        / "libharness.so"
    )
    source = ROOT / "tests/native_harness/engine.c"
    if not target.exists() or target.stat().st_mtime < max(
        source.stat().st_mtime, (ROOT / "include/millstream.h").stat().st_mtime
    ):
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [
                "cc",
                "-std=c11",
                "-D_GNU_SOURCE",
                "-O1",
                "-g",
                "-shared",
                "-fPIC",
                "-Wall",
                "-Wextra",
                f"-I{ROOT}/include",
                str(source),
                "-o",
                str(target),
            ],
            check=True,
        )
    return target


assert "millstream._native" not in sys.modules, (
    "the harness must be loaded before the extension: run its tests in a process of their own"
)
library = ctypes.CDLL(str(_build()), mode=ctypes.RTLD_GLOBAL)
from millstream import _native as native

P = ctypes.c_void_p


class Request(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("operation", ctypes.c_int32),
        ("count", ctypes.c_int64),
        ("columns", P),
        ("schema", P),
        ("keys", P),
        ("key_schema", P),
        ("timestamps", P),
        ("row_kinds", P),
        ("slots", P),
        ("accumulators", P),
        ("accumulator_schema", P),
        ("window_starts", P),
        ("window_ends", P),
        ("element_offsets", P),
        ("integers", P),
        ("integer_count", ctypes.c_int32),
        ("resumption", ctypes.c_int64),
        ("state", P),
        ("response", P),
        ("input", ctypes.c_int32),
        ("notifier", P),
        ("payloads", P),
        ("payload_count", ctypes.c_int32),
    ]


(
    OPEN,
    CLOSE,
    TRANSFORM,
    EXTRACT,
    PARTITION,
    REDUCE,
    ACCUMULATE,
    RESULT,
    MERGE,
    PROCESS,
    TIMERS,
    WINDOW,
    READ,
    WRITE,
    FLUSH,
    WATERMARK,
) = range(16)
SNAPSHOT, RESTORE, COMMIT = range(18, 21)

for _name, _result in {
    "last_function": P,
    "instantiate": P,
    "fuse": P,
    "emission": P,
    "emission_parents": ctypes.POINTER(ctypes.c_int32),
    "emission_hashes": ctypes.POINTER(ctypes.c_uint64),
    "emission_tag": ctypes.c_char_p,
    "accumulators": P,
    "resumption": ctypes.c_int64,
    "wait": ctypes.c_int64,
    "integer": ctypes.c_int64,
    "failed_row": ctypes.c_int64,
    "message": ctypes.c_char_p,
    "exception": P,
    "payload": P,
    "payload_length": ctypes.c_int64,
    "reason": ctypes.c_char_p,
    "capabilities": ctypes.c_uint32,
}.items():
    getattr(library, f"harness_{_name}").restype = _result


class Bytes(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_char_p), ("length", ctypes.c_int64)]


class ArrowArray(ctypes.Structure):
    _fields_ = [
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", P),
        ("children", P),
        ("dictionary", P),
        ("release", P),
        ("private_data", P),
    ]


class ArrowSchema(ctypes.Structure):
    _fields_ = [
        ("format", ctypes.c_char_p),
        ("name", ctypes.c_char_p),
        ("metadata", ctypes.c_char_p),
        ("flags", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("children", P),
        ("dictionary", P),
        ("release", P),
        ("private_data", P),
    ]


class Columns:
    """A record batch as C structures."""

    def __init__(self, batch: pa.RecordBatch):
        self.array = ArrowArray()
        self.schema = ArrowSchema()
        batch._export_to_c(ctypes.addressof(self.array), ctypes.addressof(self.schema))

    def __del__(self) -> None:
        for structure, kind in ((self.array, ArrowArray), (self.schema, ArrowSchema)):
            if structure.release:
                ctypes.CFUNCTYPE(None, ctypes.POINTER(kind))(structure.release)(
                    ctypes.byref(structure)
                )


def batch_of(values: list, type: pa.DataType) -> pa.RecordBatch:
    if pa.types.is_struct(type):
        return pa.RecordBatch.from_struct_array(pa.array(values, type))
    return pa.RecordBatch.from_arrays([pa.array(values, type)], ["f0"])


def objects(values: list) -> pa.RecordBatch:
    """An OBJECT column; the caller keeps the values alive."""
    return pa.RecordBatch.from_arrays(
        [pa.array([id(value) for value in values], pa.int64())], ["f0"]
    )


def object_at(address: int, *, take: bool = True):
    """The object of a handle; `take`: with the reference that the handle brought."""
    value = ctypes.cast(address, ctypes.py_object).value
    if take:
        ctypes.pythonapi.Py_DecRef(ctypes.py_object(value))
    return value


class Emission:
    def __init__(self, index: int, schema: str | None):
        array = ctypes.cast(
            library.harness_emission(index), ctypes.POINTER(ArrowArray)
        ).contents
        self.count = array.length
        self.tag = library.harness_emission_tag(index)
        parents, hashes = (
            library.harness_emission_parents(index),
            library.harness_emission_hashes(index),
        )
        self.parents = parents[: self.count] if parents else None
        self.hashes = hashes[: self.count] if hashes else None
        self.batch = None
        if schema is not None:
            arrow = (
                pa.schema(
                    pa.DataType._import_from_c_capsule(native.schema_to_arrow(schema))
                )
                if False
                else _schema(schema)
            )
            self.batch = pa.RecordBatch._import_from_c(ctypes.addressof(array), arrow)

    def column(self, index: int) -> list:
        return self.batch.column(index).to_pylist()

    def objects(self, index: int = 0) -> list:
        return [object_at(address) for address in self.column(index)]


def _schema(text: str) -> pa.Schema:
    return pa.schema(_SchemaCapsule(text))


class _SchemaCapsule:
    def __init__(self, text: str):
        self.text = text

    def __arrow_c_schema__(self):
        return native.schema_to_arrow(self.text)


class Failure(Exception):
    """What millstream_response_fail got."""

    def __init__(self) -> None:
        self.status = library.harness_status()
        self.row = library.harness_failed_row()
        self.message = library.harness_message().decode()
        address = library.harness_exception()
        self.exception = object_at(address) if address else None
        super().__init__(self.message)


class Instance:
    """An instance of a function, as a subtask has one."""

    def __init__(self, function, schema: str | None = None, *fused):
        self.functions = [function, *fused]
        # The harness remembers handles in the order of creation; a Function's first word behind its header is its handle.
        handles = [
            ctypes.cast(id(one) + object.__basicsize__, ctypes.POINTER(P))[0]
            for one in self.functions
        ]
        self.handle = handles[0]
        for other in handles[1:]:
            self.handle = library.harness_fuse(P(self.handle), P(other))
            assert self.handle, "not fused"
        self.schema = schema
        self.context = library.harness_instantiate(P(self.handle))

    def call(
        self,
        operation: int,
        columns=None,
        *,
        count=None,
        keys=None,
        timestamps=None,
        slots=None,
        accumulators=None,
        starts=None,
        ends=None,
        offsets=None,
        integers=(),
        resumption=0,
        payloads=(),
    ) -> list[Emission]:
        held = {}

        def array(name, values, kind):
            if values is None:
                return None
            held[name] = (kind * max(1, len(values)))(*values)
            return ctypes.addressof(held[name])

        request = Request(
            operation=operation, resumption=resumption, integer_count=len(integers)
        )
        for name, batch in (
            ("columns", columns),
            ("keys", keys),
            ("accumulators", accumulators),
        ):
            if batch is None:
                continue
            held[name] = batch if isinstance(batch, Columns) else Columns(batch)
            setattr(request, name, ctypes.addressof(held[name].array))
            setattr(
                request,
                {
                    "columns": "schema",
                    "keys": "key_schema",
                    "accumulators": "accumulator_schema",
                }[name],
                ctypes.addressof(held[name].schema),
            )
        request.count = (
            count
            if count is not None
            else held["columns"].array.length
            if columns is not None
            else 0
        )
        request.timestamps = array("timestamps", timestamps, ctypes.c_int64)
        request.slots = array("slots", slots, ctypes.c_int32)
        request.window_starts = array("starts", starts, ctypes.c_int64)
        request.window_ends = array("ends", ends, ctypes.c_int64)
        request.element_offsets = array("offsets", offsets, ctypes.c_int32)
        request.integers = array("integers", integers, ctypes.c_int64)
        held["payloads"] = (Bytes * max(1, len(payloads)))(
            *((payload, len(payload)) for payload in payloads)
        )
        request.payloads = ctypes.addressof(held["payloads"])
        request.payload_count = len(payloads)
        status = ctypes.PYFUNCTYPE(ctypes.c_int32, P, P, P)(("harness_call", library))(
            P(self.handle), P(self.context), ctypes.addressof(request)
        )
        if status != 0:
            raise Failure
        return [
            Emission(index, self.schema)
            for index in range(library.harness_emission_count())
        ]

    def payloads(self) -> list[bytes]:
        """What the last call answered with."""
        return [
            ctypes.string_at(
                library.harness_payload(index), library.harness_payload_length(index)
            )
            for index in range(library.harness_payload_count())
        ]

    def outcomes(self) -> list[tuple[int, str]]:
        return [
            (library.harness_outcome(index), library.harness_reason(index).decode())
            for index in range(library.harness_outcome_count())
        ]

    @property
    def capabilities(self) -> int:
        return library.harness_capabilities(P(self.handle))

    def open(self, *numbers: int) -> None:
        self.call(OPEN, integers=numbers or (0, 1, 128))

    def close(self) -> None:
        self.call(CLOSE)
        library.harness_release(P(self.handle), P(self.context))
