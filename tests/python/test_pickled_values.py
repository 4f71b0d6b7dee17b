"""Python objects in checkpoints: what is written comes back, and nothing is run that the program has not allowed."""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import os
import pickle
import sys
import types
import uuid
import zoneinfo
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from millstream import _native, pickled_values
from millstream.common import Row, RowKind
from millstream.common.time import Instant, Time
from millstream.datastream.evictors import TimestampedValue
from millstream.datastream.window import CountWindow, GlobalWindow, TimeWindow
from millstream.datastream.window_operator import KeyWindows, Pane
from millstream.pickled_values import RefusedValue, allow, decode, encode

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary() | st.decimals(allow_nan=False) | st.datetimes()
    | st.uuids() | st.fractions() | st.timedeltas(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner) | st.frozensets(st.integers()),
    max_leaves=12,
)


class Order:
    """A class of the program's."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Order) and other.number == self.number


class Attack:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.fixture(autouse=True)
def nothing_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickled_values, "_allowed", set())


@given(PLAIN)
def test_data_comes_back(value: Any) -> None:
    assert decode(encode(value)) == value
    read = _native.decode_value(_native.encode_value(value))
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("value", "letter"),
    [
        (None, "N"), (True, "T"), (False, "F"), (-(1 << 63), "i"), (1 << 63, "p"), (-0.0, "d"), ("ü" * 3_000, "s"), (b"\0" * 5_000, "y"),
        ("\ud800", "p"), ((), "p"),
    ],
)
def test_plain_values_need_no_pickle(value: Any, letter: str) -> None:
    data = _native.encode_value(value)
    assert chr(data[0]) == letter
    assert repr(_native.decode_value(data)) == repr(value)


@pytest.mark.parametrize("data", [b"", b"N1", b"i1234567", b"d", b"s\xff", b"q", b"p"])
def test_the_engine_refuses_damage(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        _native.decode_value(data)


def test_the_engine_says_what_is_not_allowed() -> None:
    with pytest.raises(ValueError, match=rf"{__name__}\.Order, which this program has not allowed\nIf it is"):
        _native.decode_value(_native.encode_value(Order(1)))
    with pytest.raises(ValueError, match="cannot be written to a checkpoint"):
        _native.encode_value(lambda: 1)


@pytest.mark.parametrize(
    "value",
    [
        datetime.datetime(2024, 5, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")), datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC),
        decimal.Decimal("1.50"), fractions.Fraction(1, 3), uuid.UUID(int=7), collections.Counter("aab"), collections.deque([1, 2], 3),
        collections.defaultdict(list, a=[1]), collections.OrderedDict(b=1, a=2), {1, 2}, 1 + 2j, range(3), bytearray(b"x"), "\ud800", 1 << 80,
        Row(a=1, b="x"), Row.of_kind(RowKind.DELETE, 1), RowKind.DELETE, TimeWindow(1, 5), CountWindow(3), GlobalWindow(), Instant(1, 2),
        Time.seconds(3), np.float32(1.5), np.int64(7), np.datetime64("2024-05-01"),
    ],
)  # fmt: skip
def test_types_of_data_come_back(value: Any) -> None:
    read = decode(encode(value))
    assert read == value
    assert type(read) is type(value)


def test_windows_come_back() -> None:
    """What the general window operator keeps of a key."""
    windows, pane = KeyWindows(), Pane()
    pane.contents = [TimestampedValue("x", 5)]
    read = decode(encode((windows, pane)))
    assert read[1].contents[0].get_value() == "x"
    assert [getattr(read[0], name) == getattr(windows, name) for name in KeyWindows.__slots__] == [True] * len(KeyWindows.__slots__)


@pytest.mark.parametrize("registered", [Order, f"{__name__}.Order", f"{__name__}.*", "*"])
def test_a_class_is_read_once_it_is_allowed(registered: Any) -> None:
    data = encode([Order(3)])
    with pytest.raises(RefusedValue, match=rf"{__name__}\.Order, which this program has not allowed\n.*register_type\('{__name__}\.Order'\)"):
        decode(data)
    allow(registered)
    assert decode(data) == [Order(3)]


def _attacks(canary: Path) -> dict[str, Any]:
    touch = f"open({str(canary)!r}, 'w').close()"
    return {
        "system": Attack(os.system, f"touch {canary}"),
        "exec": Attack(exec, touch),
        "eval": Attack(eval, touch),
        "open": Attack(open, str(canary), "w"),
        "getattr": Attack(getattr, str, "upper"),
        "import": Attack(__import__, "os"),
        "nested": {"key": [(1, Attack(os.system, f"touch {canary}"))]},
        "method": Attack(canary.touch),
        "factory": collections.defaultdict(os.getcwd),
    }


@pytest.mark.parametrize("kind", sorted(_attacks(Path("/"))))
def test_a_call_in_a_pickle_is_refused(kind: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    data = b"p" + pickle.dumps(_attacks(canary)[kind], 5)
    with pytest.raises(RefusedValue):
        decode(data)
    # An allowed module does not open what it imports.
    allow(f"{__name__}.*", "shop.*", Order)
    with pytest.raises(RefusedValue):
        decode(data)
    assert not canary.exists()
    if kind == "system":
        # The attack works where nobody looks, so that this test can fail.
        pickle.loads(data[1:])
        assert canary.exists()


def test_what_a_module_imports_is_not_its_own(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    command = f"touch {canary}".encode()
    for module, name in ((__name__, "os.system"), (__name__, "pickle.loads"), ("millstream.common.types", "Any"), ("collections", "abc.sys.exit")):
        allow(f"{__name__}.*")
        data = b"\x80\x04\x8c" + bytes([len(module)]) + module.encode() + b"\x8c" + bytes([len(name)]) + name.encode() + b"\x93"
        data += b"\x8c" + bytes([len(command)]) + command + b"\x85R."
        with pytest.raises(RefusedValue):
            decode(b"p" + data)
    assert not canary.exists()


def test_a_class_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("shop")
    monkeypatch.setitem(sys.modules, "shop", module)
    made = type("Order", (), {"__module__": "shop"})
    module.Order = made  # type: ignore[attr-defined]
    data = encode(made())
    allow("shop.Order")
    assert type(decode(data)) is made
    del module.Order  # type: ignore[attr-defined]
    with pytest.raises(RefusedValue, match=r"shop\.Order, which is not there: .*\nIt was looked for on the module path"):
        decode(data)


class Outer:
    class Inner:
        pass


def test_a_nested_class_is_found_before_anything_is_read() -> None:
    allow(Outer.Inner)
    pickled_values.check(f"{__name__}.Outer.Inner")


def test_what_cannot_be_written_says_why() -> None:
    with pytest.raises(RefusedValue, match=r"a value of type builtins\.function in a state cannot be written to a checkpoint: .*\nKeep data in states"):
        encode(lambda: 1)
    pytest.importorskip("cloudpickle")
    allow("*")
    assert decode(encode(lambda: 7))() == 7


@pytest.mark.parametrize("data", [b"", b"x", b"p", b"p\x80\x05", b"p\x80\x05K\x01"])
def test_damage_is_an_error(data: bytes) -> None:
    with pytest.raises(RefusedValue):
        decode(data)
