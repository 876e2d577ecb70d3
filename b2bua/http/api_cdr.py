"""`GET /api/cdr?since=&user=&call=&limit=`: the calls that have ended, as their call detail records say."""

# twisted.web is typed in part only.
# mypy: allow-untyped-calls
from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.web.http import BAD_REQUEST, NOT_FOUND, SERVICE_UNAVAILABLE
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from b2bua.http.health import plain

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

WORDS: Final = ("since", "user", "call", "limit")
"""What can be asked for."""
SHOWN: Final = 100
"""Records, unless `limit` says otherwise."""
MOST: Final = 1000
MAX_READING: Final = 2
"""Searches at a time: each takes a thread."""

Lines = tuple[list[bytes], bool]
"""Records as JSON, the oldest first; whether there may be older ones."""
Search = Callable[..., Lines]
"""`search(limit=, since=, user=, call=)`; OSError where the disk does not give them."""
Run = Callable[..., "Deferred[Lines]"]
"""`run(function, **arguments)`: what the function returns, from a thread."""


class CdrPage(Resource):
    """GET answers `{"cdr": […], "more": false}`. `kept()` is what searches at this moment; None: no records are kept."""

    isLeaf = True

    def __init__(self, kept: Callable[[], Search | None], run: Run = deferToThread) -> None:
        super().__init__()
        self._kept = kept
        self._run = run
        self._reading = 0

    def render_GET(self, request: Request) -> bytes | int:
        try:
            wanted = _wanted({name.decode("ascii", "replace"): values[-1] for name, values in request.args.items()})
        except ValueError as error:
            return plain(request, str(error), BAD_REQUEST)
        if (search := self._kept()) is None:
            return plain(request, "no call detail records are kept: cdr is not set", NOT_FOUND)
        if self._reading >= MAX_READING:
            return plain(request, "too many look for records at this moment", SERVICE_UNAVAILABLE)
        self._reading += 1
        answer = _Answer(request)
        self._run(search, **wanted).addBoth(self._read).addCallbacks(answer.found, answer.failed)
        return NOT_DONE_YET

    def _read(self, result: Lines | Failure) -> Lines | Failure:
        self._reading -= 1
        return result


class _Answer:
    """To a request that waits for the disk; its client may be gone by then."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._gone = False
        request.notifyFinish().addErrback(self._left)

    def _left(self, _reason: object) -> None:
        self._gone = True

    def found(self, result: Lines) -> None:
        lines, more = result
        self._request.setHeader(b"Content-Type", b"application/json")
        self._request.setHeader(b"Cache-Control", b"no-store")
        self._finish(b'{"cdr": [%s], "more": %s}\n' % (b", ".join(lines), b"true" if more else b"false"))

    def failed(self, failure: Failure) -> None:
        failure.trap(OSError)
        reason = getattr(failure.value, "strerror", None) or str(failure.value)
        self._finish(plain(self._request, f"the records cannot be read: {reason}", SERVICE_UNAVAILABLE))

    def _finish(self, text: bytes) -> None:
        if not self._gone:
            self._request.write(text)
            self._request.finish()


def _wanted(given: dict[str, bytes]) -> dict[str, Any]:
    """Arguments of a search; ValueError for what is no question."""
    if unknown := sorted(set(given) - set(WORDS)):
        raise ValueError(f"{unknown[0]}: none of {', '.join(WORDS)}")
    limit, since = given.get("limit", b"%d" % SHOWN), given.get("since", b"0")
    if not limit.isdigit() or len(limit) > 9 or not 1 <= int(limit) <= MOST:
        raise ValueError(f"limit is a number from 1 to {MOST}")
    words = {name: given.get(name, b"").decode("utf-8", "replace") for name in ("user", "call")}
    return {"limit": int(limit), "since": _seconds(since), **words}


def _seconds(text: bytes) -> float:
    try:
        seconds = float(text or b"0")
    except ValueError:
        seconds = float("nan")
    if not isfinite(seconds):
        raise ValueError("since is a time in Unix seconds")
    return seconds
