"""What ``pyflink.version`` is in a script that runs here: the release of PyFlink whose API this package has."""

__version__ = "2.3.0"
