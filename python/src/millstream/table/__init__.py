"""Data types and expressions over fields; the Table API and SQL come here."""

from __future__ import annotations

from millstream._lazy import lazily

__getattr__, __dir__ = lazily(__name__, {"millstream.table.types": "DataTypes RowField RowType"})
