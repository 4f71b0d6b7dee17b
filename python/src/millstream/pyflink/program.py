"""Runs a script, a module or a text as ``python`` would: its ``__main__``, arguments, ``sys.path[0]``, exit status, signals and tracebacks.

Imports nothing of this package, because ``on_cluster.py`` uses it in interpreters that do not have it.
"""

from __future__ import annotations

import importlib.util
import io
import os
import pkgutil
import sys
import zipfile
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import Any

__all__ = ["prepare", "run_module", "run_script"]

#: What was ``__main__`` before.
_replaced: list[ModuleType] = []
#: Files whose frames are no part of a script's traceback.
_hidden = {__file__}
#: Told of an exception that ends the program, before it is shown.
_explain: list[Callable[[BaseException], None]] = []


def prepare(hidden: Sequence[str], explain: Callable[[BaseException], None]) -> None:
    """Hides the frames of files, and has ``explain`` look at what ends the program."""
    _hidden.update(hidden)
    _explain.append(explain)


def run_script(script: str, arguments: Sequence[str] = ()) -> None:
    """Runs a file, a folder or zip file with a ``__main__.py``, or with ``-`` the standard input, as this process's main program.

    Exceptions of the script come out of this, ``SystemExit`` too, and are shown without the frames of the runner. A script that cannot
    be opened ends the process with status 2, as with ``python``.
    """
    if script == "-":
        source = sys.stdin.buffer.read()
        _run(["-", *arguments], "", lambda: _Program(compile(source, "<stdin>", "exec", dont_inherit=True), __file__="<stdin>", __cached__=None))
        return
    if os.path.isdir(script) or (os.path.isfile(script) and zipfile.is_zipfile(script)):
        _run([script, *arguments], script, lambda: _main_of_folder(script))
        return
    try:
        with io.open_code(os.path.abspath(script)) as file:
            source = file.read()
    except OSError as error:
        print(f"{sys.executable}: can't open file {os.path.abspath(script)!r}: [Errno {error.errno}] {error.strerror}", file=sys.stderr)
        raise SystemExit(2) from None
    _run([script, *arguments], str(Path(script).resolve().parent), lambda: _file(os.path.abspath(script), source))


def run_module(name: str, arguments: Sequence[str] = ()) -> None:
    """Runs a module by its name, as ``python -m`` does."""
    _run(["-m", *arguments], os.getcwd(), lambda: _module(name))


class _Program:
    """What runs: code, and what its ``__main__`` has by its kind."""

    def __init__(self, code: CodeType, **attributes: Any) -> None:
        self.code = code
        self.attributes = {"__spec__": None, "__loader__": None, "__package__": None, "__annotations__": {}, **attributes}


def _file(path: str, source: bytes) -> _Program:
    code = compile(source, path, "exec", dont_inherit=True)
    return _Program(code, __file__=path, __cached__=None, __loader__=SourceFileLoader("__main__", path))


def _main_of_folder(path: str) -> _Program:
    importer = pkgutil.get_importer(path)
    spec = None if importer is None else importer.find_spec("__main__", None)
    if spec is None:
        raise SystemExit(f"{sys.executable}: can't find '__main__' module in {os.path.abspath(path)!r}")
    return _of_spec(spec, "__main__")


def _module(name: str) -> _Program:
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            package, name = name, f"{name}.__main__"
            spec = importlib.util.find_spec(name)
            if spec is None:
                raise SystemExit(f"{sys.executable}: No module named {name}; {package!r} is a package and cannot be directly executed")
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise SystemExit(f"{sys.executable}: Error while finding module specification for {name!r} ({type(error).__name__}: {error})") from None
    if spec is None:
        raise SystemExit(f"{sys.executable}: No module named {name}")
    sys.argv[0] = spec.origin or sys.argv[0]
    return _of_spec(spec, name)


def _of_spec(spec: ModuleSpec, name: str) -> _Program:
    code = spec.loader.get_code(name) if hasattr(spec.loader, "get_code") else None  # type: ignore[union-attr]
    if code is None:
        raise SystemExit(f"{sys.executable}: No code object available for {name}")
    return _Program(code, __spec__=spec, __file__=spec.origin, __cached__=spec.cached, __loader__=spec.loader, __package__=spec.parent)


def _run(arguments: list[str], folder: str, load: Callable[[], _Program]) -> None:
    sys.argv[:] = arguments
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = folder
    elif os.path.exists(os.path.join(folder, "__main__.py")) or os.path.isfile(folder):
        # A folder or zip file is on the path in any case.
        sys.path.insert(0, folder)
    main = ModuleType("__main__")
    # The runner's own __main__ stays alive, as its frames are below the script's.
    _replaced.append(sys.modules["__main__"])
    try:
        program = load()
        vars(main).update(program.attributes, __builtins__=sys.modules["builtins"])
        sys.modules["__main__"] = main
        exec(program.code, vars(main))
    except SystemExit:
        raise
    except BaseException as error:
        for explain in _explain:
            explain(error)
        _show_without_runner(error)
        raise


def _show_without_runner(error: BaseException) -> None:
    """Takes the runner's frames out of what the interpreter shows of an exception that ends the process.

    The interpreter does the rest itself, such as the exit status, and the end by SIGINT after Ctrl-C.
    """
    shown = sys.excepthook

    def show(kind: type[BaseException], value: BaseException, traceback: TracebackType | None) -> None:
        if value is error:
            traceback = _after_runner(traceback)
            sys.last_traceback = traceback
            value = value.with_traceback(traceback)
        shown(kind, value, traceback)

    sys.excepthook = show


def _after_runner(traceback: TracebackType | None) -> TracebackType | None:
    """The frames above those of this file, or none if there are no others; without the finder's, which an import that fails ends in."""
    entry, last = traceback, None
    while entry is not None:
        if entry.tb_frame.f_code.co_filename == __file__:
            last = entry
        if last is not None and entry.tb_next is not None and entry.tb_next.tb_frame.f_code.co_filename in _hidden - {__file__}:
            entry.tb_next = None
        entry = entry.tb_next
    return traceback if last is None else last.tb_next
