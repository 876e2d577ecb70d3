"""The trace of a running server over HTTP, read in the process of `b2bua trace`: once, or followed over restarts."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from types import UnionType
from typing import Any, Final

from b2bua.trace.http_client import ANSWER_SECONDS, Address, Answer, TraceError, connection_to, get, reason_of

RETRY_SECONDS: Final = 1.0
"""Between two attempts to reach a server that was there before."""

_SHAPE: Final[dict[str, type | UnionType]] = {
    "time": int | float, "source": str, "destination": str, "transport": str, "call": str | None, "retransmission": bool,
    "message": str,
}  # fmt: skip
"""Keys that every record has, and their types."""
_MAY_HAVE: Final[dict[str, type]] = {
    "step": int, "note": str, "fault": str, "decisions": list, "node": str, "source_address": str, "destination_address": str,
}  # fmt: skip
_LATEST: Final = 250_000_000_000
"""Unix seconds; what comes later than the year 9891 is no time, and no calendar has it."""
_PORTION: Final = 65_536
_MAX_WAITING: Final = 200
"""Portions that a slow reader leaves waiting; then the server waits, too."""
_PAUSE: Final = 0.05


class Feed:
    """One request for the trace. `query` as `/api/trace` has it; `follow` goes on until `close`."""

    def __init__(self, address: Address, query: dict[str, str], follow: bool) -> None:
        self._address = address
        self.ahead = 0.0
        """Seconds that the server's clock is ahead of ours, once it has answered."""
        self.role = ""
        """SM or CM, once it has answered."""
        self._query = {name: value for name, value in (query | {"follow": "1" if follow else ""}).items() if value}
        self._follow = follow
        self._connection: HTTPConnection | None = None
        self._stream: socket.socket | None = None
        self._closed = False

    def lines(self) -> Iterator[str]:
        """The lines with their ends, as they come; TraceError for whatever goes wrong on the way."""
        for portion in self.portions():
            yield from portion

    def portions(self) -> Iterator[list[str]]:
        """The same, in lists of those that are there at once. The first list is empty: the server has answered."""
        try:
            response, self.ahead, self.role = self._ask()
            if self._closed:
                return
            yield []
            rest = b""
            while data := response.read1(_PORTION):
                whole, end, rest = (rest + data).rpartition(b"\n")
                if end:
                    yield [f"{line}\n" for line in whole.decode("utf-8", "replace").split("\n")]
            if rest:
                yield [rest.decode("utf-8", "replace")]
        except (OSError, HTTPException, AttributeError) as error:
            if self._closed:  # `close` in another thread takes the socket away in the middle of a read
                return
            if isinstance(error, AttributeError):
                raise
            reason = reason_of(error)
            raise TraceError(f"cannot read the trace of {self._address}: {reason}", reason) from None
        finally:
            self._disconnect()

    def close(self) -> None:
        """End `lines` from another thread: what waits for the next line returns at once."""
        self._closed = True
        stream = self._stream
        if stream is not None:
            try:
                stream.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    def _ask(self) -> Answer:
        connection = self._connection = connection_to(self._address)
        connection.connect()
        stream = self._stream = connection.sock
        stream.settimeout(ANSWER_SECONDS)
        answer = get(connection, self._address, "/api/trace", self._query)
        stream.settimeout(None if self._follow else ANSWER_SECONDS)
        return answer

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()


@dataclass(frozen=True, slots=True)
class News:
    """What a followed trace brings: records, or a line about the connection, or the end of it."""

    records: list[dict[str, Any]] = field(default_factory=list)
    gap: str = ""
    failure: str = ""
    """There was no server to begin with, or it shows nothing: nothing comes after this."""
    ahead: float = 0.0
    """Seconds that the server's clock is ahead of ours."""
    role: str = ""
    """Where it has answered: SM or CM."""


class Follower:
    """A trace followed until `stop`, over restarts of the server; what was read before does not come again."""

    def __init__(
        self, address: Address, query: dict[str, str], after: float = 0.0, since: float = 0.0, patient: bool = False
    ) -> None:  # fmt: skip
        """`after`: the time of the last record that the reader has. `since`: begin with what is on disk from this time on.
        `patient`: a server that is not there at first is waited for, too."""
        self._address = address
        self._query = query
        self._last = after
        self._since = 0.0 if after else since
        self._patient = patient
        self._feed: Feed | None = None
        self._stop = threading.Event()

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()

    def news(self) -> Iterator[News]:
        """Without end, until `stop` or a failure at the first attempt."""
        answered = gone = False
        while not self._stop.is_set():
            reason = "it ended the trace"
            try:
                yield from self._kept()
                self._feed = Feed(self._address, self._query, True)
                for portion in self._feed.portions():
                    if gone and not portion:
                        yield News(gap=f"{time.strftime('%H:%M:%S')} connected again")
                    answered, gone = True, False
                    yield News(self._new(portion), ahead=self._feed.ahead, role=self._feed.role)
            except TraceError as error:
                reason = error.reason
                if not answered and not self._patient:
                    yield News(failure=str(error))
                    return
            if self._stop.is_set():
                return
            if not gone:
                yield News(gap=f"{time.strftime('%H:%M:%S')} the server is gone: {reason}; waiting for it")
            gone = True
            self._stop.wait(RETRY_SECONDS)

    def stop(self) -> None:
        """End `news` from another thread."""
        self._stop.set()
        if self._feed is not None:
            self._feed.close()

    def _kept(self) -> Iterator[News]:
        """What is on disk, once; all of it is there before the live view begins."""
        if self._since:
            feed = self._feed = Feed(self._address, self._query | {"since": repr(self._since)}, False)
            for portion in feed.portions():
                yield News(self._new(portion), ahead=feed.ahead, role=feed.role)
            self._since = 0.0

    def _new(self, portion: list[str]) -> list[dict[str, Any]]:
        """A server that is connected to once more begins with all that it kept."""
        found = [record for line in portion if (record := read_record(line))["time"] > self._last]
        if found:
            self._last = found[-1]["time"]
        return found


class Background:
    """A follower in a thread of its own, which ends with the process; `take` never waits."""

    def __init__(self, follower: Follower) -> None:
        self.state = "live"
        """For the status line, as of what was taken last."""
        self._follower = follower
        self._waiting: deque[News] = deque()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def take(self) -> list[News]:
        """What has come since."""
        taken = []
        while self._waiting:
            taken.append(self._waiting.popleft())
            if gap := taken[-1].gap:
                self.state = "live" if "connected again" in gap else "waiting for the server"
        return taken

    def stop(self) -> None:
        self._follower.stop()

    def _run(self) -> None:
        for news in self._follower.news():
            self._waiting.append(news)
            while len(self._waiting) > _MAX_WAITING and not self._follower.stopped:
                time.sleep(_PAUSE)


def read_record(line: str) -> dict[str, Any]:
    """One record; TraceError when the line is none."""
    try:
        record = json.loads(line)
        shaped = all(isinstance(record[key], kind) for key, kind in _SHAPE.items())
        shaped = shaped and all(isinstance(record.get(key, kind()), kind) for key, kind in _MAY_HAVE.items())
        if shaped and 0 <= record["time"] < _LATEST:
            return dict(record)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        pass
    raise TraceError("what comes is no trace; is it a b2bua?")
