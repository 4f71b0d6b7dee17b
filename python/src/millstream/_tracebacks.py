"""What a traceback shows: the user's frames, not the package's, and no more lines than one takes in at a glance.

`_native.Border` calls :func:`leave` with each exception that leaves the package. ``MILLSTREAM_FULL_TRACEBACK=1`` in the environment keeps every
frame. The text of an exception is the program's own and stays as it is; where the interpreter prints it (:func:`lines`), it is cut in the middle.
"""

from __future__ import annotations

import os
import sys
import traceback
from types import CodeType, FrameType, FunctionType, TracebackType
from typing import Any

from millstream import _native

#: How many lines the interpreter shall print for an uncaught exception.
LINE_LIMIT = 15
VARIABLE = "MILLSTREAM_FULL_TRACEBACK"
_NOTE = f" of the stack left out; {VARIABLE}=1 shows all"
_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
#: Code that is not the user's own, as far as that can be told from where it is.
_LIBRARIES = (os.path.dirname(os.__file__) + os.sep, f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}", "<frozen ")
#: Of an exception's own text so many lines shall stay beside frames, and so many do in any case; of the texts of those printed above it fewer.
_TEXT_WANTED, _TEXT_KEPT, _CAUSE_KEPT = 5, 3, 2
#: More frames around the call than this: a framework runs the program, and shows tracebacks in its own way.
_OUTER_LIMIT = 6


def is_own(code: CodeType) -> bool:
    """Whether code belongs to Millstream."""
    return code.co_filename.startswith(_PACKAGE) or code.co_filename == "<millstream>"


def keeps_all() -> bool:
    """Whether the user wants every frame."""
    return os.environ.get(VARIABLE, "") not in ("", "0")


def leave(failure: BaseException) -> None:
    """Makes an exception ready to leave the package. Its type, text and the user's frames stay; the package's frames go."""
    if keeps_all():
        return
    chain = _without_own_frames(failure)
    if any(each.__traceback__ is not None for each in chain):
        outer_lines = _line_count(_outer_frames())
        _shorten(failure, chain, LINE_LIMIT - outer_lines)
        if any(map(_has_long_text, chain)) and _total(failure) + outer_lines > LINE_LIMIT and sys.excepthook is sys.__excepthook__:
            sys.excepthook = _show


def lines(failure: BaseException, limit: int = LINE_LIMIT) -> list[str]:
    """What the interpreter prints of an exception that came out of a job, in at most ``limit`` lines. The exception itself is not changed."""
    whole = traceback.TracebackException.from_exception(failure)
    found = "".join(whole.format()).splitlines()
    excess = len(found) - limit
    cut: list[tuple[int, int, list[str]]] = []
    # What is printed last matters most.
    texts = _texts(whole, found)
    for start, stop in texts:
        text = _cut(found[start:stop], excess, _TEXT_KEPT if (start, stop) == texts[-1] else _CAUSE_KEPT)
        excess -= stop - start - len(text)
        cut.append((start, stop, text))
    for start, stop, text in reversed(cut):
        found[start:stop] = text
    # What may still be too long are notes of the program's, or a group of exceptions.
    return found if len(found) <= limit or keeps_all() else _cut(found, len(found) - limit, limit // 2)


def explain(failure: BaseException, limit: int = LINE_LIMIT) -> list[str]:
    """The same of an exception that did not leave the package: what nobody asked for."""
    if not keeps_all():
        _shorten(failure, _without_own_frames(failure), limit)
    return lines(failure, limit)


def _show(kind: type[BaseException], failure: BaseException, entries: TracebackType | None) -> None:
    """In the place of the interpreter's own hook, from the first exception on whose text is too long."""
    notes = getattr(failure, "__notes__", ())
    is_from_job = isinstance(failure, _native.MillstreamError) or any(str(note).startswith("in operator '") for note in notes)
    if not is_from_job or keeps_all() or sys.stderr is None:
        sys.__excepthook__(kind, failure, entries)
        return
    sys.stderr.write("\n".join(lines(failure.with_traceback(entries))) + "\n")


def _texts(whole: traceback.TracebackException, found: list[str]) -> list[tuple[int, int]]:
    """Where the lines of the exceptions' own texts, without notes, stand among all lines."""
    chain: list[traceback.TracebackException] = []
    each: traceback.TracebackException | None = whole
    while each is not None:
        chain.append(each)
        each = each.__cause__ if each.__cause__ is not None else None if each.__suppress_context__ else each.__context__
    places: list[tuple[int, int]] = []
    position = 0
    for each in reversed(chain):
        text = "".join(each.format_exception_only()).splitlines()
        notes = sum(len(str(note).splitlines()) for note in getattr(each, "__notes__", None) or ())
        while position < len(found) and found[position : position + len(text)] != text:
            position += 1
        places.append((position, position + len(text) - notes))
        position += len(text)
    return [place for place in places if place[1] <= len(found)]


def _cut(text: list[str], excess: int, kept: int) -> list[str]:
    """So many lines fewer, but as many as shall be kept, if there are so many: the middle goes."""
    count = min(excess + 1, len(text) - kept + 1)
    if count < 2 or keeps_all():
        return text
    first = (len(text) - count + 1) // 2
    return [*text[:first], f"[{count} lines left out: str() of the exception has all, {VARIABLE}=1 shows them]", *text[first + count :]]


def _without_own_frames(failure: BaseException) -> list[BaseException]:
    """Takes the package's frames out of the exception and those that are printed above it, which it gives."""
    chain = _chain(failure)
    for each in chain:
        frames = _frames(each)
        kept = [entry for entry in frames if not is_own(entry.tb_frame.f_code)]
        if len(kept) < len(frames):
            each.__traceback__ = _linked(kept)
    return chain


def _chain(failure: BaseException) -> list[BaseException]:
    """The exception, and those that are printed above it."""
    found: list[BaseException] = []
    each: BaseException | None = failure
    while each is not None and all(each is not other for other in found) and len(found) < 10:
        found.append(each)
        each = each.__cause__ if each.__cause__ is not None else None if each.__suppress_context__ else each.__context__
    return found


def _frames(failure: BaseException) -> list[TracebackType]:
    found: list[TracebackType] = []
    entry = failure.__traceback__
    while entry is not None:
        found.append(entry)
        entry = entry.tb_next
    return found


def _linked(frames: list[TracebackType]) -> TracebackType | None:
    """A new traceback of these frames: whoever holds the old one still has it whole."""
    result: TracebackType | None = None
    for entry in reversed(frames):
        result = TracebackType(result, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return result


def _outer_frames() -> list[TracebackType]:
    """The frames that the exception will pass on its way out of the program, as entries of a traceback. Outermost first."""
    found: list[TracebackType] = []
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if not is_own(frame.f_code):
            found.append(TracebackType(None, frame, frame.f_lasti, frame.f_lineno))
        frame = frame.f_back
    return found[:1] if len(found) > _OUTER_LIMIT else found[::-1]


def _line_count(frames: list[TracebackType]) -> int:
    return sum(text.count("\n") for text in traceback.format_tb(_linked(frames)))


def _shorten(failure: BaseException, chain: list[BaseException], limit: int) -> None:
    """Leaves out frames in the middle until the whole has no more lines than the limit, and says so in a note. Long texts count as cut."""
    left_out = 0
    excess = _total(failure) - sum(max(0, _text_line_count(each) - (_TEXT_WANTED if each is failure else _CAUSE_KEPT)) for each in chain) - limit
    # What was raised first is printed first; what went wrong last matters most.
    for each in reversed(chain):
        if excess <= 0:
            break
        frames = _frames(each)
        kept = _picked(frames, _line_count(frames) - excess - (left_out == 0))
        if len(kept) < len(frames):
            excess -= _line_count(frames) - _line_count(kept) - (left_out == 0)
            left_out += len(frames) - len(kept)
            each.__traceback__ = _linked(kept)
    if left_out:
        notes = [note for note in getattr(failure, "__notes__", ()) if not str(note).endswith(_NOTE)]
        failure.__notes__ = [*notes, f"{left_out} frame{'s' if left_out > 1 else ''}{_NOTE}"]


def _text_line_count(failure: BaseException) -> int:
    """Without its notes."""
    notes = sum(len(str(note).splitlines()) for note in getattr(failure, "__notes__", ()))
    return len("".join(traceback.format_exception_only(type(failure), failure)).splitlines()) - notes


def _has_long_text(failure: BaseException) -> bool:
    """Whether it or a note may be cut when it is printed."""
    return _text_line_count(failure) > _TEXT_KEPT or any("\n" in str(note) for note in getattr(failure, "__notes__", ()))


def _total(failure: BaseException) -> int:
    return sum(text.count("\n") for text in traceback.format_exception(failure)) + (failure.__traceback__ is None)


def _picked(frames: list[TracebackType], lines: int) -> list[TracebackType]:
    """The frames that say most in so many lines, in their order: the innermost of the user's own, the first, then from the innermost on.

    One is kept in any case. Which function was called first is also told by the note that names the operator.
    """
    own = [place for place, entry in enumerate(frames) if not _is_library(entry.tb_frame.f_code)]
    order = [*own[-1:], 0, *range(len(frames) - 1, 0, -1)]
    kept: set[int] = set()
    for place in order:
        wanted = kept | {place}
        if len(wanted) > 1 and _line_count([frames[each] for each in sorted(wanted)]) > lines:
            break
        kept = wanted
    return [frames[place] for place in sorted(kept)]


def _is_library(code: CodeType) -> bool:
    name = code.co_filename
    return name.startswith((_LIBRARIES[0], _LIBRARIES[3])) or _LIBRARIES[1] in name or _LIBRARIES[2] in name


def place_in_thread(thread: int) -> str | None:
    """Where a thread is in the program: ``function (file:line)`` of the innermost frame of the user's own, else of a library's, else ``None``."""
    frame = sys._current_frames().get(thread)
    found: FrameType | None = None
    while frame is not None:
        if not is_own(frame.f_code):
            if not _is_library(frame.f_code):
                found = frame
                break
            found = found or frame
        frame = frame.f_back
    return None if found is None else f"{found.f_code.co_name} ({found.f_code.co_filename}:{found.f_lineno})"


# ---- The border -------------------------------------------------------------------------------------------------------------------------------

#: Methods with underscores that programs call.
_SPECIAL = {"__init__", "__call__", "__enter__", "__exit__", "__next__", "__getitem__", "__add__", "__sub__", "__mul__", "__truediv__"}


def guard(members: dict[str, Any], hot: tuple[str, ...] = ()) -> None:
    """Puts the border around a module's public functions and the public methods of its public classes; called at the module's end with ``globals()``.

    ``hot`` names those that a job calls for each record: what they raise passes the border where the job's failure does.
    """
    module = members["__name__"]
    for name, member in list(members.items()):
        if name.startswith("_") or name in hot or getattr(member, "__module__", None) != module:
            continue
        if isinstance(member, FunctionType):
            members[name] = _native.Border(member)
        elif isinstance(member, type):
            guard_class(member)


def guard_factories(members: dict[str, Any]) -> None:
    """As :func:`guard`, for a module of classes whose methods jobs call: puts the border only around what makes their objects."""
    for name, member in list(members.items()):
        if name.startswith("_") or not isinstance(member, type) or member.__module__ != members["__name__"]:
            continue
        for method, value in list(vars(member).items()):
            if method == "__init__" and isinstance(value, FunctionType):
                setattr(member, method, _native.Border(value))
            elif isinstance(value, (staticmethod, classmethod)) and isinstance(value.__func__, FunctionType):
                setattr(member, method, type(value)(_native.Border(value.__func__)))


def guard_class(member: type) -> None:
    """Puts the border around a class's public methods."""
    for name, value in list(vars(member).items()):
        if name.startswith("_") and name not in _SPECIAL:
            continue
        if isinstance(value, FunctionType):
            setattr(member, name, _native.Border(value))
        elif isinstance(value, type) and value.__qualname__ == f"{member.__qualname__}.{name}":
            guard_class(value)
        elif isinstance(value, (staticmethod, classmethod)) and isinstance(value.__func__, FunctionType):
            setattr(member, name, type(value)(_native.Border(value.__func__)))
        elif isinstance(value, property) and isinstance(value.fget, FunctionType):
            setattr(member, name, property(_native.Border(value.fget), value.fset, value.fdel, value.__doc__))
