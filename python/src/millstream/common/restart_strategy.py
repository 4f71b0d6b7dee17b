"""Whether and when a failed job starts again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta

from millstream.common.time import Duration, Time, milliseconds_of

__all__ = ["RestartStrategies", "RestartStrategyConfiguration"]


class RestartStrategyConfiguration(ABC):
    """What to do after a failure. It is kept with the job's configuration; jobs without checkpoints do not restart."""

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
            self._attempts = restart_attempts
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
            self._rate = max_failure_rate
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
