"""A test kit for functions and jobs.

:class:`StreamHarness` and its siblings run functions and small pipelines record by record in the calling thread, with a clock that the test moves.
:func:`collect`, :func:`run_job` and :func:`assert_stream` run small jobs on the engine; :class:`TestStream` is a source whose watermarks the test
decides.

>>> from millstream.testing import StreamHarness
>>> with StreamHarness(lambda numbers: numbers.map(lambda n: n + 1)) as harness:
...     harness.process_element(1)
...     harness.extract_output_values()
[2]
"""

from millstream.testing.assertions import assert_stream, collect, run_job
from millstream.testing.clock import ManualClock
from millstream.testing.harness import CoProcessHarness, KeyedProcessHarness, ProcessHarness, StreamHarness, StreamRecord
from millstream.testing.test_stream import LiveTestStream, TestStream

__all__ = [
    "CoProcessHarness",
    "KeyedProcessHarness",
    "LiveTestStream",
    "ManualClock",
    "ProcessHarness",
    "StreamHarness",
    "StreamRecord",
    "TestStream",
    "assert_stream",
    "collect",
    "run_job",
]
