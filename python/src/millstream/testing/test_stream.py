"""A source whose elements, timestamps and watermarks a test decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

from millstream import _native
from millstream._tracebacks import guard
from millstream.common.typeinfo import PickledBytesTypeInfo, TypeInformation, type_of
from millstream.datastream.connectors.base import AddSource, Source
from millstream.datastream.data_stream import DataStream
from millstream.exceptions import InvalidStateError, PlanError, UnsupportedError

__all__ = ["LiveTestStream", "TestStream"]

_MIN_TIME, _MAX_TIME = -(2**63), 2**63 - 1
_ELEMENT, _WATERMARK, _IDLE = range(3)


class TestStream(Source):
    """Elements and watermarks in the order in which a test wants them: a source of a job, or input of a harness's ``run``.

    Each method but the last adds an event and gives the stream back. In a job the stream ends after its last event, whether :meth:`end` says so or
    not, because a job must end; it brings its own watermarks, so that ``from_source`` takes it without a strategy.

    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> from millstream.datastream.window import Time, TumblingEventTimeWindows
    >>> env = StreamExecutionEnvironment.get_execution_environment()
    >>> clicks = TestStream().add("a", timestamp=1_000).watermark(9_999).add("late", timestamp=2_000).add("b", timestamp=10_000).end()
    >>> windows = env.from_source(clicks).key_by(lambda click: "all").window(TumblingEventTimeWindows.of(Time.seconds(10)))
    >>> list(windows.reduce(lambda a, b: a + b).execute_and_collect())
    ['a', 'b']
    """

    # What the name means to pytest.
    __test__ = False
    name = "TestStream"
    #: Of a job: after so many milliseconds without an element it is idle, and so long it waits for that.
    _idle_timeout, _idle_pause = 50, 200

    def __init__(self, type_info: TypeInformation | list[Any] | str | None = None) -> None:
        """``type_info`` is the type of the elements; without it they stay Python objects."""
        self._type = type_of(type_info, "the type of a TestStream")
        self.events: list[tuple[str, tuple[Any, ...]]] = []

    def add(self, value: Any, timestamp: int | None = None) -> Self:
        """An element, with a timestamp in milliseconds or none."""
        return self._event("add", value, None if timestamp is None else _time(timestamp))

    def add_all(self, values: Iterable[Any], timestamp: int | None = None) -> Self:
        """Several elements with one timestamp, or none."""
        for value in values:
            self.add(value, timestamp)
        return self

    def watermark(self, timestamp: int) -> Self:
        """A watermark, in milliseconds: no element with a timestamp up to it comes any more.

        Raises ``ValueError`` if it is not later than the last.
        """
        last = max((event[1][0] for event in self.events if event[0] == "watermark"), default=_MIN_TIME)
        if _time(timestamp) <= last:
            raise ValueError(f"a watermark must be later than the one before it: {timestamp} <= {last}")
        return self._event("watermark", timestamp)

    def idle(self) -> Self:
        """The stream is idle until its next element: it holds no watermark back.

        In a job that goes by the machine's clock: the source waits for a fifth of a second. A harness is idle at once.
        """
        return self._event("idle")

    def advance_processing_time(self, milliseconds: int) -> Self:
        """The clock moves on. Only for a harness: a job has the machine's clock, so that ``from_source`` raises ``UnsupportedError``."""
        if _time(milliseconds) < 0:
            raise ValueError(f"the clock does not go back: {milliseconds}")
        return self._event("advance_processing_time", milliseconds)

    def end(self) -> Self:
        """The end of the stream, with the last watermark: all event-time timers and windows fire. Nothing can be added behind it."""
        return self._event("end")

    # ---- As a source ----

    @property
    def produced_type(self) -> TypeInformation:
        # Rows of the source are events; `finish` makes the elements of them.
        return PickledBytesTypeInfo()

    def lower(self, type_info: TypeInformation) -> AddSource:
        if any(name == "advance_processing_time" for name, _ in self.events):
            raise UnsupportedError(_CLOCK_HINT)
        rows = self._rows_of_job()
        has_idle = any(name == "idle" for name, _ in self.events)

        def add(builder: Any, transformation: Any, watermarks: _native.Watermarks | None) -> int:
            if watermarks is not None:
                raise PlanError("a TestStream has its own watermarks: from_source takes it without a strategy")
            clock = builder.env._clock
            if has_idle and clock is not None:
                raise UnsupportedError("idle() goes by the machine's clock, and this job has another one")
            reader = self._reader(rows, builder)
            if clock is not None:
                clock._supplied_by(reader)
            name = transformation.name
            own = _native.Watermarks(
                timestamps=_native.extract_timestamps(reader.timestamp, "OBJECT", name),
                generator=_native.watermark_generator((reader.on_event, reader.on_periodic_emit), name),
                idle_timeout=self._idle_timeout if has_idle else -1,
            )
            native: _native.Environment = builder.native
            return native.source_function(_native.source(reader.read, "OBJECT", name), True, own)

        return add

    def _rows_of_job(self) -> list[Row]:
        return _rows(self.events)

    def _reader(self, rows: list[Row], builder: Any) -> _Reader:
        return _Reader(rows, self._idle_pause / 1_000, builder)

    def finish(self, stream: DataStream) -> DataStream:
        return stream.flat_map(_elements, self._type).name(self.name)

    def _event(self, name: str, *arguments: Any) -> Self:
        if self.events and self.events[-1][0] == "end":
            raise InvalidStateError(f"the stream has ended: {name} comes after end()")
        self.events.append((name, arguments))
        return self

    def __repr__(self) -> str:
        return f"<TestStream of {self._type!r}, {len(self.events)} events>"


class LiveTestStream(TestStream):
    """A :class:`TestStream` that a test goes on with while the job runs, until :meth:`end`. With a :class:`ManualClock` the two take turns.

    >>> from millstream.common import Types
    >>> from millstream.datastream import StreamExecutionEnvironment
    >>> from millstream.datastream.window import Time, TumblingProcessingTimeWindows
    >>> from millstream.testing import ManualClock
    >>> env, clock, found = StreamExecutionEnvironment.get_execution_environment(), ManualClock(), []
    >>> clicks = LiveTestStream(Types.LONG())
    >>> windows = env.set_clock(clock).from_source(clicks).key_by(lambda click: 0).window(TumblingProcessingTimeWindows.of(Time.minutes(1)))
    >>> _ = windows.reduce(lambda a, b: a + b).add_sink(found.append)
    >>> job = env.execute_async()
    >>> _ = clicks.add(1).add(2)
    >>> clock.advance(60_000)
    >>> found
    [3]
    >>> _ = clicks.end()
    >>> job.wait()
    True
    """

    def __init__(self, type_info: TypeInformation | list[Any] | str | None = None) -> None:
        """``type_info`` is the type of the elements; without it they stay Python objects."""
        super().__init__(type_info)
        #: What the jobs read; it grows while they do.
        self._live_rows: list[Row] = []

    def advance_processing_time(self, milliseconds: int) -> Self:
        """Raises ``UnsupportedError``: it is the clock that a test moves while a job runs."""
        raise UnsupportedError(_CLOCK_HINT)

    def idle(self) -> Self:
        """Raises ``UnsupportedError``: whether it is idle is known only when the job starts."""
        raise UnsupportedError("a LiveTestStream is never idle; a TestStream may be")

    @property
    def has_ended(self) -> bool:
        """Whether :meth:`end` was called."""
        return bool(self.events) and self.events[-1][0] == "end"

    def _event(self, name: str, *arguments: Any) -> Self:
        super()._event(name, *arguments)
        self._live_rows += _rows([(name, arguments)])
        return self

    def _rows_of_job(self) -> list[Row]:
        return self._live_rows

    def _reader(self, rows: list[Row], builder: Any) -> _Reader:
        return _LiveReader(self, rows, builder)


_CLOCK_HINT = (
    "in a job the clock is moved from outside: give the environment a ManualClock (env.set_clock) and call its advance; "
    "advance_processing_time is for a StreamHarness"
)

Row = tuple[int, Any, int]


class _Reader:
    """Reads the events of one job. Everything here is called by one subtask."""

    def __init__(self, rows: Sequence[Row], idle_pause: float, builder: Any) -> None:
        self._rows = rows
        self._builder = builder
        self._place = 0
        self._idle_pause = idle_pause
        self._must_pause = False
        self._watermark: int | None = None

    def read(self, limit: int) -> list[Row] | float | None:
        """The rows up to a watermark, which goes out behind them."""
        if self._must_pause:
            self._must_pause = False
            return self._idle_pause
        if self._place == len(self._rows):
            return self._at_end()
        first = self._place
        while self._place < len(self._rows) and self._place - first < limit:
            row = self._rows[self._place]
            self._place += 1
            if row[0] != _ELEMENT:
                self._must_pause = row[0] == _IDLE
                break
        return list(self._rows[first : self._place])

    def _at_end(self) -> float | None:
        return None

    def is_taken(self) -> bool:
        """Whether the job has read all there is, or reads no more."""
        job = self._builder.job
        return self._place == len(self._rows) or job is None or job.status() in ("FAILED", "CANCELED", "FINISHED")

    def timestamp(self, row: Row, _: int) -> int:
        """A row's timestamp; a watermark is noted for the generator, which is asked after the rows have gone on."""
        if row[0] == _WATERMARK:
            self._watermark = row[2]
            return _MIN_TIME
        return row[2]

    def on_event(self, timestamp: int) -> None:
        """Elements do not move the watermark."""

    def on_periodic_emit(self) -> int | None:
        """The last watermark that was read."""
        return self._watermark


class _LiveReader(_Reader):
    """Waits for further events. So shortly that nobody needs to tell it: the machine sleeps in between."""

    def __init__(self, stream: LiveTestStream, rows: Sequence[Row], builder: Any) -> None:
        super().__init__(rows, 0, builder)
        self._stream = stream

    def _at_end(self) -> float | None:
        # The end may have come after we looked at the rows.
        return None if self._stream.has_ended and self._place == len(self._rows) else 0.002


def _rows(events: Iterable[tuple[str, tuple[Any, ...]]]) -> list[Row]:
    rows: list[Row] = []
    for name, arguments in events:
        if name == "add":
            rows.append((_ELEMENT, arguments[0], _MIN_TIME if arguments[1] is None else arguments[1]))
        elif name == "watermark":
            rows.append((_WATERMARK, None, arguments[0]))
        elif name == "idle":
            rows.append((_IDLE, None, _MIN_TIME))
    return rows


def _elements(row: Row) -> tuple[Any, ...]:
    return (row[1],) if row[0] == _ELEMENT else ()


def _time(value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"time is an int of milliseconds, not {value!r}")
    if not _MIN_TIME < value <= _MAX_TIME:
        raise ValueError(f"time has 64 bits: {value} has more")
    return value


guard(globals())
