"""What ``millstream run`` says for all jobs of its process. Imports next to nothing, because a script may need no engine."""

from __future__ import annotations


class RunSettings:
    """Where jobs start, and where they go on after a crash."""

    def __init__(self) -> None:
        #: The absolute path of the savepoint that jobs start from.
        self.savepoint: str | None = None
        self.allows_non_restored_state = False
        #: The absolute path below which each job has its checkpoints, and goes on from the newest.
        self.ha_dir: str | None = None
        #: Whether jobs are not run: each says what would become of the savepoint's state.
        self.is_dry = False

    def is_default(self) -> bool:
        """Whether nothing is set."""
        return self.savepoint is None and self.ha_dir is None and not self.allows_non_restored_state


#: Of this process. ``millstream run`` fills it before the script begins.
run_settings = RunSettings()
