"""What can be set on an operator, wherever the API gives one: streams and sinks."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any, TypeVar

from millstream._tracebacks import guard
from millstream.common.execution_config import checked_parallelism
from millstream.datastream.slot_sharing_group import SlotSharingGroup
from millstream.datastream.transformation import Transformation, duplicate_uid, reachable
from millstream.exceptions import ConfigurationError

if TYPE_CHECKING:
    from millstream.datastream.stream_execution_environment import StreamExecutionEnvironment

_Self = TypeVar("_Self", bound="OperatorSettings")


class OperatorSettings:
    """Name, uid, parallelism and chaining of the operator behind a stream or sink. Each method gives the stream or sink back."""

    _env: StreamExecutionEnvironment
    _transformation: Transformation

    def name(self: _Self, name: str) -> _Self:
        """Names the operator, for plans, metrics and error messages."""
        self._setting("name").name = str(name)
        return self

    def get_name(self) -> str:
        """The operator's name."""
        return self._transformation.name

    def set_description(self: _Self, description: str) -> _Self:
        """A longer text about the operator; only kept."""
        self._setting("description").description = str(description)
        return self

    def uid(self: _Self, uid: str) -> _Self:
        """Gives the operator an identifier of its own, by which its state is found again.

        Raises ``ConfigurationError`` if another operator of the job has it.
        """
        transformation = self._setting("uid")
        for other in reachable(self._env._transformations):
            if other is not transformation and other.settings.get("uid") == uid:
                raise duplicate_uid(uid, other, transformation)
        transformation.settings["uid"] = str(uid)
        return self

    def set_uid_hash(self: _Self, uid_hash: str) -> _Self:
        """Keeps an identifier of 32 hexadecimal digits, by which state of an operator without a uid is found.

        Raises ``ConfigurationError`` for anything else.
        """
        if not isinstance(uid_hash, str) or not re.fullmatch("[0-9A-Fa-f]{32}", uid_hash):
            raise ConfigurationError(f"a uid hash has 32 hexadecimal digits, unlike {uid_hash!r}")
        self._setting("uid hash").uid_hash = uid_hash
        return self

    def set_parallelism(self: _Self, parallelism: int) -> _Self:
        """Sets the number of subtasks. Raises ``ConfigurationError`` unless it is 1 to 32768 and not above the max parallelism."""
        transformation = self._setting("parallelism")
        found = checked_parallelism(parallelism, f"parallelism of {transformation.name!r}")
        limit = int(transformation.settings.get("max-parallelism", self._env.get_max_parallelism()))
        if 0 < limit < found:
            raise ConfigurationError(f"the parallelism of {transformation.name!r} cannot be {found}: the max parallelism is {limit}")
        transformation.settings["parallelism"] = str(found)
        return self

    def set_max_parallelism(self: _Self, max_parallelism: int) -> _Self:
        """Sets the number of key groups, 1 to 32768. Raises ``ConfigurationError`` if it is out of range or below the parallelism."""
        transformation = self._setting("max parallelism")
        found = checked_parallelism(max_parallelism, f"max parallelism of {transformation.name!r}")
        parallelism = int(transformation.settings.get("parallelism", "0"))
        if parallelism > found:
            raise ConfigurationError(f"the max parallelism of {transformation.name!r} cannot be {found}: its parallelism is {parallelism}")
        transformation.settings["max-parallelism"] = str(found)
        return self

    def force_non_parallel(self: _Self) -> _Self:
        """Sets parallelism and max parallelism to 1."""
        self._setting("parallelism").settings.update({"parallelism": "1", "max-parallelism": "1"})
        return self

    def set_buffer_timeout(self: _Self, timeout_millis: int) -> _Self:
        """How long a record may wait for a batch to fill, in milliseconds; 0: not at all; -1: as the environment says."""
        settings = self._setting("buffer timeout").settings
        if timeout_millis == -1:
            settings.pop("buffer-timeout", None)
        elif isinstance(timeout_millis, bool) or not isinstance(timeout_millis, int) or timeout_millis < 0:
            raise ConfigurationError(f"a buffer timeout is a number of milliseconds, or -1 for the environment's, not {timeout_millis!r}")
        else:
            settings["buffer-timeout"] = str(timeout_millis)
        return self

    def start_new_chain(self: _Self) -> _Self:
        """Never chains the operator to what comes before it."""
        self._setting("chaining").settings["chaining"] = "head"
        return self

    def disable_chaining(self: _Self) -> _Self:
        """Chains the operator to nothing."""
        self._setting("chaining").settings["chaining"] = "never"
        return self

    def slot_sharing_group(self: _Self, slot_sharing_group: str | SlotSharingGroup) -> _Self:
        """Puts the operator into a group; only kept, on one machine all operators share one pool of threads."""
        if not isinstance(slot_sharing_group, (str, SlotSharingGroup)):
            raise TypeError(f"slot_sharing_group takes a name or a SlotSharingGroup, not {slot_sharing_group!r}")
        group = slot_sharing_group if isinstance(slot_sharing_group, str) else slot_sharing_group.get_name()
        self._setting("slot sharing group").settings["slot-sharing-group"] = group
        return self

    def _setting(self, what: str) -> Transformation:
        """The operator to be changed."""
        self._env._check_open()
        return self._transformation


def warn_no_operator(what: str, how: str) -> None:
    """Says that a setting has no effect, at the user's line."""
    warnings.warn(f"setting the {what} of a stream after {how} has no effect: set it on an operator", stacklevel=4)


def described(function: Any) -> str:
    """A short name for a function, for reprs and messages."""
    return getattr(function, "__name__", type(function).__name__)


guard(globals())
