"""Text from a server."""

from __future__ import annotations

from millstream._tracebacks import guard
from millstream.common.typeinfo import TypeInformation, Types
from millstream.datastream.connectors.base import AddSource, Source, source_repr
from millstream.exceptions import ConfigurationError

__all__ = ["SocketTextSource"]


class SocketTextSource(Source):
    """The text that a server sends, cut at each ``delimiter`` (one ASCII character), in one subtask.

    A lost connection is made again at most ``max_retries`` times; after that, and at the server's end, the stream ends.

    >>> SocketTextSource("localhost", 9999)
    SocketTextSource(localhost:9999)
    """

    name = "Socket stream"

    def __init__(self, host: str, port: int, delimiter: str = "\n", max_retries: int = 0) -> None:
        if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 65_535:
            raise ConfigurationError(f"a port is a number from 1 to 65535, not {port!r}")
        if len(delimiter) != 1 or not delimiter.isascii():
            raise ConfigurationError(f"the delimiter is one ASCII character, not {delimiter!r}")
        self._host = host
        self._port = port
        self._delimiter = delimiter
        self._max_retries = max_retries

    @property
    def produced_type(self) -> TypeInformation:
        return Types.STRING()

    def lower(self, type_info: TypeInformation) -> AddSource:
        return lambda builder, _, watermarks: builder.native.source_socket(self._host, self._port, self._delimiter, self._max_retries, watermarks)

    def __repr__(self) -> str:
        return source_repr(self, f"{self._host}:{self._port}")


guard(globals())
