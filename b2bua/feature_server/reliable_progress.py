"""A provisional response to a re-INVITE that is sent reliably, though none of ours offers that: acknowledged all the same.

RFC 3262 §3 has no phone send one there. From one that does a PRACK takes the response: else it would repeat it for 64·T1 and
then refuse the re-INVITE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from b2bua.dialog.reliable_provisional import Order, ReliableReceiver
from b2bua.feature_server.carried import is_sdp
from b2bua.feature_server.early_request import send_early
from b2bua.sip import sdp
from b2bua.sip.message import Response
from b2bua.sip.rack import RAck
from b2bua.sip.rseq import rseq_of
from b2bua.transaction.client import NOBODY

if TYPE_CHECKING:
    from b2bua.feature_server.leg import Leg


def take(leg: Leg, response: Response, offers: bool) -> bool:
    """Whether this provisional response to our open re-INVITE is to be looked at: neither a repeated one nor one behind a gap.

    `offers`: whether a description in it is an offer. Nobody could answer that in the PRACK: it gets none.
    """
    rseq = rseq_of(response)
    if not rseq:
        return True
    usage = leg.usage
    if usage.received is None:
        usage.received = ReliableReceiver()
    if usage.received.take(rseq) is not Order.NEXT:
        return False
    leg.dialog.refresh_target(response)  # RFC 6141 §4.7
    if not (offers and response.body):
        leg.keep_ahead()
        send_early(leg, leg.dialog, "PRACK", None, b"", NOBODY, ("RAck", str(RAck(rseq, response.cseq, "INVITE"))))
    return True


class ReliableAnswer:
    """What a party has answered reliably to the offer in one re-INVITE of ours, before its 2xx (RFC 3262 §5)."""

    __slots__ = ("_body",)

    def __init__(self) -> None:
        self._body = b""

    def take(self, leg: Leg, response: Response, offered: bool) -> bool:
        """As `take` above, which it calls; `offered`: whether the re-INVITE had an offer."""
        if not take(leg, response, not offered):
            return False
        if offered and not self._body and is_sdp(response) and rseq_of(response):
            self._body = response.body
        return True

    def stands_in(self, accepted: Response) -> Response:
        """The party's 2xx, with that answer: a description of its own, where it has one, is ignored (RFC 6337 §3.1.1)."""
        if not self._body:
            return accepted
        accepted = accepted.copy()
        accepted.set_body(self._body, sdp.CONTENT_TYPE)
        return accepted
