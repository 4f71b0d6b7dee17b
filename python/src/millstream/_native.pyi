"""The one door to libmillstream: a C extension over `millstream.h`.

Private: programs import `millstream.datastream` and its siblings, which wrap this module as thinly as possible. Names follow the header.

Terms used below.

* *Schema text*: Flink's type syntax as in `millstream.h`. `"BIGINT"` is a stream of bare values, `"ROW<word STRING, n BIGINT>"` gives `Row` objects,
  `"TUPLE<STRING, BIGINT>"` gives Python tuples, `"OBJECT"` passes Python objects by reference.
* *Node*: an int, the node of an environment in the order of creation.
* *Callables* are called on the engine's threads with the GIL held, never twice at once for one subtask.

Conversion of values (Python -> declared type; back it gives the first Python type named):

| type | Python |
|---|---|
| BOOLEAN | bool (numpy.bool_ too) |
| TINYINT, SMALLINT, INT, BIGINT | int, or an object with `__index__` that is no bool; out of range is refused |
| FLOAT, DOUBLE | float, int, or an object with `__float__` that is no str |
| DECIMAL(p, s) | decimal.Decimal (int accepted); NaN and infinity refused; rounded half up to s digits, more than p digits refused |
| CHAR, VARCHAR, STRING | str; lone surrogates refused |
| BINARY, VARBINARY, BYTES | bytes (bytearray and memoryview accepted) |
| DATE, TIME | datetime.date, datetime.time |
| TIMESTAMP(p) | datetime.datetime without a zone |
| TIMESTAMP_LTZ(p) | the registered Instant class, else an aware datetime in UTC; accepts Instant and aware datetimes |
| INTERVAL DAY TO SECOND | datetime.timedelta |
| INTERVAL YEAR TO MONTH | int (months) |
| ARRAY, MULTISET | list (any sequence that is no str); array.array and numpy arrays are accepted |
| MAP | dict |
| ROW<...> | the registered Row class; accepts Row, tuple, list and dict |
| TUPLE<...> | tuple; accepts list and Row |
| RAW | bytes |
| OBJECT | anything |
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, TypeVar, final, overload

# ---- Version ------------------------------------------------------------------------------------------------------------------------------------

ABI_VERSION: Final[int]
"""The header that the extension was built against."""

def version() -> str:
    """The engine's version, for example "0.1.0"."""

# ---- Errors -------------------------------------------------------------------------------------------------------------------------------------

class MillstreamError(Exception):
    """Base of all errors of the engine. `str(error)` is the message and, if there is one, the hint on a second line."""

    code: str
    """Of the status, for example "INVALID_ARGUMENT"."""
    message: str
    hint: str | None
    operator: str | None
    """The operator's name."""
    record: int | None
    """The record's index in the operator's input."""

class InvalidArgumentError(MillstreamError, ValueError): ...
class InvalidHandleError(MillstreamError): ...
class InvalidStateError(MillstreamError): ...
class ConfigurationError(MillstreamError, ValueError): ...
class PlanError(MillstreamError): ...

class TypeMismatchError(MillstreamError, TypeError):
    """A value does not fit its declared type. The message names the field's path, the declared type, the value's type and its repr (200 characters)."""

class DecodeError(MillstreamError, ValueError): ...
class InputOutputError(MillstreamError, OSError): ...

class UserFunctionError(MillstreamError):
    """A function of the user failed in a way that left no exception of its own."""

class KeyValueError(MillstreamError):
    """None, an unhashable value, or keys of different types under one `key_by`."""

class EventTimeError(MillstreamError, ValueError): ...
class CancelledError(MillstreamError): ...
class LimitExceededError(MillstreamError): ...
class ArithmeticFailure(MillstreamError, ArithmeticError): ...
class UnsupportedError(MillstreamError, NotImplementedError): ...
class InternalError(MillstreamError): ...
class CommitUnknownError(MillstreamError): ...

class EngineForkedError(MillstreamError):
    """The process was forked after the engine had started: the child has no engine. Raised by every call in the child."""

_Value = TypeVar("_Value")

@final
class Border:
    """A function of the package; exceptions that leave it lose the package's frames (`millstream._tracebacks.leave`). A wrapper without a frame."""

    __wrapped__: Callable[..., Any]
    def __new__(cls, function: Callable[..., Any]) -> Border: ...
    def __call__(self, *arguments: Any, **keywords: Any) -> Any: ...

@final
class BorderIterator(Iterator[_Value]):
    """The same for an iterator, which keeps its owner alive."""

    def __new__(cls, iterator: Iterator[_Value], owner: object) -> BorderIterator[_Value]: ...
    def __next__(self) -> _Value: ...

# ---- Classes of the Python package that C must know -----------------------------------------------------------------------------------------------

class RowBase:
    """What `Row` is made of; C creates and reads it without a Python call. Subclass it with `__slots__ = ()`.

    C calls neither `__new__` nor `__init__` of the subclass when it makes a row: it fills the three attributes.
    """

    _values: list[Any]
    _fields: tuple[str, ...] | None
    """The names, shared by all rows of a schema; None for a row without names."""
    _row_kind: int
    """+I 0, -U 1, +U 2, -D 3."""

    def __init__(self, values: Iterable[Any] = (), fields: Sequence[str] | None = None, row_kind: int = 0) -> None: ...

def register_row_class(cls: type[RowBase]) -> None:
    """The class of the rows that C makes; `RowBase` itself before."""

def register_output_tag_class(cls: type) -> None:
    """Results `(tag, value)` with `isinstance(tag, cls)` go to the side output `tag.tag_id`."""

def register_instant_class(cls: type) -> None:
    """Made as `cls(seconds, nanoseconds)`; read by its attributes `seconds` and `nanos`. Default: aware datetimes."""

# ---- Schemas ------------------------------------------------------------------------------------------------------------------------------------

def parse_schema(text: str) -> str:
    """Checks a schema's text and gives the canonical form. Raises PlanError or InvalidArgumentError."""

def schema_to_arrow(text: str) -> Any:
    """A PyCapsule "arrow_schema" (a struct type)."""

def schema_from_arrow(schema: Any) -> str:
    """The text of a capsule "arrow_schema" or of an object with `__arrow_c_schema__`."""

def check_value(value: Any, schema: str) -> Any:
    """Converts a value to the schema and back, as crossing an operator would. Raises TypeMismatchError."""

def value_check(schema: str) -> Callable[[Any], Any]:
    """A function that gives a value as it goes on in a stream of a schema, and raises ``TypeMismatchError`` for one that does not fit."""

def stable_hash(key: Any) -> int:
    """The hash that routes an OBJECT key (docs/hash.md), 0 ... 2**64 - 1. Raises KeyValueError."""

# ---- Functions of the program ---------------------------------------------------------------------------------------------------------------------

@final
class PerSubtask:
    """A function that each subtask gets its own copy of (`MapFunction` and the other classes with `open` and `close`).

    `make()` is called once per subtask and gives `(callables, open, close)`: one callable, or a tuple of them where the factory below names several;
    `open(subtask_index, parallelism, max_parallelism)` is called before the first record, `close()` after the last, also after a failure. Either
    may be None. Wherever a factory below takes a callable (or a tuple of callables) it takes a PerSubtask as well.

    `describe`: the user's function or object, for "file:line" in messages.
    """

    make: Callable[[], tuple[Any, Callable[[int, int, int], None] | None, Callable[[], None] | None]]
    def __new__(cls, make: Callable[[], tuple[Any, Callable[[int, int, int], None] | None, Callable[[], None] | None]], describe: Any = None) -> PerSubtask: ...

class TypedValue:
    """A value of a state with a declared nested type, and the text of the type."""

    def __init__(self, value: Any, type: str) -> None: ...
    @property
    def value(self) -> Any: ...
    @property
    def type(self) -> str: ...

def encode_value(value: Any, /) -> bytes:
    """A Python object as a checkpoint has it (docs/state-format.md). Raises ValueError for one that cannot be written."""

def decode_value(data: bytes, /) -> Any:
    """The object that `encode_value` wrote. Raises ValueError for damaged bytes, and for classes that the program has not allowed."""

def set_call_site(place: str | None) -> None:
    """Where the user made the operator whose functions this thread makes next, as "file:line": said of functions that have no place of their own."""

@final
class Function:
    """A host function, ready to be given to nodes. Nodes keep it alive."""

    name: str
    recipe: tuple[str, tuple[Any, ...], dict[str, Any]] | None
    """What it was made of: the factory's name, its arguments and keywords; None for factories that the test kit's twin does not run."""

StageKind = Literal["map", "flat_map", "filter", "key", "map_arrow"]
Stage = tuple[StageKind, Callable[..., Any] | PerSubtask, str, str | None]
"""(kind, callable, operator's name, output schema).

`map`: value -> value. `flat_map`: value -> iterable or None. `filter`: value -> truth; schema None (the input's). `key`: value -> key, only as the last stage;
its schema is the key's (`"OBJECT"` if undeclared); the rows pass on unchanged. `map_arrow`: a PyCapsule pair object with `__arrow_c_array__` -> an object with
`__arrow_c_array__` or `__arrow_c_stream__` of the same number of rows (only alone, never fused)."""

def transform(stages: Sequence[Stage], input_schema: str) -> Function:
    """One crossing for a chain of stages (TRANSFORM). The engine fuses the functions of chained nodes further.

    A `key` stage makes it a function for `Environment.key_selector`. Raises TypeError for what is not callable."""

def extract_timestamps(extract: Callable[[Any, int], int] | PerSubtask, schema: str, name: str) -> Function:
    """`extract(value, record_timestamp)` -> milliseconds. `record_timestamp` is -2**63 where there is none."""

def watermark_generator(callables: tuple[Callable[[int], None], Callable[[], int | None]] | PerSubtask, name: str) -> Function:
    """`(on_event(timestamp), on_periodic_emit() -> watermark in milliseconds or None)`."""

def partitioner(partition: Callable[[Any, int], int] | PerSubtask, key_schema: str, name: str, schema: str = ...) -> Function:
    """`partition(key, number_of_partitions)` -> channel. `key_schema`: a bare type, or ROW or TUPLE for several key columns.

    `schema`: the records', which failures then show.
    """

def reducer(
    reduce: Callable[[Any, Any], Any] | PerSubtask, schema: str, name: str, first: Callable[[Any], Any] | None = ...
) -> Function:
    """`reduce(accumulated, value)` -> accumulated; for `Environment.reduce` and for windows. `first(value)` -> what a key's first value is reduced to."""

def aggregator(
    callables: tuple[Callable[[], Any], Callable[[Any, Any], Any], Callable[[Any], Any], Callable[[Any, Any], Any]] | PerSubtask,
    schema: str,
    accumulator_schema: str,
    output_schema: str,
    name: str,
) -> Function:
    """`(create() -> acc, add(value, acc) -> acc, get_result(acc) -> result, merge(acc, acc) -> acc)`, PyFlink's AggregateFunction."""

def process(
    make: Callable[[Context], tuple[tuple[Callable[..., Any], Callable[..., Any] | None], Callable[[int, int, int], None] | None, Callable[[], None] | None]],
    schema: str,
    output_schema: str,
    name: str,
    *,
    key_schema: str | None = None,
    side_outputs: Mapping[str, str] | None = None,
    describe: Any = None,
    context: type[Context] | None = None,
) -> Function:
    """A process function. `make(context)` is called once per subtask and gives `((process_element, on_timer), open, close)`.

    `process_element(value, context)` and `on_timer(timestamp, context)` give None or an iterable of values and `(OutputTag, value)`. `on_timer` may be
    None. `key_schema` None: not keyed, else the key's type (a bare type, or ROW or TUPLE for several key columns). `side_outputs`: tag -> schema, the same
    as given to `Environment.add_side_output`. States are declared with `Environment.process` and reached by `ValueState(context, index)` and so on, which
    `make` or `open` creates. `context`: a subclass of Context to make the context of."""

def co_process(
    make: Callable[[Context], tuple[tuple[Any, ...], Callable[[int, int, int], None] | None, Callable[[], None] | None]],
    schema1: str,
    schema2: str,
    output_schema: str,
    name: str,
    *,
    key_schema: str | None = None,
    side_outputs: Mapping[str, str] | None = None,
    describe: Any = None,
    context: type[Context] | None = None,
) -> Function:
    """A process function over two connected streams, for `Environment.co_process`. `make(context)` gives
    `((process_element1, process_element2, on_timer, context1, context2, on_timer_context), open, close)`.

    The methods and the other arguments are those of `process`. `on_timer` may be None; a context that is not None is what its method gets instead of the
    engine's."""

def window_process(
    make: Callable[[WindowContext], tuple[Callable[..., Any], Callable[[int, int, int], None] | None, Callable[[], None] | None]],
    schema: str,
    output_schema: str,
    name: str,
    *,
    key_schema: str | None = None,
    side_outputs: Mapping[str, str] | None = None,
    make_window: Callable[[int | None, int | None], Any] | None = None,
    describe: Any = None,
    context: type[WindowContext] | None = None,
) -> Function:
    """A window function: `process(key, context, elements)` -> None or an iterable. `elements` is a list.

    `schema`: of the elements, or of the one result beside `reduce` or `aggregate`. `make_window(start, end)` makes `context.window()`; (None, None) for count
    windows; default: the tuple."""

class Notifier:
    """Tells a subtask of an asynchronous function that results can be asked for. From any thread; does nothing when the subtask has ended."""

    def __call__(self) -> None: ...

AsyncRecord = tuple[int, Any]
"""A record's number in the subtask's input, and its value."""
AsyncResults = tuple[list[Any], list[int], list[AsyncRecord], list[int], bool, tuple[BaseException, int, AsyncRecord] | None]
"""Values, the slot and the record that each came of; slots that are free again; whether there is more at once; what failed, with slot and record."""

def asynchronous(make: PerSubtask, schema: str, output_schema: str, name: str) -> Function:
    """Rows that others are done with some time later. `make()` gives `((start, poll), open, close)`, all called by one thread at a time.

    `start(notify, slots, values, epoch, record)` begins with values and returns at once; `record` is the number of the first in the input. When any is
    done, or has failed, `notify()` is called from any thread, and `poll(epoch)` gives results (`AsyncResults`) of values of that epoch alone."""

def source(
    read: Callable[[int], Any] | tuple[Callable[[int], Any], Callable[[], bytes | None] | None, Callable[[int, bytes | None], None]] | PerSubtask,
    schema: str,
    name: str,
    *,
    context: type[Context] | None = None,
    snapshots: bool = False,
) -> Function:
    """With `context`, `read` is a PerSubtask whose make gets one: the door to operator state.

    `read(limit)` -> at most so many values, or what has `__arrow_c_array__`, with at most so many rows; a number: nothing at hand, ask again in so many seconds; None: the source has ended. An exception fails the job.

    With `snapshots` the callables are `(read, snapshot, restore)`: `snapshot()` gives the position as bytes, or None, and `restore(row, position)` goes to it;
    `row` counts the values read before. It is called in each job before the first `read`, also at the beginning, with row 0 and None."""

def collection(values: Sequence[Any], schema: str, name: str) -> Function:
    """A bounded source over a sequence, which must not be changed afterwards. Read and converted in C, slice by slice."""

def sink(
    write: Callable[[list[Any]], None] | tuple[Callable[[list[Any]], None], Callable[[bool], None]] | PerSubtask,
    schema: str,
    name: str,
    *,
    context: type[Context] | None = None,
    takes_columns: bool = False,
    commits: bool = False,
) -> Function:
    """`write(values)`, or `(write, flush)`: `flush(end_of_input)` makes everything durable. `context` as for :func:`source`. With `takes_columns`, `write` gets an
    object with `__arrow_c_array__` instead of a list. With `commits` the callables are `(write, flush, snapshot, restore, commit)`: `flush` gives
    committables as bytes, `snapshot()` the writer's state or None, `restore(0, state)` takes one, and `commit(committables)` gives for each the number of its
    outcome and a message or None."""

# ---- What a process function sees -----------------------------------------------------------------------------------------------------------------

class Context:
    """The context of a process function: PyFlink's names, each a direct C call. Only valid in process_element and on_timer.

    It also serves as its own timer service. Subclasses may add methods."""

    def timestamp(self) -> int | None:
        """Milliseconds of the current element or timer; None if it has none."""
    def get_current_key(self) -> Any: ...
    def timer_service(self) -> Context: ...
    def current_watermark(self) -> int: ...
    def current_processing_time(self) -> int: ...
    def declare_operator_state(self, name: str, kind: StateKind, value_schema: str, key_schema: str | None, /) -> int:
        """While the function is opened: adds an operator state, or finds it, and gives its index."""
    def register_event_time_timer(self, timestamp: int) -> None: ...
    def register_processing_time_timer(self, timestamp: int) -> None: ...
    def delete_event_time_timer(self, timestamp: int) -> None: ...
    def delete_processing_time_timer(self, timestamp: int) -> None: ...
    def time_domain(self) -> int:
        """In on_timer: 0 event time, 1 processing time."""
    def emit(self, values: Any, timestamp: int | None, /) -> None:
        """Gives results (None or an iterable of values and `(OutputTag, value)`) with a timestamp, None: that of the element or event-time timer.

        They are taken at once, before those that the call returns."""
    def apply_to_keys(self, function: Callable[[Any, Any], Any], index: int, state: Any, /) -> None:
        """Calls `function(key, state)` for each key that has something in the keyed state `index`; meanwhile states and timers are that key's."""

class WindowElements(Sequence[Any]):
    """A window's elements, read-only: each value is made when it is asked for, so that a window of millions costs what its columns cost. May be kept."""

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Any]: ...

class WindowContext(Context):
    def window(self) -> Any: ...
    @property
    def window_start(self) -> int | None: ...
    @property
    def window_end(self) -> int | None: ...

class ValueState:
    """State `index` of the process node, for the current key. Subclass for PyFlink's class names. `value_schema` as declared."""

    def __init__(self, context: Context, index: int, value_schema: str = "OBJECT", default: Any = None) -> None: ...
    def value(self) -> Any: ...
    def update(self, value: Any) -> None: ...
    def clear(self) -> None: ...

class ListState:
    def __init__(self, context: Context, index: int, value_schema: str = "OBJECT", is_operator_state: bool = False) -> None: ...
    def get(self) -> Iterator[Any]:
        """An iterator over a copy."""
    def add(self, value: Any) -> None: ...
    def update(self, values: Iterable[Any]) -> None: ...
    def add_all(self, values: Iterable[Any]) -> None: ...
    def clear(self) -> None: ...

class MapState:
    def __init__(
        self, context: Context, index: int, key_schema: str = "OBJECT", value_schema: str = "OBJECT", is_operator_state: bool = False
    ) -> None: ...
    def get(self, key: Any) -> Any: ...
    def put(self, key: Any, value: Any) -> None: ...
    def put_all(self, entries: Mapping[Any, Any]) -> None: ...
    def remove(self, key: Any) -> None: ...
    def contains(self, key: Any) -> bool: ...
    def items(self) -> Iterator[tuple[Any, Any]]: ...
    def keys(self) -> Iterator[Any]: ...
    def values(self) -> Iterator[Any]: ...
    def is_empty(self) -> bool: ...
    def clear(self) -> None: ...
    def __getitem__(self, key: Any, /) -> Any: ...
    def __setitem__(self, key: Any, value: Any, /) -> None: ...
    def __delitem__(self, key: Any, /) -> None: ...
    def __contains__(self, key: Any, /) -> bool: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __len__(self) -> int: ...

class ReducingState:
    def __init__(self, context: Context, index: int, reduce: Callable[[Any, Any], Any], value_schema: str = "OBJECT") -> None: ...
    def get(self) -> Any: ...
    def add(self, value: Any) -> None: ...
    def clear(self) -> None: ...

class AggregatingState:
    def __init__(
        self,
        context: Context,
        index: int,
        callables: tuple[Callable[[], Any], Callable[[Any, Any], Any], Callable[[Any], Any]],
        accumulator_schema: str = "OBJECT",
    ) -> None:
        """`callables`: (create_accumulator, add(value, acc), get_result(acc))."""
    def get(self) -> Any: ...
    def add(self, value: Any) -> None: ...
    def clear(self) -> None: ...

# ---- Expressions ----------------------------------------------------------------------------------------------------------------------------------

@final
class Expression:
    """An expression of the plan; immutable. Operators build bigger ones: `Expression.binary("ADD", a, b)`."""

    @staticmethod
    def name(name: str) -> Expression: ...
    @staticmethod
    def column(position: int) -> Expression: ...
    @staticmethod
    def row_time() -> Expression: ...
    @staticmethod
    def literal(value: bool | int | float | str | bytes | None, type: str | None = None) -> Expression: ...
    @staticmethod
    def unary(operation: Literal["NEGATE", "NOT", "IS_NULL", "IS_NOT_NULL", "ABSOLUTE"], operand: Expression) -> Expression: ...
    @staticmethod
    def binary(
        operation: Literal[
            "ADD", "SUBTRACT", "MULTIPLY", "DIVIDE", "REMAINDER", "EQUAL", "NOT_EQUAL", "LESS", "LESS_OR_EQUAL", "GREATER", "GREATER_OR_EQUAL", "AND", "OR"
        ],
        left: Expression,
        right: Expression,
    ) -> Expression: ...
    def cast(self, type: str) -> Expression: ...
    def alias(self, name: str) -> Expression: ...

# ---- Environment ----------------------------------------------------------------------------------------------------------------------------------

Partitioning = Literal["FORWARD", "REBALANCE", "RESCALE", "SHUFFLE", "BROADCAST", "GLOBAL", "HASH", "CUSTOM"]

@final
class Input:
    """A stream: a node's output (or side output) and how its rows are spread over whoever reads it."""

    def __new__(
        cls,
        node: int,
        partitioning: Partitioning = "FORWARD",
        *,
        side_output: str | None = None,
        keys: Sequence[int] = (),
        partitioner: Function | None = None,
    ) -> Input: ...

@final
class Watermarks:
    def __new__(
        cls,
        *,
        timestamp_column: int = -1,
        timestamps: Function | None = None,
        out_of_orderness: int = -1,
        generator: Function | None = None,
        idle_timeout: int = -1,
        max_future_drift: int = 0,
        future_output: str | None = None,
        alignment_group: str | None = None,
        alignment_drift: int = 0,
    ) -> Watermarks:
        """As `millstream_watermarks`; milliseconds."""
    settings: dict[str, Any]
    """The keywords it was made with."""

@final
class Window:
    def __new__(
        cls,
        kind: Literal["TUMBLING", "SLIDING", "SESSION", "COUNT_WINDOW", "SLIDING_COUNT"],
        size: int,
        *,
        slide: int = 0,
        offset: int = 0,
        is_event_time: bool = True,
        allowed_lateness: int = 0,
        late_output: str | None = None,
        aggregates: Sequence[tuple[Literal["COUNT_ALL", "COUNT", "SUM", "MIN", "MAX", "AVERAGE"], int, str]] = (),
        reduce: Function | None = None,
        aggregate: Function | None = None,
        process: Function | None = None,
    ) -> Window:
        """As `millstream_window`; `aggregates`: (kind, column or -1, result's name)."""

StateKind = Literal["VALUE", "LIST", "MAP", "REDUCING", "AGGREGATING", "BROADCAST", "OPERATOR_LIST", "UNION_LIST"]

@final
class Clock:
    """Processing time that only the program moves, in milliseconds since 1970-01-01 UTC."""

    def __init__(self, start: int) -> None: ...
    def now(self) -> int: ...
    def advance(self, milliseconds: int) -> None:
        """Has it go on, and returns at once. What is due on the way happens at its own time."""
    def wait(self, milliseconds: int) -> bool:
        """Waits until it is where it was told to go and its jobs are at rest, at most so long (-1: for ever). False: not in that time."""

@final
class Environment:
    """A job under construction. Methods that add a node give its number."""

    def __init__(self) -> None: ...
    def close(self) -> None:
        """Frees it; later calls raise InvalidHandleError. Also happens when it is collected."""
    def configure(self, key: str, value: str) -> None: ...
    def plan_json(self) -> str: ...
    def plan_diff(self, path: str, /) -> str:
        """What becomes of a savepoint's state in the job, as JSON."""
    def set(self, node: int, key: str, value: str) -> None:
        """`name`, `uid`, `parallelism`, `max-parallelism`, `chaining`, `buffer-timeout`, `slot-sharing-group`, `defined-at`."""
    def add_side_output(self, node: int, tag: str, schema: str) -> None: ...
    def schema(self, node: int) -> str: ...
    def set_text_output(self, write: Callable[[int, str], None] | None) -> None:
        """Where printing goes: `write(stream, text)` with stream 1 or 2. None: the process's own streams."""

    def set_clock(self, clock: Clock | None) -> None:
        """The clock of the jobs that start from now on; None: the machine's."""

    def source_sequence(self, first: int, last: int, watermarks: Watermarks | None = None) -> int: ...
    def source_generator(
        self, columns: Sequence[Expression], count: int = -1, rows_per_second: float = 0.0, watermarks: Watermarks | None = None
    ) -> int: ...
    def source_files(
        self, paths: Sequence[str], schema: str | None, options: Mapping[str, str], watermarks: Watermarks | None = None
    ) -> int: ...
    def source_socket(self, host: str, port: int, delimiter: str = "\n", max_retries: int = 0, watermarks: Watermarks | None = None) -> int: ...
    def source_arrow(self, stream: Any, shape: Literal["row", "tuple", "scalar"], watermarks: Watermarks | None = None, is_table: bool = False) -> int:
        """`stream`: an object with `__arrow_c_stream__`, or a capsule "arrow_array_stream", which is moved."""
    def source_function(self, function: Function, is_bounded: bool = True, watermarks: Watermarks | None = None) -> int: ...

    def transform(self, input: Input, function: Function) -> int: ...
    def key_selector(self, input: Input, function: Function) -> int:
        """The key's columns stand behind the schema's; read it with `Input(node, "HASH", keys=[...])`."""
    def project(self, input: Input, expressions: Sequence[Expression]) -> int: ...
    def filter(self, input: Input, condition: Expression) -> int: ...
    def assign_timestamps(self, input: Input, watermarks: Watermarks) -> int: ...
    def union(self, inputs: Sequence[Input]) -> int: ...
    def reduce(self, input: Input, function: Function) -> int: ...
    def rolling(self, input: Input, kind: Literal["SUM", "MIN", "MAX", "MIN_BY", "MAX_BY"], column: int) -> int: ...
    def process(self, input: Input, function: Function, states: Sequence[tuple[str, StateKind, str, str | None]] = ()) -> int:
        """`states`: (name, kind, value schema, key schema or None)."""
    def co_process(
        self, first: Input, second: Input, function: Function, states: Sequence[tuple[str, StateKind, str, str | None]] = ()
    ) -> int: ...
    def asynchronous(self, input: Input, function: Function, capacity: int) -> int:
        """At most `capacity` values of a subtask are begun and not done."""
    def window(self, input: Input, window: Window) -> int: ...

    def sink_print(self, input: Input, prefix: str | None = None, to_error: bool = False) -> int: ...
    def sink_files(self, input: Input, directory: str, options: Mapping[str, str], bucket: Expression | None = None) -> int: ...
    def sink_collect(self, input: Input) -> int: ...
    def sink_blackhole(self, input: Input) -> int: ...
    def sink_function(self, input: Input, function: Function) -> int: ...

    def execute(self, job_name: str, places: dict[str, str] | None = None) -> Job:
        """Starts a job and returns at once. The environment may be changed and executed again.

        `places` tells where the user made the operators, "file:line" by name, for the engine's own errors.
        """

# ---- Jobs -----------------------------------------------------------------------------------------------------------------------------------------

JobStatus = Literal["CREATED", "RUNNING", "FAILING", "FAILED", "CANCELLING", "CANCELED", "FINISHED", "RESTARTING"]

@final
class Job:
    """A job. It goes on when the object is collected, until it ends or the interpreter exits."""

    def status(self) -> JobStatus: ...
    def wait(self, milliseconds: int = -1) -> JobStatus:
        """Waits for the end, at most so long, with the GIL released. Does not raise the job's failure.

        Ctrl-C cancels the job, waits for its end, and raises KeyboardInterrupt; a second one stops waiting at once."""
    def result(self) -> None:
        """Waits for the end and raises the failure: the user's own exception, or a MillstreamError. A canceled job raises CancelledError."""
    def cancel(self) -> None: ...
    def failure(self) -> BaseException | None:
        """The failure of the job, with the user's traceback and a note that names operator, function and record."""
    def metrics_json(self) -> str: ...
    def explain_time(self, as_json: bool = False, /) -> str:
        """Why event time stands where it stands, as lines for a person or as JSON."""
    def savepoint(self, directory: str | None, mode: Literal["CONTINUE", "STOP", "DRAIN"], /) -> str:
        """Saves the job's state below an absolute directory (None: as configured), and gives the savepoint's path, with the GIL released meanwhile.

        STOP: the job ends with it; DRAIN: its input ends before it, too. Raises InvalidStateError for a job that does not run."""
    def checkpoints_json(self) -> str: ...
    def failures_json(self) -> str: ...
    def collect(self, node: int, schema: str, *, row_kinds: bool = False, timestamps: bool = False) -> CollectIterator:
        """The rows of a collecting sink, as Python values of its schema."""
    def collect_stream(self, node: int, compatible: bool = False) -> ArrowStream: ...
    def state(self, uid: str, part: str, /) -> tuple[Any, str]:
        """The rows of one part of an operator's state, all at one moment: a capsule of an Arrow stream, and the columns' names and types as JSON."""
    def close(self) -> None:
        """Cancels the job if it runs, waits for it, and forgets it."""

@final
class CollectIterator(Iterator[Any]):
    """Gives values; with `row_kinds`, (value, kind); with `timestamps`, (value, timestamp); with both, (value, kind, timestamp).

    At the end it raises the job's failure, if it has one. Ctrl-C cancels the job."""

    def __next__(self) -> Any: ...
    def __iter__(self) -> CollectIterator: ...
    def next_batch(self, milliseconds: int = -1) -> list[Any] | None:
        """The next rows at hand: [] if there are none in time, None at the end."""
    def close(self) -> None: ...

@final
class ArrowStream:
    """Arrow's PyCapsule interface: `pyarrow.RecordBatchReader.from_stream(stream)`. Can be read once."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any: ...

@final
class SQLSession:
    """Catalogs, options, and what statements made in them. Made by `sql_session`."""

def sql_session(environment: Environment, /) -> SQLSession:
    """A session whose jobs are configured, and print, as the environment's."""

def sql_execute(session: SQLSession, statement: str, /) -> tuple[str, Job | None]:
    """Runs one statement: what it gave as JSON (`millstream_execute_sql` in millstream.h), and the job that it started."""

def sql_split(text: str, /) -> list[str]:
    """The statements of a script, each without the semicolon behind it."""

def savepoint_describe(path: str, /) -> str:
    """What is in a savepoint: operators, their parts, and the columns of those, as JSON."""

def savepoint_read(path: str, uid: str, part: str, /) -> tuple[Any, str]:
    """The rows of one part of an operator's state: a capsule of an Arrow stream, and the columns' names and types as JSON."""

def savepoint_manifest(path: str, /) -> str:
    """What a savepoint's manifest says: the job, the operators with their files, and properties, as JSON."""

def savepoint_commits(path: str, /) -> str:
    """The results that sinks have prepared in a savepoint, as JSON."""

def savepoint_resolve(path: str, target: str, decisions: list[tuple[str, str]], /) -> None:
    """Makes a copy of a savepoint in which is decided about prepared results: (id, "committed", "retry" or "aborted")."""

def savepoint_write(base: str | None, max_parallelism: int, target: str, changes: list[tuple[Any, ...]], /) -> None:
    """Makes a savepoint out of `base`, with changes in order: ("put", uid, name, part, types, stream), ("remove", uid, part), ("rename", uid, other)."""

def shutdown(milliseconds: int = 10_000) -> None:
    """Cancels all jobs and stops the engine's threads; runs at interpreter exit by itself. Afterwards every call raises InvalidStateError."""
