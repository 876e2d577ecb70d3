"""The cells of the restart matrix that PJSIP can do: both phones real, the lamp seen by a third one of ours.

A round is one action: a pair of phones for each state and transport, all at once, over one `kill -9`. The phones live on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Final

from tests.interop.pjsip import Pjsip
from tests.interop.server import Server
from tests.restart.cells import ACTIONS, LAMPS, TRANSPORTS, Key
from tests.restart.phone import Phone, Watch

PAIRS: Final = tuple(product(LAMPS, TRANSPORTS))
"""State and transport of each pair."""
USERS: Final = {str(number): f"secret-{number}-word" for number in range(6400, 6400 + 3 * len(PAIRS))}


class Pair:
    """Two PJSIP phones and whoever watches the caller; its call is in a new state each round."""

    def __init__(self, state: str, transport: str, caller: Pjsip, callee: Pjsip, watcher: Phone) -> None:
        self.state, self.transport = state, transport
        self.a, self.b, self.watcher = caller, callee, watcher
        self.lamp: Watch
        self._registrations: list[tuple[Pjsip, int]] = []

    @classmethod
    def made(cls, number: int, server: Server, directory: Path, stack: ExitStack) -> Pair:
        state, transport = PAIRS[number]
        users = list(USERS.items())[3 * number : 3 * number + 3]
        phones = []
        for user, password in users[:2]:
            phone = Pjsip(directory / f"pjsip-{user}", server.address, user, password, server.host, transport)
            stack.callback(phone.close)
            phones.append(phone)
        return cls(state, transport, *phones, Phone(*users[2], (server.host, server.port), server.host))

    async def open(self) -> None:
        for phone in (self.a, self.b):
            await asyncio.to_thread(phone.registered)
        await self.watcher.open()
        assert await self.watcher.register() == 200
        self.lamp = await self.watcher.watch(self.a.user)

    async def prepare(self) -> None:
        await asyncio.to_thread(self._call)
        await self.lamp.becomes("confirmed")
        for holder, other in ((self.a, self.b), (self.b, self.a)):
            if self._holds(holder):
                await asyncio.to_thread(_hold, holder, other)
        await self.lamp.becomes("confirmed", *LAMPS[self.state])
        self._registrations = [(phone, int(phone.command("registrations"))) for phone in (self.a, self.b)]

    def _call(self) -> None:
        self.a.dial(self.b.user)
        self.b.becomes("rings", lambda call: call.state in ("incoming", "early"))
        self.b.command("answer")
        for phone in (self.a, self.b):
            phone.state("confirmed")
            phone.media("active")

    def _holds(self, phone: Pjsip) -> bool:
        return bool(LAMPS[self.state][phone is self.b])

    async def act(self, action: str) -> None:
        """AssertionError says what is wrong. A phone over TCP is back first: its Contact named the port that it had connected
        from, where nobody can reach it."""
        if self.transport == "tcp":
            for phone, before in self._registrations:
                await asyncio.to_thread(phone.registered, before + 1)
        local, remote = LAMPS[self.state]
        if action == "resume":
            for holder in (self.a, self.b):
                if self._holds(holder) or (holder is self.a and self.state == "talking"):
                    await asyncio.to_thread(_resume, holder)
                    local, remote = ("", remote) if holder is self.a else (local, "")
                    await self.lamp.becomes("confirmed", local, remote)
            await asyncio.to_thread(_both_talk, self.a, self.b)
        elif action == "re-hold":
            holder, other = (self.b, self.a) if self.state == "held by callee" else (self.a, self.b)
            await asyncio.to_thread(_hold, holder, other)
            await self.lamp.becomes("confirmed", "no" if holder is self.a else local, "no" if holder is self.b else remote)
        elif action == "refresh":
            for phone in (self.a, self.b):
                await asyncio.to_thread(_refresh, phone)
            await self.lamp.becomes("confirmed", local, remote)
        ends = self.b if action == "BYE by B" else self.a
        await asyncio.to_thread(_hang_up, ends, self.a if ends is self.b else self.b)
        await self.lamp.becomes("terminated")
        assert not self.watcher.broken, self.watcher.broken

    async def free(self) -> None:
        """For the next round, whatever became of this one."""
        for phone in (self.a, self.b):
            await asyncio.to_thread(phone.clear)
        await self.lamp.becomes("terminated")
        self.watcher.broken.clear()


def _hold(holder: Pjsip, other: Pjsip) -> None:
    sent, count = other.call.media, _answers(holder)
    holder.command("hold")
    holder.becomes("has its answer", lambda call: _answers(holder) > count)
    holder.media("local hold")
    if sent == "active":
        other.media("remote hold")


def _resume(holder: Pjsip) -> None:
    count = _answers(holder)
    holder.command("resume")
    holder.becomes("has its answer", lambda call: _answers(holder) > count)


def _refresh(phone: Pjsip) -> None:
    before, count = phone.call.media, _answers(phone)
    phone.command("refresh")
    phone.becomes("has its answer", lambda call: _answers(phone) > count)
    assert phone.call.media == before, f"{phone.user} was in {before}, is in {phone.call.media}"


def _answers(phone: Pjsip) -> int:
    """How often a request of its own in this call has been answered 200."""
    return int(phone.command("answered"))


def _both_talk(*phones: Pjsip) -> None:
    for phone in phones:
        phone.media("active")
    for phone in phones:
        phone.hears()


def _hang_up(phone: Pjsip, other: Pjsip) -> None:
    phone.command("hangup")
    for each in (phone, other):
        each.state("disconnected")
    assert phone.call.status == 200, f"BYE of {phone.user}: {phone.call.status}"


async def rounds(directory: Path, start: Callable[[], Server], again: Callable[[Server], Server]) -> dict[Key, str]:
    """All rounds on one store; what was wrong, by cell. The last server is stopped."""
    server = await asyncio.to_thread(start)
    wrong: dict[Key, str] = {}
    with ExitStack() as stack:
        pairs = [await asyncio.to_thread(Pair.made, number, server, directory, stack) for number in range(len(PAIRS))]
        try:
            await asyncio.gather(*(pair.open() for pair in pairs))
            for action in ACTIONS:
                found = await _each(pairs, lambda pair: pair.prepare())
                server.kill()
                server = await asyncio.to_thread(again, server)
                standing = [pair for pair in pairs if pair not in found]
                found |= await _each(standing, lambda pair, action=action: pair.act(action))
                wrong |= {Key(pair.state, action, pair.transport): why for pair, why in found.items()}
                await _each(pairs, lambda pair: pair.free())
            server.check_healthy()
        finally:
            server.kill()
            await asyncio.gather(*(pair.watcher.close() for pair in pairs))
            for pair in pairs:
                pair.a.leave()
                pair.b.leave()
    return wrong


async def _each(pairs: list[Pair], part) -> dict[Pair, str]:
    results = await asyncio.gather(*(part(pair) for pair in pairs), return_exceptions=True)
    found = {}
    for pair, result in zip(pairs, results, strict=True):
        if isinstance(result, AssertionError):
            found[pair] = str(result)
        elif isinstance(result, BaseException):
            raise result
    return found
