"""``millstream run``: a PyFlink script on this package, unchanged, or the same script on a cluster of Apache Flink.

Here the script gets this process, with ``pyflink`` served from this package. With ``--target`` another interpreter takes the process over:
one that has ``apache-flink``; `on_cluster.py` is what it starts with.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from millstream.pyflink import imports, program
from millstream.pyflink.imports import install_as_pyflink
from millstream.run_settings import RunSettings, run_settings

__all__ = ["run_command"]

USAGE = (
    "usage: millstream run [-h] [-s PATH [-n] [--dry-run]] [--ha-dir DIR] [--target flink://HOST:PORT [--python INTERPRETER] [-D KEY=VALUE]...] "
    "(SCRIPT | - | -m MODULE) [argument ...]"
)
HELP = f"""{USAGE}

Runs a PyFlink script unchanged, as `python SCRIPT` would: `import pyflink...` in it gives Millstream.

  SCRIPT              a file, a folder or zip file with a __main__.py, or - for the standard input
  -m MODULE           a module, by its name
  argument            for the script

  -s, --fromSavepoint PATH
                      the savepoint or kept checkpoint that the script's jobs start from
  -n, --allow-non-restored-state (or --allowNonRestoredState)
                      leaves state behind of operators that a job has not (any more)
  --dry-run           with -s: says what would become of the savepoint's state in the script's first job, and runs nothing of it; the exit
                      status is 1 if
                      the job would not start
  --ha-dir DIR        keeps each job's checkpoints below DIR/<job name>, where it goes on when the script is started again after the process died;
                      when a job has finished, they go. The script switches checkpoints on. For scripts with one job

On a cluster of Apache Flink, with `import pyflink...` or `import millstream...` in the script:

  --target URL        the cluster's REST address: flink://HOST:PORT (8081 if there is none)
  --python FILE       the interpreter that has apache-flink; else MILLSTREAM_FLINK_PYTHON, else this one
  -D KEY=VALUE        a setting of Flink's, e.g. -D parallelism.default=4"""


def run_command(arguments: Sequence[str]) -> int:
    """Runs what the command line says. All behind the script is the script's, so argparse has no part in it."""
    rest = list(arguments)
    target: str | None = None
    interpreter: str | None = None
    settings: list[str] = []
    recovery = RunSettings()
    while rest:
        first = rest.pop(0)
        if first in ("-h", "--help"):
            print(HELP)
            return 0
        name, equals, value = first.partition("=")
        if first in ("-n", "--allow-non-restored-state", "--allowNonRestoredState"):
            recovery.allows_non_restored_state = True
            continue
        if first == "--dry-run":
            recovery.is_dry = True
            continue
        if name in ("--target", "--python", "-D", "-s", "--fromSavepoint", "--ha-dir"):
            if not equals or name in ("-D", "-s"):
                if not rest:
                    return _misuse(f"{name} needs a value")
                value = rest.pop(0)
            if name == "--target":
                target = value
            elif name == "--python":
                interpreter = value
            elif name in ("-s", "--fromSavepoint"):
                recovery.savepoint = value
            elif name == "--ha-dir":
                recovery.ha_dir = value
            else:
                settings.append(value)
            continue
        if first == "-m" and not rest:
            return _misuse("-m needs the name of a module")
        if first.startswith("-") and first not in ("-", "-m"):
            return _misuse(f"there is no option {first}")
        if not recovery.is_default() and target is not None:
            return _misuse("-s, -n and --ha-dir are for jobs that run here; a cluster's start from -D execution.state-recovery.path=...")
        if target is not None:
            return _on_cluster(target, interpreter, settings, [first, *rest])
        if interpreter is not None or settings:
            return _misuse("--python and -D go with --target")
        if recovery.savepoint is not None or recovery.ha_dir is not None:
            from millstream.datastream.checkpoint_options import local_path

            # Before the script changes its directory.
            try:
                run_settings.savepoint = None if recovery.savepoint is None else local_path(recovery.savepoint)
                run_settings.ha_dir = None if recovery.ha_dir is None else local_path(recovery.ha_dir)
            except ValueError as error:
                return _misuse(str(error))
        if recovery.is_dry and recovery.savepoint is None:
            return _misuse("--dry-run goes with -s PATH")
        run_settings.is_dry = recovery.is_dry
        run_settings.allows_non_restored_state = recovery.allows_non_restored_state
        install_as_pyflink()
        program.prepare([__file__, imports.__file__], _explain)
        if first == "-m":
            program.run_module(rest[0], rest[1:])
        else:
            program.run_script(first, rest)
        return 0
    return _misuse("a script is needed")


def _on_cluster(target: str, interpreter: str | None, settings: list[str], script: list[str]) -> int:
    """Leaves the process to the interpreter that has apache-flink."""
    from urllib.parse import urlsplit

    address = urlsplit(target)
    try:
        port = address.port or 8081
    except ValueError:
        return _misuse(f"{target!r} has no port that can be")
    if address.scheme != "flink" or not address.hostname or address.path not in ("", "/"):
        return _misuse(f"a target is flink://HOST:PORT, not {target!r}")
    for setting in settings:
        if not setting.partition("=")[1]:
            return _misuse(f"-D takes KEY=VALUE, not {setting!r}")
    found = interpreter or os.environ.get("MILLSTREAM_FLINK_PYTHON") or sys.executable
    starter = str(Path(__file__).with_name("on_cluster.py"))
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvp(found, [found, starter, address.hostname, str(port), str(len(settings)), *settings, *script])
    except OSError as error:
        where = "--python or MILLSTREAM_FLINK_PYTHON name the interpreter that has apache-flink"
        print(f"millstream run: cannot start {found}: {error.strerror}; {where}", file=sys.stderr)
        return 2


def _explain(error: BaseException) -> None:
    """An import of a name that is not here gets a note that says whose name it is."""
    if type(error) is ImportError and (error.name or "").startswith("millstream."):
        theirs = str(error.name).replace("millstream", "pyflink", 1)
        error.add_note(f"{theirs} is Millstream's here; `millstream check` lists what a script needs and is missing.")


def _misuse(what: str) -> int:
    print(f"{USAGE}\nmillstream run: error: {what}", file=sys.stderr)
    return 2
