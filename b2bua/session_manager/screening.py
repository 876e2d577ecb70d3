"""What a request must pass before anyone looks at what it wants: the order of RFC 3261 §16.3."""

from __future__ import annotations

from typing import Final

from b2bua.session_manager.domain import Domain
from b2bua.sip.errors import SipError
from b2bua.sip.flow import Flow, is_secure
from b2bua.sip.message import Request
from b2bua.sip.uri import parse_uri

SUPPORTED: Final = frozenset(("path",))
"""Option tags that Session Manager understands where it is the server itself (registrar, notifier, compositor)."""


PRIVACY: Final = "privacy"
"""The option tag of RFC 3323 §4.2: the feature server, which is asked next, is a privacy service or refuses to be one."""


SIPS_NOT_ALLOWED: Final = '380 b2bua "SIPS Not Allowed"'
"""The Warning that tells a caller why `sips` leads nowhere (RFC 5630 §6)."""

_NAMING_TARGET: Final = frozenset(("INVITE", "UPDATE", "SUBSCRIBE", "REFER"))
"""Methods whose Contact becomes the target of what we or others send later."""


def no_sips(reason: str) -> SipError:
    """What a request for a `sips` URI is answered where a hop is not secure (RFC 5630 §5.3): never 416, which says that
    nobody knows the scheme."""
    return SipError(480, reason, ("Warning", SIPS_NOT_ALLOWED)).because(
        "routing: a sips URI is for hops by TLS alone (RFC 5630 §5.3)"
    )


def screen(request: Request, source: Flow) -> int | None:
    """Scheme (416), `sips` on a hop that is not secure (480), Max-Forwards (483), Proxy-Require (420); SipError says which.
    Gives Max-Forwards, if it is there."""
    scheme = parse_uri(request.uri).scheme
    if scheme != "sip":
        if scheme != "sips":
            raise SipError(416).because("refused: the scheme of the Request-URI is neither sip nor sips (RFC 3261 §16.3 step 2)")
        if not is_secure(source):
            raise no_sips("SIPS Needs TLS")
    hops = request.integer("Max-Forwards")
    if hops == 0 and request.method not in ("OPTIONS", "REGISTER"):
        # RFC 3261 §16.3 step 3; an OPTIONS or REGISTER for ourselves needs no further hop, and an ACK is
        # dropped, it has no answer.
        raise SipError(483).because("refused: Max-Forwards is used up, it goes no further (RFC 3261 §16.3 step 3)")
    if "Proxy-Require" in request.names:
        unknown = [tag for tag in request.elements("Proxy-Require") if tag.lower() != PRIVACY]
        if unknown:
            raise SipError(420, "", ("Unsupported", ", ".join(unknown))).because(
                "refused: Proxy-Require names what this proxy does not know (RFC 3261 §16.3 step 5)"
            )
    return hops


def require_supported(request: Request, *more: str) -> None:
    """420 for an extension that we, as the server of this request, do not know (RFC 3261 §8.2.2.3); `more`: those that are known
    for its method."""
    if "Require" not in request.names:
        return
    unknown = sorted(request.tokens("Require") - SUPPORTED.union(more))
    if unknown:
        raise SipError(420, "", ("Unsupported", ", ".join(unknown))).because(
            "refused: Require names what this server does not know (RFC 3261 §8.2.2.3)"
        )


def check_contact(request: Request, source: Flow, domain: Domain) -> None:
    """A phone whose Contact is a listener of ours would have us call ourselves; one whose Contact is `sips` and who does
    not speak TLS could never be sent anything (RFC 5630 §5.1)."""
    contact = request.contact() if request.method in _NAMING_TARGET else None
    if contact is None:
        return
    uri = contact.parsed_uri()
    if domain.is_listener(uri):
        raise SipError(403, "Contact Is This Server").because(
            "refused: Contact names this server itself, which would be a loop"
        )
    if uri.scheme == "sips" and not is_secure(source):
        raise SipError(400, "SIPS Contact Without TLS").because("refused: a sips Contact on a connection that is not secure")
