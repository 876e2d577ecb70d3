"""`GET /api/events`: server-sent events that say that something has happened, at most twice a second.

An event has no content but counts: who hears it reads the page that it shows once more. So a reader that is slow, or away for an
hour, costs nothing: while its connection is full one mark waits, however much happens.
"""

# twisted.web is typed in part only.
# mypy: allow-untyped-calls
from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.python.failure import Failure
from twisted.web.http import SERVICE_UNAVAILABLE
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from b2bua.http.health import plain
from b2bua.log.ring import Ring
from b2bua.trace.recorder import Entry, Recorder

DISTANCE: Final = 0.5
"""Seconds between two events."""
ALIVE: Final = 15.0
"""Seconds of quiet after which a comment is sent, so that neither end takes the other for gone."""
MAX_READERS: Final = 32


class EventsPage(Resource):
    """Hears of every message by the recorder, and of what is logged."""

    isLeaf = True

    def __init__(self, recorder: Recorder, clock: IReactorTime, ring: Ring) -> None:
        super().__init__()
        self._recorder = recorder
        self._ring = ring
        self._clock = clock
        self._readers = 0

    def render_GET(self, request: Request) -> bytes | int:
        if self._readers >= MAX_READERS:
            return plain(request, "too many live views are open", SERVICE_UNAVAILABLE)
        request.setHeader(b"Content-Type", b"text/event-stream; charset=utf-8")
        request.setHeader(b"Cache-Control", b"no-store")
        if request.method == b"HEAD":
            return b""
        self._readers += 1
        EventStream(request, self._recorder, self._ring, self._clock, self._left).start()
        return NOT_DONE_YET

    def _left(self) -> None:
        self._readers -= 1


@implementer(IPushProducer)
class EventStream:
    """One reader, until it goes; it calls `left` then, once."""

    def __init__(
        self, request: Request, recorder: Recorder, ring: Ring, clock: IReactorTime, left: Callable[[], None]
    ) -> None:  # fmt: skip
        self._request = request
        self._recorder = recorder
        self._ring = ring
        self._clock = clock
        self._left = left
        self._messages = self._logged = 0
        """How many messages, and entries of the log, there were since the last event."""
        self._paused = self._closed = False
        self._turn: IDelayedCall | None = None
        self._sent_at = clock.seconds()

    def start(self) -> None:
        """Send the head of the response and the first event."""
        self._request.notifyFinish().addBoth(self._gone)
        self._request.registerProducer(self, True)
        self._recorder.add_listener(self._heard)
        self._ring.listen(self._heard_log)
        self._say()

    # -- what the transport says ---------------------------------------------------------------------------------

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self._wait()

    def stopProducing(self) -> None:
        self._close()

    def _gone(self, result: Failure | None) -> None:
        self._close()

    # -- what there is to say ------------------------------------------------------------------------------------

    def _heard(self, entry: Entry) -> None:
        self._messages += 1
        if self._messages == 1 and not self._logged:
            self._wait()

    def _heard_log(self) -> None:
        self._logged += 1
        if self._logged == 1 and not self._messages:
            self._wait()

    def _wait(self) -> None:
        """Until the next event may go, or until it is to be shown that we live."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        if not self._paused and not self._closed:
            due = self._sent_at + (DISTANCE if self._messages or self._logged else ALIVE)
            self._turn = self._clock.callLater(max(due - self._clock.seconds(), 0.0), self._speak)

    def _speak(self) -> None:
        self._turn = None
        if self._messages or self._logged:
            self._say()
        else:
            self._write(b": alive\n\n")

    def _say(self) -> None:
        data = json.dumps({"messages": self._messages, "dropped": self._recorder.dropped, "logged": self._logged})
        self._messages = self._logged = 0
        self._write(f"event: changed\ndata: {data}\n\n".encode())

    def _write(self, data: bytes) -> None:
        self._sent_at = self._clock.seconds()
        self._request.write(data)
        self._wait()

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._recorder.remove_listener(self._heard)
        self._ring.leave(self._heard_log)
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self._left()
