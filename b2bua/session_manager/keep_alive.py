"""Keeps the way in to phones behind NAT open: an OPTIONS every so often to where each was heard from.

It also tells which of them are gone. Only a phone that has answered before is taken for gone when it stops, for some
answer no OPTIONS at all. It keeps its registration, and is not called until it answers again or registers anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from b2bua.session_manager.location import Binding, Location
from b2bua.sip.flow import Flow, Flows, own_address
from b2bua.sip.max_forwards import MAX_FORWARDS
from b2bua.sip.message import Request, Response
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.timers import Timer

MAX_MISSES: Final = 3
"""Questions in a row without an answer that tell a phone is gone: a burst of loss is no proof, and each took 64·T1."""
_SPREAD: Final = 32
"""Parts of an interval over which first questions are spread: after a restart all phones come at once."""


class KeepAlive:
    """Watches all bindings; `report` is the log."""

    def __init__(
        self, layer: TransactionLayer, flows: Flows, location: Location, domain: str, interval: float,
        report: Callable[..., object],
    ) -> None:  # fmt: skip
        self.layer = layer
        self.flows = flows
        self.location = location
        self.domain = domain
        self.interval = interval
        self.report = report
        self._phones: dict[str, dict[tuple[object, ...], _Phone]] = {}
        self._number = 0

    def bindings_changed(self, user: str, bindings: Sequence[Binding]) -> None:
        """The bindings of a user are these now: `Location.watch`."""
        known = self._phones.pop(user, {})
        phones: dict[tuple[object, ...], _Phone] = {}
        for binding in bindings:
            if binding.nat:
                phone = known.pop(binding.way, None) or self._new(binding)
                phone.registered(binding)
                phones[binding.way] = phone
        for gone in known.values():
            gone.stop()
        if phones:
            self._phones[user] = phones

    def _new(self, binding: Binding) -> _Phone:
        self._number += 1
        return _Phone(self, binding, self.interval * (0.5 + self._number % _SPREAD / _SPREAD / 2))

    def asked(self) -> int:
        """How many phones are asked: for leak tests."""
        return sum(map(len, self._phones.values()))


class _Phone:
    """One contact behind NAT, and what it answered; the user of its OPTIONS."""

    def __init__(self, owner: KeepAlive, binding: Binding, first: float) -> None:
        self._owner = owner
        self._binding = binding
        self._cseq = 0
        self._call_id = owner.layer.identifiers.call_id()
        self._sent_at = 0.0
        self._has_answered = False
        self._misses = 0
        self._stopped = False
        self._timer: Timer | None = owner.layer.timers.start(first, self._ask)

    def registered(self, binding: Binding) -> None:
        """It has registered, and so is there."""
        self._binding = binding
        self._misses = 0
        self._owner.location.answers(binding, True)

    def stop(self) -> None:
        self._stopped = True
        self._owner.location.answers(self._binding, True)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ask(self) -> None:
        owner = self._owner
        flow = self._binding.flow(owner.flows)
        self._timer = None
        if flow is None:
            # Its connection is gone and so is the way to it; it comes back by another, which is another binding's.
            self._timer = owner.layer.timers.start(owner.interval, self._ask)
            return
        self._sent_at = owner.layer.timers.now()
        owner.layer.send_request(self._options(flow), flow, self)

    def _options(self, flow: Flow) -> Request:
        owner, binding = self._owner, self._binding
        self._cseq += 1
        request = Request("OPTIONS", binding.uri, [], [])
        request.extend([("Route", route) for route in binding.path])
        request.extend((
            ("Max-Forwards", MAX_FORWARDS),
            ("From", f"<sip:{owner.domain}>;tag={owner.layer.identifiers.tag()}"),
            ("To", f"<sip:{binding.aor}@{owner.domain}>"),
            ("Call-ID", self._call_id),
            ("CSeq", f"{self._cseq} OPTIONS"),
            ("Contact", f"<sip:{own_address(flow)}>"),
            ("Content-Length", "0"),
        ))  # fmt: skip
        return request

    # -- from the transaction layer ----------------------------------------------------------------------------

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """Any answer will do: 405 comes from a phone that is there."""
        if response.status >= 200:
            self._over(answered=True)

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        self._over(answered=False)

    def _over(self, answered: bool) -> None:
        if self._stopped:
            return
        owner, binding = self._owner, self._binding
        if answered:
            self._has_answered = True
            self._misses = 0
            if owner.location.answers(binding, True):
                owner.report("contact_answers", user=binding.aor, peer=binding.source)
        else:
            self._misses += 1
            if self._has_answered and self._misses == MAX_MISSES and owner.location.answers(binding, False):
                owner.report("contact_silent", user=binding.aor, peer=binding.source)
        elapsed = owner.layer.timers.now() - self._sent_at
        self._timer = owner.layer.timers.start(max(owner.interval - elapsed, 0.0), self._ask)
