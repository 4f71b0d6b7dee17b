"""SQL, data types, and expressions over fields."""

from __future__ import annotations

from millstream._lazy import lazily

__getattr__, __dir__ = lazily(
    __name__,
    {
        "millstream.table.environment_settings": "EnvironmentSettings",
        "millstream.table.table_config": "TableConfig",
        "millstream.table.table_environment": "StreamTableEnvironment TableEnvironment",
        "millstream.table.table_result": "CloseableIterator ResultKind TableResult",
        "millstream.table.types": "DataTypes RowField RowType",
    },
)
