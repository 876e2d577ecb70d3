"""A call that Communication Manager makes on behalf of a party whom another one has sent on (RFC 3725 §4.1, flow I).

Its caller is nobody: a leg without a dialog stands in, and whoever asked for the call hears through it what a caller would
be answered. The callee is asked for an offer; its INVITE takes the same way through the features as any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from b2bua.dialog.dialog import Dialog
from b2bua.feature_server.call import Call
from b2bua.feature_server.call_state import CALLEE, CALLER, Role
from b2bua.feature_server.leg import Leg, StandIn
from b2bua.feature_server.leg_messages import contact_of
from b2bua.feature_server.privacy import ANONYMOUS, ANONYMOUS_URI
from b2bua.sip.address import parse_address
from b2bua.sip.max_forwards import MAX_FORWARDS
from b2bua.sip.message import Request
from b2bua.sip.uri import Uri, parse_uri

if TYPE_CHECKING:
    from b2bua.feature_server.places import Handover


def call_on_behalf(
    party: Leg, uri: Uri, owner: Handover, stand_in: StandIn, *headers: tuple[str, str]
) -> tuple[Call, Request]:
    """The call, for the party of this leg, to this URI, and its INVITE with further headers: `call.start(invite)` begins it.
    SipError 480 when there are too many already."""
    all_calls, environment = party.call.all_calls, party.environment
    identifiers = environment.layer.identifiers
    call_id, tag = identifiers.call_id(), identifiers.tag()
    call = Call(all_calls, identifiers.call_id(), (call_id, tag, 0))
    call.caller = stand_in_leg(call, CALLER, party, stand_in)
    local = ANONYMOUS if party.known_as == ANONYMOUS_URI else party.dialog.remote
    known_as = parse_address(party.dialog.contact).parsed_uri()._replace(scheme=uri.scheme)
    dialog = Dialog(call_id, local, tag, f"<{uri}>", str(uri), contact_of(environment, known_as))
    call.callee = Leg(call, environment, CALLEE, dialog, str(uri.without_parameters()))
    call.caller.other, call.callee.other = call.callee, call.caller
    call.handover = owner
    all_calls.take_in(call)
    environment.leg_joined(party.call.id, call.id)
    invite = Request("INVITE", str(uri), [], [])
    invite.append("From", f"{local};tag={tag}")
    invite.append("To", f"<{uri}>")
    invite.append("Call-ID", call_id)
    invite.append("CSeq", "1 INVITE")
    invite.append("Max-Forwards", MAX_FORWARDS)
    invite.extend(headers)
    invite.append("Content-Length", "0")
    return call, invite


def stand_in_leg(call: Call, role: Role, party: Leg, stand_in: StandIn) -> Leg:
    """A leg without a dialog, in the name of this leg's party."""
    known = party.dialog
    identifiers = call.environment.layer.identifiers
    dialog = Dialog(identifiers.call_id(), known.local, identifiers.tag(), known.remote, known.remote_target, known.contact)
    leg = Leg(call, call.environment, role, dialog, party.party)
    leg.known_as = party.known_as
    leg.stand_in = stand_in
    return leg


def address_in_domain(leg: Leg, uri: Uri) -> Uri:
    """The URI with our domain in place of the address by which this leg's phone knows us."""
    ours = parse_uri(parse_address(leg.dialog.contact).uri)
    if uri.bare_host != ours.bare_host or (uri.port or 5060) != (ours.port or 5060):
        return uri
    return Uri(uri.scheme, uri.user, leg.environment.domain)
