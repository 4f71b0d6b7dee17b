"""Expressions over fields; the Table API and SQL come here."""
