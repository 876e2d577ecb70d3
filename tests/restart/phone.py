"""A phone of the restart tests: registration, calls, lamps and publications of one user on sockets of its own."""

from __future__ import annotations

import asyncio
import ssl
from itertools import count
from typing import Final, NamedTuple

from tests.interop.server import DOMAIN
from tests.interop.wire import Lamp, Message, lamp, parameter
from tests.restart.agent import Agent, Transaction
from tests.restart.call import Broken, Leg, call_of
from tests.restart.wires import Heard, Stream, Udp, Wire

EXPIRES: Final = 3600
"""Seconds: longer than any drill, as what has expired in one is no loss."""
_serial = count(1)


class Tls(NamedTuple):
    """Contexts of a phone over TLS: towards the server, and of its own listener."""

    client: ssl.SSLContext
    listener: ssl.SSLContext


class Phone(Agent):
    """Made, then `open`. `broken` lists what the server must not have sent."""

    def __init__(
        self, user: str, password: str, server: tuple[str, int], host: str, transport: str = "udp", tls: Tls | None = None
    ) -> None:
        def wire(heard: Heard) -> Wire:
            if transport == "udp":
                return Udp(host, server, heard)
            return Stream(host, server, heard, *(tls or ()))

        super().__init__(user, password, wire, transport, host, DOMAIN)
        self.broken: list[str] = []
        self.legs: dict[tuple[str, str], Leg] = {}
        self.incoming: asyncio.Queue[Leg] = asyncio.Queue()
        self.watches: dict[str, Watch] = {}
        """By Call-ID."""
        self.received = self._received
        self._registration = f"register-{next(_serial)}-{user}@{host}"
        self._publication = f"publish-{next(_serial)}-{user}@{host}"
        self._cseq = 0

    def _next(self) -> int:
        self._cseq += 1
        return self._cseq

    async def open(self) -> None:
        await self.wire.open()

    # -- out of dialog -----------------------------------------------------------------------------------------

    async def register(self, expires: int = EXPIRES) -> int:
        """The final status; `expires` 0 takes the binding back."""
        return (await self._register(f"Contact: {self.contact}", f"Expires: {expires}")).status

    async def bindings(self) -> list[str]:
        """The Contact URIs that the registrar has for this user."""
        answer = await self._register()
        assert answer.status == 200, answer.start
        return [value.partition("<")[2].partition(">")[0] for value in answer.all("Contact")]

    async def _register(self, *more: str) -> Message:
        lines = [f"From: <{self.aor}>;tag=r", f"To: <{self.aor}>", f"Call-ID: {self._registration}", *more]
        return await self.request("REGISTER", f"sip:{self.domain}", lambda _: lines, self._next)

    async def watch(self, user: str, expires: int = EXPIRES) -> Watch:
        """A subscription to a user's lamp, its first NOTIFY there."""
        made = self.lamp_of(user)
        status = await made.subscribe(expires)
        assert status == 200, f"SUBSCRIBE of {self.user} to {user}: {status}"
        await made.reaches("a first NOTIFY", lambda: bool(made.notifies))
        return made

    def lamp_of(self, user: str) -> Watch:
        """One that is not subscribed yet."""
        made = Watch(self, user)
        self.watches[made.call_id] = made
        return made

    async def publish(self, body: str, tag: str = "", expires: int = EXPIRES) -> tuple[int, str]:
        """Publish dialog state of our own; without `body` it is refreshed, with `expires` 0 taken back. Final status, tag."""
        lines = [
            f"From: <{self.aor}>;tag=p", f"To: <{self.aor}>", f"Call-ID: {self._publication}", "Event: dialog",
            f"Expires: {expires}", *([f"SIP-If-Match: {tag}"] if tag else []),
        ]  # fmt: skip
        kind = "application/dialog-info+xml"
        answer = await self.request("PUBLISH", self.aor, lambda _: lines, self._next, body, kind)
        return answer.status, answer.get("SIP-ETag")

    def leg(self, user: str) -> Leg:
        """A new leg towards a user; its `dial` sends the INVITE."""
        made = Leg(self, f"sip:{user}@{self.domain}")
        self.legs[made.call_id, ""] = made
        return made

    # -- what comes in -----------------------------------------------------------------------------------------

    def _received(self, transaction: Transaction) -> None:
        request = transaction.request
        try:
            self._take(transaction, request)
        except (Broken, AssertionError) as error:
            self.broken.append(str(error))

    def _take(self, transaction: Transaction, request: Message) -> None:
        if request.method == "NOTIFY":
            self._notified(transaction)
            return
        call_id, local = call_of(request)
        leg = self.legs.get((call_id, ""))
        if leg is not None and (not local or leg.local.endswith(f";tag={local}")):
            if request.method == "INVITE" and not local:
                transaction.respond(482)
                return
            leg.received(transaction)
        elif request.method == "INVITE" and not local:
            leg = Leg.offered(self, transaction)
            self.legs[call_id, ""] = leg
            self.incoming.put_nowait(leg)
        else:
            transaction.respond(481)

    def _notified(self, transaction: Transaction) -> None:
        watch = self.watches.get(transaction.request.call_id)
        if watch is None:
            transaction.respond(481)
            return
        transaction.respond(200)
        watch.notified(transaction.request)


class Watch:
    """One lamp. `notifies` are those that came, retransmissions left out."""

    def __init__(self, phone: Phone, watched: str) -> None:
        number = next(_serial)
        self.watched = watched
        self.call_id = f"watch-{number}-{phone.user}@{phone.host}"
        self.notifies: list[Message] = []
        self.over = False
        self._phone = phone
        self._from = f"<{phone.aor}>;tag=w{number}"
        self._to = f"<sip:{watched}@{phone.domain}>"
        self._target = f"sip:{watched}@{phone.domain}"
        self._routes: list[str] = []
        self._cseq = 0
        self._changed = asyncio.Event()

    def _next(self) -> int:
        self._cseq += 1
        return self._cseq

    async def subscribe(self, expires: int = EXPIRES) -> int:
        """Begin or refresh; the final status."""
        lines = [
            f"From: {self._from}", f"To: {self._to}", f"Call-ID: {self.call_id}", f"Contact: {self._phone.contact}",
            "Event: dialog", "Accept: application/dialog-info+xml", f"Expires: {expires}",
            *(f"Route: {route}" for route in self._routes),
        ]  # fmt: skip
        answer = await self._phone.request("SUBSCRIBE", self._target, lambda _: lines, self._next)
        if answer.status < 300 and "tag=" not in self._to:
            self._to, self._target = answer.get("To"), answer.get("Contact").partition("<")[2].partition(">")[0]
            self._routes = [each.strip() for value in answer.all("Record-Route") for each in value.split(",")][::-1]
        return answer.status

    def notified(self, request: Message) -> None:
        """AssertionError when CSeq or version has not risen. Over streams an older one may come by another connection, behind
        the newer: it is passed over, as a phone does (RFC 3261 §12.2.2)."""
        before = self.notifies[-1] if self.notifies else None
        if before is not None and self._phone.wire.reliable and self._is_overtaken(request):
            return
        self.notifies.append(request)
        self._changed.set()
        if request.get("Subscription-State").startswith("terminated"):
            self.over = True
        if before is not None:
            assert request.cseq > before.cseq, f"NOTIFY with CSeq {request.cseq} after {before.cseq} ({self.call_id})"
            if request.body and before.body:
                old, new = version(before), version(request)
                assert new > old, f"NOTIFY with version {new} after {old} ({self.call_id})"

    def _is_overtaken(self, request: Message) -> bool:
        """Whether it is new, and left just before the last one that came."""
        cseqs = [each.cseq for each in self.notifies[-3:]]
        return request.cseq not in cseqs and request.cseq == cseqs[-1] - 1

    @property
    def shows(self) -> Lamp:
        return lamp(self.notifies[-1].body)

    async def reaches(self, what: str, reached, seconds: float = 10.0) -> None:
        """Wait for a NOTIFY that makes it so."""
        try:
            async with asyncio.timeout(seconds):
                while not reached():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            shown = str(self.shows) if self.notifies else "nothing"
            raise AssertionError(f"lamp of {self.watched} at {self._phone.user}: {what}: it shows {shown}") from None

    async def becomes(self, state: str, local: str = "", remote: str = "") -> None:
        """The one dialog is so: `confirmed`, and who holds (`no` = that side holds)."""

        def so() -> bool:
            if not self.notifies or not self.notifies[-1].body:
                return False
            now = self.shows
            held = (now.local == "no", now.remote == "no")
            return now.state == state and (state != "confirmed" or held == (local == "no", remote == "no"))

        await self.reaches(f"{state} {local or '-'}/{remote or '-'}", so)


def version(notify: Message) -> int:
    return int(parameter(notify.body.partition("<dialog-info")[2].partition(">")[0].replace("'", '"'), "version"))


__all__ = ["Phone", "Tls", "Watch", "version"]
