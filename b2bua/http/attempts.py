"""How often somebody may be wrong: wrong log-ins of one address, and how long it has to wait after too many of them."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

MOST_WRONG: Final = 5
"""Wrong log-ins of one address, after which it waits."""
WAIT_SECONDS: Final = 60.0
"""From the first of them; then it may be wrong as often once more."""
MAX_SOURCES: Final = 10_000
"""Addresses that are counted; past it the oldest is forgotten."""
_NETWORK: Final = 64
"""Bits of an IPv6 address that tell one source from another: within a /64 anybody takes as many addresses as he likes."""


class Attempts:
    """`now` gives monotonic seconds. An attempt counts from its beginning, so that many at once are no way around."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._wrong: dict[str, tuple[int, float]] = {}

    def begin(self, host: str) -> float:
        """0 when this address may try now, and the attempt counts as wrong until `right`; else the seconds that it waits."""
        source, now = _source(host), self._now()
        count, since = self._wrong.pop(source, (0, now))
        if now - since >= WAIT_SECONDS:
            count, since = 0, now
        if len(self._wrong) >= MAX_SOURCES:
            del self._wrong[next(iter(self._wrong))]
        self._wrong[source] = (min(count + 1, MOST_WRONG + 1), since)
        return since + WAIT_SECONDS - now if count >= MOST_WRONG else 0.0

    def right(self, host: str) -> None:
        """It was right after all: what this address did wrong before is forgotten."""
        self._wrong.pop(_source(host), None)


def _source(host: str) -> str:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(address) if address.version == 4 else str(ip_network((int(address), _NETWORK), strict=False))
