"""Pickles of a checkpoint: whether a job may read them is known from its manifest, before a byte of them is read."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from millstream import _native, pickled_values
from millstream.datastream.checkpoint_options import OTHER_PYTHON_KEY, RESTORE_KEY, checkpoint_options
from millstream.datastream.plan_diff import PlanDiff, PlanDiffEntry
from millstream.exceptions import DecodeError, InputOutputError, UnsupportedError
from millstream.typed_state_values import Refusal, changes, is_nested, refuse_changed

_PREFIX = "objects/"
#: Before a type that values have beside them.
_TYPE = "= "


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
    found = None if path is None else _manifest(path)
    if found is None:
        return
    pickles = _pickles(found)
    if not pickles:
        return
    _allow(settings)
    _check_host(found["properties"], settings, ", ".join(f"{uid}/{part}" for uid, part, _ in pickles))
    names = {entry["uid"]: entry["name"] for entry in found["operators"]}
    for uid, part, classes in pickles:
        refusal = _refusal(classes)
        if refusal is not None:
            text, _, hint = refusal.partition("\n")
            raise UnsupportedError(
                f"the state {part!r} of {names.get(uid, uid)!r} (uid {uid!r}) in {path!r} has pickles: {text}\n  hint: {hint}"
            )


def with_pickles(diff: PlanDiff, path: str, settings: Mapping[str, str]) -> PlanDiff:
    """The same as :func:`check_pickles` said of each state: those whose pickles the job may not read are refused."""
    found = _manifest(path)
    pickles = [] if found is None else _pickles(found)
    if found is None or not pickles:
        return diff
    _allow(settings)
    reasons: dict[tuple[str, str], str] = {}
    host = ""
    try:
        _check_host(found["properties"], settings, "")
    except UnsupportedError as refusal:
        host = str(refusal).partition("\n")[0].replace(" ()", "")
    for uid, part, classes in pickles:
        # The job does not start, also where it would leave the state behind.
        reason = host or _refusal(classes)
        if reason:
            reasons[uid, part] = reason.replace("\n", ". ")
    entries: list[PlanDiffEntry] = []
    for entry in diff:
        refused = [part for part in entry.states if (entry.uid, part) in reasons and entry.outcome not in ("refused", "rebuilt")]
        rest = tuple(part for part in entry.states if part not in refused)
        if rest or not refused:
            entries.append(replace(entry, states=rest))
        entries.extend(replace(entry, states=(part,), outcome="refused", reason=reasons[entry.uid, part]) for part in refused)
    return PlanDiff(entries)


def _manifest(path: str) -> dict[str, Any] | None:
    """``None`` where there is no checkpoint, or a damaged one: the engine says so."""
    try:
        found: dict[str, Any] = json.loads(_native.savepoint_manifest(path))
    except (InputOutputError, DecodeError):
        return None
    return found


def _pickles(manifest: Mapping[str, Any]) -> list[tuple[str, str, list[str]]]:
    """The uid, the part and the classes of each part with pickles."""
    uids = sorted((entry["uid"] for entry in manifest["operators"]), key=len, reverse=True)
    found = []
    for name, value in sorted(manifest["properties"].items()):
        if name.startswith(_PREFIX) and value != "plain":
            place = name.removeprefix(_PREFIX)
            uid = next((uid for uid in uids if place.startswith(uid + "/")), place)
            classes = [line for line in value.split("\n")[1:] if not line.startswith(_TYPE)]
            if value.startswith("pickle"):
                found.append((uid, place.removeprefix(uid + "/"), classes))
    return found


def _types(manifest: Mapping[str, Any]) -> dict[tuple[str, str], list[str]]:
    """By uid and part the declared types of values."""
    uids = sorted((entry["uid"] for entry in manifest["operators"]), key=len, reverse=True)
    found = {}
    for name, value in sorted(manifest["properties"].items()):
        lines = [line.removeprefix(_TYPE) for line in value.split("\n")[1:] if line.startswith(_TYPE)]
        if name.startswith(_PREFIX) and lines:
            place = name.removeprefix(_PREFIX)
            uid = next((uid for uid in uids if place.startswith(uid + "/")), place)
            found[uid, place.removeprefix(uid + "/")] = lines
    return found


def _wanted(declared: Mapping[str, list[Any]]) -> dict[tuple[str, str], str]:
    """By uid and part the types of the job's states whose values have their type beside them."""
    return {(uid, f"keyed/{name}"): kind for uid, states in declared.items() for name, _, kind, *_ in states if is_nested(kind)}


def check_types(settings: Mapping[str, str], declared: Mapping[str, list[Any]]) -> None:
    """Raises ``DecodeError`` if values of a state in the checkpoint that a job starts from do not become values of its type in the job.

    ``declared``: by uid the job's states. Where there is no checkpoint, or a damaged one, the engine says so.
    """
    wanted = _wanted(declared)
    path = dict(checkpoint_options(settings)).get(RESTORE_KEY) if wanted else None
    found = None if path is None else _manifest(path)
    if found is None:
        return
    names = {entry["uid"]: entry["name"] for entry in found["operators"]}
    for (uid, part), types in _types(found).items():
        if (uid, part) in wanted:
            refuse_changed(part, names.get(uid, uid), types, wanted[uid, part])


def with_types(diff: PlanDiff, path: str, declared: Mapping[str, list[Any]]) -> PlanDiff:
    """The same as :func:`check_types` said of each state: migrated where the types have changed, or refused."""
    wanted = _wanted(declared)
    found = _manifest(path) if wanted else None
    types = {} if found is None else _types(found)
    entries: list[PlanDiffEntry] = []
    for entry in diff:
        rest = []
        for part in entry.states:
            outcome = reason = ""
            if entry.outcome == "kept" and (entry.uid, part) in wanted:
                outcome, reason = _fate(types.get((entry.uid, part), []), wanted[entry.uid, part])
            if outcome:
                entries.append(replace(entry, states=(part,), outcome=outcome, reason=reason))
            else:
                rest.append(part)
        if rest or not entry.states:
            entries.append(replace(entry, states=tuple(rest)))
    return PlanDiff(entries)


def _fate(saved: list[str], wanted: str) -> tuple[str, str]:
    reasons = []
    for kind in saved:
        try:
            reasons.append(changes(kind, wanted))
        except Refusal as refusal:
            return "refused", f"it is of type {kind} in the savepoint, and of type {wanted} in the job: {refusal}"
    reasons = [reason for reason in reasons if reason]
    return ("migrated", "; ".join(reasons)) if reasons else ("", "")


def _allow(settings: Mapping[str, str]) -> None:
    allowed = settings.get("state.pickle.allowed", "")
    if allowed:
        pickled_values.allow(*filter(None, map(str.strip, allowed.split(";"))))


def _refusal(classes: list[str]) -> str | None:
    """What is said of the first class that may not be read, and in a second line what to do."""
    for name in classes:
        try:
            pickled_values.check(name)
        except pickled_values.RefusedValue as refusal:
            return str(refusal)
    return None


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
