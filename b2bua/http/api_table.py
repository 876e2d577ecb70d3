"""A page of the API that shows one table of what stands now, and changes nothing."""

# twisted.web is typed in part only.
# mypy: allow-untyped-calls
from __future__ import annotations

import json
from collections.abc import Callable

from twisted.web.resource import Resource
from twisted.web.server import Request


class TablePage(Resource):
    """GET answers `{NAME: …}`, with what `read` returns just then."""

    isLeaf = True

    def __init__(self, name: str, read: Callable[[], object]) -> None:
        super().__init__()
        self._name = name
        self._read = read

    def render_GET(self, request: Request) -> bytes:
        request.setHeader(b"Content-Type", b"application/json")
        request.setHeader(b"Cache-Control", b"no-store")
        return json.dumps({self._name: self._read()}).encode() + b"\n"
