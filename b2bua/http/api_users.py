"""`/api/users`: who may register with the domain, and how an operator adds and removes users of a running server."""

# twisted.web is typed in part only.
# mypy: allow-untyped-calls
from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from twisted.web.http import BAD_REQUEST, CONFLICT, NOT_FOUND, SERVICE_UNAVAILABLE
from twisted.web.resource import Resource
from twisted.web.server import Request

from b2bua.http.health import plain
from b2bua.http.posted import posted
from b2bua.store.interface import StoreError


class Users(Protocol):
    """What `/api/users` shows and steers. `not_ours`: what it raises for a user that is kept elsewhere."""

    def list(self) -> list[dict[str, Any]]: ...

    def put(self, name: str, password: str) -> None: ...

    def remove(self, name: str) -> bool: ...


class NewUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to add. The password comes in the document, never in the address: those are logged on the way."""

    name: str
    password: str


class UsersPage(Resource):
    """GET lists; POST with a document adds one or changes its password, DELETE with `name=` removes one: the list, or why not.
    `not_ours`: what says that a user is kept elsewhere."""

    isLeaf = True

    def __init__(self, users: Users, not_ours: type[Exception]) -> None:
        super().__init__()
        self._users = users
        self._not_ours = not_ours

    def render_GET(self, request: Request) -> bytes:
        request.setHeader(b"Content-Type", b"application/json")
        request.setHeader(b"Cache-Control", b"no-store")
        return json.dumps({"users": self._users.list()}).encode() + b"\n"

    def render_POST(self, request: Request) -> bytes:
        if (wanted := posted(request, NewUser)) is None:
            return plain(request, 'a document is wanted: {"name": …, "password": …}', BAD_REQUEST)
        return self._change(request, lambda: self._users.put(wanted.name, wanted.password))

    def render_DELETE(self, request: Request) -> bytes:
        name = request.args.get(b"name", [b""])[0].decode("utf-8", "replace")
        return self._change(request, lambda: self._users.remove(name))

    def _change(self, request: Request, change: Callable[[], bool | None]) -> bytes:
        try:
            if change() is False:
                return plain(request, "there is no such user", NOT_FOUND)
        except ValueError as error:
            return plain(request, str(error), BAD_REQUEST)
        except self._not_ours as error:
            return plain(request, str(error), CONFLICT)
        except StoreError:
            return plain(request, "the store takes nothing now", SERVICE_UNAVAILABLE)
        return self.render_GET(request)
