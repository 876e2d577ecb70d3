"""A ladder as an SVG drawing: a lifeline a party, an arrow a message, below it what its offer or answer changes."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from html import escape
from itertools import accumulate
from typing import Final

from b2bua.trace.columns import Columns, labels_of
from b2bua.trace.ladder import clock, printable
from b2bua.trace.lanes import Lane, lanes_of
from b2bua.trace.rows import Row

_LEFT: Final = 190
"""Room for time, call, step and bracket."""
_GAP: Final = 230
_RIGHT: Final = 120
_LANE: Final = 46
_HEAD: Final = 40
_ROW: Final = 28
_NOTE: Final = 15
_NOTE_SIGNS: Final = 96
_LABEL_SIGNS: Final = 32

STYLE: Final = """
.ladder { font: 13px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; background: #fff; }
.ladder text { fill: #1b1f24; } .ladder .party { font-weight: bold; text-anchor: middle; }
.ladder .label { text-anchor: middle; paint-order: stroke; stroke: #fff; stroke-width: 4px; }
.ladder .time { fill: #57606a; } .ladder .note { fill: #57606a; font-size: 12px; } .ladder .wrong { fill: #b42318; }
.ladder line { stroke: #c3c9d0; } .ladder .arrow { stroke: #0550ae; stroke-width: 1.5; } .ladder .head { fill: #0550ae; }
.ladder .answer .arrow { stroke: #1a7f37; } .ladder .answer .head { fill: #1a7f37; }
.ladder .refused .arrow { stroke: #b42318; } .ladder .refused .head { fill: #b42318; }
.ladder .again .arrow { stroke-dasharray: 3 4; }
.ladder .lane { fill: #54aeff; } .ladder .lane.trying, .ladder .lane.proceeding { fill: #d0d7de; }
.ladder .lane.early { fill: #eac54f; } .ladder .lane.held { fill: #bf3989; } .ladder .lane.is-held { fill: #e8b5d3; }
"""

Linked = Callable[[Row, str], str]
"""Wraps the drawing of a row."""


def svg(rows: Sequence[Row]) -> Iterator[str]:
    """A drawing that stands for itself: the style is in it, nothing outside is referred to."""
    return draw(rows, f"<style>{STYLE}</style>", lambda _row, drawn: drawn)


def draw(rows: Sequence[Row], style: str, linked: Linked) -> Iterator[str]:
    """The `<svg>` element, in pieces; empty ones stand for work without output. Left of the arrows a lane a lamp: what was
    published of a user, from when to when."""
    columns, heights = Columns(), []
    for row in rows:
        if not row.gap:
            columns.seat(row)
        heights.append(_height(row))
        yield ""
    lanes = lanes_of(rows)
    left = _LEFT + _LANE * len(lanes)
    width, height = left + _GAP * (len(columns.names) - 1) + _RIGHT, _HEAD + sum(heights) + _ROW
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="ladder" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">{style}<rect width="{width}" height="{height}" fill="#fff"/>\n'
    )
    for index, name in enumerate(columns.names):
        x = left + _GAP * index
        yield f'<line x1="{x}" y1="{_HEAD - 10}" x2="{x}" y2="{height}"/>' + _text(x, 20, "party", name) + "\n"
    y = _HEAD
    for row, tall in zip(rows, heights, strict=True):
        yield (_text(left, y + 18, "note", row.gap) if row.gap else linked(row, _row(row, columns, y, left, width, tall))) + "\n"
        y += tall
    yield from _lanes(lanes, heights)  # over the rows, which may be lit
    yield "</svg>\n"


def _lanes(lanes: Sequence[Lane], heights: Sequence[int]) -> Iterator[str]:
    tops = [_HEAD, *(_HEAD + total for total in accumulate(heights))]
    for number, lane in enumerate(lanes):
        middle = _LEFT - 40 + _LANE * number + _LANE // 2
        yield _text(middle, 20, "party", lane.user) + "\n"
        for stretch in lane.stretches:
            top, bottom = tops[stretch.start] + 22, tops[stretch.end] + (22 if stretch.end >= 0 else 0)
            shape = f'x="{middle - 6}" y="{top}" width="12" height="{max(bottom - top, 2)}" rx="3"'
            what = escape(f"lamp of {printable(lane.user)}: {stretch.kind}")
            yield f'<rect class="lane {stretch.kind}" {shape}><title>{what}</title></rect>\n'


def _height(row: Row) -> int:
    return _ROW + _NOTE * len(_note(row))


def _note(row: Row) -> list[str]:
    return textwrap.wrap(printable(str(row.record.get("note", ""))), _NOTE_SIGNS)


def _row(row: Row, columns: Columns, y: int, left: int, width: int, tall: int) -> str:
    record, line = row.record, y + 22
    step = f"({record['step']})" if record.get("step") else "   "
    margin = f"{clock(row.time)} {row.letter} {step}{row.bracket}"
    start, end = (left + _GAP * columns.place(record[side]) for side in ("source", "destination"))
    back = -8 if end > start else 8
    parts = [
        f'<rect x="0" y="{y}" width="{width}" height="{tall}" fill="transparent"/>',
        _text(8, line, "time", margin),
        f'<line class="arrow" x1="{start}" y1="{line}" x2="{end}" y2="{line}"/>',
        f'<path class="head" d="M{end} {line}l{back} -4v8z"/>',
        _text((start + end) // 2, line - 5, "label", _label(row)),
    ]
    wrong = "note wrong" if "wrong: " in str(record.get("note", "")) else "note"
    parts += [_text(left + 8, line + _NOTE * number, wrong, text) for number, text in enumerate(_note(row), 1)]
    return f'<g class="{_kind(row)}">{"".join(parts)}</g>'


def _label(row: Row) -> str:
    candidates = labels_of(row)
    return next((text for text in candidates if len(text) <= _LABEL_SIGNS), candidates[-1][:_LABEL_SIGNS])


def _kind(row: Row) -> str:
    kind = "request" if not row.facts.status else "refused" if row.facts.status >= 400 else "answer"
    return f"{kind} again" if row.record["retransmission"] else kind


def _text(x: int, y: int, kind: str, text: str) -> str:
    return f'<text x="{x}" y="{y}" class="{kind}" xml:space="preserve">{escape(printable(text))}</text>'
