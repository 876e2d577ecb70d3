"""What a trunk wants said otherwise: numbers and headers of the requests to it and from it, out of dialog.

In a call nothing is changed: there the Request-URI is the other side's Contact.
"""

from __future__ import annotations

from typing import NamedTuple

from b2bua.session_manager.header_rule import HeaderRule, apply_rules
from b2bua.session_manager.number_rule import NumberRule, adapt_address, adapt_uri
from b2bua.sip.message import Request
from b2bua.sip.uri import Uri

_ASSERTED = "P-Asserted-Identity"


class Adaptation(NamedTuple):
    """Shared by the entities that name it; `out` is to the trunk, `in` from it."""

    name: str = ""
    called_out: tuple[NumberRule, ...] = ()
    """Rules for the number in the Request-URI."""
    called_in: tuple[NumberRule, ...] = ()
    asserted_out: tuple[NumberRule, ...] = ()
    """Rules for the number in P-Asserted-Identity, where the trunk is told it at all; From is the caller's own."""
    asserted_in: tuple[NumberRule, ...] = ()
    headers_out: tuple[HeaderRule, ...] = ()
    headers_in: tuple[HeaderRule, ...] = ()

    def uri_out(self, uri: Uri) -> Uri:
        """The Request-URI as the trunk wants it."""
        return adapt_uri(self.called_out, uri) if self.called_out else uri

    def to_trunk(self, request: Request) -> None:
        """Adapt a request in the making, whose Request-URI is adapted already."""
        _adapt_asserted(request, self.asserted_out)
        apply_rules(self.headers_out, request)

    def from_trunk(self, request: Request) -> Request:
        """A request of the trunk as we want it: another one, or itself where nothing is to change."""
        if not (self.called_in or self.asserted_in or self.headers_in):
            return request
        adapted = request.copy()
        if self.called_in:
            adapted.uri = str(adapt_uri(self.called_in, request.parsed_uri()))
        _adapt_asserted(adapted, self.asserted_in)
        apply_rules(self.headers_in, adapted)
        return adapted


NONE = Adaptation()


def _adapt_asserted(request: Request, rules: tuple[NumberRule, ...]) -> None:
    if not rules or _ASSERTED not in request.names:
        return
    values = request.elements(_ASSERTED)
    request.remove(_ASSERTED)
    for value in values:
        request.append(_ASSERTED, adapt_address(rules, value))
