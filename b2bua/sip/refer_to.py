"""The Refer-To header: whom the party that gets a REFER is to call, and how (RFC 3515 §2.1, RFC 3261 §19.1.1)."""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import unquote

from b2bua.sip.address import parse_address
from b2bua.sip.errors import MalformedValue
from b2bua.sip.message import Request
from b2bua.sip.replaces import Replaces, parse_replaces
from b2bua.sip.uri import Uri

_SCHEMES: Final = ("sip", "sips")


class ReferTo(NamedTuple):
    """What is asked for."""

    uri: Uri
    """Whom to call, without the headers and the method that stood in it."""
    method: str
    """INVITE where nothing is said."""
    replaces: Replaces | None
    """The dialog that the new one is to take the place of (RFC 5589 §7)."""


def refer_to_of(refer: Request) -> ReferTo:
    """What a REFER asks for; MalformedValue (400) when that cannot be read, is missing or stands there twice."""
    values = refer.elements("Refer-To")
    if len(values) != 1:
        raise MalformedValue("Refer-To")
    uri = parse_address(values[0]).parsed_uri()
    if uri.scheme not in _SCHEMES:
        return ReferTo(uri, "INVITE", None)
    method = unquote(uri.parameter("method") or "INVITE")
    return ReferTo(_plain(uri), method, _replaces_in(uri.headers))


def _plain(uri: Uri) -> Uri:
    """The URI as a Request-URI: no headers, no method (RFC 3261 §19.1.1, table 1)."""
    parts = [part for part in uri.parameters[1:].split(";") if part and part.partition("=")[0].lower() != "method"]
    return uri._replace(parameters="".join(f";{part}" for part in parts), headers="", password="")


def _replaces_in(headers: str) -> Replaces | None:
    """The Replaces among the headers of a URI; any other is not taken over (RFC 3261 §19.1.5)."""
    found = [value for name, _, value in (part.partition("=") for part in headers[1:].split("&")) if _is_replaces(name)]
    if len(found) > 1:
        raise MalformedValue("Refer-To")
    return parse_replaces(unquote(found[0], errors="surrogateescape")) if found else None


def _is_replaces(name: str) -> bool:
    return unquote(name).lower() == "replaces"
