"""A phone by the book on the virtual network, whose user may do anything at any time.

It is the scripted phone's own core (b2bua/phone: credentials, retransmissions, offer and answer, the waits after a 491)
with what a wilder user needs: UPDATE, CANCEL of a re-INVITE, and re-INVITEs answered late, with a refusal or not at all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from random import Random

from b2bua.dialog.offer_answer import OfferAnswer
from b2bua.observer import Observer
from b2bua.phone.agent import Identity, with_sdp
from b2bua.phone.call import Call, CallState
from b2bua.phone.phone import Phone
from b2bua.phone.registration import Registration
from b2bua.phone.subscription import Subscription
from b2bua.sip import sdp
from b2bua.sip.errors import SipError
from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.identifiers import Identifiers
from b2bua.sip.malformed_message import MalformedMessage
from b2bua.sip.message import Request, Response
from b2bua.sip.parser import parse_message
from b2bua.sip.sdp import Stream
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import Timers
from tests.scenarios.options import DOMAIN, password
from tests.scenarios.virtual_network import SERVER, VirtualNetwork, VirtualSocket
from tests.stateful.connections import PhoneLink

SILENCE = "silence"
LATE = "late"
LATE_SECONDS = 3.0
GIVEN_UP_SECONDS = 5.0
"""After its BYE a phone waits no longer for the answer to its re-INVITE."""
SHAKEN_SECONDS = 40.0
"""How long after its connection broke a phone may miss an ACK that was under way: 64·T1 and what the network takes."""

Answer = str | int
"""How the next re-INVITE is answered: a refusal's status, `LATE` (180 at once, 200 after some seconds) or `SILENCE`."""
_GONE = (CallState.ENDING, CallState.ENDED)


def calls_of(phone: Phone) -> list[ModelCall]:
    return [call for call in phone.calls if isinstance(call, ModelCall)]


class ModelSession(OfferAnswer):
    """It remembers where the peer's media is, held or not, and what the peer knows of our hold."""

    peer: HostPort | None = None
    shown = False
    """Whether we hold by what we said in completed exchanges. An answer to a hold says nothing new where it wants no media
    either: some phones answer `inactive` to it without holding."""

    def accepted(self, answer: bytes) -> None:
        offered = self._offered
        super().accepted(answer)
        self.shown = offered == "sendonly"

    def answer(self, offer: bytes) -> bytes:
        body = super().answer(offer)
        if not sdp.holds(sdp.parse_streams(body)):
            self.shown = False
        elif not sdp.holds(sdp.parse_streams(offer)):
            self.shown = True
        return body

    def _agree(self, stream: Stream, streams: Sequence[Stream], direction: str) -> None:
        super()._agree(stream, streams, direction)
        self.peer = stream.connection, stream.port


class ModelCall(Call):
    """One call of a model phone."""

    _update_open = False
    """Our UPDATE has no answer yet: one at a time."""
    _updating = False
    """Our UPDATE with an offer has no answer yet: nothing else may be offered (RFC 3311 §5.1, §5.2)."""

    @property
    def media(self) -> ModelSession:
        assert isinstance(self.session, ModelSession)
        return self.session

    # -- the user's verbs --------------------------------------------------------------------------------------

    def cancel_reinvite(self) -> None:
        """Give up our open re-INVITE."""
        if self.state is CallState.ESTABLISHED and self._usage.client is not None:
            self._usage.cancel()

    def update(self, holding: bool | None) -> None:
        """UPDATE, if one may leave now: with an offer that holds or not, or (None) without a description."""
        if self.state is not CallState.ESTABLISHED or self._usage.busy or self._update_open or self._glare is not None:
            return
        self._update_open = True
        request = self.agent.in_dialog(self.dialog, "UPDATE")
        if holding is not None:
            self.session.holding = self._offered_holding = holding
            self._updating = True
            with_sdp(request, self.session.offer())
        self.agent.send(request, self._next_cseq, self._update_answered)

    def hang_up(self) -> None:
        if self.state is CallState.ESTABLISHED and self._incoming is not None:
            self._refuse(self._incoming, 487)  # the re-INVITE that we have not answered
            self._incoming = None
        if self._usage.client is not None:
            # Nobody repeats a lost 2xx to a re-INVITE when the dialog is over, and after a 1xx no timer ends the transaction
            # (RFC 3261 §17.1.1.2): it is given up, so that it ends 64·T1 later at the most.
            self.agent.timers.start(GIVEN_UP_SECONDS, self._usage.client.cancel)
        super().hang_up()

    # -- what comes of them ------------------------------------------------------------------------------------

    def _update_answered(self, status: int, response: Response | None) -> None:
        offered = self._updating
        self._update_open = self._updating = False
        if self.state is not CallState.ESTABLISHED:
            return
        if status in (408, 481):
            self.session.refused()
            self._reinvite_refused(status)
            return
        if offered and response is not None and status < 300:
            self.session.accepted(response.body)
            self.told = self._offered_holding
        elif offered:
            self.session.refused()
            self.session.holding = self.told
        self._settle()

    def _settle(self) -> None:
        if not self._updating:
            super()._settle()

    def invite_refused(self, status: int, response: Response | None) -> None:
        if status in (401, 407) and self._usage.cancelled:
            status, response = 487, None  # given up while it was challenged: it is not sent again
        super().invite_refused(status, response)

    def ack_missing(self) -> None:
        """On a network that is fair every 2xx is acknowledged in time, whatever else happens (RFC 3261 §13.2.2.4)."""
        phone = self._user
        assert isinstance(phone, ModelPhone)
        if self.agent.timers.now() - phone.shaken > SHAKEN_SECONDS:
            phone.failures.append(AssertionError(f"no ACK of our 2xx in {self.dialog.call_id}"))
        super().ack_missing()

    # -- re-INVITEs that come in -------------------------------------------------------------------------------

    def _reinvited(self, transaction: ServerTransaction, request: Request) -> None:
        if self._updating:
            raise SipError(491)
        free = self.state not in _GONE and not self._answer_awaited and self._usage.client is None
        phone = self._user
        assert isinstance(phone, ModelPhone)
        if not free or self._usage.server is not None or not phone.answers:
            super()._reinvited(transaction, request)
            return
        answer = phone.answers.popleft()
        if isinstance(answer, int):
            raise SipError(answer)
        self._usage.invite_received(transaction, 0)
        transaction.attached = self
        self._incoming = request
        self._usage.respond(self.agent.response(request, 180, self.dialog.local_tag))
        self.agent.timers.start(LATE_SECONDS, lambda: self._answer_late(request))

    def _answer_late(self, request: Request) -> None:
        if self._incoming is request and self.state is CallState.ESTABLISHED:
            self._incoming = None
            if self._accept(request):
                self.dialog.refresh_target(request)
                self._user.media_changed(self)

    def cancelled(self, transaction: ServerTransaction) -> None:
        if self.state is not CallState.ESTABLISHED:
            super().cancelled(transaction)
        elif self._usage.server is transaction and self._incoming is not None:
            self._refuse(self._incoming, 487)
            self._incoming = None

    def _updated(self, transaction: ServerTransaction, request: Request) -> None:
        if request.body and self._updating:
            raise SipError(491)
        super()._updated(transaction, request)


class ModelPhone(Phone):
    """One phone at one address: a `Host` of the network, and the user of itself."""

    def __init__(
        self, network: VirtualNetwork, user: str, address: HostPort, random: Random, link: PhoneLink | None = None
    ) -> None:
        """`link`: it speaks over connections; else over UDP."""
        self.name = user
        self.link = link
        self.failures: list[BaseException] = []
        self.answers: deque[Answer] = deque()
        """How the next re-INVITEs are answered; at once and with 200 where nothing is said."""
        self.unanswered: set[str] = set()
        """Branches of requests to which the phone stays silent."""
        self.shaken = float("-inf")
        """When its connections broke last."""
        self._looks = False
        """Once it is registered, it will look what its calls and lamps have become."""
        self._ports = iter(range(40_000, 60_000, 2))
        self._address = address
        self.timers = Timers(network.clock.now)
        self.flow: Flow = VirtualSocket(network, address).flow(SERVER) if link is None else link
        layer = TransactionLayer(self.timers, Identifiers(f"ph{user}"), Observer())
        super().__init__(layer, self.flow, Identity(user, DOMAIN, password(user)), random.uniform, self)
        if link is None:
            network.attach(self, address)
        else:
            self.agent.contact = link.contact
            link.received = self.message
        network.each_tick.append(self.timers.advance)

    @property
    def layer(self) -> TransactionLayer:
        return self.agent.layer

    def datagram(self, data: bytes, source: HostPort) -> None:
        self.message(data)

    def message(self, data: bytes) -> None:
        if not self._is_silent_to(data):
            self.layer.datagram_received(data, self.flow)

    def _is_silent_to(self, data: bytes) -> bool:
        try:
            message = parse_message(data)
        except MalformedMessage:
            return False
        branch = message.top_via.branch
        if branch in self.unanswered:
            return True
        reinvite = isinstance(message, Request) and message.method == "INVITE" and bool(message.to.tag)
        if not reinvite or not self.answers or self.answers[0] != SILENCE:
            return False
        self.answers.popleft()
        self.unanswered.add(branch)
        return True

    def dial(self, target: str, offerless: bool = False) -> Call:
        call = ModelCall.dial(self.agent, self, self._session(), self._uri(target), offerless)
        self.calls.append(call)
        return call

    def _invited(self, transaction: ServerTransaction, request: Request) -> None:
        same = request.call_id, request.from_.tag, request.cseq
        if any((c.dialog.call_id, c.dialog.remote_tag, c.dialog.remote_cseq) == same for c in self.calls):
            raise SipError(482)
        call = ModelCall.offered(self.agent, self, self._session(), transaction, request)
        transaction.attached = call
        self.calls.append(call)
        call.ring()

    def _session(self) -> OfferAnswer:
        return ModelSession(self.layer.identifiers.number(), self.open_media())

    # -- its connections ---------------------------------------------------------------------------------------

    def connection_breaks(self, told: bool, polite: bool) -> None:
        """It has lost every connection, and knows; `told`: so does the server, `polite`: by the phone."""
        assert self.link is not None
        self.link.breaks(told, polite)
        self.shaken = self.timers.now()

    def returns(self) -> None:
        """It connects anew, registers there, and then looks whether its lamps and calls are what they were: a BYE may have found
        no way to it. Who takes no connections is out of reach until then, so it registers whatever its user wants."""
        assert self.link is not None
        self.shaken = self.timers.now()
        clients = self.layer.clients
        self.link.comes_back(lambda key: key in clients)
        for call in list(self.calls):
            if call.state is CallState.OFFERED:
                # Whether the caller is still there it cannot know: a CANCEL may be lost with a connection, or never sent (RFC
                # 3261 §9.1).
                call.reject(480)
        self._looks = self.registration.registered or not self.link.takes_connections
        if self._looks:
            self.registration.register()
        else:
            self._look()

    def _look(self) -> None:
        for call in calls_of(self):
            call.update(None)
        for lamp in self.lamps:
            if lamp.active:
                lamp._refresh()

    # -- the user of the phone ---------------------------------------------------------------------------------

    def open_media(self) -> HostPort:
        return self._address[0], next(self._ports)

    def media_changed(self, call: Call) -> None:
        """No media here."""

    def call_changed(self, call: Call) -> None:
        if call.state is CallState.ENDED and call in self.calls:
            self.calls.remove(call)

    def lamp_changed(self, lamp: Subscription) -> None:
        """Its document is looked at when all is at rest."""

    def registration_changed(self, registration: Registration) -> None:
        if self._looks and registration.registered:
            self._looks = False
            self._look()

    def phone_failed(self, error: BaseException) -> None:
        self.failures.append(error)
