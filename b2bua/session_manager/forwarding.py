"""What every request has in common that a proxy passes on (RFC 3261 §16.6): its copy, its response context, our Record-Route."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from b2bua.session_manager.arrival import Arrival
from b2bua.session_manager.authenticator import Authenticator
from b2bua.session_manager.domain import Domain
from b2bua.session_manager.failover import Failover
from b2bua.session_manager.identity import ASSERTED, strip
from b2bua.session_manager.links import Links
from b2bua.session_manager.open_invites import OpenInvites
from b2bua.session_manager.response_context import ResponseContext
from b2bua.session_manager.tokens import Tokens
from b2bua.session_manager.trunk_credentials import TrunkCredentials
from b2bua.sip.errors import SipError
from b2bua.sip.flow import Flow, own_uri
from b2bua.sip.max_breadth import put_breadth
from b2bua.sip.max_forwards import MAX_FORWARDS
from b2bua.sip.message import Request
from b2bua.sip.response_to import response_to
from b2bua.sip.served_user import SERVED_USER
from b2bua.sip.why import Why
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.timers import TIMEOUT, TIMER_C

_MAX_FORWARDS: Final = int(MAX_FORWARDS)
PATIENCE_WITH_APPLICATIONS: Final = TIMER_C + TIMEOUT + 1
"""Timer C of a branch to an application: its own branches come back through here, are given up first, and may take 64·T1
to answer their CANCEL. So it hears of them and answers, in place of being cancelled itself at the same moment."""
TRYING: Final[Why] = (None, "proxy: an INVITE that goes on is answered 100 at once (RFC 3261 §16.2)")


class Forwarding:
    """Used by whoever knows where a request goes: proxy.py out of dialog, in_dialog.py along a dialog's route."""

    def __init__(
        self, layer: TransactionLayer, domain: Domain, links: Links, authenticator: Authenticator, tokens: Tokens,
        open_invites: OpenInvites | None = None, credentials: Sequence[TrunkCredentials] = (),
    ) -> None:  # fmt: skip
        self.layer = layer
        self.domain = domain
        self.links = links
        self.open_invites = open_invites
        self.credentials = tuple(credentials)
        """Those of all trunks that may ask who we are."""
        self._authenticator = authenticator
        self._tokens = tokens
        self._tag = layer.identifiers.tag

    def start(self, arrival: Arrival, kind: type[ResponseContext] = ResponseContext) -> ResponseContext:
        """Response context of a request that goes on; an INVITE gets its 100 at once (RFC 3261 §16.2)."""
        request = arrival.request
        assert arrival.transaction is not None, "an ACK has no responses"
        if arrival.hops == 0:
            raise SipError(483).because(
                "refused: Max-Forwards is used up, it goes no further (RFC 3261 §16.3 step 3)"
            )  # an OPTIONS that is not for ourselves
        if request.method == "INVITE":
            trying = response_to(request, 100)
            trying.why = TRYING
            self.layer.respond(arrival.transaction, trying)
        if arrival.link is not None:
            context = kind(self.layer, arrival.transaction, request, self._tag, 408)
            context.phones = True
            context.credentials = self.credentials
            return context
        patience = PATIENCE_WITH_APPLICATIONS if self.links.sequence else TIMER_C
        return kind(self.layer, arrival.transaction, request, self._tag, 487, patience)

    def copy(self, arrival: Arrival, uri: str) -> Request:
        """The copy that goes on (RFC 3261 §16.6 steps 1 to 3): our Routes off, a hop less, no credentials of our realm."""
        request, hops = arrival.request, arrival.hops
        copy = request.forwarded(uri, _MAX_FORWARDS if hops is None else hops - 1, arrival.routes.count)
        put_breadth(copy, request)
        if self.links.told:
            copy.remove(SERVED_USER)  # of one hop: an application's own, or what we told the last one
        self._authenticator.strip(copy)
        if arrival.link is None and not arrival.trusted and not ASSERTED.isdisjoint(copy.names):
            strip(copy)
        return copy

    def record_route(self, request: Request, flow: Flow, token: str = "", sips: bool = False) -> None:
        """Our address as the peer on this flow knows it, `sips` where that was asked for (RFC 3261 §16.6 step 4). On a
        feature server's side it needs no token: it stands there so that this peer finds its link again (RFC 5658: twice
        between two addresses)."""
        self.domain.local_address_seen(flow.local)
        request.insert_before("Record-Route", f"<{own_uri(flow, token, sips)};lr>")

    def send_along(self, context: ResponseContext, mark: str, request: Request, flow: Flow, failover: Failover) -> None:
        """Send to one of the targets a name resolved to; a first INVITE only once its record is stored."""
        open_invites = self.open_invites
        if open_invites is None or request.method != "INVITE" or request.to.tag:
            signed = self.branch(request, mark) if open_invites is not None and request.method == "INVITE" else ""
            failover.sent(self.layer.send_request(request, flow, context, mark, branch=signed))
            return
        self.send_when_kept(
            open_invites, request, flow, context, mark, lambda: failover.wanted, failover.sent,
            lambda: failover.not_sent(480) if failover.wanted else None,
        )  # fmt: skip

    def send_when_kept(
        self, open_invites: OpenInvites, invite: Request, flow: Flow, context: ResponseContext, mark: str,
        wanted: Callable[[], bool], sent: Callable[[ClientTransaction], None], not_sent: Callable[[], None],
    ) -> None:  # fmt: skip
        """Make the phone ring once it is certain that somebody will stop it, if it is `wanted` still; `not_sent`: no record could
        be stored."""
        branch = self.branch(invite, mark)

        def kept(kept: bool) -> None:
            if kept and wanted():
                transaction = self.layer.send_request(invite, flow, context, branch=branch)
                sent(transaction)
                open_invites.sent(invite, branch, transaction)
                return
            open_invites.given_up(branch)
            if not kept:
                not_sent()

        open_invites.sending(invite, flow, branch, kept)

    def branch(self, invite: Request, mark: str = "") -> str:
        """One for an INVITE that goes to a phone: by it the next process knows the answer, after a restart. `mark` goes
        behind it (sip/loop_mark.py)."""
        return self._tokens.branch(self.layer.identifiers.branch() + mark, invite.call_id)

    def credentials_at(self, flow: Flow) -> TrunkCredentials | None:
        """Those of the trunk that this flow leads to."""
        return next((one for one in self.credentials if one.used_on(flow)), None)
