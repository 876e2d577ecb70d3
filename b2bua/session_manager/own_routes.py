"""The Route values on top of a request that are ours: what they prove, and how many come off (RFC 3261 §16.4)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from b2bua.session_manager.domain import Domain
from b2bua.session_manager.sequences import Position
from b2bua.session_manager.tokens import FlowToken, Tokens
from b2bua.sip.address import parse_address
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request
from b2bua.sip.uri import CACHED_LENGTH, Uri

MAX_REMEMBERED: Final = 8192
"""Routes that are remembered; at that many the memory starts anew."""
MAX_OWN: Final = 16
"""Routes of ours on one request: a dialog has two, a spiral some more. Taking them off costs time for each."""


@dataclass(slots=True)
class OwnRoutes:
    """What the top Routes of one request say. Only a token that opens under our key says anything."""

    count: int = 0
    """How many Route values are taken off before the request goes on."""
    first: FlowToken | None = None
    """The flow that the topmost of our Record-Routes was made for."""
    second: FlowToken | None = None
    """The flow of the next one: there are two when both sides of the dialog are phones (RFC 5658)."""
    position: Position | None = None
    """How far the request came in the sequence of applications."""
    came_as: str = ""
    """The Call-ID under which it went to the application that brings it back."""
    texts: tuple[str, ...] = ()
    """The tokens as sent, for the Record-Route that goes in again."""
    beyond: Uri | None = None
    """The topmost Route that is not ours: a proxy before the phone that record-routed, or was in its Path."""


NONE = OwnRoutes()


@lru_cache(maxsize=4096)
def _read_uri(value: str) -> Uri:
    return parse_address(value).parsed_uri()


def _uri_of(value: str) -> Uri:
    """The URI of a Route value. Cached: a call brings the same few a dozen times."""
    return _read_uri(value) if len(value) <= CACHED_LENGTH else _read_uri.__wrapped__(value)


class OwnRouteReader:
    """Reads the top Routes, and remembers what the one Route of a dialog's side proved: a call brings it a dozen times."""

    def __init__(self, domain: Domain, tokens: Tokens) -> None:
        self._domain = domain
        self._tokens = tokens
        self._known: dict[tuple[str, str], OwnRoutes] = {}

    def read(self, request: Request) -> OwnRoutes:
        """What the Routes say as far as they are ours; MalformedValue when one is no address, SipError 400 for too many."""
        names = request.names
        if "Route" not in names:
            return NONE
        if names.count("Route") > 1:
            return _read(request, self._domain, self._tokens)
        key = request.lines[names.index("Route")], request.call_id
        own = self._known.get(key)
        if own is None:
            own = _read(request, self._domain, self._tokens)
            # What proved nothing is not kept: any stranger can send that, and addresses of ours may still be learned.
            if own.first is not None:
                if len(self._known) >= MAX_REMEMBERED:
                    self._known.clear()
                self._known[key] = own
        return own


def _read(request: Request, domain: Domain, tokens: Tokens) -> OwnRoutes:
    own = OwnRoutes()
    for value in request.elements("Route"):
        uri = _uri_of(value)
        if not domain.is_alias(uri.host, uri.port):
            own.beyond = uri
            break
        own.count += 1
        if own.count > MAX_OWN:
            raise SipError(400, "Too Many Routes").because("refused: too many Routes lead here")
        if not uri.user:
            continue
        token = tokens.read_flow(uri.user, request.call_id)
        if token is None:
            if own.position is None and (back := tokens.read_position(uri.user)) is not None:
                own.position, own.came_as = back
        elif own.first is None:
            own.first, own.texts = token, (uri.user,)
        else:
            own.second, own.texts = token, (*own.texts, uri.user)
    return own
