"""How files' bytes become rows, and rows bytes. The formats that need a library of their own are modules: avro, orc and parquet."""

from millstream.datastream.formats.csv import CsvReaderFormat, CsvRowFormat, CsvSchema
from millstream.datastream.formats.json import JsonReaderFormat, JsonRowFormat

__all__ = ["CsvReaderFormat", "CsvRowFormat", "CsvSchema", "JsonReaderFormat", "JsonRowFormat"]
