"""Whether and when a failed job starts again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from millstream._tracebacks import guard
from millstream.common.time import Duration, Time, milliseconds_in, milliseconds_of
from millstream.exceptions import ConfigurationError

if TYPE_CHECKING:
    from millstream.common.configuration import Configuration

__all__ = ["RestartStrategies", "RestartStrategyConfiguration"]


class RestartStrategyConfiguration(ABC):
    """What to do after a failure. A job that restarts goes on from its last checkpoint, or begins anew where there is none.

    >>> strategy = RestartStrategies.fixed_delay_restart(3, 1_000)
    >>> strategy.to_configuration()["restart-strategy.type"]
    'fixed-delay'
    """

    @abstractmethod
    def get_description(self) -> str:
        """One sentence for people."""

    @abstractmethod
    def to_configuration(self) -> dict[str, str]:
        """The settings that stand for it, by Flink's keys."""

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.to_configuration() == other.to_configuration()

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.to_configuration().items())))

    def __repr__(self) -> str:
        return f"<{self.get_description()}>"


class RestartStrategies:
    """Makes restart strategies.

    >>> RestartStrategies.fixed_delay_restart(3, 1000).get_description()
    'Restart with fixed delay (1000 ms). #3 restart attempts.'
    """

    class NoRestartStrategyConfiguration(RestartStrategyConfiguration):
        """A failure ends the job."""

        def get_description(self) -> str:
            return "Restart deactivated."

        def to_configuration(self) -> dict[str, str]:
            return {"restart-strategy.type": "none"}

    class FallbackRestartStrategyConfiguration(RestartStrategyConfiguration):
        """Whatever the environment is configured to do."""

        def get_description(self) -> str:
            return "Cluster level default restart strategy"

        def to_configuration(self) -> dict[str, str]:
            return {}

    class FixedDelayRestartStrategyConfiguration(RestartStrategyConfiguration):
        """So many attempts, so many milliseconds apart."""

        def __init__(self, restart_attempts: int, delay_between_attempts: Time | Duration | timedelta | int) -> None:
            self._attempts = _checked_count(restart_attempts, "number of restart attempts", 0)
            self._delay = milliseconds_of(delay_between_attempts, "delay_between_attempts")

        def get_description(self) -> str:
            return f"Restart with fixed delay ({self._delay} ms). #{self._attempts} restart attempts."

        def to_configuration(self) -> dict[str, str]:
            return {
                "restart-strategy.type": "fixed-delay",
                "restart-strategy.fixed-delay.attempts": str(self._attempts),
                "restart-strategy.fixed-delay.delay": f"{self._delay} ms",
            }

    class FailureRateRestartStrategyConfiguration(RestartStrategyConfiguration):
        """As long as there are not more than so many failures in so many milliseconds."""

        def __init__(
            self,
            max_failure_rate: int,
            failure_interval: Time | Duration | timedelta | int,
            delay_between_attempts_interval: Time | Duration | timedelta | int,
        ) -> None:
            self._rate = _checked_count(max_failure_rate, "number of failures in an interval", 1)
            self._interval = milliseconds_of(failure_interval, "failure_interval")
            self._delay = milliseconds_of(delay_between_attempts_interval, "delay_interval")

        def get_description(self) -> str:
            return f"Failure rate restart with maximum of {self._rate} failures within {self._interval} ms and fixed delay {self._delay} ms."

        def to_configuration(self) -> dict[str, str]:
            return {
                "restart-strategy.type": "failure-rate",
                "restart-strategy.failure-rate.max-failures-per-interval": str(self._rate),
                "restart-strategy.failure-rate.failure-rate-interval": f"{self._interval} ms",
                "restart-strategy.failure-rate.delay": f"{self._delay} ms",
            }

    class ExponentialDelayRestartStrategyConfiguration(RestartStrategyConfiguration):
        """After a delay that grows with each failure, and shrinks to the first one when the job has run long enough."""

        def __init__(
            self,
            initial_backoff: Time | Duration | timedelta | int,
            max_backoff: Time | Duration | timedelta | int,
            backoff_multiplier: float,
            reset_backoff_threshold: Time | Duration | timedelta | int,
            jitter_factor: float,
        ) -> None:
            self._initial = milliseconds_of(initial_backoff, "initial_backoff")
            self._max = milliseconds_of(max_backoff, "max_backoff")
            self._multiplier = float(backoff_multiplier)
            self._reset = milliseconds_of(reset_backoff_threshold, "reset_backoff_threshold")
            self._jitter = float(jitter_factor)
            if not 0 < self._initial <= self._max or not self._multiplier > 1 or self._reset <= 0 or not 0 <= self._jitter <= 1:
                raise ConfigurationError(
                    "an exponential delay needs 0 < initial_backoff <= max_backoff, a multiplier above 1, a positive threshold, a jitter from 0 to 1"
                )

        def get_description(self) -> str:
            return f"Restart with exponential delay: from {self._initial} ms to {self._max} ms, times {self._multiplier}."

        def to_configuration(self) -> dict[str, str]:
            return {
                "restart-strategy.type": "exponential-delay",
                "restart-strategy.exponential-delay.initial-backoff": f"{self._initial} ms",
                "restart-strategy.exponential-delay.max-backoff": f"{self._max} ms",
                "restart-strategy.exponential-delay.backoff-multiplier": str(self._multiplier),
                "restart-strategy.exponential-delay.reset-backoff-threshold": f"{self._reset} ms",
                "restart-strategy.exponential-delay.jitter-factor": str(self._jitter),
            }

    @staticmethod
    def no_restart() -> RestartStrategyConfiguration:
        """A failure ends the job."""
        return RestartStrategies.NoRestartStrategyConfiguration()

    @staticmethod
    def fall_back_restart() -> RestartStrategyConfiguration:
        """Whatever the environment is configured to do."""
        return RestartStrategies.FallbackRestartStrategyConfiguration()

    @staticmethod
    def fixed_delay_restart(restart_attempts: int, delay_between_attempts: Time | Duration | timedelta | int) -> RestartStrategyConfiguration:
        """So many attempts, so far apart (a number: milliseconds)."""
        return RestartStrategies.FixedDelayRestartStrategyConfiguration(restart_attempts, delay_between_attempts)

    @staticmethod
    def failure_rate_restart(
        failure_rate: int,
        failure_interval: Time | Duration | timedelta | int,
        delay_interval: Time | Duration | timedelta | int,
    ) -> RestartStrategyConfiguration:
        """Restarts as long as there are not more than ``failure_rate`` failures in an interval (numbers: milliseconds)."""
        return RestartStrategies.FailureRateRestartStrategyConfiguration(failure_rate, failure_interval, delay_interval)

    @staticmethod
    def exponential_delay_restart(
        initial_backoff: Time | Duration | timedelta | int = 1_000,
        max_backoff: Time | Duration | timedelta | int = 60_000,
        backoff_multiplier: float = 1.5,
        reset_backoff_threshold: Time | Duration | timedelta | int = 3_600_000,
        jitter_factor: float = 0.1,
    ) -> RestartStrategyConfiguration:
        """Restarts after a delay that grows with each failure (numbers: milliseconds). Only Java has it in Flink.

        Raises ``ConfigurationError`` for numbers that make no sense.
        """
        return RestartStrategies.ExponentialDelayRestartStrategyConfiguration(
            initial_backoff, max_backoff, backoff_multiplier, reset_backoff_threshold, jitter_factor
        )


_PREFIX = "restart-strategy."
#: All settings that a strategy stands for: another strategy takes the place of all of them.
RESTART_KEYS = (
    "restart-strategy",
    _PREFIX + "type",
    _PREFIX + "fixed-delay.attempts",
    _PREFIX + "fixed-delay.delay",
    _PREFIX + "failure-rate.max-failures-per-interval",
    _PREFIX + "failure-rate.failure-rate-interval",
    _PREFIX + "failure-rate.delay",
    _PREFIX + "exponential-delay.initial-backoff",
    _PREFIX + "exponential-delay.max-backoff",
    _PREFIX + "exponential-delay.backoff-multiplier",
    _PREFIX + "exponential-delay.reset-backoff-threshold",
    _PREFIX + "exponential-delay.jitter-factor",
)


def restart_strategy_from(configuration: Configuration) -> RestartStrategyConfiguration:
    """The strategy that the settings stand for, with Flink's defaults. Raises ``ConfigurationError`` for a type that there is none of."""
    settings = configuration.to_dict()

    def millis(name: str, default: int) -> int:
        return milliseconds_in(settings.get(_PREFIX + name, f"{default} ms"))

    kind = settings.get(_PREFIX + "type", settings.get("restart-strategy"))
    if kind is None:
        return RestartStrategies.fall_back_restart()
    match kind.lower().replace("-", ""):
        case "none" | "off" | "disable":
            return RestartStrategies.no_restart()
        case "fixeddelay":
            attempts = int(settings.get(_PREFIX + "fixed-delay.attempts", "1"))
            return RestartStrategies.fixed_delay_restart(attempts, millis("fixed-delay.delay", 1_000))
        case "failurerate":
            rate = int(settings.get(_PREFIX + "failure-rate.max-failures-per-interval", "1"))
            interval, delay = millis("failure-rate.failure-rate-interval", 60_000), millis("failure-rate.delay", 1_000)
            return RestartStrategies.failure_rate_restart(rate, interval, delay)
        case "exponentialdelay":
            return RestartStrategies.exponential_delay_restart(
                millis("exponential-delay.initial-backoff", 1_000),
                millis("exponential-delay.max-backoff", 60_000),
                float(settings.get(_PREFIX + "exponential-delay.backoff-multiplier", "1.5")),
                millis("exponential-delay.reset-backoff-threshold", 3_600_000),
                float(settings.get(_PREFIX + "exponential-delay.jitter-factor", "0.1")),
            )
    raise ConfigurationError(f"there is no restart strategy {kind!r}: none, fixed-delay, failure-rate and exponential-delay are there")


def _checked_count(number: Any, what: str, minimum: int) -> int:
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"the {what} is a whole number, not {number!r}")
    if number < minimum:
        raise ConfigurationError(f"the {what} must be at least {minimum}, but is {number}")
    return number


guard(globals())
