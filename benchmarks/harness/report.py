"""The table, as text, as JSON, and in RESULTS.md."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from harness.bench import Comparison, Row

BEGIN, END = "<!-- table: written by run.py --record -->", "<!-- end of the table -->"


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table, its columns aligned so that it reads well on a terminal too."""
    lines = [["work", "Millstream", "to reach", "", "beside it (we are so many times better)"]]
    for row in rows:
        mark = {True: "reached", False: "**missed**", None: ""}[row.is_met]
        lines.append([row.work, _figure(row), row.target, mark, "; ".join(map(_comparison, row.comparisons))])
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines)


def number(value: float, unit: str) -> str:
    """A value with its unit: 3.14 M/s, 12.5 ms, 214 MB/s."""
    if unit == "/s":
        scale, letter = next((pair for pair in ((1e6, "M"), (1e3, "k")) if value >= pair[0]), (1.0, ""))
        return f"{_digits(value / scale)} {letter}/s"
    return f"{_digits(value)} {unit}"


def write_json(path: Path, facts: dict[str, str], rows: list[Row], notes: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": facts, **notes, "rows": [asdict(row) for row in rows]}, indent=2) + "\n")


def record(path: Path, facts: dict[str, str], rows: list[Row], condition: str) -> None:
    """Writes machine and table between the marks of RESULTS.md; the notes around them are left alone."""
    text = path.read_text()
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"{path.name} lacks the marks between which the table stands")
    machine = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    path.write_text(f"{before}{BEGIN}\n{machine}\n- {condition}\n\n{table(rows)}\n\n{END}{after}")


def _figure(row: Row) -> str:
    figure = number(row.value, row.unit)
    if row.spread:
        figure += f" ({_digits_like(row.spread[0], row)} to {_digits_like(row.spread[1], row)})"
    return figure + (f", {row.note}" if row.note else "")


def _digits_like(value: float, row: Row) -> str:
    if row.unit == "/s":
        value /= 1e6 if row.value >= 1e6 else 1e3 if row.value >= 1e3 else 1
    return _digits(value)


def _comparison(comparison: Comparison) -> str:
    note = f", {comparison.note}" if comparison.note else ""
    return f"{comparison.name} (×{_digits(comparison.ratio)}{note})"


def _digits(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
