"""The web console: three files that the server brings along, served as they are. All they show they ask of `/api`."""

# twisted.web is typed in part only.
# mypy: allow-untyped-calls
from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from twisted.web.http import CACHED
from twisted.web.resource import Resource
from twisted.web.server import Request

from b2bua.trace.drawing import STYLE

_POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, no script in the page: what a peer wrote into a message is never more than text."""
_TYPES: Final[Mapping[str, bytes]] = MappingProxyType(
    {"html": b"text/html; charset=utf-8", "js": b"text/javascript; charset=utf-8", "css": b"text/css; charset=utf-8"}
)


class ConsoleFile(Resource):
    """One of them; a browser asks each time whether it has changed."""

    isLeaf = True

    def __init__(self, name: str, data: bytes) -> None:
        super().__init__()
        self._data = data
        self._type = _TYPES[name.rpartition(".")[2]]
        self._tag = b'"' + sha256(data).hexdigest()[:32].encode() + b'"'

    def render_GET(self, request: Request) -> bytes:
        for name, value in (
            (b"Content-Type", self._type), (b"Content-Security-Policy", _POLICY), (b"X-Content-Type-Options", b"nosniff"),
            (b"Referrer-Policy", b"no-referrer"), (b"Cache-Control", b"no-cache"),
        ):  # fmt: skip
            request.setHeader(name, value)
        return b"" if request.setETag(self._tag) is CACHED else self._data


def console_files() -> dict[bytes, ConsoleFile]:
    """Path → page: the console itself at the root."""
    folder = files("b2bua.http") / "console_files"
    found = {name: (folder / name).read_bytes() for name in ("index.html", "console.css", "console.js")}
    found["ladder.css"] = STYLE.encode()
    pages = {name.encode(): ConsoleFile(name, data) for name, data in found.items()}
    pages[b""] = pages.pop(b"index.html")
    return pages
