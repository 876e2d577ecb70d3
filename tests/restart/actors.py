"""Who lives through a drill: callers and callees, phones that come and go, watchers, publishers. Each notes what it hears."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from tests.interop.wire import Message
from tests.restart.agent import LOST, NoAnswer
from tests.restart.history import Event, History
from tests.restart.lives import Lives
from tests.restart.phone import Phone, Watch

PAUSE: Final = (0.02, 0.6)
DOCUMENT: Final = (
    '<?xml version="1.0"?>\r\n<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="{version}" state="full"'
    ' entity="{aor}"><dialog id="d{version}" call-id="own-{user}" local-tag="x" remote-tag="y" direction="initiator">'
    "<state>confirmed</state></dialog></dialog-info>\r\n"
)


class World(Protocol):
    """The server as the actors know it."""

    generation: int
    """Goes up at each death."""
    lives: Lives
    given_up: list[int]
    """Of each call that a phone gave up by itself, as nobody could hear it: how often it had tried."""
    stopping: bool
    patience: float
    """Seconds in which what was promised must be seen, restarts in between and lamps that change once a second included."""


class Actor:
    """`run` until the world stops, then `settle`: everything is looked at once more and ended."""

    def __init__(self, world: World, history: History, seed: str) -> None:
        self.world = world
        self.history = history
        self.random = random.Random(seed)
        self.phones: tuple[Phone, ...] = ()
        self.dialogs: dict[str, set[str]] = {}
        """Key of an event → Call-IDs whose ladder shows what happened."""

    async def open(self) -> None:
        for phone in self.phones:
            phone.patience, phone.waits_for_invite = 1.6 * self.world.patience, 5.0
            await phone.open()

    async def run(self) -> None:
        while not self.world.stopping:
            await self.turn()
            await self.pause()
        await self.settle()

    async def turn(self) -> None:
        raise NotImplementedError

    async def settle(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of the phones."""
        await asyncio.gather(*(phone.close() for phone in self.phones))

    async def pause(self) -> None:
        await asyncio.sleep(self.random.uniform(*PAUSE))

    async def ask(self, kind: str, key: str, what: str, asked: Awaitable[int | Message]) -> int:
        """Note a request's final status; no answer at all counts as 408, or as lost where the server died meanwhile."""
        generation = self.world.generation
        try:
            answer = await asked
            status = answer if isinstance(answer, int) else answer.status
        except NoAnswer:
            status = 408 if self.world.generation == generation else LOST
        crossed = self.world.generation != generation or status == LOST
        self.history.add(Event(time.monotonic(), kind, key, what, status, crossed))
        return status

    def see(self, kind: str, key: str, what: str, right: bool, detail: str = "") -> None:
        self.history.add(Event(time.monotonic(), kind, key, what, int(right), detail=detail))

    async def comes(self, true: Callable[[], bool]) -> bool:
        """Whether it becomes true in time."""
        deadline = time.monotonic() + self.world.patience
        while not true():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.03)
        return True


class Wanderer(Actor):
    """A phone that registers and leaves again, and looks whether the registrar knows."""

    def __init__(self, world: World, history: History, seed: str, phone: Phone) -> None:
        super().__init__(world, history, seed)
        self.phones = (phone,)
        self._phone = phone

    async def turn(self) -> None:
        leave = self.random.random() < 0.3
        await self._ask("unregister" if leave else "register", self._phone.register(0 if leave else 600))
        await self.pause()
        await self.settle()

    async def settle(self) -> None:
        contact = self._phone.contact.strip("<>")
        generation = self.world.generation
        try:
            bound = any(each == contact for each in await self._phone.bindings())
        except (NoAnswer, AssertionError):
            return  # lost with its connection: the next turn asks again
        self.see("registration", self._phone.user, "bound", bound, f"across {self.world.generation - generation} deaths")

    async def _ask(self, what: str, asked: Awaitable[int]) -> int:
        return await self.ask("registration", self._phone.user, what, asked)


class Publisher(Actor):
    """A phone that publishes a state of its own and keeps it up by its entity tag."""

    def __init__(self, world: World, history: History, seed: str, phone: Phone) -> None:
        super().__init__(world, history, seed)
        self.phones = (phone,)
        self._phone = phone
        self._tag = ""
        self._version = 0

    async def turn(self) -> None:
        if not self._tag:
            await self._publish("publish", self._document())
        elif self.random.random() < 0.1:
            await self._publish("unpublish", "", 0)
            self._tag = ""
        else:
            await self._publish("refresh", self.random.choice(("", self._document())))

    async def settle(self) -> None:
        if self._tag:
            await self._publish("refresh", "")
        if self._tag:
            await self._publish("unpublish", "", 0)

    async def _publish(self, what: str, body: str, expires: int = 600) -> None:
        tags: list[str] = []

        async def asked() -> int:
            status, tag = await self._phone.publish(body, self._tag, expires)
            tags.append(tag)
            return status

        status = await self.ask("publication", self._phone.user, what, asked())
        self._tag = tags[0] if tags and status == 200 else "" if status != LOST else self._tag

    def _document(self) -> str:
        self._version += 1
        return DOCUMENT.format(version=self._version, aor=self._phone.aor, user=self._phone.user)


class Watcher(Actor):
    """A phone that begins, refreshes and ends subscriptions at somebody's lamp."""

    def __init__(self, world: World, history: History, seed: str, phone: Phone, watched: str) -> None:
        super().__init__(world, history, seed)
        self.phones = (phone,)
        self._phone = phone
        self._watched = watched
        self._watch: Watch | None = None
        self._count = 0

    @property
    def _key(self) -> str:
        return f"{self._phone.user} at {self._watched} #{self._count}"

    async def turn(self) -> None:
        watch = self._watch
        if watch is None:
            self._count += 1
            watch = Watch(self._phone, self._watched)
            self._phone.watches[watch.call_id] = watch
            self.dialogs[self._key] = {watch.call_id}
            if await self.ask("subscription", self._key, "subscribe", watch.subscribe()) == 200:
                self._watch = watch
                came = await self.comes(lambda: bool(watch.notifies))
                self.see("subscription", self._key, "notify", came, "no NOTIFY after the 200")
        elif self.random.random() < 0.1:
            await self._end()
        else:
            await self._refresh()
        self._check()

    async def _refresh(self) -> None:
        watch = self._watch
        assert watch is not None
        count = len(watch.notifies)
        status = await self.ask("subscription", self._key, "refresh", watch.subscribe())
        if status == 200:
            came = await self.comes(lambda: len(watch.notifies) > count)
            self.see("subscription", self._key, "notify", came, "no NOTIFY after a refresh")
        elif status != LOST:
            self._watch = None

    async def _end(self) -> None:
        assert self._watch is not None
        await self.ask("subscription", self._key, "unsubscribe", self._watch.subscribe(0))
        self._watch = None

    def _check(self) -> None:
        for text in self._phone.broken:
            self.see("subscription", self._key, "notify", False, text)
        self._phone.broken.clear()

    async def settle(self) -> None:
        if self._watch is not None:
            await self._refresh()
        if self._watch is not None:
            await self._end()
        self._check()


def port_of(sdp: str) -> str:
    """What both legs of a call have in common: where the caller's media is."""
    found = re.search(r"^m=audio (\d+) ", sdp, re.MULTILINE)
    return found[1] if found else ""
