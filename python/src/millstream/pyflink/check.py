"""``millstream check``: which of PyFlink's names a script uses that are missing here, differ, or are accepted without effect.

The script is read, not run. Imports are followed through aliases, star imports and attributes of modules and classes; methods of a
value where its class is known: what a constructor, a factory or a method of the API gives, contexts that a user's function is given, and
parameters with a type. What a name is here is asked of the installed package itself, so the answer is that of the version at hand. Of SQL files it
tells what each statement is: there is no SQL here yet.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from millstream.pyflink.names import Absence, Names, names

__all__ = ["Finding", "Report", "check_command", "check_file", "check_source"]


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A name that is missing, differs or has no effect: where (from 1), its kind, and in words."""

    line: int
    column: int
    kind: str
    name: str
    text: str


@dataclass(slots=True)
class Report:
    """What a script uses."""

    file: str
    used: set[str] = field(default_factory=set)
    findings: set[Finding] = field(default_factory=set)

    def sorted(self) -> list[Finding]:
        """The findings in the order of the text."""
        return sorted(self.findings)


# What an expression is, as far as it is known.


@dataclass(frozen=True, slots=True)
class _Module:
    name: str


@dataclass(frozen=True, slots=True)
class _Class:
    full: str


@dataclass(frozen=True, slots=True)
class _Instance:
    full: str


@dataclass(frozen=True, slots=True)
class _Method:
    """A method or function of the API: of a class (``owner``), or of a module."""

    owner: str
    module: str
    name: str


class _UserClass:
    """A class of the script."""

    def __init__(self, node: ast.ClassDef, bases: list[Any]) -> None:
        self.node = node
        self.bases = bases
        self.attributes: dict[str, Any] = {}
        self.methods = {entry.name: entry for entry in node.body if isinstance(entry, (ast.FunctionDef, ast.AsyncFunctionDef))}

    def api_bases(self) -> Iterator[str]:
        for base in self.bases:
            if isinstance(base, _Class):
                yield base.full
            elif isinstance(base, _UserClass):
                yield from base.api_bases()


@dataclass(frozen=True, slots=True)
class _UserInstance:
    of: _UserClass


class _UserFunction:
    """A function of the script; read when it is called first, with what it is given, or at the end."""

    def __init__(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: _Scope, of: _UserClass | None = None) -> None:
        self.node = node
        self.scope = scope
        self.of = of
        self.is_read = False
        self.result: Any = None


class _Scope:
    """Names of a module, a function or a class."""

    def __init__(self, parent: _Scope | None = None) -> None:
        self.parent = parent
        self.values: dict[str, Any] = {}
        self.result: Any = None

    def find(self, name: str) -> Any:
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.values:
                return scope.values[name]
            scope = scope.parent
        return None


def check_file(path: str | Path) -> Report:
    r"""Reads a file. Raises ``OSError`` and ``SyntaxError``.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     script = pathlib.Path(folder) / "job.py"
    ...     size = script.write_text("from pyflink.datastream.connectors.kafka import KafkaSource\n")
    ...     print([finding.name for finding in check_file(str(script)).findings])
    ['pyflink.datastream.connectors.kafka']
    """
    return check_source(Path(path).read_bytes(), str(path))


def check_source(source: str | bytes, file: str = "<script>") -> Report:
    """Reads a script's text. Raises ``SyntaxError``.

    >>> report = check_source("from pyflink.datastream import StreamExecutionEnvironment as E\\nE.get_execution_environment().no_such_method()")
    >>> [(finding.line, finding.text) for finding in report.sorted()]
    [(2, 'StreamExecutionEnvironment.no_such_method is neither in PyFlink nor here')]
    """
    reader = _Reader(names(), file)
    reader.read(ast.parse(source, file))
    return reader.report


class _Reader(ast.NodeVisitor):
    def __init__(self, known: Names, file: str) -> None:
        self.names = known
        self.report = Report(file)
        self.scope = _Scope()
        self.waiting: list[_UserFunction] = []
        #: The method whose call is read.
        self.called: ast.Attribute | None = None
        self.is_called = False

    def read(self, tree: ast.Module) -> None:
        for statement in tree.body:
            self.visit(statement)
        while self.waiting:
            self._read_function(self.waiting.pop(0), [], {})

    # ---- Findings ----

    def _use(self, name: str) -> None:
        self.report.used.add(name)

    def _find(self, node: ast.AST, absence: Absence | None, name: str, column: int | None = None) -> None:
        if absence is not None:
            line, start = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
            self.report.findings.add(Finding(line, (start if column is None else column) + 1, absence.kind, name, absence.text))

    # ---- Imports ----

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            module = _api_module(alias.name)
            if module is None:
                continue
            self._module(alias, module)
            if alias.asname:
                self.scope.values[alias.asname] = _Module(module)
            else:
                self.scope.values[alias.name.partition(".")[0]] = _Module("")

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = _api_module(node.module or "") if node.level == 0 else None
        if module is None:
            for alias in node.names:
                self.scope.values.pop(alias.asname or alias.name, None)
            return
        if not self._module(node, module):
            return
        for alias in node.names:
            if alias.name == "*":
                listed = {*self.names.modules.get(module, {}), *self.names.exports.get(module, {})}
                self.scope.values.update({name: self._member_of_module(None, module, name) for name in sorted(listed) if "." not in name})
            else:
                self.scope.values[alias.asname or alias.name] = self._member_of_module(alias, module, alias.name)

    def _module(self, node: ast.AST, module: str) -> bool:
        self._use(f"pyflink.{module}")
        absence = self.names.absent_module(module)
        self._find(node, absence, f"pyflink.{module}")
        return absence is None or self.names.is_module(module)

    def _member_of_module(self, node: ast.AST | None, module: str, name: str, column: int | None = None) -> Any:
        below = f"{module}.{name}".lstrip(".")
        if self.names.is_module(below) and self.names.find(module, name) is None:
            return _Module(below)
        if node is not None:
            self._use(f"{module}.{name}".lstrip("."))
            if self.names.absent_module(module) is None:
                absence = self.names.absent(module, name)
                if absence is not None and self.names.find(module, name) is None and absence.kind == "missing":
                    absence = Absence("missing", f"pyflink.{below} is neither in PyFlink nor here")
                self._find(node, absence, f"pyflink.{below}", column)
        found = self.names.find(module, name)
        if found is None:
            return None
        full = self.names.class_of(f"{found[0]}.{found[1]}")
        if full is not None:
            return _Class(full)
        return _Method("", found[0], found[1]) if self.names.function(*found) else None

    # ---- Statements ----

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            found, self.report.findings = self.report.findings, set()
            self.generic_visit(node)
            self.report.findings = found
            return
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        for target in node.targets:
            self._bind(target, value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        value = self.value(node.value) if node.value is not None else None
        self._bind(node.target, value if value is not None else self._annotated(node.annotation))

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self._bind(node.target, self.value(node.value))

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.value(node.value)
        self._bind(node.target, None)

    def visit_For(self, node: ast.For) -> None:
        self.value(node.iter)
        self._bind(node.target, None)
        for statement in [*node.body, *node.orelse]:
            self.visit(statement)

    def visit_With(self, node: ast.With) -> None:
        for item in node.items:
            value = self.value(item.context_expr)
            if item.optional_vars is not None:
                self._bind(item.optional_vars, value)
        for statement in node.body:
            self.visit(statement)

    def visit_Return(self, node: ast.Return) -> None:
        value = self.value(node.value) if node.value is not None else None
        if self.scope.result is None:
            self.scope.result = value

    def visit_Expr(self, node: ast.Expr) -> None:
        self.value(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        function = _UserFunction(node, self.scope)
        self.scope.values[node.name] = function
        self.waiting.append(function)
        for decorator in node.decorator_list:
            self.value(decorator)
        for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
            self.value(default)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - ast's name

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        bases = []
        for base in node.bases:
            # MapFunction[int, str] is a MapFunction.
            bases.append(self.value(base.value if isinstance(base, ast.Subscript) else base))
        made = _UserClass(node, bases)
        self.scope.values[node.name] = made
        outer, self.scope = self.scope, _Scope(self.scope)
        for statement in node.body:
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
                for decorator in statement.decorator_list:
                    self.value(decorator)
                # A method sees the names around the class, not those in it.
                self.waiting.append(_UserFunction(statement, outer, made))
            else:
                self.visit(statement)
        made.attributes.update(self.scope.values)
        self.scope = outer

    def generic_visit(self, node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.value(child)
            else:
                self.visit(child)

    def _bind(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Name):
            self.scope.values[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            for entry in target.elts:
                self._bind(entry, None)
        elif isinstance(target, ast.Attribute):
            owner = self.value(target.value, is_target=True)
            if isinstance(owner, _UserInstance) and value is not None:
                owner.of.attributes[target.attr] = value
        elif isinstance(target, ast.Starred):
            self._bind(target.value, None)
        else:
            self.generic_visit(target)

    def _annotated(self, annotation: ast.expr | None) -> Any:
        """An instance of the class that an annotation names."""
        if annotation is None:
            return None
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            try:
                annotation = ast.parse(annotation.value, mode="eval").body
            except SyntaxError:
                return None
        if isinstance(annotation, ast.Subscript):
            return None
        kept = self.report.findings, self.report.used
        self.report.findings, self.report.used = set(), set()
        named = self.value(annotation)
        self.report.findings, self.report.used = kept
        if isinstance(named, _Class):
            return _Instance(named.full)
        return _UserInstance(named) if isinstance(named, _UserClass) else None

    # ---- Functions of the script ----

    def _read_function(self, function: _UserFunction, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        if function.is_read:
            return function.result
        function.is_read = True
        node, outer = function.node, self.scope
        self.scope = _Scope(function.scope)
        parameters = [*node.args.posonlyargs, *node.args.args]
        given = list(arguments)
        if function.of is not None and not any(isinstance(entry, ast.Name) and entry.id == "staticmethod" for entry in node.decorator_list):
            given.insert(0, _UserInstance(function.of))
        for index, parameter in enumerate([*parameters, *node.args.kwonlyargs]):
            value = self._annotated(parameter.annotation)
            if value is None and index < min(len(given), len(parameters)):
                value = given[index]
            if value is None:
                value = keywords.get(parameter.arg)
            if value is None and function.of is not None:
                value = self._given_by_the_api(function.of, node.name, index - 1)
            self.scope.values[parameter.arg] = value
        for statement in node.body:
            self.visit(statement)
        function.result = self.scope.result
        if function.result is None:
            function.result = self._annotated(node.returns)
        self.scope = outer
        return function.result

    def _given_by_the_api(self, owner: _UserClass, method: str, index: int) -> Any:
        for base in owner.api_bases():
            member = self.names.member(base, method)
            if member is not None and 0 <= index < len(member.parameters):
                full = self.names.class_of(member.given.get(member.parameters[index], ""))
                return None if full is None else _Instance(full)
        return None

    # ---- Expressions ----

    def value(self, node: ast.expr, is_target: bool = False) -> Any:
        """What an expression is; reads all in it."""
        if isinstance(node, ast.Name):
            return self.scope.find(node.id)
        if isinstance(node, ast.Attribute):
            return self._attribute(node, self.value(node.value), is_target)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.IfExp):
            self.value(node.test)
            first, second = self.value(node.body), self.value(node.orelse)
            return first if first is not None else second
        if isinstance(node, (ast.Await, ast.Starred)):
            return self.value(node.value)
        if isinstance(node, ast.NamedExpr):
            value = self.value(node.value)
            self._bind(node.target, value)
            return value
        if isinstance(node, ast.Lambda):
            self._inner([*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs], [node.body])
            return None
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)):
            self._comprehension(node)
            return None
        self.generic_visit(node)
        return None

    def _inner(self, parameters: list[ast.arg], bodies: list[ast.expr]) -> None:
        self.scope = _Scope(self.scope)
        self.scope.values.update({parameter.arg: None for parameter in parameters})
        for body in bodies:
            self.value(body)
        self.scope = self.scope.parent or self.scope

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        self.scope = _Scope(self.scope)
        for part in node.generators:
            self.value(part.iter)
            self._bind(part.target, None)
            for condition in part.ifs:
                self.value(condition)
        for result in [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]:
            self.value(result)
        self.scope = self.scope.parent or self.scope

    def _attribute(self, node: ast.Attribute, owner: Any, is_target: bool) -> Any:
        name = node.attr
        self.is_called = node is self.called
        column = (node.end_col_offset or 0) - len(name.encode())
        at = ast.copy_location(ast.Pass(), node)
        at.lineno = node.end_lineno or node.lineno
        if isinstance(owner, _Module):
            return self._member_of_module(at, owner.name, name, column)
        if isinstance(owner, _UserInstance):
            return self._user_attribute(at, owner.of, name, column)
        if isinstance(owner, _UserClass):
            return owner.attributes.get(name)
        if not isinstance(owner, (_Class, _Instance)) or is_target or name.startswith("_"):
            return None
        return self._member(at, owner.full, name, column, isinstance(owner, _Class))

    def _member(self, node: ast.AST, full: str, name: str, column: int, of_class: bool) -> Any:
        inner = self.names.class_of(f"{full}.{name}") if of_class else None
        if inner is not None:
            return _Class(inner)
        bare = self.names.split(full)[1]
        member = self.names.member(full, name)
        self._use(f"{bare}.{name}")
        absence = self.names.absent_member(full, name)
        if absence is not None and member is None and absence.kind == "missing":
            # An attribute that only instances have cannot be told from a mistake, unless it is called.
            if self.names.our_class(full) is None or not self.is_called or self.names.split(full)[1] in ("Row", "Expression"):
                return None
            absence = Absence("missing", f"{bare}.{name} is neither in PyFlink nor here")
        self._find(node, absence or self.names.without_effect(full, name), f"{bare}.{name}", column)
        if member is None:
            return None
        if member.kind in "pc":
            return self._instance(member.result)
        return _Method(full, "", name)

    def _user_attribute(self, node: ast.AST, owner: _UserClass, name: str, column: int) -> Any:
        if name in owner.attributes:
            return owner.attributes[name]
        if name in owner.methods:
            return next((entry for entry in self.waiting if entry.node is owner.methods[name]), None)
        for base in owner.api_bases():
            if self.names.member(base, name) is not None:
                return self._member(node, base, name, column, False)
        return None

    def _instance(self, result: str) -> Any:
        full = self.names.class_of(result) if result else None
        return None if full is None else _Instance(full)

    def _call(self, node: ast.Call) -> Any:
        if isinstance(node.func, ast.Attribute):
            owner = self.value(node.func.value)
            self.called = node.func
            called = self._attribute(node.func, owner, False)
        else:
            called = self.value(node.func)
        arguments = [self.value(argument) for argument in node.args]
        keywords = {keyword.arg: self.value(keyword.value) for keyword in node.keywords}
        named = [keyword for keyword in keywords if keyword is not None]
        counted = None if any(isinstance(argument, ast.Starred) for argument in node.args) else len(node.args)
        if isinstance(called, _UserFunction):
            return self._read_function(called, arguments, {keyword: keywords[keyword] for keyword in named})
        if isinstance(called, _UserClass):
            # What the constructor puts into self is known to the other methods.
            constructor = next((entry for entry in self.waiting if entry.of is called and entry.node.name == "__init__"), None)
            if constructor is not None:
                self._read_function(constructor, arguments, {keyword: keywords[keyword] for keyword in named})
            return _UserInstance(called)
        if isinstance(called, _Class):
            ours = self.names.our_class(called.full)
            label = self.names.split(called.full)[1]
            self._call_of(node, ours, label, counted, named, is_method=False)
            self._find(node, self.names.without_effect(called.full), label)
            return _Instance(called.full)
        if isinstance(called, _Method) and called.owner:
            member = self.names.member(called.owner, called.name)
            ours = getattr(self.names.our_class(called.owner), called.name, None)
            label = f"{self.names.split(called.owner)[1]}.{called.name}"
            self._call_of(node, ours, label, counted, named, is_method=member is not None and member.kind == "m")
            return None if member is None else self._instance(member.result)
        if isinstance(called, _Method):
            function = self.names.function(called.module, called.name)
            self._call_of(node, getattr(self.names.our_module(called.module), called.name, None), called.name, counted, named, is_method=False)
            return None if function is None else self._instance(function.result)
        return None

    def _call_of(self, node: ast.Call, ours: Any, label: str, counted: int | None, keywords: list[str], is_method: bool) -> None:
        if ours is None or any(keyword.arg is None for keyword in node.keywords):
            counted = None
        if ours is not None:
            # A method is looked up on the class: its first parameter is the instance.
            is_bound = not isinstance(node.func, ast.Attribute) or not is_method
            positional = None if counted is None else counted + (0 if is_bound else 1)
            self._find(node, self.names.differing_call(ours, label, positional, keywords), label)


def check_sql_file(path: str | Path) -> Report:
    """Reads an SQL file and names its statements, none of which is here yet. Raises ``OSError``, and ``ValueError`` for what is no UTF-8."""
    from millstream.pyflink.sql_statements import statements

    report = Report(str(path))
    for statement in statements(Path(path).read_text(encoding="utf-8")):
        text = f"there is no SQL here yet: {statement.kind}{'' if statement.is_whole else ' (it does not end)'}"
        report.findings.add(Finding(statement.line, statement.column, "missing", statement.kind, text))
    return report


def check_command(scripts: Sequence[str], as_json: bool) -> int:
    """Prints what is missing, differs or has no effect, a line each, and a summary.

    Gives 1 if anything is missing or differs, or a file cannot be read; else 0: a script runs with what is accepted without effect.
    """
    files: list[dict[str, Any]] = []
    lines: list[str] = []
    for script in scripts:
        entry: dict[str, Any] = {"file": script, "names": 0, "findings": [], "error": None}
        files.append(entry)
        try:
            report = check_sql_file(script) if script.lower().endswith(".sql") else check_file(script)
        except (OSError, SyntaxError, ValueError) as error:
            entry["error"] = f"cannot be read: {error}"
            lines.append(f"{script}: {entry['error']}")
        else:
            entry["names"] = len(report.used)
            entry["findings"] = [dataclasses.asdict(finding) for finding in report.sorted()]
            lines += [f"{script}:{finding.line}:{finding.column}: {finding.kind}: {finding.text}" for finding in report.sorted()]
    kinds = [finding["kind"] for entry in files for finding in entry["findings"]]
    is_fine = all(kind == "no effect" for kind in kinds) and not any(entry["error"] for entry in files)
    if as_json:
        import json

        print(json.dumps({"release": names().release, "ok": is_fine, "files": files}, indent=2))
    else:
        used = sum(entry["names"] for entry in files)
        counts = f"{kinds.count('missing')} missing, {kinds.count('differs')} differ, {kinds.count('no effect')} without effect"
        summary = f"{used} names of PyFlink used, {counts}"
        unread = sum(1 for entry in files if entry["error"] is not None)
        print("\n".join([*lines, summary + (f"; {unread} of {len(files)} files not checked" if unread else "")]))
    return 0 if is_fine else 1


def _api_module(name: str) -> str | None:
    """A module's name without its package, if that is PyFlink or this one."""
    package, _, module = name.partition(".")
    return module if package in ("pyflink", "millstream") else None
