"""A job under construction: what the API's calls have made, before the engine sees it.

A stream's methods make transformations; each knows its inputs, its type and how to add itself to the engine's environment. `execute` lowers the ones
that the job needs: so one environment can run several jobs, and a later call can still change an earlier operator.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from millstream import _native
from millstream._tracebacks import is_own
from millstream.common.accumulators import AccumulatorRegistry
from millstream.common.typeinfo import TypeInformation
from millstream.exceptions import ConfigurationError, PlanError
from millstream.metrics import MetricRegistry

if TYPE_CHECKING:
    from millstream.datastream.output_tag import OutputTag
    from millstream.datastream.stream_execution_environment import StreamExecutionEnvironment

_ids = itertools.count()


class StreamInput(NamedTuple):
    """A transformation's output, or one of its side outputs, and how its rows are spread over whoever reads it."""

    transformation: Transformation
    partitioning: _native.Partitioning = "FORWARD"
    side_output: str | None = None
    keys: tuple[int, ...] = ()
    #: For CUSTOM: makes the engine's function.
    partitioner: Callable[[JobScope], _native.Function] | None = None
    #: The program asked for FORWARD: both sides have one parallelism, or there is no job.
    must_forward: bool = False


class Transformation:
    """One operator, source or sink."""

    __slots__ = (
        "add", "call_site", "dead_letters", "decodes_files", "description", "gives_rows", "id", "inputs", "is_sink", "is_virtual", "name", "settings",
        "side_outputs", "takes_dead_letters", "type_info", "uid_hash",
    )

    def __init__(
        self,
        name: str,
        inputs: Sequence[StreamInput],
        type_info: TypeInformation,
        add: Callable[[JobBuilder, Transformation, list[_native.Input]], int],
        is_sink: bool = False,
    ) -> None:
        self.id = next(_ids)
        self.name = name
        self.inputs = tuple(inputs)
        self.type_info = type_info
        #: Adds it to the engine's environment and gives its node.
        self.add = add
        #: By the engine's keys: uid, parallelism, max-parallelism, chaining, buffer-timeout, slot-sharing-group.
        self.settings: dict[str, str] = {}
        self.side_outputs: dict[str, TypeInformation] = {}
        self.description: str | None = None
        #: Where the records go that its function fails with, and whether it can give any.
        self.dead_letters: OutputTag | None = None
        self.takes_dead_letters = False
        #: Whether the records that fail are those of files that do not decode.
        self.decodes_files = False
        #: Whether the engine gives rows where the declared type is tuples.
        self.gives_rows = False
        self.call_site = call_site()
        self.is_sink = is_sink
        #: True for what a call makes beside the operator that the user sees, such as a key selector: it can have no uid.
        self.is_virtual = False
        #: The identifier that `set_uid_hash` gave it: 32 hexadecimal digits.
        self.uid_hash: str | None = None

    def prepare(self) -> None:
        """Called before each job is built: the inputs may change here."""

    def __repr__(self) -> str:
        return f"<{self.name} at {self.call_site}>"


class JobScope(NamedTuple):
    """What one job's functions share: parameters, metrics, the cached files' paths, and accumulators."""

    job_parameters: dict[str, str]
    metrics: MetricRegistry
    cached_files: Mapping[str, str]
    accumulators: AccumulatorRegistry
    #: 32 hexadecimal digits: the same where another process goes on with the job.
    job_id: str


class JobBuilder:
    """Lowers transformations to the engine's environment, for one job."""

    #: True where ``native`` is the engine's twin of :mod:`millstream.testing`, which runs Python functions only.
    is_twin = False
    #: Whether operator state is there before functions are opened.
    is_restored = False

    def __init__(self, env: StreamExecutionEnvironment, for_plan: bool = False, job_id: str = "") -> None:
        self.env = env
        self.native = _native.Environment()
        self.scope = JobScope(env.get_config().get_global_job_parameters(), MetricRegistry(), env.cached_files(), AccumulatorRegistry(), job_id)
        #: True where the plan is only looked at: sources that can be read once must not be touched.
        self.for_plan = for_plan
        #: True where it is looked at for the states, too: functions that have some are opened, and closed again, because they name them then.
        self.tells_states = False
        #: By uid the states that functions have declared.
        self.declared: dict[str, list[Any]] = {}
        #: The job, once it has started.
        self.job: _native.Job | None = None
        self._nodes: dict[Transformation, int] = {}

    @property
    def node_count(self) -> int:
        """How many transformations have been lowered: the next one's place in the plan."""
        return len(self._nodes)

    def add_all(self, wanted: Iterable[Transformation]) -> None:
        """Adds transformations and whatever they read, in the order in which the program made them.

        Raises ``ConfigurationError`` for a uid that comes twice, and what the engine says about the plan.
        """
        wanted = list(wanted)
        for transformation in reachable(wanted):
            transformation.prepare()
        uids: dict[str, Transformation] = {}
        hashes: dict[str, Transformation] = {}
        needs_uid = not self.env.get_config().has_auto_generated_uids_enabled()
        for transformation in sorted(reachable(wanted), key=lambda entry: entry.id):
            uid = transformation.settings.get("uid")
            if needs_uid and uid is None and transformation.uid_hash is None and not transformation.is_virtual:
                raise ConfigurationError(
                    f"{transformation.name!r} ({transformation.call_site}) has no uid, and generated ones are switched off "
                    "(disable_auto_generated_uids): call uid() on it"
                )
            if uid is not None and uids.setdefault(uid, transformation) is not transformation:
                raise duplicate_uid(uid, uids[uid], transformation)
            uid_hash = None if transformation.uid_hash is None else transformation.uid_hash.lower()
            if uid_hash is not None and hashes.setdefault(uid_hash, transformation) is not transformation:
                raise duplicate_uid(uid_hash, hashes[uid_hash], transformation, "uid hash")
            self._add(transformation)
        if any(entry.must_forward for transformation in self._nodes for entry in transformation.inputs):
            self._check_forward()
        if not self.for_plan:
            self._end_streams()

    def release(self) -> None:
        """Lets the engine's environment go, once the job has started.

        It holds the job's functions; where one of them holds this builder, the two would keep each other, unseen by Python's collector.
        """
        del self.native

    def places(self) -> dict[str, str]:
        """Where the program made the operators, by their names: for messages. Several may have one name."""
        found: dict[str, list[str]] = {}
        for transformation in self._nodes:
            sites = found.setdefault(transformation.name, [])
            if transformation.call_site not in sites:
                sites.append(transformation.call_site)
        return {name: " or ".join(sites[:3]) + (" or others" if len(sites) > 3 else "") for name, sites in found.items()}

    def node(self, transformation: Transformation) -> int:
        """The node that a transformation became."""
        return self._nodes[transformation]

    def parallelism(self, transformation: Transformation) -> int:
        """How many subtasks it has, as far as Python knows."""
        return int(transformation.settings.get("parallelism", self.env.get_parallelism()))

    def max_parallelism(self, transformation: Transformation) -> int:
        """How many key groups it has: as set, or Flink's rule of half as many again as subtasks, at least 128, as a power of two."""
        found = int(transformation.settings.get("max-parallelism", self.env.get_max_parallelism()))
        if found > 0:
            return found
        parallelism = self.parallelism(transformation)
        return min(max(1 << (parallelism + parallelism // 2 - 1).bit_length(), 128), 32_768)

    def _add(self, transformation: Transformation) -> None:
        _native.set_call_site(transformation.call_site)
        try:
            inputs = [self._input(entry) for entry in transformation.inputs]
            # A partitioner was made at a place of its own.
            _native.set_call_site(transformation.call_site)
            node = transformation.add(self, transformation, inputs)
        except PlanError as failure:
            if not getattr(failure, "__notes__", None):
                failure.add_note(f"in operator {transformation.name!r} ({transformation.call_site})")
            raise
        finally:
            _native.set_call_site(None)
        self._nodes[transformation] = node
        self.native.set(node, "name", transformation.name)
        self.native.set(node, "defined-at", transformation.call_site)
        if transformation.dead_letters is not None:
            self.native.set(node, "dead-letters", transformation.dead_letters.tag_id)
        for key, value in transformation.settings.items():
            self.native.set(node, key, value)

    def _end_streams(self) -> None:
        """Drops the results of operators that nobody reads: as in Flink they run too."""
        read = {entry.transformation for transformation in self._nodes for entry in transformation.inputs}
        for transformation, node in self._nodes.items():
            if transformation not in read and not transformation.is_sink:
                self.native.sink_blackhole(_native.Input(node))

    def _check_forward(self) -> None:
        import json

        parallelisms = [node["parallelism"] for node in json.loads(self.native.plan_json())["nodes"]]
        for transformation, node in self._nodes.items():
            for entry in transformation.inputs:
                before, after = parallelisms[self._nodes[entry.transformation]], parallelisms[node]
                if entry.must_forward and before != after:
                    source = entry.transformation
                    raise PlanError(
                        f"forward() sends values to the same subtask, but {source.name!r} ({source.call_site}) has {before} and "
                        f"{transformation.name!r} ({transformation.call_site}) has {after}: give both one parallelism, or use rebalance()"
                    )

    def _input(self, entry: StreamInput) -> _native.Input:
        return _native.Input(
            self._nodes[entry.transformation],
            entry.partitioning,
            side_output=entry.side_output,
            keys=entry.keys,
            partitioner=None if entry.partitioner is None else entry.partitioner(self.scope),
        )


def reachable(wanted: Iterable[Transformation]) -> set[Transformation]:
    """The transformations and all that they read, directly or not. Chains may be longer than Python's stack is deep."""
    found: set[Transformation] = set()
    todo = list(wanted)
    while todo:
        transformation = todo.pop()
        if transformation not in found:
            found.add(transformation)
            todo += [entry.transformation for entry in transformation.inputs]
    return found


def duplicate_uid(uid: str, first: Transformation, second: Transformation, what: str = "uid") -> ConfigurationError:
    """What to say about a uid (or its hash) that two operators have."""
    return ConfigurationError(
        f"{what} {uid!r} is given to two operators: {first.name!r} ({first.call_site}) and {second.name!r} ({second.call_site}); "
        "state is matched by uid, so each operator needs its own"
    )


def infer_type(type_info: TypeInformation, add: Callable[[_native.Environment, _native.Input], int]) -> str:
    """The output schema that the engine gives an operator over a stream of this type, found out with an environment that never runs.

    Raises what the engine says about the operator, so that a mistake is told where it is made.
    """
    native = _native.Environment()
    try:
        source = native.source_function(_native.collection([], type_info.schema(), "input"))
        return native.schema(add(native, _native.Input(source)))
    finally:
        native.close()


def infer_keyed_type(
    type_info: TypeInformation, key_type: TypeInformation, keys: tuple[int, ...], add: Callable[[_native.Environment, _native.Input], int]
) -> str:
    """The same for an operator over a keyed stream, whose key is in the columns ``keys``."""

    def add_keyed(native: _native.Environment, stream: _native.Input) -> int:
        schema = type_info.schema()
        selector = _native.transform([("key", lambda value: value, "KeyBy", key_type.schema())], schema)
        # A selector's columns stand behind the schema's own; fields of the stream are found in either case.
        return add(native, _native.Input(native.key_selector(stream, selector), "HASH", keys=keys))

    return infer_type(type_info, add_keyed)


def call_site() -> str:
    """The line of the user's program that called the API, as ``file:line``."""
    frame: Any = sys._getframe(1)
    while frame is not None and is_own(frame.f_code):
        frame = frame.f_back
    return "<unknown>:0" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"
