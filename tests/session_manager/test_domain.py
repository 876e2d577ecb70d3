"""Which addresses are ours: the domain, and every listening or advertised address with our port or none."""

from __future__ import annotations

import pytest

from b2bua.session_manager.domain import MAX_REMEMBERED, Domain
from b2bua.sip.uri import parse_uri


@pytest.fixture
def domain() -> Domain:
    made = Domain("Example.com", ("pbx.example.net", "ALIAS.example.org"))
    made.listens_on([("192.0.2.1", 5060), ("2001:db8::1", 5070), ("0.0.0.0", 5060), ("::", 5060)])
    return made


@pytest.mark.parametrize(
    ("host", "port", "ours"),
    [
        ("example.com", None, True),
        ("EXAMPLE.COM", None, True),
        ("example.com", 5999, True),  # a name of ours with any port
        ("pbx.example.net", None, True),
        ("alias.example.org", 5060, True),
        ("sub.example.com", None, False),
        ("example.com.", None, False),
        ("192.0.2.1", None, True),
        ("192.0.2.1", 5060, True),
        ("192.0.2.1", 5061, False),
        ("[2001:db8::1]", None, True),
        ("2001:DB8::1", 5070, True),
        ("[2001:db8::1]", 5060, False),
        ("192.0.2.2", None, False),
        ("0.0.0.0", 5060, False),
        ("::", None, False),
        ("", None, False),
    ],
)
def test_aliases(domain: Domain, host: str, port: int | None, ours: bool) -> None:
    assert domain.is_alias(host, port) is ours


def test_an_address_of_a_wildcard_is_ours_once_seen(domain: Domain) -> None:
    assert not domain.is_alias("192.0.2.77", 5060)
    assert domain.user_in("sip:6001@192.0.2.77") is None
    domain.local_address_seen(("192.0.2.77", 5060))
    domain.local_address_seen(("192.0.2.77", 5060))
    assert domain.is_alias("192.0.2.77", 5060) and domain.is_alias("192.0.2.77", None)
    assert not domain.is_alias("192.0.2.77", 5080)
    assert domain.user_in("sip:6001@192.0.2.77") == "6001"


@pytest.mark.parametrize(
    ("uri", "listener"),
    [
        ("sip:6001@192.0.2.1:5060", True),
        ("sip:6001@192.0.2.1", True),  # 5060 is meant
        ("sip:6001@192.0.2.1;transport=tcp", True),
        ("sip:6001@192.0.2.1:5061", False),
        ("sip:6001@192.0.2.1;transport=tls", False),  # 5061 is meant
        ("sips:6001@192.0.2.1", False),
        ("sips:6001@203.0.113.1", True),
        ("sip:6001@203.0.113.1;transport=TLS", True),
        ("sip:6001@203.0.113.1", False),
        ("sip:6001@[2001:DB8::1]:5070", True),
        ("sip:6001@[2001:db8::1]", False),
        ("sip:6001@192.0.2.10:5060", False),
    ],
)
def test_listeners(domain: Domain, uri: str, listener: bool) -> None:
    domain.listens_on([("203.0.113.1", 5061)])
    assert domain.is_listener(parse_uri(uri)) is listener


@pytest.mark.parametrize(
    ("uri", "user"),
    [
        ("sip:6001@example.com", "6001"),
        ("sips:6001@example.com", "6001"),
        ("sip:6001@192.0.2.1:5060;transport=udp", "6001"),
        ("sip:%36001@example.com", "6001"),
        ("sip:example.com", ""),
        ("sip:6001@example.org", None),
        ("sip:6001@192.0.2.1:5099", None),
        ("tel:6001", None),
        ("mailto:6001@example.com", None),
        ("nonsense", None),
        ("sip:", None),
        ("*", None),
    ],
)
def test_users(domain: Domain, uri: str, user: str | None) -> None:
    assert domain.user_in(uri) == user
    assert domain.user_in(uri) == user  # remembered


def test_user_of(domain: Domain) -> None:
    assert domain.user_of(parse_uri("sip:6001@example.com")) == "6001"
    assert domain.user_of(parse_uri("sip:6001@example.org")) is None


def test_what_is_remembered_is_bounded(domain: Domain) -> None:
    for number in range(MAX_REMEMBERED + 100):
        assert domain.user_in(f"sip:{number}@example.com") == str(number)
    assert len(domain._users) <= MAX_REMEMBERED


def test_the_canonical_address_of_record(domain: Domain) -> None:
    assert domain.name == "example.com"
    assert domain.aor("6001") == "sip:6001@example.com"


@pytest.mark.parametrize(
    ("host", "ours"),
    [("192.0.2.1", True), ("0.0.0.0", True), ("::", True), ("127.0.0.1", False), ("::1", False), ("192.0.2.2", False)],
)
def test_socket_addresses_of_ours(domain: Domain, host: str, ours: bool) -> None:
    """A wildcard leads to this host; any other address must be one that is listened on."""
    assert domain.is_ours((host, 5060)) is ours


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_loopback_is_ours_where_it_is_listened_on(host: str) -> None:
    made = Domain("example.com", ())
    made.listens_on([(host, 5060)])
    assert made.is_ours((host, 5060)) and made.is_alias(host, 5060)
