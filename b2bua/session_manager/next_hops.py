"""Next hops that have a name: their targets by RFC 3263, those left alone for a while that failed lately, the flows there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from b2bua.observer import Observer
from b2bua.sip.flow import Flow, Flows, HostPort
from b2bua.sip.next_hop import Locator, Target

MAX_RESTING: Final = 4096
"""Targets that are left alone at a time; at that many the memory starts anew."""
LONGEST_REST: Final = 3600.0
"""Seconds that a Retry-After can buy at most."""
_WHY: Final = {408: "timeout", 503: "unavailable", 0: "unreachable"}
"""How a target failed: no answer, its own 503, no connection."""

TIMED_OUT: Final = 408
UNAVAILABLE: Final = 503
UNREACHABLE: Final = 0
FLOW_FAILED: Final = 430
"""What a proxy before a phone answers whose connection to it is gone (RFC 5626 §11.5)."""


class NextHops:
    """Finds targets and remembers which failed. `rest`: seconds for which one is tried after all others; 0: none.
    `ours`: whether an address is a listener of ours. `report` is the log."""

    def __init__(
        self, locator: Locator, flows: Flows, now: Callable[[], float], rest: float, observer: Observer,
        report: Callable[..., object], ours: Callable[[HostPort], bool] = lambda address: False,
    ) -> None:  # fmt: skip
        self.locate: Final = locator.locate
        self._flows = flows
        self._now = now
        self._rest = rest
        self._observer = observer
        self._report = report
        self._ours = ours
        self._resting: dict[tuple[str, HostPort], float] = {}
        self._silent: set[tuple[str, HostPort]] = set()
        """Those that do not answer OPTIONS: only trunks that are watched are in here (trunk_watch.py)."""

    def ordered(self, targets: tuple[Target, ...]) -> list[Target]:
        """Those that failed lately behind the others: where all have, they are better than nothing (RFC 3263 §4.3). A name
        that leads back to us leads nowhere."""
        others = [target for target in targets if not self._ours(target.address)]
        return sorted(others, key=self.rests) if self._resting or self._silent else others

    def rests(self, target: Target) -> bool:
        """Whether a target failed lately, or is silent."""
        key = target.transport, target.address
        if key in self._silent:
            return True
        until = self._resting.get(key)
        if until is None:
            return False
        if until <= self._now():
            del self._resting[key]
            return False
        return True

    def silent(self, target: Target) -> None:
        """It does not answer OPTIONS: it rests until it does."""
        self._silent.add((target.transport, target.address))

    def heard(self, target: Target) -> None:
        """It does, or is not asked any more."""
        self._silent.discard((target.transport, target.address))

    def failed(self, target: Target, why: int, seconds: int | None = None) -> None:
        """A target did not serve a request: `why` is one of the three words above, `seconds` its own Retry-After."""
        self._observer.next_hop_failed(_WHY[why])
        rest = self._rest if seconds is None else min(float(seconds), LONGEST_REST)
        if rest <= 0:
            return
        if len(self._resting) >= MAX_RESTING:
            self._resting.clear()
        self._resting[target.transport, target.address] = self._now() + rest
        self._report(
            "next_hop_failed", peer=target.address, name=target.name, transport=target.transport, reason=_WHY[why],
            seconds=rest,
        )  # fmt: skip

    def flow(self, target: Target) -> Flow | None:
        """The way to a target; None when there is no listener for it (any more)."""
        return self._flows.open(target.transport, "", target.address, target.name)
