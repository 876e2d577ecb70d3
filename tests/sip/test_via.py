from __future__ import annotations

import pytest

from b2bua.sip.errors import MalformedValue
from b2bua.sip.via import parse_via


@pytest.mark.parametrize(
    ("text", "transport", "host", "port", "branch"),
    [
        ("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport", "udp", "192.0.2.1", 5060, "z9hG4bKa"),
        ("SIP/2.0/tcp Host.example.com;branch=z9hG4bKa", "tcp", "Host.example.com", None, "z9hG4bKa"),
        ("SIP/2.0/TLS [2001:db8::9:1]:6050;branch=b", "tls", "[2001:db8::9:1]", 6050, "b"),
        ("SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=b", "udp", "[::ffff:192.0.2.10]", 19823, "b"),
        ("SIP/2.0/WS df7jal23ls0d.invalid;branch=b", "ws", "df7jal23ls0d.invalid", None, "b"),
        ("SIP/2.0/TLS-SCTP a.example.com:65535;branch=b", "tls-sctp", "a.example.com", 65535, "b"),
        ("SIP  /   2.0 /UDP   192.0.2.2;branch=390skdjuw", "udp", "192.0.2.2", None, "390skdjuw"),
        ("SIP / 2.0\t/ TCP\ta.example.com : 5061 ; branch  =   b  ", "tcp", "a.example.com", 5061, "b"),
        ("SIP/2.0/UDP a.example.com", "udp", "a.example.com", None, ""),
        ("SIP/2.0/UDP a.example.com;BRANCH=b", "udp", "a.example.com", None, "b"),
        (
            "SIP/2.0/UDP a.example.com;mybranch=x;branch=z9hG4bK-.!%66*_+`'~",
            "udp",
            "a.example.com",
            None,
            "z9hG4bK-.!%66*_+`'~",
        ),
    ],
)
def test_forms(text, transport, host, port, branch):
    via = parse_via(text)
    assert (via.transport, via.host, via.port, via.branch) == (transport, host, port, branch)
    assert parse_via(str(via)) == via


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ",
        "SIP/2.0 192.0.2.1",
        "SIP/2.0/UDP 192.0.2.1:",
        "SIP/2.0/UDP 192.0.2.1:70000",
        "SIP/2.0/UDP 192.0.2.15;;",
        "SIP/2.0/UDP 192.0.2.15;branch=b;",
        "SIP/2.0/UDP a b;branch=b",
        "SIP/2.0/UDP 2001:db8::1",
        "SIP/2.0/UDP ;branch=b",
        "SIP/2.0/U@P a;branch=b",
        "SIP/2.0/UDP [::1;branch=b",
    ],
)
def test_what_is_no_via_is_refused(text):
    with pytest.raises(MalformedValue):
        parse_via(text)


def test_another_version_is_read_so_that_505_can_be_sent():
    via = parse_via("SIP/7.0/UDP c.example.com;branch=z9hG4bKa")
    assert (via.protocol, via.branch) == ("SIP/7.0", "z9hG4bKa")
    assert str(via) == "SIP/7.0/UDP c.example.com;branch=z9hG4bKa"


def test_rport_is_filled_and_received_added():
    """RFC 3581 §4 with its own example in §6.1 in other addresses."""
    via = parse_via("SIP/2.0/UDP 10.1.1.1:4540;rport;branch=z9hG4bKkjshdyff").with_source("192.0.2.1", 9988)
    assert str(via) == "SIP/2.0/UDP 10.1.1.1:4540;branch=z9hG4bKkjshdyff;rport=9988;received=192.0.2.1"
    assert via.response_address() == ("192.0.2.1", 9988)
    assert parse_via(str(via)) == via


def test_received_is_added_with_rport_even_where_it_is_the_same():
    via = parse_via("SIP/2.0/UDP 192.0.2.1:5060;branch=b;rport").with_source("192.0.2.1", 5060)
    assert (via.parameter("received"), via.parameter("rport")) == ("192.0.2.1", "5060")


def test_without_rport_received_stands_only_where_it_differs():
    via = parse_via("SIP/2.0/UDP 192.0.2.1:5070;branch=b")
    assert via.with_source("192.0.2.1", 9988) is via
    noted = via.with_source("192.0.2.7", 9988)
    assert (noted.parameters, noted.response_address()) == (";branch=b;received=192.0.2.7", ("192.0.2.7", 5070))


def test_what_a_peer_claims_of_its_source_is_not_believed():
    via = parse_via("SIP/2.0/UDP 192.0.2.1;received=192.0.2.66;rport=1;branch=b").with_source("192.0.2.1", 5060)
    assert via.response_address() == ("192.0.2.1", 5060)
    via = parse_via("SIP/2.0/UDP 192.0.2.1;received=192.0.2.66;branch=b").with_source("192.0.2.1", 5060)
    assert (via.parameter("received"), via.response_address()) == (None, ("192.0.2.1", 5060))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("SIP/2.0/UDP a.example.com;branch=b", ("a.example.com", 5060)),
        ("SIP/2.0/TLS a.example.com;branch=b", ("a.example.com", 5061)),
        ("SIP/2.0/WSS a.example.com;branch=b", ("a.example.com", 443)),
        ("SIP/2.0/UDP [2001:db8::1]:5070;branch=b", ("2001:db8::1", 5070)),
        ("SIP/2.0/UDP a.example.com;received=192.0.2.2;branch=b", ("192.0.2.2", 5060)),
        ("SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=b", ("2001:db8::9:255", 5060)),
        ("SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=b", ("2001:db8::9:255", 5060)),
        ("SIP/2.0/UDP a:5080;maddr=192.0.2.9;received=192.0.2.2;rport=7;branch=b", ("192.0.2.9", 5080)),
        ("SIP/2.0/UDP a:5080;received=192.0.2.2;rport=7;branch=b", ("192.0.2.2", 7)),
        ("SIP/2.0/UDP a:5080;rport=99999;branch=b", ("a", 5080)),
        ("SIP/2.0/UDP a:5080;rport=²;branch=b", ("a", 5080)),
        ("SIP/2.0/UDP a:5080;rport;branch=b", ("a", 5080)),
    ],
)
def test_where_a_response_goes(text, address):
    assert parse_via(text).response_address() == address
