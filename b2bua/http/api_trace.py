"""`GET /api/trace?call-id=&user=&follow=&secrets=`: the trace as NDJSON, in portions between the server's messages."""

# twisted.web is typed in part only.
# mypy: allow-untyped-calls
from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.python.failure import Failure
from twisted.web.http import BAD_REQUEST, FORBIDDEN, SERVICE_UNAVAILABLE
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from b2bua.http.health import plain
from b2bua.trace.recorder import Entry, Recorder
from b2bua.trace.records import Filter, Reader, Record

PORTION: Final = 64
"""Messages handled in one turn of the reactor: a few milliseconds."""
MAX_WAITING: Final = 2_000
"""Messages that wait for one follower; what comes on top while it is slow is dropped and counted."""
MAX_FOLLOWERS: Final = 16
LATENCY: Final = 0.1
"""Seconds for which a live view gathers, so that a message is read together with what it caused at once."""

_PARAMETERS: Final = frozenset((b"call-id", b"user", b"follow", b"secrets"))


class TracePage(Resource):
    """Reads `recorder` on request. `secrets` says whether this server shows them at all, to those who ask for them."""

    isLeaf = True

    def __init__(self, recorder: Recorder, secrets: bool, clock: IReactorTime) -> None:
        super().__init__()
        self._recorder = recorder
        self._secrets = secrets
        self._clock = clock
        self._followers = 0

    def render_GET(self, request: Request) -> bytes | int:
        arguments: dict[bytes, list[bytes]] = request.args or {}
        unknown = sorted(arguments.keys() - _PARAMETERS)
        if unknown:
            return plain(request, f"unknown parameter {unknown[0].decode('ascii', 'replace')}", BAD_REQUEST)
        values = {name: found[-1].decode("utf-8", "replace") for name, found in arguments.items()}
        secrets, follow = _is_set(values.get(b"secrets", "")), _is_set(values.get(b"follow", ""))
        if secrets and not self._secrets:
            return plain(request, "secrets are shown only by a server that runs with --trace-secrets", FORBIDDEN)
        if follow and self._followers >= MAX_FOLLOWERS:
            return plain(request, "too many live views are open", SERVICE_UNAVAILABLE)
        request.setHeader(b"Content-Type", b"application/x-ndjson")
        request.setHeader(b"Cache-Control", b"no-store")
        if request.method == b"HEAD":
            return b""
        wanted = Filter(values.get(b"call-id", ""), values.get(b"user", ""))
        reader = Reader(self._recorder, wanted, secrets)
        self._followers += follow
        TraceStream(request, self._recorder, reader, self._clock, follow, self._left).start()
        return NOT_DONE_YET

    def _left(self, followed: bool) -> None:
        self._followers -= followed


def _is_set(value: str) -> bool:
    return value.lower() in ("1", "true", "yes", "on")


@implementer(IPushProducer)
class TraceStream:
    """One response on its way: what the ring holds, then, for a follower, whatever comes, until the client goes.

    The transport pauses it while the client does not read; then entries wait here, up to `MAX_WAITING`. At the
    end it calls `left`, once.
    """

    def __init__(
        self,
        request: Request,
        recorder: Recorder,
        reader: Reader,
        clock: IReactorTime,
        follow: bool,
        left: Callable[[bool], None],
    ) -> None:
        self._request = request
        self._recorder = recorder
        self._reader = reader
        self._clock = clock
        self._follow = follow
        self._left = left
        self._waiting: deque[Entry] = deque()
        self._records: Iterator[Record | None] = iter(())
        self._turn: IDelayedCall | None = None
        self._paused = False
        self._closed = False

    def start(self) -> None:
        """Send the head of the response and begin with what the ring holds."""
        self._request.notifyFinish().addBoth(self._gone)
        self._request.registerProducer(self, True)
        self._request.write(b"")
        self._records = self._reader.read(self._recorder.entries())
        if self._follow:
            self._recorder.add_listener(self._heard)
        self._schedule(0.0)

    # -- what the transport says ---------------------------------------------------------------------------------

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self._schedule(0.0)

    def stopProducing(self) -> None:
        self._close()

    def _gone(self, result: Failure | None) -> None:
        """The client went away, or the response is finished: either way nothing is left to do."""
        self._close()

    # -- what there is to send -----------------------------------------------------------------------------------

    def _heard(self, entry: Entry) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._recorder.dropped += 1
            return
        self._waiting.append(entry)
        self._schedule(LATENCY)

    def _schedule(self, delay: float) -> None:
        if self._turn is None and not self._paused and not self._closed:
            self._turn = self._clock.callLater(delay, self._run)

    def _run(self) -> None:
        """One portion; then the next turn, the wait for more, or the end."""
        self._turn = None
        if self._paused or self._closed:
            return
        lines: list[str] = []
        for _ in range(PORTION):
            try:
                record = next(self._records)
            except StopIteration:
                self._send(lines)
                self._next_batch()
                return
            if record is not None:
                lines.append(json.dumps(record))
        self._send(lines)
        self._schedule(0.0)

    def _next_batch(self) -> None:
        if not self._follow:
            self._request.unregisterProducer()
            self._request.finish()
        elif self._waiting:
            batch, self._waiting = self._waiting, deque()
            self._records = self._reader.read(batch)
            self._schedule(0.0)

    def _send(self, lines: list[str]) -> None:
        if lines and not self._closed:
            self._request.write(("\n".join(lines) + "\n").encode("ascii"))

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._recorder.remove_listener(self._heard)
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self._waiting.clear()
        self._left(self._follow)
