"""What the web console asks of the trace besides the exports: its calls, and a ladder with the messages behind the arrows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from b2bua.trace.drawing import draw
from b2bua.trace.exports import Export, rowed
from b2bua.trace.overview import call_lines
from b2bua.trace.rows import Row
from b2bua.trace.written import facts_of, shown_message

MAX_DRAWN: Final = 1_500
"""Messages of one ladder: more is slow in a browser, the oldest are left out."""
JSON: Final = "application/json"


def _calls(rows: Sequence[Row]) -> Iterator[str]:
    """`{"calls": […]}`, the newest call first."""
    yield json.dumps({"calls": [line.facts() for line in reversed(call_lines(rows))]})


def _ladder(rows: Sequence[Row]) -> Iterator[str]:
    """`{"svg": …, "left_out": N, "messages": {number: …}}`; in the drawing an arrow is `<a href="#m{number}">`."""
    left_out, rows = max(len(rows) - MAX_DRAWN, 0), rows[-MAX_DRAWN:]
    drawing: list[str] = []
    for piece in draw(rows, "", lambda row, drawn: f'<a href="#m{row.number}">{drawn}</a>'):
        drawing.append(piece)
        yield ""
    yield json.dumps({"left_out": left_out, "svg": "".join(drawing), "messages": dict(_messages(rows))})


def _messages(rows: Sequence[Row]) -> Iterator[tuple[int, dict[str, Any]]]:
    """`before`: the number of the last message of its kind in its dialog, between the same two, 0 for none."""
    last: dict[tuple[object, ...], int] = {}
    for row in rows:
        if row.gap:
            continue
        facts, record = row.facts, row.record
        kind = facts.call_id, facts.method, facts.status, facts.cseq_method, record["source"], record["destination"]
        title = facts.method or f"{facts.status} ({facts.cseq_method})"
        yield row.number, {
            "title": title, "facts": facts_of(row), "lines": shown_message(row), "before": last.get(kind, 0),
            "call": record["call"],
        }  # fmt: skip
        last[kind] = row.number


CONSOLE_FORMS: Final[dict[str, tuple[str, Export]]] = {
    "calls": (JSON, rowed(_calls)),
    "ladder": (JSON, rowed(_ladder)),
}
"""As `b2bua.trace.exports.EXPORTS`."""
