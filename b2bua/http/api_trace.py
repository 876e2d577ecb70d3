"""`GET /api/trace?call-id=&user=&follow=&secrets=&format=`: the trace, in portions between the server's messages."""

# twisted.web is typed in part only.
# mypy: allow-untyped-calls
from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from itertools import islice
from math import inf
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.python.failure import Failure
from twisted.web.http import BAD_REQUEST, FORBIDDEN, NOT_FOUND, SERVICE_UNAVAILABLE
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from b2bua.http.health import plain
from b2bua.http.other_servers import OtherServers, Together
from b2bua.trace.console_forms import CONSOLE_FORMS
from b2bua.trace.exports import EXPORTS, Export
from b2bua.trace.filters import Criteria
from b2bua.trace.http_client import ROLE_HEADER, TIME_HEADER
from b2bua.trace.recorder import Entry, Recorder
from b2bua.trace.records import Filter, Reader, Record

PORTION: Final = 64
"""Messages handled in one turn of the reactor: a few milliseconds."""
MAX_WAITING: Final = 2_000
"""Messages that wait for one follower; what comes on top while it is slow is dropped and counted."""
MAX_FOLLOWERS: Final = 16
LATENCY: Final = 0.1
"""Seconds for which a live view gathers, so that a message is read together with what it caused at once."""

SECRETS_REFUSED: Final = (
    "secrets are shown only by a server that runs with --trace-secrets, to an operator on its own machine"
)
_FORMS: Final = EXPORTS | CONSOLE_FORMS
_PARAMETERS: Final = frozenset((b"call-id", b"user", b"follow", b"secrets", b"format", b"since", b"together"))
_PATIENCE: Final = 0.05
"""Seconds between two looks whether the disk has been read."""

Found = TypeVar("Found")
ReadKept = Callable[[float], "Future[Recorder]"]
"""From a time (Unix seconds) on: a recorder that holds what was kept on disk."""


class _Asked(NamedTuple):
    """What is asked for."""

    wanted: Filter
    form: str
    """A key of `_FORMS`."""
    since: float
    """Unix seconds; 0: what is in memory."""
    secrets: bool
    follow: bool
    together: bool


class _Refused(Exception):
    """What cannot be had; the text says why."""

    def __init__(self, why: str, status: int = BAD_REQUEST) -> None:
        super().__init__(why)
        self.status = status


class TracePage(Resource):
    """Reads `recorder` on request. `secrets` says whether they are shown to whoever asks for them here."""

    isLeaf = True

    def __init__(
        self, recorder: Recorder, secrets: Callable[[Request], bool], clock: IReactorTime, kept: ReadKept | None = None,
        others: OtherServers | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._others = others
        self._kept = kept
        self._recorder = recorder
        self._secrets = secrets
        self._clock = clock
        self._followers = 0

    def render_GET(self, request: Request) -> bytes | int:
        try:
            asked = self._asked(request)
        except _Refused as refusal:
            return plain(request, str(refusal), refusal.status)
        for name, value in (
            (b"Content-Type", _FORMS[asked.form][0]), (b"Cache-Control", "no-store"),
            (TIME_HEADER.encode("ascii"), f"{self._recorder.now():.6f}"), (ROLE_HEADER.encode("ascii"), self._recorder.role),
        ):  # fmt: skip
            request.setHeader(name, value.encode("ascii"))
        if request.method == b"HEAD":
            return b""
        self._answer(request, asked)
        return NOT_DONE_YET

    def _asked(self, request: Request) -> _Asked:
        """What the parameters say; _Refused where they do not go together, or with this server."""
        arguments: dict[bytes, list[bytes]] = request.args or {}
        unknown = sorted(arguments.keys() - _PARAMETERS)
        if unknown:
            raise _Refused(f"unknown parameter {unknown[0].decode('ascii', 'replace')}")
        values = {name: found[-1].decode("utf-8", "replace") for name, found in arguments.items()}
        secrets, follow, together = (_is_set(values.get(name, "")) for name in (b"secrets", b"follow", b"together"))
        if secrets and not self._secrets(request):
            raise _Refused(SECRETS_REFUSED, FORBIDDEN)
        form = values.get(b"format", "") or "json"
        if form not in _FORMS or (follow and form != "json"):
            raise _Refused(f"format is one of {', '.join(EXPORTS)}; follow goes with json")
        if (follow or form != "json") and self._followers >= MAX_FOLLOWERS:
            raise _Refused("too many live views are open", SERVICE_UNAVAILABLE)
        since = _number(values.get(b"since", "0"))
        if since is None or (since and follow):
            raise _Refused("since is a time in Unix seconds, and does not go with follow")
        if together and (follow or secrets or self._others is None):
            raise _Refused("together wants trace_servers, and goes with neither follow nor secrets")
        if since and self._kept is None and not together:
            raise _Refused("no trace is kept on disk: trace_keep is not set", NOT_FOUND)
        wanted = Filter(values.get(b"call-id", ""), values.get(b"user", ""))
        return _Asked(wanted, form, since, secrets, follow, together)

    def _answer(self, request: Request, asked: _Asked) -> None:
        """From memory at once; from the disk or other servers when they have told."""
        if asked.together and self._others is not None:

            def merged(answer: Together) -> None:
                for one in answer.silent:
                    request.responseHeaders.addRawHeader(b"X-B2bua-Silent", one.encode("ascii", "replace")[:200])
                self._begin(request, asked, self._recorder, _Ready(answer.records))

            _Later(request, self._others.ask(_criteria(asked.wanted), asked.since), self._clock, merged).look()
        elif asked.since and self._kept is not None:
            _Later(request, self._kept(asked.since), self._clock, partial(self._read, request, asked)).look()
        else:
            self._read(request, asked, self._recorder)

    def _read(self, request: Request, asked: _Asked, recorder: Recorder) -> None:
        self._begin(request, asked, recorder, Reader(recorder, asked.wanted, asked.secrets))

    def _begin(self, request: Request, asked: _Asked, recorder: Recorder, reader: Reading) -> None:
        stream = TraceStream(request, recorder, reader, self._clock, asked.follow, self._left)
        if asked.form != "json":
            stream.write_as(_FORMS[asked.form][1])
        self._followers += stream.heavy
        stream.start()

    def _left(self, heavy: bool) -> None:
        self._followers -= heavy


class Reading(Protocol):
    """What a stream takes its records from: a `Reader`, or what is known already."""

    def read(self, entries: Iterable[Entry]) -> Iterator[Record | None]: ...


class _Ready:
    """Records that need not be read any more."""

    def __init__(self, records: list[Record]) -> None:
        self._records = records

    def read(self, entries: Iterable[Entry]) -> Iterator[Record | None]:
        return iter(self._records)


def _criteria(wanted: Filter) -> Criteria:
    given = (("-c", wanted.call_id), ("-u", wanted.user))
    return Criteria(tuple((switch, value) for switch, value in given if value))


class _Later(Generic[Found]):
    """A request that waits for the disk or for other servers; `begin` goes on with it unless the client has gone."""

    def __init__(
        self, request: Request, read: Future[Found], clock: IReactorTime, begin: Callable[[Found], None]
    ) -> None:  # fmt: skip
        self._request, self._read, self._clock, self._begin = request, read, clock, begin
        self._gone = False
        request.notifyFinish().addBoth(self._left)

    def look(self) -> None:
        if self._gone:
            self._read.cancel()
        elif not self._read.done():
            self._clock.callLater(_PATIENCE, self.look)
        elif error := self._read.exception():
            self._request.write(plain(self._request, f"the trace cannot be read: {error}", SERVICE_UNAVAILABLE))
            self._request.finish()
        else:
            self._begin(self._read.result())

    def _left(self, result: object) -> None:
        self._gone = True


def _number(text: str) -> float | None:
    try:
        number = float(text or "0")
    except ValueError:
        return None
    return number if 0 <= number < inf else None


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
        reader: Reading,
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
        self.heavy = follow
        """Whether it counts among those of which only `MAX_FOLLOWERS` may be open."""
        self._waiting: deque[Entry] = deque()
        self._records: Iterator[Record | None] = iter(())
        self._write: Export | None = None
        self._gathered: list[Record] = []
        """What a form that is no NDJSON has to know whole before its first piece."""
        self._pieces: Iterator[bytes] | None = None
        self._turn: IDelayedCall | None = None
        self._paused = False
        self._closed = False

    def write_as(self, write: Export) -> None:
        """Not NDJSON but this form, which needs all records first; before `start`."""
        self._write, self.heavy = write, True

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
        if self._pieces is not None:
            self._run_pieces(self._pieces)
            return
        found: list[Record] = []
        for _ in range(PORTION):
            try:
                record = next(self._records)
            except StopIteration:
                self._hand_out(found)
                self._next_batch()
                return
            if record is not None:
                found.append(record)
        self._hand_out(found)
        self._schedule(0.0)

    def _run_pieces(self, pieces: Iterator[bytes]) -> None:
        portion = list(islice(pieces, PORTION))
        if data := b"".join(portion):
            self._request.write(data)
        if len(portion) < PORTION:
            self._next_batch()
        else:
            self._schedule(0.0)

    def _hand_out(self, found: list[Record]) -> None:
        if self._write is not None:
            self._gathered += found
        else:
            self._send([json.dumps(record) for record in found])

    def _next_batch(self) -> None:
        if self._write is not None and self._pieces is None:
            self._pieces = self._write(self._gathered)
            self._schedule(0.0)
        elif not self._follow:
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
        self._gathered.clear()
        self._left(self.heavy)
