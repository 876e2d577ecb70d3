"""Who a request says it is from, and whether that is told on: RFC 3325 at the edge of the trust domain."""

from __future__ import annotations

from typing import Final

from b2bua.session_manager.domain import Domain
from b2bua.sip.address import parse_address
from b2bua.sip.errors import MalformedValue
from b2bua.sip.message import Message, Request
from b2bua.sip.privacy import privacy_levels

ASSERTED: Final = frozenset(("P-Asserted-Identity", "P-Preferred-Identity", "P-Served-User"))
"""Headers that mean something within the trust domain only."""
_ANONYMOUS_HOST: Final = "anonymous.invalid"
_NAMELESS: Final = frozenset(("INVITE", "MESSAGE", "REFER", "OPTIONS"))
"""Methods whose From says nothing that we would act on: an application goes by the asserted identity."""
_HIDING: Final = frozenset(("id", "user", "header"))


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
