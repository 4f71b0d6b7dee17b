"""The package's version; the engine's own is `millstream._native.version()`."""

__version__ = "0.1.0"
