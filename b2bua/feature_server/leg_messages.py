"""Messages as a leg sends them: what of the other leg's message is carried, and what is its own."""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, Final

from b2bua.dialog.dialog import Dialog
from b2bua.dialog.reliable_provisional import supports
from b2bua.feature_server.carried import carry, carry_body, carry_challenges, carry_credentials
from b2bua.feature_server.contract import ALWAYS, NEVER, Environment
from b2bua.feature_server.refusals import BY_A_FEATURE, BY_FEATURE
from b2bua.sip.max_breadth import put_breadth
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.response_to import response_to
from b2bua.sip.rseq import RELIABLE
from b2bua.sip.uri import Uri
from b2bua.sip.why import Why

if TYPE_CHECKING:
    from b2bua.feature_server.leg import Leg

PASSED_ON: Final = "B2BUA: the {} of {}, passed on to the other leg under its own Call-ID, tags and CSeq"
PASSED_BACK: Final[Why] = (None, "B2BUA: what the other leg was answered, passed back")
ANSWERED_HERE: Final[Why] = (None, "B2BUA: answered here, not by the other party")


def contact_of(environment: Environment, known_as: Uri) -> str:
    """A Contact of ours: a token for the leg, scheme, address and transport of Session Manager as the party knows it
    (`sips` where it was called so, RFC 3261 §12.1.1), and `fs`, our name, by which Session
    Manager finds the link."""
    transport = known_as.parameter("transport")
    address = f"{known_as.host}:{known_as.port or 5060}" + (f";transport={transport}" if transport else "")
    scheme = "sips" if known_as.scheme == "sips" else "sip"
    return f"<{scheme}:{environment.layer.identifiers.tag()}@{address};fs={environment.name}>"


def finish_request(leg: Leg, request: Request, source: Request, body: bytes, why: Why | None = None) -> None:
    """Complete a request that passes that of the other party on; of the dialog it has what `Dialog.make_request` gives it.
    `why` is for the trace; without it, what `Call.acted` has."""
    left = source.integer("Max-Forwards")
    names, lines = request.names, request.lines
    names.append("Max-Forwards")
    lines.append(f"Max-Forwards: {max(left - 1, 0) if left is not None else 70}")
    put_breadth(request, source)  # both as a proxy does it (RFC 7332 §5, §6)
    if request.method == "INVITE":
        names += leg.call.hooks.own_names
        lines += (f"Contact: {leg.dialog.contact}", *leg.call.hooks.own_lines)
    leg.session.ask(request)
    carry(source, request)
    carry_credentials(source, request, leg.environment.domain)
    carry_body(source, request, body)
    call = leg.call
    request.call = call.id
    request.why = (why or call.acted, PASSED_ON, source.method, leg.other.party)
    call.acted = None
    if request.method == "INVITE":
        leg.open_invite = request


def finish_invite(leg: Leg, request: Request, source: Request, body: bytes) -> None:
    """Complete the first INVITE of a leg."""
    finish_request(leg, request, source, body)
    reliable = leg.environment.reliable
    if reliable != NEVER and (supports(source) or (reliable == ALWAYS and body)):
        # ALWAYS not without an offer: what the callee would offer then, a caller without 100rel could not answer.
        request.append("Supported", RELIABLE)


def leg_response(
    leg: Leg, request: Request, status: int, source: Message | None, body: bytes, reason: str, why: Why | None = None,
    dialog: Dialog | None = None,
) -> Response:  # fmt: skip
    """A response to a request of the party of `leg`, for whoever sends it; `why` as above; `dialog`: the early one that it
    belongs to."""
    if not reason and isinstance(source, Response) and source.status == status:
        reason = source.reason
    response = response_to(request, status, reason, (dialog or leg.dialog).local_tag)
    del response.names[-1], response.lines[-1]  # Content-Length goes last, with the body
    if 100 < status < 300 and request.method in ("INVITE", "UPDATE"):
        routes = list(compress(request.lines, map("Record-Route".__eq__, request.names)))
        response.names += ["Record-Route"] * len(routes)
        response.names += leg.call.hooks.own_names
        response.lines += (*routes, f"Contact: {leg.dialog.contact}", *leg.call.hooks.own_lines)
        if status >= 200:
            leg.session.answer(request, response)
    if source is not None:
        carry(source, response)
        if 300 <= status < 400:
            for value in source.get_all("Contact"):  # where the party is to be found instead (RFC 3261 §21.3)
                response.append("Contact", value)
        if status in (401, 407):
            carry_challenges(source, response, leg.environment.domain)
        carry_body(source, response, body)
    else:
        response.append("Content-Length", "0")
    call = leg.call
    response.call = call.id
    response.why = why or call.acted or (PASSED_BACK if source is not None else _answered_here(leg, status))
    call.acted = None
    return response


def _answered_here(leg: Leg, status: int) -> Why:
    """Nobody has said why: it was a feature that did, where it is a refusal."""
    if status < 300:
        return ANSWERED_HERE
    feature = leg.call.hooks.acting()
    return (None, BY_FEATURE, feature, status) if feature else BY_A_FEATURE


def add_own_headers(leg: Leg, request: Request) -> None:
    """Contact, and what the features have this server say of itself."""
    hooks = leg.call.hooks
    request.names += hooks.own_names
    request.lines += (f"Contact: {leg.dialog.contact}", *hooks.own_lines)
