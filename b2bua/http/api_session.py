"""`/api/session`: logging in, logging out, and who one is. The password comes in a JSON document, never in the address."""

# twisted.web is typed in part only.
# mypy: allow-untyped-calls
from __future__ import annotations

import json
from collections.abc import Callable
from math import ceil
from typing import Final

import msgspec
from twisted.internet.defer import Deferred
from twisted.web.http import BAD_REQUEST, SERVICE_UNAVAILABLE, UNAUTHORIZED
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from b2bua.http.access import Access, cookie_name, session_secret
from b2bua.http.attempts import Attempts
from b2bua.http.health import plain
from b2bua.http.passwords import is_right
from b2bua.http.posted import posted
from b2bua.http.routes import Role
from b2bua.http.sessions import LIFE_SECONDS
from b2bua.log.events import Say
from b2bua.store.console_user_record import ConsoleUserRecord

MAX_CHECKED: Final = 4
"""Passwords that are checked at a time: each takes a thread and 16 MiB."""
TOO_MANY_REQUESTS: Final = 429
Run = Callable[..., "Deferred[bool]"]
"""`run(function, *arguments)`: what the function returns, from a thread of its own."""


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one logs in with."""

    name: str
    password: str


class SessionPage(Resource):
    """GET tells who asks; POST with name and password logs in: 200 and a cookie, or 401 in the same bytes after the same time
    whether the name or the password is wrong; DELETE logs out. `told(result)` hears of every attempt, the `log` of those
    that are too many."""

    isLeaf = True

    def __init__(
        self, access: Access, attempts: Attempts, run: Run, told: Callable[[str], None], log: Say
    ) -> None:
        super().__init__()
        self._access = access
        self._attempts = attempts
        self._run = run
        self._told = told
        self._log = log
        self._checked = 0

    def render_GET(self, request: Request) -> bytes:
        found = self._access.who(request)
        return self._shown(request, *((None, None) if found is None else (found.name, found.role)))

    def render_POST(self, request: Request) -> bytes | int:
        if (asked := posted(request, Credentials)) is None:
            return plain(request, 'a document is wanted: {"name": …, "password": …}', BAD_REQUEST)
        if self._checked >= MAX_CHECKED:
            return plain(request, "too many log in at this moment", SERVICE_UNAVAILABLE)
        source = getattr(request.getClientAddress(), "host", "")
        if wait := self._attempts.begin(source):
            self._told("limited")
            self._log("log_ins_limited", peer=source, seconds=ceil(wait))
            request.setHeader(b"Retry-After", str(ceil(wait)).encode())
            return plain(request, f"too many wrong log-ins from this address: wait {ceil(wait)} s", TOO_MANY_REQUESTS)
        account = self._access.accounts.user(asked.name)
        self._checked += 1
        answer = _Answer(self, request, source, account)
        self._run(is_right, asked.password, None if account is None else account.hash).addCallbacks(
            answer.checked, lambda _: answer.checked(False)
        )
        return NOT_DONE_YET

    def render_DELETE(self, request: Request) -> bytes:
        self._access.sessions.close(session_secret(request), request)
        _set_cookie(request, "", 0)
        return self._shown(request, None, None)

    def decided(self, request: Request, source: str, account: ConsoleUserRecord | None, right: bool) -> bytes:
        """The answer to a log-in whose password has been checked; the account may be another by now."""
        self._checked -= 1
        if account is None or not right or self._access.accounts.user(account.name) != account:
            self._told("wrong")
            return plain(request, "name or password is wrong", UNAUTHORIZED)
        self._told("right")
        self._attempts.right(source)
        _set_cookie(request, self._access.sessions.open(account.name, Role(account.role)), int(LIFE_SECONDS))
        return self._shown(request, account.name, Role(account.role))

    def _shown(self, request: Request, name: str | None, role: Role | None) -> bytes:
        request.setHeader(b"Content-Type", b"application/json")
        request.setHeader(b"Cache-Control", b"no-store")
        shown = {"name": name, "role": None if role is None else str(role), "login": self._access.accounts.needed}
        return json.dumps(shown).encode() + b"\n"


class _Answer:
    """To a log-in that waits for its password's check; its client may be gone by then."""

    def __init__(self, page: SessionPage, request: Request, source: str, account: ConsoleUserRecord | None) -> None:
        self._page = page
        self._request = request
        self._source = source
        self._account = account
        self._gone = False
        request.notifyFinish().addErrback(self._left)

    def _left(self, _reason: object) -> None:
        self._gone = True

    def checked(self, right: bool) -> None:
        text = self._page.decided(self._request, self._source, self._account, right and not self._gone)
        if not self._gone:
            self._request.write(text)
            self._request.finish()


def _set_cookie(request: Request, value: str, seconds: int) -> None:
    """No script sees it, no page of another site sends it; over TLS, or behind a proxy that says so, it stays there."""
    secure = request.isSecure() or request.getHeader("x-forwarded-proto") == "https"
    words = f"{cookie_name(request)}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}"
    request.responseHeaders.addRawHeader(b"Set-Cookie", words.encode())
