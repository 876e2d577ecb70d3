"""Two baresip phones of a drill that call each other again and again, hold and resume; a third phone sees their lamp.

baresip says when a call is established and when it is closed, and no word on what became of a hold: that is taken from the
lamp, and not judged where it does not show it.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

from tests.interop.baresip import Baresip
from tests.restart.actors import Actor, World
from tests.restart.history import Event, History
from tests.restart.lives import bye_heard_by_nobody, heard_by_nobody
from tests.restart.phone import Phone, Watch

ESTABLISHED, CLOSED, INCOMING = "CALL_ESTABLISHED", "CALL_CLOSED", "CALL_INCOMING"
POLL: Final = 0.05
LAST: Final = 100.0
"""Seconds of a ladder: a call that baresip gives up has been without an answer for 32."""
LONGEST_CALL: Final = 600
"""Seconds of speech: no call of a drill outlasts them, however long a machine takes to answer."""


class Telephone:
    """One baresip in an event loop: its control socket blocks, so a thread reads it."""

    def __init__(self, folder: Path, server: str, user: str, password: str, host: str, transport: str) -> None:
        self.user = user
        self._made = lambda: Baresip(
            folder, server, user, password, host, transport, speech_seconds=LONGEST_CALL, traced=True
        )
        self._phone: Baresip
        self._lock = asyncio.Lock()

    async def open(self) -> None:
        """Started and registered."""
        self._phone = await asyncio.to_thread(self._made)
        await asyncio.to_thread(self._phone.registered)

    async def command(self, verb: str, parameters: str = "") -> bool:
        """Whether it could do so: it cannot hang up where there is no call."""
        async with self._lock:
            try:
                await asyncio.to_thread(self._phone.command, verb, parameters)
            except AssertionError:
                return False
        return True

    async def dial(self, user: str) -> None:
        await self.command("dial", f"sip:{user}@{self._phone.server}")

    async def events(self) -> list[str]:
        """The types of the events of this call so far, oldest first, each with its parameter."""
        await self.command("uptime")  # what waits is read with the answer
        return [f"{event.get('type')} {event.get('param') or ''}" for event in self._phone.events]

    def ladder(self) -> list[tuple[float, str]]:
        """What it sent and heard, when."""
        return self._phone.ladder()

    async def clear(self) -> None:
        """No call, and no event."""
        async with self._lock:
            await asyncio.to_thread(self._phone.clear)

    async def close(self) -> None:
        await asyncio.to_thread(self._phone.close)


class BaresipPair(Actor):
    """One call after the other."""

    def __init__(
        self, world: World, history: History, seed: str, caller: Telephone, callee: Telephone, watcher: Phone
    ) -> None:
        super().__init__(world, history, seed)
        self.phones = (watcher,)
        self._caller, self._callee = caller, callee
        self._watcher = watcher
        self._watch: Watch
        self._number = 0

    @property
    def _key(self) -> str:
        return f"baresip {self._caller.user} → {self._callee.user} #{self._number}"

    async def open(self) -> None:
        await super().open()
        for telephone in (self._caller, self._callee):
            await telephone.open()
        assert await self._watcher.register() == 200
        self._watch = await self._watcher.watch(self._caller.user)
        self.history.add(Event(time.monotonic(), "subscription", self._lamp_key, "subscribe", 200))

    def ladder(self, until: float) -> list[tuple[float, str]]:
        """What both said and heard in the last minutes before."""
        return [
            (at, f"{telephone.user} {text}")
            for telephone in (self._caller, self._callee)
            for at, text in telephone.ladder()
            if until - LAST < at <= until
        ]

    @property
    def _lamp_key(self) -> str:
        return f"{self._watcher.user} at {self._caller.user}"

    async def turn(self) -> None:
        self._number += 1
        self.dialogs[self._key] = {self._watch.call_id}
        for telephone in (self._caller, self._callee):
            await telephone.clear()
        if await self.ask("call", self._key, "dial", self._dial()) != 200:
            gone = await self._hears(self._callee, CLOSED) if await self._has_heard(self._callee, INCOMING) else True
            self.see("call", self._key, "left", gone, self._callee.user)
            return
        for _ in range(self.random.randrange(1, 5)):
            if self.world.stopping:
                break
            await self._hold_and_resume(self.random.choice((self._caller, self._callee)))
            await self.pause()
        await self._end()

    async def _dial(self) -> int:
        """The status of the call; the callee accepts after a while."""
        await self._caller.dial(self._callee.user)
        picks_up = time.monotonic() + self.random.uniform(0.0, 0.4)
        until = time.monotonic() + 2 * self.world.patience
        while time.monotonic() < until:
            for event in await self._caller.events():
                if event.startswith(ESTABLISHED):
                    return 200
                if event.startswith(CLOSED):
                    status = event.partition(" ")[2][:3]
                    return int(status) if status.isdigit() else 480
            if time.monotonic() > picks_up and await self._has_heard(self._callee, INCOMING):
                await self._callee.command("accept")
            await asyncio.sleep(POLL)
        await self._caller.command("hangup")
        return 408

    async def _hold_and_resume(self, telephone: Telephone) -> None:
        """What the lamp shows of it counts as acknowledged."""
        for verb, held in (("hold", True), ("resume", False)):
            await telephone.command(verb)

            def shows(held: bool = held) -> bool:
                return bool(self._watch.notifies) and self._is_held() == held

            if await self.comes(shows):
                self.history.add(Event(time.monotonic(), "call", self._key, verb, 200))
            await self.pause()

    def _is_held(self) -> bool | None:
        try:
            lamp = self._watch.shows
        except ValueError:
            return None
        return "no" in (lamp.local, lamp.remote) if lamp.state == "confirmed" else None

    async def _end(self) -> None:
        heard = [(telephone.user, event) for telephone in (self._caller, self._callee) for event in await telephone.events()]
        ended = [f"{user}: {event}" for user, event in heard if event.startswith(CLOSED)]
        copies = max(self._copies(telephone) for telephone in (self._caller, self._callee)) if ended else 0
        if copies:
            self.world.given_up.append(copies)
        self.see("call", self._key, "standing", not ended or copies > 0, ", ".join(ended))
        one, other = self.random.choice(((self._caller, self._callee), (self._callee, self._caller)))
        await one.command("hangup")
        told = await self._hears(other, CLOSED)
        copies = 0 if told else bye_heard_by_nobody(self.world.lives, one.ladder())
        if copies:
            self.world.given_up.append(copies)
        self.see("call", self._key, "ended", told or copies > 0, other.user)
        right = await self.comes(lambda: self._is_idle())
        self.see("call", self._key, "lamp", right, "after the end")

    def _copies(self, telephone: Telephone) -> int:
        """How often it sent a re-INVITE that nobody could hear until it gave the call up (RFC 3261 §17.1.1.2)."""
        return heard_by_nobody(self.world.lives, telephone.ladder())

    def _is_idle(self) -> bool:
        try:
            return self._watch.shows.state == "terminated"
        except ValueError:
            return False

    async def _has_heard(self, telephone: Telephone, kind: str) -> bool:
        return any(event.startswith(kind) for event in await telephone.events())

    async def _hears(self, telephone: Telephone, kind: str) -> bool:
        """Whether it does in time."""
        until = time.monotonic() + self.world.patience
        while not await self._has_heard(telephone, kind):
            if time.monotonic() > until:
                return False
            await asyncio.sleep(POLL)
        return True

    async def settle(self) -> None:
        await self.ask("subscription", self._lamp_key, "refresh", self._watch.subscribe())
        for text in self._watcher.broken:
            self.see("subscription", self._lamp_key, "notify", False, text)

    async def close(self) -> None:
        await super().close()
        for telephone in (self._caller, self._callee):
            await telephone.close()
