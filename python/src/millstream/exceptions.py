"""The errors that Millstream raises. A user's own exception comes out of a job as it is; these are the engine's.

All derive from :class:`MillstreamError`, which has ``code``, ``message``, ``hint``, ``operator`` and ``record`` (the index of the record in the
operator's input); most also derive from the built-in exception that a Python programmer would expect.

Tracebacks show the program's own frames, not Millstream's, and leave out frames in the middle of a stack of the program's that would take more
than 15 lines; a note tells how many. Of an exception's own long text the interpreter shows the beginning and the end; the exception keeps it whole.
With ``MILLSTREAM_FULL_TRACEBACK=1`` in the environment everything is there.
"""

from __future__ import annotations

from collections.abc import Iterable

from millstream._native import (
    ArithmeticFailure,
    CancelledError,
    CommitUnknownError,
    ConfigurationError,
    DecodeError,
    EngineForkedError,
    EventTimeError,
    InputOutputError,
    InternalError,
    InvalidArgumentError,
    InvalidHandleError,
    InvalidStateError,
    KeyValueError,
    LimitExceededError,
    MillstreamError,
    PlanError,
    TypeMismatchError,
    UnsupportedError,
    UserFunctionError,
)

__all__ = [
    "ArithmeticFailure",
    "CancelledError",
    "CommitUnknownError",
    "ConfigurationError",
    "DecodeError",
    "EngineForkedError",
    "EventTimeError",
    "InputOutputError",
    "InternalError",
    "InvalidArgumentError",
    "InvalidHandleError",
    "InvalidStateError",
    "KeyValueError",
    "LimitExceededError",
    "MillstreamError",
    "PlanError",
    "TypeMismatchError",
    "UnsupportedError",
    "UserFunctionError",
]


_DESCRIPTIONS: dict[type[MillstreamError], str] = {
    MillstreamError: "The base of the engine's errors: what went wrong, a hint, and where.",
    InvalidArgumentError: "An argument that no call takes.",
    InvalidHandleError: "Something of the engine's was used after it was closed.",
    InvalidStateError: "A call that does not fit now, such as one after close, or execute without operators.",
    ConfigurationError: "A setting that there is none of, or a value that it cannot have.",
    PlanError: "A job that cannot be: unknown fields, types that do not fit, an unfinished window.",
    TypeMismatchError: "A value does not fit its declared type.",
    DecodeError: "Bytes of a file or a connection that are no record; names file and line.",
    InputOutputError: "A file or connection cannot be read or written.",
    UserFunctionError: "A function of the user failed in a way that left no exception of its own.",
    KeyValueError: "A value that can be no key: None, unhashable, or of another type than the keys before.",
    EventTimeError: "A timestamp that cannot be.",
    CancelledError: "The job was canceled.",
    CommitUnknownError: "Nobody knows whether a sink's prepared results became visible. They are kept, and the job is not restarted by itself.",
    LimitExceededError: "Something is larger, longer or deeper than is allowed.",
    ArithmeticFailure: "An expression has no value, such as a division by zero.",
    UnsupportedError: "Something that is not there yet.",
    InternalError: "A mistake in Millstream itself; please report it.",
    EngineForkedError: "The process was forked after the engine had started: the child has no engine.",
}
for _error, _description in _DESCRIPTIONS.items():
    if not _error.__doc__:
        _error.__doc__ = _description


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names what was probably meant: ``; did you mean 'carrier'?``, or what there is.

    >>> nearest("carier", ["carrier", "delay"])
    "; did you mean 'carrier'?"
    """
    import difflib

    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there are {', '.join(map(repr, names[:20]))}" if names else ""


def with_article(named: type) -> str:
    """A class's name as a message says it.

    >>> with_article(int)
    'an int'
    """
    return f"{'an' if named.__name__[0] in 'AEIOUaeiou' else 'a'} {named.__name__}"
