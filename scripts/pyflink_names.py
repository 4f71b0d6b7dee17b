"""Writes the names of PyFlink's public API for `millstream check`: python scripts/pyflink_names.py API.json PYFLINK_FOLDER

API.json lists modules, classes, members and parameters (with those of 1.17 that older scripts use); the types that calls give are read from the sources of
an installed PyFlink. The result is python/src/millstream/pyflink/names.json; `millstream/pyflink/names.py` says how it reads.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parents[1] / "python" / "src" / "millstream" / "pyflink" / "names.json"
KINDS = {"init": "i", "method": "m", "staticmethod": "s", "classmethod": "s", "property": "p", "constant": "c", "function": "f"}


def main() -> None:
    api, folder = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    homes: dict[str, list[str]] = {}
    for module, names in api["modules"].items():
        for name, entry in names.items():
            if entry["kind"] == "class":
                homes.setdefault(name, []).append(module)
    types = Types(homes)
    modules: dict[str, Any] = {}
    for module, names in sorted(api["modules"].items()):
        source = folder.joinpath(*module.split(".")) if module else folder
        file = source.with_suffix(".py") if module and source.with_suffix(".py").exists() else source / "__init__.py"
        tree = ast.parse(file.read_text()) if file.exists() else ast.Module([], [])
        functions, classes, imports = definitions(tree)
        found = modules[module] = {}
        for name, entry in sorted(names.items()):
            if entry["kind"] == "class":
                methods = members_of(classes.get(name), classes)
                found[name] = {"": " ".join(filter(None, (types.name(base, module, imports) for base in entry.get("bases", []))))}
                for member, detail in sorted(entry.get("members", {}).items()):
                    found[name][member] = described(detail, methods.get(member), module, imports, types, name)
                for inner in nested(classes.get(name)):
                    found[f"{name}.{inner.name}"] = inner_class(inner, module, imports, types)
            else:
                found[name] = described(entry, functions.get(name), module, imports, types, name)
    exports = {package: exported(folder, package, names, homes) for package, names in sorted(api["packages"].items())}
    lines = [f"{json.dumps(module)}: {json.dumps(names, separators=(',', ':'))}" for module, names in modules.items()]
    text = '{"release": "2.3.0",\n"exports": ' + json.dumps(exports, separators=(",", ":")) + ',\n"modules": {\n' + ",\n".join(lines) + "}}\n"
    TARGET.write_text(text)
    print(f"{TARGET.name}: {len(text):,} bytes, {sum(len(names) for names in modules.values())} names in {len(modules)} modules")


def definitions(tree: ast.Module) -> tuple[dict[str, Any], dict[str, ast.ClassDef], dict[str, str]]:
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    imports = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pyflink."):
            imports.update({alias.asname or alias.name: str(node.module).removeprefix("pyflink.") for alias in node.names})
    return functions, classes, imports


def members_of(node: ast.ClassDef | None, classes: dict[str, ast.ClassDef]) -> dict[str, ast.FunctionDef]:
    """A class's methods, those of its bases in the same file too."""
    if node is None:
        return {}
    found: dict[str, ast.FunctionDef] = {}
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in classes and base.id != node.name:
            found.update(members_of(classes[base.id], classes))
    found.update({entry.name: entry for entry in node.body if isinstance(entry, ast.FunctionDef)})
    return found


def nested(node: ast.ClassDef | None) -> list[ast.ClassDef]:
    return [] if node is None else [entry for entry in node.body if isinstance(entry, ast.ClassDef) and not entry.name.startswith("_")]


def inner_class(node: ast.ClassDef, module: str, imports: dict[str, str], types: Types) -> dict[str, str]:
    found = {"": " ".join(filter(None, (types.name(ast.unparse(base), module, imports) for base in node.bases)))}
    for entry in node.body:
        if isinstance(entry, ast.FunctionDef) and not entry.name.startswith("_"):
            detail = {"kind": "method", "params": [argument.arg for argument in entry.args.args[1:]]}
            found[entry.name] = described(detail, entry, module, imports, types, node.name)
        elif isinstance(entry, ast.Assign):
            found.update({target.id: "c" for target in entry.targets if isinstance(target, ast.Name)})
    return found


def described(detail: dict[str, Any], node: Any, module: str, imports: dict[str, str], types: Types, owner: str) -> str:
    """Kind, parameters with the types of those that are given to a user's methods, result, e.g. ``m func,output_type= > DataStream``; "!": gone since 1.17."""
    kind = KINDS[detail["kind"]]
    annotations = {} if node is None else {argument.arg: argument.annotation for argument in [*node.args.args, *node.args.kwonlyargs]}
    parameters = []
    for parameter in detail.get("params", []):
        annotation = annotations.get(parameter.strip("*="))
        # Only what a caller gives to the user's methods is of use: contexts and the like.
        is_given = parameter in ("ctx", "context", "runtime_context", "out")
        known = types.name(ast.unparse(annotation), module, imports) if annotation is not None and is_given else ""
        parameters.append(f"{parameter}:{known}" if known else parameter)
    result = types.name(ast.unparse(node.returns), module, imports) if node is not None and node.returns is not None else ""
    if result == "State":
        # Any kind of state, as the descriptor says: `Trigger.TriggerContext.get_partitioned_state`.
        result = ""
    if detail["kind"] == "constant":
        result = types.name(owner, module, imports)
    text = f"{kind}{'!' if detail.get('release') == '1.17' else ''} {','.join(parameters)}".rstrip()
    return f"{text} > {result}" if result else text


class Types:
    """Names of PyFlink's classes, as far as an annotation is one: bare where the API has one such class, else with the module."""

    def __init__(self, homes: dict[str, list[str]]) -> None:
        self.homes = homes

    def name(self, annotation: str, module: str, imports: dict[str, str]) -> str:
        text = annotation.strip("'\"")
        for wrapper in ("Optional[", "Type["):
            if text.startswith(wrapper):
                text = text.removeprefix(wrapper).removesuffix("]").strip("'\"")
        first, _, rest = text.split("[")[0].partition(".")
        homes = self.homes.get(first, [])
        if module in homes:
            home = module
        elif imports.get(first) in homes:
            home = imports[first]
        elif len(homes) == 1:
            home = homes[0]
        else:
            return ""
        return (first if len(homes) == 1 else f"{home}.{first}") + (f".{rest}" if rest else "")


def exported(folder: Path, package: str, names: list[str], homes: dict[str, list[str]]) -> dict[str, str]:
    """Where the names that a package exports live; "" for what is no class of the API."""
    imports = definitions(ast.parse(folder.joinpath(*package.split("."), "__init__.py").read_text()))[2]
    found = {}
    for name in names:
        home = imports.get(name, "")
        known = homes.get(name, [])
        found[name] = home if home in known else known[0] if len(known) == 1 else home
    return found


if __name__ == "__main__":
    main()
