"""Phones that do what a test tells them, message by message.

    alice >> call.invite(body)              the server receives this
    bob << "INVITE a=sendonly"              the server has sent this to bob, and it is the next message there

What else comes fails the test, with the whole ladder. Three things happen by themselves: NOTIFYs are answered and
kept in `notified`, retransmissions (the same bytes again) are only noted, and a 100 is passed over unless asked for.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from b2bua.sip import digest
from b2bua.sip.dialog_info import DialogInfo, parse_dialog_info
from b2bua.sip.flow import HostPort
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.parser import parse_message
from b2bua.sip.uri import host_text
from tests.scenarios.options import DOMAIN, password
from tests.scenarios.virtual_network import SERVER, VirtualNetwork

ROUTED: Final = f"<sip:{SERVER[0]}:{SERVER[1]};lr>"


PARAMETERS = {"UDP": "", "TCP": ";transport=tcp", "TLS": ";transport=tls", "WS": ";transport=ws", "WSS": ";transport=ws"}
"""Transport → the parameter of a Contact."""


class ScriptPhone:
    """One phone at one address; a `Host` of the network."""

    def __init__(
        self, network: VirtualNetwork, user: str, address: HostPort, name: str = "", server: HostPort = SERVER,
        transport: str = "UDP",
    ) -> None:  # fmt: skip
        self.network = network
        self.server = server
        """Which address of the server it sends to."""
        self.transport = transport
        self.user = user
        self.address = address
        """Where it sends from."""
        self.listening = address
        """What its Via says; on a connection not the same."""
        self.name = name or user
        self.aor = f"sip:{user}@{DOMAIN}"
        self.contact = f"<sip:{user}@{host_text(address[0])}:{address[1]}{PARAMETERS[transport]}>"
        self.inbox: deque[Message] = deque()
        self.notified: list[Request] = []
        """Every NOTIFY once, oldest first."""
        self.notify_status: int | None = 200
        """How NOTIFYs are answered; None: not at all."""
        self.repeated: list[tuple[float, Message]] = []
        """Retransmissions, with the seconds at which they came."""
        self._lost: list[str] = []
        self._seen: set[bytes] = set()
        self._branches = 0
        network.attach(self, address)

    def connect_from(self, port: int) -> None:
        """Speak over another connection from now on; its Contact stays."""
        self.address = (self.address[0], port)
        self.network.attach(self, self.address)

    # -- the wire ----------------------------------------------------------------------------------------------

    def datagram(self, data: bytes, source: HostPort) -> None:
        message = parse_message(data)
        lost = next((what for what in self._lost if _difference(message, [what]) == ""), None)
        if lost is not None:
            self._lost.remove(lost)
        elif isinstance(message, Request) and message.method == "NOTIFY":
            self._notify(message)
        elif data in self._seen:
            self.repeated.append((self.network.clock.now(), message))
        else:
            self._seen.add(data)
            self.inbox.append(message)

    def __rshift__(self, text: str) -> None:
        """Send a message to the server and let the network run."""
        self.network.send(text.encode("utf-8", "surrogateescape"), self.address, self.server)
        self.network.run()

    def __lshift__(self, expected: str) -> Message:
        """The next message here, which is as expected: `407 INVITE`, `200 INVITE a=recvonly`, `BYE`, `INVITE no-body`.

        First the method, or the status and the method of the CSeq; then lines that stand in the body.
        """
        wanted = expected.split()
        if wanted[0] != "100":
            self._pass_over_100()
        if not self.inbox:
            self.fail(f"wanted {expected}, nothing came")
        message = self.inbox.popleft()
        difference = _difference(message, wanted)
        if difference:
            self.fail(f"wanted {expected}; {difference}:\n{message}")
        return message

    def loses(self, start: str) -> None:
        """The next message that comes with this method or status is lost on the last bit of its way."""
        self._lost.append(start)

    def hears_nothing(self) -> None:
        """No message waits here."""
        self._pass_over_100()
        if self.inbox:
            self.fail(f"wanted nothing, but there came:\n{self.inbox[0]}")

    def fail(self, why: str) -> None:
        raise AssertionError(f"{self.name} {why}\n\n{self.network.text()}")

    def branch(self) -> str:
        self._branches += 1
        return f"z9hG4bK-{self.name}-{self._branches}"

    def via(self, branch: str) -> str:
        host, port = self.listening
        return f"Via: SIP/2.0/{self.transport} {host_text(host)}:{port};branch={branch};rport"

    def _pass_over_100(self) -> None:
        while self.inbox and isinstance(self.inbox[0], Response) and self.inbox[0].status == 100:
            self.inbox.popleft()

    # -- lamps -------------------------------------------------------------------------------------------------

    def _notify(self, request: Request) -> None:
        known = {(kept.call_id, kept.cseq) for kept in self.notified}
        if (request.call_id, request.cseq) not in known:
            self.notified.append(request)
        if self.notify_status is not None:
            data = response(request, self.notify_status).encode("utf-8", "surrogateescape")
            self.network.send(data, self.address, self.server)

    @property
    def documents(self) -> list[DialogInfo]:
        """What the NOTIFYs said of dialogs."""
        return [parse_dialog_info(request.body) for request in self.notified if request.get("Event") == "dialog"]

    @property
    def lamp(self) -> DialogInfo:
        """What the newest NOTIFY said."""
        if not self.notified:
            self.fail("wanted a NOTIFY, none came")
        return self.documents[-1]

    # -- authentication ----------------------------------------------------------------------------------------

    def credentials(self, challenge: Message, method: str, uri: str, user: str = "", secret: str = "", nc: int = 1) -> str:
        """The header line that answers a 401 or 407."""
        proxy = challenge.has("Proxy-Authenticate")
        value = challenge.get("Proxy-Authenticate" if proxy else "WWW-Authenticate")
        assert value is not None, f"no challenge in {challenge}"
        user = user or self.user
        text = digest.answer(digest.parse_challenge(value), method, uri, user, secret or password(user), nc, "c0ffee")
        return f"{'Proxy-' if proxy else ''}Authorization: {text}"


def response(request: Message, status: int, tag: str = "", body: str = "", *lines: str) -> str:
    """A response by the book: Via, From, To, Call-ID and CSeq copied, Record-Route too where a dialog is made."""
    assert isinstance(request, Request)
    copied = ["Via", "From", "To", "Call-ID", "CSeq"]
    if request.method == "INVITE" and status > 100:
        copied.append("Record-Route")
    out = [f"SIP/2.0 {status} Whatever"]
    for name, line in zip(request.names, request.lines, strict=True):
        if name in copied:
            out.append(f"{line};tag={tag}" if name == "To" and tag and not request.to.tag else line)
    return text(out + list(lines), body)


def text(lines: list[str], body: str = "") -> str:
    """Start line and headers, with the body and what describes it."""
    if body:
        lines = [*lines, "Content-Type: application/sdp"]
    return "\r\n".join([*lines, f"Content-Length: {len(body.encode())}", "", body])


def _difference(message: Message, wanted: list[str]) -> str:
    """Why a message is not the wanted one; "" when it is."""
    if isinstance(message, Response):
        start = [str(message.status), message.cseq_method][: len(wanted)]
    else:
        assert isinstance(message, Request)
        start = [message.method]
    if start != wanted[: len(start)]:
        return f"there came {' '.join(start)}"
    lines = message.body.decode("utf-8", "replace").splitlines()
    for line in wanted[len(start) :]:
        if line == "no-body":
            if message.body:
                return "it has a body"
        elif line not in lines:
            return f"it has no line {line}"
    return ""
