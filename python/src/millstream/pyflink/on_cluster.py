"""What an interpreter with apache-flink starts with for ``millstream run --target``: the script's jobs go to a cluster.

    python on_cluster.py HOST PORT COUNT SETTING... SCRIPT ARGUMENT...

Imports nothing of Millstream, which this interpreter need not have: ``millstream.*`` is served from ``pyflink.*`` here. What makes the
script's environments makes them for the cluster: `StreamExecutionEnvironment.get_execution_environment` and `TableEnvironment.create`. Modules beside
the script that it imports go with its jobs, as workers get a function of another module by that module's name.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import tempfile
import urllib.request
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any, NoReturn


class _Finder(MetaPathFinder):
    """Finds ``millstream`` and all below it as PyFlink's modules."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != "millstream" and not name.startswith("millstream."):
            return None
        theirs = "pyflink" + name[len("millstream") :]
        try:
            spec = importlib.util.find_spec(theirs)
        except ModuleNotFoundError:
            spec = None
        if spec is None:
            text = f"{name} is Millstream's own, and Flink has no {theirs}: a script for --target uses only what both have"
            raise ModuleNotFoundError(text, name=name)
        return ModuleSpec(name, _Loader(theirs), origin=spec.origin, is_package=spec.submodule_search_locations is not None)


class _Loader(Loader):
    """Puts PyFlink's module under Millstream's name."""

    def __init__(self, theirs: str) -> None:
        self.theirs = theirs

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: Any) -> None:
        sys.modules[module.__name__] = importlib.import_module(self.theirs)


def main() -> None:
    """Reads the command line, prepares the interpreter, and runs the script."""
    host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    settings = dict(setting.split("=", 1) for setting in sys.argv[4 : 4 + count])
    script = sys.argv[4 + count :]
    # Beside this file, which is first on the path.
    import modules_beside  # type: ignore[import-not-found]
    import program  # type: ignore[import-not-found]

    # This folder's names must not hide others; the script's folder takes the place.
    sys.path[0] = ""
    if importlib.util.find_spec("pyflink") is None:
        where = "or name another interpreter by --python or MILLSTREAM_FLINK_PYTHON"
        end(f"{sys.executable} has no apache-flink: `pip install apache-flink` there, {where}")
    check_cluster(host, port)
    sys.meta_path.insert(0, _Finder())
    with tempfile.TemporaryDirectory(prefix="millstream-modules-") as folder:
        connect(host, port, settings, pack_modules(modules_beside, script, folder))
        program.prepare([__file__], explain)
        if script[0] == "-m":
            program.run_module(script[1], script[2:])
        else:
            program.run_script(script[0], script[1:])


def pack_modules(modules_beside: Any, script: list[str], folder: str) -> list[str]:
    """The files that go with the script's jobs: one with the modules beside it, or none."""
    root, modules = modules_beside.modules_beside(script)
    if not modules:
        return []
    archive = Path(folder, "modules.zip")
    modules_beside.pack(root, modules, archive)
    return [str(archive)]


def check_cluster(host: str, port: int) -> None:
    """Asks the cluster who it is, so that a wrong address is said in one line."""
    import importlib.metadata

    try:
        with urllib.request.urlopen(f"http://{host}:{port}/config", timeout=20) as answer:
            theirs = json.load(answer).get("flink-version", "?")
    except (OSError, ValueError) as error:
        end(f"there is no Flink cluster at {host}:{port} ({error})")
    ours = importlib.metadata.version("apache-flink")
    if ours.split(".")[:2] != theirs.split(".")[:2]:
        print(f"millstream run: the cluster has Flink {theirs}, {sys.executable} has {ours}: the same release is needed", file=sys.stderr)


def connect(host: str, port: int, settings: dict[str, str], files: list[str]) -> None:
    """From now on environments are those of the cluster. ``files`` with Python's modules go with each job."""
    from pyflink.common import Configuration  # type: ignore[import-not-found]
    from pyflink.datastream import StreamExecutionEnvironment  # type: ignore[import-not-found]
    from pyflink.find_flink_home import _find_flink_home  # type: ignore[import-not-found]
    from pyflink.java_gateway import get_gateway  # type: ignore[import-not-found]
    from pyflink.table import TableEnvironment  # type: ignore[import-not-found]
    from pyflink.util.java_utils import to_jarray  # type: ignore[import-not-found]

    # The cluster's workers run this interpreter, unless a setting says otherwise: on other machines it must be there, too.
    options = {"python.executable": sys.executable, "python.client.executable": sys.executable, **settings}
    jars = [str(jar) for jar in sorted(Path(_find_flink_home(), "opt").glob("flink-python*.jar"))]

    def get_execution_environment(configuration: Any = None) -> Any:
        jvm = get_gateway().jvm
        merged = Configuration()
        if configuration is not None:
            merged.add_all(configuration)
        for key, value in options.items():
            merged.set_string(key, value)
        remote = jvm.org.apache.flink.streaming.api.environment.StreamExecutionEnvironment.createRemoteEnvironment
        environment = StreamExecutionEnvironment(remote(host, port, merged._j_configuration, to_jarray(jvm.java.lang.String, jars)))
        for file in files:
            environment.add_python_file(file)
        return environment

    made = TableEnvironment.create

    def create(environment_settings: Any) -> Any:
        environment = made(environment_settings)
        remote = {"execution.target": "remote", "rest.address": host, "rest.port": str(port), "jobmanager.rpc.address": host}
        remote["pipeline.jars"] = ";".join(Path(jar).as_uri() for jar in jars)
        for key, value in {**remote, **options}.items():
            environment.get_config().set(key, value)
        for file in files:
            environment.add_python_file(file)
        return environment

    StreamExecutionEnvironment.get_execution_environment = staticmethod(get_execution_environment)
    TableEnvironment.create = staticmethod(create)


def explain(error: BaseException) -> None:
    """An import of a name that Flink does not have gets a note."""
    if type(error) is ImportError and (error.name or "").startswith("pyflink") and hasattr(error, "add_note"):
        error.add_note("With --target the names come from Apache Flink; what is Millstream's own cannot run there.")


def end(reason: str) -> NoReturn:
    """Ends the process with status 2."""
    print(f"millstream run: {reason}", file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    main()
