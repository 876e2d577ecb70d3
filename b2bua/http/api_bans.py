"""`/api/bans`: who is banned, and how an operator on this machine lifts a ban."""

# twisted.web is typed in part only.
# mypy: allow-untyped-calls
from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol

from twisted.web.http import NOT_FOUND
from twisted.web.resource import Resource
from twisted.web.server import Request

from b2bua.http.health import plain


class Ban(Protocol):
    """One that stands."""

    @property
    def source(self) -> str: ...

    @property
    def seconds_left(self) -> float: ...


class Bans(Protocol):
    """What `/api/bans` shows and steers."""

    def list(self) -> Sequence[Ban]: ...

    def remove(self, text: str) -> bool: ...


class BansPage(Resource):
    """GET lists, DELETE with `address=` lifts one: 200 and what is left, or 404. None: nobody is ever banned."""

    isLeaf = True

    def __init__(self, bans: Bans | None) -> None:
        super().__init__()
        self._bans = bans

    def render_GET(self, request: Request) -> bytes:
        found = () if self._bans is None else self._bans.list()
        request.setHeader(b"Content-Type", b"application/json")
        request.setHeader(b"Cache-Control", b"no-store")
        bans = [{"source": ban.source, "seconds_left": round(ban.seconds_left, 1)} for ban in found]
        return json.dumps({"bans": bans}).encode() + b"\n"

    def render_DELETE(self, request: Request) -> bytes:
        address = request.args.get(b"address", [b""])[0].decode("ascii", "replace")
        if self._bans is None or not self._bans.remove(address):
            return plain(request, "this address is not banned", NOT_FOUND)
        return self.render_GET(request)
