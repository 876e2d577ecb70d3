"""`/healthz` and `/readyz`: whether the process lives, and whether it takes calls."""

# twisted.web is typed in part only.
# mypy: allow-untyped-calls
from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from twisted.web.http import SERVICE_UNAVAILABLE
from twisted.web.resource import Resource
from twisted.web.server import Request


def plain(request: Request, text: str, status: int = 200) -> bytes:
    """One line of text as a whole response."""
    request.setResponseCode(status, HTTPStatus(status).phrase.encode())  # Twisted has none for 429
    request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
    request.setHeader(b"Cache-Control", b"no-store")
    return f"{text}\n".encode()


class Healthz(Resource):
    """200 as long as the reactor turns."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        return plain(request, "ok")


class Readyz(Resource):
    """200 once all listeners and the store are open, 503 before that and while the server drains."""

    isLeaf = True

    def __init__(self, ready: Callable[[], bool]) -> None:
        super().__init__()
        self._ready = ready

    def render_GET(self, request: Request) -> bytes:
        return plain(request, "ready") if self._ready() else plain(request, "not ready", SERVICE_UNAVAILABLE)
