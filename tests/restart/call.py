"""One phone's leg of a call: what it offers and answers, what it is told, and what must rise whenever it is told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import count
from typing import Final

from tests.interop.wire import Message, direction, origin, parameter, tag
from tests.restart.agent import Agent, Transaction, request_text

ANSWERS: Final = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
"""Offer → answer of a phone that does not hold (RFC 3264 §6.1)."""
HOLDING: Final = {"sendrecv": "sendonly", "sendonly": "inactive", "recvonly": "sendonly", "inactive": "inactive"}
"""The same of one that does."""
_serial = count(1)


class Broken(AssertionError):
    """What the server sent cannot follow what it sent before on this leg."""


@dataclass(frozen=True)
class Told:
    """A re-INVITE or UPDATE with a description that came in."""

    direction: str
    version: int
    cseq: int


class Leg:
    """A dialog. `told` lists the offers that came in; `over` is set by the end: `BYE`, or the status of the INVITE."""

    def __init__(self, agent: Agent, remote_uri: str) -> None:
        number = next(_serial)
        self.agent = agent
        self.call_id = f"restart-{number}-{agent.user}@{agent.host}"
        self.local = f"<{agent.aor}>;tag=l{number}"
        self.remote = f"<{remote_uri}>"
        self.target = remote_uri
        self.routes: list[str] = []
        self.cseq = 0
        self.remote_cseq = 0
        self.holding = False
        self.told: list[Told] = []
        self.confirmed = False
        self.over = ""
        self.ended = asyncio.Event()
        self.rung = asyncio.Event()
        self.silent = False
        """Offers that come in are kept back: `asked` has the transaction, unanswered."""
        self.asked: list[Transaction] = []
        self.invite: Transaction | None = None
        """Of the callee: the INVITE."""
        self.cancelled = asyncio.Event()
        self.remote_sdp = ""
        self._number = number
        self._version = 1
        self._peer_versions: tuple[str, int] | None = None
        self._last_sdp = ""

    # -- descriptions ------------------------------------------------------------------------------------------

    def sdp(self, way: str, anew: bool = True) -> str:
        """A description with the next o= version; `anew` False: the last one byte for byte."""
        if not anew:
            return self._last_sdp
        host = self.agent.host
        self._last_sdp = (
            f"v=0\r\no=phone {self._number} {self._version} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
            f"m=audio {30000 + self._number % 1000 * 2} RTP/AVP 0\r\na={way}\r\n"
        )
        self._version += 1
        return self._last_sdp

    @property
    def version(self) -> int:
        """The o= version that came in last."""
        return self._peer_versions[1] if self._peer_versions else 0

    def _read(self, sdp: str) -> None:
        """RFC 3264 §8: the o= line stays, and its version goes up by one whenever the description changes."""
        line, version = origin(sdp)
        if self._peer_versions is not None:
            if line != self._peer_versions[0]:
                raise Broken(f"{self.agent.user}: another o= line, {line!r} after {self._peer_versions[0]!r}")
            rise = version - self._peer_versions[1]
            if rise < 0 or (rise == 0 and sdp != self.remote_sdp):
                raise Broken(f"{self.agent.user}: o= version {version} after {self._peer_versions[1]} ({self.call_id})")
        self._peer_versions, self.remote_sdp = (line, version), sdp

    # -- the caller --------------------------------------------------------------------------------------------

    def _next(self) -> int:
        self.cseq += 1
        return self.cseq

    def _lines(self, *more: str) -> list[str]:
        lines = [f"From: {self.local}", f"To: {self.remote}", f"Call-ID: {self.call_id}"]
        return lines + [f"Route: {route}" for route in self.routes] + list(more)

    async def dial(self) -> int:
        """The final status; at a 2xx the call is confirmed and acknowledged."""
        body = self.sdp("sendrecv")

        lines = self._lines(f"Contact: {self.agent.contact}", "Allow: INVITE, ACK, BYE, CANCEL, UPDATE")
        final = await self.agent.request("INVITE", self.target, lambda _: lines, self._next, body, ringing=self._ringing)
        if final.status < 300:
            self.remote, self.target = final.get("To"), _uri(final.get("Contact"))
            self.routes = _routes(final)[::-1]
            self._read(final.body)
            self.confirmed = True
            await self._ack(final.cseq)
        else:
            self._over(str(final.status))
        return final.status

    def _ringing(self, answer: Message) -> None:
        self.rung.set()

    async def _ack(self, cseq: int) -> None:
        await self.agent.acknowledge(request_text("ACK", self.target, self.agent.via(), cseq, self._lines()))

    async def cancel(self) -> int:
        """CANCEL our INVITE (RFC 3261 §9.1); the status of the CANCEL itself."""
        sent = next(
            entry.message
            for entry in reversed(self.agent.record)
            if entry.ours and entry.message.method == "INVITE" and entry.message.call_id == self.call_id
        )
        lines = [f"From: {sent.get('From')}", f"To: {sent.get('To')}", f"Call-ID: {self.call_id}"]
        answer = await self.agent.send(request_text("CANCEL", sent.uri, sent.get("Via"), sent.cseq, lines))
        return answer.status

    # -- in the call -------------------------------------------------------------------------------------------

    async def hold(self) -> Message:
        """The answer to our sendonly."""
        self.holding = True
        return await self.reinvite("sendonly")

    async def resume(self) -> Message:
        self.holding = False
        return await self.reinvite("sendrecv")

    async def reinvite(self, way: str, anew: bool = True) -> Message:
        """The final answer, its description read, acknowledged; `way` "" = the last description once more."""
        agreed = self._last_sdp
        body = self.sdp(way, anew)
        lines = self._lines(f"Contact: {self.agent.contact}")
        final = await self.agent.request("INVITE", self.target, lambda _: lines, self._next, body)
        if final.status < 300:
            await self._ack(final.cseq)
            self._read(final.body)
        else:
            self._last_sdp = agreed  # the session stays as it was (RFC 3261 §14.1)
        return final

    async def refresh(self) -> Message:
        """The last description byte for byte: a session refresh."""
        return await self.reinvite("", anew=False)

    async def update(self) -> int:
        """UPDATE without a description: a refresh of this leg (RFC 4028 §7.4)."""
        lines = self._lines(f"Contact: {self.agent.contact}")
        return (await self.agent.request("UPDATE", self.target, lambda _: lines, self._next)).status

    async def bye(self) -> int:
        lines = self._lines()
        status = (await self.agent.request("BYE", self.target, lambda _: lines, self._next)).status
        self._over(f"our BYE {status}")
        return status

    # -- the callee --------------------------------------------------------------------------------------------

    @classmethod
    def offered(cls, agent: Agent, transaction: Transaction) -> Leg:
        """The leg of an INVITE that came in; not answered."""
        request = transaction.request
        leg = cls(agent, "")
        leg.call_id = request.call_id
        leg.local = f"{request.get('To')};tag=l{leg._number}"
        leg.remote, leg.target, leg.routes = request.get("From"), _uri(request.get("Contact")), _routes(request)
        leg.cseq, leg.remote_cseq, leg.invite = 100, request.cseq, transaction
        leg._read(request.body)
        return leg

    def ring(self) -> None:
        self._respond(180)

    def answer(self) -> None:
        """200 to the INVITE."""
        assert self.invite is not None
        self.confirmed = True
        self._respond(200, self.sdp(ANSWERS[direction(self.invite.request.body)]))

    def decline(self, status: int = 603) -> None:
        self._respond(status)
        self._over(str(status))

    def _respond(self, status: int, body: str = "") -> None:
        assert self.invite is not None
        self.invite.respond(status, "", f"Contact: {self.agent.contact}", tag=tag(self.local), body=body)

    # -- what comes in -----------------------------------------------------------------------------------------

    def received(self, transaction: Transaction) -> None:
        """A request in this dialog, or the CANCEL of its INVITE."""
        request = transaction.request
        if request.method == "CANCEL":
            self._cancelled(transaction)
            return
        if request.cseq == self.remote_cseq and request.method == self.over:
            transaction.respond(481)  # a BYE by the next Session Manager that was answered through the last one
            return
        if request.cseq <= self.remote_cseq:
            transaction.respond(500)
            late = f"{request.method} with CSeq {request.cseq} after {self.remote_cseq}"
            raise Broken(f"{self.agent.user}: {late} ({self.call_id})")
        self.remote_cseq = request.cseq
        if self.over:
            transaction.respond(481)
        elif request.method == "BYE":
            transaction.respond(200)
            if self.invite is not None:
                self.invite.acknowledged()  # who hangs up knows of our 2xx
            self._over("BYE")
        elif request.method in ("INVITE", "UPDATE"):
            self._offered(transaction)
        else:
            transaction.respond(200)

    def _cancelled(self, transaction: Transaction) -> None:
        transaction.respond(200)
        self.cancelled.set()
        if self.invite is not None and not self.confirmed and not self.over:
            self._respond(487)
            self._over("CANCEL")

    def _offered(self, transaction: Transaction) -> None:
        request = transaction.request
        if request.get("Contact"):
            self.target = _uri(request.get("Contact"))
        if not request.body:
            body = self.sdp("", anew=False) if request.method == "INVITE" else ""
            transaction.respond(200, "", f"Contact: {self.agent.contact}", body=body)
            return
        known = self.remote_sdp
        self._read(request.body)
        self.told.append(Told(direction(request.body), self.version, request.cseq))
        if self.silent:
            self.asked.append(transaction)
            return
        self.answer_offer(transaction, refresh=known == request.body)

    def answer_offer(self, transaction: Transaction, refresh: bool = False) -> None:
        """200 to an offer in the call, by what we hold."""
        offered = direction(transaction.request.body)
        body = self.sdp("", anew=False) if refresh else self.sdp((HOLDING if self.holding else ANSWERS)[offered])
        transaction.respond(200, "", f"Contact: {self.agent.contact}", body=body)

    def _over(self, how: str) -> None:
        self.over = self.over or how
        self.ended.set()


def _uri(contact: str) -> str:
    return contact.partition("<")[2].partition(">")[0] or contact.partition(";")[0]


def _routes(message: Message) -> list[str]:
    return [each.strip() for value in message.all("Record-Route") for each in value.split(",")]


def call_of(message: Message) -> tuple[str, str]:
    """What finds the leg of a request that came in: Call-ID and our tag; the tag is "" in a CANCEL."""
    return message.call_id, parameter(message.get("To").rpartition(">")[2], "tag")
