"""The limit of requests a source: what one address may ask for in a second, before any state is made for it.

Counted are requests out of dialog, REGISTER with a wrong password like any other. Who is over the limit is answered without
a transaction, 480 to an INVITE, 500 + Retry-After to the rest (towards phones never 503), and beyond a tenth of the limit
not at all. ACK, CANCEL, retransmissions and what proves to be in a dialog of a standing call are never refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from b2bua.observer import Observer
from b2bua.session_manager.links import Links
from b2bua.session_manager.stateless_refusal import stateless_refusal
from b2bua.session_manager.token_buckets import TokenBuckets
from b2bua.sip.flow import Flow
from b2bua.sip.message import Request
from b2bua.sip.why import Why
from b2bua.transaction.transaction_user import Verdict

_LOOPBACK: Final = ("127.", "::ffff:127.")
"""This host itself is not limited: load generators, health checks, a proxy in front."""


OVER_LIMIT: Final[Why] = (None, "overload: this address asks for more than requests_per_source allows")


class SourceLimit:
    """Refuses requests of a source that sends more than `rate` a second. `in_dialog`: whether a request with a To tag proves
    to belong to a standing dialog; asked only when its source is over the limit."""

    def __init__(
        self, rate: int, now: Callable[[], float], links: Links, observer: Observer, in_dialog: Callable[[Request], bool]
    ) -> None:
        self._requests = TokenBuckets(rate, now)
        self._refusals = TokenBuckets(max(rate // 10, 1), now)
        self._links = links
        self._observer = observer
        self._in_dialog = in_dialog

    def refusal(self, request: Request, flow: Flow) -> Verdict:
        """True when the request may pass; else the response that it gets, or None when it is dropped."""
        host = flow.remote[0]
        if host.startswith(_LOOPBACK) or host == "::1" or self._links.of(flow) is not None:
            return True
        if request.to.tag and request.method != "REGISTER":
            if not self._requests.empty(host) or self._in_dialog(request):
                return True
        elif self._requests.take(host):
            return True
        self._observer.overload_rejected("requests")
        if not self._refusals.take(host):
            self._observer.message_dropped("source over its limit")
            return None
        response = stateless_refusal(request)
        response.why = OVER_LIMIT
        return response

    def charge(self, flow: Flow) -> None:
        """A request with a To tag proved nothing: it counts like one out of dialog."""
        self._requests.take(flow.remote[0])
