"""Files that a program gives its functions by name."""

from __future__ import annotations

from collections.abc import Mapping

from millstream._tracebacks import guard
from millstream.exceptions import ConfigurationError, nearest

__all__ = ["DistributedCache"]


class DistributedCache:
    """The files that ``env.register_cached_file`` has named, as ``RuntimeContext.get_distributed_cache`` gives them. Flink has it in Java only.

    >>> import pathlib, tempfile
    >>> from millstream.datastream import MapFunction, StreamExecutionEnvironment
    >>> class Read(MapFunction):
    ...     def open(self, runtime_context):
    ...         self.text = pathlib.Path(runtime_context.get_distributed_cache().get_file("greeting")).read_text()
    ...     def map(self, value):
    ...         return self.text
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "greeting.txt"
    ...     size = file.write_text("hello")
    ...     env.register_cached_file(file, "greeting")
    ...     print(list(env.from_collection([1]).map(Read()).execute_and_collect()))
    ['hello']
    """

    def __init__(self, paths: Mapping[str, str]) -> None:
        self._paths = dict(paths)

    def get_file(self, name: str) -> str:
        """The path of a file or directory on this machine. Raises ``ConfigurationError`` for a name that none was registered under."""
        try:
            return self._paths[name]
        except KeyError:
            raise ConfigurationError(f"there is no cached file {name!r}{nearest(name, self._paths)}; env.register_cached_file makes one") from None

    def __repr__(self) -> str:
        return f"DistributedCache({self._paths})"


guard(globals())
