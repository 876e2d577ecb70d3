"""Phones that get on by themselves on a bad network: transactions, 2xx and ACK are kept up, challenges answered.

Where a script phone says what must come next, these only say what they want and find out what became of it.
"""

from __future__ import annotations

from b2bua.dialog.dialog import Dialog
from b2bua.dialog.invite_usage import InviteUsage
from b2bua.observer import Observer
from b2bua.sip import digest
from b2bua.sip.dialog_info import DialogInfo, parse_dialog_info
from b2bua.sip.errors import SipError
from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.identifiers import Identifiers
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.response_to import response_to
from b2bua.sip.sdp import CONTENT_TYPE
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import Timers
from tests.scenarios.options import DOMAIN, password
from tests.scenarios.virtual_network import SERVER, VirtualNetwork, VirtualSocket

_ANSWERS = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


class PatientPhone:
    """One phone with at most one call. It is its layer's user, and the owner of its call's INVITE usage."""

    def __init__(self, network: VirtualNetwork, user: str, address: HostPort) -> None:
        self.name = self.user = user
        self.aor = f"sip:{user}@{DOMAIN}"
        self.contact = f"<sip:{user}@{address[0]}:{address[1]}>"
        timers = Timers(network.clock.now)
        self.layer = TransactionLayer(timers, Identifiers(f"ph{user}"), Observer())
        self.layer.user = self
        self.flow: Flow = VirtualSocket(network, address).flow(SERVER)
        self.usage = InviteUsage(self.layer, self.flow, self)
        self.done: set[str] = set()
        """What has been reached: registered, watching, talking, `sent sendonly`, `heard sendonly`, over."""
        self.lamps: list[str] = []
        """Local rendering of the first dialog, document by document."""
        self.documents: list[DialogInfo] = []
        self.errors: list[BaseException] = []
        self._offered = ""
        self._version = 1
        self._nc = 0
        self._seen: dict[str, int] = {}
        network.attach(self, address)
        network.each_tick.append(timers.advance)

    def datagram(self, data: bytes, source: HostPort) -> None:
        self.layer.datagram_received(data, self.flow)

    # -- wishes ------------------------------------------------------------------------------------------------

    def register(self) -> None:
        self._own_request("REGISTER", f"sip:{DOMAIN}", "registered", ("Expires", "3600"))

    def watch(self) -> None:
        """Subscribe to its own lamp."""
        self._own_request("SUBSCRIBE", self.aor, "watching", ("Event", "dialog"), ("Expires", "3600"))

    def call(self, aor: str) -> None:
        identifiers = self.layer.identifiers
        self.usage.dialog = Dialog(identifiers.call_id(), f"<{self.aor}>", identifiers.tag(), f"<{aor}>", aor, self.contact)
        self.offer("sendrecv")

    def offer(self, direction: str, challenge: Response | None = None) -> None:
        """INVITE or re-INVITE with this direction."""
        dialog = self.usage.dialog
        assert dialog is not None
        if challenge is None:
            self._version += 1
        self._offered = direction
        request = dialog.make_request("INVITE")
        _complete(request, ("Contact", self.contact))
        if challenge is not None:
            request.append("Proxy-Authorization", self._credentials(challenge, request))
        request.set_body(self._sdp(direction), CONTENT_TYPE)
        self.usage.invite(request)

    def hang_up(self) -> None:
        dialog = self.usage.dialog
        assert dialog is not None
        bye = _complete(dialog.make_request("BYE"))
        self.layer.send_request(bye, self.flow, _Answers(lambda response: self.done.add("over")))

    def _own_request(self, method: str, uri: str, goal: str, *headers: tuple[str, str]) -> None:
        """A request out of dialog, sent again with credentials, up to its 2xx."""
        identifiers = self.layer.identifiers
        dialog = Dialog(identifiers.call_id(), f"<{self.aor}>", identifiers.tag(), f"<{self.aor}>", uri, self.contact)

        def send(challenge: Response | None) -> None:
            request = _complete(dialog.make_request(method), ("Contact", self.contact), *headers)
            if challenge is not None:
                request.append("Authorization", self._credentials(challenge, request))
            self.layer.send_request(request, self.flow, _Answers(answered))

        def answered(response: Response) -> None:
            if response.status == 401:
                send(response)
            elif response.status < 300:
                self.done.add(goal)

        send(None)

    def _credentials(self, challenge: Response, request: Request) -> str:
        value = challenge.get("Proxy-Authenticate") or challenge.get("WWW-Authenticate") or ""
        self._nc += 1
        read = digest.parse_challenge(value)
        return digest.answer(read, request.method, request.uri, self.user, password(self.user), self._nc, "c0ffee")

    def _sdp(self, direction: str) -> bytes:
        lines = ["v=0", f"o=- 1 {self._version} IN IP4 192.0.2.200", "s=-", "c=IN IP4 192.0.2.200", "t=0 0",
                 "m=audio 40000 RTP/AVP 0", f"a={direction}", ""]  # fmt: skip
        return "\r\n".join(lines).encode()

    # -- the user of its layer ---------------------------------------------------------------------------------

    def request_received(self, transaction: ServerTransaction, request: Request) -> None:
        if request.method == "INVITE":
            self._invited(transaction, request)
            return
        if request.method == "NOTIFY":
            self._notified(request)
        elif request.method == "BYE":
            self.usage.end()
            self.done.add("over")
        self.layer.respond(transaction, response_to(request, 200))

    def _invited(self, transaction: ServerTransaction, request: Request) -> None:
        dialog = self.usage.dialog
        if dialog is None:
            dialog = self.usage.dialog = Dialog.as_server(request, self.layer.identifiers.tag(), self.contact)
        else:
            dialog.check(request)
        self.usage.invite_received(transaction, 1)
        direction = _direction(request)
        self.done.add(f"heard {direction}")
        if not request.to.tag:
            self.usage.respond(self._answer(request, 180))
        self._version += 1
        self.usage.respond(self._answer(request, 200, self._sdp(_ANSWERS[direction])))

    def _answer(self, request: Request, status: int, body: bytes = b"") -> Response:
        assert self.usage.dialog is not None
        response = response_to(request, status, "", self.usage.dialog.local_tag)
        for value in request.get_all("Record-Route"):
            response.append("Record-Route", value)
        response.append("Contact", self.contact)
        response.set_body(body, CONTENT_TYPE)
        return response

    def _notified(self, request: Request) -> None:
        document = parse_dialog_info(request.body)
        if document.version < self._seen.setdefault("version", -1):
            raise SipError(500)
        self._seen["version"] = document.version
        self.documents.append(document)
        self.lamps.append(document.dialogs[0].local.rendering)

    def ack_received(self, ack: Request, flow: Flow) -> None:
        self.usage.ack_received(ack)

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        raise AssertionError("nobody cancels in these scenarios")

    def response_unmatched(self, response: Response, flow: Flow) -> None:
        """Late copies."""

    def internal_error(self, error: BaseException, message: Message) -> None:
        self.errors.append(error)

    # -- the owner of its INVITE usage -------------------------------------------------------------------------

    def invite_progressed(self, response: Response) -> None:
        """Ringing."""

    def invite_accepted(self, response: Response) -> None:
        dialog = self.usage.dialog
        assert dialog is not None
        if not dialog.remote_tag:
            dialog.establish(response)
        self.usage.acknowledge()
        self.done.add("talking")
        self.done.add(f"sent {self._offered} got {_direction(response)}")

    def invite_refused(self, status: int, response: Response | None) -> None:
        if status == 407 and response is not None:
            self.offer(self._offered, response)
        else:
            self.done.add(f"refused {status}")

    def acknowledged(self, ack: Request) -> None:
        """The call, or its change, is complete."""

    def ack_missing(self) -> None:
        self.done.add("no ACK")


class _Answers:
    """The user of a request that is no INVITE."""

    def __init__(self, told: object) -> None:
        self._told = told

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        if response.status >= 200 and callable(self._told):
            self._told(response)

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        """A goal that is never reached fails the scenario."""


def _complete(request: Request, *headers: tuple[str, str]) -> Request:
    for name, value in (("Max-Forwards", "70"), *headers, ("Content-Length", "0")):
        request.append(name, value)
    return request


def _direction(message: Message) -> str:
    lines = message.body.decode().splitlines()
    return next((line[2:] for line in lines if line[2:] in _ANSWERS), "")
