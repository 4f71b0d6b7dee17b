"""Kills and disturbs a small job at each change that it makes to the disk, starts it again, and compares its results row by row.

    make crashpoints                                    all scenarios
    crashpoints.py --scenario end --fault before        one of them
    crashpoints.py --every 40                           each fortieth point

A point is one call that changes a file (trace.c), over all threads of the process, counted in the order in which they happen. Which call that is may
differ from run to run, since threads do: points are gone through until a run ends undisturbed, and the table at the end says what was met.
What must hold: nothing is seen that the undisturbed job does not show, right after the crash and for ever; the job goes on or is started again as an
operator would do it, and then each row is there once; nothing is left behind.

SIGKILL keeps what was written and not synced; the simulated disk (Tests/RuntimeTests/Simulation) loses it.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import faulthandler
import multiprocessing
import os
import platform
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from processes import fork_command, prepare

HERE = Path(__file__).resolve().parent

ROWS = 96
#: A process that has not ended by then is killed, as somebody would who watches it.
PATIENCE_MILLISECONDS = 10_000
#: So many calls of a recovery are gone through for each first crash.
SECOND_POINTS = 50


class Plan(ctypes.Structure):
    _fields_ = [
        ("folder", ctypes.c_char_p),
        ("at", ctypes.c_longlong),
        ("action", ctypes.c_int),
        ("error", ctypes.c_int),
        ("milliseconds", ctypes.c_int),
    ]


class Report(ctypes.Structure):
    _fields_ = [
        ("count", ctypes.c_longlong),
        ("status", ctypes.c_int),
        ("is_late", ctypes.c_int),
        ("is_hit", ctypes.c_int),
        ("call", ctypes.c_longlong),
        ("path", ctypes.c_char * 512),
    ]


#: As trace.c numbers them; with the errno.
FAULTS = {
    "before": (1, 0),
    "after": (2, 0),
    "torn": (3, 0),
    "EIO": (4, errno.EIO),
    "ENOSPC": (4, errno.ENOSPC),
    "EIO for ever": (5, errno.EIO),
    "ENOSPC for ever": (5, errno.ENOSPC),
    "short writes": (6, 0),
}
KILLS = ("before", "after", "torn")
#: x86-64's numbers.
CALLS = {
    1: "write", 2: "open", 18: "pwrite64", 20: "writev", 74: "fsync", 75: "fdatasync", 76: "truncate", 77: "ftruncate", 82: "rename", 83: "mkdir",
    84: "rmdir", 85: "creat", 86: "link", 87: "unlink", 88: "symlink", 257: "openat", 258: "mkdirat", 263: "unlinkat", 264: "renameat",
    265: "linkat", 266: "symlinkat", 277: "sync_file_range", 285: "fallocate", 296: "pwritev", 316: "renameat2", 326: "copy_file_range",
}  # fmt: skip


def why_not() -> str | None:
    """Why processes cannot be stopped at their calls here; ``None`` if they can."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return f"trace.c knows the registers of x86-64 under Linux, not of {platform.machine()} under {platform.system()}"
    if shutil.which("cc") is None:
        return "there is no C compiler"
    return None


def build(folder: Path) -> Path:
    """The tracer, as a library."""
    library = folder / "trace.so"
    flags = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run(["cc", *flags, str(HERE / "trace.c"), "-o", str(library)], check=True)
    return library


# --- The world of one job.


def expected() -> Counter[str]:
    """What the job shows in the end, from the number of its rows alone."""
    found: Counter[str] = Counter()
    for n in range(ROWS):
        found[f"row {n} {n // 3 + 1} {sum(range(n % 3, n + 1, 3))}"] += 1
    for start in range(0, ROWS, 10):
        for key in (0, 1):
            values = [n for n in range(start, min(start + 10, ROWS)) if n % 2 == key]
            if values:
                found[f"window {key} {sum(values)}"] += 1
    return found


def shown(folder: Path) -> Counter[str]:
    """What a reader sees."""
    with sqlite3.connect(folder / "out.db") as connection:
        found = Counter("row " + " ".join(map(str, row)) for row in connection.execute("select * from totals"))
    connection.close()
    for path in sorted((folder / "out").rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            found.update("window " + line for line in path.read_text().splitlines())
    return found


def left_behind(folder: Path) -> list[str]:
    """What should not be there when the job is through."""
    found: list[str] = []
    found += [str(path.relative_to(folder)) for path in (folder / "ha").glob("**/*")]
    found += [str(path.relative_to(folder)) for path in (folder / "out").glob("**/.*")]
    with sqlite3.connect(folder / "out.db") as connection:
        if connection.execute("select 1 from sqlite_master where name = 'totals__staged'").fetchone():
            found += [f"staged row {row}" for row in connection.execute("select * from totals__staged")]
    connection.close()
    return found


def difference(found: Counter[str], wanted: Counter[str]) -> list[str]:
    parts = []
    for what, rest in (("too many", found - wanted), ("missing", wanted - found)):
        if rest:
            parts.append(f"{rest.total()} rows {what}, such as {sorted(rest)[:3]}")
    return parts


@dataclass
class Run:
    """How a process came to its end."""

    is_hit: bool
    status: int
    is_late: bool
    count: int
    site: str

    @property
    def is_killed(self) -> bool:
        return os.WIFSIGNALED(self.status) and os.WTERMSIG(self.status) == signal.SIGKILL

    @property
    def code(self) -> int:
        return os.waitstatus_to_exitcode(self.status)


@dataclass
class World:
    """A folder in which jobs run, one process after the other."""

    folder: Path
    tracer: Any
    settings: tuple[str, ...] = ()
    parallelism: int = 1

    def __post_init__(self) -> None:
        self.empty()

    def empty(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "out").mkdir(parents=True)
        (self.folder / "ha").mkdir()
        with sqlite3.connect(self.folder / "out.db") as connection:
            connection.execute("create table totals (number, size, total)")
        connection.close()

    def run(self, plan: str, fault: str = "", at: int = 1 << 60, ha: bool = True, savepoint: Path | None = None) -> Run:
        """One process with the job; `fault` at the change `at`."""
        # Each process has another parallelism than the one before.
        self.parallelism = 3 - self.parallelism
        arguments = ["run"] + (["--ha-dir", str(self.folder / "ha")] if ha else []) + (["-s", str(savepoint)] if savepoint else [])
        arguments += [str(HERE / "crashpoint_job.py"), str(self.folder), str(ROWS), str(self.parallelism), plan, *self.settings]
        process = fork_command(arguments, self.log_path, self.begin)
        action, number = FAULTS.get(fault, (0, 0))
        report = Report()
        request = Plan(str(self.folder).encode(), at, action, number, PATIENCE_MILLISECONDS)
        status = self.tracer.crash_trace(process, ctypes.byref(request), ctypes.byref(report))
        if status != 0:
            raise OSError(status, f"the process cannot be traced: {os.strerror(status)}")
        site = f"{CALLS.get(report.call, report.call)} {kind_of_file(report.path.decode())}" if report.is_hit else ""
        return Run(bool(report.is_hit), report.status, bool(report.is_late), report.count, site)

    def begin(self) -> None:
        """In the new process."""
        if self.tracer.crash_begin() != 0:
            os._exit(71)
        # Whatever hangs says where, before it is killed.
        faulthandler.dump_traceback_later(PATIENCE_MILLISECONDS / 1_000 - 0.5)

    def savepoint(self) -> Path | None:
        """The one that is complete."""
        found = [path.parent for path in (self.folder / "savepoints").glob("*/_metadata")]
        return found[0] if found else None

    @property
    def log_path(self) -> Path:
        return self.folder.parent / f"{self.folder.name}.log"

    def log(self) -> str:
        """What its processes have printed since this was asked for last."""
        text = self.log_path.read_text() if self.log_path.exists() else ""
        self.log_path.unlink(missing_ok=True)
        return text


def kind_of_file(path: str) -> str:
    """A name without what differs from run to run."""
    name = path.rsplit("/", 1)[-1]
    if path.startswith("out.db"):
        return path
    if path.startswith("out"):
        return "out/<pending>" if name.startswith(".") else ("out/<part>" if "/" in path else "out/")
    top, _, rest = path.partition("/")
    parts = rest.split("/")
    if name.startswith("op-") or name.startswith("_metadata"):
        kind = name.split("-")[0] if name.startswith("op-") else name.split(".")[0]
        return f"{top}/{kind}{'.inprogress' if name.endswith('.inprogress') else ''}"
    if name.startswith(("chk-", "savepoint-")):
        return f"{top}/{name.split('-')[0]}"
    return f"{top}/{'.lock' if name == '.lock' else '<file>.' + name.rsplit('.', 1)[-1] if '.' in name else 'dir ' + str(len(parts))}"


# --- What an operator does.


@dataclass
class Finding:
    scenario: str
    fault: str
    at: str
    site: str
    problems: list[str]

    def __str__(self) -> str:
        return f"{self.scenario}, {self.fault} at {self.at} ({self.site}): {'; '.join(self.problems)}"


@dataclass
class Tally:
    points: int = 0
    sites: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    restarts: int = 0
    #: Points behind the job's end: nobody would start it again.
    finished: int = 0

    def add(self, other: Tally) -> None:
        self.points += other.points
        self.sites += other.sites
        self.findings += other.findings
        self.restarts += other.restarts
        self.finished += other.finished


def check_seen(world: World, problems: list[str]) -> None:
    """What is there at any time is part of what must be there in the end."""
    extra = shown(world.folder) - WANTED
    if extra:
        problems.append(f"readers see {extra.total()} rows too many, such as {sorted(extra)[:3]}")


def check_end(world: World, plan: str, run: Run, problems: list[str], *, cannot_delete: bool = False) -> None:
    if run.code != 0:
        problems.append(f"the last process ended with {run.code}: {world.log()[-1_500:]}")
    problems += difference(shown(world.folder), WANTED)
    if run.code == 0:
        # Whoever goes on from a savepoint keeps the checkpoints of the run before, until he deletes them.
        # A directory that cannot be deleted has at least a name that nobody looks for.
        ignored = "ha/" if plan == "stop" else "ha/.crash.finished" if cannot_delete else "-"
        rest = [name for name in left_behind(world.folder) if not name.startswith(ignored)]
        if rest:
            problems.append(f"left behind: {rest[:5]}")


def is_over(world: World) -> bool:
    """Whether the job has finished, although its process was killed: it has let go of its last checkpoint, and all rows are there."""
    kept = [path for path in (world.folder / "ha").glob("*/*/*/_metadata") if not path.relative_to(world.folder / "ha").parts[0].startswith(".")]
    return not kept and shown(world.folder) == WANTED


def recover(world: World, plan: str, tally: Tally, problems: list[str], fault: str = "", at: int = 1 << 60) -> Run | None:
    """Starts the job again as an operator would; `None` if it has finished."""
    tally.restarts += 1
    if plan == "stop":
        saved = world.savepoint()
        # Whoever does not know that the savepoint is complete starts the job as before: that goes well, or is refused.
        if saved is None or world.parallelism == 1:
            run = world.run("end", fault, at)
            if run.code == 0 or saved is None:
                return run
            text = world.log()
            if "committed after this checkpoint" not in text:
                problems.append(f"it ended with {run.code}: {text[-1_500:]}")
        return world.run("end", fault, at, ha=False, savepoint=saved)
    if is_over(world):
        tally.finished += 1
        return None
    return world.run("end", fault, at)


WANTED = expected()


def point(world: World, plan: str, fault: str, at: int, tally: Tally) -> bool:
    """One point. Gives whether the job came that far."""
    world.empty()
    problems: list[str] = []
    run = world.run(plan, fault, at)
    if not run.is_hit:
        check_first(world, plan, run, problems)
        if problems:
            tally.findings.append(Finding(plan, "none", str(at), "", problems))
        return False
    tally.points += 1
    tally.sites[f"{run.site}"] += 1
    if run.is_killed != (fault in KILLS) and not run.is_late:
        problems.append(f"the process ended with {run.code}: {world.log()[-1_500:]}")
    check_seen(world, problems)
    if run.code == 0 and plan != "stop":
        check_end(world, plan, run, problems, cannot_delete=fault.endswith("for ever"))
    else:
        last = recover(world, plan, tally, problems)
        if last is not None:
            check_end(world, plan, last, problems)
    if problems:
        tally.findings.append(Finding(plan, fault, str(at), run.site, problems))
    world.log()
    return True


def check_first(world: World, plan: str, run: Run, problems: list[str]) -> None:
    """Nothing happened to the process."""
    if run.code != 0:
        problems.append(f"undisturbed, it ended with {run.code}: {world.log()[-1_500:]}")
    elif plan != "stop":
        check_end(world, plan, run, problems)


def double(world: World, first: int, seconds: Iterator[int], tally: Tally) -> bool:
    """Killed at the change `first`, then in the recovery at each of its own. Gives whether the job came that far."""
    world.empty()
    run = world.run("end", "before", first)
    if not run.is_hit:
        return False
    if is_over(world):
        return True
    copy = world.folder.parent / f"{world.folder.name}.copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(world.folder, copy, symlinks=True)
    for second in seconds:
        shutil.rmtree(world.folder)
        shutil.copytree(copy, world.folder, symlinks=True)
        problems: list[str] = []
        again = recover(world, "end", tally, problems, "after" if second % 2 else "before", second)
        if again is None or not again.is_hit:
            break
        tally.points += 1
        tally.sites[again.site] += 1
        check_seen(world, problems)
        last = recover(world, "end", tally, problems)
        if last is not None:
            check_end(world, "end", last, problems)
        if problems:
            tally.findings.append(Finding("double", "kill", f"{first}, then {second}", f"{run.site}; {again.site}", problems))
        world.log()
    return True


def work(task: tuple[str, str, int, int, int, tuple[str, ...]], folder: Path, library: Path) -> Tally:
    """The points `first`, `first` + `step`, ... of a scenario."""
    scenario, fault, first, step, limit, settings = task
    tracer = ctypes.CDLL(str(library))
    tally = Tally()
    world = World(folder / f"{os.getpid()}", tracer, settings)
    at = first
    while tally.points < limit:
        if scenario == "double":
            seconds = range(SECOND_POINTS) if limit == NO_LIMIT else range(7, SECOND_POINTS, max(1, SECOND_POINTS // limit))
            more = double(world, at, iter(seconds), tally)
        else:
            more = point(world, scenario, fault, at, tally)
        if not more:
            break
        at += step
    shutil.rmtree(world.folder, ignore_errors=True)
    return tally


def serve(folder: Path, library: Path, tasks: Any, answers: Any) -> None:
    prepare()
    while (task := tasks.get()) is not None:
        try:
            answers.put((task, work(task, folder, library)))
        except BaseException as error:
            answers.put((task, error))


def enumerate_points(tasks: list[tuple[Any, ...]], workers: int, says: bool = True) -> Tally:
    """Goes through all tasks with so many processes beside each other."""
    # What was written stays in the kernel when a process is killed, wherever the files are: a disk in memory only spares the time of the syncs.
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="crashpoints-", dir=place))
    context = multiprocessing.get_context("spawn")
    queue: Any = context.SimpleQueue()
    answers: Any = context.SimpleQueue()
    processes = []
    total = Tally()
    try:
        library = build(folder)
        for task in tasks:
            queue.put(task)
        for _ in range(workers):
            queue.put(None)
            processes.append(context.Process(target=serve, args=(folder, library, queue, answers)))
            processes[-1].start()
        for _ in tasks:
            task, tally = answers.get()
            if isinstance(tally, BaseException):
                raise tally
            total.add(tally)
            if says and (tally.points or tally.findings):
                print(f"{task[0]:8} {task[1]:16} from {task[2]:3} by {task[3]:3}: {tally.points:4} points, {len(tally.findings)} wrong", flush=True)
            for finding in tally.findings[:3] if says else []:
                print(f"  {finding}", flush=True)
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.kill()
        shutil.rmtree(folder, ignore_errors=True)
    return total


SCENARIOS = ("end", "save", "stop", "double")
NO_LIMIT = 1 << 30


def plan_tasks(scenarios: list[str], faults: list[str], every: int, workers: int, settings: tuple[str, ...]) -> list[tuple[Any, ...]]:
    tasks: list[tuple[Any, ...]] = []
    for scenario in scenarios:
        if scenario == "double":
            # First crashes over the whole job, and all of the recovery's first calls behind each.
            tasks += [("double", "kill", first, NO_LIMIT, NO_LIMIT, settings) for first in range(5, 400, 25 * every)]
            continue
        for number, fault in enumerate(faults):
            # What goes on for ever is the same from neighbouring points.
            step = every * (6 if "ever" in fault or "short" in fault else 1)
            tasks += [(scenario, fault, (number + worker * step) % (workers * step), workers * step, NO_LIMIT, settings) for worker in range(workers)]
    return tasks


def main() -> int:
    parser = argparse.ArgumentParser(description="Crashes a job at each change to the disk.")
    parser.add_argument("--scenario", choices=SCENARIOS, action="append")
    parser.add_argument("--fault", choices=FAULTS, action="append")
    parser.add_argument("--every", type=int, default=1, help="only each so-many-th point")
    parser.add_argument("--limit", type=int, default=NO_LIMIT, help="so many points at most, from all scenarios")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes beside each other")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the job's environment")
    options = parser.parse_args()
    reason = why_not()
    if reason is not None:
        print(f"crashpoints: skipped, {reason}")
        return 0
    tasks = plan_tasks(options.scenario or list(SCENARIOS), options.fault or list(FAULTS), options.every, options.jobs, tuple(options.set))
    # A part of a list in order would be the first scenario alone.
    if options.limit < NO_LIMIT:
        share = max(1, -(-options.limit // len(tasks)))
        tasks = [(*task[:4], share, task[5]) for task in tasks]
    began = time.monotonic()
    total = enumerate_points(tasks, options.jobs)
    for site, count in sorted(total.sites.items()):
        print(f"{count:6}  {site}")
    for finding in total.findings:
        print(finding, file=sys.stderr)
    seconds = time.monotonic() - began
    print(
        f"{total.points} crash points at {len(total.sites)} kinds of calls, {total.restarts} restarts, {total.finished} behind the end, "
        f"{seconds:.0f} s: {len(total.findings)} wrong"
    )
    return bool(total.findings)


if __name__ == "__main__":
    sys.exit(main())
