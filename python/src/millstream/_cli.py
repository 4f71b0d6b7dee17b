"""The command ``millstream``."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from millstream._version import __version__

_OPTIONAL = (("pyarrow", "from_arrow, to_arrow"), ("pandas", "from_pandas, to_pandas"), ("numpy", "arrays as values"), ("cloudpickle", "checkpoints"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; gives its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["run"]:
        from millstream.pyflink.run import run_command

        return run_command(given[1:])
    parser = argparse.ArgumentParser(prog="millstream", description="Stateful stream processing inside your process, with PyFlink's API.")
    parser.add_argument("--version", action="version", version=f"millstream {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("info", help="versions, where the library is, and what is installed beside it")
    commands.add_parser("run", help="runs a PyFlink script unchanged", add_help=False)
    check = commands.add_parser("check", help="lists the names of PyFlink that a script uses and that are missing here, differ or have no effect")
    check.add_argument("scripts", nargs="+", metavar="SCRIPT")
    check.add_argument("--json", action="store_true", help="one object with all findings")
    savepoint = commands.add_parser(
        "savepoint", help="what is in a savepoint or checkpoint, and what becomes of results that may or may not be visible"
    )
    actions = savepoint.add_subparsers(dest="action", metavar="action", required=True)
    for action, purpose in (
        ("describe", "operators, their states and columns; every byte is checked"),
        ("commits", "results that sinks have prepared"),
        ("resolve", "a copy in which is decided about prepared results"),
    ):
        added = actions.add_parser(action, help=purpose)
        added.add_argument("path", metavar="PATH", help="the directory of a savepoint or checkpoint")
        if action == "resolve":
            added.add_argument("--committed", nargs="+", metavar="ID", default=[], help="they are visible: nothing is left to do")
            added.add_argument(
                "--retry", nargs="+", metavar="ID", default=[], help="the job commits them once more when it starts, as all that is not named"
            )
            added.add_argument("--abort", nargs="+", metavar="ID", default=[], help="they are given up")
            added.add_argument("--output", metavar="DIR", help="the copy's directory; by default beside the original")
        else:
            added.add_argument("--json", action="store_true", help="as JSON")
    options = parser.parse_args(given)
    try:
        status = _printed(parser, options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Whoever read has read enough, as `| head` does. Nothing more can be written there, not at the end of the process either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _printed(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    if options.command == "check":
        from millstream.pyflink.check import check_command

        return check_command(options.scripts, options.json)
    if options.command == "savepoint":
        from millstream.savepoint_command import savepoint_command

        return savepoint_command(options)
    if options.command == "info":
        print(info())
        return 0
    parser.print_help()
    return 2


def info() -> str:
    """What a report about a problem should contain."""
    import millstream

    folder = Path(millstream.__file__).parent
    lines = [f"millstream   {__version__}"]
    try:
        from millstream import _native

        lines.append(f"engine       {_native.version()} (C ABI {_native.ABI_VERSION})")
        lines.append(f"extension    {_native.__file__}")
    except ImportError as error:
        lines.append(f"engine       cannot be loaded: {error}")
    library = folder / "libmillstream.so"
    lines.append(f"library      {library}" + ("" if library.exists() else " (not there)"))
    lines.append(f"python       {platform.python_version()} ({sys.executable})")
    lines.append(f"platform     {platform.platform()}")
    lines += [f"{name:12} {version or 'not installed':13} for {purpose}" for name, version, purpose in _installed()]
    return "\n".join(lines)


def _installed() -> list[tuple[str, str | None, str]]:
    from importlib.metadata import PackageNotFoundError, version

    found: list[tuple[str, str | None, str]] = []
    for name, purpose in _OPTIONAL:
        try:
            found.append((name, version(name), purpose))
        except PackageNotFoundError:
            found.append((name, None, purpose))
    return found
