"""`GET /api/logs`: the newest entries of the log, searched by area, level, call, user, peer, event and text."""

# twisted.web is typed in part only.
# mypy: allow-untyped-calls
from __future__ import annotations

import json
from typing import Final

from twisted.web.http import BAD_REQUEST
from twisted.web.resource import Resource
from twisted.web.server import Request

from b2bua.http.health import plain
from b2bua.log.ring import Ring

WORDS: Final = ("area", "level", "call", "user", "peer", "event", "text", "after")
"""What can be asked for; see `Ring.find`."""


class LogsPage(Resource):
    """GET answers `{"logs": […], "number": N}`, the oldest entry first; N is the newest of all, for `after` of the next one."""

    isLeaf = True

    def __init__(self, ring: Ring) -> None:
        super().__init__()
        self._ring = ring

    def render_GET(self, request: Request) -> bytes:
        given = {name.decode("ascii", "replace"): values[0].decode("utf-8", "replace") for name, values in request.args.items()}
        if unknown := sorted(set(given) - set(WORDS)):
            return plain(request, f"{unknown[0]}: none of {', '.join(WORDS)}", BAD_REQUEST)
        try:
            found = self._ring.find(given)
        except ValueError as error:
            return plain(request, str(error), BAD_REQUEST)
        request.setHeader(b"Content-Type", b"application/json")
        request.setHeader(b"Cache-Control", b"no-store")
        return json.dumps({"logs": found, "number": self._ring.number}).encode() + b"\n"
