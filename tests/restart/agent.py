"""A phone's transactions (RFC 3261 §17): requests until their final answer, through a restart of the server; a record of all.

Its own code on purpose: what judges the server is not made of the server's parts.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from typing import Any, Final, NamedTuple

from tests.interop.wire import Message, parameter
from tests.restart.wires import Heard, Stream, Udp, Way, Wire

T1: Final = 0.5
T2: Final = 4.0
PATIENCE: Final = 32.0
RECONNECT: Final = 0.1
LOST: Final = 599
"""Stands for an answer where the connection that a request went by is gone."""
KEPT: Final = 4000
"""Entries and transactions that a phone remembers."""
_serial = count(1)


class NoAnswer(AssertionError):
    """A request has had no final answer in time (RFC 3261 §17.1.2.2, timer F)."""


class Entry(NamedTuple):
    """One message of the record."""

    at: float
    ours: bool
    """Whether this phone sent it."""
    message: Message
    again: bool
    """A retransmission."""


class Transaction:
    """A request of the server's: answered by `respond`, the same answer again for each retransmission."""

    def __init__(self, agent: Agent, request: Message, way: Way) -> None:
        self.request = request
        self._agent = agent
        self._way = way
        self._last = b""
        self._repeat: asyncio.Task[Any] | None = None

    def respond(self, status: int, reason: str = "", *headers: str, tag: str = "", body: str = "") -> None:
        """`headers` are whole lines. A 2xx to INVITE is repeated until `acknowledged` (RFC 3261 §13.3.1.4)."""
        text = response(self.request, status, reason or str(status), headers, tag, body)
        self._last = text.encode()
        self._agent.note(True, Message.read(text))
        self._again()
        if self.request.method == "INVITE" and status >= 200:
            self.acknowledged()
            self._repeat = self._agent.task(self._repeated())

    def repeat(self) -> None:
        """The request came again."""
        if self._last:
            self._again()

    def acknowledged(self) -> None:
        if self._repeat is not None:
            self._repeat.cancel()
            self._repeat = None

    def _again(self) -> None:
        try:
            self._way.send(self._last)
        except OSError:
            # Its connection is gone: the next one to the server serves as well (RFC 3261 §18.2.2).
            self._agent.task(self._agent.deliver(self._last))

    async def _repeated(self) -> None:
        wait, until = T1, time.monotonic() + PATIENCE
        while time.monotonic() < until:
            await asyncio.sleep(wait)
            wait = min(2 * wait, T2)
            self._again()
        self._agent.never_acknowledged.append(self.request)


class Agent:
    """The transaction layer of one phone. Requests that come in go to `received`."""

    def __init__(
        self,
        user: str,
        password: str,
        make_wire: Callable[[Heard], Wire],
        transport: str,
        host: str,
        domain: str,
    ) -> None:
        self.user, self.domain, self.host, self.transport = user, domain, host, transport
        self.record: deque[Entry] = deque(maxlen=KEPT)
        self.patience = PATIENCE
        """Seconds without a final answer after which there is none; twice as many for an INVITE, which somebody picks up."""
        self.waits_for_invite = 2 * PATIENCE
        """Seconds for which an INVITE may be answered by another connection than it went by."""
        self.unmatched: list[Message] = []
        """Final answers to an INVITE that we did not send or gave up."""
        self.never_acknowledged: list[Message] = []
        """INVITEs whose 2xx of ours has had no ACK."""
        self.received: Callable[[Transaction], None]
        self.wire = make_wire(self._heard)
        self._password = password
        self._open: dict[tuple[str, str], asyncio.Queue[Message]] = {}
        self._served: dict[tuple[str, str], Transaction] = {}
        self._invites: dict[tuple[str, int], Transaction] = {}
        self._acks: dict[tuple[str, int], str] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def aor(self) -> str:
        return f"sip:{self.user}@{self.domain}"

    @property
    def contact(self) -> str:
        suffix = "" if self.transport == "udp" else f";transport={self.transport}"
        return f"<sip:{self.user}@{self.host}:{self.wire.port}{suffix}>"

    def task(self, work: Awaitable[Any]) -> asyncio.Task[Any]:
        made = asyncio.ensure_future(work)
        self._tasks.add(made)
        made.add_done_callback(self._tasks.discard)
        return made

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await self.wire.close()

    def note(self, ours: bool, message: Message, again: bool = False) -> None:
        self.record.append(Entry(time.monotonic(), ours, message, again))

    # -- requests of ours --------------------------------------------------------------------------------------

    def via(self) -> str:
        return f"SIP/2.0/{self.transport.upper()} {self.host}:{self.wire.port};branch=z9hG4bK-t{next(_serial)};rport"

    async def request(
        self,
        method: str,
        uri: str,
        lines: Callable[[int], list[str]],
        next_cseq: Callable[[], int],
        body: str = "",
        content_type: str = "application/sdp",
        ringing: Callable[[Message], None] | None = None,
    ) -> Message:
        """Send, answer challenges on the next CSeq, and give the final answer. `lines` makes From, To, Call-ID and such for
        a CSeq. `ringing` hears provisional answers. NoAnswer when none comes."""
        credentials: list[str] = []
        for _ in range(4):
            cseq = next_cseq()
            text = _text(method, uri, self.via(), cseq, [*lines(cseq), *credentials], body, content_type)
            final = await self.send(text, ringing)
            if final.status not in (401, 407):
                return final
            credentials = [authorization(final, self.user, self._password, method, uri)]
        return final

    async def send(self, text: str, ringing: Callable[[Message], None] | None = None) -> Message:
        """One client transaction."""
        sent = Message.read(text)
        key = sent.branch, sent.method
        answers = self._open[key] = asyncio.Queue()
        self.note(True, sent)
        repeat = self.task(self._until_sent(text.encode(), answers, sent))
        try:
            async with asyncio.timeout(self.patience if sent.method != "INVITE" else 2 * self.patience):
                while True:
                    answer = await answers.get()
                    if answer.status >= 200:
                        break
                    if sent.method == "INVITE" and not self.wire.reliable:
                        repeat.cancel()
                    if ringing is not None and answer.status > 100:
                        ringing(answer)
        except TimeoutError:
            raise NoAnswer(f"{self.user}: no final answer to {sent.method} {sent.get('CSeq')}, {sent.call_id}") from None
        finally:
            repeat.cancel()
            del self._open[key]
        if sent.method == "INVITE" and 300 <= answer.status < LOST:
            await self._deliver_quietly(_ack_of_failure(sent, answer))
            self._acks[answer.call_id, answer.cseq] = _ack_of_failure(sent, answer)
        return answer

    async def _until_sent(self, data: bytes, answers: asyncio.Queue[Message], sent: Message) -> None:
        """Again and again over UDP (timers A and E). Over a stream once: when its connection ends, that is no answer (RFC
        3261 §17.1.4), except that of an INVITE may still come by another connection for a while."""
        way = await self.deliver(data)
        wait = T1
        while way.alive:
            await asyncio.sleep(RECONNECT if self.wire.reliable else wait)
            wait = 2 * wait if sent.method == "INVITE" else min(2 * wait, T2)
            if not self.wire.reliable:
                await self.deliver(data)
        if sent.method == "INVITE":
            await asyncio.sleep(self.waits_for_invite)
        answers.put_nowait(Message.read(response(sent, LOST, "Connection Lost", (), "", "")))

    async def deliver(self, data: bytes) -> Way:
        """Send as soon as somebody listens; by which way."""
        while True:
            try:
                way = await self.wire.server()
                way.send(data)
                return way
            except OSError:
                await asyncio.sleep(RECONNECT)

    async def acknowledge(self, text: str) -> None:
        """The ACK of a 2xx; kept for when that comes again."""
        sent = Message.read(text)
        self._acks[sent.call_id, sent.cseq] = text
        await self._deliver_quietly(text)

    async def _deliver_quietly(self, text: str) -> None:
        self.note(True, Message.read(text))
        with suppress(OSError):
            (await self.wire.server()).send(text.encode())

    # -- what comes in -----------------------------------------------------------------------------------------

    def _heard(self, message: Message, way: Way) -> None:
        if message.status:
            self._answered(message, way)
            return
        key = message.branch, "INVITE" if message.method == "ACK" else message.method
        known = self._served.get(key)
        self.note(False, message, again=known is not None and message.method != "ACK")
        if message.method == "ACK":
            self._acknowledged(message)
        elif known is not None:
            known.repeat()
        else:
            if len(self._served) >= KEPT:
                del self._served[next(iter(self._served))]
            transaction = self._served[key] = Transaction(self, message, way)
            if message.method == "INVITE":
                self._invites[message.call_id, message.cseq] = transaction
            self.received(transaction)

    def _answered(self, message: Message, way: Way) -> None:
        answers = self._open.get((message.branch, message.cseq_method))
        self.note(False, message, again=answers is None)
        if answers is not None:
            answers.put_nowait(message)
        elif message.cseq_method == "INVITE" and message.status >= 200:
            ack = self._acks.get((message.call_id, message.cseq))
            if ack is None:
                self.unmatched.append(message)
            else:
                with suppress(OSError):
                    way.send(ack.encode())

    def _acknowledged(self, ack: Message) -> None:
        transaction = self._invites.get((ack.call_id, ack.cseq))
        if transaction is not None:
            transaction.acknowledged()


# -- texts -------------------------------------------------------------------------------------------------------


def _text(method: str, uri: str, via: str, cseq: int, lines: list[str], body: str, content_type: str) -> str:
    head = [f"{method} {uri} SIP/2.0", f"Via: {via}", "Max-Forwards: 70", f"CSeq: {cseq} {method}", *lines]
    if body:
        head.append(f"Content-Type: {content_type}")
    head.append(f"Content-Length: {len(body.encode())}")
    return "\r\n".join(head) + "\r\n\r\n" + body


def request_text(method: str, uri: str, via: str, cseq: int, lines: list[str], body: str = "") -> str:
    """A request that is sent as it is: an ACK, a CANCEL."""
    return _text(method, uri, via, cseq, lines, body, "application/sdp")


def _ack_of_failure(sent: Message, answer: Message) -> str:
    """RFC 3261 §17.1.1.3: the INVITE's branch and the answer's To."""
    lines = [f"{name}: {sent.get(name)}" for name in ("From", "Call-ID")] + [f"To: {answer.get('To')}"]
    lines += [f"Route: {route}" for route in sent.all("Route")]
    return request_text("ACK", sent.uri, sent.get("Via"), sent.cseq, lines)


def response(request: Message, status: int, reason: str, headers: tuple[str, ...], tag: str, body: str) -> str:
    to = request.get("To")
    head = [f"SIP/2.0 {status} {reason}", *(f"Via: {via}" for via in request.all("Via"))]
    head += [f"Record-Route: {route}" for route in request.all("Record-Route")]
    head += [f"From: {request.get('From')}", f"To: {to}" + (f";tag={tag}" if tag and "tag=" not in to else "")]
    head += [f"Call-ID: {request.call_id}", f"CSeq: {request.get('CSeq')}", *headers]
    if body:
        head.append("Content-Type: application/sdp")
    head.append(f"Content-Length: {len(body.encode())}")
    return "\r\n".join(head) + "\r\n\r\n" + body


def authorization(challenge: Message, user: str, password: str, method: str, uri: str) -> str:
    """The header line that answers a challenge (RFC 7616 §3.4.1, MD5, qop=auth)."""
    proxy = challenge.status == 407
    value = challenge.get("Proxy-Authenticate" if proxy else "WWW-Authenticate")
    realm, nonce, cnonce = parameter(value, "realm"), parameter(value, "nonce"), "0a4f113b"
    ha1, ha2 = _md5(f"{user}:{realm}:{password}"), _md5(f"{method}:{uri}")
    digest = _md5(f"{ha1}:{nonce}:00000001:{cnonce}:auth:{ha2}")
    name = "Proxy-Authorization" if proxy else "Authorization"
    return (
        f'{name}: Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", response="{digest}", '
        f'algorithm=MD5, qop=auth, nc=00000001, cnonce="{cnonce}"'
    )


def _md5(value: str) -> str:
    return hashlib.md5(value.encode(), usedforsecurity=False).hexdigest()


__all__ = ["Agent", "Entry", "NoAnswer", "Stream", "Transaction", "Udp", "authorization", "request_text", "response"]
