"""A provisional response to a re-INVITE that is sent reliably, though none of ours offers that: acknowledged all the same.

RFC 3262 §3 has no phone send one there. From one that does a PRACK takes the response: else it would repeat it for 64·T1 and
then refuse the re-INVITE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from b2bua.dialog.reliable_provisional import Order, ReliableReceiver
from b2bua.feature_server.early_request import send_early
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
        if leg.reserved:
            leg.keep_ahead()
        send_early(leg, leg.dialog, "PRACK", None, b"", NOBODY, ("RAck", str(RAck(rseq, response.cseq, "INVITE"))))
    return True
