"""Who a trunk is: by address and port, by the address of a connection, by certificate; never by more than was said."""

from __future__ import annotations

import pytest

from b2bua.session_manager.entities import Entities, Entity
from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.uri import parse_uri
from tests.transaction.neighbours import FakeFlow

HERE = parse_uri("sip:192.0.2.80")
BY_PORT = Entity("port", HERE, (("192.0.2.80", 5060),), trusted=True)
BY_HOST = Entity("host", HERE, (("192.0.2.81", 0),))
BY_CERTIFICATE = Entity("certificate", HERE, certificate="trunk.example.net")
BY_USER = Entity("user", HERE, user="6004")
PROVEN = frozenset(("other.example.net", "trunk.example.net"))


def flow(transport: str, remote: HostPort) -> Flow:
    made = FakeFlow(remote=remote, reliable=transport != "udp")
    made.transport = transport
    return made


@pytest.mark.parametrize(
    ("transport", "remote", "name"),
    [
        ("udp", ("192.0.2.80", 5060), "port"),
        ("udp", ("192.0.2.80", 5061), None),
        ("udp", ("192.0.2.81", 5060), None),  # without a port an address is proven by a connection only
        ("udp", ("192.0.2.81", 0), "host"),  # nobody sends from port 0
        ("tcp", ("192.0.2.80", 5060), "port"),
        ("tcp", ("192.0.2.80", 49152), None),
        ("tcp", ("192.0.2.81", 49152), "host"),
        ("tls", ("192.0.2.80", 5060), None),  # over TLS the certificate counts and nothing else
        ("tls", ("192.0.2.81", 49152), None),
        ("ws", ("192.0.2.81", 49152), None),
        ("wss", ("192.0.2.81", 49152), None),
        ("memory", ("192.0.2.80", 5060), None),
    ],
)
def test_by_address(transport: str, remote: HostPort, name: str | None) -> None:
    entities = Entities((BY_PORT, BY_HOST, BY_CERTIFICATE, BY_USER))
    found = entities.of(flow(transport, remote))
    assert (None if found is None else found.name) == name
    assert entities.trusts(flow(transport, remote)) is (name == "port")


@pytest.mark.parametrize(
    ("transport", "proven", "name"),
    [
        ("tls", PROVEN, "certificate"),
        ("tls", frozenset(("example.net",)), None),
        ("tls", frozenset(), None),
        ("wss", PROVEN, None),  # a browser's; no trunk speaks that
        ("tcp", PROVEN, None),
    ],
)
def test_by_certificate(transport: str, proven: frozenset[str], name: str | None) -> None:
    entities = Entities((BY_PORT, BY_CERTIFICATE), lambda flow: proven)
    found = entities.of(flow(transport, ("192.0.2.99", 49152)))
    assert (None if found is None else found.name) == name


def test_by_account() -> None:
    entities = Entities((BY_USER, BY_PORT))
    assert entities.authenticated("6004") is BY_USER
    assert entities.authenticated("6001") is None and entities.authenticated("") is None
