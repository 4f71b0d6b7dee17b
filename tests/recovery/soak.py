"""Kills a job's process at random moments, starts it again at another parallelism, and checks all the time what its sinks show.

    make soak KILLS=200                                     200 kills of each variant
    soak.py --kills 50 --variant rocksdb-unaligned          of one of them
    soak.py --minutes 60                                    for so long, in turns

The job (soak_job.py) runs with `millstream run --ha-dir` in a process that is forked from this one. A kill comes after an exponential time; one in ten right
after a checkpoint is complete, one in ten while the job starts again, one in twenty behind a pause of the whole process (SIGSTOP). Another process reads what
is committed, as an outsider would: each row of the table must be the next one of its key, each file appears once and never changes, each window is
there once; all sums are known in closed form. In the end all of it must be there, and nothing else left behind.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from processes import fork_command, prepare

HERE = Path(__file__).resolve().parent

KEYS, SOURCES, WINDOW, WINDOW_KEYS = 8, 2, 64, 4
#: A killed job that takes longer to start, or a last one that takes longer to end, hangs.
PATIENCE = 120.0
#: What a process gives its stores, which they fill in their first seconds.
STORE_MEBIBYTES = 32
VARIANTS = {
    "hashmap-aligned": {"state.backend.type": "hashmap", "execution.checkpointing.unaligned.enabled": "false"},
    "hashmap-unaligned": {"state.backend.type": "hashmap", "execution.checkpointing.unaligned.enabled": "true"},
    "rocksdb-aligned": {
        "state.backend.type": "rocksdb",
        "state.backend.rocksdb.memory.fixed-per-slot": f"{STORE_MEBIBYTES} mb",
        "execution.checkpointing.incremental": "true",
        "execution.checkpointing.unaligned.enabled": "false",
    },
    "rocksdb-unaligned": {
        "state.backend.type": "rocksdb",
        "state.backend.rocksdb.memory.fixed-per-slot": f"{STORE_MEBIBYTES} mb",
        "execution.checkpointing.incremental": "true",
        "execution.checkpointing.unaligned.enabled": "true",
    },
    # Another way each time.
    "flipping": {"state.backend.type": "hashmap"},
}
#: A process may have so many files and threads. It has some 40 and 10.
DESCRIPTORS_MAX, THREADS_MAX = 128, 48
#: How much a process may have grown between its 2nd and its 6th second, in the middle of all; its stores' memory aside.
GROWTH_MAX = 8 << 20


# --- What must be there.


def row(key: int, number: int) -> tuple[int, int]:
    """The sum so far and the last four values of a key's row with this number, from 1 on."""
    last = sum(key + KEYS * n for n in range(max(0, number - 4), number - 1))
    return key * number + KEYS // 2 * number * (number - 1), last + key + KEYS * (number - 1)


def timer(key: int, number: int) -> tuple[int, int]:
    return key + KEYS * (number - 1) + 40, 0


#: The sum of a window's offsets from its start, without the key.
_OFFSETS = sum(range(0, WINDOW, WINDOW_KEYS))


def window_sum(key: int, window: int) -> int:
    return WINDOW // WINDOW_KEYS * (WINDOW * window + key) + _OFFSETS


class Watcher:
    """An outsider: reads the table and the files while the job runs, is killed, and runs again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.connection = sqlite3.connect(folder / "out.db", timeout=60)
        self.last = 0
        self.next: dict[tuple[str, int], int] = defaultdict(lambda: 1)
        self.windows: list[set[int]] = [set() for _ in range(WINDOW_KEYS)]
        self.unfinished: Counter[tuple[int, int]] = Counter()
        self.files: dict[str, tuple[int, int, int]] = {}
        self.losses = self.duplicates = 0
        self.violations: list[str] = []
        self.hidden_max = 0

    def note(self, what: str) -> None:
        if len(self.violations) < 50:
            self.violations.append(what)

    def look(self) -> None:
        self.look_at_table()
        self.look_at_files()

    def look_at_table(self) -> None:
        while True:
            rows = self.connection.execute(
                "select rowid, kind, key, number, value, extra from results where rowid > ? order by rowid limit 20000", (self.last,)
            ).fetchall()
            for place, kind, key, number, value, extra in rows:
                wanted = self.next[kind, key]
                if number < wanted:
                    self.duplicates += 1
                    self.note(f"{kind} {number} of key {key} once more")
                elif number > wanted:
                    self.losses += number - wanted
                    self.note(f"{kind} {number} of key {key} where {wanted} should be")
                if (value, extra) != (row if kind == "row" else timer)(key, number):
                    self.note(f"{kind} {number} of key {key} is {(value, extra)}")
                self.next[kind, key] = max(wanted, number + 1)
                self.last = place
            if len(rows) < 20_000:
                return

    def look_at_files(self) -> None:
        found: dict[str, os.DirEntry[str]] = {}
        hidden = 0
        for entry in files_below(self.folder / "out"):
            if entry.name.startswith("."):
                hidden += 1
            else:
                found[entry.path] = entry
        self.hidden_max = max(self.hidden_max, hidden)
        for path in self.files.keys() - found.keys():
            self.note(f"{path} is gone")
            del self.files[path]
        for path, entry in found.items():
            status = entry.stat()
            now = (status.st_ino, status.st_size, status.st_mtime_ns)
            before = self.files.setdefault(path, now)
            if before is now:
                self.read(Path(path))
            elif before != now:
                self.note(f"{path} was {before} and is {now}")
                self.files[path] = now

    def read(self, path: Path) -> None:
        text = path.read_text()
        if not text.endswith("\n"):
            self.note(f"{path} is not whole")
        for line in text.splitlines():
            key, total = map(int, line.split())
            window, rest = divmod(total - window_sum(key, 0), WINDOW * WINDOW // WINDOW_KEYS)
            if rest:
                # The last window of all may be a part of one.
                self.unfinished[key, total] += 1
            elif window in self.windows[key]:
                self.duplicates += 1
                self.note(f"window {window} of key {key} once more, in {path.name}")
            else:
                self.windows[key].add(window)

    def finish(self, given: list[int]) -> None:
        """The job has ended, after so many values of each source."""
        self.look()
        for key in range(KEYS):
            source = key % SOURCES
            count = len(range(key, source + SOURCES * given[source], KEYS))
            for kind in ("row", "timer"):
                missing = count + 1 - self.next[kind, key]
                if missing:
                    self.losses += max(0, missing)
                    self.note(f"{kind} of key {key}: {self.next[kind, key] - 1} of {count}")
        unfinished: Counter[tuple[int, int]] = Counter()
        for key in range(WINDOW_KEYS):
            end = key % SOURCES + SOURCES * given[key % SOURCES]
            full = end // WINDOW
            rest = sum(range(full * WINDOW + key, end, WINDOW_KEYS))
            count = len(range(full * WINDOW + key, end, WINDOW_KEYS))
            if count == WINDOW // WINDOW_KEYS:
                full += 1
            elif count and (rest - window_sum(key, 0)) % (WINDOW * WINDOW // WINDOW_KEYS) == 0:
                # By chance it looks like a whole one.
                self.windows[key].discard((rest - window_sum(key, 0)) // (WINDOW * WINDOW // WINDOW_KEYS))
            elif count:
                unfinished[key, rest] += 1
            if self.windows[key] != set(range(full)):
                self.losses += len(set(range(full)) - self.windows[key])
                self.note(f"windows of key {key}: {len(self.windows[key])} of {full}")
        if self.unfinished != unfinished:
            self.note(f"windows that are not whole: {self.unfinished}, not {unfinished}")

    def report(self) -> dict[str, object]:
        return {
            "rows": sum(self.next.values()) - len(self.next) + sum(map(len, self.windows)),
            "files": len(self.files),
            "losses": self.losses,
            "duplicates": self.duplicates,
            "violations": self.violations,
            "hidden": self.hidden_max,
        }


def files_below(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from files_below(Path(entry.path))
        else:
            yield entry


def watch(folder: Path) -> None:
    """The watcher's process, until there is a file `watched`."""
    watcher = Watcher(folder)
    is_last = False
    while not is_last:
        is_last = (folder / "watched").exists()
        try:
            if is_last:
                watcher.finish([int((folder / f"end-{source}").read_text()) for source in range(SOURCES)])
            else:
                watcher.look()
        except FileNotFoundError:
            # Renamed in between; the next look sees it.
            if is_last:
                raise
        temporary = folder / "watcher.json.tmp"
        temporary.write_text(json.dumps(watcher.report()))
        temporary.rename(folder / "watcher.json")
        time.sleep(0.1)


# --- Who kills.


@dataclass
class Sample:
    """A process just before its end."""

    age: float
    resident: int
    descriptors: int
    threads: int


def sample(process: int, born: float) -> Sample:
    proc = Path(f"/proc/{process}")
    resident = int((proc / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return Sample(time.monotonic() - born, resident, len(list((proc / "fd").iterdir())), len(list((proc / "task").iterdir())))


@dataclass
class Soak:
    """One variant: its folder, and how it went."""

    variant: str
    folder: Path
    choice: random.Random
    mean: float
    rate: int
    kills: int = 0
    restored: int = 0
    samples: list[Sample] = field(default_factory=list)
    growths: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    watcher: subprocess.Popen[bytes] | None = None
    rows: int = 0
    losses: int = 0
    duplicates: int = 0
    seconds: float = 0
    left: int = 0

    def begin(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "out").mkdir(parents=True)
        with sqlite3.connect(self.folder / "out.db") as connection:
            connection.execute("create table results (kind, key, number, value, extra)")
        connection.close()
        (self.folder / "alive").touch()
        with (self.folder / "watcher.log").open("ab") as log:
            self.watcher = subprocess.Popen([sys.executable, str(Path(__file__).resolve()), "--watch", str(self.folder)], stderr=log)

    def start(self) -> int:
        settings = dict(VARIANTS[self.variant])
        if self.variant == "flipping":
            settings["execution.checkpointing.unaligned.enabled"] = self.choice.choice(["true", "false"])
        arguments = ["run", "--ha-dir", str(self.folder / "ha"), str(HERE / "soak_job.py"), str(self.folder), str(self.choice.choice([1, 2, 3]))]
        return fork_command([*arguments, str(self.rate), *(f"{key}={value}" for key, value in settings.items())], self.folder / "log.txt")

    def log(self) -> str:
        path = self.folder / "log.txt"
        return path.read_text()[-2_000:] if path.exists() else ""

    def wait(self, process: int, seconds: float) -> bool:
        """Whether the process is still there after so long."""
        until = time.monotonic() + seconds
        while (rest := until - time.monotonic()) > 0:
            if os.waitpid(process, os.WNOHANG)[0]:
                return False
            time.sleep(min(rest, 0.02))
        return True

    def checkpoints(self) -> set[str]:
        return {str(path) for path in (self.folder / "ha").glob("soak/*/chk-*/_metadata")}

    def run_and_kill(self) -> bool:
        """One process. Gives False if it did something else than to run until it was killed."""
        alive = (self.folder / "alive").stat().st_size
        self.restored += bool(self.checkpoints())
        process = self.start()
        born = time.monotonic()
        kind = self.choice.random()
        if kind < 0.02:
            # Anywhere in its start.
            is_there = self.wait(process, self.choice.uniform(0, 0.2))
        else:
            while (self.folder / "alive").stat().st_size == alive:
                if not self.wait(process, 0.004):
                    self.wrong.append(f"process {self.kills} ended by itself: {self.log()}")
                    return False
                if time.monotonic() - born > PATIENCE:
                    self.wrong.append(f"process {self.kills} does not start: {self.log()}")
                    os.kill(process, signal.SIGKILL)
                    os.waitpid(process, 0)
                    return False
            started = time.monotonic()
            if kind < 0.12:
                # The job has just been built: it restores.
                is_there = self.wait(process, self.choice.uniform(0, 0.06))
            elif kind < 0.22:
                before = self.checkpoints()
                is_there = True
                while is_there and time.monotonic() - started < 10 and not self.checkpoints() - before:
                    is_there = self.wait(process, 0.001)
                is_there = is_there and self.wait(process, self.choice.choice([0, 0.005, 0.02]))
            elif kind < 0.27:
                is_there = self.wait(process, self.choice.uniform(0.1, 0.5))
                if is_there:
                    os.kill(process, signal.SIGSTOP)
                    time.sleep(self.choice.uniform(0.2, 1.5))
                    os.kill(process, signal.SIGCONT)
                    is_there = self.wait(process, self.choice.uniform(0, 0.1))
            elif kind < 0.30:
                is_there = self.wait(process, 2)
                first = sample(process, born) if is_there else None
                is_there = is_there and self.wait(process, 4)
                if is_there and first is not None:
                    self.growths.append(sample(process, born).resident - first.resident)
            else:
                is_there = self.wait(process, min(self.choice.expovariate(1 / self.mean), 6 * self.mean))
            if is_there:
                self.samples.append(sample(process, born))
        if not is_there:
            self.wrong.append(f"process {self.kills} ended by itself: {self.log()}")
            return False
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        self.kills += 1
        return True

    def is_watched(self) -> bool:
        """Whether the watcher has found nothing so far."""
        if self.watcher is None or self.watcher.poll() is not None:
            self.wrong.append(f"the watcher has ended: {(self.folder / 'watcher.log').read_text()[-2_000:]}")
            return False
        try:
            report = json.loads((self.folder / "watcher.json").read_text())
        except FileNotFoundError:
            return True
        self.wrong += report["violations"]
        return not report["violations"]

    def go_on(self, kills: int, until: float) -> bool:
        """So many kills more, or up to a time. Gives False once something is wrong."""
        began = time.monotonic()
        for _ in range(kills):
            if time.monotonic() > until:
                break
            if not self.run_and_kill() or not self.is_watched():
                break
        self.seconds += time.monotonic() - began
        return not self.wrong

    def end(self) -> None:
        """Lets the job come to its end, and looks at everything."""
        if not self.wrong:
            (self.folder / "stop").touch()
            process = self.start()
            until = time.monotonic() + PATIENCE
            ended, status = 0, 0
            while not ended and time.monotonic() < until:
                ended, status = os.waitpid(process, os.WNOHANG)
                time.sleep(0.02)
            if not ended:
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
            if not ended or status:
                self.wrong.append(f"the last process {'ended with ' + str(os.waitstatus_to_exitcode(status)) if ended else 'hangs'}: {self.log()}")
        (self.folder / "watched").touch()
        if self.watcher is not None:
            if not self.wrong:
                if self.watcher.wait(PATIENCE) != 0:
                    self.wrong.append(f"the watcher failed: {(self.folder / 'watcher.log').read_text()[-2_000:]}")
                self.judge(json.loads((self.folder / "watcher.json").read_text()))
            else:
                self.watcher.kill()
                self.watcher.wait()

    def judge(self, report: dict[str, int | list[str]]) -> None:
        self.rows, self.losses, self.duplicates = (int(str(report[name])) for name in ("rows", "losses", "duplicates"))
        violations = report["violations"]
        assert isinstance(violations, list)
        self.wrong += violations
        self.left = sum(entry.name.startswith(".") for entry in files_below(self.folder / "out"))
        if self.left:
            self.wrong.append(f"{self.left} files are left behind")
        with sqlite3.connect(self.folder / "out.db") as connection:
            staged = connection.execute("select count(*) from results__staged").fetchone()[0]
            writers = connection.execute("select count(*) from millstream_writers").fetchone()[0]
        connection.close()
        if staged or writers > 3:
            self.wrong.append(f"{staged} staged rows and {writers} writers are left behind")
        if list((self.folder / "ha").iterdir()):
            self.wrong.append("the finished job left checkpoints behind")
        if self.restored < self.kills // 3:
            self.wrong.append(f"only {self.restored} of {self.kills} processes had a checkpoint to go on from: nothing was tried")
        grown = [each for each in self.samples if each.age > 0.3]
        if grown and max(each.descriptors for each in grown) > DESCRIPTORS_MAX:
            self.wrong.append(f"{max(each.descriptors for each in grown)} descriptors")
        if grown and max(each.threads for each in grown) > THREADS_MAX:
            self.wrong.append(f"{max(each.threads for each in grown)} threads")
        allowed = GROWTH_MAX + (STORE_MEBIBYTES << 20 if self.variant.startswith("rocksdb") else 0)
        if len(self.growths) >= 3 and statistics.median(self.growths) > allowed:
            self.wrong.append(f"processes grow by {statistics.median(self.growths) / 2**20:.1f} MiB in four seconds")
        third = len(grown) // 3
        if third >= 10:
            # What a process restores does not grow with the number of those before it.
            early, late = (statistics.median(each.resident for each in part) for part in (grown[:third], grown[-third:]))
            if late - early > max(GROWTH_MAX, early // 5):
                self.wrong.append(f"processes had {early / 2**20:.1f} MiB, and have {late / 2**20:.1f}")

    def __str__(self) -> str:
        grown = [each for each in self.samples if each.age > 0.3] or [Sample(0, 0, 0, 0)]
        return (
            f"{self.variant}: {self.kills} kills, {self.restored} with a checkpoint, {self.rows} rows, {self.losses} losses, {self.duplicates} duplicates, {self.left} parts left; "
            f"{statistics.median(each.resident for each in grown) / 2**20:.0f} MiB, at most {max(each.descriptors for each in grown)} descriptors and "
            f"{max(each.threads for each in grown)} threads, growth in 4 s {[round(each / 2**20, 1) for each in self.growths[:8]]} MiB; {self.seconds:.0f} s"
        )


def is_missing(variant: str, folder: Path) -> str | None:
    """Why a variant cannot run: what this build says about its settings."""
    trial = Soak(variant, folder / "trial", random.Random(1), 0.1, 4_000)
    shutil.rmtree(trial.folder, ignore_errors=True)
    (trial.folder / "out").mkdir(parents=True)
    with sqlite3.connect(trial.folder / "out.db") as connection:
        connection.execute("create table results (kind, key, number, value, extra)")
    connection.close()
    (trial.folder / "stop").touch()
    process = trial.start()
    _, status = os.waitpid(process, 0)
    said = [line for line in trial.log().splitlines() if "later release" in line]
    if status:
        said.append(f"a job without rows ended with {os.waitstatus_to_exitcode(status)}: {trial.log()}")
    shutil.rmtree(trial.folder, ignore_errors=True)
    return said[0] if said else None


def soak(variants: list[str], kills: int, minutes: float | None, seed: int, folder: Path, mean: float, rate: int) -> list[str]:
    """What is wrong afterwards; nothing if all is well."""
    prepare()
    wrong: list[str] = []
    running: list[Soak] = []
    for number, variant in enumerate(variants):
        reason = is_missing(variant, folder)
        if reason is not None:
            print(f"{variant}: skipped, because it would be another one: {reason}", flush=True)
        else:
            running.append(Soak(variant, folder / variant, random.Random(seed * 100 + number), mean, rate))
    until = time.monotonic() + (minutes * 60 if minutes is not None else 1e9)
    for each in running:
        each.begin()
    # In turns, so that what a busy machine does to one it does to all.
    turn = 25
    for done in range(0, kills, turn):
        for each in running:
            if not each.wrong:
                each.go_on(min(turn, kills - done), until)
        if time.monotonic() > until:
            break
    for each in running:
        each.end()
        print(f"{each}{''.join('; ' + what for what in each.wrong[:5])}", flush=True)
        wrong += [f"{each.variant}: {what}" for what in each.wrong]
        if not each.wrong:
            shutil.rmtree(each.folder, ignore_errors=True)
    totals = [sum(getattr(each, name) for each in running) for name in ("kills", "rows", "losses", "duplicates")]
    print(
        f"{totals[0]} kills, {totals[1]} rows, {totals[2]} losses, {totals[3]} duplicates, seed {seed}: {f'{len(wrong)} wrong' if wrong else 'all is well'}"
    )
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description="Kills a job at random moments and checks what it shows.")
    parser.add_argument("--kills", type=int, default=200, help="of each variant")
    parser.add_argument("--minutes", type=float, help="ends then, however many kills are left")
    parser.add_argument("--variant", choices=VARIANTS, action="append", help="all of them unless one is named")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--folder", type=Path, help="stays if something is wrong")
    parser.add_argument("--mean", type=float, default=0.5, help="how many seconds a process lives on average after its start")
    parser.add_argument("--rate", type=int, default=3_000, help="values a second and source")
    parser.add_argument("--watch", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.watch is not None:
        watch(options.watch)
        return 0
    folder = options.folder or Path(tempfile.mkdtemp(prefix="soak-"))
    wrong = soak(options.variant or list(VARIANTS), options.kills, options.minutes, options.seed, folder, options.mean, options.rate)
    if wrong:
        print("\n".join([*wrong[:20], f"everything is in {folder}"]), file=sys.stderr)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
