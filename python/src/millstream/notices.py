"""What the package tells through Python's log, each thing once: settings that are accepted and have no effect."""

from __future__ import annotations

import threading

__all__ = ["forget_notices", "say", "say_once"]

_lock = threading.Lock()
_said: set[str] = set()


def say_once(what: str, why: str) -> None:
    """Writes ``what: why`` as a warning of the logger ``millstream``, the first time only."""
    with _lock:
        if what in _said:
            return
        _said.add(what)
    # Most programs say nothing, and the import costs every one of them some milliseconds.
    import logging

    logging.getLogger("millstream").warning("%s: %s", what, why)


def say(text: str) -> None:
    """Writes whole lines as warnings of the logger ``millstream``: what a job tells that nobody asked."""
    import logging

    log = logging.getLogger("millstream")
    for line in text.splitlines():
        log.warning("%s", line)


def without_jvm(what: str) -> None:
    """Says once that a call is for the JVM, which this engine does without."""
    say_once(what, "has no effect: there is no JVM here")


def forget_notices() -> None:
    """Makes everything be said again, for tests."""
    with _lock:
        _said.clear()
