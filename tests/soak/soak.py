"""A server and phones in one process for as long as is asked for: calls, holds, resumes, refreshes, registrations, lamps, over
UDP on a network that loses, doubles and delays, and over TCP on connections that stall and break, between the two as well;
SIPp beside them by both. At the end nothing is left and everything adds up.

The server is the whole one, on real sockets; in this process, so that what it keeps can be looked at.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import socket
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from b2bua.config.addresses import Listen
from b2bua.config.settings import Settings
from b2bua.feature_server.b2bua import B2bua
from b2bua.log.events import ERROR, EVENTS
from b2bua.log.log import Log
from b2bua.phone.agent import Identity
from b2bua.phone.call import Call, CallState
from b2bua.phone.endpoint import Endpoint
from b2bua.service import Server
from b2bua.transaction.layer import TransactionLayer
from tests.interop.server import DOMAIN, free_port
from tests.soak.balance import samples, unbalanced
from tests.soak.lossy_relay import LossyRelay
from tests.soak.rough_relay import RoughRelay
from tests.soak.sipp_calls import SippCalls
from tests.soak.stream_phone import StreamPhone

HOST: Final = "127.0.0.69"
RELAY: Final = "127.0.0.70"
SIPP: Final = "127.0.0.169"
"""Of its own: between two rounds nobody else takes SIPp's ports there."""
KINDS: Final = ((False, False), (True, True), (False, True))
"""By pair, which of its two phones are on TCP."""
PATIENCE: Final = 40.0
"""Seconds for what a phone waits for: a time-out of 64·T1, and some."""
QUIET: Final = 110.0
"""Seconds after the last verb within which everything is over: a BYE's time-out, Timer J, what a lost message adds, the end of a
call that a phone lost."""
CALL_LENGTH: Final = 30
"""Seconds after which the server ends a call whose phones did not."""


class SoakLog(Log):
    """The server's log: mistakes are kept."""

    def __init__(self) -> None:
        super().__init__(io.StringIO(), time.time, time.monotonic, lambda function, *arguments: function(*arguments))
        self.errors: list[str] = []

    def _take(self, event: str, fields: dict[str, object]) -> None:
        if EVENTS[event].level == ERROR:
            self.errors.append(f"{event}: {fields.get('exception') or ''}".strip(": "))


class Soak:
    """One run. `play` fires when it is over; `flaws` says what was wrong, `figures` what was done."""

    def __init__(self, reactor: Any, folder: Path, seconds: float, pairs: int, share: float, seed: int) -> None:
        self.flaws: list[str] = []
        self.done: Counter[str] = Counter()
        self.log = SoakLog()
        self._reactor = reactor
        self._seconds = seconds
        self._random = Random(seed)
        names = [str(6001 + number) for number in range(2 * pairs + 4)]
        users = {name: secrets.token_urlsafe(12) for name in names}
        file = folder / "users"
        file.touch(mode=0o600)
        file.write_text("".join(f"{name},{password}\n" for name, password in users.items()))
        port = free_port(HOST, socket.SOCK_DGRAM, socket.SOCK_STREAM)  # one for both, or UDP peers would learn another for TCP
        settings = Settings(
            listen=(Listen("udp", HOST, port), Listen("tcp", HOST, port)), http=(HOST, 0), users=file,
            store=f"sqlite:{folder}/soak.db", keep_alive=0, call_length_max=CALL_LENGTH, domain=DOMAIN,
        )  # fmt: skip
        self.server = Server(settings, reactor, self.log)
        self.server.start()
        listener = self.server.listeners.first()
        assert listener is not None, "the settings name one"
        self.address = listener.bound
        self.relay, self.streams = LossyRelay(reactor, self.address, share, seed), RoughRelay(reactor, self.address, share, seed)
        ways = self.relay.listen(RELAY), self.streams.listen(RELAY)
        # Pairs by UDP, by TCP, and by one with the other.
        by_tcp = [KINDS[number // 2 % len(KINDS)][number % 2] for number in range(2 * pairs)]
        self.phones = [
            (StreamPhone if tcp else Endpoint)(reactor, Identity(name, settings.domain, users[name]), ways[tcp], HOST)
            for name, tcp in zip(names, by_tcp, strict=False)
        ]
        for phone in self.phones:
            phone.start()
        self.sipp = [
            SippCalls(folder, f"{HOST}:{port}", SIPP, {name: users[name] for name in sipp_names}, transport)
            for transport, sipp_names in (("udp", names[-2:]), ("tcp", names[-4:-2]))
        ]

    def stop(self) -> None:
        for phone in self.phones:
            phone.stop()
        self.relay.close()
        self.streams.close()
        self.server.stop()

    # -- the script --------------------------------------------------------------------------------------------

    async def play(self) -> None:
        await self._register(3600)
        await self._counted(over=False)  # what the first question opens for good is open before
        before = self._descriptors()
        ends_at = self._reactor.seconds() + self._seconds
        pairs = [(self.phones[at], self.phones[at + 1]) for at in range(0, len(self.phones), 2)]
        work: list[Deferred[Any]] = [Deferred.fromCoroutine(self._pair(*pair, ends_at)) for pair in pairs]
        work += [deferToThread(sipp.run, self._seconds) for sipp in self.sipp]
        for success, failure in await DeferredList(work):
            if not success:
                self.flaws.append(f"{failure.getErrorMessage()}")
        self._hang_up_what_stands()
        await self._register(0)
        await self._until(self._is_quiet, "everything to be over", QUIET, lambda: f"; left: {self._left()}")
        await self._counted()
        await self._until(lambda: self._descriptors() <= before, f"no more than {before} file descriptors", 5.0,
                          lambda: f" beside connections; there are {self._descriptors()}")  # fmt: skip
        for phone in self.phones:
            phone.stop()
        self.streams.close()
        await self._until(lambda: not self.server.listeners.count().get("tcp"), "the server to let go of connections", QUIET)
        self.flaws += self.log.errors + [repr(error) for phone in self.phones for error in phone.failures]

    def _hang_up_what_stands(self) -> None:
        """By the phones whose connection had just broken when the other party hung up: their BYE found no way (430). They hang
        up themselves, as their users would, and get 481. More of them than connections that broke are a flaw."""
        standing = [call for phone in self.phones for call in phone.phone.calls if call.state is CallState.ESTABLISHED]
        if len(standing) > self.streams.broken:
            self.flaws.append(f"{len(standing)} calls stand at phones, and {self.streams.broken} connections broke")
        for call in standing:
            call.hang_up()

    def _descriptors(self) -> int:
        """Open ones, but for connections of phones, which come and go."""
        connections = self.streams.connections() + self.server.listeners.count().get("tcp", 0)
        connections += sum(phone.connections() for phone in self.phones if isinstance(phone, StreamPhone))
        return len(os.listdir("/proc/self/fd")) - connections

    async def _register(self, expires: int) -> None:
        for phone in self.phones:
            for lamp in phone.phone.lamps:
                lamp.unsubscribe()
            if isinstance(phone, StreamPhone):
                phone.comes_back = bool(expires)
            phone.phone.registration.register(expires)
        wanted = bool(expires)
        for _ in range(3):  # one whose answers were all lost has timed out, and is asked for again
            late = [phone for phone in self.phones if phone.phone.registration.registered is not wanted]
            try:
                await self._until(lambda: all(one.phone.registration.registered is wanted for one in late), "registrations")  # noqa: B023
                return
            except AssertionError:
                for phone in late:
                    phone.phone.registration.register(expires)
        self.flaws.append(f"registrations for {expires} s did not come about")

    async def _pair(self, near: Endpoint, far: Endpoint, ends_at: float) -> None:
        """Two phones that call one another until the time is over."""
        random = Random(self._random.getrandbits(32))
        while self._reactor.seconds() < ends_at:
            caller, callee = random.sample((near, far), 2)
            callee.phone.answer_after = random.choice((0.0, 0.1, 0.5))
            if random.random() < 0.3:
                caller.phone.registration.register()
                self.done["registrations"] += 1
            await self._call(caller, callee, random)
            await deferLater(self._reactor, random.uniform(0, 0.5))

    async def _call(self, caller: Endpoint, callee: Endpoint, random: Random) -> None:
        watched = random.random() < 0.5
        if watched:
            caller.phone.watch(callee.identity.user)
            self.done["lamps"] += 1
        call = caller.phone.dial(callee.identity.user)
        self.done["calls"] += 1
        if random.random() < 0.1:
            await deferLater(self._reactor, random.uniform(0, 0.3))
            call.hang_up()
        await self._until(lambda: call.state in (CallState.ESTABLISHED, CallState.ENDED), "an answer to a call")
        if call.state is CallState.ESTABLISHED:
            await self._talk(call, callee, random)
        await self._until(lambda: call.state is CallState.ENDED, "the end of a call")
        for lamp in caller.phone.lamps:
            lamp.unsubscribe()
        caller.phone.lamps = [lamp for lamp in caller.phone.lamps if lamp.active]
        for phone in (caller, callee):
            phone.streams = {one: stream for one, stream in phone.streams.items() if one.state is not CallState.ENDED}

    async def _talk(self, call: Call, callee: Endpoint, random: Random) -> None:
        for verb in random.choices(("hold", "resume", "refresh", "far hold", "far resume"), k=random.randrange(5)):
            far = callee.call
            if verb == "refresh":
                call.refresh()
            elif verb.startswith("far") and far is not None and far.state is CallState.ESTABLISHED:
                far.hold() if verb == "far hold" else far.resume()
            else:
                call.hold() if verb == "hold" else call.resume()
            self.done[verb.removeprefix("far ")] += 1
            await deferLater(self._reactor, random.uniform(0, 1.0))
        far = callee.call
        if random.random() < 0.4 and far is not None and far.state is CallState.ESTABLISHED:
            far.hang_up()
            await deferLater(self._reactor, 0.5)
        if call.state is CallState.ESTABLISHED:
            call.hang_up()

    # -- what is left ------------------------------------------------------------------------------------------

    def _layers(self) -> Iterator[tuple[str, TransactionLayer]]:
        yield "SM", self.server.layer
        feature_server = self.server.feature_server
        assert isinstance(feature_server, B2bua)
        yield "CM", feature_server.environment.layer

    def _left(self) -> dict[str, int]:
        """What must be nothing when all is over."""
        server, feature_server = self.server, self.server.feature_server
        assert isinstance(feature_server, B2bua)
        left = {f"transactions of {name}": sum(layer.transactions()) for name, layer in self._layers()}
        left["legs"] = len(feature_server.all_calls.legs)
        left["calls"] = len(feature_server.all_calls.open)
        left["subscriptions"] = sum(server.notifier.count().values())
        left["publications"] = server.event_state.count()
        left["bindings"] = sum(1 for _ in server.location.users())
        left["timers"] = server.timers.running()
        return {what: number for what, number in left.items() if number}

    def _is_quiet(self) -> bool:
        return not self._left()

    async def _counted(self, over: bool = True) -> None:
        """Ask as anybody may; what does not add up is a flaw once all is over."""
        host, port = self.server._http.getHost().host, self.server._http.getHost().port
        page = samples(await deferToThread(_get, f"http://{host}:{port}/metrics"))
        if over:
            self.flaws += unbalanced(page)
        drain = json.loads(await deferToThread(_get, f"http://{host}:{port}/api/drain"))
        if drain != {"draining": False, "calls": 0}:
            self.flaws.append(f"/api/drain says {drain}")
        await deferLater(self._reactor, 0.2)  # the connections are closed by then

    async def _until(
        self, true: Callable[[], bool], what: str, seconds: float = PATIENCE, more: Callable[[], str] = str
    ) -> None:
        deadline = self._reactor.seconds() + seconds
        while not true():
            if self._reactor.seconds() > deadline:
                raise AssertionError(f"waited {seconds:g} s for {what}{more()}")
            await deferLater(self._reactor, 0.02)

    def figures(self) -> Sequence[str]:
        done = ", ".join(f"{number} {what}" for what, number in sorted(self.done.items()))
        relay, streams = self.relay, self.streams
        return (
            f"phones: {done}",
            f"network: {relay.carried} datagrams, {relay.lost} lost, {relay.doubled} doubled, {relay.delayed} delayed",
            f"connections: {streams.pieces} pieces, {streams.delayed} delayed, {streams.broken} broke their connection",
            *(f"SIPp by {sipp.transport}: {sipp.calls} hold calls, {sipp.failed} failed" for sipp in self.sipp),
        )


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())
