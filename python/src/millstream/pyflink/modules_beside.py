"""The modules beside a script that it imports: what the workers of a cluster need as well.

Imports nothing of this package, because ``on_cluster.py`` uses it in interpreters that do not have it.
"""

from __future__ import annotations

import ast
import importlib.machinery
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["modules_beside", "pack"]

_SUFFIXES = tuple(importlib.machinery.all_suffixes())


def modules_beside(command: Sequence[str], folder: str | Path = ".") -> tuple[Path, list[Path]]:
    """The folder that a script imports from, and the modules (files) and packages (folders) in it that it imports, directly or not, by name.

    ``command`` is the script, or ``-m`` and a module's name, as behind ``python``; ``folder`` is the current one. Imports inside functions count;
    modules that are named while the script runs cannot be seen.
    """
    if command[0] == "-m":
        root = Path(folder)
        begin = _found(root, command[1].partition(".")[0])
        return root, _reached(root, [begin] if begin is not None else [], [] if begin is None else [begin])
    script = Path(folder, command[0])
    if script.is_dir():
        return script, _reached(script, [script / "__main__.py"], [])
    return script.parent, _reached(script.parent, [script] if script.suffix != ".zip" and script.is_file() else [], [])


def pack(root: Path, modules: Sequence[Path], archive: Path) -> None:
    """Writes modules and whole packages, their data too, into a zip file that can be imported from."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for module in modules:
            for path in _files(module, "*"):
                file.write(path, path.relative_to(root))


def _reached(root: Path, begin: Sequence[Path], known: Sequence[Path]) -> list[Path]:
    found = {path.name: path for path in known}
    todo = list(begin)
    while todo:
        path = todo.pop()
        for source in _files(path, "*.py"):
            for name in _imported(source):
                module = _found(root, name)
                if module is not None and module.name not in found and module not in begin:
                    found[module.name] = module
                    todo.append(module)
    return [found[name] for name in sorted(found)]


def _files(module: Path, pattern: str) -> list[Path]:
    if not module.is_dir():
        return [module]
    return [path for path in sorted(module.rglob(pattern)) if path.is_file() and "__pycache__" not in path.relative_to(module).parts]


def _found(root: Path, name: str) -> Path | None:
    """The file or folder of a top-level module, if it is beside the script."""
    package = root / name
    if package.is_dir() and (any((package / f"__init__{suffix}").is_file() for suffix in _SUFFIXES) or next(package.rglob("*.py"), None) is not None):
        return package
    return next((path for path in (root / f"{name}{suffix}" for suffix in _SUFFIXES) if path.is_file()), None)


def _imported(source: Path) -> Iterator[str]:
    """The top-level names that a file imports. A file that cannot be read imports nothing: running it will say why."""
    try:
        tree = ast.parse(source.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]
