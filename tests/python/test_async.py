"""Asynchronous requests: order, capacity, timeouts, further attempts, failures, and the end of a job with requests in flight."""

from __future__ import annotations

import asyncio
import gc
import random
import subprocess
import sys
import threading
import time
import weakref
from functools import partial
from typing import Any, ClassVar

import pytest
from millstream import _native as native
from millstream.common import Duration, Row, Time, Types, WatermarkStrategy
from millstream.common.watermark_strategy import TimestampAssigner
from millstream.datastream import (
    AsyncDataStream,
    AsyncFunction,
    AsyncRetryPredicate,
    AsyncRetryStrategy,
    KeyedProcessFunction,
    ProcessFunction,
    StreamExecutionEnvironment,
)
from millstream.datastream.async_retry_predicates import empty_result_predicate, exception_type_predicate, has_exception_predicate
from millstream.datastream.async_retry_strategies import NO_RETRY_STRATEGY, FixedDelayRetryStrategy
from millstream.exceptions import PlanError, TypeMismatchError

WAITS = [AsyncDataStream.ordered_wait, AsyncDataStream.unordered_wait]
RETRY_WAITS = [AsyncDataStream.ordered_wait_with_retry, AsyncDataStream.unordered_wait_with_retry]
both = pytest.mark.parametrize("wait", WAITS, ids=lambda wait: wait.__name__)
both_with_retry = pytest.mark.parametrize("wait", RETRY_WAITS, ids=lambda wait: wait.__name__)
LONG = Time.seconds(60)


class Wait(AsyncFunction):
    """A function of tests: `body(value)` is the coroutine."""

    def __init__(self, body: Any, on_timeout: Any = None) -> None:
        self.body, self.on_timeout = body, on_timeout

    async def async_invoke(self, value: Any) -> Any:
        return await self.body(value)

    def timeout(self, value: Any) -> Any:
        return super().timeout(value) if self.on_timeout is None else self.on_timeout(value)


def collect(stream: Any) -> list[Any]:
    with stream.execute_and_collect() as results:
        return list(results)


def one(env: StreamExecutionEnvironment) -> StreamExecutionEnvironment:
    env.set_parallelism(1)
    return env


async def echo_after_a_while(value: int) -> list[int]:
    await asyncio.sleep(random.Random(value).random() * 0.004)
    return [value] * (value % 3)


@both
@pytest.mark.parametrize("parallelism", [1, 3])
@pytest.mark.parametrize("capacity", [1, 7, 1_000])
def test_every_result_comes_once(env: Any, wait: Any, parallelism: int, capacity: int) -> None:
    env.set_parallelism(parallelism)
    stream = wait(env.from_collection(list(range(300)), Types.LONG()), Wait(echo_after_a_while), LONG, capacity, Types.LONG())
    found = collect(stream)
    expected = [value for value in range(300) for _ in range(value % 3)]
    if wait is AsyncDataStream.ordered_wait and parallelism == 1:
        assert found == expected
    else:
        assert sorted(found) == expected
    if wait is AsyncDataStream.unordered_wait and parallelism == 1 and capacity > 1:
        assert found != expected, "300 random delays came in order"


@both
def test_the_capacity_bounds_what_is_in_flight_and_is_used(env: Any, wait: Any) -> None:
    now, most = 0, 0

    async def count(value: int) -> list[int]:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.002)
        now -= 1
        return [value]

    assert len(collect(wait(one(env).from_collection(list(range(500))), Wait(count), LONG, 17))) == 500
    assert most == 17


@both
def test_requests_wait_beside_each_other(env: Any, wait: Any) -> None:
    async def ten_milliseconds(value: int) -> list[int]:
        await asyncio.sleep(0.01)
        return [value]

    stream = wait(one(env).from_collection(list(range(1_000))), Wait(ten_milliseconds), LONG, 100)
    start = time.monotonic()
    assert len(collect(stream)) == 1_000
    assert time.monotonic() - start < 2, "1,000 requests of 10 ms, 100 at a time, take 0.1 s; one after the other 10 s"


def test_a_waiting_request_holds_no_thread_of_the_engine(env: Any) -> None:
    """More subtasks wait than the engine has threads, and another job runs meanwhile."""
    release = threading.Event()

    async def wait_for_release(value: int) -> list[int]:
        while not release.is_set():
            await asyncio.sleep(0.005)
        return [value]

    env.set_parallelism(16)
    waiting = AsyncDataStream.unordered_wait(env.from_collection(list(range(64))).rebalance(), Wait(wait_for_release), LONG)
    with waiting.execute_and_collect() as results:
        other = one(StreamExecutionEnvironment.get_execution_environment())
        assert collect(other.from_collection([1, 2, 3]).map(lambda n: n + 1)) == [2, 3, 4]
        release.set()
        assert sorted(results) == list(range(64))


class At(TimestampAssigner):
    def extract_timestamp(self, value: Any, record_timestamp: int) -> int:
        return value * 10


class Times(ProcessFunction):
    def process_element(self, value: Any, ctx: Any) -> Any:
        yield value, ctx.timestamp(), ctx.timer_service().current_watermark()


@both
def test_results_keep_their_timestamp_and_never_come_behind_the_watermark(env: Any, wait: Any) -> None:
    one(env).get_config().set_auto_watermark_interval(0)
    timed = env.from_collection(list(range(400)), Types.LONG()).assign_timestamps_and_watermarks(
        WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(At())
    )
    rows = collect(wait(timed, Wait(echo_after_a_while), LONG, 50, Types.LONG()).process(Times()))
    assert sorted(value for value, _, _ in rows) == [value for value in range(400) for _ in range(value % 3)]
    assert len({watermark for _, _, watermark in rows}) > 5, "there are watermarks between the values"
    assert all(timestamp == value * 10 for value, timestamp, _ in rows)
    assert all(watermark < timestamp for _, timestamp, watermark in rows), "a result came behind a watermark that was behind its value"


class Count(KeyedProcessFunction):
    def open(self, ctx: Any) -> None:
        from millstream.datastream.state import ValueStateDescriptor

        self.count = ctx.get_state(ValueStateDescriptor("count", Types.LONG()))

    def process_element(self, value: Any, ctx: Any) -> Any:
        self.count.update((self.count.value() or 0) + 1)
        yield ctx.get_current_key(), value, self.count.value()


@both
@pytest.mark.parametrize("parallelism", [1, 3])
def test_keyed_streams_before_and_behind(env: Any, wait: Any, parallelism: int) -> None:
    env.set_parallelism(parallelism)
    keyed = env.from_collection(list(range(120)), Types.LONG()).key_by(lambda n: n % 5, Types.LONG())
    answered = wait(keyed, Wait(lambda value: echo_twice(value)), LONG, 20, Types.LONG())
    found = collect(answered.key_by(lambda n: n % 4, Types.LONG()).process(Count()))
    assert sorted(value for _, value, _ in found) == sorted(list(range(120)) * 2)
    for key in range(4):
        assert [count for k, _, count in found if k == key] == list(range(1, 61))


async def echo_twice(value: int) -> list[int]:
    await asyncio.sleep(random.Random(value).random() * 0.003)
    return [value, value]


def test_rows_and_types_pass(env: Any) -> None:
    async def rename(row: Row) -> list[Row]:
        return [Row(name=row.word.upper(), n=row.n + 1)]

    rows = one(env).from_collection([("a", 1), ("b", 2)], Types.ROW_NAMED(["word", "n"], [Types.STRING(), Types.INT()]))
    out = Types.ROW_NAMED(["name", "n"], [Types.STRING(), Types.INT()])
    assert collect(AsyncDataStream.ordered_wait(rows, Wait(rename), LONG, output_type=out)) == [Row(name="A", n=2), Row(name="B", n=3)]


def test_a_result_larger_than_one_crossing(env: Any) -> None:
    async def many(value: int) -> Any:
        return range(value)

    found = collect(AsyncDataStream.ordered_wait(one(env).from_collection([10_000, 0, 3]), Wait(many), LONG))
    assert found == [*range(10_000), 0, 1, 2]


# ---- Failures ----------------------------------------------------------------------------------------------------------------------------------------


@both
def test_an_exception_fails_the_job_with_its_record(env: Any, wait: Any) -> None:
    async def refuse(value: str) -> list[str]:
        await asyncio.sleep(0.001)
        if value == "bad":
            raise KeyError(f"no answer for {value}")
        return [value]

    stream = wait(one(env).from_collection(["a", "b", "bad", "c"]), Wait(refuse), LONG, 1)
    found = []
    with pytest.raises(KeyError, match="no answer for bad") as raised, stream.execute_and_collect() as results:
        found.extend(results)
    assert found == [] or found == ["a", "b"][: len(found)]
    note = "".join(raised.value.__notes__)
    assert "async wait operator" in note and "record 2" in note and "'bad'" in note
    functions = [entry.name for entry in raised.traceback]
    assert functions[-1] == "refuse" and "_run" not in functions


def test_a_failure_does_not_wait_for_requests_before_it(env: Any) -> None:
    async def first_never_second_fails(value: int) -> list[int]:
        if value == 0:
            await asyncio.Event().wait()
        raise ValueError("second")

    stream = AsyncDataStream.ordered_wait(one(env).from_collection([0, 1]), Wait(first_never_second_fails), Time.milliseconds(0))
    with pytest.raises(ValueError, match="second"):
        collect(stream)


@pytest.mark.parametrize("result, text", [(None, "cannot be none"), (5, "should be of list type")])
def test_a_result_is_a_list(env: Any, result: Any, text: str) -> None:
    async def give(_: int) -> Any:
        return result

    with pytest.raises(RuntimeError, match=text):
        collect(AsyncDataStream.ordered_wait(one(env).from_collection([1]), Wait(give), LONG))


def test_a_result_of_another_type_comes_behind_those_before_it(env: Any) -> None:
    async def wrong(value: int) -> list[Any]:
        return ["text"] if value == 2 else [value]

    stream = AsyncDataStream.ordered_wait(one(env).from_collection([0, 1, 2, 3], Types.LONG()), Wait(wrong), LONG, output_type=Types.LONG())
    with pytest.raises(TypeMismatchError, match="'text'") as raised:
        collect(stream)
    assert "record 2" in "".join(raised.value.__notes__)


def test_exits_and_cancellations_of_the_users_own_fail_the_job_and_not_the_loop(env: Any) -> None:
    async def leave(_: int) -> list[int]:
        raise SystemExit(3)

    async def cancel(_: int) -> list[int]:
        raise asyncio.CancelledError

    with pytest.raises(SystemExit):
        collect(AsyncDataStream.ordered_wait(one(env).from_collection([1]), Wait(leave), LONG))
    with pytest.raises(asyncio.CancelledError):
        collect(AsyncDataStream.ordered_wait(one(env).from_collection([1]), Wait(cancel), LONG))
    assert collect(AsyncDataStream.ordered_wait(one(env).from_collection([1]), Wait(echo_twice), LONG)) == [1, 1]


# ---- Timeouts ----------------------------------------------------------------------------------------------------------------------------------------


@both
def test_a_timeout_fails_the_job(env: Any, wait: Any) -> None:
    async def never(value: int) -> list[int]:
        await asyncio.Event().wait()
        return [value]

    with pytest.raises(TimeoutError, match="timed out for input: 7"):
        collect(wait(one(env).from_collection([7]), Wait(never), Time.milliseconds(30)))


@both
def test_a_timeout_gives_results_instead(env: Any, wait: Any) -> None:
    cancelled = []

    async def some_never(value: int) -> list[int]:
        if value % 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(value)
                raise RuntimeError("behind the timeout: nobody's") from None
        return [value]

    stream = wait(one(env).from_collection(list(range(10))), Wait(some_never, lambda value: [-value, -value]), Duration.of_millis(30))
    assert sorted(collect(stream)) == [-9, -9, -7, -7, -5, -5, -3, -3, -1, -1, 0, 2, 4, 6, 8]
    assert sorted(cancelled) == [1, 3, 5, 7, 9]


def test_a_coroutine_that_will_not_be_cancelled_is_left_alone(env: Any) -> None:
    async def stubborn(value: int) -> list[int]:
        for _ in range(8):
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue
        return [value]

    assert collect(AsyncDataStream.ordered_wait(one(env).from_collection([1]), Wait(stubborn, lambda _: ["late"]), Time.milliseconds(20))) == ["late"]


# ---- Further attempts --------------------------------------------------------------------------------------------------------------------------------


class Attempts:
    """A request that succeeds at an attempt."""

    def __init__(self, needed: int, failing: bool) -> None:
        self.needed, self.failing = needed, failing
        self.count: dict[int, int] = {}
        self.times: list[float] = []

    def __deepcopy__(self, memo: Any) -> Attempts:
        return self

    async def __call__(self, value: int) -> list[int]:
        self.count[value] = self.count.get(value, 0) + 1
        self.times.append(time.monotonic())
        await asyncio.sleep(0)
        if self.count[value] >= self.needed:
            return [value]
        if self.failing:
            raise ConnectionError("not now")
        return []


@both_with_retry
@pytest.mark.parametrize("failing", [False, True])
def test_further_attempts_until_there_is_a_result(env: Any, wait: Any, failing: bool) -> None:
    request = Attempts(3, failing)
    strategy = AsyncRetryStrategy.fixed_delay(2, 5, empty_result_predicate, has_exception_predicate)
    assert sorted(collect(wait(one(env).from_collection(list(range(20))), Wait(request), LONG, strategy))) == list(range(20))
    assert set(request.count.values()) == {3}


def test_no_more_attempts_than_the_strategy_allows(env: Any) -> None:
    request = Attempts(100, True)
    strategy = FixedDelayRetryStrategy(3, 1, None, partial(exception_type_predicate, expected_error_type=OSError))
    with pytest.raises(ConnectionError, match="not now"):
        collect(AsyncDataStream.ordered_wait_with_retry(one(env).from_collection([1]), Wait(request), LONG, strategy))
    assert request.count == {1: 4}


def test_an_exception_that_does_not_match_is_not_tried_again(env: Any) -> None:
    request = Attempts(2, True)
    strategy = FixedDelayRetryStrategy(3, 1, None, partial(exception_type_predicate, expected_error_type=ValueError))
    with pytest.raises(ConnectionError):
        collect(AsyncDataStream.ordered_wait_with_retry(one(env).from_collection([1]), Wait(request), LONG, strategy))
    assert request.count == {1: 1}


def test_the_last_result_counts_when_attempts_are_used_up(env: Any) -> None:
    request = Attempts(100, False)
    strategy = FixedDelayRetryStrategy(1, 1, empty_result_predicate, None)
    assert collect(AsyncDataStream.unordered_wait_with_retry(one(env).from_collection([1, 2]), Wait(request), LONG, strategy)) == []
    assert request.count == {1: 2, 2: 2}


def test_delays_grow_and_are_each_requests_own(env: Any) -> None:
    request = Attempts(4, False)
    strategy = AsyncRetryStrategy.exponential_backoff(5, 20, 50, 2.0, empty_result_predicate, None)
    assert collect(AsyncDataStream.ordered_wait_with_retry(one(env).from_collection([1]), Wait(request), LONG, strategy)) == [1]
    gaps = [after - before for before, after in zip(request.times, request.times[1:], strict=False)]
    assert len(gaps) == 3 and all(gap >= least - 0.002 for gap, least in zip(gaps, [0.02, 0.04, 0.05], strict=True))


def test_the_timeout_is_for_all_attempts(env: Any) -> None:
    request = Attempts(1_000, True)
    strategy = FixedDelayRetryStrategy(1_000, 5, None, has_exception_predicate)
    stream = AsyncDataStream.ordered_wait_with_retry(one(env).from_collection([1]), Wait(request, lambda _: ["late"]), Time.milliseconds(60), strategy)
    assert collect(stream) == ["late"]
    assert 1 < request.count[1] < 20
    attempts = request.count[1]
    time.sleep(0.05)
    assert request.count[1] == attempts, "attempts went on behind the timeout"


class Broken(AsyncRetryStrategy):
    def can_retry(self, current_attempts: int) -> bool:
        raise ZeroDivisionError("in the strategy")

    def get_backoff_time_millis(self, current_attempts: int) -> int:
        return 1

    def get_retry_predicate(self) -> AsyncRetryPredicate:
        return FixedDelayRetryStrategy(1, 1, lambda _: True, None).get_retry_predicate()


def test_a_failing_strategy_fails_the_job(env: Any) -> None:
    with pytest.raises(ZeroDivisionError, match="in the strategy"):
        collect(AsyncDataStream.ordered_wait_with_retry(one(env).from_collection([1]), Wait(echo_twice), LONG, Broken()))


# ---- The end -----------------------------------------------------------------------------------------------------------------------------------------


class Client(AsyncFunction):
    """Makes and closes what it needs on the loop."""

    events: ClassVar[list[Any]] = []

    async def open(self, runtime_context: Any) -> None:
        await asyncio.sleep(0.02)
        self.loop = asyncio.get_running_loop()
        Client.events.append("open")

    async def async_invoke(self, value: int) -> list[int]:
        assert self.loop is asyncio.get_running_loop()
        return [value]

    async def close(self) -> None:
        assert self.loop is asyncio.get_running_loop()
        await asyncio.sleep(0.01)
        Client.events.append("close")


@both
def test_open_and_close_may_be_coroutines(env: Any, wait: Any) -> None:
    Client.events.clear()
    assert sorted(collect(wait(one(env).from_collection([1, 2, 3]), Client(), LONG))) == [1, 2, 3]
    assert Client.events == ["open", "close"]


class Unopened(Client):
    async def open(self, runtime_context: Any) -> None:
        raise PermissionError("no client")

    async def close(self) -> None:
        pass


def test_a_failing_open_fails_the_job(env: Any) -> None:
    with pytest.raises(PermissionError, match="no client"):
        collect(AsyncDataStream.ordered_wait(one(env).from_collection([1]), Unopened(), LONG))


class Plain(AsyncFunction):
    """Plain open and close, as in PyFlink."""

    events: ClassVar[list[Any]] = []

    def open(self, runtime_context: Any) -> None:
        Plain.events.append(("open", runtime_context.get_index_of_this_subtask()))

    async def async_invoke(self, value: int) -> list[int]:
        return [value]

    def close(self) -> None:
        Plain.events.append("close")


class Unclosed(Client):
    failure: ClassVar[BaseException]

    async def close(self) -> None:
        await asyncio.sleep(0)
        raise Unclosed.failure


@pytest.mark.parametrize("failure", [PermissionError("still in use"), SystemExit(4)], ids=repr)
def test_a_failing_close_fails_the_job(env: Any, failure: BaseException) -> None:
    Unclosed.failure = failure
    AsyncDataStream.ordered_wait(one(env).from_collection([1]), Unclosed(), LONG).print()
    with pytest.raises(type(failure)):
        env.execute()


def test_a_task_of_the_users_own_does_not_end_the_loop(env: Any) -> None:
    async def leave() -> None:
        raise SystemExit(5)

    async def start_a_task(value: int) -> list[int]:
        task = asyncio.get_running_loop().create_task(leave())
        await asyncio.wait([task])
        asyncio.get_running_loop().stop()
        await asyncio.sleep(0.01)
        return [value, task.exception().code]

    assert collect(AsyncDataStream.ordered_wait(one(env).from_collection([1]), Wait(start_a_task), LONG)) == [1, 5]


def test_plain_open_and_close(env: Any) -> None:
    Plain.events.clear()
    env.set_parallelism(2)
    assert sorted(collect(AsyncDataStream.ordered_wait(env.from_collection([1, 2, 3]).rebalance(), Plain(), LONG))) == [1, 2, 3]
    assert sorted(map(str, Plain.events)) == ["('open', 0)", "('open', 1)", "close", "close"]


def test_cancelling_a_job_cancels_its_coroutines(env: Any) -> None:
    cancelled: list[int] = []
    begun = threading.Event()

    async def never(value: int) -> list[int]:
        try:
            if value == 9:
                begun.set()
            await asyncio.Event().wait()
        finally:
            cancelled.append(value)
        return [value]

    AsyncDataStream.unordered_wait(one(env).from_collection(list(range(10))), Wait(never), LONG).print()
    client = env.execute_async()
    assert begun.wait(10)
    client.cancel().result()
    deadline = time.monotonic() + 10
    while len(cancelled) < 10 and time.monotonic() < deadline:
        time.sleep(0.005)
    assert sorted(cancelled) == list(range(10))


def test_the_process_ends_with_requests_in_flight(tmp_path: Any) -> None:
    script = tmp_path / "job.py"
    script.write_text(
        "import asyncio, time\n"
        "from millstream.common import Time\n"
        "from millstream.datastream import AsyncDataStream, AsyncFunction, StreamExecutionEnvironment\n"
        "class Never(AsyncFunction):\n"
        "    async def async_invoke(self, value):\n"
        "        await asyncio.Event().wait()\n"
        "env = StreamExecutionEnvironment.get_execution_environment()\n"
        "env.set_parallelism(2)\n"
        "AsyncDataStream.ordered_wait(env.from_collection(list(range(500))), Never(), Time.seconds(1000)).print()\n"
        "client = env.execute_async()\n"
        "time.sleep(0.2)\n"
    )
    start = time.monotonic()
    result = subprocess.run([sys.executable, "-X", "dev", str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    assert "Traceback" not in result.stderr and "never awaited" not in result.stderr and "was destroyed" not in result.stderr, result.stderr
    assert time.monotonic() - start < 20


# ---- Nothing is left ---------------------------------------------------------------------------------------------------------------------------------


class Token:
    alive = 0

    def __init__(self, n: int) -> None:
        self.n = n
        Token.alive += 1

    def __deepcopy__(self, memo: Any) -> Token:
        return self

    def __del__(self) -> None:
        Token.alive -= 1


@both
@pytest.mark.parametrize("ending", ["finished", "failed", "canceled", "timed out"])
def test_nothing_is_left_behind(wait: Any, ending: str) -> None:
    functions = []

    class Function(AsyncFunction):
        async def async_invoke(self, token: Token) -> list[Token]:
            functions.append(weakref.ref(self))
            await asyncio.sleep(0.001)
            if ending == "failed" and token.n == 150:
                raise ValueError("planned")
            if ending == "canceled" and token.n >= 100:
                await asyncio.Event().wait()
            if ending == "timed out":
                await asyncio.Event().wait()
            return [token, Token(token.n + 1_000)]

        def timeout(self, token: Token) -> list[Token]:
            return [token]

    def run() -> None:
        env = one(StreamExecutionEnvironment.get_execution_environment())
        source = env.from_collection(list(range(200)), Types.LONG()).map(Token)
        stream = wait(source, Function(), Time.milliseconds(20) if ending == "timed out" else LONG, 30)
        results = stream.execute_and_collect()
        if ending == "failed":
            with pytest.raises(ValueError, match="planned"):
                list(results)
        elif ending == "canceled":
            for _ in range(10):
                next(results)
        else:
            assert len(list(results)) == (400 if ending == "finished" else 200)
        results.close()

    for _ in range(3):
        run()
    deadline = time.monotonic() + 10
    while (Token.alive or any(reference() for reference in functions)) and time.monotonic() < deadline:
        gc.collect()
        native.Environment().close()  # what the engine has given back goes with the next call
        time.sleep(0.01)
    assert Token.alive == 0
    assert not any(reference() for reference in functions)


def test_one_thread_serves_all_jobs() -> None:
    for _ in range(5):
        env = one(StreamExecutionEnvironment.get_execution_environment())
        assert collect(AsyncDataStream.ordered_wait(env.from_collection([1]), Wait(echo_twice), LONG)) == [1, 1]
    assert [thread.name for thread in threading.enumerate()].count("millstream-asyncio") == 1


# ---- What is refused ---------------------------------------------------------------------------------------------------------------------------------


class NotAsync(AsyncFunction):
    def async_invoke(self, value: int) -> list[int]:  # type: ignore[override]
        return [value]


def test_what_is_refused(env: Any) -> None:
    numbers = env.from_collection([1])
    good = Wait(echo_twice)
    retry = FixedDelayRetryStrategy(1, 1, None, None)
    with pytest.raises(PlanError, match="async def"):
        AsyncDataStream.ordered_wait(numbers, NotAsync(), LONG)
    with pytest.raises(TypeError, match="AsyncFunction"):
        AsyncDataStream.ordered_wait(numbers, echo_twice, LONG)
    with pytest.raises(TypeError, match="class itself"):
        AsyncDataStream.ordered_wait(numbers, Plain, LONG)
    with pytest.raises(TypeError, match="DataStream"):
        AsyncDataStream.ordered_wait([1], good, LONG)
    with pytest.raises(TypeError, match=r"Time\.seconds"):
        AsyncDataStream.ordered_wait(numbers, good, 5)
    with pytest.raises(ValueError, match="capacity of 0"):
        AsyncDataStream.ordered_wait(numbers, good, LONG, 0)
    with pytest.raises(PlanError, match="Timeout should be configured"):
        AsyncDataStream.ordered_wait_with_retry(numbers, good, Time.milliseconds(0), retry)
    with pytest.raises(PlanError, match="should not be None"):
        AsyncDataStream.ordered_wait_with_retry(numbers, good, LONG, None)
    with pytest.raises(ValueError, match="max_attempts"):
        FixedDelayRetryStrategy(0, 1, None, None)
    with pytest.raises(TypeError, match="exception_predicate is a function or None, not 5"):
        FixedDelayRetryStrategy(1, 1, None, 5)  # type: ignore[arg-type]
    assert AsyncRetryStrategy.no_restart() is NO_RETRY_STRATEGY and not NO_RETRY_STRATEGY.can_retry(1)
