"""Who is trusted: by network, over UDP by a private one; and whom such a peer speaks for."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from b2bua.session_manager import trusted_networks as module
from b2bua.session_manager.domain import Domain
from b2bua.session_manager.trusted_networks import TrustedNetworks, asserted_user
from b2bua.sip.flow import Flow
from b2bua.sip.message import Request
from tests.transaction.neighbours import FakeFlow

NETWORKS = [ip_network(text) for text in ("10.1.0.0/16", "192.0.2.64/26", "fd00:1::/32", "2001:db8::/32", "192.168.7.7/32")]


def flow(transport: str, host: str) -> Flow:
    made = FakeFlow(remote=(host, 5060), reliable=transport != "udp")
    made.transport = transport
    return made


@pytest.mark.parametrize(
    ("transport", "host", "trusted"),
    [
        ("udp", "10.1.255.255", True),
        ("udp", "10.2.0.0", False),
        ("udp", "192.168.7.7", True),
        ("udp", "fd00:1::5", True),
        ("udp", "::ffff:10.1.0.1", True),
        ("udp", "192.0.2.80", False),  # anybody can put that on a datagram
        ("udp", "2001:db8::1", False),
        ("tcp", "192.0.2.80", True),
        ("tls", "2001:db8::1", True),
        ("wss", "192.0.2.64", True),
        ("tcp", "192.0.2.63", False),
        ("tcp", "nonsense", False),
    ],
)
def test_who_is_trusted(transport: str, host: str, trusted: bool) -> None:
    networks = TrustedNetworks(NETWORKS)
    assert [networks.holds(flow(transport, host)) for _ in range(2)] == [trusted, trusted]


def test_what_is_remembered_is_bounded() -> None:
    networks = TrustedNetworks(NETWORKS)
    for number in range(module.MAX_REMEMBERED + 10):
        networks.holds(flow("tcp", f"10.1.{number // 256}.{number % 256}"))
    assert len(networks._known) == 10


class Users:
    def user(self, name: str) -> object | None:
        return name if name in ("6001", "6002") else None


@pytest.mark.parametrize(
    ("asserted", "sender", "user"),
    [
        ([], "<sip:6001@example.com>;tag=1", "6001"),
        (["<sip:6002@example.com>"], "<sip:6001@example.com>;tag=1", "6002"),
        (['"Bob" <sip:6002@example.com>, <tel:+491>'], "<sip:x@example.net>;tag=1", "6002"),
        (["<tel:6002>", "<sip:6001@example.com>"], "<sip:x@example.net>;tag=1", "6001"),
        (["<sip:0170@example.net>"], "<sip:6001@example.com>;tag=1", ""),  # what it asserts stands above From
        (["<sip:6999@example.com>"], "<sip:6001@example.com>;tag=1", ""),
        (["<<"], "<sip:6001@example.com>;tag=1", ""),
        ([], "<sip:6999@example.com>;tag=1", ""),
        ([], "<sip:example.com>;tag=1", ""),
        ([], '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1', ""),
    ],
)
def test_whom_it_speaks_for(asserted: list[str], sender: str, user: str) -> None:
    request = Request("INVITE", "sip:6002@example.com", ["From"], [f"From: {sender}"])
    for value in asserted:
        request.append("P-Asserted-Identity", value)
    assert asserted_user(request, Domain("example.com"), Users()) == user
