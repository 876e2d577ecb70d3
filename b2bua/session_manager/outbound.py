"""Outbound (RFC 5626 §6): whether the flow that a REGISTER names may be told apart from the user's others, and is promised."""

from __future__ import annotations

from collections.abc import Sequence

from b2bua.sip.address import Address, parse_address
from b2bua.sip.errors import SipError
from b2bua.sip.flow import Flow
from b2bua.sip.message import Request

OUTBOUND = "outbound"


def reg_id_of(contact: Address) -> int:
    """The flow's number that a Contact gives; 0 for none, and without an instance, where it means nothing."""
    text = contact.parameter("reg-id")
    if text is None or not contact.parameter("+sip.instance") or not (text.isascii() and text.isdigit() and len(text) <= 10):
        return 0
    number = int(text)
    return number if number < 2**31 else 0  # RFC 5626 §4.2: 1 to 2³¹ − 1


def may_name_flows(request: Request, contacts: Sequence[Address]) -> bool:
    """Whether `reg-id` counts: it does not where a proxy on the way knows nothing of outbound, and a phone that relies on it
    hears 439. SipError 400 for several flows in one REGISTER."""
    named = [contact for contact in contacts if reg_id_of(contact)]
    if not named:
        return True
    if len(contacts) > 1 and sum(_expires(request, contact) != "0" for contact in contacts) > 1:
        raise SipError(400, "One Contact Per Flow").because(
            "registrar: several contacts with a reg-id in one REGISTER (RFC 5626 §6)"
        )
    if len(request.elements("Via")) == 1 or _edge_takes_part(request):
        return True
    if OUTBOUND in request.tokens("Supported"):
        raise SipError(439, "First Hop Lacks Outbound Support").because(
            "registrar: the first hop on the way does not take part in outbound (RFC 5626 §6)"
        )
    return False


def promised(request: Request, source: Flow) -> bool:
    """Whether the 2xx says `Require: outbound`. Over UDP it does not: the keep-alive there would be STUN (§4.4.2)."""
    if not source.reliable or not request.has("Contact") or OUTBOUND not in request.tokens("Supported"):
        return False
    contacts = [parse_address(value) for value in request.elements("Contact") if value != "*"]
    return any(map(reg_id_of, contacts)) and may_name_flows(request, contacts)


def _expires(request: Request, contact: Address) -> str | None:
    own = contact.parameter("expires")
    return request.get("Expires") if own is None else own


def _edge_takes_part(request: Request) -> bool:
    path = request.elements("Path")
    return bool(path) and parse_address(path[0]).parsed_uri().parameter("ob") is not None
