"""Positions, states and committables as bytes: readable text, and never code that runs."""

from __future__ import annotations

import base64
import json
from typing import Any

from millstream._tracebacks import guard

__all__ = ["decode", "encode"]


def encode(value: Any, what: str) -> bytes:
    """A value in JSON, with tuples, bytes and keys of other types marked. ``TypeError`` for other values; ``what`` it is stands in the message.

    >>> encode({"file": "a.txt", "row": 3}, "a position")
    b'{"file":"a.txt","row":3}'
    >>> decode(encode(("a", b"b", {1: None}), "a position"))
    ('a', b'b', {1: None})
    """
    return json.dumps(_plain(value, what, 0), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def decode(payload: bytes) -> Any:
    """The value that ``encode`` wrote.

    >>> decode(encode({"rows": (1, 2)}, "a state"))
    {'rows': (1, 2)}
    """
    return _value(json.loads(payload.decode("utf-8", "surrogatepass")))


def _plain(value: Any, what: str, depth: int) -> Any:
    if depth > 64:
        raise TypeError(f"{what} nests more than 64 levels deep")
    # Subclasses (an enum, a named tuple) would come back as something else.
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is list:
        return [_plain(each, what, depth + 1) for each in value]
    if kind is tuple:
        return {"$tuple": [_plain(each, what, depth + 1) for each in value]}
    if kind is bytes:
        return {"$bytes": base64.b64encode(value).decode()}
    if kind is dict:
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: _plain(each, what, depth + 1) for key, each in value.items()}
        return {"$dict": [[_plain(key, what, depth + 1), _plain(each, what, depth + 1)] for key, each in value.items()]}
    raise TypeError(f"{what} is made of None, numbers, text, bytes, lists, tuples and dicts, and {value!r:.200} is a {kind.__name__}")


def _value(plain: Any) -> Any:
    if isinstance(plain, list):
        return [_value(each) for each in plain]
    if not isinstance(plain, dict):
        return plain
    if len(plain) == 1:
        ((key, content),) = plain.items()
        if key == "$tuple":
            return tuple(_value(each) for each in content)
        if key == "$bytes":
            return base64.b64decode(content)
        if key == "$dict":
            return {_value(key): _value(each) for key, each in content}
    return {key: _value(each) for key, each in plain.items()}


guard(globals())
