"""`b2bua try`: two scripted phones register at a running server, one calls the other, and what they saw is printed.

For whoever writes a feature and has no phone at hand. A callee that is no user of the file is only dialled: an echo test, a
feature code, a real phone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from b2bua.phone.agent import Identity
from b2bua.phone.call import Call, CallState
from b2bua.phone.endpoint import Endpoint
from b2bua.sip.flow import HostPort
from b2bua.sip.reason import REASON

POLL: Final = 0.02
PATIENCE: Final = 5.0
"""Seconds for an answer to a REGISTER and a BYE."""
RING_SECONDS: Final = 0.3
"""How long the callee rings."""
INTERRUPTED: Final = 130
"""The exit status that shells give to it."""
ANSWER_SECONDS: Final = 60.0
"""How long the caller waits for an answer: a real phone may be at the other end."""


class TrialError(Exception):
    """Nothing can be tried; the text is one line."""


class Trial:
    """One call. `play` gives whether it was answered; each thing that was seen goes to `say` as a line."""

    def __init__(
        self, reactor: Any, server: HostPort, host: str, domain: str, passwords: Mapping[str, str], show: str,
        say: Callable[[str], None],
    ) -> None:  # fmt: skip
        """`host`: our own address; `show`: a header of the INVITE that is printed as the callee has it, or ""."""
        self._reactor = reactor
        self._server = server
        self._host = host
        self._domain = domain
        self._passwords = passwords
        self._show = show
        self._say = say
        self._phones: list[Endpoint] = []

    async def play(self, caller: str, callee: str, seconds: float) -> bool:
        """The whole of it; TrialError where a phone cannot register."""
        try:
            near = await self._phone(caller, 440)
            far = await self._phone(callee, 880) if callee in self._passwords else None
            if far is not None:
                far.phone.answer_after = RING_SECONDS
                far.on_call = self._called
            return await self._call(near, far, callee, seconds)
        finally:
            await self._leave()

    async def _phone(self, user: str, hertz: int) -> Endpoint:
        password = self._passwords.get(user)
        if password is None:
            raise TrialError(f"there is no password for {user}")
        made = Endpoint(self._reactor, Identity(user, self._domain, password), self._server, self._host, hertz)
        made.start()
        self._phones.append(made)
        registration = made.phone.registration
        registration.register(300)
        await self._until(lambda: registration.registered or registration.status >= 300)
        if not registration.registered:
            status = registration.status
            raise TrialError(f"{user} cannot register: {_told(status) if status else 'no answer'}")
        self._say(f"{user} is registered")
        return made

    async def _call(self, near: Endpoint, far: Endpoint | None, callee: str, seconds: float) -> bool:
        user = near.identity.user
        self._say(f"{user} calls {callee}")
        call = near.phone.dial(callee)
        try:
            over = (CallState.ESTABLISHED, CallState.ENDED)
            await self._until(lambda: call.state in over, ANSWER_SECONDS)
            if call.state is not CallState.ESTABLISHED:
                self._say(f"{user} hears {_told(call.status)}" if call.status else f"{user} hears no answer")
                return False
            self._say(f"{user} hears 200 OK")
            await deferLater(self._reactor, seconds)
            for phone in (near,) if far is None else (near, far):
                sent, received = phone.media_counts()
                self._say(f"{phone.identity.user} has sent {sent} RTP packets and heard {received}")
        finally:  # interrupted, or nobody reads on, too: the call would stand at the server
            call.hang_up()
        await self._until(lambda: call.state is CallState.ENDED)
        self._say(f"{user} has hung up")
        return True

    def _called(self, call: Call) -> None:
        """The callee's phone has something to say of its call."""
        if call.state is CallState.OFFERED and call.invite is not None:
            self._say(f"{call.agent.identity.user} rings")
            if self._show:
                self._say(f"{call.agent.identity.user} reads {self._show}: {call.invite.get(self._show) or ''}".rstrip())

    async def _leave(self) -> None:
        registrations = [phone.phone.registration for phone in self._phones]
        for registration in registrations:
            registration.unregister()
        await self._until(lambda: not any(registration.registered for registration in registrations))
        for phone in self._phones:
            phone.stop()

    async def _until(self, true: Callable[[], bool], seconds: float = PATIENCE) -> None:
        deadline = self._reactor.seconds() + seconds
        while not true() and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, POLL)


def _told(status: int) -> str:
    return f"{status} {REASON.get(status, '')}".rstrip()


def run(trial: Callable[[Any], Trial], caller: str, callee: str, seconds: float) -> int:
    """Play it on a reactor of this process; 0 where the call was answered, 1 where not, 130 where the user interrupts it: the
    phones hang up and leave first. TrialError as in `Trial.play`."""
    from twisted.internet import reactor as installed

    reactor: Any = installed
    results: list[object] = []
    interrupted: list[Deferred[None]] = []

    def over(result: object) -> None:
        results.append(result)
        if not interrupted:
            reactor.stop()

    def begin() -> None:
        playing = Deferred.fromCoroutine(trial(reactor).play(caller, callee, seconds)).addBoth(over)
        reactor.addSystemEventTrigger("before", "shutdown", leave, playing)

    def leave(playing: Deferred[None]) -> Deferred[None] | None:
        if results:
            return None
        interrupted.append(playing)
        playing.cancel()
        return playing

    reactor.callWhenRunning(begin)
    reactor.run()
    if interrupted:
        return INTERRUPTED
    if isinstance(results[0], Failure):
        results[0].raiseException()
    return 0 if results[0] else 1
