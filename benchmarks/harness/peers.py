"""The peers: each lives in a virtual environment of its own, made once under build/peers (or where MILLSTREAM_PEERS says)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

# Name: what pip installs.
REQUIREMENTS = {
    "bytewax": ["bytewax==0.21.1"],
    # apache-beam, which PyFlink needs, is built with pkg_resources.
    "pyflink": ["apache-flink==2.3.0", "setuptools<80"],
}


def peer_python(name: str) -> str | None:
    """The interpreter of a peer's environment, which is made at the first call; None (and a line that says why) if it cannot be had."""
    folder = Path(os.environ.get("MILLSTREAM_PEERS", REPOSITORY / "build" / "peers")) / name
    python = folder / "bin" / "python"
    if not _works(python, name):
        print(f"bench: installing {' '.join(REQUIREMENTS[name])}", file=sys.stderr, flush=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            subprocess.run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *REQUIREMENTS[name]], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"bench: {name} cannot be installed, its columns stay empty: {error}", file=sys.stderr)
            return None
    return str(python)


def peer_version(python: str, name: str) -> str:
    """The installed version of a peer."""
    package = REQUIREMENTS[name][0].partition("=")[0]
    asked = subprocess.run([python, "-c", f"import importlib.metadata as m; print(m.version({package!r}))"], capture_output=True, text=True, check=False)
    return asked.stdout.strip() or "?"


def _works(python: Path, name: str) -> bool:
    package = REQUIREMENTS[name][0].partition("=")[0]
    try:
        command = [str(python), "-c", f"import importlib.metadata as m; m.version({package!r})"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
