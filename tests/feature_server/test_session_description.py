"""Our o= line per leg, and what a peer last agreed to."""

from __future__ import annotations

import pytest

from b2bua.feature_server.session_description import SessionDescriptions
from b2bua.sip import sdp
from b2bua.sip.errors import SipError
from tests.feature_server.surroundings import description
from tests.sip.origin import without_origin


@pytest.fixture
def leg() -> SessionDescriptions:
    return SessionDescriptions(42, "192.0.2.1")


def version(body: bytes) -> int:
    return sdp.parse_origin(body).version


@pytest.mark.parametrize(("host", "address"), [("192.0.2.1", "IN IP4 192.0.2.1"), ("2001:db8::1", "IN IP6 2001:db8::1"),
                                               ("[2001:db8::1]", "IN IP6 2001:db8::1")])  # fmt: skip
def test_the_origin_is_ours(host: str, address: str) -> None:
    rendered = SessionDescriptions(42, host).render(description())
    assert sdp.parse_origin(rendered) == sdp.Origin("-", "42", 1, address)


def test_every_other_byte_is_the_peers(leg: SessionDescriptions) -> None:
    body = description("sendonly", 9).replace(b"\r\n", b"\n").rstrip(b"\n")
    rendered = leg.render(body)
    assert without_origin(rendered) == without_origin(body)


def test_the_version_rises_by_one_with_each_change(leg: SessionDescriptions) -> None:
    bodies = [description("sendrecv", 1), description("sendonly", 2), description("sendrecv", 9)]
    assert [version(leg.render(body)) for body in bodies] == [1, 2, 3]


def test_the_version_stays_when_nothing_but_the_peers_version_changed(leg: SessionDescriptions) -> None:
    first = leg.render(description("sendrecv", 1))
    assert leg.render(description("sendrecv", 2)) == first


def test_the_version_unchanged_but_the_body_changed_counts_as_changed(leg: SessionDescriptions) -> None:
    leg.render(description("sendrecv", 1))
    assert version(leg.render(description("sendonly", 1))) == 2


@pytest.mark.parametrize("body", [b"", b"hello", b"v=0\r\ns=-\r\n"])
def test_what_is_no_description_passes(leg: SessionDescriptions, body: bytes) -> None:
    assert leg.render(body) == body
    assert version(leg.render(description())) == 1


def test_a_refresh_is_the_last_agreed_byte_for_byte(leg: SessionDescriptions) -> None:
    theirs = description("sendrecv", 3)
    assert not leg.is_refresh(theirs)
    leg.completed(theirs, b"ours")
    assert leg.is_refresh(theirs)
    assert not leg.is_refresh(description("sendrecv", 4))
    assert not leg.is_refresh(description("sendonly", 3))
    assert not leg.is_refresh(b"")


def test_a_refused_offer_leaves_no_trace(leg: SessionDescriptions) -> None:
    agreed = description("sendrecv", 3)
    leg.completed(agreed, b"ours")
    leg.check_offer(description("sendonly", 4))
    assert leg.is_refresh(agreed) and (leg.theirs, leg.ours) == (agreed, b"ours")


@pytest.mark.parametrize(("theirs", "ours"), [(b"", b"x"), (b"x", b""), (b"", b"")])
def test_half_an_exchange_is_none(leg: SessionDescriptions, theirs: bytes, ours: bytes) -> None:
    leg.completed(description(), b"ours")
    leg.completed(theirs, ours)
    assert leg.theirs == description()


# -- an offer -----------------------------------------------------------------------------------------------------

VIDEO = "m=video 5000 RTP/AVP 96"


def refused(leg: SessionDescriptions, offer: bytes) -> SipError:
    with pytest.raises(SipError) as error:
        leg.check_offer(offer)
    return error.value


@pytest.mark.parametrize(
    "offer", [b"hello", b"", b"v=0\r\ns=-\r\nm=audio 4000 RTP/AVP 0\r\n", description().replace(b"4000", b"x")]
)
def test_what_is_no_description_is_488(leg: SessionDescriptions, offer: bytes) -> None:
    assert refused(leg, offer).status == 488


def test_streams_never_vanish(leg: SessionDescriptions) -> None:
    leg.completed(description("", 1, "192.0.2.10", 4000, VIDEO), b"ours")
    error = refused(leg, description())
    assert error.status == 488 and error.headers[0][0] == "Warning"


@pytest.mark.parametrize(
    "offer",
    [
        description("", 2, "192.0.2.10", 4000, "m=video 0 RTP/AVP 96"),  # refused with port 0, not left out
        description("", 2, "192.0.2.10", 4000, VIDEO, "m=text 6000 RTP/AVP 98"),
        description("", 99, "192.0.2.10", 4000, VIDEO),  # a version may jump
    ],
)
def test_streams_may_be_refused_and_added(leg: SessionDescriptions, offer: bytes) -> None:
    leg.completed(description("", 1, "192.0.2.10", 4000, VIDEO), b"ours")
    leg.check_offer(offer)


def test_the_first_offer_is_free(leg: SessionDescriptions) -> None:
    leg.check_offer(description())
