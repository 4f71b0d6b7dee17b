"""What ``millstream run`` says about recovery: the savepoint that jobs start from, and the directory of which a script goes on by itself.

With ``--ha-dir`` each job has a directory of its own, by its name. It holds the job's checkpoints; a script that was killed and is started again
goes on from the newest one that is complete. When the job has finished, the directory goes.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from millstream.datastream.checkpoint_options import (
    INTERVAL_KEY,
    JOB_ID_KEY,
    KEEP_FINISHED_KEY,
    LINEAGE_KEY,
    OLDER_CHECKPOINTS_KEY,
    RESTORE_KEY,
    RETAINED_KEY,
    RETENTION_KEY,
    UNCLAIMED_KEY,
    checkpoint_options,
    is_batch,
)
from millstream.datastream.checkpoint_storage import DIRECTORY_KEY, STORAGE_KEY
from millstream.exceptions import ConfigurationError, MillstreamError
from millstream.notices import say_once
from millstream.run_settings import run_settings

if TYPE_CHECKING:
    from millstream import _native

_METADATA = "_metadata"
_LOCK = ".lock"


#: How many jobs of this process have had a name.
_names: dict[str, int] = {}


def default_settings() -> dict[str, str]:
    """Settings that each new environment begins with."""
    found = {} if run_settings.savepoint is None else {RESTORE_KEY: run_settings.savepoint}
    if run_settings.allows_non_restored_state:
        found[UNCLAIMED_KEY] = "true"
    return found


def recover(settings: dict[str, str], job_name: str) -> JobDirectory | None:
    """With ``--ha-dir`` the job's directory; ``settings`` then say that its checkpoints go there, and which one it starts from.

    Raises ``ConfigurationError`` if another process runs a job of this name there.
    """
    if run_settings.ha_dir is None or is_batch(settings):
        return None
    options = dict(checkpoint_options(settings))
    if INTERVAL_KEY not in options:
        say_once("--ha-dir", f"the job {job_name!r} takes no checkpoints, and would begin anew: env.enable_checkpointing(interval) makes them")
        return None
    number = _names[job_name] = _names.get(job_name, 0) + 1
    name = file_name(job_name) + (f"~{number}" if number > 1 else "")
    directory = JobDirectory(Path(options.get(DIRECTORY_KEY, run_settings.ha_dir)) / name, job_name)
    settings[STORAGE_KEY] = "filesystem"
    settings[DIRECTORY_KEY] = str(directory.path)
    settings.setdefault(RETENTION_KEY, "RETAIN_ON_CANCELLATION")
    # The last checkpoint says that the job has come to its end: a process that dies before the directory is gone begins nothing anew.
    settings[KEEP_FINISHED_KEY] = "true"
    # What a process of this job has left unfinished, the next one knows as its own.
    settings[LINEAGE_KEY] = directory.lineage
    settings[JOB_ID_KEY] = hashlib.sha256(os.fsencode(directory.path)).hexdigest()[:32]
    found = checkpoints(directory.path)[: int(options.get(RETAINED_KEY, "1")) + 1]
    if found:
        # Damaged or not: whether the job may go back behind it is the engine's to decide.
        settings[RESTORE_KEY] = str(found[0])
        settings[OLDER_CHECKPOINTS_KEY] = "\n".join(map(str, found[1:]))
    directory.keep_only(*found)
    return directory


class JobDirectory:
    """A job's directory below that of ``--ha-dir``, which no other process uses meanwhile."""

    def __init__(self, path: Path, job_name: str) -> None:
        self.path = path
        self._job: _native.Job | None = None
        self._lock: int | None = None
        while self._lock is None:
            path.mkdir(parents=True, exist_ok=True)
            lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Whoever had it before may have removed the directory since it was opened.
                if os.path.samestat(os.fstat(lock), os.stat(path / _LOCK)):
                    self._lock = lock
            except BlockingIOError:
                os.close(lock)
                raise ConfigurationError(f"another process runs a job {job_name!r} with the directory {str(path)!r}") from None
            except FileNotFoundError:
                pass
            if self._lock is None:
                os.close(lock)

    @property
    def lineage(self) -> str:
        """32 hexadecimal digits, the same until the job has finished; in the file that is locked."""
        assert self._lock is not None
        found = os.pread(self._lock, 33, 0)
        if len(found) != 32:
            found = secrets.token_hex(16).encode()
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, found, 0)
            os.fsync(self._lock)
        return found.decode()

    def keep_only(self, *kept: Path) -> None:
        """Removes what runs before have left but for some checkpoints, with what they share with others."""
        needed = set(kept)
        for checkpoint in kept:
            try:
                files = list(_state_files((checkpoint / _METADATA).read_bytes()))
            except (OSError, ValueError):
                # A damaged one does not say what it shares: all stays until there is a whole one.
                return
            needed |= {checkpoint.parent / name[3:] for name, _ in files if name.startswith("../")}
        for run in self.path.iterdir():
            if not run.is_dir():
                continue
            for entry in run.iterdir():
                if entry in needed:
                    continue
                if entry.is_dir() and any(entry in path.parents for path in needed):
                    for part in entry.iterdir():
                        if part not in needed:
                            part.unlink(missing_ok=True)
                else:
                    shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                run.rmdir()

    def follow(self, job: _native.Job) -> None:
        """The job that has it has started."""
        self._job = job
        _followed.append(self)

    def release(self) -> None:
        """If the job has finished, nothing stays; else all does, for the next run. Does nothing as long as the job runs."""
        if self._lock is None:
            return
        status = "FAILED"
        if self._job is not None:
            try:
                status = self._job.status()
            except MillstreamError:
                return
        if status not in ("FINISHED", "FAILED", "CANCELED"):
            return
        if status == "FINISHED":
            _remove(self.path)
        os.close(self._lock)
        self._lock = self._job = None
        if self in _followed:
            _followed.remove(self)


def _remove(path: Path) -> None:
    """Removes a directory at one stroke: whoever is killed in between leaves it whole, or a name that nobody looks for."""
    gone = path.with_name(f".{path.name[:200]}.finished")
    with contextlib.suppress(OSError):
        shutil.rmtree(gone, ignore_errors=True)
        path.rename(gone)
        parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)
    shutil.rmtree(gone, ignore_errors=True)


_followed: list[JobDirectory] = []


@atexit.register
def _release_all() -> None:
    for directory in tuple(_followed):
        directory.release()


def file_name(job_name: str) -> str:
    """A job's name as that of one file.

    >>> file_name("flights/delays"), file_name("..")
    ('flights%2Fdelays', '%2E.')
    """
    name = quote(job_name, safe=" +,=@")
    if name.startswith("."):
        name = "%2E" + name[1:]
    return name if len(name) <= 200 else f"{name[:180]}-{hashlib.sha256(job_name.encode()).hexdigest()[:16]}"


def checkpoints(path: Path) -> list[Path]:
    """The checkpoints below a job's directory that were complete, the one with the highest number first: those that have a manifest, which
    comes last."""
    found: list[tuple[int, str, Path]] = []
    for entry in path.glob("*/chk-*"):
        number = entry.name.removeprefix("chk-")
        if number.isdecimal() and (entry / _METADATA).exists():
            found.append((int(number), entry.parent.name, entry))
    return [entry for _, _, entry in sorted(found, reverse=True)]


def _state_files(manifest: bytes) -> Iterator[tuple[str, int]]:
    """The names and lengths of the files that a manifest names. Raises ``ValueError`` for one that is cut or is none."""
    position = 16

    def take(length: int) -> bytes:
        nonlocal position
        position += length
        if position > len(manifest):
            raise ValueError("the manifest is cut")
        return manifest[position - length : position]

    def number(length: int) -> int:
        return int.from_bytes(take(length), "little")

    if not manifest.startswith(b"MCHECK"):
        raise ValueError("this is no manifest")
    take(number(4))
    take(17)
    for _ in range(number(4)):
        take(number(4)), take(number(4)), take(8), take(number(4))
        for _ in range(number(4)):
            take(4)
            name = take(number(4)).decode()
            yield name, number(8)
            take(16)
    for _ in range(number(4)):
        take(number(4)), take(number(4))
    # The files of stores: those that several checkpoints share are beside the checkpoint's directory.
    for _ in range(number(4) if position < len(manifest) else 0):
        take(8), take(number(4))
        for _ in range(number(4)):
            take(number(4))
            name = take(number(4)).decode()
            yield f"../{name}" if number(1) else name, number(8)
            take(8)
    if position != len(manifest):
        raise ValueError("the manifest has more than it should")


def newest_checkpoint(path: Path) -> Path | None:
    """The first of :func:`checkpoints`."""
    return next(iter(checkpoints(path)), None)
