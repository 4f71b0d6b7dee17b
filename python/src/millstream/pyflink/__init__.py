"""PyFlink's scripts, unchanged: its imports served from this package, and a check of the names that a script uses.

``millstream run job.py`` does this for a whole process. In a notebook or a test:

>>> from millstream.pyflink import install_as_pyflink, uninstall_as_pyflink
>>> install_as_pyflink()
>>> from pyflink.datastream import StreamExecutionEnvironment
>>> env = StreamExecutionEnvironment.get_execution_environment()
>>> list(env.from_collection([1, 2]).execute_and_collect())
[1, 2]
>>> uninstall_as_pyflink()
"""

from millstream.pyflink.imports import install_as_pyflink, uninstall_as_pyflink

__all__ = ["install_as_pyflink", "uninstall_as_pyflink"]
