"""`/api/faults`: the faults that are set, and how an operator on this machine sets and takes away one."""

# twisted.web is typed in part only.
# mypy: allow-untyped-calls
from __future__ import annotations

import json

from twisted.web.http import BAD_REQUEST, NOT_FOUND
from twisted.web.resource import Resource
from twisted.web.server import Request

from b2bua.faults.fault import parse_fault
from b2bua.faults.faults import Faults
from b2bua.http.health import plain


class FaultsPage(Resource):
    """GET lists; POST with `fault=` adds one, DELETE with `number=` removes it, or `all`: each answers with the list."""

    isLeaf = True

    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self._faults = faults

    def render_GET(self, request: Request) -> bytes:
        request.setHeader(b"Content-Type", b"application/json")
        request.setHeader(b"Cache-Control", b"no-store")
        found = [
            {"number": one.number, "fault": str(one.fault), "matched": one.matched, "acted": one.acted, "spent": one.spent}
            for one in self._faults.standing
        ]
        return json.dumps({"faults": found}).encode() + b"\n"

    def render_POST(self, request: Request) -> bytes:
        try:
            self._faults.add(parse_fault(_argument(request, b"fault"), self._faults.own.names()))
        except ValueError as error:
            return plain(request, str(error), BAD_REQUEST)
        return self.render_GET(request)

    def render_DELETE(self, request: Request) -> bytes:
        number = _argument(request, b"number")
        wanted = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0
        if not self._faults.remove(None if number == "all" else wanted) and number != "all":
            return plain(request, "there is no such fault", NOT_FOUND)
        return self.render_GET(request)


def _argument(request: Request, name: bytes) -> str:
    return str(request.args.get(name, [b""])[0].decode("utf-8", "replace"))
