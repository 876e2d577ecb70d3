"""One cell of the restart matrix: a call brought into a state, and after `kill -9` and a restart one thing done with it.

Whoever is told anything checks by itself that CSeq and o= version have risen (call.py), and so does who watches (phone.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, TypeVar

from tests.interop.wire import Message, direction
from tests.restart.agent import LOST, Agent
from tests.restart.call import Leg, Told
from tests.restart.phone import Phone, Watch

STATES: Final = ("ringing", "talking", "held by caller", "held by callee", "held by both", "re-INVITE in flight")
ACTIONS: Final = ("resume", "re-hold", "BYE by A", "BYE by B", "refresh")
TRANSPORTS: Final = ("udp", "tcp")
SET_UP: Final = {
    "resume": "the caller waits",
    "re-hold": "the callee answers while the server is down",
    "BYE by A": "the caller cancels",
    "BYE by B": "the callee declines",
    "refresh": "the callee answers after the restart",
}
"""What is done with a call that rings, in place of the action: whatever it is, the call ends cleanly."""
SECONDS: Final = 15.0
"""Patience for a single thing; most take milliseconds, a lamp up to a second."""
TRIES: Final = 8
AGAIN: Final = 1.5
"""How often is asked that the server refuses because it is overloaded, and seconds in between."""
LAMPS: Final = {"talking": ("", ""), "held by caller": ("no", ""), "held by callee": ("", "no"), "held by both": ("no", "no")}


T = TypeVar("T")


class Key(NamedTuple):
    state: str
    action: str
    transport: str

    def __str__(self) -> str:
        return f"{self.state}, {self.action}, {self.transport.upper()}"


async def within(what: str, wanted: Awaitable[T]) -> T:
    """AssertionError when it takes longer than 15 seconds."""
    try:
        async with asyncio.timeout(SECONDS):
            return await wanted
    except TimeoutError:
        raise AssertionError(f"{what}: not within {SECONDS:g} s") from None


async def taken(what: str, ask: Callable[[], Awaitable[int]]) -> None:
    """On a busy machine the server may have no time for what is new, and says so (500 with Retry-After): asked again."""
    for _ in range(TRIES):
        status = await within(what, ask())
        if status == 200:
            return
        assert status == 500, f"{what} got {status}"
        await asyncio.sleep(AGAIN)
    raise AssertionError(f"{what} was refused {TRIES} times")


class Cell:
    """`prepare`, then the server dies; `meanwhile` it is down; `act` on the next one. AssertionError says what was wrong."""

    def __init__(self, key: Key, caller: Phone, callee: Phone, watcher: Phone) -> None:
        self.key = key
        self.caller, self.callee, self.watcher = caller, callee, watcher
        self.a: Leg
        self.b: Leg
        self.lamp: Watch
        self._open: asyncio.Task[object] | None = None
        """The INVITE or re-INVITE that is on its way when the server dies."""

    @property
    def phones(self) -> tuple[Phone, Phone, Phone]:
        return self.caller, self.callee, self.watcher

    # -- before ------------------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        for phone in self.phones:
            phone.waits_for_invite = 3.0
            await phone.open()
            await taken("REGISTER", phone.register)
        self.lamp = self.watcher.lamp_of(self.caller.user)
        await taken("SUBSCRIBE", self.lamp.subscribe)
        await self.lamp.reaches("a first NOTIFY", lambda: bool(self.lamp.notifies))
        dialling = await self._dialled()
        self.b.ring()
        await within("180", self.a.rung.wait())
        if self.key.state == "ringing":
            self._open = dialling
            await self.lamp.becomes("early")
            return
        self.b.answer()
        assert await within("200", dialling) == 200
        await self.lamp.becomes("confirmed")
        await self._into_state()

    async def _dialled(self) -> asyncio.Task[int]:
        """The INVITE at the callee, `a` and `b` its legs: dialled again where the server has no time for it (480)."""
        incoming = asyncio.create_task(self.callee.incoming.get())
        try:
            for _ in range(TRIES):
                self.a = self.caller.leg(self.callee.user)
                dialling = asyncio.create_task(self.a.dial())
                await within("the INVITE", asyncio.wait([incoming, dialling], return_when=asyncio.FIRST_COMPLETED))
                if incoming.done():
                    self.b = incoming.result()
                    return dialling
                assert dialling.result() == 480, f"the INVITE got {dialling.result()}"
                await asyncio.sleep(AGAIN)
            raise AssertionError(f"the INVITE was refused {TRIES} times")
        finally:
            incoming.cancel()

    async def _into_state(self) -> None:
        state = self.key.state
        if state == "re-INVITE in flight":
            self.b.silent = True
            self._open = asyncio.create_task(self.a.hold())
            await within("the re-INVITE", _until(lambda: bool(self.b.asked)))
            return
        for leg, other in ((self.a, self.b), (self.b, self.a)):
            if state in ("held by both", "held by caller" if leg is self.a else "held by callee"):
                await self._hold(leg, other)
        await self.lamp.becomes("confirmed", *LAMPS[state])

    # -- while the server is down ------------------------------------------------------------------------------

    def meanwhile(self) -> None:
        """A phone may answer what has reached it; it says it again until it hears of it."""
        if self.key.state == "re-INVITE in flight" and self.key.action != "BYE by B":
            self.b.silent = False
            self.b.answer_offer(self.b.asked[0])
        if self.key.state == "ringing" and self.key.action == "re-hold":
            self.b.answer()

    # -- after -------------------------------------------------------------------------------------------------

    async def act(self) -> None:
        if self.key.transport != "udp" and self.key.action in ("re-hold", "refresh"):
            # These come back by themselves; the others are reached at their Contact.
            for phone in (self.callee, self.watcher):
                assert await within("REGISTER anew", phone.register()) == 200
        if self.key.state == "ringing":
            await self._end_of_set_up()
        else:
            await self._in_call()
        await self.lamp.becomes("terminated")
        broken = [text for phone in self.phones for text in phone.broken]
        assert not broken, "; ".join(broken)

    async def _end_of_set_up(self) -> None:
        """The caller gets a final answer, the callee CANCEL or BYE, or its own answer is heard."""
        action = self.key.action
        assert self._open is not None
        if action == "BYE by A":
            await within("the answer to CANCEL", self.a.cancel())
        elif action == "BYE by B" and not self.b.over:
            self.b.decline()
        elif action == "refresh" and not self.b.over:
            self.b.answer()
        status = await within("a final answer to the INVITE", self._open)
        assert isinstance(status, int) and status >= 300, f"the INVITE got {status}"
        await within("CANCEL or BYE for the callee", self.b.ended.wait())

    async def _in_call(self) -> None:
        if self.key.action == "BYE by A":
            await self._bye(self.a, self.b)
        elif self.key.action == "BYE by B":
            await self._bye(self.b, self.a)
        else:
            held = await self._end_of_reinvite() if self._open is not None else LAMPS[self.key.state]
            await self.lamp.becomes("confirmed", *held)
            acts = {"resume": self._resumed, "re-hold": self._held_again, "refresh": self._refreshed}
            await acts[self.key.action](held)
            await self._bye(*((self.a, self.b) if self.key.action == "resume" else (self.b, self.a)))
        if self._open is not None:
            await within("a final answer to the re-INVITE", self._open)

    async def _end_of_reinvite(self) -> tuple[str, str]:
        """How the re-INVITE that was on its way ends, and who holds by it. Where it went by a connection that died with the
        server it has failed, and the other phone is told that nothing has changed (RFC 3261 §14.1, §17.1.4)."""
        assert self._open is not None
        answer = await within("the answer to the re-INVITE on its way", self._open)
        assert isinstance(answer, Message)
        if answer.status == LOST:
            self.a.holding = False
            await within("the callee is told so", _until(lambda: direction(self.b.remote_sdp) == "sendrecv"))
            return LAMPS["talking"]
        _answered(answer, "recvonly")
        return LAMPS["held by caller"]

    async def _resumed(self, held: tuple[str, str]) -> None:
        """Who holds takes it back; of two the caller first, and the call stays held by the other."""
        holders = [leg for leg, holds in ((self.a, held[0]), (self.b, held[1])) if holds] or [self.a]
        for leg in holders:
            other = self._other(leg)
            expected = "sendonly" if other.holding else "sendrecv"
            _answered(await self._told(leg, other, "sendrecv", leg.resume), expected)
            await self.lamp.becomes("confirmed", "no" if self.a.holding else "", "no" if self.b.holding else "")

    async def _held_again(self, held: tuple[str, str]) -> None:
        leg = self.b if held == LAMPS["held by callee"] else self.a
        await self._hold(leg, self._other(leg))
        await self.lamp.becomes("confirmed", "no" if self.a.holding else "", "no" if self.b.holding else "")

    async def _refreshed(self, held: tuple[str, str]) -> None:
        """The last description once more, and an UPDATE of the other side: answered, nobody is told anything new."""
        before = direction(self.a.remote_sdp)
        _answered(await within("the answer to the refresh", self.a.refresh()), before)
        assert await within("the answer to UPDATE", self.b.update()) == 200
        await self.lamp.becomes("confirmed", *held)

    async def _hold(self, leg: Leg, other: Leg) -> None:
        _answered(await self._told(leg, other, "sendonly", leg.hold), "inactive" if other.holding else "recvonly")

    async def _told(self, leg: Leg, other: Leg, way: str, say: Callable[[], Awaitable[Message]]) -> Message:
        """What one says the other is told: that direction, with a higher CSeq and, where it is news, a higher o= version."""
        known, version, cseq = len(other.told), other.version, other.remote_cseq
        news = direction(other.remote_sdp) != way
        answer = await within(f"the answer to {way} of {leg.agent.user}", say())
        assert answer.status == 200, f"{way} of {leg.agent.user}: {answer.start}"
        assert other.told[known:], f"{other.agent.user} was not told of {way}"
        told: Told = other.told[-1]
        assert told.direction == way and told.cseq > cseq and told.version >= version + news, f"{told} after {version}, {cseq}"
        return answer

    async def _bye(self, leg: Leg, other: Leg) -> None:
        status = await within(f"the answer to BYE of {leg.agent.user}", leg.bye())
        assert status == 200, f"BYE of {leg.agent.user}: {status}"
        await within(f"BYE for {other.agent.user}", other.ended.wait())
        assert other.over == "BYE"

    def _other(self, leg: Leg) -> Leg:
        return self.b if leg is self.a else self.a

    # -- what is told of it ------------------------------------------------------------------------------------

    def ladder(self) -> str:
        """All that its phones said and heard, in order of time."""
        return ladder(self.phones)


def _answered(answer: Message, way: str) -> None:
    assert answer.status == 200, answer.start
    assert direction(answer.body) == way, f"answered {direction(answer.body)}, not {way}"


async def _until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.02)


def ladder(phones: tuple[Agent, ...], call_ids: frozenset[str] = frozenset()) -> str:
    """Start lines by time; with `call_ids` of these dialogs only."""
    entries = [(entry, phone) for phone in phones for entry in phone.record]
    entries.sort(key=lambda each: each[0].at)
    lines = []
    for entry, phone in entries:
        message = entry.message
        if call_ids and message.call_id not in call_ids:
            continue
        what = f" a={direction(message.body)}" if message.body.startswith("v=0") else ""
        arrow = "->" if entry.ours else "<-"
        again = " (again)" if entry.again else ""
        lines.append(f"{entry.at:.3f} {phone.user} {arrow} {message.start}  {message.get('CSeq')}{what}{again}")
    return "\n".join(lines)
