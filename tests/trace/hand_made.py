"""Calls written by hand into a recorder: what the wire and the link would show, without a server."""

from __future__ import annotations

from collections.abc import Callable

from b2bua.sip.dialog_info import DialogInfo, DialogState, Participant
from b2bua.sip.flow import HostPort
from b2bua.sip.message import Message, Request
from b2bua.sip.response_to import response_to
from b2bua.trace.recorder import Recorder
from b2bua.trace.records import Filter, Reader, Record

DOMAIN = "example.com"
CREDENTIALS = ("Proxy-Authorization", 'Digest username="6001", realm="r", nonce="n", uri="x", response="0123abcd"')


class FakeFlow:
    transport = "udp"
    reliable = False
    local: HostPort = ("192.0.2.100", 5060)

    def __init__(self, remote: HostPort) -> None:
        self.remote = remote

    def send(self, message: Message) -> bytes:
        raise AssertionError("nothing is sent in these tests")

    def resend(self, data: bytes) -> None:
        raise AssertionError("nothing is sent in these tests")


def sdp(direction: str, version: int = 1, key: str = "") -> bytes:
    crypto = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}|2^20|1:4\r\n" if key else ""
    return (
        f"v=0\r\no=- 1 {version} IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
        f"m=audio 4000 RTP/AVP 0\r\n{crypto}a={direction}\r\n"
    ).encode()


def request(
    method: str,
    sender: str,
    receiver: str,
    call_id: str,
    cseq: int,
    *headers: tuple[str, str],
    body: bytes = b"",
    tags: tuple[str, str] = ("", ""),
    body_type: str = "application/sdp",
) -> Request:
    """A request from one user to another; `tags` are From's and To's (From always has one)."""
    to_tag = f";tag={tags[1]}" if tags[1] else ""
    lines = [
        ("Via", f"SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK-{method}-{call_id}-{cseq}"),
        ("From", f"<sip:{sender}@{DOMAIN}>;tag={tags[0] or 'f'}"),
        ("To", f"<sip:{receiver}@{DOMAIN}>{to_tag}"),
        ("Call-ID", call_id),
        ("CSeq", f"{cseq} {method}"),
        *headers,
        ("Content-Length", "0"),
    ]
    made = Request(method, f"sip:{receiver}@{DOMAIN}", [name for name, _ in lines], [f"{n}: {v}" for n, v in lines])
    if body:
        made.set_body(body, body_type)
    return made


def document(entity: str, call_id: str, local: str = "", remote: str = "", state: str = "confirmed") -> bytes:
    sides = (
        Participant(f"sip:{entity}@{DOMAIN}", f"sip:{entity}@192.0.2.1", local),
        Participant("sip:x@example.com", "sip:x@example.com", remote),
    )
    dialog = DialogState("d", state, call_id, "l", "r", "initiator", *sides)
    return DialogInfo(f"sip:{entity}@{DOMAIN}", (dialog,)).encode()


class Scene:
    """A recorder with a clock of its own, and the verbs of a trace. 6001, 6002 and the watcher 6003 are registered."""

    def __init__(self, size: int = 1000) -> None:
        self.now = 1000.0
        self.recorder = Recorder(size, self._tick)
        self.flows: dict[str, FakeFlow] = {}
        for user, port in (("6001", 5061), ("6002", 5062), ("6003", 5063)):
            self.phone(user, ("192.0.2.1", port))

    def _tick(self) -> float:
        self.now += 0.25
        return self.now

    def phone(self, user: str, address: HostPort) -> None:
        self.flows[user] = FakeFlow(address)
        self.recorder.learn(user, address)

    def up(self, user: str, message: Message) -> None:
        self.recorder.received(self.flows[user], message.encode())

    def down(self, user: str, message: Message) -> None:
        self.recorder.sent(self.flows[user], message, message.encode())

    def link(self, source: str, destination: str, message: Message) -> None:
        self.recorder.linked((source, destination), message)

    def records(self, call_id: str = "", user: str = "", secrets: bool = False) -> list[Record]:
        reader = Reader(self.recorder, Filter(call_id, user), secrets)
        return [record for record in reader.read(self.recorder.entries()) if record is not None]

    def steps(self) -> list[tuple[int, str]]:
        """Step and first line of every numbered record."""
        return [
            (record["step"], f"{record['source']}>{record['destination']} {first_line(record)}")
            for record in self.records()
            if "step" in record
        ]


def first_line(record: Record) -> str:
    text: str = record["message"].partition("\r\n")[0]
    return text.removeprefix("SIP/2.0 ").partition(" ")[0]


class TwoLegs:
    """A call of 6001 to 6002: leg `leg-a` (tags a, ca) and leg `leg-b` (tags cb, b), call token `call-1` inside CM."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.cseq = {"6001": 1, "6002": 1, "cm-a": 1, "cm-b": 1}

    def leg(self, user: str) -> str:
        return "leg-a" if user == "6001" else "leg-b"

    def from_phone(self, method: str, user: str, *headers: tuple[str, str], body: bytes = b"") -> Request:
        self.cseq[user] += 1
        other, tags = ("6002", ("a", "ca")) if user == "6001" else ("6001", ("b", "cb"))
        return request(method, user, other, self.leg(user), self.cseq[user], *headers, body=body, tags=tags)

    def to_phone(self, method: str, user: str, body: bytes = b"") -> Request:
        side, other, tags = ("cm-a", "6002", ("ca", "a")) if user == "6001" else ("cm-b", "6001", ("cb", "b"))
        self.cseq[side] += 1
        made = request(method, other, user, self.leg(user), 100 + self.cseq[side], body=body, tags=tags)
        made.call = "call-1"
        return made

    def set_up(self) -> None:
        """INVITE, challenged; INVITE through CM to 6002; 200 back; ACKs."""
        scene = self.scene
        first = request("INVITE", "6001", "6002", "leg-a", 1, tags=("a", ""), body=sdp("sendrecv"))
        scene.up("6001", first)
        scene.down("6001", response_to(first, 407, tag="x"))
        second = request("INVITE", "6001", "6002", "leg-a", 2, CREDENTIALS, tags=("a", ""), body=sdp("sendrecv"))
        self.cseq["6001"] = 2
        scene.up("6001", second)
        scene.link("SM", "CM", second)
        scene.recorder.join("call-1", "leg-a")
        scene.recorder.join("call-1", "leg-b")
        onward = request("INVITE", "6001", "6002", "leg-b", 1, tags=("cb", ""), body=sdp("sendrecv"))
        onward.call = "call-1"
        scene.link("CM", "SM", onward)
        scene.down("6002", onward)
        answer = response_to(onward, 200, tag="b")
        answer.set_body(sdp("sendrecv"), "application/sdp")
        scene.up("6002", answer)
        scene.link("SM", "CM", answer)
        back = response_to(second, 200, tag="ca")
        back.set_body(sdp("sendrecv"), "application/sdp")
        scene.link("CM", "SM", back)
        scene.down("6001", back)

    def publish(self, user: str, number: int, local: str = "", remote: str = "") -> None:
        made = request(
            "PUBLISH", "cm", user, f"pub-{user}", number, ("Event", "dialog"), body_type="application/dialog-info+xml",
            body=document(user, self.leg(user), local, remote),
        )  # fmt: skip
        made.call = "call-1"
        self.scene.link("CM", "SM", made)
        self.scene.link("SM", "CM", response_to(made, 200))

    def notify(self, user: str, watcher: str, number: int, local: str = "", remote: str = "") -> Request:
        made = request(
            "NOTIFY", user, watcher, f"sub-{watcher}", number, ("Event", "dialog"), tags=("s", "w"),
            body_type="application/dialog-info+xml", body=document(user, self.leg(user), local, remote),
        )  # fmt: skip
        made.call = "call-1"
        self.scene.down(watcher, made)
        self.scene.up(watcher, response_to(made, 200))
        return made

    def ask(self, holder: str, offer: bytes, challenge: bool = True, in_advance: bool = False) -> Request:
        """The re-INVITE up to the forward to CM; returns the one that was admitted."""
        scene = self.scene
        if challenge:
            first = self.from_phone("INVITE", holder, *((CREDENTIALS,) if in_advance else ()), body=offer)
            scene.up(holder, first)
            refused = response_to(first, 407)
            scene.down(holder, refused)
            scene.up(holder, self._ack(first))
        admitted = self.from_phone("INVITE", holder, *((CREDENTIALS,) if challenge else ()), body=offer)
        scene.up(holder, admitted)
        scene.link("SM", "CM", admitted)
        return admitted

    def _ack(self, invite: Request) -> Request:
        ack = request("ACK", "6001", "6002", invite.call_id, invite.cseq)
        ack.replace("From", str(invite.from_))
        return ack

    def change(
        self, holder: str, direction: str, far_status: int = 200, lamp: str = "no", version: int = 2,
        ask: Callable[[str, bytes], Request] | None = None,
    ) -> None:  # fmt: skip
        """A whole hold (lamp no) or resume (lamp yes) by either party."""
        scene, far = self.scene, "6002" if holder == "6001" else "6001"
        admitted = (ask or self.ask)(holder, sdp(direction, version))
        self.publish(holder, version, local=lamp)
        self.publish(far, version, remote=lamp)
        onward = self.to_phone("INVITE", far, sdp(direction, version))
        scene.link("CM", "SM", onward)
        self.notify(holder, "6003", version, local=lamp)
        scene.down(far, onward)
        self._answer(holder, far, admitted, onward, far_status)

    def _answer(self, holder: str, far: str, admitted: Request, onward: Request, status: int) -> None:
        scene = self.scene
        answer, back = response_to(onward, status), response_to(admitted, status)
        for made in (answer, back):
            if status == 200:
                made.set_body(sdp("recvonly"), "application/sdp")
        scene.up(far, answer)
        scene.link("SM", "CM", answer)
        scene.link("CM", "SM", back)
        scene.down(holder, back)


def standing_call(size: int = 1000) -> TwoLegs:
    call = TwoLegs(Scene(size))
    call.set_up()
    return call
