"""What a restart broke off, as the parties go on with it: an INVITE that comes again, a 2xx that nobody has acknowledged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from b2bua.dialog.dialog import Dialog, contact_uri
from b2bua.feature_server.call_state import CONFIRMED
from b2bua.feature_server.contract import Environment
from b2bua.feature_server.refresh import Refresh
from b2bua.sip import sdp
from b2bua.sip.max_forwards import MAX_FORWARDS
from b2bua.sip.message import Request, Response
from b2bua.transaction.client import NOBODY
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import TIMEOUT

if TYPE_CHECKING:
    from b2bua.feature_server.leg import Leg

AT_LEAST: Final = 2.0
"""Seconds for which an answer is repeated, however long ago it was given: three times (T1, 2·T1)."""


def repeats(leg: Leg, invite: Request) -> bool:
    """Whether this INVITE is the one that was answered last before the restart, its ACK not having come."""
    usage = leg.usage
    return leg.restored and not leg.ended and invite.cseq == usage.answered_cseq and usage.server is None


def answer_again(leg: Leg, transaction: ServerTransaction, invite: Request) -> None:
    """The answer that was committed, once more (RFC 3261 §13.3.1.4). That to the call's INVITE is repeated for 64·T1 in all: a
    server that dies again and again must not keep the callee in a call that the caller has given up."""
    transaction.attached = leg
    if not invite.to.tag:
        answered_for = leg.environment.layer.timers.now() - leg.call.since
        leg.usage.patience = max(TIMEOUT - answered_for, AT_LEAST)
    leg.usage.invite_received(transaction, 0)
    source = Response(200, "OK", [], [])
    if leg.descriptions.ours:
        source.append("Content-Type", sdp.CONTENT_TYPE)
        source.body = leg.descriptions.ours
    leg.respond(200, source, leg.descriptions.ours)


def take_stray(leg: Leg, response: Response) -> None:
    """A 2xx to an INVITE of ours from before the restart: acknowledged, or its sender ends the call after 64·T1. Where its
    exchange never was completed, the party hears what is agreed, unless an exchange is under way that tells it anyway."""
    leg.usage.acknowledge_stray(response)
    if response.cseq > leg.usage.invited_cseq and leg.call.state == CONFIRMED and not leg.ended:
        Refresh.begin(leg, "INVITE")


def hang_up(environment: Environment, response: Response) -> None:
    """A 2xx to an INVITE of before the restart of whose call nothing is known, as it was in set-up: ACK and BYE (RFC 3261
    §13.2.2.4). MalformedValue where nobody can be reached by it. The CSeq of the BYE is the time, in seconds: another process
    may have died over one, which the phone then knows under a lower one (§8.1.1.5, §12.2.1.1)."""
    ours, theirs = response.from_, response.to
    local, remote = (f"{party.display} <{party.uri}>".strip() for party in (ours, theirs))
    dialog = Dialog(response.call_id, local, ours.tag, remote, contact_uri(response), "")
    dialog.remote_tag, dialog.local_cseq = theirs.tag, max(response.cseq, int(environment.wall()))
    dialog.route_set = response.elements("Record-Route")[::-1]
    for method, cseq in (("ACK", response.cseq), ("BYE", 0)):
        request = dialog.make_request(method, cseq)
        request.append("Max-Forwards", MAX_FORWARDS)
        request.append("Content-Length", "0")
        if method == "ACK":
            environment.layer.send_ack(request, environment.link)
        else:
            environment.layer.send_request(request, environment.link, NOBODY)
