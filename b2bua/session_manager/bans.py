"""Bans: a source whose credentials keep being wrong is not heard for a while.

What a banned source sends is dropped, except where it proves to be in a dialog of a standing call. Each wrong credential
counts alike, whether the user or the password was wrong; a challenge that is only stale, or not answered yet, does not
count, and the answer to what brings the ban about is the usual one. The source of a datagram proves nothing: who can forge
addresses can have somebody else banned, and so a ban is short, seen, and lifted by hand.

In memory: a restart lifts all bans.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final, NamedTuple

from b2bua.observer import Observer

MAX_SOURCES: Final = 10_000
"""Sources that are counted, and bans that stand; past it the oldest is forgotten, so that forged addresses fill no memory."""
NETWORK: Final = 64
"""Bits of an IPv6 address that tell one source from another: within a /64 anybody takes as many addresses as he likes."""


class BanRule(NamedTuple):
    """`failures` wrong credentials within `window` seconds: banned for `duration` seconds."""

    failures: int
    window: float
    duration: float


class Ban(NamedTuple):
    """One that stands."""

    source: str
    """An IPv4 address, or an IPv6 network."""
    seconds_left: float


class Bans:
    """`now` gives monotonic seconds; `log` gets an event and its fields."""

    def __init__(self, rule: BanRule, now: Callable[[], float], observer: Observer, log: Callable[..., object]) -> None:
        self._rule = rule
        self._now = now
        self._observer = observer
        self._log = log
        self._failures: dict[str, tuple[int, float]] = {}
        """Source → wrong credentials, and since when they are counted."""
        self._until: dict[str, float] = {}
        """Source → when its ban ends; the one that ends first stands first, as all bans are of one length."""

    @property
    def standing(self) -> Mapping[str, float]:
        """The same mapping always; empty when nobody is banned, so that who asks first whether it is pays nothing."""
        return self._until

    def holds(self, host: str) -> bool:
        """Whether this address is banned now."""
        self._end_what_is_over()
        return bool(self._until) and _source(host) in self._until

    def failed(self, host: str) -> None:
        """Credentials from this address were wrong."""
        source = _source(host)
        if not source:
            return
        now, rule = self._now(), self._rule
        count, since = self._failures.pop(source, (0, now))
        if now - since > rule.window:
            count, since = 0, now
        if count + 1 < rule.failures:
            _bound(self._failures)
            self._failures[source] = (count + 1, since)
            return
        self._end_what_is_over()
        self._until.pop(source, None)  # one in a dialog goes on failing: the end moves, and with it the place
        _bound(self._until)
        self._until[source] = now + rule.duration
        self._observer.source_banned("banned")
        self._log("source_banned", peer=source, seconds=rule.duration)

    def list(self) -> tuple[Ban, ...]:
        """Those that stand; the one that ends first is the first."""
        self._end_what_is_over()
        now = self._now()
        return tuple(Ban(source, until - now) for source, until in self._until.items())

    def remove(self, text: str) -> bool:
        """Lift the ban of an address, or of a source as `list` names it; False when there is none."""
        source = _source(text.partition("/")[0])
        self._end_what_is_over()
        if self._until.pop(source, None) is None:
            return False
        self._observer.source_banned("removed")
        self._log("ban_lifted", peer=source)
        return True

    def _end_what_is_over(self) -> None:
        now, until = self._now(), self._until
        while until:
            source = next(iter(until))
            if until[source] > now:
                return
            del until[source]


def _bound(table: dict[str, tuple[int, float]] | dict[str, float]) -> None:
    if len(table) >= MAX_SOURCES:
        del table[next(iter(table))]


def _source(host: str) -> str:
    """What of an address counts; "" for this host itself, which is never banned, and for what is no address."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return ""
    return str(address) if address.version == 4 else str(ip_network((int(address), NETWORK), strict=False))
