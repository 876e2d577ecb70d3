"""Who a request says it is from, and whether that is told on: RFC 3325 at the edge of the trust domain."""

from __future__ import annotations

from typing import Final

from b2bua.observer import Observer
from b2bua.session_manager.domain import Domain
from b2bua.sip.address import parse_address
from b2bua.sip.errors import MalformedValue, SipError
from b2bua.sip.message import Message, Request
from b2bua.sip.privacy import privacy_levels

ASSERTED: Final = frozenset(("P-Asserted-Identity", "P-Preferred-Identity", "P-Served-User"))
"""Headers that mean something within the trust domain only."""
_ANONYMOUS_HOST: Final = "anonymous.invalid"
_NAMELESS: Final = frozenset(("INVITE", "MESSAGE", "REFER", "OPTIONS"))
"""Methods whose From says nothing that we would act on: an application goes by the asserted identity."""
_HIDING: Final = frozenset(("id", "user", "header"))
NOT_THE_OWNER: Final = "owner: the credentials are of {}, the address {} is not"


def is_anonymous(request: Request) -> bool:
    """Whether a phone leaves its user's name out of From and says that it means to (RFC 3323 §4.1.1.3)."""
    if "Privacy" not in request.names or request.method not in _NAMELESS:
        return False
    try:
        host = request.from_.parsed_uri().bare_host
    except MalformedValue:
        return False
    return host == _ANONYMOUS_HOST and not _HIDING.isdisjoint(privacy_levels(request))


def withhold(message: Message) -> None:
    """Before a message leaves the trust domain: the asserted identity goes where `id` was asked for (RFC 3325 §7)."""
    if "P-Asserted-Identity" in message.names and "id" in privacy_levels(message):
        message.remove("P-Asserted-Identity")


def strip(message: Message) -> None:
    """What somebody outside the trust domain asserts of itself is worth nothing (RFC 3325 §5)."""
    for name in ASSERTED.intersection(message.names):
        message.remove(name)


def caller_in(request: Request, domain: Domain, trusted: bool) -> str:
    """The user of the domain that a request says it is from, "" for somebody else: whom an application asserts, where it is
    one that is `trusted`, else who From names."""
    if trusted:
        for value in request.elements("P-Asserted-Identity"):
            user = domain.user_in(parse_address(value).uri)
            if user:
                return user
    return domain.user_in(request.from_.uri) or ""


def check_owner(request: Request, owner: str, domain: Domain, observer: Observer) -> None:
    """The user who has proven to be it owns the To of a REGISTER, and the From of all else; 403 otherwise."""
    if not owner:
        return
    if request.method == "REGISTER" and request.to.parsed_uri().scheme not in ("sip", "sips"):
        observer.registered("error")
        raise SipError(400, "To Is No SIP URI").because(
            "registrar: the To is no SIP URI, so no address of record (RFC 3261 §10.2)"
        )
    address = request.to if request.method == "REGISTER" else request.from_
    if is_anonymous(request):
        return  # who it is has been proven, and the applications are told (RFC 3325 §5)
    if domain.user_in(address.uri) != owner:
        if request.method == "REGISTER":
            observer.registered("forbidden")
        raise SipError(403, "Not Your Address Of Record").because(NOT_THE_OWNER, owner, address.uri)
