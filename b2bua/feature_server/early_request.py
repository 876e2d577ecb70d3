"""Requests of ours in an early dialog: PRACK (RFC 3262 §4) and UPDATE (RFC 3311 §5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from b2bua.dialog.dialog import Dialog
from b2bua.dialog.session_terms import TIMER
from b2bua.feature_server.carried import carry, carry_body, carry_credentials
from b2bua.sip.max_forwards import MAX_FORWARDS
from b2bua.sip.message import Request
from b2bua.transaction.client import ClientUser

if TYPE_CHECKING:
    from b2bua.feature_server.leg import Leg


def send_early(
    leg: Leg, dialog: Dialog, method: str, source: Request | None, body: bytes, user: ClientUser, *headers: tuple[str, str]
) -> None:
    """Send a request to the party of `leg`: what `source` of the other party says, one hop less, with `body`, and `headers`;
    without a source one of our own. Of session timers it says nothing: there is no session to time yet."""
    request = dialog.make_request(method)
    left = source.integer("Max-Forwards") if source is not None else None
    request.append("Max-Forwards", str(max(left - 1, 0)) if left is not None else MAX_FORWARDS)
    if method == "UPDATE":
        request.append("Contact", dialog.contact)
        request.append("Allow", leg.call.hooks.allow)
    if leg.session.terms is not None:
        request.append("Supported", TIMER)
    request.extend(headers)
    if source is None:
        request.append("Content-Length", "0")
    else:
        carry(source, request)
        carry_credentials(source, request, leg.environment.domain)
        carry_body(source, request, body)
    request.call = leg.call.id
    leg.send(request, user, dialog)
