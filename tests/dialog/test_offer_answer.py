import pytest

from b2bua.dialog.offer_answer import ANSWERS, OFFERS, OfferAnswer
from b2bua.sip.errors import MalformedValue, SipError
from b2bua.sip.sdp import DIRECTIONS, parse_origin, parse_streams
from tests.phone.scripted_peer import description, direction, version

VIDEO = "m=video 4002 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"


def fresh() -> OfferAnswer:
    return OfferAnswer(42, ("192.0.2.10", 30_000))


def agreed(ours: str = "sendrecv") -> OfferAnswer:
    """After a first exchange that we offered."""
    session = fresh()
    session.offer()
    session.accepted(description(ours))
    return session


# The tables of RFC 3264 §6.1 and RFC 6337 §5.3.


def test_the_answer_table_is_complete():
    assert set(ANSWERS) == {(offered, holding) for offered in DIRECTIONS for holding in (False, True)}
    assert set(OFFERS) == {False, True}


@pytest.mark.parametrize(
    ("offered", "holding", "answered"),
    [
        ("sendrecv", False, "sendrecv"),
        ("sendonly", False, "recvonly"),
        ("recvonly", False, "sendonly"),
        ("inactive", False, "inactive"),
        ("sendrecv", True, "sendonly"),
        ("sendonly", True, "inactive"),
        ("recvonly", True, "sendonly"),
        ("inactive", True, "inactive"),
    ],
)
def test_an_offer_is_answered_by_the_table(offered, holding, answered):
    session = agreed()
    session.holding = holding
    assert direction(session.answer(description(offered, 2))) == answered
    assert session.direction == answered


@pytest.mark.parametrize("offered", DIRECTIONS)
@pytest.mark.parametrize("holding", [False, True])
def test_an_answer_never_takes_what_the_offer_does_not_give(offered, holding):
    answered = ANSWERS[offered, holding]
    if offered in ("sendonly", "inactive"):
        assert answered in ("recvonly", "inactive")
    if offered in ("recvonly", "inactive"):
        assert answered in ("sendonly", "inactive")
    if holding:
        assert answered in ("sendonly", "inactive")


@pytest.mark.parametrize(
    ("holding", "answer", "ours"),
    [
        (False, "sendrecv", "sendrecv"),
        (False, "sendonly", "recvonly"),
        (False, "recvonly", "sendonly"),
        (False, "inactive", "inactive"),
        (True, "recvonly", "sendonly"),
        (True, "inactive", "inactive"),
        # Forbidden by the table, and seen: a hold answered sendrecv (livekit/sip 779) stays a hold.
        (True, "sendrecv", "sendonly"),
        (True, "sendonly", "inactive"),
    ],
)
def test_our_direction_follows_from_offer_and_answer(holding, answer, ours):
    session = fresh()
    session.holding = holding
    session.offer()
    session.accepted(description(answer))
    assert session.direction == ours
    assert session.holding is holding


# A hold is a local wish.


def test_who_was_held_offers_sendrecv_again():
    session = agreed()
    assert direction(session.answer(description("sendonly", 2))) == "recvonly"
    assert session.held
    assert direction(session.offer()) == "sendrecv"


def test_who_holds_offers_sendonly_whatever_was_agreed():
    session = agreed()
    session.holding = True
    assert direction(session.answer(description("sendonly", 2))) == "inactive"
    assert direction(session.offer()) == "sendonly"


@pytest.mark.bug("JsSIP 977")
def test_a_remote_sendrecv_does_not_cancel_our_hold():
    """JsSIP issue 977."""
    session = agreed()
    session.holding = True
    session.offer()
    session.accepted(description("recvonly", 2))
    assert direction(session.answer(description("sendrecv", 3))) == "sendonly"
    assert session.holding
    assert not session.sends


def test_twice_the_same_hold_is_answered_twice_the_same():
    """pjsip issue 1181."""
    session = agreed()
    first = session.answer(description("sendonly", 2))
    assert session.answer(description("sendonly", 2)) == first
    assert session.answer(description("sendonly", 3)) == first


def test_both_hold_and_the_first_resume_leaves_the_other_hold():
    session = agreed()
    session.holding = True
    session.answer(description("sendonly", 2))
    assert direction(session.answer(description("sendrecv", 3))) == "sendonly"
    session.holding = False
    session.offer()
    session.accepted(description("sendrecv", 4))
    assert session.direction == "sendrecv"


# o= versions.


def test_a_change_counts_the_version_up_by_one():
    session = fresh()
    first = version(session.offer())
    session.accepted(description("sendrecv"))
    session.holding = True
    assert version(session.offer()) == first + 1
    session.accepted(description("recvonly", 2))
    session.holding = False
    assert version(session.offer()) == first + 2


def test_a_repetition_has_the_same_bytes():
    session = agreed()
    session.holding = True
    first = session.offer()
    assert session.offer() == first
    session.refused()
    assert session.offer() == first


def test_a_refused_offer_leaves_no_trace():
    session = fresh()
    before = session.offer()
    session.accepted(description("sendrecv"))
    session.holding = True
    session.offer()
    session.refused()
    session.holding = False
    assert session.offer() == before
    assert session.direction == "sendrecv"


def test_a_version_never_stands_for_two_descriptions():
    session = agreed()
    session.holding = True
    seen = {session.offer()}
    session.refused()
    seen.add(session.answer(description("sendonly", 2)))
    seen.add(session.offer())
    assert len({version(body) for body in seen}) == len(seen)


def test_only_the_version_of_the_origin_changes():
    session = fresh()
    first = parse_origin(session.offer())
    session.accepted(description("sendrecv"))
    session.holding = True
    second = parse_origin(session.offer())
    assert second == first._replace(version=second.version)


# m= lines.


def test_a_stream_that_we_cannot_take_is_refused_and_stays():
    session = fresh()
    answer = parse_streams(session.answer(description("sendrecv", extra=VIDEO)))
    assert [(stream.media, stream.port) for stream in answer] == [("audio", 30_000), ("video", 0)]
    assert [stream.port for stream in parse_streams(session.offer())] == [30_000, 0]


def test_the_second_audio_stream_is_refused():
    session = fresh()
    answer = parse_streams(session.answer(description("sendrecv", extra="m=audio 4004 RTP/AVP 0\r\n")))
    assert [stream.port for stream in answer] == [30_000, 0]


def test_an_offer_that_drops_a_line_is_refused():
    session = fresh()
    session.answer(description("sendrecv", extra=VIDEO))
    with pytest.raises(SipError) as refusal:
        session.answer(description("sendrecv", 2))
    assert refusal.value.status == 488
    assert session.direction == "sendrecv"


def test_an_audio_stream_taken_away_comes_back_in_its_place():
    session = agreed()
    assert parse_streams(session.answer(description("sendrecv", 2, port=0)))[0].port == 0
    assert not session.sends
    (stream,) = parse_streams(session.offer())
    assert (stream.media, stream.port) == ("audio", 30_000)


SESSION = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n"


NOT_AUDIO = [b"", b"hello", b"v=0\r\n", VIDEO.encode(), SESSION.encode(), (SESSION + VIDEO).encode()]


@pytest.mark.parametrize("body", NOT_AUDIO)
def test_an_offer_without_audio_is_refused(body):
    with pytest.raises(SipError) as refusal:
        fresh().answer(body)
    assert refusal.value.status == 488


def test_an_answer_with_too_few_lines_agrees_nothing():
    session = fresh()
    session.answer(description("sendrecv", extra=VIDEO))
    session.holding = True
    session.offer()
    with pytest.raises(MalformedValue):
        session.accepted(description("recvonly", 2))
    assert session.direction == "sendrecv"


# Where media goes.


def test_media_goes_where_the_peer_wants_it():
    session = agreed()
    assert session.sends
    assert session.remote == ("192.0.2.20", 4000)
    session.answer(description("sendrecv", 2, "192.0.2.21", 4010))
    assert session.remote == ("192.0.2.21", 4010)


def test_the_old_hold_by_address_stops_media_and_is_answered_by_its_line():
    """RFC 6337 §5.4."""
    session = agreed()
    assert direction(session.answer(description("", 2, "0.0.0.0"))) == "sendrecv"
    assert session.held
    assert session.remote is None
    assert not session.sends


def test_a_direction_on_the_last_line_without_its_end_counts():
    """emiago/diago issue 125."""
    session = agreed()
    assert direction(session.answer(description("sendonly", 2).rstrip())) == "recvonly"


def test_who_holds_is_silent():
    session = agreed()
    session.holding = True
    assert not session.sends


def test_ipv6_is_written_as_such():
    session = OfferAnswer(42, ("2001:db8::10", 30_000))
    body = session.offer().decode()
    assert "c=IN IP6 2001:db8::10" in body
    assert "IN IP6 2001:db8::10" in body.split("\r\n")[1]
