"""What a strict router leaves in a Request-URI, and what it wants to find there (RFC 3261 §16.4, §16.6 step 6): peers of
RFC 2543, which know no `lr`, have the next hop in the Request-URI and the target at the end of the Routes."""

from __future__ import annotations

from b2bua.session_manager.domain import Domain
from b2bua.session_manager.tokens import Tokens
from b2bua.sip.address import parse_address
from b2bua.sip.message import Request
from b2bua.sip.uri import Uri


def loosened(request: Request, domain: Domain, tokens: Tokens) -> Request:
    """A request as a loose router would have sent it: where its Request-URI is one of our Record-Routes, that becomes the first
    Route and the last Route the Request-URI. Else the request itself."""
    if ";lr" not in request.uri or "Route" not in request.names:
        return request
    uri = request.parsed_uri()
    if not domain.is_alias(uri.host, uri.port) or tokens.read_flow(uri.user, request.call_id) is None:
        return request
    *routes, target = request.elements("Route")
    return _rerouted(request.copy(), parse_address(target).uri, [f"<{request.uri}>", *routes])


def tightened(request: Request, beyond: Uri | None) -> Request:
    """A request of ours in the making as its next hop wants it: where the first Route (`beyond`) has no `lr`, that becomes the
    Request-URI, and the Request-URI the last Route."""
    if beyond is None or beyond.parameter("lr") is not None:
        return request
    router, *routes = request.elements("Route")
    return _rerouted(request, parse_address(router).uri, [*routes, f"<{request.uri}>"])


def _rerouted(request: Request, uri: str, routes: list[str]) -> Request:
    index = request.names.index("Route")
    request.remove("Route")
    request.names[index:index] = ["Route"] * len(routes)
    request.lines[index:index] = [f"Route: {route}" for route in routes]
    request.uri = uri
    return request
