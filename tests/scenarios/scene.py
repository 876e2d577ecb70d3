"""A scene: the network, the server, phones; and the parts of a ladder that many scenarios begin or end with."""

from __future__ import annotations

from collections.abc import Callable

from b2bua.sip.flow import WEB
from b2bua.sip.message import Message
from b2bua.transaction.timers import TICK
from tests.scenarios.options import Options
from tests.scenarios.script_call import ScriptCall, register_text
from tests.scenarios.script_phone import ScriptPhone
from tests.scenarios.server_under_test import IPV6_SERVER, STREAM_SERVERS, ServerUnderTest
from tests.scenarios.virtual_network import Rule, VirtualNetwork, perfect

USERS = ("6001", "6002", "6003", "6004")
LONGEST = 75.0
"""Seconds after which every transaction of a call is gone: 64·T1 twice (a time-out, then Timer J or D), T4 and some."""


TIMEOUT = 32.5
"""Seconds within which a transaction that nobody answers is over: 64·T1 and a few ticks."""


class Scene:
    """One scenario. `quiet` at its end finds messages that nobody expected, and leaks."""

    def __init__(self, options: Options | None = None, rule: Rule = perfect) -> None:
        self.network = VirtualNetwork(rule)
        options = options or Options()
        self.network.link = options.link_ends[1]
        self.server = ServerUnderTest(self.network, options, USERS)
        self.phones: list[ScriptPhone] = []
        self.expected_errors = 0
        """How many mistakes of ours (or of a plugin) the scenario provokes."""

    def phone(self, user: str, *, device: int = 0, registered: bool = True) -> ScriptPhone:
        """A phone of this user; `device` tells several apart."""
        address = (f"192.0.2.{int(user) - 6000 + 10 * device + 10}", 5060)
        phone = ScriptPhone(self.network, user, address, f"{user}{'abc'[device - 1]}" if device else "")
        self.phones.append(phone)
        if registered:
            register(phone)
        return phone

    def tcp_phone(
        self, user: str, *, listening: bool = True, transport: str = "tcp", registered: bool = True
    ) -> ScriptPhone:
        """A phone on a connection of its own from port 49152; `listening`: its Contact takes connections. One by
        WebSocket has a name in Via and Contact that nobody can look up, as browsers do (RFC 7118 §B.1)."""
        contact = (f"192.0.2.{int(user) - 6000 + 10}", 5060)
        phone = ScriptPhone(self.network, user, contact, server=STREAM_SERVERS[transport], transport=transport.upper())
        if transport in WEB:
            listening = False
            phone.listening = (f"phone-{user}.invalid", 5060)
            phone.contact = f'<sip:{user}@phone-{user}.invalid;transport=ws>;reg-id=1;+sip.instance="<urn:uuid:{user}>"'
        if not listening:
            self.network.detach(contact)
        phone.connect_from(49152)
        self.phones.append(phone)
        if registered:
            register(phone)
        return phone

    def ipv6_phone(self, user: str) -> ScriptPhone:
        phone = ScriptPhone(self.network, user, (f"2001:db8::{user}", 5060), server=IPV6_SERVER)
        self.phones.append(phone)
        register(phone)
        return phone

    def restart_session_manager(self) -> None:
        """It alone: Communication Manager, on another host, lives on."""
        old, network = self.server, self.network
        network.each_tick.remove(old.tick)
        for heartbeat in old.heartbeats:
            heartbeat.stop()
        if old.records is not None:
            old.records.crash()
        for remote in old.remotes.values():
            if old.options.link == "tcp":
                remote.connection_broke()
        self.server = ServerUnderTest(network, old.options, USERS, remotes=old.remotes)
        self.advance(0)

    def break_link(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """The connection of a link by TCP breaks, and there is another; both ends live on but for what happens `meanwhile`."""
        link = self.server.links.named("cm")
        assert link is not None
        self.server.connection_failed(link.flow)
        meanwhile()
        self.server.remotes["cm"].connection_broke()
        self.advance(0)

    def restart_communication_manager(self, gone: float = 0.0) -> None:
        """It alone, on another host, after so many seconds: Session Manager lives on."""
        self.server.remotes["cm"].kill()
        self.advance(gone)
        self.server.start_remote("cm", *self.server.options.link_ends)
        self.advance(0)

    def advance(self, seconds: float) -> None:
        self.network.advance(seconds)

    def restart(self) -> None:
        """As by SIGKILL and a new start: nothing is said in between, and all that was in memory alone is gone."""
        old, network = self.server, self.network
        network.each_tick.clear()
        for remote in old.remotes.values():
            network.detach(remote.address)
            if remote.records is not None:
                remote.records.crash()
        if old.records is not None:
            old.records.crash()
        if old.options.details is not None:
            old.options.details.crash()
        self.server = ServerUnderTest(network, old.options, USERS)
        self.advance(0)

    def wait(self, phone: ScriptPhone, seconds: float) -> float:
        """Let time pass until something comes to this phone, `seconds` at most; how long it took."""
        start = self.now()
        while not phone.inbox:
            if self.now() - start > seconds:
                phone.fail(f"waited {seconds} s, nothing came")
            self.advance(TICK)
        return self.now() - start

    def now(self) -> float:
        return self.network.clock.now()

    def linked(self, source: str, destination: str, method: str) -> list[Message]:
        """Messages on the link in process, by method of the request or CSeq: `linked("CM", "SM", "PUBLISH")`."""
        return [
            step.message
            for step in self.network.ladder
            if (step.source, step.destination) == (source, destination)
            and step.message is not None
            and step.message.cseq_method == method
        ]

    def count(self, counter: str, *labels: str) -> int:
        return self.server.observer.counts[counter][labels]

    def quiet(self) -> None:
        """Nothing that nobody expected has come or comes, and nothing is left behind."""
        for phone in self.phones:
            phone.hears_nothing()
        for heartbeat in (*self.server.heartbeats, *(remote.heartbeat for remote in self.server.remotes.values())):
            heartbeat.stop()
        for watch in self.server.watches:
            watch.stop()
        self.advance(LONGEST)
        for phone in self.phones:
            phone.hears_nothing()
        leaks = self.server.leaks()
        assert not leaks, f"left behind: {leaks}\n\n{self.network.text()}"
        errors = self.server.errors
        assert len(errors) == self.expected_errors, f"mistakes caught by the server: {errors!r}\n\n{self.network.text()}"


def register_again(phone: ScriptPhone, cseq: int) -> Message:
    """A refresh of its registration, two CSeqs long."""
    phone >> register_text(phone, cseq)
    challenge = phone << "401 REGISTER"
    phone >> register_text(phone, cseq + 1, phone.credentials(challenge, "REGISTER", "sip:example.com"))
    return phone << "200 REGISTER"


MakeScene = Callable[..., Scene]


def register(phone: ScriptPhone) -> Message:
    phone >> register_text(phone, 1)
    challenge = phone << "401 REGISTER"
    phone >> register_text(phone, 2, phone.credentials(challenge, "REGISTER", "sip:example.com"))
    return phone << "200 REGISTER"


def invite(
    caller: ScriptPhone, callee: ScriptPhone, body: str | None = None, *lines: str
) -> tuple[ScriptCall, ScriptCall, Message]:
    """The INVITE up to the callee, challenged on the way: the caller's call, the callee's, and the INVITE there."""
    a = ScriptCall(caller, callee.aor)
    caller >> a.invite(a.sdp() if body is None else body, *lines)
    challenge = caller << "407 INVITE"
    caller >> a.ack(challenge)
    caller >> a.with_credentials(challenge)
    arrived = callee << "INVITE"
    return a, ScriptCall.of(callee, arrived), arrived


def talk(caller: ScriptPhone, callee: ScriptPhone) -> tuple[ScriptCall, ScriptCall]:
    """A call that stands: both sides of it."""
    a, b, arrived = invite(caller, callee)
    callee >> b.answer(arrived, 180)
    caller << "180 INVITE"
    callee >> b.answer(arrived, 200, b.sdp())
    answer = caller << "200 INVITE a=sendrecv"
    a.learn(answer)
    caller >> a.ack(answer)
    callee << "ACK"
    return a, b


def send_offer(call: ScriptCall, body: str, *lines: str) -> None:
    """A re-INVITE that SM challenges (steps 1 to 3), with this body."""
    phone = call.phone
    phone >> call.invite(body, *lines)
    challenge = phone << "407 INVITE"
    phone >> call.ack(challenge)
    phone >> call.with_credentials(challenge)


def pending_hold(call: ScriptCall, far: ScriptCall) -> Message:
    """A hold up to the far phone (steps 1 to 8), which has not answered: the re-INVITE there."""
    send_offer(call, call.sdp("sendonly"))
    return far.phone << "INVITE a=sendonly"


def reinvite(call: ScriptCall, far: ScriptCall, direction: str, answer: str, back: str = "", *lines: str) -> None:
    """A whole re-INVITE: offered `direction`, the far phone answers `answer`, the phone gets `back` (or the same)."""
    send_offer(call, call.sdp(direction), *lines)
    arrived = far.phone << f"INVITE a={direction}"
    far.phone >> far.answer(arrived, 200, far.sdp(answer))
    far.phone << "ACK"
    final = call.phone << f"200 INVITE a={back or answer}"
    call.phone >> call.ack(final)


def hold(call: ScriptCall, far: ScriptCall) -> None:
    reinvite(call, far, "sendonly", "recvonly")


def resume(call: ScriptCall, far: ScriptCall) -> None:
    reinvite(call, far, "sendrecv", "sendrecv")


def hang_up(call: ScriptCall, far: ScriptCall) -> None:
    """BYE from the one, to the other."""
    call.phone >> call.request("BYE")
    call.phone << "200 BYE"
    bye = far.phone << "BYE"
    far.phone >> far.answer(bye, 200)


def is_gone(call: ScriptCall) -> None:
    """The server's BYE to this side, answered."""
    bye = call.phone << "BYE"
    call.phone >> call.answer(bye, 200)


def renderings(phone: ScriptPhone) -> tuple[str, str]:
    """Local and remote rendering of the first dialog in the newest document."""
    dialog = phone.lamp.dialogs[0]
    return dialog.local.rendering, dialog.remote.rendering


def watched_call(scene: Scene) -> tuple[ScriptCall, ScriptCall]:
    """A call between two phones that each watch their own user, old enough for the next NOTIFY not to wait."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    watch(alice, alice)
    watch(bob, bob)
    calls = talk(alice, bob)
    scene.advance(3)
    return calls


def subscribe_text(watcher: ScriptPhone, aor: str, *lines: str, expires: int = 3600, dialog: ScriptCall | None = None) -> str:
    """A SUBSCRIBE to `dialog` state; within `dialog` a refresh."""
    call = dialog or ScriptCall(watcher, aor)
    return call.request("SUBSCRIBE", "", "Event: dialog", "Accept: application/dialog-info+xml", f"Expires: {expires}", *lines)


def watch(watcher: ScriptPhone, watched: ScriptPhone, expires: int = 3600) -> ScriptCall:
    """A subscription that stands, its first document taken."""
    call = ScriptCall(watcher, watched.aor)
    watcher >> subscribe_text(watcher, watched.aor, expires=expires, dialog=call)
    challenge = watcher << "401 SUBSCRIBE"
    authorization = watcher.credentials(challenge, "SUBSCRIBE", watched.aor)
    watcher >> subscribe_text(watcher, watched.aor, authorization, expires=expires, dialog=call)
    answer = watcher << "200 SUBSCRIBE"
    call.learn(answer)
    return call


def called(caller: ScriptPhone, uri: str, *lines: str, body: str | None = None) -> ScriptCall:
    """An INVITE with credentials; what comes of it is the test's to see."""
    a = ScriptCall(caller, uri)
    caller >> a.invite(a.sdp() if body is None else body, *lines)
    challenge = caller << "407 INVITE"
    caller >> a.ack(challenge)
    caller >> a.with_credentials(challenge)
    return a


def answered(a: ScriptCall, b: ScriptCall, arrived: Message) -> None:
    """200 from the callee, to the caller, and both ACKs."""
    b.phone >> b.answer(arrived, 200, b.sdp())
    answer = a.phone << "200 INVITE a=sendrecv"
    a.learn(answer)
    a.phone >> a.ack(answer)
    b.phone << "ACK"


def lamps_are_back(scene: Scene, *calls: ScriptCall) -> None:
    scene.advance(1.1)
    for call in calls:
        assert renderings(call.phone) == ("yes", "yes"), scene.network.text()


def idle(scene: Scene, *calls: ScriptCall) -> None:
    """The lamps show no dialog any more."""
    scene.advance(2.2)
    for call in calls:
        assert [(dialog.id, dialog.state) for dialog in call.phone.lamp.dialogs] == [("idle", "terminated")]


def as_it_was(call: ScriptCall) -> None:
    """The phone takes its refused offer back: the next is made from what stood before."""
    call.version, call._direction = 1, "sendrecv"
