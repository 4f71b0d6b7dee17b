"""Serves ``pyflink.*`` from ``millstream.*``: a finder that comes before all others, so an installed PyFlink is not touched.

A module is one object under both names, and so is each class: ``pyflink.datastream.window is millstream.datastream.window``.
Nothing is loaded twice, and what is pickled by one name is found by the other. The modules' own names stay Millstream's.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["install_as_pyflink", "uninstall_as_pyflink"]

THEIRS = "pyflink"
OURS = "millstream"

#: PyFlink's modules that exist for its Java process, and what a script does instead.
WITHOUT_JVM = {
    "java_gateway": "there is no JVM behind Millstream; leave out get_gateway() and use the Python API alone",
    "pyflink_gateway_server": "there is no JVM behind Millstream, and so no gateway to start",
    "pyflink_callback_server": "there is no JVM behind Millstream, and so nothing calls back from one",
    "find_flink_home": "there is no Flink installation behind Millstream; leave FLINK_HOME out",
    "fn_execution": "functions run in this process, without a worker's protocol; take RuntimeContext and states from pyflink.datastream",
    "proto": "functions run in this process, without a worker's protocol",
    "gen_protos": "functions run in this process, without a worker's protocol",
    "shell": "start python or a notebook, and call StreamExecutionEnvironment.get_execution_environment()",
    "serializers": "values are passed by reference; for a format of your own use pyflink.common.serialization",
    "util.java_utils": "it wraps Java objects, and there is no JVM behind Millstream; use the Python API alone",
    "testing": "it starts Flink's clusters; in a test call env.execute(), or stream.execute_and_collect()",
}
#: Modules of PyFlink that have another place here.
_ELSEWHERE = {"pyflink.version": "millstream.pyflink.version"}


def install_as_pyflink() -> None:
    """From now on ``import pyflink...`` in this process gives Millstream's modules. Does nothing if that is so already.

    Raises ``ImportError`` if another ``pyflink`` was imported before.

    >>> install_as_pyflink()
    >>> from pyflink.datastream import StreamExecutionEnvironment
    >>> StreamExecutionEnvironment.__module__
    'millstream.datastream.stream_execution_environment'
    >>> uninstall_as_pyflink()
    """
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    loaded = sys.modules.get(THEIRS)
    if loaded is not None:
        raise ImportError(f"pyflink is imported already, from {getattr(loaded, '__file__', '?')}; call install_as_pyflink() before", name=THEIRS)
    sys.meta_path.insert(0, _Finder())


def uninstall_as_pyflink() -> None:
    """Ends what :func:`install_as_pyflink` began: later imports of ``pyflink`` find what is installed. What was imported stays usable.

    >>> install_as_pyflink()
    >>> uninstall_as_pyflink()
    """
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
    for name in [name for name in sys.modules if name == THEIRS or name.startswith(THEIRS + ".")]:
        del sys.modules[name]


def our_name(name: str) -> str:
    """The module here that PyFlink's module ``name`` is.

    >>> our_name("pyflink.datastream.window")
    'millstream.datastream.window'
    """
    return _ELSEWHERE.get(name, OURS + name.removeprefix(THEIRS))


def without_jvm(name: str) -> str | None:
    """Why PyFlink's module ``name`` cannot be here, or None.

    >>> without_jvm("pyflink.java_gateway")
    'there is no JVM behind Millstream; leave out get_gateway() and use the Python API alone'
    """
    return next((reason for key, reason in WITHOUT_JVM.items() if f"{name}.".startswith(f"{THEIRS}.{key}.")), None)


class _Finder(MetaPathFinder):
    """Finds ``pyflink`` and all below it, and nothing else."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != THEIRS and not name.startswith(THEIRS + "."):
            return None
        ours = our_name(name)
        reason = without_jvm(name)
        try:
            # Where both have a module of a name that means something else (testing), PyFlink's counts.
            spec = None if reason or any(part.startswith("_") for part in name.split(".")) else importlib.util.find_spec(ours)
        except ModuleNotFoundError:
            spec = None
        if spec is None:
            text = f"{name}: {reason}" if reason else f"module {name}; `millstream check` lists what a script needs and is missing"
            raise ModuleNotFoundError(f"Millstream has no {text}", name=name)
        return ModuleSpec(name, _Loader(ours), origin=spec.origin, is_package=spec.submodule_search_locations is not None)


class _Loader(Loader):
    """Puts the module of one name under another."""

    def __init__(self, ours: str) -> None:
        self.ours = ours

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        # The import system gives what it finds in sys.modules afterwards: the module itself, with its own name and spec.
        sys.modules[module.__name__] = importlib.import_module(self.ours)
