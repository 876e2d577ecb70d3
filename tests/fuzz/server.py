"""The whole server with a call up: whatever comes, it goes on, answers OPTIONS, holds the call or has ended it, and forgets.

An input is one or more steps between lines `--`. A step is a sender (`a` the caller, `b` the callee, `c` a stranger) and a
datagram in which `@@` stands for a number not used before; or `+` and so many seconds. The phones answer what comes by
themselves: challenges with credentials, requests with 200, a 2xx with ACK.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Protocol

from b2bua.feature_server.contract import CallLimits
from b2bua.sip.flow import HostPort
from b2bua.sip.malformed_message import MalformedMessage
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.parser import parse_message
from tests.scenarios.options import Options
from tests.scenarios.scene import LONGEST, Scene, talk, watch
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone
from tests.scenarios.virtual_network import SERVER

CUT = b"\n--\n"
STRANGER: HostPort = ("192.0.2.99", 5060)
CALL_LENGTH = 600
"""Seconds after which every call has ended, whatever the phones do."""
PER_SCENE = 50
"""Inputs that one standing call gets; then it is looked at, and a new one is made."""
LONGEST_STEP = 40
"""Seconds that pass in one step at most; with LATEST it keeps what an input can do below CALL_LENGTH."""
LATEST = 150
"""Seconds after which a scene gets no further input."""
STILL = 350
"""Seconds after which no more pass for what an input says."""
SHOWN = 60
"""Lines of the ladder that a finding prints."""
WORDS = (
    CUT, b"a", b"b", b"c", b"+1", b"+40", b"@@", b"\r\n", b"SIP/2.0 200 OK\r\n", b"INVITE", b"UPDATE", b"BYE", b"CANCEL",
    b"ACK", b"REFER", b"SUBSCRIBE", b"NOTIFY", b"PUBLISH", b"REGISTER", b"OPTIONS", b"INFO", b"MESSAGE", b"PRACK",
    b"Contact: *\r\n", b"Expires: 0\r\n", b"Event: dialog\r\n", b"Require: 100rel\r\n", b"Session-Expires: 90\r\n",
    b"Max-Forwards: 0\r\n", b"Route: <sip:192.0.2.1;lr>\r\n", b"Content-Type: application/sdp\r\n", b"a=sendonly\r\n",
    b"a=inactive\r\n", b"m=video 4 RTP/AVP 31\r\n", b"sip:6003@example.com",
)  # fmt: skip


class Answering:
    """Plays one phone of the call: takes its inbox and answers as a plain phone does."""

    def __init__(self, call: ScriptCall) -> None:
        self.call = call
        self.phone = call.phone
        self.sent: Request | None = None
        """Its last request, as it was sent: what a challenge is answered for."""
        self.heard: list[Message] = []
        self.proven = 0

    def react(self) -> None:
        inbox = self.phone.inbox
        while inbox:
            message = inbox.popleft()
            self.heard.append(message)
            if isinstance(message, Response):
                self._response(message)
            elif message.method not in ("ACK", "CANCEL"):
                with_body = message.method == "INVITE"
                self._put(self.call.answer(message, 200, self.call.sdp("sendrecv") if with_body else ""))

    def _response(self, answer: Response) -> None:
        asked = self.sent
        if answer.cseq_method == "INVITE" and 200 <= answer.status < 300:
            self._put(self.call.ack(answer))
        elif answer.status >= 300 and asked is not None and asked.method == "INVITE" and asked.cseq == answer.cseq:
            self._put(acknowledged(asked, answer))
        if answer.status in (401, 407) and asked is not None and asked.cseq_method == answer.cseq_method and self.proven < 3:
            self.proven += 1
            proof = self.phone.credentials(answer, asked.method, asked.uri)
            again = asked.copy()
            again.replace("CSeq", f"{min(asked.cseq + 1, 2**31 - 1)} {asked.method}")
            again.replace("Via", self.phone.via(self.phone.branch())[5:])
            again.append(*proof.split(": ", 1))
            self.sent = again
            self._put(again.encode().decode("utf-8", "surrogateescape"))

    def _put(self, text: str) -> None:
        self.phone >> text


class Ear:
    """Hears for a phone: what answers a broken request repeats what was broken, and no phone can read it."""

    def __init__(self, phone: ScriptPhone) -> None:
        self.name = phone.name
        self._phone = phone

    def datagram(self, data: bytes, source: HostPort) -> None:
        try:
            self._phone.datagram(data, source)
        except MalformedMessage:
            assert data.startswith((b"SIP/2.0 4", b"SIP/2.0 5")), data


def acknowledged(invite: Request, answer: Response) -> str:
    """The ACK of a failure (RFC 3261 §17.1.1.3)."""
    lines = [line for name, line in zip(invite.names, invite.lines, strict=True) if name in ("Via", "From", "Call-ID", "Route")]
    to, cseq = answer.get("To"), invite.cseq
    return "\r\n".join((f"ACK {invite.uri} SIP/2.0", *lines, f"To: {to}", f"CSeq: {cseq} ACK", "Content-Length: 0", "", ""))


class Table:
    """One scene: a held-and-resumed call between two watched phones, and what was sent into it."""

    def __init__(self) -> None:
        limits = CallLimits(call_length_max=CALL_LENGTH)
        self.scene = Scene(Options(limits=limits, requests_per_source=10**9))
        self.alice, self.bob = self.scene.phone("6001"), self.scene.phone("6002")
        watch(self.alice, self.bob)
        self.a, self.b = talk(self.alice, self.bob)
        self.scene.advance(3)
        self.phones = {b"a": Answering(self.a), b"b": Answering(self.b)}
        self.stranger = ScriptPhone(self.scene.network, "6004", STRANGER, "c")
        for phone in (self.alice, self.bob, self.stranger):
            self.scene.network.attach(Ear(phone), phone.address)
        self.numbers = count(1000)
        self.pings = count(1)
        self.inputs: list[bytes] = []
        self.touched = False
        """Whether a message that can be read named this call: the phones may have ended or moved it then."""
        self.scene.network.each_tick.append(self.react)

    def react(self) -> None:
        for phone in self.phones.values():
            phone.react()
        self.stranger.inbox.clear()

    def seconds(self) -> float:
        return self.scene.now()

    def put(self, data: bytes) -> None:
        """One input: its steps in order."""
        self.inputs.append(data)
        for step in data.split(CUT):
            who, datagram = step[:1], step[1:].replace(b"@@", str(next(self.numbers)).encode())
            if who == b"+" and self.scene.now() > STILL:
                continue
            if who == b"+":
                self.scene.advance(min(int(datagram[:2]), LONGEST_STEP) if datagram[:2].isdigit() else 1)
            elif datagram:
                self._send(who, datagram)

    def _send(self, who: bytes, datagram: bytes) -> None:
        sender = self.phones.get(who)
        phone = sender.phone if sender is not None else self.stranger
        try:
            message = parse_message(datagram)
        except MalformedMessage:
            message = None
        if message is not None:
            self.touched = self.touched or message.call_id in (self.a.call_id, self.b.call_id)
            if sender is not None and isinstance(message, Request):
                sender.sent, sender.proven = message, 0
                sender.call.cseq = max(sender.call.cseq, message.cseq) if message.cseq < 2**31 - 1000 else sender.call.cseq
        network = self.scene.network
        network.send(datagram, phone.address, SERVER)
        network.run()
        self.react()
        network.run()
        self.react()

    def take(self, data: bytes) -> None:
        """One input, and what can be said at once."""
        try:
            self.put(data)
        except Exception as error:
            self.expect(False, f"{type(error).__name__}: {error}")
        self.answers()

    def answers(self) -> None:
        """A stranger's OPTIONS is answered, and the server has made no mistake."""
        number = next(self.pings)
        self.stranger.inbox.clear()
        self.stranger >> options_text(number)
        self.expect(not self.scene.server.errors, f"mistakes caught by the server: {self.scene.server.errors!r}")
        statuses = [message.status for message in self.stranger.inbox if isinstance(message, Response)]
        self.expect(200 in statuses, f"OPTIONS was answered {statuses}")

    def settled(self) -> None:
        """The call can be held, or has ended on both sides; and when its time is over, nothing is left of anything."""
        scene = self.scene
        scene.advance(LONGEST)
        self.answers()
        self._hold()
        scene.advance(CALL_LENGTH + 2 * LONGEST)
        leaks = scene.server.leaks()
        leaks.pop("publications", None)  # a phone's own lasts as long as it asked for
        leaks.pop("timers", None)
        self.expect(not leaks, f"left behind: {leaks}")
        self.answers()

    def _hold(self) -> None:
        phone = self.phones[b"a"]
        phone.heard.clear()
        text = self.a.offer("sendonly" if self.a._direction == "sendrecv" else "sendrecv")
        message = parse_message(text.encode("utf-8", "surrogateescape"))
        assert isinstance(message, Request)
        phone.sent, phone.proven = message, 0
        self.alice >> text
        self.react()
        self.scene.advance(40)
        statuses = [one.status for one in phone.heard if isinstance(one, Response)]
        finals = [status for status in statuses if status >= 200 and status not in (401, 407)]
        self.expect(bool(finals), "a hold got no final response")
        self.expect(self.touched or 200 in finals, f"a hold was answered {finals}, and nobody had touched the call")

    def expect(self, true: bool, what: str) -> None:
        if not true:
            ladder = "\n".join(str(step) for step in self.scene.network.ladder[-SHOWN:])
            raise AssertionError(f"{what}\n\nwhat came, as one input:\n{CUT.join(self.inputs)!r}\n\n{ladder}")


def options_text(number: int) -> str:
    """The stranger's, which anybody may ask."""
    return (
        f"OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP {STRANGER[0]}:{STRANGER[1]};branch=z9hG4bK-ping{number}\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:ping@example.com>;tag=p\r\nTo: <sip:example.com>\r\nCall-ID: ping{number}\r\n"
        f"CSeq: {number} OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )


class Standing(Protocol):
    """What a target of the whole server puts its inputs to."""

    inputs: list[bytes]

    def take(self, data: bytes) -> None: ...

    def settled(self) -> None: ...

    def seconds(self) -> float: ...


class ServerTarget:
    """See the module."""

    words = WORDS

    def __init__(self, seeds: Sequence[bytes] = (), table: Callable[[], Standing] | None = None) -> None:
        """`table` makes what stands; None: that of this module."""
        self.seeds = seeds or make_seeds()
        self._make = table or (lambda: Table())
        self._table: Standing | None = None

    def check(self, data: bytes) -> None:
        table = self._table
        if table is None:
            table = self._table = self._make()
        try:
            table.take(data)
            if len(table.inputs) >= PER_SCENE or table.seconds() > LATEST:
                self.finish()
        except AssertionError as error:
            raise AssertionError(shortest(table.inputs, self._make) or str(error)) from None

    def finish(self) -> None:
        table, self._table = self._table, None
        if table is not None:
            table.settled()


def wrong_after(inputs: Sequence[bytes], make: Callable[[], Standing]) -> str:
    """What the oracle says when these come to a call of their own; "" when all is well."""
    table = make()
    try:
        for data in inputs:
            table.take(data)
        table.settled()
    except AssertionError as error:
        return str(error)
    return ""


def shortest(inputs: Sequence[bytes], make: Callable[[], Standing]) -> str:
    """What the oracle says about as few of these as show a mistake; "" when they show none by themselves."""
    kept, found = list(inputs), wrong_after(inputs, make)
    for data in inputs if found else ():
        fewer = [one for one in kept if one is not data]
        if said := wrong_after(fewer, make):
            kept, found = fewer, said
    return found


def make_seeds() -> list[bytes]:
    """What the phones of a call send when they hold, resume, ask and hang up, each message an input of its own."""
    table = Table()
    a, b, alice, bob = table.a, table.b, table.alice, table.bob
    answer = "SIP/2.0 200 OK\r\n" + b.request("INVITE").partition("\r\n")[2]
    texts = [
        ("a", a.offer("sendonly")), ("a", a.offer("sendrecv")), ("a", a.offer("inactive")), ("b", b.offer("sendonly")),
        ("a", a.invite()), ("a", a.request("UPDATE", a.sdp())), ("b", b.request("UPDATE")),
        ("a", a.request("INFO")), ("b", b.request("OPTIONS")),
        ("a", a.request("MESSAGE")), ("a", a.request("REFER", "", "Refer-To: <sip:6003@example.com>")), ("a", a.request("PRACK")),
        ("a", a.request("NOTIFY", "", "Event: dialog")), ("a", a.cancel()), ("a", a.request("BYE")), ("b", b.request("BYE")),
        ("b", answer),
        ("a", ScriptCall(alice, bob.aor).invite(a.sdp())), ("b", ScriptCall(bob, "sip:6003@example.com").invite(b.sdp())),
        ("a", ScriptCall(alice, bob.aor).request("SUBSCRIBE", "", "Event: dialog", "Expires: 60")),
        ("a", ScriptCall(alice, alice.aor).request("PUBLISH", "", "Event: dialog", "Expires: 60")),
        ("a", ScriptCall(alice, "sip:example.com").request("REGISTER", "", "Expires: 60")),
        ("c", ScriptCall(table.stranger, bob.aor).invite(a.sdp())), ("c", a.request("BYE")), ("c", b.request("BYE")),
    ]  # fmt: skip
    single = [f"{who}{fresh(text)}".encode() for who, text in texts]
    return [*single, CUT.join((single[0], single[3])), CUT.join((single[0], b"+1", single[14])), CUT.join((single[17], b"+40"))]


def fresh(text: str) -> str:
    """The message with a branch of its own each time it is sent."""
    head, mark, rest = text.partition("branch=")
    return f"{head}{mark}z9hG4bK-@@{rest[rest.index(';') :]}"


def make() -> ServerTarget:
    return ServerTarget()
