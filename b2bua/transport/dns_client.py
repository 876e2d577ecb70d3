"""Asks the DNS by twisted.names: one question, its records as plain values (RFC 2782, RFC 3403, RFC 3596).

The hosts file stands before the DNS for addresses, as everywhere on the machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.names import client, dns
from twisted.names.error import AuthoritativeDomainError, DNSNameError
from twisted.names.hosts import searchFileForAll
from twisted.python.filepath import FilePath

from b2bua.sip.flow import HostPort
from b2bua.sip.next_hop import Answer, Naptr, Question, Record, Srv
from b2bua.transport.resolver import Reply

TIMEOUTS: Final = (1, 2, 2)
"""Seconds for each try; 5 in all, since a caller waits."""
NOTHING: Final = 60.0
"""Seconds for which it holds that there is no such name or record, where the server does not say how long."""
LONGEST_NOTHING: Final = 300.0
"""Seconds for which that holds at most: a name set up meanwhile is found after that."""
OF_HOSTS: Final = 60.0
"""Seconds for which a line of the hosts file holds."""
RESOLV_CONF: Final = "/etc/resolv.conf"
_search_hosts: Final[Any] = searchFileForAll
_TYPES: Final = {"NAPTR": dns.NAPTR, "SRV": dns.SRV, "A": dns.A, "AAAA": dns.AAAA}


class DnsClient:
    """`servers`: whom to ask; none: those of `/etc/resolv.conf`, which is read again when it changes."""

    def __init__(self, servers: Sequence[HostPort], reactor: Any, hosts: str = "/etc/hosts") -> None:
        self._hosts = FilePath(hosts)
        self._servers = servers
        self._reactor = reactor
        self._client: Any = None
        """Made with the first question: most servers never have one."""

    def ask(self, question: Question, replied: Callable[[Reply], None]) -> None:
        """`b2bua.transport.resolver.Ask`."""
        if not all(0 < len(label) < 64 for label in question.name.split(".")) or len(question.name) > 253:
            replied(Reply((), NOTHING))  # RFC 1035 §2.3.4: there can be no such name
            return
        if question.kind in ("A", "AAAA"):
            found = self._of_hosts(question)
            if found:
                replied(Reply(found, OF_HOSTS))
                return
        if self._client is None:
            self._client = self._made()
        query = dns.Query(question.name.encode("ascii", "replace"), _TYPES[question.kind])
        asked: Deferred[Any] = self._client.query(query, TIMEOUTS)
        asked.addCallbacks(lambda sections: _reply(question, sections[0], sections[1]), _nothing)
        asked.addCallback(replied)

    def _made(self) -> Any:
        make: Any = client.Resolver
        if not self._servers and os.path.exists(RESOLV_CONF):
            return make(RESOLV_CONF, None, TIMEOUTS, self._reactor)
        # Without the file this host itself, as the C library does (resolv.conf(5)).
        return make(None, list(self._servers) or [("127.0.0.1", 53)], TIMEOUTS, self._reactor)

    def _of_hosts(self, question: Question) -> Answer:
        try:
            found: list[str] = _search_hosts(self._hosts, question.name.encode("ascii", "replace"))
        except OSError:
            return ()
        version = 6 if question.kind == "AAAA" else 4
        return tuple(address for address in found if _version(address) == version)


def _version(address: str) -> int:
    try:
        return ip_address(address).version
    except ValueError:
        return 0


def _reply(question: Question, answers: Sequence[Any], authority: Sequence[Any]) -> Reply:
    """The records of the kind asked for, under any owner name: a CNAME leads from one to the other."""
    wanted = [header for header in answers if header.type == _TYPES[question.kind]]
    if not wanted:
        return Reply((), _holds(authority))
    return Reply(tuple(_record(header.payload) for header in wanted), float(min(header.ttl for header in answers)))


def _record(payload: Any) -> Record:
    address = getattr(payload, "address", None)
    if isinstance(address, bytes):
        return str(ip_address(address))
    if isinstance(payload, dns.Record_NAPTR):
        flags, service = bytes(payload.flags.string).decode("latin-1"), bytes(payload.service.string).decode("latin-1")
        return Naptr(payload.order, payload.preference, flags, service, _name(payload.replacement))
    return Srv(payload.priority, payload.weight, payload.port, _name(payload.target))


def _name(name: dns.Name) -> str:
    return bytes(name.name).decode("latin-1").rstrip(".").lower()


def _nothing(failure: Any) -> Reply:
    """RFC 2308 §2: a name that does not exist is an answer, too; what else fails is none."""
    if failure.check(DNSNameError, AuthoritativeDomainError):
        message = next(iter(failure.value.args), None)
        return Reply((), _holds(getattr(message, "authority", ())))
    return Reply((), 0.0, True)


def _holds(authority: Iterable[Any]) -> float:
    """RFC 2308 §5: the SOA in the answer says for how long there is nothing."""
    for header in authority:
        if header.type == dns.SOA:
            return float(min(header.ttl, header.payload.minimum, LONGEST_NOTHING))
    return NOTHING
