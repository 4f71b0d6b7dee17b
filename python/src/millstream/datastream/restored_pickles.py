"""Pickles of a checkpoint: whether a job may read them is known from its manifest, before a byte of them is read."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping

from millstream import _native, pickled_values
from millstream.datastream.checkpoint_options import OTHER_PYTHON_KEY, RESTORE_KEY, checkpoint_options
from millstream.exceptions import DecodeError, InputOutputError, UnsupportedError

_PREFIX = "objects/"


def host_properties() -> str:
    """What writes the pickles, for the manifest: a line each."""
    return "\n".join(f"{name}={value}" for name, value in _host().items())


def _host() -> dict[str, str]:
    cloudpickle = sys.modules.get("cloudpickle")
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "cloudpickle": str(getattr(cloudpickle, "__version__", "not loaded")),
        "byte-order": sys.byteorder,
    }


def check_pickles(settings: Mapping[str, str]) -> None:
    """Raises ``UnsupportedError`` if the checkpoint that a job starts from has pickles that the job may not read, or cannot: those
    of classes that are not allowed (``state.pickle.allowed``, ``StreamExecutionEnvironment.register_type``) or not there, and those of
    another Python.

    Where there is no checkpoint, or a damaged one, the engine says so.
    """
    path = dict(checkpoint_options(settings)).get(RESTORE_KEY)
    if path is None:
        return
    try:
        found = json.loads(_native.savepoint_manifest(path))
    except (InputOutputError, DecodeError):
        return
    pickles = {
        name.removeprefix(_PREFIX): value.split("\n")[1:]
        for name, value in found["properties"].items()
        if name.startswith(_PREFIX) and value != "plain"
    }
    if not pickles:
        return
    names = {entry["uid"]: entry["name"] for entry in found["operators"]}
    allowed = settings.get("state.pickle.allowed", "")
    if allowed:
        pickled_values.allow(*filter(None, map(str.strip, allowed.split(";"))))
    _check_host(found["properties"], settings, ", ".join(sorted(pickles)))
    for place, classes in sorted(pickles.items()):
        uid = next((uid for uid in sorted(names, key=len, reverse=True) if place.startswith(uid + "/")), place)
        for name in classes:
            try:
                pickled_values.check(name)
            except pickled_values.RefusedValue as refusal:
                text, _, hint = str(refusal).partition("\n")
                raise UnsupportedError(
                    f"the state {place.removeprefix(uid + '/')!r} of {names.get(uid, uid)!r} (uid {uid!r}) in {path!r} "
                    f"has pickles: {text}\n"
                    f"  hint: {hint}"
                ) from None


def _check_host(properties: Mapping[str, str], settings: Mapping[str, str], places: str) -> None:
    if settings.get(OTHER_PYTHON_KEY, "").lower() == "true":
        return
    host = _host()
    for name, what in (("implementation", "Python's implementation"), ("python", "Python"), ("byte-order", "byte order")):
        then, now = properties.get(f"host.{name}"), host[name]
        if name == "python" and then is not None:
            # Patch releases read each other's pickles.
            then, now = then.rsplit(".", 1)[0], now.rsplit(".", 1)[0]
        if then is not None and then != now:
            raise UnsupportedError(
                f"the checkpoint has pickles ({places}) that were written with {what} {then}, and this is {now}\n"
                f"  hint: use the same. Where the classes are the same in both, {OTHER_PYTHON_KEY}=true reads them all the same."
            )
