"""The forms in which a selection of the trace leaves: one iterator of bytes each, so that a server can send it in portions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from b2bua.trace.drawing import svg
from b2bua.trace.mermaid import mermaid
from b2bua.trace.page import page
from b2bua.trace.pcap import pcap
from b2bua.trace.rows import Record, Row, Rows
from b2bua.trace.written import text, tracesm

Export = Callable[[Sequence[Record]], Iterator[bytes]]
"""Records in order → the pieces of the file."""


def _lines(write: Callable[[Sequence[Row]], Iterable[str]]) -> Export:
    return rowed(lambda rows: (f"{line}\n" for line in write(rows)))


def rowed(write: Callable[[Sequence[Row]], Iterable[str]]) -> Export:
    """From records by rows. An empty piece stands for work without output."""

    def pieces(records: Sequence[Record]) -> Iterator[bytes]:
        rows = Rows(max(len(records), 1))
        for record in records:
            rows.take(record)
            yield b""
        for piece in write(rows.all):
            yield piece.encode("utf-8", "replace")

    return pieces


def _ndjson(records: Sequence[Record]) -> Iterator[bytes]:
    return (json.dumps(record).encode("ascii") + b"\n" for record in records)


EXPORTS: Final[dict[str, tuple[str, Export]]] = {
    "html": ("text/html; charset=utf-8", rowed(page)),
    "json": ("application/x-ndjson", _ndjson),
    "mermaid": ("text/vnd.mermaid; charset=utf-8", _lines(mermaid)),
    "pcap": ("application/vnd.tcpdump.pcap", pcap),
    "svg": ("image/svg+xml", rowed(svg)),
    "text": ("text/plain; charset=utf-8", _lines(text)),
    "tracesm": ("text/plain; charset=utf-8", _lines(tracesm)),
}
"""Format → media type, and what writes it from records in order."""
