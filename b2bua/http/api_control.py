"""`/api/drain` and `/api/reload`: what an operator on this machine asks a running server to do."""

# twisted.web is typed in part only.
# mypy: allow-untyped-calls
from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol

from twisted.web.http import CONFLICT
from twisted.web.resource import Resource
from twisted.web.server import Request

from b2bua.http.health import plain


class Draining(Protocol):
    """What `/api/drain` steers."""

    def state(self) -> dict[str, object]: ...

    def start(self) -> None: ...

    def undo(self) -> None: ...


class DrainPage(Resource):
    """GET tells, POST begins, DELETE takes it back; each answers with the state."""

    isLeaf = True

    def __init__(self, drain: Draining) -> None:
        super().__init__()
        self._drain = drain

    def render_GET(self, request: Request) -> bytes:
        return _document(request, self._drain.state())

    def render_POST(self, request: Request) -> bytes:
        return self._change(request, self._drain.start)

    def render_DELETE(self, request: Request) -> bytes:
        return self._change(request, self._drain.undo)

    def _change(self, request: Request, change: Callable[[], None]) -> bytes:
        change()
        return _document(request, self._drain.state())


class ReloadPage(Resource):
    """POST reads settings, users and features again: 200, or 409 and why everything stays as it was."""

    isLeaf = True

    def __init__(self, reload: Callable[[], str]) -> None:
        super().__init__()
        self._reload = reload

    def render_POST(self, request: Request) -> bytes:
        reason = self._reload()
        return plain(request, reason, CONFLICT) if reason else plain(request, "settings, users and features read again")


def _document(request: Request, state: dict[str, Any]) -> bytes:
    request.setHeader(b"Content-Type", b"application/json")
    request.setHeader(b"Cache-Control", b"no-store")
    return json.dumps(state).encode() + b"\n"
