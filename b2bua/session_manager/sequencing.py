"""A call, or a message out of one, on its way through the applications of both parties: which comes next, which is skipped."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from b2bua.observer import Observer
from b2bua.session_manager.arrival import Arrival
from b2bua.session_manager.domain import Domain
from b2bua.session_manager.identity import caller_in
from b2bua.session_manager.links import FeatureLink, Links
from b2bua.session_manager.proxy import Proxy
from b2bua.session_manager.sequences import Position
from b2bua.session_manager.trunks import Trunks
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request
from b2bua.transaction.layer import TransactionLayer

SKIPPED: Final = "sequence: {} is left out, {}"
SEQUENCED: Final = frozenset(("INVITE", "MESSAGE"))
"""What passes applications when it begins no dialog, or a new one."""


class Sequencing:
    """Routes INVITEs and out-of-dialog MESSAGEs through the application sequence. `forward_invite` lets a phone's INVITE go on
    once there is a record of it; `past_the_last` sends one on that has passed all its applications. Both are given the
    arrival and who it is from."""

    def __init__(
        self, layer: TransactionLayer, links: Links, proxy: Proxy, domain: Domain, observer: Observer, trunks: Trunks | None,
        forward_invite: Callable[[Arrival, str, Callable[[], None]], None],
        past_the_last: Callable[[Arrival, str, str], None],
    ) -> None:  # fmt: skip
        self._layer = layer
        self._links = links
        self._proxy = proxy
        self._domain = domain
        self._observer = observer
        self._trunks = trunks
        self._forward_invite = forward_invite
        self._past_the_last = past_the_last

    def to_application(self, arrival: Arrival, user: str, owner: str, position: Position | None = None) -> bool:
        """Hand a request to the application that follows; False when there is none any more. `user` is that of the domain
        who is called, `owner` who has proven to be the caller; without a `position` it has passed no application yet."""
        links = self._links
        if not links.sequence:
            return False
        callee = "" if user and self._departs(arrival, user, owner) else user
        new = position is None
        if position is None:
            position = links.sequences.begin(owner or caller_in(arrival.request, self._domain, False))
        position, link = self._next(arrival.request, links.sequences.settle(position, callee), callee)
        if link is None:
            return False
        without = None
        if link.name in links.sequences.optional or (link.over_network and arrival.request.method != "INVITE"):
            without = partial(self._go_on_without, arrival, user, owner, position.over())
        served = position.served if links.sequences.apart(position, callee) else ""
        go_on = partial(self._proxy.to_application, arrival, user, owner, link, position, served, without)
        if new and arrival.request.method == "INVITE":
            self._forward_invite(arrival, owner, go_on)
        else:
            go_on()
        return True

    def _next(self, request: Request, position: Position, callee: str) -> tuple[Position, FeatureLink | None]:
        """The next application, in front of which the call stands then; those that may be skipped are while they are down."""
        sequences = self._links.sequences
        while position.left:
            name = position.left[0]
            link = self._links.named(name)
            if name not in sequences.optional:
                if link is None:
                    raise SipError(480, "Feature Server Unknown").because("sequence: {} is next, and there is no such link", name)
                return position, link
            if link is not None and link.up:
                return position, link
            self._observer.application_skipped("down")
            request.why = (request.why, SKIPPED, name, "it does not answer its heartbeat")
            position = sequences.settle(position.over(), callee)
        return position, None

    def _go_on_without(self, arrival: Arrival, user: str, owner: str, position: Position, why: str) -> None:
        """The application in front of this position has not answered, or knows no such requests."""
        assert arrival.transaction is not None, "what goes through applications has one"
        self._observer.application_skipped(why)
        request = arrival.request
        told = "it has not answered in time, or with 503" if why == "silent" else f"it knows no {request.method}"
        request.why = (request.why, SKIPPED, position.passed[-1], told)

        def work() -> None:
            if not self.to_application(arrival, user, owner, position):
                self._past_the_last(arrival, user, owner)

        self._layer.resume(arrival.transaction, arrival.request, work)

    def _departs(self, arrival: Arrival, user: str, owner: str) -> bool:
        """Whether a number of the domain leads out of it: nobody here is its callee."""
        if self._trunks is None:
            return False
        request = arrival.request
        caller = owner or caller_in(request, self._domain, arrival.link is not None)
        return self._trunks.departures(request.method, request.uri, user, caller) is not None
