"""Exceptions by PyFlink's names.

They are here so that a script which catches them runs. In PyFlink they stand for exceptions of the JVM; this engine raises those of
:mod:`millstream.exceptions`.
"""

from __future__ import annotations

__all__ = [
    "CatalogException",
    "DatabaseAlreadyExistException",
    "DatabaseNotEmptyException",
    "DatabaseNotExistException",
    "FunctionAlreadyExistException",
    "FunctionNotExistException",
    "JavaException",
    "ModelAlreadyExistException",
    "ModelNotExistException",
    "PartitionAlreadyExistsException",
    "PartitionNotExistException",
    "PartitionSpecInvalidException",
    "TableAlreadyExistException",
    "TableException",
    "TableNotExistException",
    "TableNotPartitionedException",
]


class JavaException(Exception):
    """The base of the others. Its text is ``stack_trace``.

    >>> str(JavaException("what happened"))
    'what happened'
    """

    def __init__(self, stack_trace: str) -> None:
        super().__init__(stack_trace)
        self.stack_trace = stack_trace

    def __str__(self) -> str:
        return self.stack_trace


class TableException(JavaException):
    """Something went wrong with a table."""


class CatalogException(JavaException):
    """Something went wrong with a catalog."""


class DatabaseAlreadyExistException(JavaException):
    """A database of this name is there."""


class DatabaseNotEmptyException(JavaException):
    """A database that is to be dropped has something in it."""


class DatabaseNotExistException(JavaException):
    """There is no database of this name."""


class FunctionAlreadyExistException(JavaException):
    """A function of this name is there."""


class FunctionNotExistException(JavaException):
    """There is no function of this name."""


class PartitionAlreadyExistsException(JavaException):
    """The partition is there."""


class PartitionNotExistException(JavaException):
    """There is no such partition."""


class PartitionSpecInvalidException(JavaException):
    """The partition's description does not fit the table."""


class TableAlreadyExistException(JavaException):
    """A table of this name is there."""


class TableNotExistException(JavaException):
    """There is no table of this name."""


class ModelAlreadyExistException(JavaException):
    """A model of this name is there."""


class ModelNotExistException(JavaException):
    """There is no model of this name."""


class TableNotPartitionedException(JavaException):
    """The table has no partitions."""
