"""The two phones of the hold call, message for message those of ../scenarios/hold_call.xml and uas.xml, as plain text."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from contextlib import suppress
from hashlib import md5
from typing import Final

Address = tuple[str, int]
Script = Generator[None, str, bool]
"""What a phone does next: it is sent each final answer, and says at its end whether it went well."""

SERVER: Final[Address] = ("127.0.0.1", 5060)
CALLER: Final[Address] = ("127.0.0.2", 5070)
CALLEE: Final[Address] = ("127.0.0.3", 5080)
DOMAIN: Final = "127.0.0.1"
CALLER_USER: Final = "6001"
CALLEE_USER: Final = "6002"
PASSWORD: Final = "test-only"

_CHALLENGE: Final = re.compile(r'(?:WWW|Proxy)-Authenticate: .*?nonce="([^"]+)"')
_TO_TAG: Final = re.compile(r"\r\nTo: [^\r]*;tag=([^\r;]+)")
_CONTACT: Final = re.compile(r"\r\nContact: <([^>]+)>")
_RECORD_ROUTE: Final = re.compile(r"\r\nRecord-Route: ([^\r]+)")
_COPIED: Final = re.compile(r"\r\n((?:Via|From|To|Call-ID|CSeq|Record-Route): [^\r]+)")


def _description(direction: str, version: int, address: Address, port: int) -> str:
    host = address[0]
    lines = ("v=0", f"o=- {port} {version} IN IP4 {host}", "s=bench", f"c=IN IP4 {host}", "t=0 0",
             f"m=audio {port} RTP/AVP 0", "a=rtpmap:0 PCMU/8000", f"a={direction}", "")  # fmt: skip
    return "\r\n".join(lines)


def _authorization(name: str, user: str, method: str, uri: str, nonce: str) -> str:
    def hashed(text: str) -> str:
        return md5(text.encode(), usedforsecurity=False).hexdigest()

    secret = hashed(f"{user}:{DOMAIN}:{PASSWORD}")
    response = hashed(f"{secret}:{nonce}:00000001:c0ffee:auth:{hashed(f'{method}:{uri}')}")
    return (f'{name}: Digest username="{user}",realm="{DOMAIN}",cnonce="c0ffee",nc=00000001,qop=auth,uri="{uri}",'
            f'nonce="{nonce}",response="{response}",algorithm=MD5')  # fmt: skip


def _status(message: str) -> int:
    return int(message[8:11]) if message.startswith("SIP/2.0 ") else 0


class Caller:
    """Makes one hold call after the other: INVITE, hold, resume, BYE, each INVITE challenged once. `stand` makes one that
    stands until it is handed to `hang_up`."""

    def __init__(self, send: Callable[[str, Address], None]) -> None:
        self._send = send
        self.calls = 0
        self.failures: list[str] = []

    def place(self, caller: str = CALLER_USER, callee: str = CALLEE_USER) -> None:
        """Begin a call between these users; it goes on as answers come."""
        self.calls += 1
        self._script = self._call(Dialog(self.calls, self._send, caller, callee))
        next(self._script)

    def stand(self, caller: str, callee: str) -> Dialog:
        """Begin a call between these users that stands once it is answered; what `hang_up` ends it by."""
        self.calls += 1
        call = Dialog(self.calls, self._send, caller, callee)
        self._script = self._set_up(call)
        next(self._script)
        return call

    def hang_up(self, call: Dialog) -> None:
        """Begin to end a call."""
        self._script = self._end(call)
        next(self._script)

    def received(self, message: str) -> None:
        if _status(message) >= 200:
            with suppress(StopIteration):
                self._script.send(message)

    def _call(self, call: Dialog) -> Script:
        for _ in range(3):
            if not (yield from self._set_up(call)):
                return False
            call.turn()
        return (yield from self._end(call))

    def _set_up(self, call: Dialog) -> Script:
        """An INVITE or re-INVITE, challenged once; whether it succeeded."""
        call.invite()
        answer = yield
        call.acknowledge(answer, 300)
        call.invite(_CHALLENGE.findall(answer)[0])
        answer = yield
        if _status(answer) != 200:
            self.failures.append(answer)
            return False
        call.establish(answer)
        call.acknowledge(answer, 200)
        return True

    def _end(self, call: Dialog) -> Script:
        call.bye()
        answer = yield
        if _status(answer) != 200:
            self.failures.append(answer)
        return _status(answer) == 200


class Dialog:
    """The caller's end of one call."""

    __slots__ = ("_number", "_send", "_user", "_cseq", "_branch", "_to", "_uri", "_first", "_routes", "_version")

    def __init__(
        self, number: int, send: Callable[[str, Address], None], caller: str = CALLER_USER, callee: str = CALLEE_USER
    ) -> None:
        self._number, self._send, self._user = number, send, caller
        self._cseq = self._branch = 0
        self._to = f"<sip:{callee}@{DOMAIN}>"
        self._uri = self._first = f"sip:{callee}@{SERVER[0]}:{SERVER[1]}"
        self._routes = ""
        self._version = 1

    def turn(self) -> None:
        """Hold, then resume."""
        self._version += 1

    def establish(self, answer: str) -> None:
        if not self._routes:
            self._to += f";tag={_TO_TAG.findall(answer)[0]}"
            self._uri = _CONTACT.findall(answer)[0]
            self._routes = f"Route: {', '.join(reversed(_RECORD_ROUTE.findall(answer)))}\r\n"

    def invite(self, nonce: str = "") -> None:
        self._cseq += 1
        proof = _authorization("Proxy-Authorization", self._user, "INVITE", self._first, nonce) + "\r\n" if nonce else ""
        body = _description("sendonly" if self._version == 2 else "sendrecv", self._version, CALLER, 40000)
        contact = f"Contact: <sip:{self._user}@{CALLER[0]}:{CALLER[1]}>\r\n"
        self._request("INVITE", f"{contact}{proof}Content-Type: application/sdp\r\n", body)

    def acknowledge(self, answer: str, status: int) -> None:
        if status >= 300:  # the INVITE's own branch (RFC 3261 §17.1.1.3)
            self._branch -= 1
            to = self._to if ";tag=" in self._to else f"{self._to};tag={_TO_TAG.findall(answer)[0]}"
            self._request("ACK", "", "", to)
        else:
            self._request("ACK", "", "")

    def bye(self) -> None:
        self._cseq += 1
        self._request("BYE", "", "")

    def _request(self, method: str, headers: str, body: str, to: str = "") -> None:
        self._branch += 1
        host, port = CALLER
        length = f"{len(body):5}" if body else "0"  # as SIPp writes it
        self._send(
            f"{method} {self._uri} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK-{self._number}-{self._branch}\r\n"
            f"From: <sip:{self._user}@{DOMAIN}>;tag=caller{self._number}\r\nTo: {to or self._to}\r\n"
            f"Call-ID: {self._number}-call@{host}\r\nCSeq: {self._cseq} {method}\r\nMax-Forwards: 70\r\n"
            f"{self._routes}{headers}Content-Length: {length}\r\n\r\n{body}", CALLER,
        )  # fmt: skip


def _copied(message: str) -> list[str]:
    """The lines that a response has from its request; SIPp puts the values of those with one name into one line."""
    joined: dict[str, list[str]] = {}
    for line in _COPIED.findall(message):
        name, _, value = line.partition(": ")
        joined.setdefault(name, []).append(value)
    return [f"{name}: {', '.join(values)}" for name, values in joined.items()]


class Callee:
    """Answers every INVITE at once, the first with 180 before; and every BYE."""

    def __init__(self, send: Callable[[str, Address], None]) -> None:
        self._send = send
        self._tags = 0

    def received(self, message: str) -> None:
        copied = _copied(message)
        contact = f"Contact: <sip:b@{CALLEE[0]}:{CALLEE[1]}>"
        if message.startswith("INVITE "):
            first = not _TO_TAG.search(message)
            if first:
                self._tags += 1
                copied = [f"{line};tag=callee{self._tags}" if line.startswith("To:") else line for line in copied]
                self._send("\r\n".join(("SIP/2.0 180 Ringing", *copied, contact, "Content-Length: 0", "", "")), CALLEE)
            body = _description("sendrecv", 1 if first else 2, CALLEE, 42000)
            content = ("Content-Type: application/sdp", f"Content-Length: {len(body):5}", "", body)
            self._send("\r\n".join(("SIP/2.0 200 OK", *copied, contact, *content)), CALLEE)
        elif message.startswith("BYE "):
            copied = [line for line in copied if not line.startswith("Record-Route")]
            self._send("\r\n".join(("SIP/2.0 200 OK", *copied, "Content-Length: 0", "", "")), CALLEE)


def register(send: Callable[[str, Address], None], receive: Callable[[], str], user: str = CALLEE_USER) -> None:
    """Register the callee's phone for this user."""
    uri = f"sip:{SERVER[0]}:{SERVER[1]}"

    def ask(cseq: int, proof: str) -> str:
        send(
            f"REGISTER {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {CALLEE[0]}:{CALLEE[1]};branch=z9hG4bK-r{user}-{cseq}\r\n"
            f"From: <sip:{user}@{DOMAIN}>;tag=r{user}\r\nTo: <sip:{user}@{DOMAIN}>\r\nCall-ID: r{user}@{CALLEE[0]}\r\n"
            f"CSeq: {cseq} REGISTER\r\nMax-Forwards: 70\r\nContact: <sip:b@{CALLEE[0]}:{CALLEE[1]}>\r\nExpires: 3600\r\n"
            f"{proof}Content-Length: 0\r\n\r\n", CALLEE,
        )  # fmt: skip
        return receive()

    nonce = _CHALLENGE.findall(ask(1, ""))[0]
    answer = ask(2, _authorization("Authorization", user, "REGISTER", uri, nonce) + "\r\n")
    if _status(answer) != 200:
        raise RuntimeError(answer)
