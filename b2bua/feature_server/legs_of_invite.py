"""The legs that an INVITE makes: its caller's, which it came from, and its callee's, whom it is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from b2bua.dialog.dialog import Dialog
from b2bua.feature_server.call_state import CALLEE, CALLER
from b2bua.feature_server.leg import Leg
from b2bua.feature_server.leg_messages import contact_of
from b2bua.feature_server.privacy import ANONYMOUS, ANONYMOUS_URI
from b2bua.sip.address import parse_address
from b2bua.sip.message import Request
from b2bua.sip.privacy import privacy_levels
from b2bua.sip.uri import Uri, parse_uri
from b2bua.transaction.server import ServerTransaction

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call


def caller_leg(call: Call, transaction: ServerTransaction, invite: Request) -> Leg:
    """Of the one who called; MalformedValue or a SipError refuses the INVITE."""
    environment = call.environment
    contact = contact_of(environment, _towards_caller(invite))
    dialog = Dialog.as_server(invite, environment.layer.identifiers.tag(), contact)
    asserted = invite.elements("P-Asserted-Identity")
    identity = parse_address(asserted[0]) if asserted else invite.from_
    leg = Leg(call, environment, CALLER, dialog, str(identity.parsed_uri().without_parameters()))
    leg.usage.invite_received(transaction, 0)
    leg.session.check(invite)
    return leg


def callee_leg(call: Call, invite: Request) -> Leg:
    """Of the one whom it is for; the caller's is there already."""
    return _leg_to(call, invite, invite.uri, _towards_callee(invite))


def _leg_to(call: Call, invite: Request, uri: str, known_as: Uri) -> Leg:
    identifiers = call.environment.layer.identifiers
    call_id, tag = identifiers.call_id(), identifiers.tag()
    contact = contact_of(call.environment, known_as)
    caller, levels = call.caller.dialog.remote, privacy_levels(invite)
    if "user" in levels:
        caller, call.caller.known_as = ANONYMOUS, ANONYMOUS_URI
    elif "id" in levels:
        call.caller.known_as = str(invite.from_.parsed_uri().without_parameters())
    dialog = Dialog(call_id, caller, tag, invite.get("To") or "", uri, contact)
    dialog.route_set = invite.elements("Route")[1:]
    return Leg(call, call.environment, CALLEE, dialog, str(parse_uri(uri).without_parameters()))


def another_callee(call: Call, uri: str, invite: Request) -> Leg:
    """From the callees: a leg for one more."""
    known_as = parse_address(call.callee.dialog.contact).parsed_uri()
    leg = _leg_to(call, invite, uri, known_as)
    call.all_calls.joined(leg)
    leg.other, leg.silent = call.caller, True
    if call.caller.early is not None:
        call.caller.early.joined(leg)
    call.environment.leg_joined(call.id, leg.dialog.call_id)
    return leg


def _towards_callee(invite: Request) -> Uri:
    """Session Manager as the callee knows it: the Route by which the call goes back to it."""
    routes = invite.elements("Route")
    return _towards_caller(invite) if len(routes) < 2 else parse_address(routes[1]).parsed_uri()


def _towards_caller(invite: Request) -> Uri:
    """Session Manager as the caller knows it: the topmost Record-Route with a user part (above it may stand that of our link,
    without one), else the Request-URI."""
    for value in invite.elements("Record-Route"):
        uri = parse_address(value).parsed_uri()
        if uri.user:
            return uri
    return invite.parsed_uri()
