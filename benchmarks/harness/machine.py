"""Facts about the machine and the programs that were measured."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

from harness.peers import peer_version


def facts(peers: dict[str, str | None]) -> dict[str, str]:
    """What a reader needs to place the figures."""
    described = {
        "cores": str(len(os.sched_getaffinity(0))),
        "processor": _field("/proc/cpuinfo", "model name"),
        "memory": f"{int(_field('/proc/meminfo', 'MemTotal').split()[0]) // 1024 // 1024} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "millstream": _millstream_version(),
    }
    for name, python in peers.items():
        if python:
            described[name] = peer_version(python, name)
    return described


def load() -> float:
    """The load average of the last minute: others' work on the same machine spoils the figures."""
    return os.getloadavg()[0]


def _field(path: str, name: str) -> str:
    with open(path) as file:
        for line in file:
            key, _, value = line.partition(":")
            if key.strip() == name:
                return value.strip()
    return "0"


def _millstream_version() -> str:
    asked = subprocess.run([sys.executable, "-c", "import millstream; print(millstream.__version__)"], capture_output=True, text=True, check=False)
    return asked.stdout.strip() or "?"
