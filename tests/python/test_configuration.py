"""Settings, and what happens to those that cannot be."""

from __future__ import annotations

import pytest
from millstream.common import ConfigOptions, Configuration, Duration, RestartStrategies
from millstream.datastream import RuntimeExecutionMode, StreamExecutionEnvironment
from millstream.exceptions import ConfigurationError


def test_values_of_every_kind() -> None:
    configuration = Configuration()
    configuration.set_string("s", "x").set_integer("i", 7).set_boolean("b", True).set_float("f", 0.5).set_bytearray("y", bytearray(b"\x00\xff"))
    assert configuration.get_string("s", "") == "x"
    assert configuration.get_integer("i", 0) == 7
    assert configuration.get_boolean("b", False) is True
    assert configuration.get_float("f", 0.0) == 0.5
    assert configuration.get_bytearray("y", bytearray()) == bytearray(b"\x00\xff")
    assert (configuration.get_string("no", "d"), configuration.get_integer("no", 3), configuration.get_boolean("no", True)) == ("d", 3, True)
    assert configuration.to_dict() == {"s": "x", "i": "7", "b": "true", "f": "0.5", "y": "00ff"}
    assert configuration.key_set() == {"s", "i", "b", "f", "y"}


def test_copies_and_merges() -> None:
    first = Configuration.from_dict({"a": 1})
    second = Configuration(first)
    second.set_string("a", "2")
    assert first.get_integer("a", 0) == 1
    assert first.add_all(second, "x.").to_dict() == {"a": "1", "x.a": "2"}
    assert (first.remove_config("a"), first.remove_config("a"), first.contains_key("a")) == (True, False, False)
    target: dict[str, str] = {}
    first.add_all_to_dict(target)
    assert target == {"x.a": "2"}
    assert Configuration.from_dict({"a": True}) == Configuration.from_dict({"a": "true"})


@pytest.mark.parametrize("read", ["get_integer", "get_boolean", "get_float"])
def test_values_of_the_wrong_form(read: str) -> None:
    with pytest.raises(ValueError, match="k must be"):
        getattr(Configuration.from_dict({"k": "banana"}), read)("k", None)


def test_lists() -> None:
    assert Configuration.parse_list_value("a;b") == ["a", "b"]
    assert Configuration.parse_list_value("[a, 'b c']") == ["a", "b c"]
    assert Configuration.parse_list_value("") == []


def test_options() -> None:
    option = ConfigOptions.key("k").int_type().default_value(3)
    assert (option.key, option.value_type, option.default) == ("k", int, 3)


def test_environment_settings(env: StreamExecutionEnvironment) -> None:
    assert (env.get_parallelism(), env.get_max_parallelism(), env.get_buffer_timeout(), env.is_chaining_enabled()) == (1, -1, 100, True)
    env.set_parallelism(4).set_max_parallelism(8).set_buffer_timeout(0).disable_operator_chaining().set_runtime_mode(RuntimeExecutionMode.BATCH)
    assert (env.get_parallelism(), env.get_max_parallelism(), env.get_buffer_timeout(), env.is_chaining_enabled()) == (4, 8, 0, False)
    assert env.get_configuration().to_dict()["execution.runtime-mode"] == "BATCH"
    assert env.set_buffer_timeout(-1).get_buffer_timeout() == -1
    env.configure({"execution.buffer-timeout.interval": "2 s", "pipeline.auto-watermark-interval": "1 min"})
    assert (env.get_buffer_timeout(), env.get_config().get_auto_watermark_interval()) == (2_000, 60_000)
    assert env.get_config().set_auto_watermark_interval(0).get_auto_watermark_interval() == 0


def test_settings_by_key() -> None:
    env = StreamExecutionEnvironment.get_execution_environment(
        Configuration.from_dict({"parallelism.default": 3, "python.fn-execution.bundle.size": 1000, "restart-strategy.type": "none"})
    )
    assert env.get_parallelism() == 3


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("paralelism.default", 3, "did you mean 'parallelism.default'"),
        ("pipeline.max-paralelism", 3, "did you mean 'pipeline.max-parallelism'"),
        ("millstream.wokers", 3, "did you mean 'millstream.workers'"),
        ("parallelism.default", "banana", "parallelism.default"),
        ("parallelism.default", 0, "parallelism.default"),
        ("execution.buffer-timeout.interval", "10", "execution.buffer-timeout.interval"),
        ("execution.buffer-timeout.interval", "-5 s", "execution.buffer-timeout.interval"),
        ("execution.runtime-mode", "FAST", "execution.runtime-mode"),
        ("millstream.exchange.memory", "0", "millstream.exchange.memory"),
    ],
)
def test_settings_that_cannot_be(env: StreamExecutionEnvironment, key: str, value: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        env.configure({"millstream.seed": 1, key: value})
    assert env.get_configuration().to_dict() == {}, "nothing changes where one setting is refused"


@pytest.mark.parametrize("parallelism", [0, -1, 32_769])
def test_parallelism_out_of_range(env: StreamExecutionEnvironment, parallelism: int) -> None:
    for change in (env.set_parallelism, env.set_max_parallelism, env.from_collection([1]).map(abs).set_parallelism):
        with pytest.raises(ConfigurationError, match=str(parallelism)):
            change(parallelism)


def test_parallelism_above_the_max(env: StreamExecutionEnvironment) -> None:
    env.set_max_parallelism(4)
    with pytest.raises(ConfigurationError, match="5.*4"):
        env.set_parallelism(5)
    with pytest.raises(ConfigurationError, match="5.*4"):
        env.from_collection([1]).map(abs).set_parallelism(5)


def test_job_parameters_and_restart_strategies(env: StreamExecutionEnvironment) -> None:
    env.get_config().set_global_job_parameters({"a": 1})  # type: ignore[dict-item]
    assert env.get_config().get_global_job_parameters() == {"a": "1"}
    strategy = RestartStrategies.failure_rate_restart(3, Duration.of_minutes(5), 1_000)
    env.set_restart_strategy(strategy)
    assert env.get_restart_strategy() == strategy
    assert strategy.to_configuration()["restart-strategy.failure-rate.failure-rate-interval"] == "300000 ms"
    with pytest.raises(TypeError, match="RestartStrategies"):
        env.set_restart_strategy("none")  # type: ignore[arg-type]
