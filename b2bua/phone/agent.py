"""What all parts of one phone share: identity, the way to Session Manager, how requests are made and sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from b2bua import PRODUCT
from b2bua.dialog.credentials import Attempt, Credentials
from b2bua.dialog.dialog import Dialog
from b2bua.sip.flow import Flow
from b2bua.sip.max_forwards import MAX_FORWARDS
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.response_to import response_to
from b2bua.sip.uri import host_text
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.timers import Timers

ALLOW: Final = "INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY, UPDATE"

Done = Callable[[int, Response | None], None]
"""Told the final status of a request once, with the response, or None when there was none (408, 503)."""
Uniform = Callable[[float, float], float]
"""A random number between two bounds (`random.Random.uniform`)."""


class Identity(NamedTuple):
    """Whose phone it is."""

    user: str
    domain: str
    password: str

    @property
    def aor(self) -> str:
        """The address of record: `sip:6001@lab.internal`."""
        return f"sip:{self.user}@{self.domain}"


class Agent:
    """A user agent without usages: it makes requests and responses and sends them; calls and the like stand on it."""

    def __init__(self, layer: TransactionLayer, flow: Flow, identity: Identity, uniform: Uniform) -> None:
        """`flow` leads to Session Manager, which is the outbound proxy of everything."""
        self.layer = layer
        self.flow = flow
        self.identity = identity
        self.uniform = uniform
        self.credentials = Credentials(identity.user, identity.password, layer.identifiers.tag)
        host, port = flow.local
        self.contact = f"<sip:{identity.user}@{host_text(host)}:{port}>"

    @property
    def timers(self) -> Timers:
        return self.layer.timers

    def request(self, method: str, uri: str, to: str, call_id: str, cseq: int) -> Request:
        """A request out of dialog (RFC 3261 §8.1.1), without Via and body; `to` is a URI."""
        request = Request(method, uri, [], [])
        request.append("Max-Forwards", MAX_FORWARDS)
        request.append("From", f"<{self.identity.aor}>;tag={self.layer.identifiers.tag()}")
        request.append("To", f"<{to}>")
        request.append("Call-ID", call_id)
        request.append("CSeq", f"{cseq} {method}")
        return self.completed(request)

    def in_dialog(self, dialog: Dialog, method: str) -> Request:
        """A request in a dialog, without Via and body."""
        request = dialog.make_request(method)
        request.append("Max-Forwards", MAX_FORWARDS)
        return self.completed(request)

    def completed(self, request: Request) -> Request:
        if request.method != "BYE":
            request.append("Contact", self.contact)
        if request.method == "INVITE":
            request.append("Allow", ALLOW)
        request.append("User-Agent", PRODUCT)
        return request

    def response(self, request: Request, status: int, tag: str, body: bytes = b"") -> Response:
        """A 1xx or 2xx to an INVITE or UPDATE: with Contact and Record-Route, so that it makes a dialog (RFC 3261 §12.1.1)."""
        response = response_to(request, status, tag=tag)
        for value in request.get_all("Record-Route"):
            response.append("Record-Route", value)
        response.append("Contact", self.contact)
        response.append("Allow", ALLOW)
        with_sdp(response, body)
        return response

    def send(self, request: Request, next_cseq: Callable[[], int], done: Done) -> None:
        """Send a request that is no INVITE, and answer its challenges; `next_cseq` numbers each further try."""
        _Sending(self, request, next_cseq, done).start()


class _Sending:
    """A request on its way to a final response that is no challenge we can answer."""

    def __init__(self, agent: Agent, request: Request, next_cseq: Callable[[], int], done: Done) -> None:
        if not request.has("Content-Length"):
            request.append("Content-Length", "0")
        self._agent = agent
        self._request = request
        self._next_cseq = next_cseq
        self._done = done
        self._attempt = Attempt(agent.credentials)

    def start(self) -> None:
        # The layer puts its Via into what it is given: the request without it stays for the next try.
        self._agent.layer.send_request(self._request.copy(), self._agent.flow, self)

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        if response.status < 200:
            return
        again = self._attempt.retry(self._request, response, self._next_cseq)
        if again is None:
            self._done(response.status, response)
            return
        self._request = again
        self.start()

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        self._done(status, None)


def with_sdp(message: Message, body: bytes) -> None:
    """Put a session description, or none, into a message that has no body yet."""
    message.set_body(body, "application/sdp")


def refresh_after(expires: int) -> float:
    """When to renew what lives `expires` seconds: with a transaction's time-out to spare, at half where it is short."""
    return max(expires - 40.0, expires / 2)
