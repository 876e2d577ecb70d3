"""`/api/calls`: the calls of this process's feature server, and how a program on this machine makes and steers them."""

# twisted.web is typed in part only.
# mypy: allow-untyped-calls
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Protocol

from twisted.web.http import NOT_FOUND
from twisted.web.resource import Resource
from twisted.web.server import Request

from b2bua.http.health import plain


class Calls(Protocol):
    """What `/api/calls` shows and steers; `b2bua.feature_server.control.Control` is one."""

    def ask(self, verb: str, words: Mapping[str, str]) -> tuple[int, object]: ...


class CallsPage(Resource):
    """GET lists all, or shows one with `id=`; POST does `do=` with the words that it needs; DELETE with `id=` ends one.

    None: the feature server here, if any, cannot be steered.
    """

    isLeaf = True

    def __init__(self, calls: Calls | None) -> None:
        super().__init__()
        self._calls = calls

    def render_GET(self, request: Request) -> bytes:
        words = _words(request)
        return self._ask(request, "view" if "id" in words else "list", words)

    def render_POST(self, request: Request) -> bytes:
        words = _words(request)
        verb = words.get("do", "")
        if verb in ("list", "view"):
            verb = ""
        return self._ask(request, verb, words)

    def render_DELETE(self, request: Request) -> bytes:
        return self._ask(request, "end", _words(request))

    def _ask(self, request: Request, verb: str, words: Mapping[str, str]) -> bytes:
        if self._calls is None:
            return plain(request, "no feature server whose calls could be steered runs in this process", NOT_FOUND)
        status, found = self._calls.ask(verb, words)
        if isinstance(found, str):
            return plain(request, found, status)
        request.setResponseCode(status)
        request.setHeader(b"Content-Type", b"application/json")
        request.setHeader(b"Cache-Control", b"no-store")
        return json.dumps({"calls": found} if verb == "list" else found).encode() + b"\n"


def _words(request: Request) -> dict[str, str]:
    return {name.decode("ascii", "replace"): values[0].decode("utf-8", "replace") for name, values in request.args.items()}
