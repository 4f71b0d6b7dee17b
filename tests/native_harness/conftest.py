"""The harness must be loaded before anything imports the extension: python -m pytest tests/native_harness, never together with tests/python."""

from __future__ import annotations

import sys
import types
from pathlib import Path

# Only the extension is under test here, without the package around it.
_package = types.ModuleType("millstream")
_package.__path__ = [str(Path(__file__).resolve().parents[2] / "python/src/millstream")]
sys.modules.setdefault("millstream", _package)
sys.path.insert(0, str(Path(__file__).parent))
