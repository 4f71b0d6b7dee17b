"""Millstream: stateful stream processing inside your process, with PyFlink's API.

>>> from millstream.datastream import StreamExecutionEnvironment
>>> env = StreamExecutionEnvironment.get_execution_environment()
>>> list(env.from_collection([1, 2, 3]).map(lambda n: n + 1).execute_and_collect())
[2, 3, 4]
"""

from millstream._version import __version__
from millstream.decorators import add_version_doc, keyword

__all__ = ["__version__", "add_version_doc", "keyword"]
