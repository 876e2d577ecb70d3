"""Questions to a real DNS server on loopback, over UDP and, where an answer is too long for that, TCP."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.names import dns
from twisted.names.error import DNSNameError, DNSQueryRefusedError, DNSServerError
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from b2bua.sip.next_hop import Naptr, Question, Srv
from b2bua.transport.dns_client import LONGEST_NOTHING, NOTHING, OF_HOSTS, DnsClient, _nothing
from b2bua.transport.resolver import Reply
from tests.transport.dns_server import TTL, factory

HOST = "127.0.0.53"
ZONE = {
    "example.net": [["NAPTR", 10, 20, "s", "SIP+D2U", "_sip._udp.Example.NET"]],
    "_sip._udp.example.net": [["SRV", 1, 2, 5070, "one.example.net"], ["SRV", 0, 0, 0, "."]],
    "one.example.net": [["A", "192.0.2.31"], ["AAAA", "2001:db8::31"]],
    "alias.example.net": [["CNAME", "one.example.net"]],
    "many.example.net": [["A", f"192.0.2.{number}"] for number in range(1, 100)],
}


class DnsClientTest(TestCase):
    """Each test has a server and a client of its own."""

    timeout = 20

    def setUp(self) -> None:
        made = factory(ZONE)
        running: Any = reactor
        self.udp = running.listenUDP(0, dns.DNSDatagramProtocol(made), HOST)
        self.tcp = running.listenTCP(self.udp.getHost().port, made, interface=HOST)
        self.directory = TemporaryDirectory()
        self.hosts = Path(self.directory.name) / "hosts"
        self.hosts.write_text("192.0.2.99 desk.example.net desk\n2001:db8::99 desk.example.net\nnonsense desk.example.net\n")
        self.client = DnsClient([(HOST, self.udp.getHost().port)], reactor, str(self.hosts))

    @inlineCallbacks
    def tearDown(self) -> Generator[Any, Any, None]:
        if self.udp is not None:
            yield self.udp.stopListening()
        yield self.tcp.stopListening()
        self.directory.cleanup()

    def ask(self, name: str, kind: str) -> Deferred[Reply]:
        asked: Deferred[Reply] = Deferred()
        self.client.ask(Question(name, kind), asked.callback)
        return asked

    @inlineCallbacks
    def test_each_kind_of_record(self) -> Generator[Any, Reply, None]:
        assert (yield self.ask("example.net", "NAPTR")) == Reply((Naptr(10, 20, "s", "SIP+D2U", "_sip._udp.example.net"),), TTL)
        found = yield self.ask("_sip._udp.example.net", "SRV")
        assert set(found.records) == {Srv(1, 2, 5070, "one.example.net"), Srv(0, 0, 0, "")} and found.seconds == TTL
        assert (yield self.ask("one.example.net", "A")) == Reply(("192.0.2.31",), TTL)
        assert (yield self.ask("one.example.net", "AAAA")) == Reply(("2001:db8::31",), TTL)

    @inlineCallbacks
    def test_an_alias_leads_to_the_address(self) -> Generator[Any, Reply, None]:
        assert (yield self.ask("alias.example.net", "A")).records == ("192.0.2.31",)

    @inlineCallbacks
    def test_a_long_answer_comes_over_tcp(self) -> Generator[Any, Reply, None]:
        assert len((yield self.ask("many.example.net", "A")).records) == 99

    @inlineCallbacks
    def test_what_is_not_there_is_an_answer(self) -> Generator[Any, Reply, None]:
        assert (yield self.ask("nobody.example.net", "A")) == Reply((), NOTHING)  # this server says not for how long
        assert (yield self.ask("example.net", "SRV")) == Reply((), TTL)  # here the SOA does

    @inlineCallbacks
    def test_a_name_that_is_none(self) -> Generator[Any, Reply, None]:
        assert (yield self.ask("x" * 64 + ".example.net", "A")) == Reply((), NOTHING)
        assert (yield self.ask("example.org", "A")).records == ()  # not this server's

    @inlineCallbacks
    def test_the_hosts_file_stands_before_the_dns(self) -> Generator[Any, Reply, None]:
        assert (yield self.ask("desk.example.net", "A")) == Reply(("192.0.2.99",), OF_HOSTS)
        assert (yield self.ask("desk.example.net", "AAAA")) == Reply(("2001:db8::99",), OF_HOSTS)
        self.hosts.unlink()
        assert (yield self.ask("desk.example.net", "A")).records == ()

    @inlineCallbacks
    def test_nobody_answers(self) -> Generator[Any, Any, None]:
        yield self.udp.stopListening()
        self.udp = None
        assert (yield self.ask("one.example.net", "A")).failed


@pytest.mark.parametrize(("ttl", "minimum", "seconds"), [(30, 40, 30.0), (40, 30, 30.0), (9000, 9000, LONGEST_NOTHING)])
def test_how_long_there_is_no_such_name(ttl: int, minimum: int, seconds: float) -> None:
    """RFC 2308 §5."""
    message = dns.Message()
    soa = dns.Record_SOA(b"ns.example.net", b"admin.example.net", 1, minimum=minimum, ttl=ttl)
    message.authority = [dns.RRHeader(b"example.net", dns.SOA, dns.IN, ttl, soa)]
    assert _nothing(Failure(DNSNameError(message))) == Reply((), seconds)
    assert _nothing(Failure(DNSNameError())) == Reply((), NOTHING)


@pytest.mark.parametrize("error", [DNSServerError, DNSQueryRefusedError, TimeoutError])
def test_what_is_no_answer(error: type[Exception]) -> None:
    assert _nothing(Failure(error())).failed
