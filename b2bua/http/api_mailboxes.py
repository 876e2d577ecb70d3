"""`/api/mailboxes`: how many voice messages wait for whom, shown and set by an operator or a program on this machine."""

# twisted.web is typed in part only.
# mypy: allow-untyped-calls
from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from twisted.web.http import BAD_REQUEST, NOT_FOUND, SERVICE_UNAVAILABLE
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from b2bua.http.health import plain

MOST: Final = 4_294_967_295
"""What no count exceeds (RFC 3842 §3.5)."""


class Mailbox(Protocol):
    """One that is set."""

    @property
    def user(self) -> str: ...

    @property
    def new(self) -> int: ...

    @property
    def old(self) -> int: ...


class Mailboxes(Protocol):
    """What `/api/mailboxes` shows and steers."""

    def list(self) -> Sequence[Mailbox]: ...

    def put(self, user: str, new: int, old: int, done: Callable[[Exception | None], None]) -> None: ...

    def clear(self, user: str, done: Callable[[Exception | None], None]) -> bool: ...


class MailboxesPage(Resource):
    """GET lists; POST with `user=`, `new=` and, if there are any, `old=` sets; DELETE with `user=` forgets. What changes
    something is answered when the store has it, and with what is set then; 503 when the store takes nothing."""

    isLeaf = True

    def __init__(self, mailboxes: Mailboxes, is_user: Callable[[str], bool]) -> None:
        super().__init__()
        self._mailboxes = mailboxes
        self._is_user = is_user

    def render_GET(self, request: Request) -> bytes:
        request.setHeader(b"Content-Type", b"application/json")
        request.setHeader(b"Cache-Control", b"no-store")
        found = [{"user": one.user, "new": one.new, "old": one.old} for one in self._mailboxes.list()]
        return json.dumps({"mailboxes": found}).encode() + b"\n"

    def render_POST(self, request: Request) -> bytes | int:
        user, new, old = _argument(request, b"user"), _count(request, b"new"), _count(request, b"old", "0")
        if new is None or old is None:
            return plain(request, f"new and old are wanted as numbers, 0 to {MOST}", BAD_REQUEST)
        if not self._is_user(user):
            return plain(request, "there is no such user", NOT_FOUND)
        answer = _Answer(self, request)
        self._mailboxes.put(user, new, old, answer.written)
        return NOT_DONE_YET

    def render_DELETE(self, request: Request) -> bytes | int:
        answer = _Answer(self, request)
        if not self._mailboxes.clear(_argument(request, b"user"), answer.written):
            return plain(request, "nothing is set for this user", NOT_FOUND)
        return NOT_DONE_YET


class _Answer:
    """To a request that waits for the store; its client may be gone by then."""

    def __init__(self, page: MailboxesPage, request: Request) -> None:
        self._page = page
        self._request = request
        self._gone = False
        request.notifyFinish().addErrback(self._left)

    def _left(self, _reason: object) -> None:
        self._gone = True

    def written(self, error: Exception | None) -> None:
        if self._gone:
            return
        request = self._request
        if error is None:
            request.write(self._page.render_GET(request))
        else:
            request.write(plain(request, "in force, but not yet written: the store takes nothing now", SERVICE_UNAVAILABLE))
        request.finish()


def _argument(request: Request, name: bytes, otherwise: str = "") -> str:
    text: str = request.args.get(name, [otherwise.encode()])[0].decode("utf-8", "replace")
    return text


def _count(request: Request, name: bytes, otherwise: str = "") -> int | None:
    text = _argument(request, name, otherwise)
    if not (text.isascii() and text.isdigit() and len(text) <= 10) or int(text) > MOST:
        return None
    return int(text)
