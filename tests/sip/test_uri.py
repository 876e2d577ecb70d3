from __future__ import annotations

import pytest

from b2bua.sip.errors import MalformedValue
from b2bua.sip.uri import equivalent, host_text, is_address, parse_uri, split_host_port

# RFC 3261 §19.1.3 and §19.1.4
EQUIVALENT = [
    ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
    ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;security=off"),
    (
        "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
        "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
    ),
    (
        "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
    ),
]
DIFFERENT = [
    ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
    ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
    ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
]


@pytest.mark.parametrize(("one", "other"), EQUIVALENT)
def test_equivalent_by_rfc_3261(one, other):
    assert equivalent(parse_uri(one), parse_uri(other))
    assert equivalent(parse_uri(other), parse_uri(one))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_not_equivalent_by_rfc_3261(one, other):
    assert not equivalent(parse_uri(one), parse_uri(other))
    assert not equivalent(parse_uri(other), parse_uri(one))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("sip:a@example.com", "sips:a@example.com", False),
        ("sip:a:pw@example.com", "sip:a@example.com", False),
        ("sip:a:pw@example.com", "sip:a:PW@example.com", False),
        ("sip:example.com", "sip:a@example.com", False),
        ("sip:a@example.com;maddr=192.0.2.1", "sip:a@example.com", False),
        ("sip:a@example.com;user=phone", "sip:a@example.com", False),
        ("sip:a@example.com;ttl=1", "sip:a@example.com", False),
        ("sip:a@example.com;method=INVITE", "sip:a@example.com", False),
        ("sip:a@example.com?Subject=x", "sip:a@example.com?subject=x", True),
        ("sip:a@example.com?subject=x", "sip:a@example.com?subject=y", False),
        # Reserved signs are not equivalent to their escapes; unreserved ones are, in either case of the hex digits.
        ("sip:a%3Bb@example.com", "sip:a;b@example.com", False),
        ("sip:a%3Bb@example.com", "sip:a%3bb@example.com", True),
        ("sip:%7Ea@example.com", "sip:%7ea@example.com", True),
        ("sip:%00@example.com", "sip:%00%00@example.com", False),
        ("sip:%ff@example.com", "sip:%fe@example.com", False),
        ("sip:%2541@example.com", "sip:%41@example.com", False),
        ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0:0::1]", True),
        ("sip:a@[2001:db8::1]", "sip:a@[2001:db8::2]", False),
        ("tel:+15551234", "tel:+15551234", True),
        ("tel:+15551234", "tel:+15551235", False),
    ],
)
def test_further_comparisons(one, other, same):
    assert equivalent(parse_uri(one), parse_uri(other)) is same


def test_all_parts():
    uri = parse_uri("sip:alice:secret@Example.COM:5070;transport=TCP;lr?Subject=a%20b&x=y")
    assert (uri.scheme, uri.user, uri.password, uri.host, uri.port) == ("sip", "alice", "secret", "Example.COM", 5070)
    assert (uri.parameter("transport"), uri.parameter("lr"), uri.parameter("maddr")) == ("TCP", "", None)
    assert uri.headers == "?Subject=a%20b&x=y"
    assert uri.bare_host == "example.com"
    assert str(uri.without_parameters()) == "sip:alice@Example.COM:5070"


def test_the_user_part_may_hold_reserved_signs():
    uri = parse_uri("sip:user;par=u%40example.net@example.com")
    assert (uri.user, uri.username, uri.host, uri.parameters) == (
        "user;par=u%40example.net", "user;par=u@example.net", "example.com", "",
    )  # fmt: skip
    assert parse_uri("sip:a?b/c@example.com").user == "a?b/c"


def test_a_scheme_of_no_concern_is_kept_whole():
    uri = parse_uri("tel:+1-201-555-0123;phone-context=example.com")
    assert (uri.scheme, uri.user, uri.host) == ("tel", "+1-201-555-0123;phone-context=example.com", "")
    assert str(parse_uri("soap.beep://192.0.2.103:3002")) == "soap.beep://192.0.2.103:3002"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("sip:[2001:db8::10]", "[2001:db8::10]", None),
        ("sip:[2001:db8::10]:5070", "[2001:db8::10]", 5070),
        ("sip:[2001:db8::10:5070]", "[2001:db8::10:5070]", None),
        ("sip:ted@[::ffff:192.0.2.2]", "[::ffff:192.0.2.2]", None),
        ("sip:user@[2001:db8:::192.0.2.1]", "[2001:db8:::192.0.2.1]", None),
    ],
)
def test_ipv6_forms_of_rfc_5118(text, host, port):
    uri = parse_uri(text)
    assert (uri.host, uri.port, str(uri)) == (host, port, text)
    assert uri.bare_host == host[1:-1]


@pytest.mark.parametrize(
    "text",
    ["", "sip", "sip:", ":a@b", "sip:@example.com", "sip:a@", "sip:a@example.com:", "sip:a@example.com:99999",
     "sip:a@example.com:+5", "sip:a@example.com:٣", "sip:2001:db8::10", "sip:[2001:db8::10", "sip:[]", "sip:[x]",
     "sip:a@[::1]x", "sip:a@[::1]:", "sip:a@exam]ple.com", "sip:a@exa%6dple.com", "sip:a b@example.com",
     "<sip:a@example.com>", 'sip:"a"@example.com', "sip:a@example.com\r\n", "1sip:a@example.com", "sïp:a@example.com",
     "sip:a@exämple.com"],
)  # fmt: skip
def test_what_is_no_uri_is_refused_with_400(text):
    with pytest.raises(MalformedValue) as caught:
        parse_uri(text)
    assert caught.value.status == 400


def test_a_very_long_uri_is_parsed_and_not_remembered():
    text = f"sip:{'a' * 60_000}@example.com"
    assert str(parse_uri(text)) == text
    assert parse_uri(text) is not parse_uri(text)
    assert parse_uri("sip:short@example.com") is parse_uri("sip:short@example.com")


def test_hosts_and_ports():
    assert split_host_port("example.com:0") == ("example.com", 0)
    assert split_host_port("[::1]:65535") == ("[::1]", 65535)
    assert (host_text("::1"), host_text("[::1]"), host_text("192.0.2.1")) == ("[::1]", "[::1]", "192.0.2.1")


@pytest.mark.parametrize(
    ("host", "address"),
    [("192.0.2.10", True), ("2001:db8::1", True), ("example.com", False), ("x.invalid", False), ("", False)],
)
def test_is_address(host: str, address: bool) -> None:
    assert is_address(host) is address
