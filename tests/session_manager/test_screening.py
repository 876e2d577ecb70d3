"""RFC 3261 §16.3: what a request must pass before anyone looks at what it wants."""

from __future__ import annotations

import pytest

from b2bua.observer import METHODS
from b2bua.session_manager.domain import Domain
from b2bua.session_manager.screening import check_contact, require_supported, screen
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request
from tests.transaction.neighbours import FakeFlow, request

FLOW = FakeFlow()


def refused(made: Request) -> tuple[int, dict[str, str]]:
    with pytest.raises(SipError) as error:
        screen(made, FLOW)
        require_supported(made)
    return error.value.status, dict(error.value.headers)


def with_hops(method: str, hops: str) -> Request:
    made = request(method)
    made.replace("Max-Forwards", hops)
    return made


@pytest.mark.parametrize("uri", ["sip:6002@example.com", "SIP:6002@example.com"])
def test_our_schemes_pass(uri: str) -> None:
    screen(request(uri=uri), FLOW)


@pytest.mark.parametrize("transport", ["udp", "tcp", "ws", "tls", "wss", "memory"])
@pytest.mark.parametrize("uri", ["sips:6002@example.com", "SIPS:6002@example.com"])
def test_sips_wants_a_secure_hop(uri: str, transport: str) -> None:
    """RFC 3261 §26.2.2; RFC 5630 §5.3: 480 with a Warning, never 416."""
    flow = FakeFlow(reliable=transport != "udp")
    flow.transport = transport
    if transport in ("tls", "wss", "memory"):
        screen(request(uri=uri), flow)
        return
    with pytest.raises(SipError) as error:
        screen(request(uri=uri), flow)
    assert error.value.status == 480 and dict(error.value.headers) == {"Warning": '380 b2bua "SIPS Not Allowed"'}


@pytest.mark.parametrize("uri", ["tel:+15551234", "http://example.com", "urn:service:sos"])
def test_another_scheme_is_416(uri: str) -> None:
    assert refused(request(uri=uri))[0] == 416


@pytest.mark.parametrize(
    "uri",
    ["sip:", "sip:@example.com", "sip:6002@", "sip:6002@a b", "sip:6002@example.com:x", "nonsense", "6002@example.com"],
)
def test_a_broken_uri_is_400(uri: str) -> None:
    assert refused(request(uri=uri))[0] == 400


@pytest.mark.parametrize("method", ["INVITE", "BYE", "SUBSCRIBE", "PUBLISH", "FOO"])
def test_no_hop_left_is_483(method: str) -> None:
    assert refused(with_hops(method, "0"))[0] == 483


@pytest.mark.parametrize("method", ["OPTIONS", "REGISTER"])
def test_no_hop_left_but_perhaps_none_is_needed(method: str) -> None:
    screen(with_hops(method, "0"), FLOW)


@pytest.mark.parametrize("hops", ["x", "-1", "", "99999999999"])
def test_hops_that_are_no_number_are_400(hops: str) -> None:
    assert refused(with_hops("INVITE", hops))[0] == 400


def test_hops_may_be_missing() -> None:
    made = request()
    made.remove("Max-Forwards")
    screen(made, FLOW)


def test_proxy_require_is_420() -> None:
    made = request(more=(("Proxy-Require", "foo, bar"), ("Proxy-Require", "baz")))
    assert refused(made) == (420, {"Unsupported": "foo, bar, baz"})


def test_require_is_checked_where_we_are_the_server() -> None:
    made = request("REGISTER", more=(("Require", "path, Zzz, aaa"),))
    screen(made, FLOW)
    assert refused(made) == (420, {"Unsupported": "aaa, zzz"})


def test_what_we_support_may_be_required() -> None:
    require_supported(request("REGISTER"))
    require_supported(request("REGISTER", more=(("Require", "Path"),)))


@pytest.mark.parametrize("tag", ["100rel", "timer", "gruu", "outbound", "eventlist"])
def test_what_we_do_not_keep_our_word_on_may_not(tag: str) -> None:
    assert refused(request("REGISTER", more=(("Require", tag),))) == (420, {"Unsupported": tag})


def test_the_order_of_the_checks() -> None:
    made = with_hops("INVITE", "0")
    made.append("Proxy-Require", "foo")
    assert refused(made)[0] == 483
    made.uri = "tel:1"
    assert refused(made)[0] == 416


def test_the_requests_whose_contact_becomes_a_target() -> None:
    """A Contact that is a listener of ours would have us call ourselves (RFC 3261 §12.2, RFC 6665 §4.5.1, RFC 3515 §2.4.4);
    REGISTER has the registrar for that, elsewhere a Contact means nothing."""
    domain = Domain("example.com")
    domain.listens_on([("192.0.2.1", 5060)])

    def shut_out(method: str) -> bool:
        try:
            check_contact(request(method, more=(("Contact", "<sip:6001@192.0.2.1:5060>"),)), FLOW, domain)
        except SipError as error:
            assert error.status == 403
            return True
        return False

    assert {method for method in METHODS if shut_out(method)} == {"INVITE", "UPDATE", "SUBSCRIBE", "REFER"}
