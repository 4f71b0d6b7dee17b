"""Records what Apache Flink prints for the scripts of `datastream/`: `make record-golden`, or

    python Tests/conformance/record.py [--all] [--python INTERPRETER] [NAME...]

Without names it takes the scripts that have no golden file, or were changed since. NAME may have `*`. The interpreter needs apache-flink 2.3 and Java 11 or 17; it is
given by --python, by the environment variable MILLSTREAM_FLINK_PYTHON, or is build/peers/pyflink/bin/python, which is made if it is not there.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import fnmatch
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SCRIPTS = HERE / "datastream"
#: A script that takes longer is stopped, and recorded as failed.
SECONDS_PER_SCRIPT = 120
FLINK = "apache-flink==2.3.*"


def fingerprint(script: pathlib.Path) -> str:
    """Tells whether a script is the one that was recorded."""
    return hashlib.sha256(script.read_bytes()).hexdigest()[:16]


def header(golden: pathlib.Path) -> dict[str, str]:
    """The lines at a golden file's top, by their first word."""
    lines = golden.read_text().splitlines()
    return dict(line[2:].split(": ", 1) for line in lines[: lines.index("---")])


def flink_interpreter(given: str | None) -> str:
    """An interpreter that has apache-flink; makes build/peers/pyflink if there is none."""
    found = given or os.environ.get("MILLSTREAM_FLINK_PYTHON")
    if found:
        return found
    home = ROOT / "build" / "peers" / "pyflink"
    home.parent.mkdir(parents=True, exist_ok=True)
    with open(home.parent / "pyflink.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / ".complete").exists():
            print(f"making {home} with {FLINK}", flush=True)
            subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
            subprocess.run([home / "bin" / "pip", "install", "-q", "--disable-pip-version-check", FLINK], check=True)
            (home / ".complete").touch()
    return str(home / "bin" / "python")


def chosen(names: list[str], everything: bool) -> list[pathlib.Path]:
    """The scripts to record."""
    scripts = sorted(SCRIPTS.glob("*.py"))
    if names:
        patterns = [pathlib.Path(name).stem for name in names]
        unknown = [pattern for pattern in patterns if not any(fnmatch.fnmatch(script.stem, pattern) for script in scripts)]
        if unknown:
            raise SystemExit(f"there is no script {', '.join(unknown)} in {SCRIPTS}")
        return [script for script in scripts if any(fnmatch.fnmatch(script.stem, pattern) for pattern in patterns)]
    if everything:
        return scripts
    return [script for script in scripts if not (golden := script.with_suffix(".golden")).exists() or header(golden)["script"] != fingerprint(script)]


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("names", nargs="*")
    options.add_argument("--all", action="store_true")
    options.add_argument("--python")
    found = options.parse_args()
    scripts = chosen(found.names, found.all)
    if not scripts:
        print("every script is recorded")
        return 0
    interpreter = flink_interpreter(found.python)
    asked = "import importlib.metadata; print(importlib.metadata.version('apache-flink'))"
    version = subprocess.run([interpreter, "-c", asked], capture_output=True, text=True, check=True).stdout.strip()
    failed = 0
    with tempfile.TemporaryDirectory(prefix="record-golden-") as folder:
        answers, log = pathlib.Path(folder) / "answers", pathlib.Path(folder) / "log"
        waiting = list(scripts)
        while waiting:
            answers.write_text("")
            for answer in driven(interpreter, list(waiting), answers, log):
                script = next(script for script in waiting if script.stem == answer["name"])
                waiting.remove(script)
                failed += not recorded(script, answer, version)
    print(f"{len(scripts) - failed} of {len(scripts)} scripts recorded with Flink {version}")
    return 1 if failed else 0


def driven(interpreter: str, scripts: list[pathlib.Path], answers: pathlib.Path, log: pathlib.Path):  # type: ignore[no-untyped-def]
    """What a driver answers for scripts; one that stops its driver is answered for here, and ends this run."""
    # Flink starts "python" for its workers.
    path = f"{pathlib.Path(interpreter).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"}
    with open(log, "ab") as errors:
        driver = subprocess.Popen(
            [interpreter, HERE / "flink_driver.py", answers, *scripts], stdout=errors, stderr=errors, env=environment, start_new_session=True
        )
    seen, since = 0, time.monotonic()
    try:
        while seen < len(scripts):
            ended = driver.poll() is not None
            lines = answers.read_text().splitlines()
            for line in lines[seen:]:
                yield json.loads(line)
                seen, since = seen + 1, time.monotonic()
            if seen < len(scripts) and (ended or time.monotonic() - since > SECONDS_PER_SCRIPT):
                reason = f"the driver ended with {driver.returncode}" if ended else f"no end after {SECONDS_PER_SCRIPT} s"
                yield {"name": scripts[seen].stem, "output": "", "error": f"{reason}\n{log.read_text(errors='replace')[-3000:]}", "seconds": 0}
                return
            time.sleep(0.05)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(driver.pid, 15)
        driver.wait()


def shortened(error: str) -> str:
    """An error without the frames of Java's stacks."""
    return "\n".join(line for line in error.splitlines() if not line.startswith(("\tat ", "\t...")))


def recorded(script: pathlib.Path, answer: dict[str, object], version: str) -> bool:
    if answer["error"]:
        print(f"{script.stem}: FAILED, nothing is recorded\n{shortened(str(answer['error']))}", flush=True)
        return False
    print(f"{script.stem}: {answer['seconds']} s", flush=True)
    text = f"# flink: {version}\n# command: make record-golden NAMES={script.stem}\n# script: {fingerprint(script)}\n---\n{answer['output']}"
    script.with_suffix(".golden").write_text(text)
    return True


if __name__ == "__main__":
    raise SystemExit(main())
