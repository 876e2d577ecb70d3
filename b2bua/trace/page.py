"""A trace as one HTML file: the ladder, each message a click away; nothing is loaded, and no script is in it.

A message opens as the target of a link, which needs style only. So nothing that a peer wrote could ever run, and the
policy in the head says the same once more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from b2bua.trace.drawing import STYLE, draw
from b2bua.trace.rows import Row
from b2bua.trace.written import facts_of, shown_message

_STYLE: Final = """
body { margin: 0; font: 14px system-ui, sans-serif; } main { padding: 8px 12px 45vh; overflow-x: auto; }
svg a { cursor: pointer; } svg a:hover > g > rect, svg a:focus > g > rect { fill: #eef4ff; }
section { display: none; position: fixed; left: 0; right: 0; bottom: 0; height: 42vh; overflow: auto; background: #f6f8fa;
  border-top: 2px solid #0550ae; padding: 8px 12px; box-sizing: border-box; }
section:target { display: block; } nav a { margin-right: 1.2em; }
pre { font: 13px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
"""

_HEAD: Final = (
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>SIP trace</title>\n'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
)


def page(rows: Sequence[Row]) -> Iterator[str]:
    """The file, in pieces."""
    yield f"{_HEAD}<style>{STYLE}{_STYLE}</style></head><body><main>\n"
    yield from draw(rows, "", lambda row, drawn: f'<a href="#m{row.number}">{drawn}</a>')
    yield "</main>\n"
    shown = [row for row in rows if not row.gap]
    for index, row in enumerate(shown):
        ways = [("close", "#"), *(("previous", f"#m{other.number}") for other in shown[max(index - 1, 0) : index])]
        ways += [("next", f"#m{other.number}") for other in shown[index + 1 : index + 2]]
        links = "".join(f'<a href="{target}">{name}</a>' for name, target in ways)
        known = "<br>".join(map(escape, facts_of(row)))
        message = escape("\n".join(shown_message(row)))
        yield f'<section id="m{row.number}"><nav>{links}</nav><p>{known}</p><pre>{message}</pre></section>\n'
    yield "</body></html>\n"
