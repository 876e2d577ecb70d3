"""A trace as a Mermaid `sequenceDiagram`, for documents and tickets that draw it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from b2bua.trace.columns import Columns, labels_of
from b2bua.trace.rows import Row

_PLAIN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,()/=+_@'")
"""What stands for itself; any other sign is written as its number, for several mean something to Mermaid."""


def mermaid(rows: Sequence[Row]) -> Iterator[str]:
    """The lines of the diagram: parties as in the ladder, folded retransmissions counted, notes below their arrows."""
    columns = Columns()
    for row in rows:
        if not row.gap:
            columns.seat(row)
    yield "sequenceDiagram"
    for index, name in enumerate(columns.names):
        if name:
            yield f"    participant p{index} as {_escaped(name)}"
    start = rows[0].time if rows else 0.0
    for row in rows:
        if not row.gap:
            yield from _arrow(row, columns, start)


def _arrow(row: Row, columns: Columns, start: float) -> Iterator[str]:
    record = row.record
    source, destination = (columns.place(record[side]) for side in ("source", "destination"))
    shape = "-->>" if row.facts.status else "->>"
    step = f"({record['step']}) " if record.get("step") else ""
    text = f"{row.bracket}{step}{labels_of(row)[0]} +{row.time - start:.3f}"
    yield f"    p{source}{shape}p{destination}: {_escaped(text)}"
    if record.get("note"):
        over = ",".join(f"p{place}" for place in sorted({source, destination}))
        yield f"    Note over {over}: {_escaped(str(record['note']))}"


def _escaped(text: str) -> str:
    return "".join(sign if sign in _PLAIN else f"#{ord(sign)};" if sign.isprintable() else "?" for sign in text)
