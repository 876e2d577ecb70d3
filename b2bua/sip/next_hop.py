"""Where a URI leads (RFC 3263 §4): what to ask the DNS, and the targets that its answers make, in the order to try them.

A search is a generator: it yields questions and is sent answers. Who asks them, and keeps the answers, is
`b2bua.transport.resolver.Resolver`; here is no network, no time, and the one random choice is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Final, NamedTuple, Protocol

from b2bua.sip.flow import HostPort
from b2bua.sip.uri import DEFAULT_PORTS, Uri, is_address

MAX_TARGETS: Final = 16
"""Targets of one URI; nobody waits for more."""
MAX_QUESTIONS: Final = 24
"""Questions for one URI: a stranger's records cannot keep us asking."""


class Target(NamedTuple):
    """One address that a request may go to."""

    transport: str
    """`udp`, `tcp`, `tls`."""
    address: HostPort
    name: str
    """The name that was looked for: what a certificate over TLS must stand for (RFC 5922 §4, never a name that the DNS gave)."""


class Naptr(NamedTuple):
    """A NAPTR record (RFC 3403 §4.1); the domain names in small letters without the last dot."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


class Srv(NamedTuple):
    """An SRV record (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


Record = Naptr | Srv | str
"""What an answer has: an address is its text."""


class Question(NamedTuple):
    """What is asked."""

    name: str
    kind: str
    """`NAPTR`, `SRV`, `A`, `AAAA`."""


Answer = tuple[Record, ...]
Search = Generator[Question, Answer, tuple[Target, ...]]
Pick = Callable[[int], int]
"""`pick(n)`: a whole number from 0 to n, both among them, each as likely."""
Reach = frozenset[tuple[str, str]]
"""Transports and the kinds of address that we have a listener for: `("udp", "A")`."""


class Locator(Protocol):
    """Who finds targets; `b2bua.transport.resolver.Resolver` is one."""

    def locate(self, uri: Uri, found: Callable[[tuple[Target, ...]], None]) -> None:
        """Call `found` once, now or later, with the targets in order; with none when the name leads nowhere."""


def named_host(uri: Uri) -> str:
    """The name that a URI is looked up by, "" where that is an address or no name that anybody could look up (RFC 6761
    §6.4, `.invalid`; a name without a dot is known to its own network only)."""
    host = (uri.parameter("maddr") or uri.host).strip("[]").rstrip(".").lower()
    if is_address(host) or "." not in host or host.endswith(_NOWHERE):
        return ""
    return host


_NOWHERE: Final = (".invalid", ".local", ".localhost")
_SERVICES: Final = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}
"""Service of a NAPTR record → transport (RFC 3263 §4.1). SIP over SCTP and WebSockets are not opened by us."""
_LABELS: Final = {"udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp."}
_KINDS: Final = ("A", "AAAA")


def search(uri: Uri, reach: Reach, pick: Pick) -> Search:
    """RFC 3263 §4.1 and §4.2: transport, then addresses and ports."""
    host = (uri.parameter("maddr") or uri.host).strip("[]").rstrip(".").lower()
    secure = uri.scheme == "sips"
    named = uri.transport if uri.parameter("transport") else ""
    usual = "tls" if secure else "udp"
    if is_address(host) or uri.port is not None:
        transport = named or usual
        return tuple((yield from _addresses(host, uri.port or DEFAULT_PORTS.get(transport, 5060), transport, host, reach)))
    if named:
        services = [(named, _LABELS[named] + host)] if named in _LABELS else []
    else:
        services = yield from _services(host, secure, reach)
    found: list[Target] = []
    any_srv = False
    for transport, label in services:
        records = [record for record in (yield Question(label, "SRV")) if isinstance(record, Srv)]
        any_srv = any_srv or bool(records)
        for record in by_weight(records, pick):
            if record.target and len(found) < MAX_TARGETS:
                found += yield from _addresses(record.target, record.port, transport, host, reach)
    if not any_srv:
        # §4.2: no SRV record, then the name itself at the default port; §4.1: by UDP, or TLS where it is to be secure.
        transport = named or usual
        found += yield from _addresses(host, DEFAULT_PORTS.get(transport, 5060), transport, host, reach)
    return tuple(found[:MAX_TARGETS])


def _services(host: str, secure: bool, reach: Reach) -> Generator[Question, Answer, list[tuple[str, str]]]:
    """Transports in the order in which the domain prefers them, each with the name of its SRV records."""
    records = [record for record in (yield Question(host, "NAPTR")) if isinstance(record, Naptr)]
    of_sip = sorted(record for record in records if record.service.upper() in _SERVICES and record.flags.lower() == "s")
    able = {transport for transport, _ in reach}
    if secure:
        able &= {"tls"}
    if of_sip:
        known = [(_SERVICES[record.service.upper()], record.replacement) for record in of_sip]
        return [(transport, label) for transport, label in known if transport in able and label]
    transports = ("tls",) if secure else ("udp", "tcp")
    return [(transport, _LABELS[transport] + host) for transport in transports if transport in able]


def _addresses(host: str, port: int, transport: str, name: str, reach: Reach) -> Generator[Question, Answer, list[Target]]:
    """A host at this port, at each of its addresses that we can reach by this transport."""
    if not 0 < port < 65536:
        return []
    if is_address(host):
        kind = "AAAA" if ":" in host else "A"
        return [Target(transport, (host, port), name)] if (transport, kind) in reach else []
    found = []
    for kind in _KINDS:
        if (transport, kind) in reach:
            answer = yield Question(host, kind)
            found += [Target(transport, (record, port), name) for record in answer if isinstance(record, str)]
    return found


def by_weight(records: Iterable[Srv], pick: Pick) -> list[Srv]:
    """The order in which SRV records are tried: by priority, among equals as the weights and chance have it (RFC 2782)."""
    left = sorted(records, key=lambda record: (record.priority, record.weight != 0, record))
    ordered: list[Srv] = []
    while left:
        group = [record for record in left if record.priority == left[0].priority]
        chosen, running = pick(sum(record.weight for record in group)), 0
        for record in group:
            running += record.weight
            if running >= chosen:
                ordered.append(record)
                left.remove(record)
                break
    return ordered
