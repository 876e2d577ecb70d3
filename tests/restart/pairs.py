"""Two phones of a drill that call each other again and again, hold and resume from either side, and the lamp that shows it."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from tests.interop.wire import direction
from tests.restart.actors import Actor, World, port_of
from tests.restart.agent import LOST
from tests.restart.call import Leg
from tests.restart.history import Event, History
from tests.restart.phone import Phone, Watch

BYES = 20
"""Connections that a BYE may be lost with; each time the server has died."""


class Pair(Actor):
    """One call after the other. What the caller's lamp shows is seen by a third phone."""

    def __init__(self, world: World, history: History, seed: str, caller: Phone, callee: Phone, watcher: Phone) -> None:
        super().__init__(world, history, seed)
        self.phones = (caller, callee, watcher)
        self._caller, self._callee, self._watcher = self.phones
        self._watch: Watch
        self._number = 0
        self._unsure: frozenset[Leg] = frozenset()
        self._arrived: list[Leg] = []
        self._answering: asyncio.Task[None] | None = None

    @property
    def _key(self) -> str:
        return f"{self._caller.user} → {self._callee.user} #{self._number}"

    @property
    def _lamp_key(self) -> str:
        return f"{self._watcher.user} at {self._caller.user}"

    async def open(self) -> None:
        """Before the first kill: all three are registered, the lamp is watched."""
        await super().open()
        for phone in self.phones:
            assert await phone.register() == 200
        self._watch = await self._watcher.watch(self._caller.user)
        self.history.add(Event(time.monotonic(), "subscription", self._lamp_key, "subscribe", 200))
        self._answering = asyncio.ensure_future(self._answer())

    async def _answer(self) -> None:
        """The callee answers whatever comes."""
        while True:
            leg = await self._callee.incoming.get()
            self._arrived.append(leg)
            leg.ring()
            asyncio.get_running_loop().call_later(self.random.uniform(0.0, 0.4), self._pick_up, leg)

    @staticmethod
    def _pick_up(leg: Leg) -> None:
        if not leg.over:
            leg.answer()

    # -- one call ----------------------------------------------------------------------------------------------

    async def turn(self) -> None:
        legs = await self._dial()
        if legs is None:
            return
        for _ in range(self.random.randrange(1, 12)):
            if self.world.stopping or legs[0].over or legs[1].over:
                break
            await self._something(*legs)
            await self.pause()
        await self._end(*legs)

    async def _dial(self) -> tuple[Leg, Leg] | None:
        """Both legs of an established call; None when it did not come to be, or was not heard to."""
        self._number += 1
        self._arrived.clear()
        self._unsure = frozenset()
        near = self._caller.leg(self._callee.user)
        self.dialogs[self._key] = {near.call_id}
        status = await self.ask("call", self._key, "dial", near.dial())
        port = port_of(near.sdp("", anew=False))
        mine = [leg for leg in self._arrived if port_of(leg.remote_sdp) == port]
        self.dialogs[self._key] |= {leg.call_id for leg in mine}
        if status >= 300:
            await self._nobody_is_left(mine)
            return None
        await self.comes(lambda: any(leg.confirmed and not leg.over for leg in self._arrived))
        far = next((leg for leg in mine if leg.confirmed and not leg.over), None)
        self.see("call", self._key, "standing", far is not None or near.over == "BYE", "the callee has no such call")
        return (near, far) if far is not None else None

    async def _nobody_is_left(self, legs: list[Leg]) -> None:
        for leg in legs:
            gone = await self.comes(lambda leg=leg: bool(leg.over))
            self.see("call", self._key, "left", gone, f"{self._callee.user} ({leg.call_id})")
            if not gone:
                with suppress(AssertionError):
                    await leg.bye()

    async def _something(self, near: Leg, far: Leg) -> None:
        """One of what the two may do, and what must be seen of it."""
        leg, other = self.random.choice(((near, far), (far, near)))
        what = self.random.choice(("hold", "hold", "resume", "resume", "refresh", "update"))
        known = len(other.told)
        acts = {"hold": leg.hold, "resume": leg.resume, "refresh": leg.refresh, "update": leg.update}
        held = leg.holding
        status = await self.ask("call", self._key, f"{what}", acts[what]())
        if what in ("hold", "resume"):
            # Whether it was obeyed is not known where no answer came: until the next one the lamp is not judged.
            self._unsure = self._unsure - {leg} if status == 200 else self._unsure | {leg}
        if status != 200 and what in ("hold", "resume"):
            leg.holding = held
        if status == 200 and what in ("hold", "resume"):
            way = "sendonly" if what == "hold" else "sendrecv"
            news = not other.told[known:] or other.told[-1].direction != way
            if news and direction(other.remote_sdp) != way:
                self.see("call", self._key, "told", False, f"{other.agent.user}: {direction(other.remote_sdp)}, not {way}")
        if status in (200, LOST) and self.random.random() < 0.5:
            await self._lamp(near, far)

    async def _lamp(self, near: Leg, far: Leg) -> None:
        if near.over or far.over or self._unsure:
            return
        wanted = "confirmed", near.holding, far.holding
        right = await self.comes(lambda: self._shown() == wanted or bool(near.over or far.over))
        self.see("call", self._key, "lamp", right, f"{self._shown()}, not {wanted}")

    def _shown(self) -> tuple[str, bool, bool]:
        if not self._watch.notifies or not self._watch.notifies[-1].body:
            return "", False, False
        try:
            lamp = self._watch.shows
        except ValueError:
            return "several", False, False
        if lamp.state != "confirmed":
            return lamp.state, False, False
        return lamp.state, lamp.local == "no", lamp.remote == "no"

    async def _end(self, near: Leg, far: Leg) -> None:
        self.see("call", self._key, "standing", not (near.over or far.over), f"{near.over or far.over}")
        leg, other = self.random.choice(((near, far), (far, near)))
        if not leg.over:
            # Lost with its connection it was not acknowledged, and one try after another may be when a server dies as it starts.
            for _ in range(BYES):
                if await self.ask("call", self._key, "bye", leg.bye()) != LOST:
                    break
        ended = await self.comes(lambda: bool(other.over))
        self.see("call", self._key, "ended", ended, f"{other.agent.user} ({other.call_id})")
        right = await self.comes(lambda: self._shown()[0] == "terminated")
        self.see("call", self._key, "lamp", right, f"{self._shown()} after the end")
        if self.random.random() < 0.3:
            await self.ask("call", self._key, "bye again", leg.bye())
        self._check()

    def _check(self) -> None:
        for phone in self.phones:
            for text in phone.broken:
                self.see("call", self._key, "told", False, text)
            phone.broken.clear()

    async def settle(self) -> None:
        await self.ask("subscription", self._lamp_key, "refresh", self._watch.subscribe())
        if self._answering is not None:
            self._answering.cancel()
        self._check()
