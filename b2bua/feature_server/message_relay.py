"""A MESSAGE out of a call (RFC 3428) on its way through us: one request on each side, as with a call, and nothing that stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from b2bua.dialog.dialog import Dialog, untagged
from b2bua.feature_server.blame import feature_of
from b2bua.feature_server.callees import mark_of
from b2bua.feature_server.carried import carry, carry_body, carry_challenges, carry_credentials, foreign_challenges
from b2bua.feature_server.challenge_echo import echoed
from b2bua.feature_server.hooks import status_of
from b2bua.feature_server.leg_messages import ANSWERED_HERE, PASSED_BACK
from b2bua.feature_server.privacy import ANONYMOUS, check_privacy
from b2bua.feature_server.refusals import NOBODY_ANSWERED
from b2bua.sip.errors import SipError
from b2bua.sip.loop_mark import bears
from b2bua.sip.max_breadth import put_breadth
from b2bua.sip.max_forwards import MAX_FORWARDS
from b2bua.sip.message import Request, Response
from b2bua.sip.privacy import privacy_levels
from b2bua.sip.response_to import response_to
from b2bua.sip.why import Why
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.server import ServerTransaction

if TYPE_CHECKING:
    from b2bua.feature_server.contract import Environment
    from b2bua.feature_server.hooks import Hooks


class MessageRelay:
    """One message. Whoever sent it hears what becomes of it at the other end, or that a feature has dealt with it."""

    def __init__(self, environment: Environment, transaction: ServerTransaction, request: Request) -> None:
        self._environment = environment
        self._transaction = transaction
        self._request = request
        self._sent: Request | None = None

    def start(self, hooks: Hooks) -> None:
        """Offer it to the features, then send it on; SipError where it cannot go on."""
        request = self._request
        check_privacy(request)
        if request.integer("Max-Forwards") == 0:
            raise SipError(483).because("refused: Max-Forwards is used up, it goes no further (RFC 7332)")
        if bears(request, mark_of(self._environment, request.uri, request)):
            raise SipError(482).because(
                "B2BUA: what we made of it came back as it was: a loop (RFC 7332 §4)"
            )
        hooks.run("message_offered", (), request, self._forward, self._failed)

    def _forward(self, source: Request) -> None:
        environment, identifiers = self._environment, self._environment.layer.identifiers
        sender = ANONYMOUS if "user" in privacy_levels(source) else untagged(source, "From")
        dialog = Dialog(identifiers.call_id(), sender, identifiers.tag(), source.get("To") or "", source.uri, "")
        dialog.route_set = source.elements("Route")[1:]
        sent = dialog.make_request("MESSAGE")
        hops = source.integer("Max-Forwards")
        sent.append("Max-Forwards", MAX_FORWARDS if hops is None else str(hops - 1))
        put_breadth(sent, source)
        carry(source, sent)
        carry_credentials(source, sent, environment.domain)
        carry_body(source, sent, source.body)
        self._sent = sent
        environment.layer.send_request(sent, environment.link, self, mark_of(environment, source.uri, source))

    def _failed(self, error: BaseException) -> None:
        """A feature raised, or refused by SipError."""
        refusal = status_of(error)
        if refusal is not error:
            self._environment.observer.internal_error("feature")
            self._environment.observer.feature_failed(feature_of(error), "raised")
            self._environment.failed(error, self._request)
        self._answer(refusal.status, None, refusal.reason, refusal.why)

    # -- from the transaction layer ----------------------------------------------------------------------------

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        environment, status = self._environment, response.status
        if status < 200:
            return
        again = echoed(self._sent, response) if environment.echoes and self._sent is not None else None
        if again is not None:
            again.replace("CSeq", f"{again.cseq + 1} MESSAGE")
            self._sent = again
            environment.layer.send_request(again, environment.link, self)
            return
        if status in (401, 407) and not foreign_challenges(response, environment.domain):
            status = 403  # only our own realm's challenge was in it: it never crosses
        elif status == 430:
            status = 480  # no endpoint gets it (RFC 5626 §11.5)
        self._answer(status, response)

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        """RFC 4320 §4.2: a time-out is not told, nobody waits for it any more."""
        if status == 408:
            self._transaction.end(None)
        else:
            self._answer(500, None, "", (None, NOBODY_ANSWERED, status))

    def _answer(self, status: int, source: Response | None = None, reason: str = "", why: Why | None = None) -> None:
        environment = self._environment
        if source is not None and source.status == status:
            reason = source.reason
        response = response_to(self._request, status, reason, environment.layer.identifiers.tag())
        response.why = why or (ANSWERED_HERE if source is None else PASSED_BACK)
        if source is not None:
            response.remove("Content-Length")
            carry(source, response)
            if status in (401, 407):
                carry_challenges(source, response, environment.domain)
            carry_body(source, response, source.body)
        environment.layer.respond(self._transaction, response)
