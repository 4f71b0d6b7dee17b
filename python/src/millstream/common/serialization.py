"""How records become bytes, and bytes records."""

from __future__ import annotations

from millstream._tracebacks import guard

__all__ = ["DeserializationSchema", "Encoder", "SerializationSchema", "SimpleStringSchema"]


class SerializationSchema:
    """Makes bytes of records. Connectors know the schemas of this package; one cannot be written in Python."""


class DeserializationSchema:
    """Makes records of bytes. Connectors know the schemas of this package; one cannot be written in Python."""


class SimpleStringSchema(SerializationSchema, DeserializationSchema):
    """Text, a record each. Raises ``ValueError`` for a character set other than UTF-8."""

    def __init__(self, charset: str = "UTF-8") -> None:
        self.charset = checked_charset(charset)


class Encoder:
    """How a file sink writes records."""

    def __init__(self, format: str, options: dict[str, str] | None = None) -> None:
        self._format = format
        self._options = options or {}

    @staticmethod
    def simple_string_encoder(charset_name: str = "UTF-8") -> Encoder:
        """A line of text per record: the text of a value, as printed. Raises ``ValueError`` for a character set other than UTF-8."""
        checked_charset(charset_name)
        return Encoder("text")

    @staticmethod
    def csv_encoder(delimiter: str = ",", quote: str | None = '"', null_literal: str | None = None, header: bool = False) -> Encoder:
        """A line of comma-separated values per record: ``CsvRowFormat`` of the formats package. Millstream's own."""
        from millstream.datastream.formats.csv import CsvRowFormat

        return CsvRowFormat(delimiter, quote, null_literal, header)

    @staticmethod
    def json_encoder() -> Encoder:
        """A JSON object per line: ``JsonRowFormat`` of the formats package. Millstream's own."""
        from millstream.datastream.formats.json import JsonRowFormat

        return JsonRowFormat()

    def __repr__(self) -> str:
        return f"<Encoder {self._format}>"


def checked_charset(name: str) -> str:
    """The name of a character set that can be read and written: UTF-8, or its part ASCII. Raises ``ValueError`` for others."""
    import codecs

    try:
        found = codecs.lookup(name).name
    except LookupError:
        raise ValueError(f"there is no character set {name!r}") from None
    if found not in ("utf-8", "ascii"):
        raise ValueError(f"text is read and written in UTF-8; {name!r} is not supported")
    return name


guard(globals())
