"""`b2bua explain FILE`: a trace or a capture in words: each call with its flow and its ladder, and what is wrong where."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from b2bua.trace.flows import flows_of
from b2bua.trace.http_client import TraceError
from b2bua.trace.ladder import MAX_WIDTH, Ladder
from b2bua.trace.overview import CallLine
from b2bua.trace.rows import Row, Rows
from b2bua.trace.saved import SavedTrace
from b2bua.trace.stops import line_of, stops


def main(file: str) -> int:
    """Print what is in the file; the exit status: 0, 1 where something is wrong in it, 2 where it cannot be read."""
    try:
        records = SavedTrace(Path(file)).records
    except TraceError as error:
        print(f"b2bua explain: {error}", file=sys.stderr)
        return 2
    rows = Rows(len(records))
    for record in records:
        rows.take(record)
    wrong = False
    for line in explained(rows.all):
        print(line)
        wrong = wrong or line.startswith(("  wrong:", "  stopped"))
    return int(wrong)


def explained(rows: Sequence[Row]) -> Iterator[str]:
    """The lines: a block for each call in the order of its first message, then what belongs to none."""
    calls: dict[str, list[Row]] = {}
    others: list[Row] = []
    for row in rows:
        (others if row.record["call"] is None else calls.setdefault(row.record["call"], [])).append(row)
    yield f"{len(rows)} messages, {sum(len(row.copies) for row in rows)} retransmissions, {len(calls)} calls"
    for call, of_call in calls.items():
        line = CallLine(call, of_call[0])
        for row in of_call:
            line.take(row)
        yield from ("", str(line), f"  Call-ID {call}")
        yield from _block(of_call)
    if others:
        yield from ("", "outside calls")
        yield from _block(others)


def _block(rows: Sequence[Row]) -> Iterator[str]:
    for flow in flows_of(rows):
        yield f"  flow: {flow}"
    for where in stops(rows):
        yield f"  {where}"
    for row in rows:
        note = str(row.record.get("note", ""))
        if "wrong: " in note:
            yield f"  wrong: #{row.number} {note.partition('wrong: ')[2]}"
    ladder = Ladder(MAX_WIDTH)
    for row in rows:
        yield from (f"  {line}" for line in ladder.feed_row(row))
    for row in rows:
        for decision in row.record.get("decisions", ()):
            yield f"  why: #{row.number} {line_of(row)}: {decision}"
